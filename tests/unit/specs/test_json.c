/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_json.c - what the tree promises: exact numbers, unique keys, valid text, bounds, places */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"
#include "specs/json.h"

/* Parse, and compare the message of the failure. */
static void expect_error(const char *text, size_t size, const char *message)
{
	struct error e = { 0 };
	struct json *root = NULL;
	AUTO(arena) struct arena *a = arena_new();

	assert_non_null(a);
	assert_true(json_parse(a, text, size, &root, &e) < 0);
	assert_string_equal(e.msg, message);
	assert_null(root);
}

static struct json *parse(struct arena *a, const char *text)
{
	struct error e = { 0 };
	struct json *root = NULL;

	if (json_parse(a, text, strlen(text), &root, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return root;
}

static void test_values_are_what_was_written(void **state)
{
	AUTO(arena) struct arena *a = arena_new();
	const struct json *root = parse(
		a, "{\"s\": \"text\", \"e\": \"a\\n\\u00e9\\ud83d\\ude00\", \"t\": true,"
		   " \"f\": false, \"n\": null, \"a\": [1, [], {}], \"o\": {\"k\": \"v\"}}");

	(void)state;
	assert_int_equal(root->type, JSON_OBJECT);
	assert_int_equal(root->size, 7);
	assert_string_equal(json_get(root, "s")->text, "text");
	assert_int_equal(json_get(root, "s")->size, 4);
	assert_string_equal(json_get(root, "e")->text, "a\n\xc3\xa9\xf0\x9f\x98\x80");
	assert_true(json_get(root, "t")->boolean);
	assert_false(json_get(root, "f")->boolean);
	assert_int_equal(json_get(root, "n")->type, JSON_NULL);
	assert_int_equal(json_get(root, "a")->size, 3);
	assert_int_equal(json_get(root, "a")->first->next->type, JSON_ARRAY);
	assert_string_equal(json_get(json_get(root, "o"), "k")->text, "v");
	assert_null(json_get(root, "x"));
}

static void test_integers_are_exact(void **state)
{
	AUTO(arena) struct arena *a = arena_new();
	const struct json *v =
		parse(a, "[9223372036854775807, -9223372036854775808, 18446744073709551615, 1.5, 1e3,"
			 " 99999999999999999999999999]")
			->first;
	int64_t i = 0;
	uint64_t u = 0;

	(void)state;
	assert_int_equal(json_to_i64(v, &i), 0);
	assert_true(i == INT64_MAX);
	v = v->next;
	assert_int_equal(json_to_i64(v, &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(json_to_u64(v, &u), -ERANGE);
	v = v->next;
	assert_int_equal(json_to_u64(v, &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(json_to_i64(v, &i), -ERANGE);
	v = v->next;
	assert_int_equal(json_to_i64(v, &i), -EINVAL);
	v = v->next;
	assert_int_equal(json_to_i64(v, &i), -EINVAL);
	v = v->next;
	assert_int_equal(json_to_i64(v, &i), -ERANGE);
}

static void test_bad_text_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "", "line 1, column 1: parse error: premature EOF" },
		{ "{\"a\": 1,\n \"b\": 2", "line 2, column 8: parse error: premature EOF" },
		{ "{\"a\": 1} x", "line 1, column 10: parse error: trailing garbage" },
		{ "{\"a\": 1}\n{}", "line 2, column 1: parse error: trailing garbage" },
		{ "{\"a\": \"\\u0000\"}", "line 1, column 8: a string holds a NUL (\\u0000)" },
		{ "{\"a\\u0000b\": 1}", "line 1, column 4: a string holds a NUL (\\u0000)" },
		{ "[\"\\ud800\"]", "line 1, column 3: half of a surrogate pair" },
		{ "[\"\\udc00\\ud800\"]", "line 1, column 3: half of a surrogate pair" },
		{ "[\"\\ud800\\u0041\"]", "line 1, column 3: half of a surrogate pair" },
		{ "[\"\xc0\xaf\"]", "line 1, column 3: not valid UTF-8" },
		{ "[\"\xed\xa0\x80\"]", "line 1, column 3: not valid UTF-8" },
		{ "[\"\xf4\x90\x80\x80\"]", "line 1, column 3: not valid UTF-8" },
		{ "[\"abcdefgh\xff\"]", "line 1, column 11: not valid UTF-8" },
		{ "[\"\xe2\x82", "line 1, column 3: not valid UTF-8" },
		{ "{\"a\": 1, \"a\": 2}", "a: the key appears twice" },
		{ "{\"x\": {\"m\": [0, {\"a\": 1, \"b\": 2, \"\\u0061\": 3}]}}",
		  "x.m[1].a: the key appears twice" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect_error(rows[i].text, strlen(rows[i].text), rows[i].message);
	expect_error("[\"a\0b\"]", 7, "line 1, column 3: lexical error: invalid character inside string.");
}

static void test_keys_are_unique_in_large_objects(void **state)
{
	char text[8192];
	size_t used = 0;

	(void)state;
	used += (size_t)snprintf(text, sizeof(text), "{\"o\":{");
	for (int i = 0; i < 100; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "\"key%d\":0,", i);
	snprintf(text + used, sizeof(text) - used, "\"last\":0}}");
	AUTO(arena) struct arena *a = arena_new();
	assert_int_equal(json_get(parse(a, text), "o")->size, 101);
	snprintf(text + used, sizeof(text) - used, "\"key42\":0}}");
	expect_error(text, strlen(text), "o.key42: the key appears twice");
}

static void test_depth_is_bounded(void **state)
{
	char text[2 * JSON_MAX_DEPTH + 3];

	(void)state;
	memset(text, '[', JSON_MAX_DEPTH);
	memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	text[2 * JSON_MAX_DEPTH] = '\0';
	AUTO(arena) struct arena *a = arena_new();
	assert_int_equal(parse(a, text)->type, JSON_ARRAY);
	memset(text, '[', JSON_MAX_DEPTH + 1);
	memset(text + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
	expect_error(text, sizeof(text) - 1, "line 1, column 65: nested too deeply");
}

static void test_size_is_bounded(void **state)
{
	size_t size = JSON_MAX_SIZE + 1;
	auto_free char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memset(text, ' ', size);
	text[0] = '1';
	expect_error(text, size, "more than 4194304 bytes of JSON");
	/* As many values as fit into the size would be many more than any config has. */
	for (size_t i = 0; i < size - 1; i++)
		text[i] = i % 2 ? ',' : '0';
	text[0] = '[';
	text[1] = '0';
	for (size_t i = 2; i < size - 2; i++)
		text[i] = i % 2 ? '0' : ',';
	text[size - 3] = '0';
	text[size - 2] = ']';
	expect_error(text, size - 1, "line 1, column 524288: too many values");
}

static void test_long_strings_stay_whole(void **state)
{
	size_t size = 70000;
	auto_free char *text = malloc(size + 10);

	(void)state;
	assert_non_null(text);
	text[0] = '[';
	text[1] = '"';
	memset(text + 2, 'x', size);
	strcpy(text + 2 + size, "\"]");
	AUTO(arena) struct arena *a = arena_new();
	const struct json *v = parse(a, text)->first;
	assert_int_equal(v->size, size);
	assert_int_equal(strlen(v->text), size);
	/* The same with an escape, which is another way through. */
	memcpy(text + 2, "\\n", 2);
	v = parse(a, text)->first;
	assert_int_equal(strlen(v->text), size - 1);
	assert_int_equal(v->text[0], '\n');
}

static void test_objects_know_their_text(void **state)
{
	const char *text = "{ \"a\": {\"k\" : [ 1,\"s\" ]} , \"b\":{}}";
	AUTO(arena) struct arena *a = arena_new();
	const struct json *root = parse(a, text);
	const struct json *v = json_get(root, "a");

	(void)state;
	assert_int_equal(v->end - v->start, strlen("{\"k\" : [ 1,\"s\" ]}"));
	assert_memory_equal(text + v->start, "{\"k\" : [ 1,\"s\" ]}", v->end - v->start);
	v = json_get(root, "b");
	assert_memory_equal(text + v->start, "{}", v->end - v->start);
	assert_int_equal(root->start, 0);
	assert_int_equal(root->end, strlen(text));
}

static void test_a_lone_scalar_is_a_value(void **state)
{
	AUTO(arena) struct arena *a = arena_new();
	int64_t i = 0;

	(void)state;
	assert_int_equal(json_to_i64(parse(a, "12"), &i), 0);
	assert_int_equal(i, 12);
	assert_string_equal(parse(a, "\"s\"")->text, "s");
}

static void test_paths_of_long_keys_are_cut(void **state)
{
	char text[600];
	struct error e = { 0 };
	AUTO(arena) struct arena *a = arena_new();

	(void)state;
	memset(text, 'k', sizeof(text));
	memcpy(text, "{\"", 2);
	strcpy(text + 500, "\": 1}");
	json_fail(parse(a, text)->first, &e, "text");
	assert_true(strlen(e.msg) < 150);
	assert_true(str_ends(e.msg, "k: text"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_what_was_written),
		cmocka_unit_test(test_integers_are_exact),
		cmocka_unit_test(test_bad_text_is_refused_with_its_place),
		cmocka_unit_test(test_keys_are_unique_in_large_objects),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_size_is_bounded),
		cmocka_unit_test(test_long_strings_stay_whole),
		cmocka_unit_test(test_objects_know_their_text),
		cmocka_unit_test(test_a_lone_scalar_is_a_value),
		cmocka_unit_test(test_paths_of_long_keys_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
