/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.c - groups as directories: find the root, make, open, remove
 *
 * In RUNTIME. In the usual case making is one mkdir and one open, removing one rmdir: everything else is done
 * when the kernel says that it was not so simple. Parents that we had to make are marked with an extended
 * attribute, and go with the last container below them. */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define MOUNT		  "/sys/fs/cgroup"
#define MARK		  "user.coracle.made"
#define MAX_RETRIES	  16
#define REMOVE_TIMEOUT_MS 10000

int cgroup_open_root(struct error *e)
{
	auto_close int fd = open(MOUNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open " MOUNT);
	if (path_is_on(fd, CGROUP2_SUPER_MAGIC))
		return take_fd(&fd);
	auto_close int unified = openat(fd, "unified", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (unified >= 0 && path_is_on(unified, CGROUP2_SUPER_MAGIC))
		return take_fd(&unified);
	return refuse(e, ENOTSUP,
		      "no cgroup v2 hierarchy is mounted at " MOUNT " or " MOUNT
		      "/unified, and cgroup v1 is not supported");
}

/* The path without its first slash, for the *at calls; only what cgroup_path() makes is taken. */
static const char *below_root(const char *path, struct error *e)
{
	size_t size = strlen(path);

	if (path_is_normal(path) && size > 1 && size < PATH_MAX && path[size - 1] != '/')
		return path + 1;
	refuse(e, EINVAL, "\"%s\" is not the path of a cgroup", path);
	return NULL;
}

int cgroup_open(int root, const char *path, struct error *e)
{
	const char *below = below_root(path, e);
	if (!below)
		return -EINVAL;
	int fd = path_beneath(root, below, O_RDONLY | O_DIRECTORY, false, e);
	return fd < 0 ? prefix(e, "cgroup %s", path) : fd;
}

int cgroup_open_below(int group, const char *path, struct error *e)
{
	const char *below = path + strspn(path, "/");
	int fd = path_beneath(group, *below ? below : ".", O_RDONLY | O_DIRECTORY, false, e);
	return fd < 0 ? prefix(e, "cgroup %s", path) : fd;
}

/* ---- make ---- */

static void mark(int root, const char *below)
{
	struct error ignored;
	auto_close int fd = path_beneath(root, below, O_RDONLY | O_DIRECTORY, false, &ignored);
	if (fd >= 0)
		fsetxattr(fd, MARK, "1", 1, 0); /* without it (Linux < 5.7) the group stays, no more */
}

/* -ENOENT: no such group. */
static int is_marked(int root, const char *below)
{
	struct error ignored;
	char value;
	auto_close int fd = path_beneath(root, below, O_RDONLY | O_DIRECTORY, false, &ignored);
	return fd < 0 ? fd : fgetxattr(fd, MARK, &value, 1) >= 0;
}

/* Remove the parents that we made, from the lowest up, as long as nobody uses them. */
static void remove_parents(int root, const char *below)
{
	char parent[PATH_MAX];

	memcpy(parent, below, strlen(below) + 1);
	for (char *slash; (slash = strrchr(parent, '/'));) {
		*slash = '\0';
		int marked = is_marked(root, parent);
		if (marked == -ENOENT)
			continue;
		if (marked <= 0 || unlinkat(root, parent, AT_REMOVEDIR) < 0)
			return;
	}
}

static int make_parents(int root, const char *below)
{
	char parent[PATH_MAX];

	memcpy(parent, below, strlen(below) + 1);
	for (char *slash = parent; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdirat(root, parent, 0755) == 0)
			mark(root, parent);
		else if (errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* Returns 1 if it was there, 0 if it was made. Another's delete may remove parents under our hands. */
static int make_group(int root, const char *below)
{
	for (int i = 0;; i++) {
		if (mkdirat(root, below, 0755) == 0)
			return 0;
		if (errno == EEXIST)
			return 1;
		int r = errno != ENOENT || i == MAX_RETRIES ? -errno : make_parents(root, below);
		if (r < 0 && (r != -ENOENT || i == MAX_RETRIES)) {
			remove_parents(root, below);
			return r;
		}
	}
}

static int check_unused(int group, struct error *e)
{
	struct cgroup_events ev;
	int r = events_read(group, &ev, e);

	if (r < 0)
		return r;
	if (ev.populated)
		return refuse(e, EBUSY, "there are processes in it already");
	if (ev.frozen)
		return refuse(e, EBUSY, "it is frozen");
	return 0;
}

int cgroup_create(int root, const char *path, const struct spec_resources *r, bool *ret_existed,
		  struct error *e)
{
	const char *below = below_root(path, e);
	if (!below)
		return -EINVAL;
	int existed = make_group(root, below);
	if (existed < 0)
		return fail(e, -existed, "make cgroup %s", path);
	auto_close int group = path_beneath(root, below, O_RDONLY | O_DIRECTORY, false, e);
	int err = group < 0 ? group : 0;
	if (err == 0 && existed)
		err = check_unused(group, e);
	if (err == 0 && r)
		err = cgroup_enable(group, r, e);
	if (err == 0) {
		*ret_existed = existed;
		return take_fd(&group);
	}
	if (!existed && unlinkat(root, below, AT_REMOVEDIR) == 0)
		remove_parents(root, below);
	return prefix(e, "cgroup %s", path);
}

/* ---- remove ---- */

/* The handle of the group with nothing below it that is found by always going down, and of the one above it,
 * with its name there. Returns 1, or 0 if nothing is below. */
static int find_lowest(int group, int *ret_above, char name[static NAME_MAX + 1])
{
	auto_close int here = openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error ignored;
	int found = 0;

	while (here >= 0) {
		int r = group_first_child(here, name);
		if (r <= 0)
			return r < 0 ? r : found;
		int child = group_open_file(here, name, O_RDONLY | O_DIRECTORY, &ignored);
		replace_fd(ret_above, take_fd(&here));
		here = child;
		found = 1;
	}
	return found;
}

/* Remove what is below a group, until nothing is or something is busy. However deep a container has nested
 * its groups, no more than three of them are open at once. */
static void remove_below(int group)
{
	char name[NAME_MAX + 1];

	for (;;) {
		auto_close int above = -1;
		if (find_lowest(group, &above, name) <= 0)
			return;
		if (unlinkat(above, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return;
	}
}

/* It was busy: groups below it, processes that are still leaving, or some that have to be killed. */
static int remove_slowly(int root, const char *below, bool kill, struct error *e)
{
	int64_t end = now_ms() + REMOVE_TIMEOUT_MS;

	for (int wait_ms = 1;; wait_ms *= 2) {
		auto_close int group = path_beneath(root, below, O_RDONLY | O_DIRECTORY, false, e);
		if (group < 0)
			return group == -ENOENT ? 0 : group;
		int r = kill ? cgroup_kill(group, e) : 0;
		if (r < 0)
			return r;
		remove_below(group);
		if (unlinkat(root, below, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		int64_t left = end - now_ms();
		if (errno != EBUSY || left <= 0)
			return fail(e, errno, "remove");
		r = events_wait(group, EVENT(populated), false, (int)left, e);
		if (r < 0)
			return r == -ENOENT || r == -ENODEV ? 0 : r;
		/* Nobody is in it, yet it is busy: an event for that does not exist. */
		if (unlinkat(root, below, AT_REMOVEDIR) < 0 && errno == EBUSY)
			poll(NULL, 0, wait_ms < left ? wait_ms : (int)left);
	}
}

static int remove_group(int root, const char *path, bool kill, struct error *e)
{
	const char *below = below_root(path, e);
	if (!below)
		return -EINVAL;
	if (unlinkat(root, below, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		int r = errno == EBUSY ? remove_slowly(root, below, kill, e) : fail(e, errno, "remove");
		if (r < 0)
			return prefix(e, "cgroup %s", path);
	}
	remove_parents(root, below);
	return 0;
}

int cgroup_remove(int root, const char *path, struct error *e)
{
	return remove_group(root, path, false, e);
}

int cgroup_destroy(int root, const char *path, struct error *e)
{
	return remove_group(root, path, true, e);
}
