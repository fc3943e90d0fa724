/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_tty.c - a terminal out of a devpts of its own; images that want something else opened get nothing
 *
 * Root trees are made below /tmp and mounted in children with a mount namespace of their own. Decoys stand
 * where a wrong step would lead; their owner and mode are looked at afterwards. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "namespaces/tty.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "tests/unit/namespaces/child.h"

static char place[32];

static int make_place(void **state)
{
	(void)state;
	strcpy(place, "/tmp/test_tty.XXXXXX");
	return mkdtemp(place) ? 0 : -1;
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

static int private_mounts(void)
{
	child_expects(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0,
		      "mount namespace");
	return 0;
}

static int mount_devpts(const char *where)
{
	child_expects(mount("devpts", where, "devpts", 0, "newinstance,ptmxmode=0666,mode=0620") == 0,
		      "mount devpts: %s", strerror(errno));
	return 0;
}

/* A root with its own devpts, in a mount namespace of its own. */
static int tree_with_devpts(void)
{
	int r = private_mounts();
	child_expects(mkdir(at("dev"), 0755) == 0 && mkdir(at("dev/pts"), 0755) == 0, "mkdir");
	return r ? r : mount_devpts(at("dev/pts"));
}

static int open_and_attach(void *arg)
{
	struct error e = { 0 };
	int master = -1, slave = -1;
	char name[64];
	struct stat st;
	struct winsize size;

	(void)arg;
	int r = tree_with_devpts();
	if (r)
		return r;
	auto_close int root = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	child_expects(tty_open(root, &master, &slave, &e) == 0, "%s", e.msg);
	child_expects(fcntl(master, F_GETFD) & fcntl(slave, F_GETFD) & FD_CLOEXEC, "not close-on-exec");
	child_expects(path_is_on(slave, DEVPTS_SUPER_MAGIC) && fstat(slave, &st) == 0 &&
			      major(st.st_rdev) == 136,
		      "slave");
	/* It is the first one of this devpts, not one of the host's. */
	child_expects(minor(st.st_rdev) == 0 && stat(at("dev/pts/0"), &st) == 0,
		      "not in the container's devpts");
	child_expects(tty_set_size(master, 24, 80, &e) == 0 && tty_set_size(master, 0, 0, &e) == 0, "%s",
		      e.msg);
	child_expects(ioctl(slave, TIOCGWINSZ, &size) == 0 && size.ws_row == 24 && size.ws_col == 80, "size");
	child_expects(tty_give(slave, 4711, &e) == 0, "%s", e.msg);
	child_expects(fstat(slave, &st) == 0 && st.st_uid == 4711, "owner");
	child_expects(tty_attach(slave, &e) == 0, "%s", e.msg);
	child_expects(getsid(0) == getpid() && tcgetpgrp(0) == getpid(), "controlling terminal");
	child_expects(isatty(0) && isatty(1) && isatty(2), "stdio");
	child_expects(!(fcntl(0, F_GETFD) | fcntl(1, F_GETFD) | fcntl(2, F_GETFD)), "stdio closes on exec");
	child_expects(chroot(place) == 0 && ttyname_r(0, name, sizeof(name)) == 0 &&
			      str_eq(name, "/dev/pts/0"),
		      "ttyname %s", name);
	return 0;
}

static void test_a_terminal_of_the_containers_own(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(open_and_attach, NULL), 0);
}

/* ---- hostile images ---- */

static int check_refused(const char *want)
{
	int master = -1, slave = -1;
	struct error e = { 0 };

	auto_close int root = open(at("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = tty_open(root, &master, &slave, &e);
	child_expects(r < 0, "a terminal was opened");
	child_expects(master == -1 && slave == -1, "descriptors were given");
	child_expects(strstr(e.msg, want), "%s", e.msg);
	return 0;
}

/* The decoy is a whole /dev with a devpts, beside the root: the host's as it were. */
static int make_decoy(void)
{
	int r = private_mounts();

	child_expects(mkdir(at("decoy"), 0755) == 0 && mkdir(at("decoy/pts"), 0755) == 0 &&
			      mkdir(at("root"), 0755) == 0,
		      "mkdir");
	return r ? r : mount_devpts(at("decoy/pts"));
}

static int dev_is_a_link(void *arg)
{
	(void)arg;
	int r = make_decoy();
	child_expects(symlink("../decoy", at("root/dev")) == 0, "symlink");
	return r ? r : check_refused("/dev/pts");
}

static int pts_is_a_link(void *arg)
{
	(void)arg;
	int r = make_decoy();
	child_expects(mkdir(at("root/dev"), 0755) == 0 && symlink(at("decoy/pts"), at("root/dev/pts")) == 0,
		      "symlink");
	return r ? r : check_refused("/dev/pts");
}

static int ptmx_is_a_link(void *arg)
{
	(void)arg;
	int r = make_decoy();
	child_expects(mkdir(at("root/dev"), 0755) == 0 && mkdir(at("root/dev/pts"), 0755) == 0 &&
			      symlink(at("decoy/pts/ptmx"), at("root/dev/pts/ptmx")) == 0,
		      "symlink");
	return r ? r : check_refused("not a devpts");
}

static int ptmx_is_a_device_of_the_image(void *arg)
{
	(void)arg;
	int r = private_mounts();
	child_expects(mkdir(at("root"), 0755) == 0 && mkdir(at("root/dev"), 0755) == 0 &&
			      mkdir(at("root/dev/pts"), 0755) == 0 &&
			      mknod(at("root/dev/pts/ptmx"), S_IFCHR | 0666, makedev(5, 2)) == 0,
		      "mknod");
	return r ? r : check_refused("not a devpts");
}

/* A mount over ptmx: null stands for any device. */
static int ptmx_is_covered(void *arg)
{
	(void)arg;
	int r = private_mounts();
	child_expects(mkdir(at("root"), 0755) == 0 && mkdir(at("root/dev"), 0755) == 0 &&
			      mkdir(at("root/dev/pts"), 0755) == 0,
		      "mkdir");
	r = r ? r : mount_devpts(at("root/dev/pts"));
	child_expects(mount("/dev/null", at("root/dev/pts/ptmx"), NULL, MS_BIND, NULL) == 0, "bind");
	return r ? r : check_refused("ptmx");
}

static void test_images_cannot_choose_what_is_opened(void **state)
{
	int (*const cases[])(void *) = { dev_is_a_link, pts_is_a_link, ptmx_is_a_link,
					 ptmx_is_a_device_of_the_image, ptmx_is_covered };

	need_root();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (i)
			assert_int_equal(make_place(state), 0);
		if (in_child(cases[i], NULL) != 0)
			fail_msg("case %zu", i);
		if (i + 1 < COUNT_OF(cases))
			assert_int_equal(remove_place(state), 0);
	}
}

/* CVE-2026-88265. */
static void test_only_terminals_change_their_owner(void **state)
{
	struct error e = { 0 };
	struct stat before, after;

	(void)state;
	auto_close int file = open(at("decoy"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[] = { file, null };
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		assert_int_equal(fstat(fds[i], &before), 0);
		int r = tty_give(fds[i], before.st_uid,
				 &e); /* to whom it belongs: a missing guard does no harm */
		assert_int_equal(r, -ENOTTY);
		assert_int_equal(fstat(fds[i], &after), 0);
		assert_true(before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
			    before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
	}
}

/* ---- the console socket ---- */

static void test_the_master_goes_over_the_console_socket(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct error e = { 0 };
	struct stat sent, got;
	char name[64];
	int passed = -1;

	(void)state;
	strcpy(sa.sun_path, at("console"));
	auto_close int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)) | listen(listener, 1), 0);
	auto_close int sock = tty_console_connect(sa.sun_path, &e);
	assert_true(sock >= 0);
	auto_close int engine = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	auto_close int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(tty_console_send(sock, fd, &e), 0);
	assert_true(fd_receive(engine, name, sizeof(name), &passed, &e) > 0);
	assert_true(passed >= 0 && fstat(passed, &got) == 0 && fstat(fd, &sent) == 0);
	assert_true(got.st_rdev == sent.st_rdev && got.st_ino == sent.st_ino);
	close(passed);
	assert_true(tty_console_connect(at("nothing"), &e) < 0);
	assert_true(str_starts(e.msg, "console socket: "));
}

#define in_place(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_place(test_a_terminal_of_the_containers_own),
		in_place(test_images_cannot_choose_what_is_opened),
		in_place(test_only_terminals_change_their_owner),
		in_place(test_the_master_goes_over_the_console_socket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
