/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_group_path.c - where a container's group goes */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

static struct error e;

static void test_absolute_paths_are_cleaned(void **state)
{
	static const struct {
		const char *given, *clean;
	} cases[] = { { "/docker/abc", "/docker/abc" },
		      { "//a/./b/", "/a/b" },
		      { "/machine.slice/libpod-1.scope", "/machine.slice/libpod-1.scope" },
		      { "/a..b/...", "/a..b/..." } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		auto_free char *path = NULL;
		assert_int_equal(cgroup_path(cases[i].given, "id", &path, &e), 0);
		assert_string_equal(path, cases[i].clean);
	}
}

static void test_ways_out_are_refused(void **state)
{
	static const char *const bad[] = { "/",	   "//",	 "/.",	    "..",      "/..", "/a/..",
					   "../b", "/a/../../b", "a/../..", "/a/b/..", "./.." };
	char *path = (char *)"untouched";

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(cgroup_path(bad[i], "id", &path, &e), -EINVAL);
	assert_string_equal(path, "untouched");
}

static void test_other_paths_go_beside_our_own(void **state)
{
	auto_free char *own = NULL, *absent = NULL, *empty = NULL, *relative = NULL;
	char want[4096];

	(void)state;
	if (cgroup_of_pid(0, &own, &e) == -ENOTSUP)
		skip();
	assert_non_null(own);
	*strrchr(own, '/') = '\0';
	assert_int_equal(cgroup_path(NULL, "id", &absent, &e), 0);
	snprintf(want, sizeof(want), "%s/coracle-id", own);
	assert_string_equal(absent, want);
	assert_int_equal(cgroup_path("", "id", &empty, &e), 0);
	assert_string_equal(empty, want);
	assert_int_equal(cgroup_path("a/b/", "id", &relative, &e), 0);
	snprintf(want, sizeof(want), "%s/a/b", own);
	assert_string_equal(relative, want);
}

static void test_the_group_of_a_process(void **state)
{
	auto_free char *own = NULL, *same = NULL;
	char *none = NULL;

	(void)state;
	if (cgroup_of_pid(0, &own, &e) == -ENOTSUP)
		skip();
	assert_int_equal(own[0], '/');
	assert_null(strchr(own, '\n'));
	assert_int_equal(cgroup_of_pid(getpid(), &same, &e), 0);
	assert_string_equal(own, same);
	assert_int_equal(cgroup_of_pid(0x7ffffffe, &none, &e), -ENOENT);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absolute_paths_are_cleaned),
		cmocka_unit_test(test_ways_out_are_refused),
		cmocka_unit_test(test_other_paths_go_beside_our_own),
		cmocka_unit_test(test_the_group_of_a_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
