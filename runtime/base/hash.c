/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash.c - BLAKE2b-256, after RFC 7693
 *
 * Our own sixty lines: a library would cost a start of the dynamic linker in every command. No counter beyond
 * 64 bits: no one hashes 16 exabytes here. */
#include "runtime/base/hash.h"

#include <string.h>

static const uint64_t iv[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* Which word of the message goes where, round by round; the last two rounds are the first two again. */
static const uint8_t sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static inline uint64_t rotate(uint64_t x, int n)
{
	return x >> n | x << (64 - n);
}

static inline uint64_t load(const uint8_t *p)
{
	uint64_t x = 0;

	for (int i = 7; i >= 0; i--)
		x = x << 8 | p[i];
	return x;
}

static inline void mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, uint64_t x, uint64_t y)
{
	*a += *b + x;
	*d = rotate(*d ^ *a, 32);
	*c += *d;
	*b = rotate(*b ^ *c, 24);
	*a += *b + y;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 63);
}

/* Unrolled by the compiler, so that sigma is gone and v lives in registers: 20 kB take 25 us instead of 40.
 */
static void compress(struct hash *h, const uint8_t *block, uint64_t count, uint64_t last)
{
	uint64_t m[16], v[16];

	for (int i = 0; i < 16; i++)
		m[i] = load(block + 8 * i);
	memcpy(v, h->state, sizeof(h->state));
	memcpy(v + 8, iv, sizeof(iv));
	v[12] ^= count;
	v[14] ^= last;
#pragma GCC unroll 12
	for (int round = 0; round < 12; round++) {
		const uint8_t *s = sigma[round % 10];
#pragma GCC unroll 4
		for (int i = 0; i < 4; i++)
			mix(&v[i], &v[4 + i], &v[8 + i], &v[12 + i], m[s[2 * i]], m[s[2 * i + 1]]);
#pragma GCC unroll 4
		for (int i = 0; i < 4; i++)
			mix(&v[i], &v[4 + (i + 1) % 4], &v[8 + (i + 2) % 4], &v[12 + (i + 3) % 4],
			    m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
	}
	for (int i = 0; i < 8; i++)
		h->state[i] ^= v[i] ^ v[i + 8];
}

void hash_init(struct hash *h)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->state, iv, sizeof(iv));
	h->state[0] ^= 0x01010000 ^ HASH_SIZE; /* fanout 1, depth 1, no key */
}

/* The last block is known only at the end: a full one waits until more comes. */
void hash_add(struct hash *h, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size) {
		if (h->used == sizeof(h->block)) {
			h->count += sizeof(h->block);
			compress(h, h->block, h->count, 0);
			h->used = 0;
		}
		size_t n = sizeof(h->block) - h->used;
		if (n > size)
			n = size;
		memcpy(h->block + h->used, p, n);
		h->used += n;
		p += n;
		size -= n;
	}
}

void hash_end(struct hash *h, uint8_t ret[static HASH_SIZE])
{
	memset(h->block + h->used, 0, sizeof(h->block) - h->used);
	compress(h, h->block, h->count + h->used, ~UINT64_C(0));
	for (int i = 0; i < HASH_SIZE; i++)
		ret[i] = (uint8_t)(h->state[i / 8] >> (8 * (i % 8)));
}

void hash_hex(const uint8_t digest[static HASH_SIZE], char ret[static HASH_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < HASH_SIZE; i++) {
		ret[2 * i] = digits[digest[i] >> 4];
		ret[2 * i + 1] = digits[digest[i] & 15];
	}
	ret[2 * HASH_SIZE] = '\0';
}
