/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_users.c - users by number and by the names that a root tree's own files know */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/options.h"
#include "runtime/rootless.h"
#include "runtime/users.h"

static char root[] = "/tmp/coracle-users-XXXXXX";

static void put(const char *path, const char *text)
{
	char full[128];
	struct error e;

	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_equal(io_replace_file(AT_FDCWD, full, text, strlen(text), 0644, &e), 0);
}

static int make_root(void **state)
{
	char etc[64];

	(void)state;
	if (!mkdtemp(root))
		return -1;
	snprintf(etc, sizeof(etc), "%s/etc", root);
	if (mkdir(etc, 0755) < 0)
		return -1;
	put("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:44:::\nnogid:x:50\nbad:x:one:1\n"
			   "huge:x:4294967296:1:::\n");
	put("/etc/group", "root:x:0:\nstaff:x:77:web\n");
	return 0;
}

static int remove_root(void **state)
{
	static const char *const paths[] = { "/etc/passwd", "/etc/group", "/etc", "" };
	char full[128];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		snprintf(full, sizeof(full), "%s%s", root, paths[i]);
		remove(full);
	}
	return 0;
}

static void test_numbers_and_names(void **state)
{
	static const struct {
		const char *text;
		uint32_t uid, gid;
	} cases[] = { { "0", 0, 0 },	      { "33", 33, 44 },	  { "1000", 1000, 0 },
		      { "1000:5", 1000, 5 },  { "web", 33, 44 },  { "web:staff", 33, 77 },
		      { "33:staff", 33, 77 }, { "web:0", 33, 0 }, { "nogid", 50, 0 },
		      { "nogid:8", 50, 8 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint32_t uid = 1, gid = 1;
		struct error e = { 0 };
		assert_int_equal(user_parse(root, cases[i].text, &uid, &gid, &e), 0);
		assert_int_equal(uid, cases[i].uid);
		assert_int_equal(gid, cases[i].gid);
	}
}

static void test_what_nobody_knows_is_named(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = { { "nobody", "`nobody`" },
		      { "web:nogroup", "`nogroup`" },
		      { "bad", "`bad`" },
		      { "huge", "`huge`" },
		      { "4294967295", "`4294967295`" },
		      { "-1", "`-1`" },
		      { "1:4294967296", "`4294967296`" },
		      { ":5", "``" },
		      { "web:", "``" } };
	uint32_t uid = 7, gid = 7;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = { 0 };
		assert_int_equal(user_parse(root, cases[i].text, &uid, &gid, &e), -EINVAL);
		assert_non_null(strstr(e.msg, cases[i].part));
	}
	struct error e = { 0 };
	assert_int_equal(user_parse(root, "", &uid, &gid, &e), -USAGE_ERROR);
	assert_int_equal(uid, 7);
	assert_int_equal(gid, 7);
}

static void test_a_tree_without_files_knows_numbers_only(void **state)
{
	uint32_t uid = 7, gid = 7;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(user_parse("/proc/self/fdinfo", "12", &uid, &gid, &e), 0);
	assert_int_equal(uid, 12);
	assert_int_equal(gid, 0);
	assert_int_equal(user_parse("/proc/self/fdinfo", "web", &uid, &gid, &e), -EINVAL);
}

/* A link to the host's file is followed inside the tree only; a FIFO is not opened at all. */
static void test_the_tree_is_not_trusted(void **state)
{
	char path[128];
	uint32_t uid, gid;
	struct error e = { 0 };

	(void)state;
	snprintf(path, sizeof(path), "%s/etc/passwd", root);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/../../../../../../proc/self/status", path), 0);
	assert_int_equal(user_parse(root, "Name", &uid, &gid, &e), -EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_true(user_parse(root, "web", &uid, &gid, &e) < 0);
	assert_non_null(strstr(e.msg, "is not a file"));
}

static void test_ranges_of_subordinate_ids(void **state)
{
	static const char text[] =
		"other:1:5\nbox:100000:65536\n# box:7:7\n1234:200000:10\nbox:3:0\nbox:x:1\nbox:4294967290:"
		"100\nbox:300000:5";
	struct spec_id_map list[4];

	(void)state;
	assert_int_equal(rootless_parse_ranges(text, "box", 1234, list, 4), 3);
	assert_true(list[0].container == 1 && list[0].host == 100000 && list[0].size == 65536);
	assert_true(list[1].container == 65537 && list[1].host == 200000 && list[1].size == 10);
	assert_true(list[2].container == 65547 && list[2].host == 300000 && list[2].size == 5);
	assert_int_equal(rootless_parse_ranges(text, "box", 1234, list, 1), 1);
	assert_int_equal(rootless_parse_ranges(text, NULL, 1234, list, 4), 1);
	assert_int_equal(rootless_parse_ranges(text, "nobody", 99, list, 4), 0);
	assert_int_equal(rootless_parse_ranges("", "box", 1, list, 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_and_names),
		cmocka_unit_test(test_what_nobody_knows_is_named),
		cmocka_unit_test(test_a_tree_without_files_knows_numbers_only),
		cmocka_unit_test(test_ranges_of_subordinate_ids),
		cmocka_unit_test(test_the_tree_is_not_trusted),
	};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
