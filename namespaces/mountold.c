/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mountold.c - detached mounts by mount(2): made on a stage, moved from there
 *
 * In INIT. The stage is a tmpfs of ours over /proc/fs, a directory every procfs has and nobody binds from; it
 * goes with the old root. It holds a directory and a file to mount on. */
#include "namespaces/mountold.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "namespaces/mountinfo.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define STAGE	   "/proc/fs"
#define STAGE_DIR  STAGE "/d"
#define STAGE_FILE STAGE "/f"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef ST_NOSYMFOLLOW
#define ST_NOSYMFOLLOW 0x2000
#endif

/* One flag, four names: for mount_setattr(2), for mount(2), as statvfs(3) tells it. */
static const struct {
	uint64_t attr;
	unsigned long ms, st;
} flags[] = {
	{ MOUNT_ATTR_RDONLY, MS_RDONLY, ST_RDONLY },
	{ MOUNT_ATTR_NOSUID, MS_NOSUID, ST_NOSUID },
	{ MOUNT_ATTR_NODEV, MS_NODEV, ST_NODEV },
	{ MOUNT_ATTR_NOEXEC, MS_NOEXEC, ST_NOEXEC },
	{ MOUNT_ATTR_NODIRATIME, MS_NODIRATIME, ST_NODIRATIME },
	{ MOUNT_ATTR_NOATIME, MS_NOATIME, ST_NOATIME },
	{ MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW, ST_NOSYMFOLLOW },
};

static unsigned long to_ms(uint64_t attr)
{
	unsigned long ms = 0;

	for (size_t i = 0; i < COUNT_OF(flags); i++)
		if (attr & flags[i].attr)
			ms |= flags[i].ms;
	if ((attr & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME)
		ms |= MS_STRICTATIME;
	return ms;
}

/* What a mount has now, as attributes; neither noatime nor relatime is strictatime. */
static uint64_t from_st(unsigned long st)
{
	uint64_t attr = st & (ST_NOATIME | ST_RELATIME) ? 0 : MOUNT_ATTR_STRICTATIME;

	for (size_t i = 0; i < COUNT_OF(flags); i++)
		if (st & flags[i].st)
			attr |= flags[i].attr;
	return attr;
}

bool mountold_is_needed(const struct mountopts *o)
{
	if (o->sb_set & MS_I_VERSION)
		return true;
	for (size_t i = 0; i < o->n_data; i++) {
		const char *value = strchr(o->data[i], '=');
		if (value && strlen(value + 1) > 255) /* fsconfig(2) takes no more: overlay's lowerdir */
			return true;
	}
	return false;
}

static bool no_setattr; /* a fact about the kernel, found on the first change of a mount */

bool mountold_is_all(void)
{
	return no_setattr;
}

/* ---- the stage ---- */

static int make_stage(struct error *e)
{
	auto_close int there = open(STAGE, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (there >= 0 && path_is_on(there, TMPFS_MAGIC))
		return 0;
	if (mount(NULL, "/proc", NULL, MS_PRIVATE, NULL) < 0 ||
	    mount("coracle", STAGE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") < 0 ||
	    mkdir(STAGE_DIR, 0700) < 0 || mknod(STAGE_FILE, S_IFREG | 0600, 0) < 0)
		return fail(e, errno, "make a place for mounts at " STAGE);
	return 0;
}

static int open_staged(const char *stage, struct error *e)
{
	int fd = open(stage, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open %s", stage);
	return fd;
}

static int join_data(const struct mountopts *o, char *buf, size_t size, struct error *e)
{
	size_t used = 0;

	*buf = '\0';
	for (size_t i = 0; i < o->n_data; i++) {
		int r = str_format(buf + used, size - used, "%s%s", i ? "," : "", o->data[i]);
		if (r < 0)
			return refuse(e, E2BIG, "more than %zu bytes of options", size);
		used += strlen(buf + used);
	}
	return 0;
}

static unsigned long all_flags(const struct mountopts *o)
{
	return to_ms((o->set & ~o->clear_all) | o->set_all) | o->sb_set;
}

int mountold_new(const char *type, const char *source, const struct mountopts *o, struct error *e)
{
	char data[4096];

	int r = make_stage(e);
	if (r == 0)
		r = join_data(o, data, sizeof(data), e);
	if (r < 0)
		return r;
	if (mount(source ? source : "none", STAGE_DIR, type, all_flags(o), data) < 0)
		return fail(e, errno, "mount %s", type);
	return open_staged(STAGE_DIR, e);
}

/* A path for mount(2) to something below a handle. */
static int path_of(int dir, const char *path, char *buf, size_t size, struct error *e)
{
	char fd[FD_PATH_SIZE];
	int r;

	if (dir == AT_FDCWD || *path == '/')
		r = str_format(buf, size, "%s", path);
	else
		r = str_format(buf, size, "%s%s%s", fd_path(dir, fd), *path ? "/" : "", path);
	return r < 0 ? fail(e, -r, "%s", path) : 0;
}

int mountold_clone(int dir, const char *path, bool recursive, struct error *e)
{
	char source[PATH_MAX];
	struct stat st;

	int r = make_stage(e);
	if (r == 0)
		r = path_of(dir, path, source, sizeof(source), e);
	if (r < 0)
		return r;
	if (stat(source, &st) < 0)
		return fail(e, errno, "stat %s", source);
	const char *stage = S_ISDIR(st.st_mode) ? STAGE_DIR : STAGE_FILE;
	if (mount(source, stage, NULL, MS_BIND | (recursive ? MS_REC : 0), NULL) < 0)
		return fail(e, errno, "bind %s", source);
	return open_staged(stage, e);
}

/* ---- changes ---- */

struct change {
	uint64_t set, clear;
	const char *below;
};

static int change_at(const char *at, const struct change *c, struct error *e)
{
	struct statvfs now;

	if (statvfs(at, &now) < 0)
		return fail(e, errno, "statvfs %s", at);
	uint64_t attr = (from_st(now.f_flag) & ~c->clear) | c->set;
	if (mount(NULL, at, NULL, MS_REMOUNT | MS_BIND | to_ms(attr), NULL) < 0)
		return fail(e, errno, "change the flags of %s", at);
	return 0;
}

static int change_below(const struct mountinfo *m, void *data, struct error *e)
{
	const struct change *c = data;
	size_t size = strlen(c->below);

	if (strncmp(m->at, c->below, size) != 0 || m->at[size] != '/')
		return 0;
	return change_at(m->at, c, e);
}

/* All mounts below, by their names: they are on the stage, or where the config's own paths put them. */
static int change_all_below(int mount, struct change *c, struct error *e)
{
	char fd[FD_PATH_SIZE], text[PATH_MAX];

	ssize_t n = readlink(fd_path(mount, fd), text, sizeof(text) - 1);
	if (n < 0)
		return fail(e, errno, "readlink %s", fd);
	text[n] = '\0';
	c->below = text;
	return mountinfo_each(change_below, c, e);
}

/* A directory is reached as ".", not by way of a /proc that may be the container's by now. */
static const char *reach(int mount, char fd[static FD_PATH_SIZE])
{
	if (mount == AT_FDCWD)
		return "/";
	return fchdir(mount) == 0 ? "." : fd_path(mount, fd);
}

int mountold_change(int mount_fd, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive,
		    struct error *e)
{
	struct change c = { .set = set, .clear = clear };
	char fd[FD_PATH_SIZE];
	const char *at = reach(mount_fd, fd);

	no_setattr = true;
	int r = set || clear ? change_at(at, &c, e) : 0;
	if (r == 0 && recursive && (set || clear))
		r = change_all_below(mount_fd, &c, e);
	if (r == 0 && propagation && mount(NULL, at, NULL, propagation | (recursive ? MS_REC : 0), NULL) < 0)
		r = fail(e, errno, "change the propagation of a mount");
	if (chdir("/") < 0 && r == 0)
		r = fail(e, errno, "chdir to /");
	return r;
}

int mountold_attach(int mount_fd, int dir, const char *name, struct error *e)
{
	char from[FD_PATH_SIZE], to[FD_PATH_SIZE];
	auto_close int target = -1;

	if (*name) {
		target = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (target < 0)
			return fail(e, errno, "open %s", name);
	}
	if (mount(fd_path(mount_fd, from), fd_path(target >= 0 ? target : dir, to), NULL, MS_MOVE, NULL) < 0)
		return fail(e, errno, "move mount");
	return 0;
}

int mountold_reconfigure(int there, const char *type, const struct mountopts *o, struct error *e)
{
	char data[4096], fd[FD_PATH_SIZE];

	int r = join_data(o, data, sizeof(data), e);
	if (r < 0)
		return r;
	if (mount(NULL, fd_path(there, fd), type, MS_REMOUNT | all_flags(o), data) < 0)
		return fail(e, errno, "remount");
	return 0;
}
