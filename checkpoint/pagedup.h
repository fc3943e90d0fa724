/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pagedup.h - where a page with these contents was sent before, if it was (a bounded, forgetful table)
 *
 * Processes that were forked share most of their memory; so it crosses the network once. An answer is a hint: the
 * caller compares it with the ledger of the page that it names. */
#ifndef CORACLE_PAGEDUP_H
#define CORACLE_PAGEDUP_H

#include <stddef.h>
#include <stdint.h>

#include "checkpoint/pagehash.h"

#define PAGE_DUP_MAX (1U << 20) /* entries of 24 bytes */

struct page_dup_entry {
	uint64_t tag;
	uint32_t image; /* the sender's own number of it, plus 1; 0: empty */
	uint32_t page[2];
};

struct page_dup {
	struct page_dup_entry *entry;
	size_t size, used;
};

void page_dup_done(struct page_dup *d);
/* Remember; forgets another one when the table is full and cannot grow. Lack of memory is no error. */
void page_dup_put(struct page_dup *d, struct page_hash h, uint32_t image, uint64_t page);
/* 0 and where, or -1. */
int page_dup_get(const struct page_dup *d, struct page_hash h, uint32_t *ret_image, uint64_t *ret_page);

#endif
