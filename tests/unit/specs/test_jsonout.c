/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_jsonout.c - what is written is JSON, whatever it is made of */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "specs/json.h"
#include "specs/jsonout.h"

static void test_values_on_one_line(void **state)
{
	static const char *const list[] = { "a", "b", NULL };
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);
	size_t size = 0;

	(void)state;
	jsonout_object(o, NULL);
	jsonout_string(o, "s", "text");
	jsonout_i64(o, "min", INT64_MIN);
	jsonout_u64(o, "max", UINT64_MAX);
	jsonout_bool(o, "yes", true);
	jsonout_null(o, "none");
	jsonout_string(o, "no text", NULL);
	jsonout_strings(o, "list", list);
	jsonout_array(o, "empty");
	jsonout_end(o);
	jsonout_array(o, "numbers");
	jsonout_i64(o, NULL, 1);
	jsonout_object(o, NULL);
	jsonout_end(o);
	jsonout_end(o);
	jsonout_raw(o, "raw", "[0]");
	jsonout_end(o);
	auto_free char *text = jsonout_take(o, &size);
	assert_string_equal(text, "{\"s\":\"text\",\"min\":-9223372036854775808,\"max\":18446744073709551615,"
				  "\"yes\":true,\"none\":null,\"no text\":null,\"list\":[\"a\",\"b\"],"
				  "\"empty\":[],\"numbers\":[1,{}],\"raw\":[0]}");
	assert_int_equal(size, strlen(text));
}

static void test_indented(void **state)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);

	(void)state;
	jsonout_object(o, NULL);
	jsonout_i64(o, "a", 1);
	jsonout_array(o, "b");
	jsonout_i64(o, NULL, 2);
	jsonout_i64(o, NULL, 3);
	jsonout_end(o);
	jsonout_object(o, "c");
	jsonout_end(o);
	jsonout_end(o);
	auto_free char *text = jsonout_take(o, NULL);
	assert_string_equal(text, "{\n  \"a\": 1,\n  \"b\": [\n    2,\n    3\n  ],\n  \"c\": {}\n}");
}

static void test_strings_are_escaped(void **state)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);

	(void)state;
	jsonout_string(o, NULL, "\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9\xff\xc0\xaf.");
	auto_free char *text = jsonout_take(o, NULL);
	assert_string_equal(text, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9"
				  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.\"");
}

static void test_every_byte_is_read_back(void **state)
{
	char bytes[128];
	struct error e;
	struct json *root = NULL;
	size_t size = 0;
	AUTO(arena) struct arena *a = arena_new();
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);

	(void)state;
	for (int i = 1; i < 128; i++)
		bytes[i - 1] = (char)i;
	bytes[127] = '\0';
	jsonout_object(o, NULL);
	jsonout_string(o, bytes, bytes);
	jsonout_end(o);
	auto_free char *text = jsonout_take(o, &size);
	assert_int_equal(json_parse(a, text, size, &root, &e), 0);
	assert_string_equal(root->first->key, bytes);
	assert_string_equal(root->first->text, bytes);
}

static void test_unfinished_is_nothing(void **state)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);
	AUTO(jsonout) struct jsonout *twice = jsonout_new(false);

	(void)state;
	jsonout_object(o, NULL);
	assert_null(jsonout_take(o, NULL));
	jsonout_object(twice, NULL);
	jsonout_end(twice);
	jsonout_end(twice);
	assert_null(jsonout_take(twice, NULL));
	jsonout_string(NULL, "k", "v");
	jsonout_end(NULL);
	assert_null(jsonout_take(NULL, NULL));
}

static void test_long_texts_grow(void **state)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);
	size_t size = 0;

	(void)state;
	jsonout_array(o, NULL);
	for (int i = 0; i < 10000; i++)
		jsonout_string(o, NULL, "0123456789");
	jsonout_end(o);
	auto_free char *text = jsonout_take(o, &size);
	assert_non_null(text);
	assert_int_equal(size, 10000 * 13 + 1);
	assert_int_equal(strlen(text), size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_on_one_line),    cmocka_unit_test(test_indented),
		cmocka_unit_test(test_strings_are_escaped),   cmocka_unit_test(test_every_byte_is_read_back),
		cmocka_unit_test(test_unfinished_is_nothing), cmocka_unit_test(test_long_texts_grow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
