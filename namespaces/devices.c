/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devices.c - device nodes, the links of /dev, /dev/console
 *
 * In INIT, before pivot_root. All of it works from a handle of the container's /dev, which is no link
 * (CVE-2026-41579), and never follows a link at the last component. Where nodes cannot be made (in a user
 * namespace, without CAP_MKNOD) the host's node is bound over an empty file, after its numbers were compared;
 * it keeps the host's mode and owner then. Somebody else's /dev, bound from the host, is left as it is.
 * Spec: config-linux.md, "Devices", "Default Devices"; runtime-linux.md, "Dev symbolic links". */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "namespaces/mount.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

static const struct spec_device default_devices[] = {
	{ "/dev/null", 'c', 1, 3, 0666, 0, 0 },	   { "/dev/zero", 'c', 1, 5, 0666, 0, 0 },
	{ "/dev/full", 'c', 1, 7, 0666, 0, 0 },	   { "/dev/random", 'c', 1, 8, 0666, 0, 0 },
	{ "/dev/urandom", 'c', 1, 9, 0666, 0, 0 }, { "/dev/tty", 'c', 5, 0, 0666, 0, 0 },
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },
};

static mode_t device_format(const struct spec_device *d)
{
	return d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
}

static bool is_device(const struct stat *st, const struct spec_device *d)
{
	if ((st->st_mode & S_IFMT) != device_format(d))
		return false;
	return d->type == 'p' || st->st_rdev == makedev((unsigned int)d->major, (unsigned int)d->minor);
}

/* What is at `name`, a link itself if it is one; stat in *ret. */
static int open_node(int dir, const char *name, struct stat *ret, struct error *e)
{
	auto_close int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open");
	if (fstat(fd, ret) < 0)
		return fail(e, errno, "stat");
	return take_fd(&fd);
}

static int give_to(int dir, const char *name, const struct spec_device *d, struct error *e)
{
	struct stat st;

	if (!d->uid && !d->gid)
		return 0;
	auto_close int fd = open_node(dir, name, &st, e);
	if (fd < 0)
		return fd;
	if (!is_device(&st, d))
		return refuse(e, EEXIST, "was changed while it was made");
	if (fchownat(fd, "", d->uid, d->gid, AT_EMPTY_PATH) < 0)
		return fail(e, errno, "chown");
	return 0;
}

/* The umask is 0 here: the node's mode is the config's. */
static int make_node(int dir, const char *name, const struct spec_device *d, struct error *e)
{
	struct stat st;
	dev_t number = d->type == 'p' ? 0 : makedev((unsigned int)d->major, (unsigned int)d->minor);

	if (mknodat(dir, name, device_format(d) | (d->mode & 07777), number) == 0)
		return give_to(dir, name, d, e);
	if (errno != EEXIST)
		return fail(e, errno, "mknod");
	auto_close int fd = open_node(dir, name, &st, e);
	if (fd < 0)
		return fd;
	return is_device(&st, d) ? 0 : refuse(e, EEXIST, "something else is there already");
}

/* A file to mount something on; an existing one will do unless it is a link. */
static int make_mount_file(int dir, const char *name, struct error *e)
{
	struct stat st;

	if (mknodat(dir, name, S_IFREG | 0644, 0) < 0 && errno != EEXIST)
		return fail(e, errno, "make a file to mount on");
	auto_close int fd = open_node(dir, name, &st, e);
	if (fd < 0)
		return fd;
	if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
		return refuse(e, EEXIST, "is a %s: nothing is mounted on it",
			      S_ISLNK(st.st_mode) ? "symbolic link" : "directory");
	return take_fd(&fd);
}

static int bind_node(int dir, const char *name, const struct spec_device *d, struct error *e)
{
	struct stat st;

	auto_close int target = make_mount_file(dir, name, e);
	if (target < 0)
		return target;
	auto_close int mount = mount_clone(AT_FDCWD, d->path, false, e);
	if (mount < 0)
		return prefix(e, "the host's");
	if (fstat(mount, &st) < 0)
		return fail(e, errno, "stat the host's");
	if (!is_device(&st, d))
		return refuse(e, ENODEV, "the host's is another device than %c %lld:%lld", d->type,
			      (long long)d->major, (long long)d->minor);
	int r = mount_change(mount, 0, 0, MS_PRIVATE, false, e);
	return r < 0 ? r : mount_attach(mount, target, "", e);
}

/* Where a device goes: below /dev from its handle, else from the root. */
static int find_place(const struct rootfs *r, const char *path, struct place *ret, struct error *e)
{
	if (place_find(r, path, ret))
		return 0;
	bool below_dev = str_starts(path, "/dev/");
	int fd = path_parent(below_dev ? r->dev : r->root, below_dev ? path + strlen("/dev/") : path, true,
			     &ret->name, e);
	ret->dir = ret->opened = fd;
	return fd < 0 ? fd : 0;
}

static int make_device(const struct rootfs *r, const struct spec_device *d, struct error *e)
{
	auto_place struct place p = { .opened = -1 };

	int ret = find_place(r, d->path, &p, e);
	if (ret == 0)
		ret = r->user_ns && d->type != 'p' ? -EPERM : make_node(p.dir, p.name, d, e);
	if (ret == -EPERM && p.dir >= 0 && d->type != 'p')
		ret = bind_node(p.dir, p.name, d, e);
	return ret < 0 ? prefix(e, "device %s", d->path) : 0;
}

static bool is_listed(const struct spec *s, const char *path)
{
	for (size_t i = 0; i < s->n_devices; i++)
		if (str_eq(s->devices[i].path, path))
			return true;
	return false;
}

static int make_devices(const struct rootfs *r, struct error *e)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < COUNT_OF(default_devices); i++)
		if (!is_listed(r->spec, default_devices[i].path))
			ret = make_device(r, &default_devices[i], e);
	for (size_t i = 0; ret == 0 && i < r->spec->n_devices; i++)
		ret = make_device(r, &r->spec->devices[i], e);
	return ret;
}

/* What an image brings along under these names stays. */
static int make_links(const struct rootfs *r, struct error *e)
{
	for (size_t i = 0; i < COUNT_OF(links); i++)
		if (symlinkat(links[i].target, r->dev, links[i].name) < 0 && errno != EEXIST)
			return fail(e, errno, "make the link /dev/%s", links[i].name);
	return 0;
}

/* The handle of the container's /dev: of what was mounted there, else of the root's own directory. If
 * something else is there it came by another name, through a link, and is not ours to make nodes in. */
static int open_dev(struct rootfs *r, struct error *e)
{
	if (r->dev >= 0)
		return 0;
	if (mkdirat(r->root, "dev", 0755) < 0 && errno != EEXIST)
		return fail(e, errno, "make /dev");
	int fd = path_beneath(r->root, "dev", O_PATH | O_DIRECTORY, false, e);
	if (fd == -ELOOP || fd == -ENOTDIR || fd == -EXDEV)
		return refuse(e, -fd, "/dev must be a directory of the root or a mount of its own");
	if (fd < 0)
		return fd;
	r->dev = fd;
	return 0;
}

int rootfs_devices(struct rootfs *r, struct error *e)
{
	mode_t umask_before = umask(0);
	int ret = 0;

	if (r->new_ns && !r->dev_is_bind) {
		ret = open_dev(r, e);
		if (ret == 0)
			ret = make_devices(r, e);
		if (ret == 0)
			ret = make_links(r, e);
	}
	umask(umask_before);
	return ret;
}

int rootfs_console(struct rootfs *r, int tty, struct error *e)
{
	int ret = open_dev(r, e);
	if (ret < 0)
		return ret;
	auto_close int target = make_mount_file(r->dev, "console", e);
	if (target < 0)
		return prefix(e, "/dev/console");
	auto_close int mount = mount_clone(tty, "", false, e);
	if (mount < 0)
		return prefix(e, "terminal at /dev/console");
	ret = mount_change(mount, 0, 0, MS_PRIVATE, false, e);
	if (ret == 0)
		ret = mount_attach(mount, target, "", e);
	return ret < 0 ? prefix(e, "terminal at /dev/console") : 0;
}
