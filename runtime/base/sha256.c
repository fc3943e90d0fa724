/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sha256.c - SHA-256 in C and in the x86-64's own instructions; HMAC upon it */
#include "runtime/base/sha256.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"

static const uint32_t rounds[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static void compress_plain(uint32_t state[8], const uint8_t *block, size_t blocks)
{
	for (; blocks; blocks--, block += 64) {
		uint32_t w[64], s[8];
		for (int i = 0; i < 16; i++)
			w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
			       (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
		for (int i = 16; i < 64; i++) {
			uint32_t a = w[i - 15], b = w[i - 2];
			w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
			       (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
		}
		memcpy(s, state, sizeof(s));
		for (int i = 0; i < 64; i++) {
			uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
				      ((s[4] & s[5]) ^ (~s[4] & s[6])) + rounds[i] + w[i];
			uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
				      ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
			memmove(s + 1, s, 7 * sizeof(*s));
			s[4] += t1;
			s[0] = t1 + t2;
		}
		for (int i = 0; i < 8; i++)
			state[i] += s[i];
	}
}

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

/* The instructions keep the state as ABEF and CDGH; each does two rounds. The message schedule of the next
 * rounds is made while those before it are done. */
__attribute__((target("sha,sse4.1,ssse3"))) static void compress_sha(uint32_t state[8], const uint8_t *block,
								     size_t blocks)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
	__m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
	__m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);

	for (; blocks; blocks--, block += 64) {
		const __m128i abef_before = abef, cdgh_before = cdgh;
		__m128i w[4];
		for (int i = 0; i < 4; i++)
			w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), swap);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			if (i >= 4) {
				__m128i near = _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4);
				__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]),
							    near);
				w[i % 4] = _mm_sha256msg2_epu32(sum, w[(i + 3) % 4]);
			}
			__m128i k = _mm_add_epi32(w[i % 4],
						  _mm_loadu_si128((const __m128i *)(rounds + 4 * i)));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	low = _mm_shuffle_epi32(abef, 0x1b);
	high = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

static bool has_instructions(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3))
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}
#else
static bool has_instructions(void)
{
	return false;
}
#define compress_sha compress_plain
#endif

static int instructions = -1; /* not asked yet */

void sha256_use_instructions(bool yes)
{
	instructions = yes && has_instructions();
}

static void compress(uint32_t state[8], const uint8_t *block, size_t blocks)
{
	if (instructions < 0)
		sha256_use_instructions(true);
	if (instructions)
		compress_sha(state, block, blocks);
	else
		compress_plain(state, block, blocks);
}

void sha256_init(struct sha256 *h)
{
	static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memset(h, 0, sizeof(*h));
	memcpy(h->state, start, sizeof(start));
}

void sha256_add(struct sha256 *h, const void *data, size_t size)
{
	const uint8_t *p = data;
	size_t used = h->count % 64;

	if (!size) /* data may be NULL then */
		return;
	h->count += size;
	if (used) {
		size_t n = 64 - used < size ? 64 - used : size;
		memcpy(h->block + used, p, n);
		if (used + n < 64)
			return;
		compress(h->state, h->block, 1);
		p += n;
		size -= n;
	}
	if (size >= 64)
		compress(h->state, p, size / 64);
	memcpy(h->block, p + size / 64 * 64, size % 64);
}

void sha256_end(struct sha256 *h, uint8_t ret[static SHA256_SIZE])
{
	uint64_t bits = h->count * 8;
	uint8_t tail[72] = { 0x80 };
	size_t used = h->count % 64, zeros = (used < 56 ? 56 : 120) - used;

	for (int i = 0; i < 8; i++)
		tail[zeros + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_add(h, tail, zeros + 8);
	for (int i = 0; i < SHA256_SIZE; i++)
		ret[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_hex(const uint8_t digest[static SHA256_SIZE], char ret[static SHA256_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < SHA256_SIZE; i++) {
		ret[2 * i] = digits[digest[i] >> 4];
		ret[2 * i + 1] = digits[digest[i] & 15];
	}
	ret[2 * SHA256_SIZE] = '\0';
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sha256_from_hex(const char *text, uint8_t ret[static SHA256_SIZE])
{
	if (strlen(text) != 2 * SHA256_SIZE)
		return false;
	for (int i = 0; i < SHA256_SIZE; i++) {
		int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

int sha256_fd(int fd, uint8_t ret[static SHA256_SIZE], uint64_t *ret_size, struct error *e)
{
	enum { PIECE = 256 << 10 }; /* stays in the processor's cache between the copy and the digest */
	auto_free uint8_t *piece = malloc(PIECE);
	struct sha256 h;
	ssize_t n;

	if (!piece)
		return fail(e, ENOMEM, "digest a file");
	sha256_init(&h);
	while ((n = read(fd, piece, PIECE)) != 0) {
		if (n < 0 && errno != EINTR)
			return fail(e, errno, "read");
		if (n > 0)
			sha256_add(&h, piece, (size_t)n);
	}
	if (ret_size)
		*ret_size = h.count;
	sha256_end(&h, ret);
	return 0;
}

bool sha256_equal(const uint8_t a[static SHA256_SIZE], const uint8_t b[static SHA256_SIZE])
{
	uint8_t differ = 0;

	for (int i = 0; i < SHA256_SIZE; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

void hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
		 uint8_t ret[static SHA256_SIZE])
{
	uint8_t block[64] = { 0 }, inner[SHA256_SIZE];
	struct sha256 h;

	if (key_size > sizeof(block)) {
		sha256_init(&h);
		sha256_add(&h, key, key_size);
		sha256_end(&h, block);
	} else
		memcpy(block, key, key_size);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36;
	sha256_init(&h);
	sha256_add(&h, block, sizeof(block));
	sha256_add(&h, data, size);
	sha256_end(&h, inner);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	sha256_init(&h);
	sha256_add(&h, block, sizeof(block));
	sha256_add(&h, inner, sizeof(inner));
	sha256_end(&h, ret);
}
