/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tty.c - the container's terminal: a pty from its own devpts, by handle
 *
 * The container's image must not decide what is opened here: /dev/pts is opened without following links, seen
 * to be a devpts, and the slave comes from the master itself (TIOCGPTPEER, Linux 4.13), never by a path that
 * could be swapped (CVE-2025-52565). Only a terminal changes its owner (CVE-2026-88265). */
#include "namespaces/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* Unix98 pty slaves have majors 136 to 143. */
#define PTS_MAJOR_FIRST 136
#define PTS_MAJOR_LAST	143

static bool is_ptmx(int fd)
{
	struct stat st;
	return path_is_on(fd, DEVPTS_SUPER_MAGIC) && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(5, 2);
}

static bool is_pts(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) >= PTS_MAJOR_FIRST &&
	       major(st.st_rdev) <= PTS_MAJOR_LAST;
}

static int open_master(int root, struct error *e)
{
	auto_close int pts = path_beneath(root, "dev/pts", O_PATH | O_DIRECTORY, true, e);
	if (pts < 0)
		return prefix(e, "the container has no /dev/pts for a terminal");
	if (!path_is_on(pts, DEVPTS_SUPER_MAGIC))
		return refuse(e, ENODEV, "no terminal: the container's /dev/pts is not a devpts");
	auto_close int master = openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (master < 0)
		return fail(e, errno, "open the container's /dev/pts/ptmx");
	if (!is_ptmx(master))
		return refuse(e, ENODEV,
			      "no terminal: the container's /dev/pts/ptmx is not what it should be");
	return take_fd(&master);
}

int tty_open(int root, int *ret_master, int *ret_slave, struct error *e)
{
	int unlock = 0;

	auto_close int master = open_master(root, e);
	if (master < 0)
		return master;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return fail(e, errno, "unlock the terminal");
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return fail(e, errno, "open the terminal's slave");
	*ret_slave = slave;
	*ret_master = take_fd(&master);
	return 0;
}

int tty_set_size(int master, uint16_t height, uint16_t width, struct error *e)
{
	const struct winsize size = { .ws_row = height, .ws_col = width };

	if (!height && !width)
		return 0;
	if (ioctl(master, TIOCSWINSZ, &size) < 0)
		return fail(e, errno, "set the terminal's size");
	return 0;
}

int tty_give(int slave, uint32_t uid, struct error *e)
{
	if (!is_pts(slave))
		return refuse(e, ENOTTY, "not a terminal: its owner stays");
	if (fchown(slave, uid, (gid_t)-1) < 0)
		return fail(e, errno, "give the terminal to user %u", uid);
	return 0;
}

int tty_attach(int slave, struct error *e)
{
	if (setsid() < 0 && errno != EPERM) /* EPERM: we lead a session, or a process group */
		return fail(e, errno, "setsid");
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return fail(e, errno, "take the terminal as controlling terminal");
	for (int fd = 0; fd <= 2; fd++)
		if (fd != slave && dup2(slave, fd) < 0)
			return fail(e, errno, "dup2");
	return 0;
}

int tty_console_connect(const char *path, struct error *e)
{
	int sock = fd_unix_connect(AT_FDCWD, path, SOCK_STREAM, e);
	return sock < 0 ? prefix(e, "console socket") : sock;
}

int tty_console_send(int sock, int master, struct error *e)
{
	static const char name[] = "/dev/ptmx"; /* receivers want a text and ignore it */

	int r = fd_send(sock, name, sizeof(name) - 1, master, e);
	return r < 0 ? prefix(e, "console socket") : 0;
}
