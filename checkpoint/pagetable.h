/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pagetable.h - from a page's number to a small record, for sparse address spaces
 *
 * The ledger of what was sent and the index of what has come are such tables. Records live in chunks of 512 (2 MiB of
 * 4 KiB pages), zeroed at birth, and stay where they are until the table is freed; chunks are found by a hash that
 * strangers cannot aim at (random seed). Memory is counted. */
#ifndef CORACLE_PAGETABLE_H
#define CORACLE_PAGETABLE_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_CHUNK 512

struct page_chunk {
	uint64_t number; /* of its first page, divided by PAGE_CHUNK */
	uint64_t records[];
};

struct page_table {
	size_t record; /* bytes, a divisor or a multiple of 8 */
	size_t chunks, slots;
	uint64_t seed;
	struct page_chunk **slot;
	struct page_chunk *last; /* found last: pages come in order */
	uint64_t bytes;		 /* memory taken */
};

void page_table_init(struct page_table *t, size_t record);
void page_table_done(struct page_table *t);

/* The record of `page`, and in *ret_n for how many pages from there on the records follow each other, at most n. NULL: there
 * is none, then *ret_n pages have none; page_table_make() makes it instead, NULL is lack of memory. */
void *page_table_find(struct page_table *t, uint64_t page, uint64_t n, uint64_t *ret_n);
void *page_table_make(struct page_table *t, uint64_t page, uint64_t n, uint64_t *ret_n);

/* Memory that a page_table_make() of a chunk that is not there would take at most. */
uint64_t page_table_chunk_bytes(const struct page_table *t);

/* All chunks by number, an array of t->chunks pointers , freed by the caller; NULL: no memory. */
struct page_chunk **page_table_sorted(const struct page_table *t);

static inline void *page_chunk_record(const struct page_table *t, struct page_chunk *c, size_t i)
{
	return (uint8_t *)c->records + i * t->record;
}

#endif
