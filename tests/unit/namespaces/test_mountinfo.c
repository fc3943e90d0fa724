/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_mountinfo.c - lines of /proc/self/mountinfo, the odd ones too */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

#include "namespaces/mountinfo.h"
#include "runtime/base/str.h"

static void test_point_and_type_are_found_and_unescaped(void **state)
{
	static const struct {
		const char *line, *at, *type;
	} lines[] = {
		{ "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue", "/mnt2",
		  "ext3" },
		{ "22 1 0:21 / /proc rw - proc proc rw", "/proc", "proc" },
		{ "22 1 0:21 / /a\\040b\\134c\\011 rw shared:1 master:2 propagate_from:3 - tmpfs a\\040b rw",
		  "/a b\\c\t", "tmpfs" },
		{ "22 1 0:21 / /a\\04 rw - fuse.x y rw\n", "/a\\04", "fuse.x" },
		{ "22 1 0:21 / / rw - sysfs", "/", "sysfs" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct mountinfo m;
		char line[200];
		snprintf(line, sizeof(line), "%s", lines[i].line);
		assert_int_equal(mountinfo_parse(line, &m), 0);
		assert_string_equal(m.at, lines[i].at);
		assert_string_equal(m.type, lines[i].type);
	}
}

static void test_other_lines_are_refused(void **state)
{
	static const char *const bad[] = { "", "\n", "22 1 0:21 / /proc rw proc proc rw", " - proc",
					   "1 2 3 4 - proc proc" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct mountinfo m;
		char line[200];
		snprintf(line, sizeof(line), "%s", bad[i]);
		assert_int_equal(mountinfo_parse(line, &m), -EINVAL);
	}
}

static int find_root(const struct mountinfo *m, void *found, struct error *e)
{
	(void)e;
	if (str_eq(m->at, "/"))
		*(bool *)found = true;
	return 0;
}

static int stop(const struct mountinfo *m, void *count, struct error *e)
{
	(void)m;
	++*(int *)count;
	return refuse(e, EIO, "enough");
}

static void test_our_own_mounts_are_listed(void **state)
{
	struct error e = { 0 };
	bool found = false;
	int count = 0;

	(void)state;
	assert_int_equal(mountinfo_each(find_root, &found, &e), 0);
	assert_true(found);
	assert_int_equal(mountinfo_each(stop, &count, &e), -EIO);
	assert_int_equal(count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_point_and_type_are_found_and_unescaped),
		cmocka_unit_test(test_other_lines_are_refused),
		cmocka_unit_test(test_our_own_mounts_are_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
