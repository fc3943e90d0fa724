/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_str.c - strict numbers and strings */
#include "tests/unit/unit.h"

#include <errno.h>

#include "runtime/base/str.h"

static void test_numbers_are_the_whole_string(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "0x1", "1x", "1:2", "1.0", "--1" };
	int64_t v = 7;
	uint32_t u = 7;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(str_to_i64(bad[i], &v), -EINVAL);
		assert_int_equal(str_to_u32(bad[i], &u), -EINVAL);
	}
	assert_int_equal(v, 7);
	assert_int_equal(u, 7);
}

static void test_numbers_keep_their_range(void **state)
{
	uint64_t u;
	int64_t i;
	uint32_t w;

	(void)state;
	assert_int_equal(str_to_u64("18446744073709551615", &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(str_to_u64("18446744073709551616", &u), -ERANGE);
	assert_int_equal(str_to_i64("-9223372036854775808", &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(str_to_i64("9223372036854775808", &i), -ERANGE);
	assert_int_equal(str_to_u32("4294967295", &w), 0);
	assert_int_equal(str_to_u32("4294967296", &w), -ERANGE);
	assert_int_equal(str_to_u32("-1", &w), -EINVAL);
}

static void test_bytes_have_suffixes(void **state)
{
	int64_t v;

	(void)state;
	assert_int_equal(str_to_bytes("512M", &v), 0);
	assert_true(v == 512LL << 20);
	assert_int_equal(str_to_bytes("1g", &v), 0);
	assert_true(v == 1LL << 30);
	assert_int_equal(str_to_bytes("17", &v), 0);
	assert_true(v == 17);
	assert_int_equal(str_to_bytes("M", &v), -EINVAL);
	assert_int_equal(str_to_bytes("1MB", &v), -EINVAL);
	assert_int_equal(str_to_bytes("9223372036854775807k", &v), -ERANGE);
}

static void test_modes_are_octal(void **state)
{
	uint32_t m;

	(void)state;
	assert_int_equal(str_to_mode("0755", &m), 0);
	assert_int_equal(m, 0755);
	assert_int_equal(str_to_mode("8", &m), -EINVAL);
	assert_int_equal(str_to_mode("17777", &m), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_the_whole_string),
		cmocka_unit_test(test_numbers_keep_their_range),
		cmocka_unit_test(test_bytes_have_suffixes),
		cmocka_unit_test(test_modes_are_octal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
