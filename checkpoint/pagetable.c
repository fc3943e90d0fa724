/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pagetable.c - open addressing over pointers to chunks; half full at most */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "checkpoint/pagetable.h"

void page_table_init(struct page_table *t, size_t record)
{
	memset(t, 0, sizeof(*t));
	t->record = record;
	if (getrandom(&t->seed, sizeof(t->seed), 0) != sizeof(t->seed))
		t->seed = (uintptr_t)t * 0x9e3779b97f4a7c15;
	t->seed |= 1;
}

void page_table_done(struct page_table *t)
{
	for (size_t i = 0; i < t->slots; i++)
		free(t->slot[i]);
	free(t->slot);
	page_table_init(t, t->record);
}

static size_t chunk_size(const struct page_table *t)
{
	return sizeof(struct page_chunk) + PAGE_CHUNK * t->record;
}

uint64_t page_table_chunk_bytes(const struct page_table *t)
{
	/* and its share of the slots, should they double */
	return chunk_size(t) + 4 * sizeof(void *);
}

/* Where the chunk is, or where it would be put. */
static struct page_chunk **slot_of(const struct page_table *t, uint64_t number)
{
	uint64_t h = number * t->seed;

	h = (h ^ h >> 32) * t->seed;
	for (size_t i = (size_t)(h >> 24);; i++) {
		struct page_chunk **at = &t->slot[i & (t->slots - 1)];
		if (!*at || (*at)->number == number)
			return at;
	}
}

static int grow(struct page_table *t)
{
	struct page_chunk **old = t->slot;
	size_t n = t->slots;
	struct page_chunk **more = calloc(n ? 2 * n : 16, sizeof(void *));

	if (!more)
		return -1;
	t->slot = more;
	t->slots = n ? 2 * n : 16;
	for (size_t i = 0; i < n; i++)
		if (old[i])
			*slot_of(t, old[i]->number) = old[i];
	free(old);
	t->bytes += (t->slots - n) * sizeof(void *);
	return 0;
}

static struct page_chunk *find(struct page_table *t, uint64_t number)
{
	if (t->last && t->last->number == number)
		return t->last;
	if (!t->slots)
		return NULL;
	struct page_chunk *c = *slot_of(t, number);
	if (c)
		t->last = c;
	return c;
}

static void *record_of(struct page_table *t, struct page_chunk *c, uint64_t page, uint64_t n, uint64_t *ret_n)
{
	uint64_t in_chunk = page % PAGE_CHUNK, here = PAGE_CHUNK - in_chunk;

	*ret_n = n < here ? n : here;
	return c ? page_chunk_record(t, c, in_chunk) : NULL;
}

void *page_table_find(struct page_table *t, uint64_t page, uint64_t n, uint64_t *ret_n)
{
	return record_of(t, find(t, page / PAGE_CHUNK), page, n, ret_n);
}

void *page_table_make(struct page_table *t, uint64_t page, uint64_t n, uint64_t *ret_n)
{
	uint64_t number = page / PAGE_CHUNK;
	struct page_chunk *c = find(t, number);

	if (!c) {
		if (2 * (t->chunks + 1) > t->slots && grow(t) < 0)
			return NULL;
		c = calloc(1, chunk_size(t));
		if (!c)
			return NULL;
		c->number = number;
		*slot_of(t, number) = c;
		t->chunks++;
		t->bytes += chunk_size(t);
		t->last = c;
	}
	return record_of(t, c, page, n, ret_n);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = (*(struct page_chunk *const *)a)->number, y = (*(struct page_chunk *const *)b)->number;

	return (x > y) - (x < y);
}

struct page_chunk **page_table_sorted(const struct page_table *t)
{
	struct page_chunk **all = malloc((t->chunks ? t->chunks : 1) * sizeof(void *));
	size_t n = 0;

	if (!all)
		return NULL;
	for (size_t i = 0; i < t->slots; i++)
		if (t->slot[i])
			all[n++] = t->slot[i];
	qsort(all, n, sizeof(void *), by_number);
	return all;
}
