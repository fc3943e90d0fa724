/* SPDX-License-Identifier: GPL-2.0-or-later */
/* masked.c - masked and read-only paths
 *
 * In INIT, before pivot_root. Files are covered by the host's null device, from a handle that was verified
 * before any path of the container was looked at (CVE-2025-31133); directories by copies of one empty
 * read-only tmpfs: a superblock for each is what nodes with many CPUs have paid for dearly. A path that is
 * not there needs no cover. Read-only paths get a read-only copy of what is mounted there.
 * Spec: config-linux.md, "Masked Paths", "Readonly Paths". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "namespaces/mount.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/path.h"
#include "runtime/base/sys.h"

int masked_empty(struct rootfs *r, struct error *e)
{
	static char one_inode[] = "nr_inodes=1";
	char *data[] = { one_inode, NULL };
	struct mountopts o = {
		.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		.data = data,
		.n_data = 1,
	};

	if (r->empty >= 0)
		return mount_clone(r->empty, "", false, e);
	auto_close int mount = mount_new("tmpfs", "tmpfs", &o, e);
	if (mount < 0)
		return mount;
	int copy = fcntl(mount, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return fail(e, errno, "duplicate a handle");
	r->empty = take_fd(&mount);
	return copy;
}

/* An O_PATH handle of what is to be covered; -ENOENT if it is not there. */
static int open_path(const struct rootfs *r, const char *path, struct error *e)
{
	int fd = path_open(r->root, path, O_PATH, e);
	return fd == -ENOTDIR ? -ENOENT : fd;
}

static int mask(struct rootfs *r, const char *path, struct error *e)
{
	struct stat st;

	auto_close int target = open_path(r, path, e);
	if (target < 0)
		return target == -ENOENT ? 0 : target;
	if (fstat(target, &st) < 0)
		return fail(e, errno, "stat");
	auto_close int cover = S_ISDIR(st.st_mode) ? masked_empty(r, e) : mount_clone(r->null, "", false, e);
	return cover < 0 ? cover : mount_attach(cover, target, e);
}

static int make_readonly(struct rootfs *r, const char *path, struct error *e)
{
	auto_close int target = open_path(r, path, e);
	if (target < 0)
		return target == -ENOENT ? 0 : target;
	auto_close int cover = mount_clone(target, "", true, e);
	if (cover < 0)
		return cover;
	int ret = mount_change(cover, MOUNT_ATTR_RDONLY, 0, 0, true, e);
	return ret < 0 ? ret : mount_attach(cover, target, e);
}

static int each(struct rootfs *r, char *const *paths, const char *what,
		int (*cover)(struct rootfs *, const char *, struct error *), struct error *e)
{
	if (paths && paths[0] && !r->new_ns)
		return refuse(e, EINVAL, "linux.%s: the config lists no mount namespace", what);
	for (size_t i = 0; paths && paths[i]; i++)
		if (cover(r, paths[i], e) < 0)
			return prefix(e, "linux.%s: %s", what, paths[i]);
	return 0;
}

int masked_mount(struct rootfs *r, struct error *e)
{
	return each(r, r->spec->masked_paths, "maskedPaths", mask, e);
}

int readonly_mount(struct rootfs *r, struct error *e)
{
	return each(r, r->spec->readonly_paths, "readonlyPaths", make_readonly, e);
}
