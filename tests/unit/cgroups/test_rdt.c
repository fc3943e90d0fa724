/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_rdt.c - classes of resctrl, in a tree that looks like the kernel's
 *
 * mkdirat(2) and unlinkat(2) are wrapped: a new class is born with its files, and goes with them. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/rdt.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

#define LINES(...) ((char *[]){ __VA_ARGS__, NULL })

int __real_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_mkdirat(int dir, const char *name, mode_t mode);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);

static void put(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

int __wrap_mkdirat(int dir, const char *name, mode_t mode)
{
	if (__real_mkdirat(dir, name, mode) < 0)
		return -1;
	auto_close int made = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(made, "tasks", "");
	put(made, "schemata", "    L3:0=7ff;1=7ff\n");
	return __real_mkdirat(made, "mon_groups", 0755);
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
	static const char *const inside[] = { "tasks", "schemata", "mon_groups" };
	char path[300];

	for (size_t i = 0; i < COUNT_OF(inside); i++) {
		snprintf(path, sizeof(path), "%s/%s", name, inside[i]);
		__real_unlinkat(dir, path, i == 2 ? AT_REMOVEDIR : 0);
	}
	return __real_unlinkat(dir, name, flags);
}

struct tree {
	char path[64];
	int root;
};

static int make_tree(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	strcpy(t->path, "/tmp/test_rdt.XXXXXX");
	assert_non_null(mkdtemp(t->path));
	t->root = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = t;
	return 0;
}

static int remove_tree(void **state)
{
	struct tree *t = *state;
	int r = rmdir(t->path); /* a test that leaves something fails here */

	close(t->root);
	free(t);
	return r;
}

static void expect_text(int dir, const char *path, const char *text)
{
	struct error e = { 0 };
	auto_free char *is = NULL;

	assert_int_equal(io_read_file(dir, path, 4096, &is, NULL, &e), 0);
	assert_string_equal(is, text);
}

static void test_the_text_of_schemata(void **state)
{
	char l2[] = "L2:0=f", mb[] = "MB:0=1";
	struct spec_intel_rdt all = { .l3_cache_schema = "L3:0=7f0\nMB:0=5\nL3CODE:1=1",
				      .mem_bw_schema = "MB:0=20;1=70",
				      .schemata = LINES(l2, mb) };
	struct spec_intel_rdt l3 = { .l3_cache_schema = "L3:0=7f0\nMB:0=5" }, none = { 0 };
	auto_free char *a = rdt_schemata(&all), *b = rdt_schemata(&l3), *c = rdt_schemata(&none);

	(void)state;
	assert_string_equal(a, "L3:0=7f0\nL3CODE:1=1\nMB:0=20;1=70\nL2:0=f\nMB:0=1\n");
	assert_string_equal(b, "L3:0=7f0\nMB:0=5\n");
	assert_string_equal(c, "");
}

static void test_schemata_that_fit_and_not(void **state)
{
	static const char file[] = "    MB:0=100;1= 50\n    L3:0=7ff;1=00f\n";

	(void)state;
	assert_true(rdt_schemata_fit("", file));
	assert_true(rdt_schemata_fit("L3:0=7FF\n", file));
	assert_true(rdt_schemata_fit("L3:1=f;0=07ff\nMB:0=100\n", file));
	assert_false(rdt_schemata_fit("L3:0=7f\n", file));
	assert_false(rdt_schemata_fit("L3:2=7ff\n", file));
	assert_false(rdt_schemata_fit("L2:0=7ff\n", file));
	assert_false(rdt_schemata_fit("L3\n", file));
	assert_false(rdt_schemata_fit("L3:0=7ff\nMB:0=10\n", file));
}

static void test_a_class_of_its_own(void **state)
{
	struct tree *t = *state;
	char line[] = "L3:0=f";
	const struct spec_intel_rdt r = { .schemata = LINES(line) };
	struct rdt_group g = rdt_plan(&r, "box");
	struct error e = { 0 };

	assert_int_equal(rdt_create(t->root, &r, &g, &e), 0);
	assert_true(g.made);
	assert_int_equal(rdt_attach(t->root, &g, 4711, &e), 0);
	expect_text(t->root, "box/schemata", "L3:0=f\n0=7ff;1=7ff\n"); /* not truncated, as it is a file */
	expect_text(t->root, "box/tasks", "4711");
	assert_int_equal(rdt_remove(t->root, &g, &e), 0);
	assert_false(rdt_has_class(t->root, "box"));
	assert_int_equal(rdt_remove(t->root, &g, &e), 0);
}

static void test_a_class_that_is_there(void **state)
{
	struct tree *t = *state;
	char fits[] = "L3:0=7ff", other[] = "L3:0=1";
	const struct spec_intel_rdt plain = { .clos_id = "gold" },
				    good = { .clos_id = "gold", .schemata = LINES(fits) },
				    bad = { .clos_id = "gold", .schemata = LINES(other) };
	struct rdt_group g = rdt_plan(&plain, "box"), h = rdt_plan(&bad, "box");
	struct error e = { 0 };

	assert_int_equal(rdt_create(t->root, &plain, &g, &e), -ENOENT);
	assert_string_equal(e.msg, "linux.intelRdt.closID: there is no class gold");
	assert_int_equal(mkdirat(t->root, "gold", 0755), 0);
	g = rdt_plan(&plain, "box");
	assert_int_equal(rdt_create(t->root, &plain, &g, &e), 0);
	assert_int_equal(rdt_create(t->root, &good, &g, &e), 0);
	assert_false(g.made);
	assert_int_equal(rdt_create(t->root, &bad, &h, &e), -EEXIST);
	assert_string_equal(e.msg, "linux.intelRdt: class gold is there, with other schemata");
	assert_int_equal(rdt_remove(t->root, &g, &e), 0);
	assert_true(rdt_has_class(t->root, "gold"));
	assert_int_equal(unlinkat(t->root, "gold", AT_REMOVEDIR), 0);
}

static void test_monitoring(void **state)
{
	struct tree *t = *state;
	const struct spec_intel_rdt own = { .enable_monitoring = true },
				    shared = { .clos_id = "gold", .enable_monitoring = true };
	struct rdt_group g = rdt_plan(&own, "box"), h = rdt_plan(&shared, "box");
	struct error e = { 0 };

	assert_int_equal(rdt_create(t->root, &own, &g, &e), 0);
	assert_int_equal(rdt_attach(t->root, &g, 12, &e), 0);
	expect_text(t->root, "box/tasks", "12");
	expect_text(t->root, "box/mon_groups/box/tasks", "12");
	assert_int_equal(rdt_remove(t->root, &g, &e), 0);
	assert_int_equal(mkdirat(t->root, "gold", 0755), 0);
	assert_int_equal(rdt_create(t->root, &shared, &h, &e), 0);
	assert_int_equal(rdt_attach(t->root, &h, 13, &e), 0);
	expect_text(t->root, "gold/mon_groups/box/tasks", "13");
	assert_int_equal(rdt_create(t->root, &shared, &h, &e), -EEXIST); /* another's group of that name */
	assert_int_equal(rdt_remove(t->root, &h, &e), 0);
	assert_true(rdt_has_class(t->root, "gold"));
	assert_int_equal(unlinkat(t->root, "gold", AT_REMOVEDIR), 0);
}

static void test_names_that_are_none(void **state)
{
	struct tree *t = *state;
	const struct spec_intel_rdt r = { 0 };
	struct rdt_group g = rdt_plan(&r, "mon_groups");
	struct error e = { 0 };

	assert_int_equal(rdt_create(t->root, &r, &g, &e), -EINVAL);
	assert_string_equal(e.msg, "linux.intelRdt: mon_groups is not the name of a class");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_text_of_schemata),
		cmocka_unit_test(test_schemata_that_fit_and_not),
		cmocka_unit_test_setup_teardown(test_a_class_of_its_own, make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(test_a_class_that_is_there, make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(test_monitoring, make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(test_names_that_are_none, make_tree, remove_tree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
