/* SPDX-License-Identifier: GPL-2.0-or-later */
/* enter.c - open, join and make namespaces, as planned
 *
 * Namespaces are opened by RUNTIME, joined by SETUP or INIT or exec's process. Whoever joins is made
 * non-dumpable first: a process inside could trace us as soon as it sees us and use our descriptors
 * (CVE-2016-9962). The pid namespace comes last for the same reason. */
#include "namespaces/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

/* Mount late: until then paths are the host's. Pid last. The user namespace has its own place, see ns_join.
 */
static const enum ns_kind join_order[] = { NS_NETWORK, NS_IPC, NS_UTS, NS_CGROUP, NS_TIME, NS_MOUNT, NS_PID };

static int open_namespace(enum ns_kind kind, const char *path, struct error *e)
{
	/* Non-blocking: a fifo by mistake must not hang us. */
	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open %s namespace %s", ns_types[kind].oci, path);
	int type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0)
		return refuse(e, EINVAL, "%s namespace %s: not a namespace", ns_types[kind].oci, path);
	if (type != ns_types[kind].flag)
		return refuse(e, EINVAL, "%s namespace %s: a namespace of another kind", ns_types[kind].oci,
			      path);
	return take_fd(&fd);
}

int ns_open_joined(const struct ns_plan *p, int fds[static NS_KIND_MAX], struct error *e)
{
	for (int k = 0; k < NS_KIND_MAX; k++)
		fds[k] = -1;
	for (int k = 0; k < NS_KIND_MAX; k++) {
		if (!p->join[k])
			continue;
		int fd = open_namespace((enum ns_kind)k, p->join[k], e);
		if (fd < 0) {
			ns_close_joined(fds);
			return fd;
		}
		fds[k] = fd;
	}
	return 0;
}

void ns_close_joined(int fds[static NS_KIND_MAX])
{
	for (int k = 0; k < NS_KIND_MAX; k++)
		replace_fd(&fds[k], -1);
}

int ns_hide_self(struct error *e)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(e, errno, "prctl PR_SET_DUMPABLE");
	return 0;
}

static int join_one(const int fds[static NS_KIND_MAX], enum ns_kind kind, struct error *e)
{
	if (setns(fds[kind], ns_types[kind].flag) < 0)
		return fail(e, errno, "join %s namespace", ns_types[kind].oci);
	return 0;
}

/* The kernel refuses (EINVAL) to enter the user namespace one is in. */
static bool is_own_user_namespace(int fd)
{
	struct stat theirs, ours;
	return fstat(fd, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 &&
	       theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

static int join_user(const int fds[static NS_KIND_MAX], struct error *e)
{
	if (setns(fds[NS_USER], CLONE_NEWUSER) == 0)
		return 0;
	int errnum = errno;
	if (errnum == EINVAL && is_own_user_namespace(fds[NS_USER]))
		return 0;
	return fail(e, errnum, "join user namespace");
}

/* Join the kinds of `mask` in order; with `ret_left`, those that our rights do not reach are left for later.
 */
static int join_kinds(const int fds[static NS_KIND_MAX], unsigned int mask, unsigned int *ret_left,
		      struct error *e)
{
	unsigned int left = 0;

	for (size_t i = 0; i < COUNT_OF(join_order); i++) {
		enum ns_kind kind = join_order[i];
		if (!(mask & NS_BIT(kind)) || fds[kind] < 0)
			continue;
		int r = join_one(fds, kind, e);
		if (r == -EPERM && ret_left) {
			left |= NS_BIT(kind);
			continue;
		}
		if (r < 0)
			return r;
	}
	if (ret_left)
		*ret_left = left;
	return 0;
}

int ns_join(const int fds[static NS_KIND_MAX], unsigned int kinds, struct error *e)
{
	bool user = (kinds & NS_BIT(NS_USER)) && fds[NS_USER] >= 0;
	unsigned int left = 0;
	struct error later = { 0 };

	int r = ns_hide_self(e);
	if (r < 0)
		return r;
	if (!user)
		return join_kinds(fds, kinds, NULL, e);
	r = join_kinds(fds, kinds, &left, &later);
	if (r < 0) {
		*e = later;
		return r;
	}
	r = join_user(fds, e);
	if (r < 0 || !left)
		return r;
	return join_kinds(fds, left, NULL, e);
}

int ns_join_process(int pidfd, uint64_t flags, struct error *e)
{
	int r = ns_hide_self(e);
	if (r < 0)
		return r;
	if (flags && setns(pidfd, (int)flags) < 0)
		return fail(e, errno, "join the container's namespaces");
	return 0;
}

int ns_unshare(uint64_t flags, struct error *e)
{
	if (unshare((int)flags) == 0)
		return 0;
	int errnum = errno;
	for (int k = 0; k < NS_KIND_MAX; k++)
		if (flags == (uint64_t)ns_types[k].flag)
			return fail(e, errnum, "make a new %s namespace", ns_types[k].oci);
	return fail(e, errnum, "unshare namespaces %#llx", (unsigned long long)flags);
}
