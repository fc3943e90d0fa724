/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_sha256.c - SHA-256 and HMAC by the examples of FIPS 180-4 and RFC 4231, with and without instructions
 */
#include <string.h>
#include <unistd.h>

#include "runtime/base/sha256.h"
#include "tests/unit/unit.h"

static void assert_digest(const char *text, size_t size, size_t step, const char *want)
{
	uint8_t digest[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];
	struct sha256 h;

	sha256_init(&h);
	for (size_t at = 0; at < size; at += step)
		sha256_add(&h, text + at, size - at < step ? size - at : step);
	sha256_end(&h, digest);
	sha256_hex(digest, hex);
	assert_string_equal(hex, want);
}

static void digests_are_the_standards(void **state)
{
	static char million[1000000];
	static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

	(void)state;
	memset(million, 'a', sizeof(million));
	for (int with = 0; with < 2; with++) {
		sha256_use_instructions(with);
		assert_digest("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
		assert_digest("abc", 3, 3,
			      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
		assert_digest(two, 56, 9, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
		for (size_t step = 1; step < 1000; step = step * 3 + 1)
			assert_digest(million, sizeof(million), step * 7,
				      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	}
}

static void hmac_is_the_rfcs(void **state)
{
	uint8_t mac[SHA256_SIZE], key[131];
	char hex[SHA256_HEX_SIZE];

	(void)state;
	hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac);
	sha256_hex(mac, hex);
	assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hmac_sha256(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54, mac);
	sha256_hex(mac, hex);
	assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hexadecimal_is_strict(void **state)
{
	uint8_t digest[SHA256_SIZE], back[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	(void)state;
	for (int i = 0; i < SHA256_SIZE; i++)
		digest[i] = (uint8_t)(i * 9);
	sha256_hex(digest, hex);
	assert_true(sha256_from_hex(hex, back));
	assert_true(sha256_equal(digest, back));
	back[31] ^= 1;
	assert_false(sha256_equal(digest, back));
	hex[3] = 'A';
	assert_false(sha256_from_hex(hex, back));
	assert_false(sha256_from_hex("00", back));
}

static void a_descriptor_is_read_to_its_end(void **state)
{
	uint8_t digest[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];
	struct error e = { 0 };
	uint64_t size = 0;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "abc", 3), 3);
	close(ends[1]);
	assert_int_equal(sha256_fd(ends[0], digest, &size, &e), 0);
	assert_int_equal(size, 3);
	sha256_hex(digest, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	close(ends[0]);
	assert_true(sha256_fd(ends[0], digest, &size, &e) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_the_standards),
		cmocka_unit_test(hmac_is_the_rfcs),
		cmocka_unit_test(hexadecimal_is_strict),
		cmocka_unit_test(a_descriptor_is_read_to_its_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
