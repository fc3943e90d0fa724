/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pagedup.c - buckets of eight, the newer wins where one is full; grown while it is small and filling */
#include <stdlib.h>

#include "checkpoint/pagedup.h"

#define FIRST  (1U << 12)
#define BUCKET 8

void page_dup_done(struct page_dup *d)
{
	free(d->entry);
	*d = (struct page_dup){ 0 };
}

/* The entry of this tag, an empty one of its bucket, or the one that is to be forgotten. */
static struct page_dup_entry *place(const struct page_dup *d, uint64_t tag)
{
	struct page_dup_entry *bucket = &d->entry[tag & (d->size - 1) & ~(uint64_t)(BUCKET - 1)];
	struct page_dup_entry *at = &bucket[tag >> 40 & (BUCKET - 1)];

	for (size_t i = 0; i < BUCKET; i++) {
		if (bucket[i].image && bucket[i].tag == tag)
			return &bucket[i];
		if (!bucket[i].image)
			at = &bucket[i];
	}
	return at;
}

static void grow(struct page_dup *d)
{
	struct page_dup old = *d, new = { .size = old.size ? 4 * old.size : FIRST };

	if (old.size >= PAGE_DUP_MAX || !(new.entry = calloc(new.size, sizeof(*new.entry))))
		return;
	for (size_t i = 0; i < old.size; i++) {
		if (!old.entry[i].image)
			continue;
		new.used += !place(&new, old.entry[i].tag)->image;
		*place(&new, old.entry[i].tag) = old.entry[i];
	}
	free(old.entry);
	*d = new;
}

void page_dup_put(struct page_dup *d, struct page_hash h, uint32_t image, uint64_t page)
{
	if (2 * d->used >= d->size)
		grow(d);
	if (!d->size)
		return;
	struct page_dup_entry *at = place(d, h.b);
	d->used += !at->image;
	*at = (struct page_dup_entry){ h.b, image + 1, { (uint32_t)page, (uint32_t)(page >> 32) } };
}

int page_dup_get(const struct page_dup *d, struct page_hash h, uint32_t *ret_image, uint64_t *ret_page)
{
	if (!d->size)
		return -1;
	const struct page_dup_entry *at = place(d, h.b);
	if (!at->image || at->tag != h.b)
		return -1;
	*ret_image = at->image - 1;
	*ret_page = at->page[0] | (uint64_t)at->page[1] << 32;
	return 0;
}
