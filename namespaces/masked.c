/* SPDX-License-Identifier: GPL-2.0-or-later */
/* masked.c - masked and read-only paths
 *
 * In INIT, before pivot_root. Files are covered by the host's null device, from a handle that was verified
 * before any path of the container was looked at (CVE-2025-31133); directories by copies of one empty
 * read-only tmpfs: a superblock for each is what nodes with many CPUs have paid for dearly. A path that is
 * not there needs no cover. Read-only paths get a read-only copy of what is mounted there.
 * Spec: config-linux.md, "Masked Paths", "Readonly Paths". */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "namespaces/mount.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"
#include "runtime/base/sys.h"

/* Put the empty directory there: first itself, then copies (only what is attached can be copied). */
static int mask_directory(struct rootfs *r, const struct place *p, struct error *e)
{
	static char one_inode[] = "nr_inodes=1";
	char *data[] = { one_inode, NULL };
	struct mountopts o = {
		.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		.data = data,
		.n_data = 1,
	};

	auto_close int cover = r->empty >= 0 ? mount_clone(r->empty, "", false, e)
					     : mount_new("tmpfs", "tmpfs", &o, e);
	if (cover < 0)
		return cover;
	int ret = mount_attach(cover, p->dir, p->name, e);
	if (ret == 0 && r->empty < 0)
		r->empty = take_fd(&cover);
	return ret;
}

static int mask_file(struct rootfs *r, const struct place *p, struct error *e)
{
	if (r->null_is_loose) {
		r->null_is_loose = false;
		return mount_attach(r->null, p->dir, p->name, e);
	}
	auto_close int cover = mount_clone(r->null, "", false, e);
	return cover < 0 ? cover : mount_attach(cover, p->dir, p->name, e);
}

/* What is there, links followed inside the root; -ENOENT if nothing is. */
static int find(const struct rootfs *r, const char *path, struct place *ret, mode_t *ret_mode,
		struct error *e)
{
	struct stat st;

	if (place_find(r, path, ret)) {
		if (fstatat(ret->dir, ret->name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
			return fail(e, errno, "stat");
		*ret_mode = st.st_mode;
		if (!S_ISLNK(st.st_mode))
			return 0;
	}
	auto_close int fd = path_open(r->root, path, O_PATH, e);
	if (fd < 0)
		return fd == -ENOTDIR ? -ENOENT : fd;
	if (fstat(fd, &st) < 0)
		return fail(e, errno, "stat");
	*ret_mode = st.st_mode;
	*ret = (struct place){ .dir = fd, .name = "", .opened = fd };
	take_fd(&fd);
	return 0;
}

static int mask(struct rootfs *r, const char *path, struct error *e)
{
	auto_place struct place p = { .opened = -1 };
	mode_t mode;

	int ret = find(r, path, &p, &mode, e);
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	return S_ISDIR(mode) ? mask_directory(r, &p, e) : mask_file(r, &p, e);
}

static int make_readonly(struct rootfs *r, const char *path, struct error *e)
{
	auto_place struct place p = { .opened = -1 };
	mode_t mode;

	int ret = find(r, path, &p, &mode, e);
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	auto_close int cover = mount_clone(p.dir, p.name, true, e);
	if (cover < 0)
		return cover;
	ret = mount_change(cover, MOUNT_ATTR_RDONLY, 0, 0, true, e);
	return ret < 0 ? ret : mount_attach(cover, p.dir, p.name, e);
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

int rootfs_cover(struct rootfs *r, int (*enter)(void *arg, struct error *e), void *arg, struct error *e)
{
	auto_close int null = open("/dev/null", O_PATH | O_CLOEXEC);
	if (null < 0 || !fd_is_null(null))
		return refuse(e, ENODEV, "/dev/null is not the null device");
	r->null = mount_clone(null, "", false, e);
	if (r->null < 0)
		return r->null;
	r->null_is_loose = true;
	int ret = mount_change(r->null, 0, 0, MS_PRIVATE, false, e);
	if (ret == 0)
		ret = enter(arg, e);
	if (ret < 0)
		return ret;
	r->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->root < 0)
		return fail(e, errno, "open the container's root");
	ret = masked_mount(r, e);
	return ret == 0 ? readonly_mount(r, e) : ret;
}
