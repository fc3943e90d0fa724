/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sha256.h - SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104), for what other programs shall check, too
 *
 * For names and seals of our own there is the faster hash.h. The processor's instructions are used where it
 * has them (x86-64: some 1.5 GB/s instead of 0.25). */
#ifndef CORACLE_SHA256_H
#define CORACLE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

#define SHA256_SIZE	32
#define SHA256_HEX_SIZE 65

struct sha256 {
	uint32_t state[8];
	uint64_t count; /* bytes added so far */
	uint8_t block[64];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t size);
void sha256_end(struct sha256 *h, uint8_t ret[static SHA256_SIZE]);

/* Lower-case hexadecimal, NUL-terminated; and back: false if it is not exactly that. */
void sha256_hex(const uint8_t digest[static SHA256_SIZE], char ret[static SHA256_HEX_SIZE]);
bool sha256_from_hex(const char *text, uint8_t ret[static SHA256_SIZE]);

/* Of all that fd still has, to its end. Returns the bytes read, by *ret_size (may be NULL). */
int sha256_fd(int fd, uint8_t ret[static SHA256_SIZE], uint64_t *ret_size, struct error *e);

void hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
		 uint8_t ret[static SHA256_SIZE]);

/* Equal? The time taken does not depend on the contents. */
bool sha256_equal(const uint8_t a[static SHA256_SIZE], const uint8_t b[static SHA256_SIZE]);

/* For tests: false makes all that follows go without the processor's instructions. */
void sha256_use_instructions(bool yes);

#endif
