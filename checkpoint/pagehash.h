/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pagehash.h - a fast hash of pages that no content can fool, and a checksum of frames
 *
 * The hash is NH (Black et al., UMAC, 1999) over 64-bit words, twice with the key shifted (Toeplitz), each
 * 128-bit sum then reduced to 61 bits by a keyed inner product modulo 2^61-1. Over a random key that the
 * writer of the pages does not know, two different pages have the same value with a probability below 2^-120
 * (pagehash.c). It is universal, not cryptographic: the key and the values stay in the process that made
 * them. Several GB/s in plain C, where BLAKE2b does less than one: a final dump hashes all of a container's
 * memory while it stands still. */
#ifndef CORACLE_PAGEHASH_H
#define CORACLE_PAGEHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

#define PAGE_HASH_BLOCK 4096 /* bytes hashed at a time; a page is one or more of them */
#define PAGE_HASH_WORDS (PAGE_HASH_BLOCK / 8)

struct page_hash {
	uint64_t a, b;
};

struct page_key {
	uint64_t nh[PAGE_HASH_WORDS + 2]; /* the second pass uses it shifted by two words */
	uint64_t fold[2][3], next[2];	  /* modulo 2^61-1 */
};

/* A random key (getrandom(2)). */
int page_key_make(struct page_key *ret, struct error *e);

/* `size` is a multiple of PAGE_HASH_BLOCK; `data` is aligned to 8 bytes. */
struct page_hash page_hash(const struct page_key *k, const void *data, size_t size);

static inline bool page_hash_eq(struct page_hash x, struct page_hash y)
{
	return x.a == y.a && x.b == y.b;
}

/* True if all bytes are zero; size a multiple of 64, data aligned to 8 bytes. */
bool page_is_zero(const void *data, size_t size);

/* A 64-bit checksum against accidents, begun with 0 and chained; any size and alignment. Not keyed, so no
 * guard against malice: that is the channel's work. */
uint64_t page_sum(uint64_t sum, const void *data, size_t size);

#endif
