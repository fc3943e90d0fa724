/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pagehash.c - NH in two passes for pages, a multiply-mix for frames
 *
 * NH(m) = sum over pairs of (m[2i] + k[2i]) * (m[2i+1] + k[2i+1]) modulo 2^128, the additions modulo 2^64:
 * 2^-64-almost universal (UMAC, theorem 4.2 with words of 64 bits), and with a second pass whose key is
 * shifted by two words the bounds multiply (theorem 4.3, Toeplitz). A 128-bit sum is cut into pieces of 43
 * bits, and their inner product with random numbers modulo the prime p = 2^61-1 adds 1/p; blocks of a larger
 * page are chained by a polynomial, which adds 16/p at most. So one half collides with less than 2^-64 + 17 *
 * 2^-61 for 64 KiB pages, 2^-60.8 for those of 4 KiB, and both with less than 2^-113, and 2^-121. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "checkpoint/pagehash.h"

#define P61 ((1ULL << 61) - 1)

static uint64_t mod61(unsigned __int128 x)
{
	uint64_t y = (uint64_t)(x & P61) + (uint64_t)(x >> 61 & P61) + (uint64_t)(x >> 122);

	y = (y & P61) + (y >> 61);
	return y >= P61 ? y - P61 : y;
}

int page_key_make(struct page_key *ret, struct error *e)
{
	uint8_t *at = (uint8_t *)ret;

	for (size_t done = 0; done < sizeof(*ret);) {
		ssize_t n = getrandom(at + done, sizeof(*ret) - done, 0);
		if (n < 0 && errno != EINTR)
			return fail(e, errno, "getrandom");
		if (n > 0)
			done += (size_t)n;
	}
	for (size_t half = 0; half < 2; half++) {
		for (size_t i = 0; i < 3; i++)
			ret->fold[half][i] = mod61(ret->fold[half][i]);
		ret->next[half] = mod61(ret->next[half]);
	}
	return 0;
}

static uint64_t fold(const uint64_t f[static 3], unsigned __int128 sum)
{
	const uint64_t piece = (1ULL << 43) - 1;
	unsigned __int128 x = (unsigned __int128)(uint64_t)(sum & piece) * f[0];

	/* each product has 104 bits at most: their sum does not overflow */
	x += (unsigned __int128)(uint64_t)(sum >> 43 & piece) * f[1];
	x += (unsigned __int128)(uint64_t)(sum >> 86) * f[2];
	return mod61(x);
}

static void hash_block(const struct page_key *k, const uint64_t *m, unsigned __int128 ret[static 2])
{
	unsigned __int128 a = 0, b = 0;

	for (size_t i = 0; i < PAGE_HASH_WORDS; i += 2) {
		a += (unsigned __int128)(m[i] + k->nh[i]) * (m[i + 1] + k->nh[i + 1]);
		b += (unsigned __int128)(m[i] + k->nh[i + 2]) * (m[i + 1] + k->nh[i + 3]);
	}
	ret[0] = a;
	ret[1] = b;
}

struct page_hash page_hash(const struct page_key *k, const void *data, size_t size)
{
	uint64_t half[2] = { 0, 0 };

	for (size_t at = 0; at < size; at += PAGE_HASH_BLOCK) {
		unsigned __int128 sum[2];

		hash_block(k, (const uint64_t *)((const uint8_t *)data + at), sum);
		for (size_t i = 0; i < 2; i++)
			half[i] = mod61((unsigned __int128)half[i] * k->next[i] + fold(k->fold[i], sum[i]));
	}
	/* never all zeroes: a ledger may use that for "nothing" */
	return (struct page_hash){ half[0] | 1ULL << 63, half[1] };
}

bool page_is_zero(const void *data, size_t size)
{
	const uint64_t *w = data;

	for (size_t i = 0; i < size / 8; i += 8)
		if (w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] | w[i + 5] | w[i + 6] | w[i + 7])
			return false;
	return true;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 x = (unsigned __int128)a * b;

	return (uint64_t)x ^ (uint64_t)(x >> 64);
}

uint64_t page_sum(uint64_t sum, const void *data, size_t size)
{
	static const uint64_t c[4] = { 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb,
				       0xd6e8feb86659fd93 };
	const uint8_t *at = data;
	uint64_t lane[4] = { sum ^ size, sum + c[1], sum ^ c[2], sum + c[3] };
	uint64_t w[4];

	for (; size >= sizeof(w); size -= sizeof(w), at += sizeof(w)) {
		memcpy(w, at, sizeof(w));
		lane[0] = mix(w[0] ^ c[0], lane[0] ^ w[1]);
		lane[1] += mix(w[2] ^ c[1], lane[2] ^ w[3]);
		lane[2] += c[2];
	}
	memset(w, 0, sizeof(w));
	if (size)
		memcpy(w, at, size);
	for (size_t i = 0; i < 4; i++)
		lane[3] = mix(lane[3] ^ w[i] ^ c[i], c[3 - i] ^ lane[i]);
	return mix(lane[3] ^ c[0], c[1]);
}
