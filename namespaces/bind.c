/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bind.c - bind mounts: where they come from, how they look
 *
 * In INIT, but for bind_map: ids can be mapped only by who has rights over the file system, so RUNTIME makes
 * those copies on the host before anything else, and INIT only puts them in their place. Sources are the
 * host's and may be links; with src-nofollow and copy-symlink the last component is taken as it is. */
#include "namespaces/bind.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "namespaces/idmap.h"
#include "namespaces/mount.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/log.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

/* ---- how they look ---- */

/* A user namespace keeps what the mounts it was given forbid: there "rw" or "dev" cannot take anything away,
 * and is what mount(8) says by default. */
static int change_bind(const struct rootfs *r, int mount, uint64_t set, uint64_t clear, uint64_t propagation,
		       bool recursive, struct error *e)
{
	uint64_t kept = set & MOUNT_ATTR__ATIME ? clear & MOUNT_ATTR__ATIME : 0;
	struct error ignored;

	if (!r->user_ns || clear == kept)
		return mount_change(mount, set, clear, propagation, recursive, e);
	if (mount_change(mount, set, clear, propagation, recursive, &ignored) == 0)
		return 0;
	return mount_change(mount, set, kept, propagation, recursive, e);
}

/* What a bind mount is to look like. Unless it is told otherwise it neither sees nor shows mounts that are
 * made on the host later. */
int bind_dress(const struct rootfs *r, int mount, const struct mountopts *o, struct error *e)
{
	uint64_t propagation = o->propagation ? o->propagation : MS_PRIVATE;
	bool all = !o->propagation || o->propagation_recursive;

	if (!o->recursive)
		return change_bind(r, mount, (o->set & ~o->clear_all) | o->set_all,
				   (o->clear & ~o->set_all) | o->clear_all, propagation, false, e);
	int ret = change_bind(r, mount, o->set, o->clear, all ? 0 : propagation, false, e);
	if (ret == 0)
		ret = change_bind(r, mount, o->set_all, o->clear_all, all ? propagation : 0, true, e);
	return ret;
}

/* ---- where they come from ---- */

static int open_bundle(const struct rootfs *r, struct error *e)
{
	int fd = open(r->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail(e, errno, "open bundle %s", r->bundle) : fd;
}

bool bind_is(const struct spec_mount *m, const struct mountopts *o)
{
	return o->bind || (m->type && str_eq(m->type, "bind"));
}

static int open_source(const struct rootfs *r, const struct spec_mount *m, int flags, struct error *e)
{
	auto_close int bundle = *m->source == '/' ? -1 : open_bundle(r, e);
	if (*m->source != '/' && bundle < 0)
		return bundle;
	int fd = openat(bundle, *m->source ? m->source : ".", O_PATH | O_CLOEXEC | flags);
	return fd < 0 ? fail(e, errno, "open %s", m->source) : fd;
}

static int follow(const struct mountopts *o)
{
	return o->special & (MOUNT_SRC_NOFOLLOW | MOUNT_COPY_SYMLINK) ? O_NOFOLLOW : 0;
}

int bind_source(const struct rootfs *r, const struct spec_mount *m, struct error *e)
{
	struct mountopts o;

	int ret = mountopts_parse(m->options, &o, e);
	if (ret < 0)
		return ret;
	bool wanted = m->source && bind_is(m, &o) && !o.remount;
	int flags = follow(&o);
	mountopts_done(&o);
	return wanted ? open_source(r, m, flags, e) : -ENOENT;
}

static int clone_source(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
			struct error *e)
{
	size_t i = (size_t)(m - r->spec->mounts);

	if (r->sources && r->sources[i] >= 0)
		return mount_clone(r->sources[i], "", o->recursive, e);
	if (*m->source == '/' && !follow(o))
		return mount_clone(AT_FDCWD, m->source, o->recursive, e);
	auto_close int source = open_source(r, m, follow(o), e);
	return source < 0 ? source : mount_clone(source, "", o->recursive, e);
}

int bind_make(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o, struct error *e)
{
	size_t i = (size_t)(m - r->spec->mounts);

	if (!m->source)
		return refuse(e, EINVAL, "a bind mount needs a source");
	for (size_t k = 0; k < o->n_data; k++)
		log_warning("mount at %s: option %s means nothing to a bind mount", m->destination,
			    o->data[k]);
	auto_close int mount = r->mapped && r->mapped[i] >= 0 ? take_fd(&r->mapped[i])
							      : clone_source(r, m, o, e);
	if (mount < 0)
		return mount;
	int ret = bind_dress(r, mount, o, e);
	return ret < 0 ? ret : take_fd(&mount);
}

/* ---- links as they are ---- */

int bind_copy_symlink(const struct rootfs *r, const struct spec_mount *m, struct error *e)
{
	char text[PATH_MAX], there[PATH_MAX];
	size_t i = (size_t)(m - r->spec->mounts);
	const char *name;

	auto_close int source = r->sources && r->sources[i] >= 0 ? fcntl(r->sources[i], F_DUPFD_CLOEXEC, 0)
								 : open_source(r, m, O_NOFOLLOW, e);
	if (source < 0)
		return source;
	ssize_t n = readlinkat(source, "", text, sizeof(text) - 1);
	if (n < 0) /* not a link: mounted as ever */
		return errno == ENOENT || errno == EINVAL ? 0 : fail(e, errno, "readlink %s", m->source);
	text[n] = '\0';
	auto_close int parent = path_parent(r->root, m->destination, true, &name, e);
	if (parent < 0)
		return parent;
	if (symlinkat(text, parent, name) == 0)
		return 1;
	if (errno != EEXIST)
		return fail(e, errno, "make a symbolic link");
	n = readlinkat(parent, name, there, sizeof(there) - 1);
	if (n >= 0) {
		there[n] = '\0';
		if (str_eq(there, text))
			return 1;
	}
	return refuse(e, EEXIST, "copy-symlink: there is something else at the destination");
}

/* ---- mapped ids, in RUNTIME ---- */

/* Is there reason to parse the options at all? */
static bool may_be_mapped(const struct spec_mount *m)
{
	for (char **option = m->options; option && *option; option++)
		if (strstr(*option, "idmap"))
			return true;
	return m->n_uid_mappings || m->n_gid_mappings;
}

static int map_ids(int mount, const struct mountopts *o, int user, struct error *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user };

	if (sys_mount_setattr(mount, "", AT_EMPTY_PATH | (o->special & MOUNT_IDMAP_ALL ? AT_RECURSIVE : 0),
			      &attr, sizeof(attr)) == 0)
		return 0;
	if (errno == EINVAL)
		return fail(e, errno,
			    "map the ids of a mount (its file system cannot, or it is mapped already)");
	return fail(e, errno, "map the ids of a mount");
}

static int make_mapped(struct rootfs *r, size_t i, const struct mountopts *o, int user, struct error *e)
{
	const struct spec_mount *m = &r->spec->mounts[i];
	bool asked = o->special & (MOUNT_IDMAP | MOUNT_IDMAP_ALL);

	if (!asked && !m->n_uid_mappings && !m->n_gid_mappings)
		return 0;
	if (!bind_is(m, o) || !m->source || o->remount)
		return refuse(e, EINVAL, "only bind mounts can have mapped ids");
	auto_close int map = idmap_open(r->spec, m, o->idmap, user, e);
	if (map < 0)
		return map;
	auto_close int mount = clone_source(r, m, o, e);
	if (mount < 0)
		return mount;
	int ret = map_ids(mount, o, map, e);
	if (ret == 0)
		r->mapped[i] = take_fd(&mount);
	return ret;
}

static int map_one(struct rootfs *r, size_t i, int user, struct error *e)
{
	struct mountopts o;

	int ret = mountopts_parse(r->spec->mounts[i].options, &o, e);
	if (ret == 0) {
		ret = make_mapped(r, i, &o, user, e);
		mountopts_done(&o);
	}
	return ret;
}

/* ---- sources that only the host's root reaches, in RUNTIME ---- */

/* Which bit lets an id 0 without capabilities search the directory? */
static mode_t bit_of_root(const struct stat *st)
{
	return st->st_uid == 0 ? S_IXUSR : st->st_gid == 0 ? S_IXGRP : S_IXOTH;
}

/* In a user namespace INIT has the host's ids, but not the right to pass by a directory that is closed to them. */
static bool is_closed(const char *path)
{
	char part[PATH_MAX];
	struct stat st;

	if (str_format(part, sizeof(part), "%s", path) < 0)
		return false;
	for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (stat(part, &st) == 0 && !(st.st_mode & bit_of_root(&st)))
			return true;
		*slash = '/';
	}
	return false;
}

/* A copy that is made out here is not bound to keep what its mount forbids, as one that is made by INIT is: so
 * only of one mount, and of one that forbids nothing. */
static bool forbids_nothing(int mount)
{
	struct statvfs now;

	return fstatvfs(mount, &now) == 0 && !(now.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC));
}

/* What fails here fails again in INIT, and is told there. */
static void lend_source(struct rootfs *r, size_t i)
{
	const struct spec_mount *m = &r->spec->mounts[i];
	struct mountopts o;
	struct error later;

	if (mountopts_parse(m->options, &o, &later) < 0)
		return;
	if (bind_is(m, &o) && !o.remount && !o.recursive) {
		auto_close int mount = clone_source(r, m, &o, &later);
		if (mount >= 0 && forbids_nothing(mount))
			r->mapped[i] = take_fd(&mount);
	}
	mountopts_done(&o);
}

static bool may_be_lent(const struct rootfs *r, const struct spec_mount *m)
{
	return r->user_ns && m->source && *m->source == '/' && geteuid() == 0 && is_closed(m->source);
}

static bool is_ours(const struct rootfs *r, size_t i)
{
	return may_be_mapped(&r->spec->mounts[i]) || may_be_lent(r, &r->spec->mounts[i]);
}

int rootfs_map(struct rootfs *r, int user, struct error *e)
{
	size_t n = r->spec->n_mounts, first = 0;

	while (first < n && !is_ours(r, first))
		first++;
	if (first == n)
		return 0;
	r->mapped = malloc(n * sizeof(*r->mapped));
	if (!r->mapped)
		return fail(e, ENOMEM, "handles of %zu mounts", n);
	for (size_t i = 0; i < n; i++)
		r->mapped[i] = -1;
	for (size_t i = first; i < n; i++) {
		if (!may_be_mapped(&r->spec->mounts[i])) {
			if (may_be_lent(r, &r->spec->mounts[i]))
				lend_source(r, i);
			continue;
		}
		int ret = map_one(r, i, user, e);
		if (ret < 0)
			return prefix(e, "mounts[%zu]: mount %s at %s", i,
				      r->spec->mounts[i].source ? r->spec->mounts[i].source : "nothing",
				      r->spec->mounts[i].destination);
	}
	return 0;
}
