/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_path.c - the resolver never leaves its root
 *
 * Everything runs twice: with openat2(2), and in a child whose seccomp filter says ENOSYS to it, so that the
 * walk by hand is under test. A file "secret" lies beside the root; nothing may ever reach it. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

static char top[] = "/tmp/coracle-path-XXXXXX";
static int outside = -1, root = -1;
static struct error e;

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int setup(void **state)
{
	char target[PATH_MAX];

	(void)state;
	umask(022);
	memcpy(top + sizeof(top) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(top));
	outside = open(top, O_DIRECTORY | O_CLOEXEC);
	put(outside, "secret", "outside");
	assert_int_equal(mkdirat(outside, "root", 0755), 0);
	root = openat(outside, "root", O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(root, "a", 0755), 0);
	assert_int_equal(mkdirat(root, "a/b", 0755), 0);
	put(root, "a/b/file", "inside");
	put(root, "secret", "inside");
	assert_int_equal(symlinkat("..", root, "up"), 0);
	assert_int_equal(symlinkat("../../../../secret", root, "a/b/climb"), 0);
	assert_int_equal(symlinkat("/a/b", root, "absolute"), 0);
	assert_int_equal(symlinkat("/", root, "slash"), 0);
	assert_int_equal(symlinkat("/secret", root, "a/b/rooted"), 0);
	snprintf(target, sizeof(target), "%s/secret", top);
	assert_int_equal(symlinkat(target, root, "host"), 0);
	assert_int_equal(symlinkat("nowhere/deep", root, "dangling"), 0);
	assert_int_equal(symlinkat("/made/by/link", root, "dangling-absolute"), 0);
	assert_int_equal(symlinkat("loop2", root, "loop1"), 0);
	assert_int_equal(symlinkat("loop1", root, "loop2"), 0);
	assert_int_equal(symlinkat("a/b/file", root, "link"), 0);
	assert_int_equal(symlinkat("a", root, "dirlink"), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[sizeof(top) + 16];

	(void)state;
	close(root);
	close(outside);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command) == 0 ? 0 : -1;
}

/* What a descriptor is, for comparing: text of a file, or its inode. */
static void assert_text(int fd, const char *want)
{
	char text[32] = "";

	if (fd < 0)
		fail_msg("%s", e.msg);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	assert_string_equal(text, want);
	close(fd);
}

static void assert_same(int fd, int dir, const char *path)
{
	struct stat a, b;

	if (fd < 0)
		fail_msg("%s: %s", path, e.msg);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(dir, path, &b, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(a.st_dev == b.st_dev && a.st_ino == b.st_ino);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static void test_open_stays_inside(void **state)
{
	static const char *const inside[] = {
		"secret",
		"/secret",
		"../secret",
		"/../../secret",
		"a/../../secret",
		"up/secret",
		"up/up/secret",
		"a/b/climb",
		"slash/secret",
		"absolute/climb",
		"absolute/../../secret",
		"//secret",
		"a/./b/.././../secret",
		"slash/up/slash/secret",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(inside); i++)
		assert_text(path_open(root, inside[i], O_RDONLY, &e), "inside");
	assert_int_equal(path_open(root, "host", O_RDONLY, &e), -ENOENT);
	assert_text(path_open(root, "a/b/rooted", O_RDONLY, &e), "inside");
	assert_text(path_open(root, "absolute/file", O_RDONLY, &e), "inside");
	assert_text(path_open(root, "dirlink/b/file", O_RDONLY, &e), "inside");
}

static void test_open_gives_the_root_itself(void **state)
{
	static const char *const names[] = { "/", ".", "..", "/..", "a/..", "slash", "up", "slash/", "//" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		assert_same(path_open(root, names[i], O_PATH, &e), root, ".");
		assert_same(path_open(root, names[i], O_RDONLY | O_DIRECTORY, &e), root, ".");
	}
}

static void test_open_says_what_is_wrong(void **state)
{
	char lengthy[PATH_MAX + 8];

	(void)state;
	assert_int_equal(path_open(root, "", O_PATH, &e), -ENOENT);
	assert_int_equal(path_open(root, "none", O_PATH, &e), -ENOENT);
	assert_string_equal(e.msg, "open none: No such file or directory");
	assert_int_equal(path_open(root, "dangling", O_PATH, &e), -ENOENT);
	assert_int_equal(path_open(root, "loop1", O_PATH, &e), -ELOOP);
	assert_int_equal(path_open(root, "loop1/x", O_PATH, &e), -ELOOP);
	assert_int_equal(path_open(root, "secret/x", O_PATH, &e), -ENOTDIR);
	assert_int_equal(path_open(root, "secret/..", O_PATH, &e), -ENOTDIR);
	assert_int_equal(path_open(root, "secret/.", O_PATH, &e), -ENOTDIR);
	assert_int_equal(path_open(root, "secret", O_PATH | O_DIRECTORY, &e), -ENOTDIR);
	assert_int_equal(path_open(root, "a", O_WRONLY, &e), -EISDIR);
	assert_int_equal(path_open(root, "new", O_RDWR | O_CREAT, &e), -EINVAL);
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	assert_int_equal(path_open(root, lengthy, O_PATH, &e), -ENAMETOOLONG);
	lengthy[300] = '\0';
	assert_int_equal(path_open(root, lengthy, O_PATH, &e), -ENAMETOOLONG);
}

static void test_open_honours_trailing_slashes(void **state)
{
	(void)state;
	assert_int_equal(path_open(root, "secret/", O_PATH, &e), -ENOTDIR);
	assert_int_equal(path_open(root, "link/", O_PATH, &e), -ENOTDIR);
	assert_same(path_open(root, "a/b/", O_PATH, &e), root, "a/b");
	assert_same(path_open(root, "dirlink/", O_PATH, &e), root, "a");
	assert_same(path_open_nofollow(root, "dirlink/", O_PATH, &e), root, "a");
	assert_same(path_open_nofollow(root, "a/b//", O_PATH, &e), root, "a/b");
}

static void test_open_nofollow_gives_the_link(void **state)
{
	(void)state;
	assert_same(path_open_nofollow(root, "link", O_PATH, &e), root, "link");
	assert_same(path_open_nofollow(root, "absolute/climb", O_PATH, &e), root, "a/b/climb");
	assert_same(path_open_nofollow(root, "loop1", O_PATH, &e), root, "loop1");
	assert_int_equal(path_open_nofollow(root, "link", O_RDONLY, &e), -ELOOP);
	assert_text(path_open_nofollow(root, "secret", O_RDONLY, &e), "inside");
}

static void test_open_follows_no_magic_link(void **state)
{
	char path[64];

	(void)state;
	auto_close int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), root);
	assert_int_equal(path_open(host, path, O_PATH, &e), -ELOOP);
	assert_int_equal(path_open(host, "/proc/self/exe", O_RDONLY, &e), -ELOOP);
	assert_int_equal(path_open(host, "/proc/self/root/etc", O_PATH, &e), -ELOOP);
	assert_int_equal(path_open(host, "/proc/self/ns/mnt", O_RDONLY, &e), -ELOOP);
	close(path_open_nofollow(host, "/proc/self/exe", O_PATH, &e));
	auto_close int status = path_open(host, "/proc/self/status", O_RDONLY, &e); /* an ordinary link */
	assert_true(status >= 0);
}

static void test_mkdir_makes_what_is_missing(void **state)
{
	struct stat st;

	(void)state;
	assert_same(path_mkdir(root, "x/y/z", 0, &e), root, "x/y/z");
	assert_int_equal(fstatat(root, "x/y", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_same(path_mkdir(root, "/x/y/one", 0700, &e), root, "x/y/one");
	assert_int_equal(fstatat(root, "x/y/one", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_same(path_mkdir(root, "x/y/z", 0, &e), root, "x/y/z");
	assert_same(path_mkdir(root, "slashes//here/", 0, &e), root, "slashes/here");
	assert_same(path_mkdir(root, "/", 0, &e), root, ".");
	assert_same(path_mkdir(root, "../../escaped", 0, &e), root, "escaped");
	assert_same(path_mkdir(root, "up/up/climbed/../level", 0, &e), root, "level");
	assert_int_equal(path_mkdir(root, "secret", 0, &e), -ENOTDIR);
	assert_int_equal(path_mkdir(root, "secret/x", 0, &e), -ENOTDIR);
	assert_int_equal(path_mkdir(root, "loop1/x", 0, &e), -ELOOP);
	assert_int_equal(path_mkdir(root, "", 0, &e), -ENOENT);
	assert_int_equal(faccessat(outside, "escaped", F_OK, 0), -1);
}

static void test_mkdir_goes_through_dangling_links(void **state)
{
	(void)state;
	assert_same(path_mkdir(root, "dangling-absolute/more", 0, &e), root, "made/by/link/more");
	assert_same(path_mkdir(root, "dangling", 0, &e), root, "nowhere/deep");
	/* a link to the host's text is made below the root */
	auto_close int fd = path_mkdir(root, "host", 0, &e);
	assert_true(fd >= 0);
	char inside[PATH_MAX];
	snprintf(inside, sizeof(inside), "%s/secret", top + 1);
	assert_same(take_fd(&fd), root, inside);
	auto_close int file = openat(outside, "secret", O_RDONLY | O_CLOEXEC);
	assert_text(take_fd(&file), "outside");
}

static void test_target_makes_files_and_directories(void **state)
{
	struct stat st;

	(void)state;
	assert_same(path_target(root, "/etc/hosts", false, &e), root, "etc/hosts");
	assert_int_equal(fstatat(root, "etc/hosts", &st, 0), 0);
	assert_true(S_ISREG(st.st_mode) && st.st_size == 0);
	assert_same(path_target(root, "/etc/conf/", false, &e), root, "etc/conf");
	assert_same(path_target(root, "/etc/hosts/", false, &e), root, "etc/hosts");
	assert_same(path_target(root, "/proc", true, &e), root, "proc");
	assert_same(path_target(root, "/dev/pts/", true, &e), root, "dev/pts");
	assert_same(path_target(root, "/", true, &e), root, ".");
	/* what is there is given, whatever was asked for */
	assert_same(path_target(root, "link", true, &e), root, "a/b/file");
	assert_same(path_target(root, "a", false, &e), root, "a");
	/* a dangling link at the end: its target, inside */
	assert_same(path_target(root, "dangling", false, &e), root, "nowhere/deep");
	char inside[PATH_MAX];
	snprintf(inside, sizeof(inside), "%s/secret", top + 1);
	assert_same(path_target(root, "host", false, &e), root, inside);
}

static void test_parent_splits_the_name_off(void **state)
{
	static const char *const bad[] = { "/", "", ".", "..", "a/..", "a/b/", "a/." };
	const char *name = "untouched";

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(path_parent(root, bad[i], true, &name, &e), -EINVAL);
		assert_string_equal(name, "untouched");
	}
	assert_same(path_parent(root, "node", false, &name, &e), root, ".");
	assert_string_equal(name, "node");
	assert_same(path_parent(root, "/node", false, &name, &e), root, ".");
	assert_same(path_parent(root, "absolute/null", false, &name, &e), root, "a/b");
	assert_string_equal(name, "null");
	assert_int_equal(path_parent(root, "dev/net/tun", false, &name, &e), -ENOENT);
	assert_same(path_parent(root, "dev/net/tun", true, &name, &e), root, "dev/net");
	assert_string_equal(name, "tun");
}

static void test_beneath_takes_no_links_and_no_way_up(void **state)
{
	static const char *const links[] = {
		"link", "dirlink/b", "up", "slash", "absolute/file", "dangling"
	};
	static const char *const ways[] = { "..", "../secret", "a/..", "a/../a", "/a", "/", "a/b/.." };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(links); i++)
		assert_int_equal(path_beneath(root, links[i], O_RDONLY, true, &e), -ELOOP);
	for (size_t i = 0; i < COUNT_OF(ways); i++)
		assert_int_equal(path_beneath(root, ways[i], O_RDONLY, true, &e), -EXDEV);
	assert_text(path_beneath(root, "a/b/file", O_RDONLY, true, &e), "inside");
	assert_text(path_beneath(root, "a//./b/file", O_RDONLY, false, &e), "inside");
	assert_same(path_beneath(root, "a/b/", O_RDONLY | O_DIRECTORY, false, &e), root, "a/b");
	assert_same(path_beneath(root, ".", O_PATH, false, &e), root, ".");
	assert_same(path_beneath(root, "link", O_PATH | O_NOFOLLOW, false, &e), root, "link");
	assert_int_equal(path_beneath(root, "secret/", O_RDONLY, false, &e), -ENOTDIR);
	assert_int_equal(path_beneath(root, "", O_RDONLY, false, &e), -ENOENT);
	assert_int_equal(path_beneath(root, "a/..b", O_RDONLY, false, &e), -ENOENT);
	assert_int_equal(path_beneath(root, "new", O_RDWR | O_CREAT, false, &e), -EINVAL);
}

static void test_beneath_stays_on_its_mount(void **state)
{
	(void)state;
	auto_close int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(path_beneath(host, "proc/version", O_RDONLY, false, &e), -EXDEV);
	auto_close int fd = path_beneath(host, "proc/version", O_RDONLY, true, &e);
	assert_true(fd >= 0);
	assert_true(path_is_on(fd, 0x9fa0));
	assert_false(path_is_on(root, 0x9fa0));
}

/* A stranger exchanges a directory with a link to the outside, over and over, until it is told to stop. */
static pid_t start_swapping(const char *one, const char *other)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		if (renameat2(root, one, root, other, RENAME_EXCHANGE) < 0)
			_exit(1);
}

static void stop_swapping(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status)); /* it did swap to the end */
}

static void test_no_race_leads_out(void **state)
{
	unsigned int opened = 0;

	(void)state;
	assert_int_equal(symlinkat("../../..", root, "a/out"), 0);
	assert_int_equal(mkdirat(root, "a/in", 0755), 0);
	put(root, "a/in/secret", "inside");
	pid_t pid = start_swapping("a/out", "a/in");
	for (int i = 0; i < 4000; i++) {
		int fd = path_open(root, i % 2 ? "a/in/secret" : "a/b/../in/secret", O_RDONLY, &e);
		if (fd < 0) /* in a directory that was just renamed: an honest answer, if rarely */
			assert_true(fd == -ENOENT || fd == -EAGAIN || fd == -ELOOP);
		else {
			assert_text(fd, "inside");
			opened++;
		}
		fd = path_mkdir(root, "a/in/made", 0, &e);
		if (fd >= 0)
			close(fd);
	}
	stop_swapping(pid);
	assert_true(opened > 1000);
	assert_int_equal(faccessat(outside, "made", F_OK, 0), -1);
}

static void test_no_race_at_the_end_leads_out(void **state)
{
	char target[PATH_MAX];

	(void)state;
	snprintf(target, sizeof(target), "%s/secret", top);
	assert_int_equal(symlinkat(target, root, "a/bait"), 0);
	put(root, "a/file", "inside");
	pid_t pid = start_swapping("a/bait", "a/file");
	for (int i = 0; i < 8000; i++) {
		int fd = path_open(root, "a/file", O_RDONLY, &e);
		if (fd >= 0)
			assert_text(fd, "inside");
		else
			assert_int_equal(fd, -ENOENT); /* the link's target, which is not in the root */
	}
	stop_swapping(pid);
}

static void test_no_race_lets_beneath_follow(void **state)
{
	(void)state;
	assert_int_equal(symlinkat("b", root, "a/alias"), 0);
	assert_int_equal(mkdirat(root, "a/real", 0755), 0);
	put(root, "a/real/file", "real");
	pid_t pid = start_swapping("a/alias", "a/real");
	for (int i = 0; i < 4000; i++) {
		int fd = path_beneath(root, "a/real/file", O_RDONLY, false, &e);
		if (fd >= 0)
			assert_text(fd, "real"); /* never what the link leads to, "inside" */
		else
			assert_true(fd == -ELOOP || fd == -ENOENT || fd == -ENOTDIR);
	}
	stop_swapping(pid);
}

static void test_normal_paths(void **state)
{
	static const char *const normal[] = { "/", "/a", "/a/b/", "/...", "/a/..b", "/.a" };
	static const char *const other[] = {
		"", "a", "//", "/a//b", "/a/.", "/./a", "/a/../b", "/..", "/a//"
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(normal); i++)
		assert_true(path_is_normal(normal[i]));
	for (size_t i = 0; i < COUNT_OF(other); i++)
		assert_false(path_is_normal(other[i]));
}

static void test_clean_paths(void **state)
{
	static const struct {
		const char *path, *clean;
	} cases[] = {
		{ "a//b/./c/../d", "a/b/d" },
		{ "/", "/" },
		{ "", "." },
		{ ".", "." },
		{ "/..", "/" },
		{ "/../../a", "/a" },
		{ "a/..", "." },
		{ "..", ".." },
		{ "../a/../..", "../.." },
		{ "a/../../b", "../b" },
		{ "/a/b/../../..", "/" },
		{ "///a///", "/a" },
		{ "/a/./", "/a" },
		{ "a/b/../../../c", "../c" },
		{ "..a/...", "..a/..." },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		auto_free char *clean = path_clean(cases[i].path);
		assert_non_null(clean);
		assert_string_equal(clean, cases[i].clean);
	}
}

static void test_no_descriptor_leaks(void **state)
{
	(void)state;
	int first = dup(0);
	close(first);
	for (int i = 0; i < 50; i++) {
		close(path_open(root, "a/b/../../slash/up/a/b", O_PATH, &e));
		path_open(root, "loop1", O_PATH, &e);
		path_open(root, "a/b/none", O_PATH, &e);
		path_open(root, "secret/", O_PATH, &e);
		close(path_mkdir(root, "leak/one/two", 0, &e));
		path_mkdir(root, "leak/../secret/x", 0, &e);
		path_beneath(root, "a/b/none", O_PATH, false, &e);
	}
	int after = dup(0);
	close(after);
	assert_int_equal(first, after);
}

/* ENOSYS to openat2, from here on. */
static void forbid_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT_OF(code), code };
	struct open_how how = { .flags = O_PATH };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("seccomp");
		_exit(99);
	}
	if (sys_openat2(AT_FDCWD, "/", &how) >= 0 || errno != ENOSYS)
		_exit(98);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int run_all(const char *how)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open_stays_inside),
		TEST(test_open_gives_the_root_itself),
		TEST(test_open_says_what_is_wrong),
		TEST(test_open_honours_trailing_slashes),
		TEST(test_open_nofollow_gives_the_link),
		TEST(test_open_follows_no_magic_link),
		TEST(test_mkdir_makes_what_is_missing),
		TEST(test_mkdir_goes_through_dangling_links),
		TEST(test_target_makes_files_and_directories),
		TEST(test_parent_splits_the_name_off),
		TEST(test_beneath_takes_no_links_and_no_way_up),
		TEST(test_beneath_stays_on_its_mount),
		TEST(test_no_race_leads_out),
		TEST(test_no_race_at_the_end_leads_out),
		TEST(test_no_race_lets_beneath_follow),
		TEST(test_no_descriptor_leaks),
		cmocka_unit_test(test_normal_paths),
		cmocka_unit_test(test_clean_paths),
	};
	return cmocka_run_group_tests_name(how, tests, NULL, NULL);
}

int main(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		forbid_openat2();
		exit(run_all("by hand") ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 99;
	int failed = run_all("openat2");
	return failed || status ? 1 : 0;
}
