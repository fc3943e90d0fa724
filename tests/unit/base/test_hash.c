/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_hash.c - BLAKE2b-256 against the values that coreutils' b2sum gives */
#include "tests/unit/unit.h"

#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/base/str.h"

/* `size` bytes 0, 1, 2 … (mod 251), added in pieces of `piece`. */
static const char *digest(size_t size, size_t piece)
{
	static char hex[HASH_HEX_SIZE];
	uint8_t data[1000], out[HASH_SIZE];
	struct hash h;

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i % 251);
	hash_init(&h);
	for (size_t at = 0; at < size; at += piece)
		hash_add(&h, data + at, size - at < piece ? size - at : piece);
	hash_end(&h, out);
	hash_hex(out, hex);
	return hex;
}

static void test_known_values(void **state)
{
	static const struct {
		size_t size;
		const char *want;
	} rows[] = {
		{ 0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8" },
		{ 1, "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314" },
		{ 127, "f2fe67ff342e21b8f45e8f2e0bcd1d9243245d50ee6c78042e9c491388791c72" },
		{ 128, "c3582f71ebb2be66fa5dd750f80baae97554f3b015663c8be377cfcb2488c1d1" },
		{ 129, "f7f3c46ba2564ff4c4c162da1f5b605f9f1c4aa6a20652a9f9a337c1a2f5b9c9" },
		{ 255, "d9ef0fc521b4266d16df662bec231bc2ec3989e7adeaf63169c295dc239dbbea" },
		{ 256, "582f782226018ec33076bd8d1c42413530ac7e1126260ffc0f306ba3befc3f24" },
		{ 257, "227e15ed64ee8e93eb7bc53828f76eed974f2c4ab1408c3d08f212b7f8d69904" },
		{ 1000, "b372d0608f720c8c3dd41e9c8eecb10143b41abe520b616607e754bf79c08331" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_string_equal(digest(rows[i].size, 1000), rows[i].want);
		assert_string_equal(digest(rows[i].size, 1), rows[i].want);
		assert_string_equal(digest(rows[i].size, 127), rows[i].want);
		assert_string_equal(digest(rows[i].size, 128), rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_known_values) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
