/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network_hosts.c - a running container was connected or disconnected: it sees another hosts file from now on
 *
 * There is one file for each set of switches (netns/names.h), mounted at the container's /etc/hosts; another
 * set is another file. What is at /etc/hosts is ours to exchange only if it is the file that we mounted there:
 * that is looked at through the handle that the new mount goes to, in the container's mount namespace, by a
 * child that never comes back from there. Linux 6.5 puts the new mount beneath the old one and takes that
 * away: there is no moment without. Before, the old one goes first. */
#include "runtime/network.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "namespaces/mount.h"
#include "namespaces/plan.h"
#include "netns/names.h"
#include "netns/switch.h"
#include "runtime/base/path.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define PLACE "/etc/hosts"

int network_hosts_file(const struct network *n, char *buf, size_t size, struct error *e)
{
	const char *names[NET_PORTS_MAX];

	for (size_t i = 0; i < n->n_ports; i++)
		names[i] = n->ports[i].switch_name;
	return names_file(names, n->n_ports, buf, size) < 0
		       ? refuse(e, ENAMETOOLONG, "too many switches for one hosts file")
		       : 0;
}

static int clone_file(const struct switch_place *p, const char *file, struct error *e)
{
	char path[PATH_MAX];

	if (str_format(path, sizeof(path), "%s/%s", p->hosts_path, file) < 0)
		return fail(e, ENAMETOOLONG, "hosts file");
	auto_close int mount = mount_clone(AT_FDCWD, path, false, e);
	if (mount < 0)
		return mount;
	int r = mount_change(mount,
			     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0,
			     0, false, e);
	return r < 0 ? r : take_fd(&mount);
}

/* ---- in the container's mount namespace ---- */

static int move_onto(int mount, int root, unsigned int flags)
{
	struct error ignored;

	auto_close int target = path_open(root, PLACE, O_PATH, &ignored);
	if (target < 0)
		return target;
	return sys_move_mount(mount, "", target, "",
			      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | flags) < 0
		       ? -errno
		       : 0;
}

static int take_away(int root)
{
	const char *name;
	struct error ignored;

	auto_close int parent = path_parent(root, PLACE, false, &name, &ignored);
	if (parent < 0 || fchdir(parent) < 0)
		return -errno;
	return umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

/* 1: exchanged. 0: what is there is not ours. */
static int exchange(int mount, const struct stat *old, struct error *e)
{
	struct stat there;

	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int target = root < 0 ? -1 : path_open(root, PLACE, O_PATH, e);
	if (target < 0 || fstat(target, &there) < 0 || there.st_dev != old->st_dev ||
	    there.st_ino != old->st_ino)
		return 0;
	if (move_onto(mount, root, MOVE_MOUNT_BENEATH) == 0)
		return take_away(root) < 0 ? fail(e, errno, "take the old " PLACE " away") : 1;
	if (take_away(root) < 0 || move_onto(mount, root, 0) < 0)
		return fail(e, errno, "mount " PLACE);
	return 1;
}

static int exchange_inside(int pidfd, int mount, const struct stat *old, struct error *e)
{
	int status = 0;

	pid_t pid = fork();
	if (pid < 0)
		return fail(e, errno, "fork");
	if (pid == 0) {
		struct error why;
		int r = ns_hide_self(&why);
		if (r == 0 && setns(pidfd, CLONE_NEWNS) < 0)
			r = -1;
		_exit(r < 0 || exchange(mount, old, &why) < 0);
	}
	int r = proc_wait(pid, &status, e);
	if (r == 0 && status != 0)
		r = refuse(e, EIO, "the container's " PLACE " could not be exchanged");
	return r;
}

int network_hosts_follow(const struct network_of *of, const struct network *before,
			 const struct network *after, int pidfd, struct error *e)
{
	char old_file[NAME_MAX + 1], new_file[NAME_MAX + 1];
	struct switch_place place = SWITCH_PLACE_INIT;
	struct stat old;

	if (!before->hosts)
		return 0;
	int r = network_hosts_file(before, old_file, sizeof(old_file), e);
	if (r == 0)
		r = network_hosts_file(after, new_file, sizeof(new_file), e);
	if (r < 0 || str_eq(old_file, new_file))
		return r;
	r = switch_place_open(of->switch_dir, true, &place, e);
	if (r == 0)
		r = names_ensure(place.switches, place.hosts, new_file, e);
	if (r >= 0 && fstatat(place.hosts, old_file, &old, AT_SYMLINK_NOFOLLOW) == 0) {
		auto_close int mount = clone_file(&place, new_file, e);
		r = mount < 0 ? mount : exchange_inside(pidfd, mount, &old, e);
	}
	switch_place_done(&place);
	return r < 0 ? r : 0;
}
