/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_confine.c - program, home, working directory; ids, limits, filter as a process has them in the end
 *
 * What needs root runs in children: in a root tree of their own, made below /tmp, entered by chroot in a
 * mount namespace of their own. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "namespaces/confine.h"
#include "namespaces/home.h"
#include "namespaces/seccomp.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "tests/unit/namespaces/child.h"

/* ---- a directory for each test, gone after it ---- */

static char place[32];

static int make_place(void **state)
{
	(void)state;
	strcpy(place, "/tmp/test_confine.XXXXXX");
	return mkdtemp(place) && chmod(place, 0755) == 0 ? 0 : -1;
}

static int remove_place(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", place);
	return system(command);
}

static const char *at(const char *name)
{
	static char path[4][128];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", place, name);
	return path[turn];
}

static void make_file(const char *name, const char *text, mode_t mode)
{
	struct error e = { 0 };

	if (io_replace_file(AT_FDCWD, at(name), text, strlen(text), 0600, &e) < 0 ||
	    chmod(at(name), mode) < 0)
		fail_msg("%s", e.msg);
}

/* ---- the program ---- */

static void check_found(const char *name, const char *path_variable, const char *want)
{
	char *env[] = { (char *)path_variable, NULL }, *found = NULL;
	struct error e = { 0 };

	if (confine_find_program(name, path_variable ? env : NULL, &found, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(found, want);
	free(found);
}

static void check_not_found(const char *name, const char *path_variable, int code, const char *message)
{
	char *env[] = { (char *)path_variable, NULL }, *found = NULL;
	struct error e = { 0 };

	assert_int_equal(confine_find_program(name, env, &found, &e), code);
	assert_string_equal(e.msg, message);
	assert_null(found);
}

static void test_program_is_searched_in_path(void **state)
{
	char path[256], want[128];

	(void)state;
	assert_int_equal(mkdir(at("a"), 0755) | mkdir(at("b"), 0755) | mkdir(at("a/tool"), 0755), 0);
	make_file("b/tool", "#!/bin/sh\n", 0755);
	make_file("a/plain", "no program", 0644);
	snprintf(path, sizeof(path), "PATH=/nonexistent:%s:%s", at("a"), at("b"));
	/* A directory of that name is passed over. */
	snprintf(want, sizeof(want), "%s", at("b/tool"));
	check_found("tool", path, want);
	check_not_found("other", path, -ENOENT, "exec: \"other\": executable file not found in $PATH");
	check_not_found("plain", path, -EACCES, "exec: \"plain\": permission denied");
	check_not_found("", path, -ENOENT, "exec: \"\": executable file not found in $PATH");
	check_found("sh", NULL, access("/usr/bin/sh", X_OK) == 0 ? "/usr/bin/sh" : "/bin/sh");
}

static void test_a_name_with_a_slash_is_a_path(void **state)
{
	char message[256];

	(void)state;
	make_file("tool", "#!/bin/sh\n", 0755);
	make_file("plain", "no program", 0644);
	check_found(at("tool"), "PATH=/nonexistent", at("tool"));
	snprintf(message, sizeof(message), "exec: \"%s\": no such file or directory", at("none"));
	check_not_found(at("none"), "PATH=/bin", -ENOENT, message);
	snprintf(message, sizeof(message), "exec: \"%s\": permission denied", at("plain"));
	check_not_found(at("plain"), "PATH=/bin", -EACCES, message);
	snprintf(message, sizeof(message), "exec: \"%s\": permission denied", place);
	check_not_found(place, "PATH=/bin", -EACCES, message);
}

static void test_an_empty_entry_of_path_is_the_working_directory(void **state)
{
	char old[512];

	(void)state;
	make_file("tool", "#!/bin/sh\n", 0755);
	assert_non_null(getcwd(old, sizeof(old)));
	assert_int_equal(chdir(place), 0);
	check_found("tool", "PATH=/nonexistent:", "./tool");
	check_found("tool", "PATH=", "./tool");
	check_not_found("tool", "PATH=/nonexistent", -ENOENT,
			"exec: \"tool\": executable file not found in $PATH");
	assert_int_equal(chdir(old), 0);
}

static int find_as_user(void *arg)
{
	char *found = NULL, *env[] = { arg, NULL };
	struct error e = { 0 };

	child_expects(setresuid(4711, 4711, 4711) == 0, "setresuid");
	child_expects(confine_find_program("tool", env, &found, &e) == -EACCES, "found %s", found);
	return 0;
}

static void test_program_must_be_executable_by_the_user(void **state)
{
	char path[128];

	(void)state;
	need_root();
	make_file("tool", "#!/bin/sh\n", 0700);
	snprintf(path, sizeof(path), "PATH=%s", place);
	check_found("tool", path, at("tool"));
	assert_int_equal(in_child(find_as_user, path), 0);
}

/* ---- HOME ---- */

static const char *home_in(const char *passwd, uint32_t uid)
{
	static char home[512];

	make_file("passwd", passwd, 0644);
	auto_close int fd = open(at("passwd"), O_RDONLY | O_CLOEXEC);
	home_from_passwd(fd, uid, home, sizeof(home));
	return home;
}

static void test_home_comes_from_passwd(void **state)
{
	const char *passwd = "root:x:0:0:root:/root:/bin/sh\n"
			     "short:x:7\n"
			     "wrong:x:1000x:0::/wrong:\n"
			     "signed:x:-1:0::/signed:\n"
			     "\n"
			     "a:x:1000:1000:A:/home/a:/bin/sh\n"
			     "b:x:1000:1000:B:/home/b:/bin/sh\n"
			     "relative:x:2000:1:x:home/r:/bin/sh\n"
			     "control:x:2001:1:x:/home/\033[2J:/bin/sh\n"
			     "empty:x:2002:1:x::/bin/sh\n"
			     "last:x:3000:1:x:/home/last:/bin/sh";

	(void)state;
	assert_string_equal(home_in(passwd, 0), "/root");
	assert_string_equal(home_in(passwd, 1000), "/home/a");
	assert_string_equal(home_in(passwd, 3000), "/home/last");
	assert_string_equal(home_in(passwd, 7), "/");
	assert_string_equal(home_in(passwd, 4294967295U), "/");
	assert_string_equal(home_in(passwd, 2000), "/");
	assert_string_equal(home_in(passwd, 2001), "/");
	assert_string_equal(home_in(passwd, 2002), "/");
	assert_string_equal(home_in(passwd, 9), "/");
	assert_string_equal(home_in("", 0), "/");
	assert_string_equal(home_in(":::::::::\n:::\nx\n", 0), "/");
}

static void test_lines_beyond_the_buffer_are_passed_over(void **state)
{
	/* 26 is the tail's length: in the second row it begins where the buffer is filled anew. */
	const size_t sizes[] = { 4096, 4096 + 26, 4097, 8192, 8192 + 26, 20000 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		/* A line of that size whose tail, read as a line of its own, would name our uid. */
		const char *tail = "evil:x:5:5:x:/evil:/bin/sh", *good = "\ngood:x:5:5:x:/good:/bin/sh\n";
		auto_free char *text = malloc(sizes[i] + strlen(good) + 1);
		memset(text, 'x', sizes[i]);
		memcpy(text + sizes[i] - strlen(tail), tail, strlen(tail));
		strcpy(text + sizes[i], good);
		assert_string_equal(home_in(text, 5), "/good");
	}
}

static int with_sparse_file(void *arg)
{
	const struct rlimit memory = { 64 << 20, 64 << 20 };
	char home[512];

	(void)arg;
#ifndef __SANITIZE_ADDRESS__
	child_expects(setrlimit(RLIMIT_AS, &memory) == 0, "setrlimit");
#else
	(void)memory;
#endif
	auto_close int root = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	home_find(root, 0, home, sizeof(home));
	child_expects(str_eq(home, "/"), "%s", home);
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	/* 16 MiB of it at most are looked at, in blocks. */
	auto_close int fd = open(at("etc/passwd"), O_RDONLY | O_CLOEXEC);
	home_from_passwd(fd, 0, home, sizeof(home));
	child_expects(lseek(fd, 0, SEEK_CUR) <= 17 << 20, "read on to %lld",
		      (long long)lseek(fd, 0, SEEK_CUR));
	return 0;
}

/* CVE-2026-47262. */
static void test_a_huge_passwd_takes_bounded_memory_and_time(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("etc"), 0755), 0);
	int fd = open(at("etc/passwd"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(fd, 100 << 20), 0);
	assert_int_equal(pwrite(fd, "\nroot:x:0:0:root:/far:/bin/sh\n", 30, (100 << 20) - 30), 30);
	close(fd);
	assert_int_equal(in_child(with_sparse_file, NULL), 0);
}

static void test_passwd_must_be_a_regular_file_in_the_root(void **state)
{
	char home[128];

	(void)state;
	auto_close int root = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	home_find(root, 0, home, sizeof(home));
	assert_string_equal(home, "/");
	assert_int_equal(mkdir(at("etc"), 0755), 0);
	assert_int_equal(mkfifo(at("etc/passwd"), 0644), 0);
	home_find(root, 0, home, sizeof(home)); /* must not hang */
	assert_string_equal(home, "/");
	auto_close int writer = open(at("etc/passwd"), O_RDWR | O_CLOEXEC);
	assert_true(write(writer, "root:x:0:0::/fifo:\n", 19) == 19);
	home_find(root, 0, home, sizeof(home));
	assert_string_equal(home, "/");
	unlink(at("etc/passwd"));
	/* A link that leads out: the decoy is not read. */
	make_file("decoy", "root:x:0:0::/decoy:\n", 0644);
	char inside[64];
	snprintf(inside, sizeof(inside), "%s", at("tree"));
	assert_int_equal(mkdir(inside, 0755) | mkdir(at("tree/etc"), 0755), 0);
	assert_int_equal(symlink("../../decoy", at("tree/etc/passwd")), 0);
	auto_close int tree = open(inside, O_PATH | O_DIRECTORY | O_CLOEXEC);
	home_find(tree, 0, home, sizeof(home));
	assert_string_equal(home, "/");
	unlink(at("tree/etc/passwd"));
	make_file("tree/real", "root:x:0:0::/inside:\n", 0644);
	assert_int_equal(symlink("/real", at("tree/etc/passwd")), 0);
	home_find(tree, 0, home, sizeof(home));
	assert_string_equal(home, "/inside");
}

static void test_home_that_is_given_stays(void **state)
{
	char given[] = "HOME=/given", other[] = "HOMELESS=1", *env[] = { other, given, NULL };
	char *home = given;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(confine_home(0, env, &home, &e), 0);
	assert_null(home);
	env[1] = NULL;
	assert_int_equal(confine_home(4294967294U, env, &home, &e), 0);
	assert_string_equal(home, "HOME=/");
	free(home);
}

/* ---- in a root of its own ---- */

/* The root tree: proc and a directory that only uid 4711 may enter. */
static int enter_tree(void)
{
	child_expects(mkdir(at("proc"), 0755) == 0 && mkdir(at("private"), 0700) == 0 &&
			      chown(at("private"), 4711, 4711) == 0,
		      "make tree");
	child_expects(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
			      mount("proc", at("proc"), "proc", 0, NULL) == 0,
		      "mount");
	child_expects(chroot(place) == 0 && chdir("/") == 0, "chroot");
	return 0;
}

static struct spec_process some_process(void)
{
	return (struct spec_process){ .cwd = "/",
				      .user = { .uid = 0, .gid = 0, .umask = ID_UNSET },
				      .oom_score_adj = NUM_UNSET };
}

static int working_directories(void *arg)
{
	struct error e = { 0 };
	char path[64], cwd[256];
	struct stat st;

	(void)arg;
	auto_close int outside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = enter_tree();
	if (r)
		return r;
	/* CVE-2024-21626: a descriptor of the host's, through the container's own /proc. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", outside);
	child_expects(confine_chdir(path, &e) == -EXDEV, "entered the host's root: %s", e.msg);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/tmp", outside);
	child_expects(confine_chdir(path, &e) == -EXDEV, "entered the host's /tmp");
	child_expects(confine_chdir("relative", &e) == -EINVAL, "took a relative path");
	child_expects(confine_chdir(NULL, &e) == -EINVAL, "took NULL");
	umask(077);
	child_expects(confine_chdir("/new/below", &e) == 0, "%s", e.msg);
	child_expects(getcwd(cwd, sizeof(cwd)) && str_eq(cwd, "/new/below"), "%s", cwd);
	child_expects(stat(".", &st) == 0 && (st.st_mode & 07777) == 0755 && st.st_uid == 0, "mode %o",
		      st.st_mode);
	child_expects(umask(0) == 077, "umask changed");
	/* Links are followed inside the root only. */
	child_expects(symlink("../../../../../../../deep/down", "/way") == 0, "symlink");
	child_expects(confine_chdir("/way/there", &e) == 0, "%s", e.msg);
	child_expects(getcwd(cwd, sizeof(cwd)) && str_eq(cwd, "/deep/down/there"), "%s", cwd);
	child_expects(rmdir("/new/below") == 0 && chdir("/new") == 0 && rmdir("/new") == 0, "rmdir");
	child_expects(confine_chdir("/proc/self/cwd", &e) < 0, "entered a deleted directory");
	return 0;
}

static void test_the_working_directory_lies_inside(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(working_directories, NULL), 0);
}

/* ---- ids ---- */

struct expected {
	struct confine confine;
	const char *uid, *gid, *groups, *caps, *no_new_privs, *seccomp;
	int r;		     /* of confine_ids */
	const char *message; /* part of, if r < 0 */
	const char *cwd;
	mode_t mask;
	bool weak_root; /* no CAP_DAC_OVERRIDE to begin with, as where a file server squashes root */
};

static int weaken(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	child_expects(syscall(SYS_capget, &header, data) == 0, "capget");
	data[0].effective &= ~(1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH);
	data[0].permitted = data[0].effective;
	child_expects(syscall(SYS_capset, &header, data) == 0, "capset");
	child_expects(chdir("/private") < 0 && errno == EACCES, "root is not weak");
	return 0;
}

static int confine_and_look(void *arg)
{
	const struct expected *x = arg;
	const gid_t before[] = { 0, 1, 2, 3 };
	struct error e = { 0 };
	char buf[256], cwd[256];

	int r = enter_tree();
	if (r)
		return r;
	child_expects(setgroups(COUNT_OF(before), before) == 0, "setgroups");
	if (x->weak_root && (r = weaken()))
		return r;
	r = confine_ids(&x->confine, &e);
	child_expects(r == x->r, "returned %d: %s", r, e.msg);
	if (r < 0) {
		child_expects(strstr(e.msg, x->message), "%s", e.msg);
		return 0;
	}
	child_expects(str_eq(status_line("Uid", buf), x->uid), "uid %s", buf);
	child_expects(str_eq(status_line("Gid", buf), x->gid), "gid %s", buf);
	const char *groups = status_line("Groups", buf);
	child_expects(str_starts(groups, x->groups) && strlen(groups) <= strlen(x->groups) + 1, "groups %s",
		      buf);
	child_expects(str_eq(status_line("CapEff", buf), x->caps), "effective %s", buf);
	child_expects(str_eq(status_line("CapPrm", buf), x->caps), "permitted %s", buf);
	child_expects(str_eq(status_line("CapBnd", buf), x->caps), "bounding %s", buf);
	child_expects(str_eq(status_line("CapInh", buf), "0000000000000000"), "inheritable %s", buf);
	child_expects(str_eq(status_line("CapAmb", buf), "0000000000000000"), "ambient %s", buf);
	child_expects(str_eq(status_line("NoNewPrivs", buf), x->no_new_privs), "no_new_privs %s", buf);
	child_expects(str_eq(status_line("Seccomp", buf), x->seccomp), "seccomp %s", buf);
	child_expects(prctl(PR_GET_DUMPABLE) == 0, "dumpable");
	child_expects(!x->cwd || (getcwd(cwd, sizeof(cwd)) && str_eq(cwd, x->cwd)), "cwd");
	child_expects(umask(0) == x->mask, "umask");
	child_expects(confine_last(&x->confine, &e) == 0, "%s", e.msg);
	if (x->confine.filter)
		child_expects(str_eq(status_line("Seccomp", buf), "2"), "seccomp is not in force in the end");
	return 0;
}

static char chown_name[] = "CAP_CHOWN", *chown_only[] = { chown_name, NULL };
static struct spec_capabilities chown_caps = { .bounding = chown_only,
					       .effective = chown_only,
					       .permitted = chown_only };

#define NO_CAPS	   "0000000000000000"
#define CHOWN_CAPS "0000000000000001"

static void test_root_without_capabilities(void **state)
{
	struct spec_process p = some_process();
	struct expected x = { .confine = { .process = &p },
			      .uid = "0\t0\t0\t0",
			      .gid = "0\t0\t0\t0",
			      .groups = "",
			      .caps = NO_CAPS,
			      .no_new_privs = "0",
			      .seccomp = "0",
			      .cwd = "/",
			      .mask = 022 };

	(void)state;
	need_root();
	assert_int_equal(in_child(confine_and_look, &x), 0);
}

static void test_user_groups_umask_and_capabilities(void **state)
{
	uint32_t gids[] = { 7, 4294967294U };
	struct spec_process p = some_process();
	struct expected x = { .confine = { .process = &p },
			      .uid = "4711\t4711\t4711\t4711",
			      .gid = "4712\t4712\t4712\t4712",
			      .groups = "7 4294967294",
			      .caps = CHOWN_CAPS,
			      .no_new_privs = "1",
			      .seccomp = "0",
			      .cwd = "/private",
			      .mask = 0027 };

	(void)state;
	need_root();
	p.user = (struct spec_user){
		.uid = 4711, .gid = 4712, .umask = 0027, .additional_gids = gids, .n_additional_gids = 2
	};
	p.cwd = "/private";
	p.no_new_privileges = true;
	p.capabilities = &chown_caps;
	assert_int_equal(in_child(confine_and_look, &x), 0);
	rmdir(at("proc"));
	rmdir(at("private"));
	x.weak_root = true; /* the directory is entered as the user */
	assert_int_equal(in_child(confine_and_look, &x), 0);
}

static void test_groups_are_kept_only_when_asked(void **state)
{
	struct spec_process p = some_process();
	struct expected x = { .confine = { .process = &p, .keep_groups = true },
			      .uid = "1\t1\t1\t1",
			      .gid = "1\t1\t1\t1",
			      .groups = "0 1 2 3",
			      .caps = NO_CAPS,
			      .no_new_privs = "0",
			      .seccomp = "0",
			      .mask = 022 };

	(void)state;
	need_root();
	p.user.uid = p.user.gid = 1;
	assert_int_equal(in_child(confine_and_look, &x), 0);
}

static void test_a_namespace_that_denies_setgroups(void **state)
{
	uint32_t gids[] = { 7 };
	struct spec_process p = some_process();
	struct expected x = { .confine = { .process = &p, .user_ns_denies_setgroups = true },
			      .r = -EPERM,
			      .message = "additionalGids" };

	(void)state;
	need_root();
	p.user.additional_gids = gids;
	p.user.n_additional_gids = 1;
	assert_int_equal(in_child(confine_and_look, &x), 0);
}

/* (uid_t)-1 would mean "leave it as it is": root. */
static void test_minus_one_is_no_id(void **state)
{
	uint32_t gids[] = { ID_UNSET };
	struct spec_process p = some_process();
	struct expected x = { .confine = { .process = &p }, .r = -EINVAL, .message = "4294967295" };

	(void)state;
	need_root();
	p.user.uid = ID_UNSET;
	assert_int_equal(in_child(confine_and_look, &x), 0);
	rmdir(at("proc"));
	rmdir(at("private"));
	p = some_process();
	p.user.gid = ID_UNSET;
	assert_int_equal(in_child(confine_and_look, &x), 0);
	rmdir(at("proc"));
	rmdir(at("private"));
	p = some_process();
	p.user.additional_gids = gids;
	p.user.n_additional_gids = 1;
	assert_int_equal(in_child(confine_and_look, &x), 0);
}

static void test_large_ids_do_not_wrap(void **state)
{
	struct spec_process p = some_process();
	struct expected x = { .confine = { .process = &p },
			      .uid = "2147483648\t2147483648\t2147483648\t2147483648",
			      .gid = "4294967294\t4294967294\t4294967294\t4294967294",
			      .groups = "",
			      .caps = NO_CAPS,
			      .no_new_privs = "0",
			      .seccomp = "0",
			      .mask = 022 };

	(void)state;
	need_root();
	p.user.uid = 2147483648U;
	p.user.gid = 4294967294U;
	assert_int_equal(in_child(confine_and_look, &x), 0);
}

/* The filter goes on before the capability that loads it, or after no_new_privs; for a user, too. */
static void test_the_filter_goes_on_at_the_right_side(void **state)
{
	struct sock_filter program[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	const struct seccomp_filter filter = { .program = program, .size = sizeof(program) };
	struct spec_process p = some_process();
	struct expected x = { .confine = { .process = &p, .filter = &filter },
			      .uid = "4711\t4711\t4711\t4711",
			      .gid = "4711\t4711\t4711\t4711",
			      .groups = "",
			      .caps = CHOWN_CAPS,
			      .no_new_privs = "0",
			      .seccomp = "2",
			      .mask = 022 };

	(void)state;
	need_root();
	p.user.uid = p.user.gid = 4711;
	p.capabilities = &chown_caps;
	assert_int_equal(in_child(confine_and_look, &x), 0);
	rmdir(at("proc"));
	rmdir(at("private"));
	p.no_new_privileges = true;
	x.no_new_privs = "1";
	x.seccomp = "0"; /* not before confine_last */
	assert_int_equal(in_child(confine_and_look, &x), 0);
}

/* ---- limits, keyring, oom score ---- */

static int early(void *arg)
{
	struct spec_rlimit limits[] = { { RLIMIT_NOFILE, 100, 200 }, { RLIMIT_CORE, 0, 0 } };
	struct spec_process p = some_process();
	struct confine c = { .process = &p, .keyring = "_ses.test_confine", .limits_done = arg != NULL };
	struct rlimit old, now;
	struct error e = { 0 };

	p.rlimits = limits;
	p.n_rlimits = COUNT_OF(limits);
	getrlimit(RLIMIT_NOFILE, &old);
	long before = syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3 /* session */, 0);
	child_expects(confine_early(&c, &e) == 0, "%s", e.msg);
	getrlimit(RLIMIT_NOFILE, &now);
	if (arg)
		child_expects(now.rlim_cur == old.rlim_cur && now.rlim_max == old.rlim_max,
			      "limits were set");
	else
		child_expects(now.rlim_cur == 100 && now.rlim_max == 200, "limits were not set");
	long after = syscall(SYS_keyctl, 0, -3, 0);
	child_expects(after != before || after < 0, "the session keyring is still the caller's");
	limits[0].soft = 300;
	child_expects(rlimits_apply(0, &p, &e) < 0 && strstr(e.msg, "RLIMIT_NOFILE"), "soft above hard: %s",
		      e.msg);
	return 0;
}

static void test_limits_and_keyring(void **state)
{
	(void)state;
	assert_int_equal(in_child(early, NULL), 0);
	assert_int_equal(in_child(early, state), 0);
}

#define KEYCTL(...) syscall(SYS_keyctl, __VA_ARGS__)
enum { GET_KEYRING_ID = 0, JOIN = 1, SETPERM = 5, SESSION = -3 };

static int keyring_squatter(void *arg)
{
	int *pipes = arg; /* says it is ready, then waits */
	char byte = 0;

	child_expects(setresuid(4711, 4711, 4711) == 0, "setresuid");
	long key = KEYCTL(JOIN, "_ses.squatted");
	child_expects(key >= 0 && KEYCTL(SETPERM, key, 0x3f3f3f3f) == 0, "keyring");
	child_expects(write(pipes[1], &key, sizeof(key)) == sizeof(key), "write");
	child_expects(read(pipes[2], &byte, 1) >= 0, "read");
	return 0;
}

static int join_squatted(void *arg)
{
	struct spec_process p = some_process();
	struct confine c = { .process = &p, .keyring = "_ses.squatted" };
	struct error e = { 0 };
	long *squatted = arg, before = KEYCTL(GET_KEYRING_ID, SESSION, 0);

	child_expects(confine_early(&c, &e) == 0, "%s", e.msg);
	long key = KEYCTL(GET_KEYRING_ID, SESSION, 0);
	child_expects(key != *squatted, "the container shares its keys with another user");
	child_expects(key >= 0 && key != before, "no keyring of its own");
	return 0;
}

static int join_twice(void *arg)
{
	struct spec_process p = some_process();
	struct confine c = { .process = &p, .keyring = "_ses.shared" };
	struct error e = { 0 };

	(void)arg;
	child_expects(confine_early(&c, &e) == 0, "%s", e.msg);
	long first = KEYCTL(GET_KEYRING_ID, SESSION, 0);
	int status, stay[2];
	char byte;
	child_expects(pipe(stay) == 0, "pipe");
	pid_t pid = fork(); /* keeps it alive while we leave it */
	if (pid == 0) {
		close(stay[1]);
		_exit(read(stay[0], &byte, 1) < 0);
	}
	child_expects(KEYCTL(JOIN, NULL) >= 0 && KEYCTL(GET_KEYRING_ID, SESSION, 0) != first, "leave");
	child_expects(confine_early(&c, &e) == 0, "%s", e.msg);
	child_expects(KEYCTL(GET_KEYRING_ID, SESSION, 0) == first, "exec's process has another keyring");
	close(stay[1]);
	waitpid(pid, &status, 0);
	return 0;
}

static void test_session_keyrings_are_shared_with_exec_and_nobody_else(void **state)
{
	int ready[2], life[2];
	long squatted;

	(void)state;
	need_root();
	if (KEYCTL(GET_KEYRING_ID, SESSION, 0) < 0 && errno == ENOSYS) {
		print_message("needs: a kernel with keyrings\n");
		skip();
	}
	assert_int_equal(in_child(join_twice, NULL), 0);
	assert_int_equal(pipe(ready) | pipe(life), 0);
	int pipes[] = { ready[0], ready[1], life[0] };
	pid_t squatter = fork();
	if (squatter == 0) {
		close(life[1]);
		_exit(keyring_squatter(pipes));
	}
	assert_int_equal(read(ready[0], &squatted, sizeof(squatted)), sizeof(squatted));
	int r = in_child(join_squatted, &squatted);
	close(life[1]);
	waitpid(squatter, NULL, 0);
	for (size_t i = 0; i < COUNT_OF(pipes); i++)
		close(pipes[i]);
	assert_int_equal(r, 0);
}

static int oom_score(void *arg)
{
	struct error e = { 0 };
	char text[32];

	(void)arg;
	child_expects(confine_oom_score(getpid(), NUM_UNSET, &e) == 0, "%s", e.msg);
	child_expects(confine_oom_score(getpid(), 321, &e) == 0, "%s", e.msg);
	child_expects(io_read_small(AT_FDCWD, "/proc/self/oom_score_adj", text, sizeof(text), &e) > 0, "%s",
		      e.msg);
	child_expects(str_eq(text, "321"), "%s", text);
	child_expects(confine_oom_score(getpid(), 1001, &e) == -EINVAL, "took 1001");
	return 0;
}

static void test_oom_score(void **state)
{
	(void)state;
	assert_int_equal(in_child(oom_score, NULL), 0);
}

#define in_place(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_place(test_program_is_searched_in_path),
		in_place(test_a_name_with_a_slash_is_a_path),
		in_place(test_an_empty_entry_of_path_is_the_working_directory),
		in_place(test_program_must_be_executable_by_the_user),
		in_place(test_home_comes_from_passwd),
		in_place(test_lines_beyond_the_buffer_are_passed_over),
		in_place(test_a_huge_passwd_takes_bounded_memory_and_time),
		in_place(test_passwd_must_be_a_regular_file_in_the_root),
		in_place(test_home_that_is_given_stays),
		in_place(test_the_working_directory_lies_inside),
		in_place(test_root_without_capabilities),
		in_place(test_user_groups_umask_and_capabilities),
		in_place(test_groups_are_kept_only_when_asked),
		in_place(test_a_namespace_that_denies_setgroups),
		in_place(test_minus_one_is_no_id),
		in_place(test_large_ids_do_not_wrap),
		in_place(test_the_filter_goes_on_at_the_right_side),
		in_place(test_limits_and_keyring),
		in_place(test_session_keyrings_are_shared_with_exec_and_nobody_else),
		in_place(test_oom_score),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
