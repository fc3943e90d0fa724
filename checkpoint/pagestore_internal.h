/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pagestore_internal.h - the store's inside, for what reads it: pageimages.c and lazy.c */
#ifndef CORACLE_PAGESTORE_INTERNAL_H
#define CORACLE_PAGESTORE_INTERNAL_H

#include "checkpoint/pagestore.h"
#include "checkpoint/pagetable.h"

#define PAGE_NO_SLOT  UINT32_MAX
#define PAGE_HEAT_MAX 100

enum store_state {
	STORE_NONE,
	STORE_ZERO,
	STORE_DATA, /* contents in `slot` */
	STORE_OWED, /* post-copy: will come */
};

struct store_page {
	uint32_t slot;
	uint16_t round; /* named last in */
	uint8_t state;
	uint8_t lazy : 1;
	uint8_t heat : 7; /* how often contents came, up to its limit */
};

struct store_image {
	uint64_t image;
	uint16_t round; /* named last in */
	struct page_table index;
};

struct page_store {
	uint64_t limit, limit_slots;
	size_t page_size;
	uint8_t page_shift;

	int memory; /* memfd: contents, by slot */
	uint64_t memory_size;
	const uint8_t *map; /* of all that it may become, for reading */
	size_t mapped;
	uint64_t slots;	 /* handed out so far */
	uint32_t *spare; /* slots that came back */
	size_t spares, spares_room;

	struct store_image **image; /* by number */
	size_t images, images_room;
	struct store_image *last;
	uint64_t index_bytes;

	uint16_t round;
	uint64_t rounds, named, owed, lazy, eager;
	bool in_round, final, is_final;

	struct page_packer *packer;
	uint8_t *frame; /* being put together */
	size_t have;
	uint8_t *plain; /* unpacked contents */
};

/* NULL: none of this number. */
struct store_image *store_image(const struct page_store *s, uint64_t image);

static inline const uint8_t *store_contents_of(const struct page_store *s, const struct store_page *p)
{
	return s->map + ((size_t)p->slot << s->page_shift);
}

/* True if the page is part of what is to be restored. */
static inline bool store_has(const struct page_store *s, const struct store_page *p)
{
	return p->round == s->round && p->state != STORE_NONE;
}

/* Pages that changed while others did not will be wanted first. */
static inline bool store_is_hot(const struct store_page *p)
{
	return p->heat > 1;
}

#endif
