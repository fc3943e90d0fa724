/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_names.c - where an entry of a hosts file goes, and that nothing else moves */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "netns/names.h"

static char text[4096];
static size_t size;

static struct lease lease_of(const char *ip, const char *name, const char *alias)
{
	struct lease l = { .ifname = "eth0" };

	assert_int_equal(ip_parse(ip, &l.ip), 0);
	strcpy(l.name, name);
	strcpy(l.alias, alias);
	return l;
}

/* Put it where names_place says; returns the place, or -1. */
static int put(const char *ip, const char *name, const char *alias)
{
	struct lease l = lease_of(ip, name, alias);
	char line[4 * NAMES_UNIT];
	size_t at = 0, n = 0;

	if (!names_place(text, size, &l, &at, line, &n))
		return -1;
	assert_int_equal(n % NAMES_UNIT, 0);
	assert_int_equal(line[n - 1], '\n');
	memcpy(text + at, line, n);
	if (at + n > size)
		size = at + n;
	return (int)at;
}

static void blank(const char *ip)
{
	struct lease l = lease_of(ip, "x", "");
	size_t at = 0, n = names_find(text, size, &l.ip, &at);

	assert_true(n > 0);
	for (size_t i = 0; i < n; i++)
		text[at + i] = (i + 1) % NAMES_UNIT ? ' ' : '\n';
}

static void test_entries_have_places_of_their_own(void **state)
{
	char alias[NET_NAME_MAX + 1];

	(void)state;
	size = 0;
	memset(alias, 'a', NET_NAME_MAX);
	alias[NET_NAME_MAX] = '\0';
	assert_int_equal(put("10.0.0.1", "one", ""), 0);
	assert_int_equal(put("10.0.0.2", "two", alias), 64); /* two units */
	assert_int_equal(put("10.0.0.3", "three", ""), 192);
	assert_int_equal(put("10.0.0.1", "one", ""), -1); /* it stands there */
	assert_int_equal(put("10.0.0.1", "uno", ""), 0);  /* another name in its place */
	assert_int_equal(memcmp(text, "10.0.0.1 uno  ", 13), 0);
	blank("10.0.0.2");
	assert_int_equal(put("10.0.0.4", "four", ""), 64);
	assert_int_equal(put("10.0.0.5", "five", alias), 256); /* one unit is not enough */
	assert_int_equal(put("10.0.0.6", "six", ""), 128);
}

static void test_an_address_is_found_whole(void **state)
{
	struct lease l = lease_of("10.0.0.1", "x", "");
	size_t at;

	(void)state;
	size = 0;
	put("10.0.0.10", "ten", "");
	put("110.0.0.1", "other", "");
	assert_int_equal(names_find(text, size, &l.ip, &at), 0);
	put("10.0.0.1", "one", "");
	assert_int_equal(names_find(text, size, &l.ip, &at), NAMES_UNIT);
	assert_int_equal(at, 128);
}

static void test_file_names(void **state)
{
	char buf[64], small[4];

	(void)state;
	assert_true(names_file((const char *const[]){ "web" }, 1, buf, sizeof(buf)) >= 0);
	assert_string_equal(buf, "web");
	assert_true(names_file((const char *const[]){ "web", "db", "web" }, 3, buf, sizeof(buf)) >= 0);
	assert_string_equal(buf, "db+web");
	assert_true(names_file(NULL, 0, buf, sizeof(buf)) >= 0);
	assert_string_equal(buf, "+");
	assert_true(names_file((const char *const[]){ "web", "db" }, 2, small, sizeof(small)) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_have_places_of_their_own),
		cmocka_unit_test(test_an_address_is_found_whole),
		cmocka_unit_test(test_file_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
