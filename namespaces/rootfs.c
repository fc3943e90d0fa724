/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rootfs.c - turn the bundle's root directory into the container's "/": open, pivot, seal
 *
 * In INIT, after its mount namespace exists and before any privilege is dropped. Propagation first, or our
 * mounts leak to the host; what is masked, before pivot_root, for after it nothing of the host is left to
 * make it of; the root read-only last, for mount points are made in it, but through its handle, never through
 * a path that the container's files could lead elsewhere (CVE-2026-115521). Spec: config.md, "Root";
 * config-linux.md, "Rootfs Mount Propagation". */
#include "namespaces/rootfs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "namespaces/bind.h"
#include "namespaces/mount.h"
#include "namespaces/mountinfo.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

/* rootfsPropagation; with an "r" in front for all mounts below, as engines write it. */
static const struct propagation {
	const char *name;
	uint64_t flag;
} propagations[] = {
	{ "shared", MS_SHARED },
	{ "slave", MS_SLAVE },
	{ "private", MS_PRIVATE },
	{ "unbindable", MS_UNBINDABLE },
};

/* 0: the config does not say. */
static uint64_t root_propagation(const struct spec *s, bool *ret_recursive)
{
	const char *name = s->rootfs_propagation;

	for (size_t i = 0; name && i < COUNT_OF(propagations); i++) {
		*ret_recursive = !str_eq(name, propagations[i].name);
		if (str_eq(name + *ret_recursive, propagations[i].name))
			return propagations[i].flag;
	}
	*ret_recursive = false;
	return 0;
}

/* True if the host's mounts stay shared with the host until they are gone, so that bind mounts of them can
 * be. Not where the host's procfs is unmounted in our namespace (no_pivot): it would go from the host. */
static bool is_shared(const struct rootfs *r)
{
	bool recursive;

	return root_propagation(r->spec, &recursive) == MS_SHARED && !r->no_pivot;
}

/* ---- open ---- */

/* The mount that holds a directory made private, and no other: a bind mount that is to be shared with the
 * host must still find its source shared. Only a mount's root can be told, so go up to it. */
static int isolate_parent(int dir, struct error *e)
{
	auto_close int here = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (here >= 0) {
		struct error tried;
		struct stat below, above;
		if (mount_change(here, 0, 0, MS_PRIVATE, false, &tried) == 0)
			return 0;
		if (tried.code != EINVAL || fstat(here, &below) < 0)
			return fail(e, tried.code, "make the mount of the root directory private");
		replace_fd(&here, openat(here, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
		if (here >= 0 && fstat(here, &above) == 0 && above.st_ino == below.st_ino &&
		    above.st_dev == below.st_dev)
			return fail(e, tried.code, "make the mount of the root directory private");
	}
	return fail(e, errno, "open the parent of the root directory");
}

static int set_propagation(const struct rootfs *r, int dir, struct error *e)
{
	if (is_shared(r))
		return isolate_parent(dir, e);
	int ret = mount_change(AT_FDCWD, 0, 0, MS_SLAVE, true, e);
	return ret < 0 ? prefix(e, "make the mounts of the new namespace slaves of the host's") : 0;
}

/* The root as a mount of its own, put onto itself: pivot_root wants a mount point. */
static int bind_root(struct rootfs *r, int dir, struct error *e)
{
	bool recursive;
	int ret = 0;

	auto_close int mount = mount_clone(dir, "", true, e);
	if (mount < 0)
		return mount;
	if (root_propagation(r->spec, &recursive) != MS_SLAVE)
		ret = mount_change(mount, 0, 0, MS_PRIVATE, true, e);
	if (ret == 0)
		ret = mount_attach(mount, dir, "", e);
	if (ret == 0)
		r->root = take_fd(&mount);
	return ret;
}

static int open_null(struct rootfs *r, struct error *e)
{
	r->null = open("/dev/null", O_PATH | O_CLOEXEC);
	if (r->null < 0)
		return fail(e, errno, "open /dev/null");
	if (!fd_is_null(r->null))
		return refuse(e, ENODEV, "/dev/null is not the null device");
	return 0;
}

static int open_dir(struct rootfs *r)
{
	return r->dir >= 0 ? take_fd(&r->dir) : open(r->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* In a user namespace: with the uid we came with, an owner of 0700 directories is still one. */
int rootfs_reach(struct rootfs *r, struct error *e)
{
	struct error later;

	r->dir = open_dir(r);
	r->sources = calloc(r->spec->n_mounts + 1, sizeof(*r->sources));
	if (!r->sources)
		return fail(e, ENOMEM, "handles of %zu mounts", r->spec->n_mounts);
	for (size_t i = 0; i < r->spec->n_mounts; i++)
		r->sources[i] = bind_source(r, &r->spec->mounts[i], &later);
	return 0;
}

int rootfs_open(struct rootfs *r, struct error *e)
{
	auto_close int dir = open_dir(r);
	if (dir < 0)
		return fail(e, errno, "open root directory %s", r->path);
	int ret = open_null(r, e);
	if (ret < 0)
		return ret;
	if (!r->new_ns) {
		r->root = take_fd(&dir);
		return 0;
	}
	ret = set_propagation(r, dir, e);
	if (ret == 0)
		ret = bind_root(r, dir, e);
	return ret < 0 ? prefix(e, "root directory %s", r->path) : 0;
}

/* ---- pivot ---- */

/* After pivot_root(".", ".") the old root is mounted on top of the new one, and umount(2) of "." finds it
 * there. It is a slave or private, or made so here: the host must not see it go. */
static int pivot(struct rootfs *r, struct error *e)
{
	auto_close int old = -1;

	if (is_shared(r)) {
		old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (old < 0)
			return fail(e, errno, "open /");
	}
	if (fchdir(r->root) < 0)
		return fail(e, errno, "enter the root directory");
	if (sys_pivot_root(".", ".") < 0)
		return fail(e, errno, "pivot_root");
	if (old >= 0) {
		int ret = mount_change(old, 0, 0, MS_SLAVE, true, e);
		if (ret < 0)
			return prefix(e, "old root");
	}
	if (umount2(".", MNT_DETACH) < 0)
		return fail(e, errno, "unmount the old root");
	return 0;
}

/* Without pivot_root (on a ramfs) the old root stays below the new one. Its procfs and sysfs are taken away
 * first: as long as a namespace has ones that nothing covers, whoever makes a user namespace in the container
 * may mount fresh ones, without our masks. The namespace's mounts are slaves: the host keeps its own. */
static int hide_kernel_mount(const struct mountinfo *m, void *data, struct error *e)
{
	const char *root = data;
	size_t size = strlen(root);

	if (!str_eq(m->type, "proc") && !str_eq(m->type, "sysfs"))
		return 0;
	if (strncmp(m->at, root, size) == 0 && m->at[size] == '/')
		return 0;
	/* What a user namespace may not unmount it may cover. */
	if (umount2(m->at, MNT_DETACH) < 0 && mount("none", m->at, "tmpfs", MS_RDONLY, "nr_inodes=1") < 0)
		return fail(e, errno, "hide the host's %s", m->at);
	return 0;
}

static int move_root(struct rootfs *r, struct error *e)
{
	char fd[FD_PATH_SIZE], root[PATH_MAX];

	ssize_t n = readlink(fd_path(r->root, fd), root, sizeof(root) - 1);
	if (n < 0)
		return fail(e, errno, "readlink %s", fd);
	root[n] = '\0';
	int ret = mountinfo_each(hide_kernel_mount, root, e);
	if (ret < 0)
		return ret;
	if (fchdir(r->root) < 0)
		return fail(e, errno, "enter the root directory");
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return fail(e, errno, "move the root directory to /");
	if (chroot(".") < 0)
		return fail(e, errno, "chroot into the root directory");
	return 0;
}

static int enter_root(struct rootfs *r, struct error *e)
{
	if (fchdir(r->root) < 0 || chroot(".") < 0)
		return fail(e, errno, "chroot into the root directory");
	return 0;
}

int rootfs_pivot(struct rootfs *r, struct error *e)
{
	int ret = sysctl_write(r->spec, e);
	if (ret == 0)
		ret = masked_mount(r, e);
	if (ret == 0)
		ret = readonly_mount(r, e);
	if (ret < 0)
		return ret;
	if (!r->new_ns)
		ret = enter_root(r, e);
	else
		ret = r->no_pivot ? move_root(r, e) : pivot(r, e);
	if (ret == 0 && chdir("/") < 0)
		ret = fail(e, errno, "chdir to /");
	return ret;
}

/* ---- seal ---- */

int rootfs_seal(struct rootfs *r, struct error *e)
{
	bool recursive;
	uint64_t propagation = root_propagation(r->spec, &recursive);

	int ret = 0;

	if (!r->new_ns)
		return r->spec->root_readonly
			       ? refuse(e, EINVAL, "root.readonly: the config lists no mount namespace")
			       : 0;
	if (r->spec->root_readonly)
		ret = mount_change(r->root, MOUNT_ATTR_RDONLY, 0, recursive ? 0 : propagation, false, e);
	else if (!recursive)
		ret = mount_change(r->root, 0, 0, propagation, false, e);
	if (ret == 0 && recursive)
		ret = mount_change(r->root, 0, 0, propagation, true, e);
	return ret < 0 ? prefix(e, "root") : 0;
}

void rootfs_done(struct rootfs *r)
{
	replace_fd(&r->root, -1);
	replace_fd(&r->dev, -1);
	replace_fd(&r->proc, -1);
	replace_fd(&r->sys, -1);
	replace_fd(&r->dir, -1);
	for (size_t i = 0; r->sources && i < r->spec->n_mounts; i++)
		replace_fd(&r->sources[i], -1);
	free(r->sources);
	r->sources = NULL;
	for (size_t i = 0; r->mapped && i < r->spec->n_mounts; i++)
		replace_fd(&r->mapped[i], -1);
	free(r->mapped);
	r->mapped = NULL;
	replace_fd(&r->null, -1);
	replace_fd(&r->empty, -1);
}
