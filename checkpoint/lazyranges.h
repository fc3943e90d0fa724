/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lazyranges.h - which addresses of a process still wait for which pages of its image (pure)
 *
 * Sorted by address, never overlapping. Where the process moves its mappings the ranges move along, and remember the address
 * that they had in the image. */
#ifndef CORACLE_LAZYRANGES_H
#define CORACLE_LAZYRANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lazy_range {
	uint64_t start, end; /* where the process has them now */
	uint64_t image;	     /* what `start` was when it was dumped */
	bool hot;	     /* given before the others */
};

struct lazy_ranges {
	struct lazy_range *range;
	size_t n, room;
};

void lazy_ranges_done(struct lazy_ranges *l);
/* Add at the end: `start` is not below what is there. All return 0 or -ENOMEM. */
int lazy_ranges_append(struct lazy_ranges *l, const struct lazy_range *r);
int lazy_ranges_copy(const struct lazy_ranges *from, struct lazy_ranges *to);
/* [start, end) is gone, or given. */
int lazy_ranges_cut(struct lazy_ranges *l, uint64_t start, uint64_t end);
/* [from, from + size) is at [to, to + size) now; what was there before is gone. */
int lazy_ranges_move(struct lazy_ranges *l, uint64_t from, uint64_t to, uint64_t size);
/* The range that has this address, NULL: none. */
struct lazy_range *lazy_ranges_find(const struct lazy_ranges *l, uint64_t at);
/* The first range that ends above `at`; n if none. */
size_t lazy_ranges_above(const struct lazy_ranges *l, uint64_t at);

#endif
