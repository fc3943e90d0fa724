/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_live.c - groups, processes, freezing and device programs on the running kernel
 *
 * needs: root, cgroup v2 (or both versions); skipped else. All groups are made below one of the test's own,
 * which is removed at the end; what is mounted is in a mount namespace of the test's own. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

static struct error e;
static int root = -1;
static char top[64]; /* "/coracle-test-PID" */
static const char *why_not;
static bool hide_kill;	       /* as before Linux 5.14 */
static bool hide_frozen_event; /* as if something could not be frozen */

/* Linked with --wrap=io_write_file and --wrap=events_wait. */
int __real_events_wait(int group, size_t offset, bool want, int timeout_ms, struct error *err);
int __wrap_events_wait(int group, size_t offset, bool want, int timeout_ms, struct error *err);
int __wrap_events_wait(int group, size_t offset, bool want, int timeout_ms, struct error *err)
{
	if (hide_frozen_event && offset == EVENT(frozen) && want)
		return 0;
	return __real_events_wait(group, offset, want, timeout_ms, err);
}

int __real_io_write_file(int dir, const char *path, const char *text, struct error *err);
int __wrap_io_write_file(int dir, const char *path, const char *text, struct error *err);
int __wrap_io_write_file(int dir, const char *path, const char *text, struct error *err)
{
	if (hide_kill && str_eq(path, "cgroup.kill"))
		return -ENOENT;
	return __real_io_write_file(dir, path, text, err);
}

#define OK(call)                                                          \
	({                                                                \
		__typeof__(call) ok_ = (call);                            \
		if (ok_ < 0)                                              \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, e.msg); \
		ok_;                                                      \
	})

/* Whatever a failed test left: its processes and groups. */
static int clean(void **state)
{
	auto_close int group = -1;

	(void)state;
	hide_kill = hide_frozen_event = false;
	if (why_not)
		return 0;
	group = cgroup_open(root, top, &e);
	if (group < 0)
		return 0;
	cgroup_freeze(group, false, 0, &e);
	if (cgroup_kill(group, &e) < 0)
		return -1;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	return cgroup_remove(root, top, &e);
}

static void need_cgroups(void)
{
	if (why_not) {
		print_message("needs %s\n", why_not);
		skip();
	}
}

static const char *path_of(const char *name)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static bool is_there(const char *name)
{
	return faccessat(root, path_of(name) + 1, F_OK, 0) == 0;
}

static int make(const char *name)
{
	bool existed = true;
	int group = OK(cgroup_create(root, path_of(name), NULL, &existed, &e));
	assert_false(existed);
	return group;
}

static void leave(int sig)
{
	_exit(sig);
}

/* A process in the group that does nothing until it is killed; SIGUSR2 makes it leave by itself. */
static pid_t sleeper(int group)
{
	sigset_t usr2, before;

	/* blocked until its handler is there */
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	sigprocmask(SIG_BLOCK, &usr2, &before);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGUSR2, leave);
		sigprocmask(SIG_SETMASK, &before, NULL);
		for (;;)
			pause();
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	OK(cgroup_attach(group, pid, &e));
	return pid;
}

static int wait_for(pid_t pid)
{
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* ---- groups ---- */

static void test_create_makes_and_remove_removes(void **state)
{
	(void)state;
	need_cgroups();
	close(make("a/b/c"));
	assert_true(is_there("a/b/c"));
	OK(cgroup_remove(root, path_of("a/b/c"), &e));
	assert_false(is_there(""));		       /* nor any parent that was made for it */
	OK(cgroup_remove(root, path_of("a/b/c"), &e)); /* absent is as good */
}

static void test_remove_leaves_what_others_use_or_made(void **state)
{
	(void)state;
	need_cgroups();
	assert_int_equal(mkdirat(root, top + 1, 0755), 0);
	close(make("p/one"));
	close(make("p/other"));
	OK(cgroup_remove(root, path_of("p/one"), &e));
	assert_true(is_there("p/other"));
	OK(cgroup_remove(root, path_of("p/other"), &e));
	assert_false(is_there("p"));
	assert_true(is_there("")); /* made by somebody else */
}

static void test_an_existing_group_must_be_unused(void **state)
{
	bool existed = false;

	(void)state;
	need_cgroups();
	auto_close int group = make("g");
	close(OK(cgroup_create(root, path_of("g"), NULL, &existed, &e)));
	assert_true(existed);
	pid_t pid = sleeper(group);
	assert_int_equal(cgroup_create(root, path_of("g"), NULL, &existed, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "there are processes in it already"));
	OK(cgroup_kill(group, &e));
	wait_for(pid);
	OK(cgroup_freeze(group, true, 5000, &e));
	assert_int_equal(cgroup_create(root, path_of("g"), NULL, &existed, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "frozen"));
	assert_true(is_there("g"));
}

static void test_a_missing_controller_is_named_and_nothing_left(void **state)
{
	static const struct {
		int controller;
		size_t offset;
		const char *key;
	} rows[] = { { CONTROLLER_MEMORY, offsetof(struct spec_resources, memory_limit), "memory.limit" },
		     { CONTROLLER_PIDS, offsetof(struct spec_resources, pids_limit), "pids.limit" },
		     { CONTROLLER_CPU, offsetof(struct spec_resources, cpu_shares), "cpu.shares" } };
	unsigned int have;
	int tried = 0;
	bool existed;

	(void)state;
	need_cgroups();
	OK(controllers_read(root, &have, &e));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct spec_resources r;
		char want[128];
		if (have & 1U << rows[i].controller)
			continue;
		spec_resources_init(&r);
		*(int64_t *)((char *)&r + rows[i].offset) = 100000;
		assert_int_equal(cgroup_create(root, path_of("x/y"), &r, &existed, &e), -ENOTSUP);
		snprintf(want, sizeof(want), "linux.resources.%s: cannot be set, the %s controller",
			 rows[i].key, controller_names[rows[i].controller]);
		if (!strstr(e.msg, want))
			fail_msg("\"%s\" does not say \"%s\"", e.msg, want);
		assert_false(is_there(""));
		tried++;
	}
	if (!tried)
		skip();
}

static void test_huge_pages_are_limited(void **state)
{
	struct spec_hugepage_limit limit = { "2MB", 4 << 20 };
	struct spec_resources r;
	unsigned int have;
	char text[32];
	bool existed;

	(void)state;
	need_cgroups();
	OK(controllers_read(root, &have, &e));
	if (!(have & 1U << CONTROLLER_HUGETLB))
		skip();
	spec_resources_init(&r);
	r.hugepage_limits = &limit;
	r.n_hugepage_limits = 1;
	auto_close int group = OK(cgroup_create(root, path_of("deep/er"), &r, &existed, &e));
	OK(cgroup_apply(group, &r, true, &e));
	OK(io_read_small(group, "hugetlb.2MB.max", text, sizeof(text), &e));
	assert_string_equal(text, "4194304");
	OK(io_read_small(group, "hugetlb.2MB.rsvd.max", text, sizeof(text), &e));
	assert_string_equal(text, "4194304");
	limit.page_size = "3MB";
	assert_int_equal(cgroup_apply(group, &r, false, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "have no hugetlb.3MB.max"));

	/* a group made without is given the controller when an update needs it */
	auto_close int plain = make("plain");
	limit.page_size = "2MB";
	OK(cgroup_enable(plain, &r, &e));
	OK(cgroup_apply(plain, &r, false, &e));
	OK(io_read_small(plain, "hugetlb.2MB.max", text, sizeof(text), &e));
	assert_string_equal(text, "4194304");
}

static void test_a_group_with_processes_hands_nothing_down(void **state)
{
	struct spec_hugepage_limit limit = { "2MB", 4 << 20 };
	struct spec_resources r;
	unsigned int have;
	bool existed;

	(void)state;
	need_cgroups();
	OK(controllers_read(root, &have, &e));
	if (!(have & 1U << CONTROLLER_HUGETLB))
		skip();
	auto_close int busy = make("busy");
	pid_t pid = sleeper(busy);
	spec_resources_init(&r);
	r.hugepage_limits = &limit;
	r.n_hugepage_limits = 1;
	assert_int_equal(cgroup_create(root, path_of("busy/below"), &r, &existed, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "holds processes itself"));
	assert_false(is_there("busy/below"));
	OK(cgroup_kill(busy, &e));
	wait_for(pid);
}

static void test_paths_of_groups_are_clean(void **state)
{
	static const char *const bad[] = { "", "/", "x", "/x/", "/x/../y", "/..", "/x//y", "/./x" };
	bool existed;

	(void)state;
	need_cgroups();
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(cgroup_create(root, bad[i], NULL, &existed, &e), -EINVAL);
		assert_int_equal(cgroup_open(root, bad[i], &e), -EINVAL);
		assert_int_equal(cgroup_remove(root, bad[i], &e), -EINVAL);
	}
	assert_int_equal(cgroup_open(root, "/cgroup.procs", &e), -ENOTDIR);
}

static void test_groups_below_stay_below(void **state)
{
	static const char *const bad[] = { "..", "../ctr-evil", "sub/..", "sub/../../ctr-evil",
					   "./../ctr-evil" };

	(void)state;
	need_cgroups();
	auto_close int group = make("ctr");
	close(make("ctr-evil"));
	close(make("ctr/sub"));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(cgroup_open_below(group, bad[i], &e), -EXDEV);
	assert_int_equal(cgroup_open_below(group, "-evil", &e), -ENOENT);
	close(OK(cgroup_open_below(group, "/sub", &e)));
	close(OK(cgroup_open_below(group, "sub", &e)));
	close(OK(cgroup_open_below(group, "/", &e)));
}

/* ---- processes ---- */

static void test_processes_are_listed_below_too(void **state)
{
	auto_free pid_t *pids = NULL;
	auto_free char *where = NULL;

	(void)state;
	need_cgroups();
	auto_close int group = make("g");
	assert_int_equal(OK(cgroup_populated(group, &e)), 0);
	assert_int_equal(OK(cgroup_pids(group, &pids, &e)), 0);
	free(take_ptr(pids));
	auto_close int below = make("g/h/i");
	pid_t one = sleeper(below), other = sleeper(group);
	assert_int_equal(OK(cgroup_pids(group, &pids, &e)), 2);
	assert_int_equal(pids[0], one < other ? one : other);
	assert_int_equal(pids[1], one < other ? other : one);
	assert_int_equal(OK(cgroup_populated(group, &e)), 1);
	OK(cgroup_of_pid(one, &where, &e));
	assert_true(str_ends(where, path_of("g/h/i")));
	OK(cgroup_kill(group, &e));
	assert_int_equal(OK(cgroup_populated(group, &e)), 0);
	assert_int_equal(WTERMSIG(wait_for(one)), SIGKILL);
	assert_int_equal(WTERMSIG(wait_for(other)), SIGKILL);
	assert_int_equal(cgroup_attach(group, one, &e), -ESRCH);
	OK(cgroup_remove(root, path_of("g"), &e)); /* with the groups below */
	assert_false(is_there(""));
}

static void test_kill_works_without_the_kernels_help(void **state)
{
	(void)state;
	need_cgroups();
	auto_close int group = make("g"), below = make("g/h");
	pid_t one = sleeper(below), other = sleeper(group);
	hide_kill = true;
	OK(cgroup_kill(group, &e));
	assert_int_equal(WTERMSIG(wait_for(one)), SIGKILL);
	assert_int_equal(WTERMSIG(wait_for(other)), SIGKILL);
	assert_int_equal(OK(cgroup_is_frozen(group, &e)), 0);
}

static void test_kill_reaches_a_frozen_group(void **state)
{
	(void)state;
	need_cgroups();
	auto_close int group = make("g");
	for (int i = 0; i < 2; i++) {
		pid_t pid = sleeper(group);
		OK(cgroup_freeze(group, true, 5000, &e));
		hide_kill = i;
		OK(cgroup_kill(group, &e));
		assert_int_equal(WTERMSIG(wait_for(pid)), SIGKILL);
		OK(cgroup_freeze(group, false, 5000, &e));
	}
}

static void test_signals_reach_all_and_a_pause_lasts(void **state)
{
	(void)state;
	need_cgroups();
	auto_close int group = make("g"), below = make("g/h");
	pid_t one = sleeper(below), other = sleeper(group);
	OK(cgroup_freeze(group, true, 5000, &e));
	OK(cgroup_signal(group, SIGUSR2, &e));
	assert_int_equal(OK(cgroup_is_frozen(group, &e)), 1);
	assert_int_equal(waitpid(one, NULL, WNOHANG), 0); /* paused is paused */
	OK(cgroup_freeze(group, false, 5000, &e));
	assert_int_equal(WEXITSTATUS(wait_for(one)), SIGUSR2);
	assert_int_equal(WEXITSTATUS(wait_for(other)), SIGUSR2);

	one = sleeper(below), other = sleeper(group);
	OK(cgroup_signal(group, SIGTERM, &e));
	assert_int_equal(WTERMSIG(wait_for(one)), SIGTERM);
	assert_int_equal(WTERMSIG(wait_for(other)), SIGTERM);
}

static void test_freezing_says_when_it_is_done(void **state)
{
	(void)state;
	need_cgroups();
	auto_close int group = make("g"), above = OK(cgroup_open(root, top, &e));
	pid_t pid = sleeper(group);
	assert_int_equal(OK(cgroup_is_frozen(group, &e)), 0);
	for (int i = 0; i < 20; i++) {
		OK(cgroup_freeze(group, true, 5000, &e));
		assert_int_equal(OK(cgroup_is_frozen(group, &e)), 1);
		OK(cgroup_freeze(group, false, 5000, &e));
		assert_int_equal(OK(cgroup_is_frozen(group, &e)), 0);
	}
	OK(cgroup_freeze(above, true, 5000, &e)); /* a group above keeps it frozen */
	assert_int_equal(cgroup_freeze(group, false, 20, &e), -ETIMEDOUT);
	OK(cgroup_freeze(above, false, 5000, &e));
	OK(cgroup_kill(group, &e));
	wait_for(pid);
}

static void test_what_cannot_be_frozen_is_thawed(void **state)
{
	char text[8];

	(void)state;
	need_cgroups();
	auto_close int group = make("g");
	pid_t pid = sleeper(group);
	hide_frozen_event = true;
	assert_int_equal(cgroup_freeze(group, true, 20, &e), -ETIMEDOUT);
	hide_frozen_event = false;
	OK(io_read_small(group, "cgroup.freeze", text, sizeof(text), &e));
	assert_string_equal(text, "0");
	assert_int_equal(OK(events_wait(group, EVENT(frozen), false, 5000, &e)), 1);
	OK(cgroup_kill(group, &e));
	wait_for(pid);
}

static void test_remove_waits_for_those_who_leave(void **state)
{
	(void)state;
	need_cgroups();
	for (int i = 0; i < 50; i++) {
		auto_close int group = make("g"), below = make("g/h");
		pid_t one = sleeper(group), other = sleeper(below);
		kill(one, SIGKILL);
		kill(other, SIGKILL);
		OK(cgroup_remove(root, path_of("g"), &e)); /* nobody has waited for them */
		assert_false(is_there(""));
		wait_for(one);
		wait_for(other);
	}
}

static void test_deep_groups_are_removed(void **state)
{
	struct rlimit few = { 32, 32 }, before;

	(void)state;
	need_cgroups();
	auto_close int group = make("g");
	int here = dup(group);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(mkdirat(here, "n", 0755), 0);
		if (i % 50 == 0)
			assert_int_equal(mkdirat(here, "other", 0755), 0);
		replace_fd(&here, openat(here, "n", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		assert_true(here >= 0);
	}
	close(here);
	getrlimit(RLIMIT_NOFILE, &before);
	few.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	int r = cgroup_destroy(root, path_of("g"), &e);
	setrlimit(RLIMIT_NOFILE, &before);
	OK(r);
	assert_false(is_there(""));
}

static void test_parents_go_when_the_group_cannot_be_made(void **state)
{
	bool existed;

	(void)state;
	need_cgroups();
	assert_int_equal(mkdirat(root, top + 1, 0755), 0);
	auto_close int above = OK(cgroup_open(root, top, &e));
	OK(io_write_file(above, "cgroup.max.depth", "2", &e));
	assert_int_equal(cgroup_create(root, path_of("a/b/c"), NULL, &existed, &e), -EAGAIN);
	assert_false(is_there("a"));
	assert_true(is_there(""));
}

static void test_destroy_kills(void **state)
{
	(void)state;
	need_cgroups();
	auto_close int group = make("g"), below = make("g/h");
	pid_t one = sleeper(group), other = sleeper(below);
	OK(cgroup_freeze(group, true, 5000, &e));
	OK(cgroup_destroy(root, path_of("g"), &e));
	assert_false(is_there(""));
	assert_int_equal(WTERMSIG(wait_for(one)), SIGKILL);
	assert_int_equal(WTERMSIG(wait_for(other)), SIGKILL);
	OK(cgroup_destroy(root, path_of("g"), &e));
}

/* ---- devices ---- */

static int try_open(const char *path, int flags)
{
	auto_close int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? errno : 0;
}

/* In a process of the group: errors of using some devices, packed into an exit status. */
static int try_devices(int group)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int status = 0;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (cgroup_attach(group, getpid(), &e) < 0)
			_exit(255);
		status |= try_open("/tmp/null", O_RDWR) ? 1 : 0;
		status |= try_open("/tmp/mem", O_RDONLY) == EPERM ? 2 : 0;
		status |= try_open("/tmp/mem", O_RDWR) == EPERM ? 4 : 0;
		unlink("/tmp/made");
		status |= mknod("/tmp/made", S_IFCHR | 0600, makedev(1, 11)) < 0 ? 8 : 0;
		_exit(status);
	}
	int status = wait_for(pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define NULL_REFUSED	  1
#define MEM_READ_REFUSED  2
#define MEM_WRITE_REFUSED 4
#define MKNOD_REFUSED	  8

static void test_devices_are_limited_and_updated(void **state)
{
	struct spec_device_rule rules[] = { { false, 'a', -1, -1, true, true, true },
					    { true, 'c', 1, 1, true, false, false },
					    { false, 'c', -1, -1, false, false, true },
					    { false, 'c', 1, 3, true, true, true } };
	struct spec_resources r;

	(void)state;
	need_cgroups();
	assert_int_equal(mount("test", "/tmp", "tmpfs", 0, "mode=1777"), 0);
	assert_int_equal(mknod("/tmp/null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(mknod("/tmp/mem", S_IFCHR | 0666, makedev(1, 1)), 0);
	spec_resources_init(&r);
	r.devices = rules;
	auto_close int group = make("g");

	/* mem needs CAP_SYS_RAWIO on top, which is EPERM, too: null and mknod tell it apart */
	int free_status = try_devices(group);
	OK(cgroup_devices_apply(group, NULL, true, &e));
	assert_int_equal(try_devices(group), MEM_READ_REFUSED | MEM_WRITE_REFUSED);
	r.n_devices = 2;
	OK(cgroup_devices_apply(group, &r, false, &e));
	assert_int_equal(try_devices(group), (free_status & MEM_READ_REFUSED) | MEM_WRITE_REFUSED);
	r.n_devices = 4;
	OK(cgroup_devices_apply(group, &r, false, &e));
	assert_int_equal(try_devices(group),
			 NULL_REFUSED | (free_status & MEM_READ_REFUSED) | MEM_WRITE_REFUSED | MKNOD_REFUSED);
	/* opened up again, wholly: had an earlier program stayed, it would still say no */
	rules[0].allow = true;
	r.n_devices = 1;
	OK(cgroup_devices_apply(group, &r, false, &e));
	assert_int_equal(try_devices(group), free_status);
	umount("/tmp");
}

/* ---- where the hierarchy is; last, for it changes the mounts ---- */

static void test_the_root_is_found(void **state)
{
	(void)state;
	need_cgroups();
	close(OK(cgroup_open_root(&e)));
	assert_int_equal(mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL), 0);
	assert_int_equal(cgroup_open_root(&e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "cgroup v1 is not supported"));
	assert_int_equal(mkdir("/sys/fs/cgroup/unified", 0755), 0);
	assert_int_equal(cgroup_open_root(&e), -ENOTSUP);
	assert_int_equal(mount("none", "/sys/fs/cgroup/unified", "cgroup2", 0, NULL), 0);
	close(OK(cgroup_open_root(&e)));
	umount("/sys/fs/cgroup/unified");
	umount("/sys/fs/cgroup");
}

static const char *prepare(void)
{
	if (geteuid() != 0)
		return "root";
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "a mount namespace of its own";
	root = cgroup_open_root(&e);
	if (root < 0)
		return "cgroup v2";
	snprintf(top, sizeof(top), "/coracle-test-%d", (int)getpid());
	bool existed;
	auto_close int group = cgroup_create(root, top, NULL, &existed, &e);
	if (group < 0 || cgroup_remove(root, top, &e) < 0)
		return "the right to make cgroups";
	return NULL;
}

#define TEST(name) cmocka_unit_test_teardown(name, clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create_makes_and_remove_removes),
		TEST(test_remove_leaves_what_others_use_or_made),
		TEST(test_an_existing_group_must_be_unused),
		TEST(test_a_missing_controller_is_named_and_nothing_left),
		TEST(test_huge_pages_are_limited),
		TEST(test_a_group_with_processes_hands_nothing_down),
		TEST(test_paths_of_groups_are_clean),
		TEST(test_groups_below_stay_below),
		TEST(test_processes_are_listed_below_too),
		TEST(test_kill_works_without_the_kernels_help),
		TEST(test_kill_reaches_a_frozen_group),
		TEST(test_signals_reach_all_and_a_pause_lasts),
		TEST(test_freezing_says_when_it_is_done),
		TEST(test_what_cannot_be_frozen_is_thawed),
		TEST(test_remove_waits_for_those_who_leave),
		TEST(test_deep_groups_are_removed),
		TEST(test_parents_go_when_the_group_cannot_be_made),
		TEST(test_destroy_kills),
		TEST(test_devices_are_limited_and_updated),
		TEST(test_the_root_is_found),
	};
	why_not = prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
