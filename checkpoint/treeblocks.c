/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treeblocks.c - what the destination has of a file, block by block */
#include "checkpoint/treeblocks.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint/pagehash.h"

#define HASHES_MAX ((size_t)64 * 1024 * 1024 / sizeof(struct page_hash))
#define BUCKETS	   1024

/* No hash has its upper bits set: they are below 2^61. */
static const struct page_hash hash_hole = { ~UINT64_C(0), 0 }; /* a hole, or zeros */
static const struct page_hash hash_none = { ~UINT64_C(0), 1 }; /* never sent */

struct tree_map {
	struct tree_map *next;
	struct tree_inode inode;
	const struct page_key *key;
	size_t count;
	struct page_hash hashes[];
};

struct tree_blocks {
	struct page_key key;
	size_t used; /* hashes in all */
	struct tree_map *buckets[BUCKETS];
};

struct tree_blocks *tree_blocks_new(void)
{
	struct tree_blocks *b = calloc(1, sizeof(*b));

	struct error ignored;

	if (b && page_key_make(&b->key, &ignored) < 0) {
		free(b);
		return NULL;
	}
	return b;
}

void tree_blocks_clear(struct tree_blocks *b)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct tree_map *m = b->buckets[i], *next; m; m = next) {
			next = m->next;
			free(m);
		}
		b->buckets[i] = NULL;
	}
	b->used = 0;
}

void tree_blocks_free(struct tree_blocks *b)
{
	if (b)
		tree_blocks_clear(b);
	free(b);
}

static struct tree_map **find(const struct tree_blocks *b, struct tree_inode inode)
{
	struct tree_map **at =
		(struct tree_map **)&b->buckets[((uint64_t)inode.ino ^ (uint64_t)inode.dev) % BUCKETS];

	while (*at && ((*at)->inode.ino != inode.ino || (*at)->inode.dev != inode.dev))
		at = &(*at)->next;
	return at;
}

struct tree_map *tree_blocks_find(const struct tree_blocks *b, struct tree_inode inode)
{
	return *find(b, inode);
}

void tree_blocks_drop(struct tree_blocks *b, struct tree_inode inode)
{
	struct tree_map **at = find(b, inode), *m = *at;

	if (!m)
		return;
	*at = m->next;
	b->used -= m->count;
	free(m);
}

struct tree_map *tree_blocks_fit(struct tree_blocks *b, struct tree_inode inode, uint64_t size)
{
	uint64_t count = size / TREE_BLOCK + (size % TREE_BLOCK != 0);
	struct tree_map **at = find(b, inode), *m = *at;
	size_t had = m ? m->count : 0;

	if (count > HASHES_MAX - (b->used - had)) {
		tree_blocks_drop(b, inode);
		return NULL;
	}
	struct tree_map *fit = realloc(m, sizeof(*m) + count * sizeof(m->hashes[0]));
	if (!fit) {
		tree_blocks_drop(b, inode);
		return NULL;
	}
	if (!m)
		*fit = (struct tree_map){ .inode = inode, .key = &b->key };
	*at = fit;
	for (size_t i = had; i < count; i++)
		fit->hashes[i] = hash_none;
	fit->count = count;
	b->used += count - had;
	return fit;
}

static bool set(struct tree_map *m, uint64_t index, struct page_hash hash)
{
	if (index >= m->count)
		return true;
	bool differs = !page_hash_eq(m->hashes[index], hash);
	m->hashes[index] = hash;
	return differs;
}

bool tree_map_set(struct tree_map *m, uint64_t index, const void *block)
{
	if (page_is_zero(block, TREE_BLOCK))
		return set(m, index, hash_hole);
	return set(m, index, page_hash(m->key, block, TREE_BLOCK));
}

bool tree_map_set_hole(struct tree_map *m, uint64_t index)
{
	return set(m, index, hash_hole);
}

bool tree_page_is_zero(const void *page)
{
	return page_is_zero(page, TREE_PAGE);
}
