/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_enter.c - namespaces are opened, joined and made; root is needed for most of it */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "namespaces/plan.h"
#include "namespaces/userns.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "tests/unit/namespaces/child.h"

/* ---- opening ---- */

static int open_one(enum ns_kind kind, const char *path, struct error *e)
{
	struct ns_plan p = { 0 };
	int fds[NS_KIND_MAX];

	p.join[kind] = path;
	int r = ns_open_joined(&p, fds, e);
	for (int k = 0; k < NS_KIND_MAX; k++)
		assert_int_equal(r == 0 && k == (int)kind, fds[k] >= 0);
	if (r == 0) {
		assert_true(fcntl(fds[kind], F_GETFD) & FD_CLOEXEC);
		ns_close_joined(fds);
		assert_int_equal(fds[kind], -1);
	}
	return r;
}

static void test_each_kind_is_told_from_the_others(void **state)
{
	(void)state;
	for (int kind = 0; kind < NS_KIND_MAX; kind++)
		for (int file = 0; file < NS_KIND_MAX; file++) {
			struct error e = { 0 };
			char path[64];
			snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_types[file].proc);
			if (access(path, F_OK) < 0)
				continue;
			int r = open_one((enum ns_kind)kind, path, &e);
			assert_int_equal(r, kind == file ? 0 : -EINVAL);
			assert_int_equal(kind != file, strstr(e.msg, "another kind") != NULL);
		}
}

static void test_what_is_no_namespace_is_refused(void **state)
{
	struct error e = { 0 };
	char fifo[] = "/tmp/test_enter.XXXXXX";

	(void)state;
	assert_int_equal(open_one(NS_NETWORK, "/proc/self/status", &e), -EINVAL);
	assert_non_null(strstr(e.msg, "not a namespace"));
	assert_int_equal(open_one(NS_NETWORK, "/nonexistent", &e), -ENOENT);
	/* Must not hang. */
	assert_non_null(mkdtemp(fifo));
	rmdir(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(open_one(NS_NETWORK, fifo, &e), -EINVAL);
	unlink(fifo);
}

/* ---- a process in namespaces of its own, to be joined ---- */

struct neighbour {
	pid_t pid;
	int life; /* closed: it ends */
};

static int neighbour_start(struct neighbour *n, uint64_t flags)
{
	int life[2], ready[2];
	char byte;

	if (pipe2(life, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
	n->pid = sys_clone3(&args, sizeof(args));
	if (n->pid == 0) {
		close(life[1]);
		if (sethostname("neighbour", 9) == 0)
			close(ready[1]);
		if (read(life[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(life[0]);
	close(ready[1]);
	n->life = life[1];
	if (n->pid < 0 || read(ready[0], &byte, 1) < 0)
		return -1;
	close(ready[0]);
	return 0;
}

static void neighbour_end(struct neighbour *n)
{
	close(n->life);
	waitpid(n->pid, NULL, 0);
}

static bool is_in_same(pid_t pid, const char *kind)
{
	struct stat a, b;
	char path[64], self[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	snprintf(self, sizeof(self), "/proc/self/ns/%s", kind);
	return stat(path, &a) == 0 && stat(self, &b) == 0 && a.st_ino == b.st_ino;
}

static int open_of(pid_t pid, struct ns_plan *p, char paths[NS_KIND_MAX][64], unsigned int kinds,
		   int fds[NS_KIND_MAX], struct error *e)
{
	for (int k = 0; k < NS_KIND_MAX; k++) {
		snprintf(paths[k], 64, "/proc/%d/ns/%s", (int)pid, ns_types[k].proc);
		if (kinds & NS_BIT(k))
			p->join[k] = paths[k];
	}
	return ns_open_joined(p, fds, e);
}

static int join_all_but_user(void *arg)
{
	struct neighbour *n = arg;
	struct ns_plan p = { 0 };
	struct error e = { 0 };
	char paths[NS_KIND_MAX][64], name[64] = "";
	int fds[NS_KIND_MAX];
	unsigned int kinds = NS_BIT(NS_NETWORK) | NS_BIT(NS_UTS) | NS_BIT(NS_IPC) | NS_BIT(NS_PID);

	child_expects(open_of(n->pid, &p, paths, kinds, fds, &e) == 0, "%s", e.msg);
	child_expects(ns_join(fds, NS_BIT(NS_UTS), &e) == 0, "%s", e.msg);
	child_expects(is_in_same(n->pid, "uts") && !is_in_same(n->pid, "ipc"), "not only uts was joined");
	child_expects(gethostname(name, sizeof(name)) == 0 && str_eq(name, "neighbour"), "hostname %s", name);
	child_expects(ns_join(fds, NS_ALL_KINDS, &e) == 0, "%s", e.msg);
	child_expects(is_in_same(n->pid, "ipc") && is_in_same(n->pid, "net"), "net or ipc not joined");
	child_expects(!is_in_same(n->pid, "pid"), "we cannot be in it ourselves");
	struct stat ours, theirs;
	child_expects(stat("/proc/self/ns/pid_for_children", &ours) == 0 &&
			      fstat(fds[NS_PID], &theirs) == 0 && ours.st_ino == theirs.st_ino,
		      "pid namespace not joined");
	child_expects(prctl(PR_GET_DUMPABLE) == 0, "still dumpable");
	return 0;
}

static void test_joining_enters_and_hides(void **state)
{
	struct neighbour n;

	(void)state;
	need_root();
	assert_int_equal(neighbour_start(&n, CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID), 0);
	int r = in_child(join_all_but_user, &n);
	neighbour_end(&n);
	assert_int_equal(r, 0);
}

/* The network namespace is owned by the neighbour's user namespace, the uts namespace is ours to join only
 * with the host's rights: both in one call. */
static int join_with_user(void *arg)
{
	struct neighbour *n = arg;
	struct ns_plan p = { 0 };
	struct error e = { 0 };
	char paths[NS_KIND_MAX][64];
	int fds[NS_KIND_MAX];

	child_expects(open_of(n->pid, &p, paths, NS_BIT(NS_USER) | NS_BIT(NS_NETWORK) | NS_BIT(NS_UTS), fds,
			      &e) == 0,
		      "%s", e.msg);
	child_expects(ns_join(fds, NS_ALL_KINDS, &e) == 0, "%s", e.msg);
	child_expects(is_in_same(n->pid, "user") && is_in_same(n->pid, "net") && is_in_same(n->pid, "uts"),
		      "not all joined");
	child_expects(userns_become_root(&e) == 0, "%s", e.msg);
	child_expects(getuid() == 0 && getgid() == 0, "not root there");
	child_expects(prctl(PR_GET_DUMPABLE) == 0, "dumpable");
	return 0;
}

/* An ordinary user has rights over the network namespace only once inside the user namespace. */
static int join_as_ordinary_user(void *arg)
{
	struct neighbour n;

	(void)arg;
	child_expects(setgroups(0, NULL) == 0 && setresgid(4711, 4711, 4711) == 0 &&
			      setresuid(4711, 4711, 4711) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0,
		      "become an ordinary user");
	child_expects(neighbour_start(&n, CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWUTS) == 0, "neighbour");
	struct spec_id_map map = { 0, 4711, 1 };
	const struct spec s = {
		.uid_mappings = &map, .gid_mappings = &map, .n_uid_mappings = 1, .n_gid_mappings = 1
	};
	struct error e = { 0 };
	child_expects(userns_write_maps(n.pid, &s, &e) == 0, "%s", e.msg);
	int r = join_with_user(&n);
	neighbour_end(&n);
	return r;
}

static int join_own_user(void *arg)
{
	int fds[NS_KIND_MAX];
	struct ns_plan p = { 0 };
	struct error e = { 0 };

	(void)arg;
	p.join[NS_USER] = "/proc/self/ns/user";
	child_expects(ns_open_joined(&p, fds, &e) == 0, "%s", e.msg);
	child_expects(ns_join(fds, NS_ALL_KINDS, &e) == 0, "%s", e.msg);
	return 0;
}

static void test_joining_a_user_namespace(void **state)
{
	struct spec_id_map map = { 0, 0, 10 };
	const struct spec s = {
		.uid_mappings = &map, .gid_mappings = &map, .n_uid_mappings = 1, .n_gid_mappings = 1
	};
	struct neighbour n;
	struct error e = { 0 };

	(void)state;
	need_root();
	assert_int_equal(neighbour_start(&n, CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWUTS), 0);
	assert_int_equal(userns_write_maps(n.pid, &s, &e), 0);
	int r = in_child(join_with_user, &n);
	neighbour_end(&n);
	assert_int_equal(r, 0);
	assert_int_equal(in_child(join_own_user, NULL), 0);
	assert_int_equal(in_child(join_as_ordinary_user, NULL), 0);
}

static int join_by_pidfd(void *arg)
{
	struct neighbour *n = arg;
	struct error e = { 0 };
	auto_close int pidfd = sys_pidfd_open(n->pid, 0);

	child_expects(pidfd >= 0, "pidfd_open");
	child_expects(ns_join_process(pidfd, CLONE_NEWUTS | CLONE_NEWIPC, &e) == 0, "%s", e.msg);
	child_expects(is_in_same(n->pid, "uts") && is_in_same(n->pid, "ipc"), "not joined");
	child_expects(prctl(PR_GET_DUMPABLE) == 0, "dumpable");
	return 0;
}

static void test_joining_by_pidfd(void **state)
{
	struct neighbour n;

	(void)state;
	need_root();
	assert_int_equal(neighbour_start(&n, CLONE_NEWUTS | CLONE_NEWIPC), 0);
	int r = in_child(join_by_pidfd, &n);
	neighbour_end(&n);
	assert_int_equal(r, 0);
}

/* ---- a time namespace, with and without offsets ---- */

static int clone_with_time(void *arg)
{
	struct clone_args args = { .flags = CLONE_NEWTIME, .exit_signal = SIGCHLD };
	int status;
	struct stat ours, theirs;

	(void)arg;
	child_expects(stat("/proc/self/ns/time", &ours) == 0, "no time namespaces here");
	pid_t pid = sys_clone3(&args, sizeof(args));
	child_expects(pid >= 0, "clone3: %d", errno);
	if (pid == 0)
		_exit(stat("/proc/self/ns/time", &theirs) < 0 || theirs.st_ino == ours.st_ino);
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_clone3_makes_a_time_namespace(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(clone_with_time, NULL), 0);
}

static int write_offsets(void)
{
	struct spec_time_offset offsets[] = { { "monotonic", 1000, 5 }, { "boottime", -10, 0 } };
	const struct spec s = { .time_offsets = offsets, .n_time_offsets = 2 };
	struct error e = { 0 };
	char text[256];

	child_expects(ns_hide_self(&e) == 0, "%s", e.msg);
	child_expects(ns_unshare(CLONE_NEWTIME, &e) == 0, "%s", e.msg);
	child_expects(timens_write_offsets(&s, &e) == 0, "%s", e.msg);
	child_expects(prctl(PR_GET_DUMPABLE) == 0, "left dumpable");
	child_expects(io_read_small(AT_FDCWD, "/proc/self/timens_offsets", text, sizeof(text), &e) > 0, "%s",
		      e.msg);
	long secs = 0, nsecs = 0;
	child_expects(sscanf(text, "monotonic %ld %ld", &secs, &nsecs) == 2 && secs == 1000 && nsecs == 5,
		      "%s", text);
	return 0;
}

static int write_offsets_as_root(void *arg)
{
	(void)arg;
	return write_offsets();
}

/* As SETUP is: in a user namespace whose root is somebody else on the host, become that root, not dumpable.
 */
static int write_offsets_in_user_namespace(void *arg)
{
	struct spec_id_map map = { 0, 100000, 1 };
	const struct spec s = {
		.uid_mappings = &map, .gid_mappings = &map, .n_uid_mappings = 1, .n_gid_mappings = 1
	};
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	struct error e = { 0 };
	int mapped[2], status;
	char byte;

	(void)arg;
	child_expects(pipe2(mapped, O_CLOEXEC) == 0, "pipe");
	pid_t pid = sys_clone3(&args, sizeof(args));
	child_expects(pid >= 0, "clone3");
	if (pid == 0) {
		close(mapped[1]);
		if (read(mapped[0], &byte, 1) != 0 || userns_become_root(&e) < 0)
			_exit(child_says("%s", e.msg));
		_exit(write_offsets());
	}
	child_expects(userns_write_maps(pid, &s, &e) == 0, "%s", e.msg);
	close(mapped[1]);
	waitpid(pid, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status);
}

static void test_time_offsets_are_written(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(write_offsets_as_root, NULL), 0);
	assert_int_equal(in_child(write_offsets_in_user_namespace, NULL), 0);
}

static void test_unshare_says_what_failed(void **state)
{
	struct error e = { 0 };

	(void)state;
	assert_int_equal(ns_unshare(1ULL << 31, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "0x80000000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_is_told_from_the_others),
		cmocka_unit_test(test_what_is_no_namespace_is_refused),
		cmocka_unit_test(test_joining_enters_and_hides),
		cmocka_unit_test(test_joining_a_user_namespace),
		cmocka_unit_test(test_joining_by_pidfd),
		cmocka_unit_test(test_clone3_makes_a_time_namespace),
		cmocka_unit_test(test_time_offsets_are_written),
		cmocka_unit_test(test_unshare_says_what_failed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
