/* SPDX-License-Identifier: GPL-2.0-or-later */
/* open.c - handles of network namespaces, and going over */
#include "netns/open.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/path.h"
#include "runtime/base/sys.h"

int netns_open_path(const char *path, struct error *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return fail(e, errno, "open network namespace %s", path);
	if (!path_is_on(fd, NSFS_MAGIC) || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return refuse(e, EINVAL, "%s: not a network namespace", path);
	return take_fd(&fd);
}

int netns_open_self(struct error *e)
{
	return netns_open_path("/proc/self/ns/net", e);
}

int netns_open_pid(pid_t pid, struct error *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return netns_open_path(path, e);
}

int netns_visit(int netns, int *ret_home, struct error *e)
{
	if (netns < 0) {
		*ret_home = -1;
		return 0;
	}
	auto_close int home = netns_open_self(e);
	if (home < 0)
		return home;
	if (setns(netns, CLONE_NEWNET) < 0)
		return fail(e, errno, "enter network namespace");
	*ret_home = take_fd(&home);
	return 0;
}

int netns_leave(int home, struct error *e)
{
	auto_close int owned = home;

	if (home >= 0 && setns(home, CLONE_NEWNET) < 0)
		return fail(e, errno, "return to the own network namespace");
	return 0;
}

int netns_make(struct error *e)
{
	auto_close int home = netns_open_self(e);
	if (home < 0)
		return home;
	if (unshare(CLONE_NEWNET) < 0)
		return fail(e, errno, "make network namespace");
	auto_close int made = netns_open_self(e);
	int r = netns_leave(take_fd(&home), e);
	if (made < 0 || r < 0)
		return made < 0 ? made : r;
	return take_fd(&made);
}

bool netns_is_same(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}
