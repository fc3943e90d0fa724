/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash.h - BLAKE2b with 256 bits (RFC 7693), unkeyed: names for contents, and seals on our own files */
#ifndef CORACLE_HASH_H
#define CORACLE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_SIZE     32
#define HASH_HEX_SIZE (2 * HASH_SIZE + 1)

struct hash {
	uint64_t state[8];
	uint64_t count;	    /* bytes compressed so far */
	uint8_t block[128]; /* what is not compressed yet */
	size_t used;
};

void hash_init(struct hash *h);
void hash_add(struct hash *h, const void *data, size_t size);
void hash_end(struct hash *h, uint8_t ret[static HASH_SIZE]);

/* Lower-case hexadecimal, NUL-terminated. */
void hash_hex(const uint8_t digest[static HASH_SIZE], char ret[static HASH_HEX_SIZE]);

#endif
