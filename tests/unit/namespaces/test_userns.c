/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_userns.c - id maps as text and as arguments, and written to a real user namespace */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "namespaces/userns.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "tests/unit/namespaces/child.h"

static void test_map_text(void **state)
{
	const struct spec_id_map map[] = { { 0, 100000, 65536 },
					   { UINT32_MAX - 1, 4294967294U, UINT32_MAX } };

	(void)state;
	auto_free char *text = userns_format_map(map, COUNT_OF(map));
	assert_string_equal(text, "0 100000 65536\n4294967294 4294967294 4294967295\n");
	auto_free char *none = userns_format_map(map, 0);
	assert_string_equal(none, "");
}

static void test_helper_arguments(void **state)
{
	const struct spec_id_map map[] = { { 0, 1000, 1 }, { 1, 4294967295U, 65536 } };
	static const char *const want[] = { "/usr/bin/newuidmap", "2147483647", "0", "1000", "1", "1",
					    "4294967295",	  "65536" };

	(void)state;
	auto_free char **args = userns_helper_args(want[0], 2147483647, map, COUNT_OF(map));
	assert_int_equal(strv_count(args), COUNT_OF(want));
	for (size_t i = 0; i < COUNT_OF(want); i++)
		assert_string_equal(args[i], want[i]);
}

static void test_offset_text(void **state)
{
	const struct spec_time_offset offsets[] = { { "monotonic", INT64_MIN + 1, 999999999 },
						    { "boottime", 86400, 0 } };

	(void)state;
	auto_free char *text = timens_format_offsets(offsets, COUNT_OF(offsets));
	assert_string_equal(text, "monotonic -9223372036854775807 999999999\nboottime 86400 0\n");
}

/* ---- real ones ---- */

struct maps {
	const char *uid, *gid; /* what the kernel shall have in the end, blanks squeezed */
	struct spec spec;
};

static void squeeze(char *s)
{
	char *to = s;

	for (char *p = s; *p; p++)
		if (*p != ' ' || (to > s && to[-1] != ' ' && to[-1] != '\n'))
			*to++ = *p;
	*to = '\0';
}

static int sleeper(int ready)
{
	char byte;
	return read(ready, &byte, 1) < 0;
}

/* As the present user: clone a process into a new user namespace, map it, compare. */
static int map_and_look(void *arg)
{
	const struct maps *m = arg;
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	struct error e = { 0 };
	char path[64], text[256];
	int life[2];

	child_expects(pipe2(life, O_CLOEXEC) == 0, "pipe");
	pid_t pid = sys_clone3(&args, sizeof(args));
	child_expects(pid >= 0, "clone3: %s", strerror(errno));
	if (pid == 0) {
		close(life[1]);
		_exit(sleeper(life[0]));
	}
	int r = userns_write_maps(pid, &m->spec, &e);
	child_expects(r == 0, "%s", e.msg);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	child_expects(io_read_small(AT_FDCWD, path, text, sizeof(text), &e) > 0, "%s", e.msg);
	squeeze(text);
	child_expects(str_eq(text, m->uid), "uid_map: %s", text);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
	child_expects(io_read_small(AT_FDCWD, path, text, sizeof(text), &e) > 0, "%s", e.msg);
	squeeze(text);
	child_expects(str_eq(text, m->gid), "gid_map: %s", text);
	snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
	child_expects(io_read_small(AT_FDCWD, path, text, sizeof(text), &e) > 0, "%s", e.msg);
	child_expects(str_eq(text, userns_denies_setgroups(&m->spec) ? "deny" : "allow"), "setgroups: %s",
		      text);
	close(life[1]);
	waitpid(pid, NULL, 0);
	return 0;
}

static int as_ordinary_user(void *arg)
{
	/* Dumpable again, as a program that such a user starts is. */
	child_expects(setgroups(0, NULL) == 0 && setresgid(4711, 4711, 4711) == 0 &&
			      setresuid(4711, 4711, 4711) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0,
		      "become an ordinary user");
	return map_and_look(arg);
}

static void test_root_maps_what_it_wants(void **state)
{
	struct spec_id_map uids[] = { { 0, 100000, 10 }, { 10, 200000, 5 } }, gids[] = { { 0, 300000, 7 } };
	struct maps m = { .uid = "0 100000 10\n10 200000 5",
			  .gid = "0 300000 7",
			  .spec = { .uid_mappings = uids,
				    .gid_mappings = gids,
				    .n_uid_mappings = 2,
				    .n_gid_mappings = 1 } };

	(void)state;
	need_root();
	assert_false(userns_denies_setgroups(&m.spec));
	assert_int_equal(in_child(map_and_look, &m), 0);
}

static void test_an_ordinary_user_maps_its_own_id(void **state)
{
	struct spec_id_map map[] = { { 0, 4711, 1 } };
	struct maps m = {
		.uid = "0 4711 1",
		.gid = "0 4711 1",
		.spec = { .uid_mappings = map, .gid_mappings = map, .n_uid_mappings = 1, .n_gid_mappings = 1 }
	};

	(void)state;
	need_root(); /* to be uid 4711 for a while */
	assert_int_equal(in_child(as_ordinary_user, &m), 0);
}

/* Other ids go through the helpers: without subordinate ids they say no, and that is told. */
static int helper_is_asked(void *arg)
{
	struct spec_id_map map[] = { { 0, 100000, 10 } };
	const struct spec s = {
		.uid_mappings = map, .gid_mappings = map, .n_uid_mappings = 1, .n_gid_mappings = 1
	};
	struct error e = { 0 };

	(void)arg;
	child_expects(setgroups(0, NULL) == 0 && setresgid(4711, 4711, 4711) == 0 &&
			      setresuid(4711, 4711, 4711) == 0,
		      "become an ordinary user");
	/* A stranger's helper first in PATH must not be run. */
	setenv("PATH", "/tmp", 1);
	child_expects(!userns_denies_setgroups(&s), "setgroups need not be denied");
	child_expects(userns_write_maps(getpid(), &s, &e) < 0, "mapped");
	child_expects(strstr(e.msg, "newgidmap"), "%s", e.msg);
	return 0;
}

static void test_other_ids_go_to_the_helpers(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(helper_is_asked, NULL), 0);
}

static void test_missing_and_oversized_maps_are_refused(void **state)
{
	struct spec_id_map many[340], one[] = { { 0, 0, 1 } };
	struct spec s = { .uid_mappings = one, .n_uid_mappings = 1 };
	struct error e = { 0 };

	(void)state;
	assert_int_equal(userns_write_maps(getpid(), &s, &e), -EINVAL);
	for (uint32_t i = 0; i < COUNT_OF(many); i++)
		many[i] = (struct spec_id_map){ 4000000000U + i, 4100000000U + i, 1 };
	s.gid_mappings = many;
	s.n_gid_mappings = COUNT_OF(many);
	need_root();
	assert_int_equal(userns_write_maps(getpid(), &s, &e), -E2BIG);
}

static int unmapped_root(void *arg)
{
	struct error e = { 0 };

	(void)arg;
	child_expects(unshare(CLONE_NEWUSER) == 0, "unshare");
	child_expects(io_write_file(AT_FDCWD, "/proc/self/uid_map", "5 0 1\n", &e) == 0, "%s", e.msg);
	child_expects(userns_become_root(&e) == -EINVAL, "became root");
	child_expects(strstr(e.msg, "does not map"), "%s", e.msg);
	return 0;
}

static void test_an_unmapped_root_is_told(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(unmapped_root, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_text),
		cmocka_unit_test(test_helper_arguments),
		cmocka_unit_test(test_offset_text),
		cmocka_unit_test(test_root_maps_what_it_wants),
		cmocka_unit_test(test_an_ordinary_user_maps_its_own_id),
		cmocka_unit_test(test_other_ids_go_to_the_helpers),
		cmocka_unit_test(test_missing_and_oversized_maps_are_refused),
		cmocka_unit_test(test_an_unmapped_root_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
