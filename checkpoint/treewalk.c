/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treewalk.c - every name of a tree, in an order that suits a copy
 *
 * The tree may be changed by strangers meanwhile: a handle stays with the directory that was opened, whatever is put in
 * its place, and names are opened with O_NOFOLLOW. */
#include "checkpoint/treewalk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define HELD_LEVELS 64	  /* below these, directories are opened again by their path */
#define LIST_SIZE   32768 /* of directory entries at a time */

/* A directory on the way down, and the directories in it that are still to be walked. */
struct level {
	int dir;
	size_t path_size;
	char *names; /* one after the other, each with its NUL */
	size_t size, room, at;
};

struct walk {
	const struct tree_place *place;
	const struct tree_visitor *v;
	void *arg;
	struct level *levels;
	size_t depth, room;
	char path[TREE_PATH_MAX + 1];
	char list[LIST_SIZE];
};

int tree_open(const struct tree_place *p, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
					   (p->cross_mounts ? 0 : RESOLVE_NO_XDEV) };
	int fd = sys_openat2(p->root, *path ? path : ".", &how);

	return fd < 0 ? -errno : fd;
}

bool tree_is_below(const char *path, const char *top)
{
	size_t size = strlen(top);

	if (size == 0)
		return true;
	return strncmp(path, top, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

bool tree_is_excluded(const struct tree_place *p, const char *path)
{
	for (size_t i = 0; p->excluded && p->excluded[i]; i++)
		if (tree_is_below(path, p->excluded[i]))
			return true;
	return false;
}

int tree_detach(int root, const char *name, bool writable, bool recursive, struct error *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC |
					       MOUNT_ATTR_NOATIME | MOUNT_ATTR_NOSYMFOLLOW |
					       (writable ? 0 : MOUNT_ATTR_RDONLY),
				   .attr_clr = MOUNT_ATTR__ATIME };
	unsigned int deep = recursive ? AT_RECURSIVE : 0;
	auto_close int mount = sys_open_tree(root, "",
					     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | deep);

	if (mount < 0)
		return fail(e, errno, "%s: open_tree", name);
	int r = sys_mount_setattr(mount, "", AT_EMPTY_PATH | deep, &attr, sizeof(attr));
	if (r < 0 && errno == EINVAL) { /* before Linux 5.14 there is no MOUNT_ATTR_NOSYMFOLLOW */
		attr.attr_set &= ~(uint64_t)MOUNT_ATTR_NOSYMFOLLOW;
		r = sys_mount_setattr(mount, "", AT_EMPTY_PATH | deep, &attr, sizeof(attr));
	}
	if (r < 0)
		return fail(e, errno, "%s: mount_setattr", name);
	int dir = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(e, errno, "open %s", name);
	return dir;
}

/* ---- the way down and up ---- */

static int push_level(struct walk *w, int *dir, struct error *e)
{
	if (w->depth == w->room) {
		size_t room = w->room ? 2 * w->room : 16;
		struct level *more = reallocarray(w->levels, room, sizeof(*more));
		if (!more)
			return fail(e, ENOMEM, "walk %s", w->place->name);
		w->levels = more;
		w->room = room;
	}
	w->levels[w->depth++] = (struct level){ .dir = take_fd(dir), .path_size = strlen(w->path) };
	return 0;
}

static void pop_level(struct walk *w)
{
	struct level *l = &w->levels[--w->depth];

	if (l->dir >= 0)
		close(l->dir);
	free(l->names);
}

static int remember_dir(struct walk *w, struct level *l, const char *name, struct error *e)
{
	size_t size = strlen(name) + 1;

	if (l->room - l->size < size) {
		size_t room = 2 * l->room + size + 256;
		char *more = realloc(l->names, room);
		if (!more)
			return fail(e, ENOMEM, "walk %s", w->place->name);
		l->names = more;
		l->room = room;
	}
	memcpy(l->names + l->size, name, size);
	l->size += size;
	return 0;
}

/* Put "/name" behind the path of level l. */
static int extend_path(struct walk *w, const struct level *l, const char *name, struct error *e)
{
	size_t size = strlen(name), at = l->path_size;

	if (at + 1 + size > TREE_PATH_MAX) {
		w->path[at] = '\0';
		return refuse(e, ENAMETOOLONG, "%s/%.200s…: a path below it is longer than %d bytes",
			      w->place->name, w->path, TREE_PATH_MAX);
	}
	if (at)
		w->path[at++] = '/';
	memcpy(w->path + at, name, size + 1);
	return 0;
}

static uint8_t type_of(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_REG; /* gone, or it cannot be looked at: whoever opens it will say so */
	return (uint8_t)IFTODT(st.st_mode);
}

static int show_entry(struct walk *w, struct level *l, const struct dirent64 *d, struct error *e)
{
	uint8_t type = d->d_type == DT_UNKNOWN ? type_of(l->dir, d->d_name) : d->d_type;

	int r = extend_path(w, l, d->d_name, e);
	if (r < 0)
		return r;
	if (tree_is_excluded(w->place, w->path))
		return 0;
	if (type == DT_DIR)
		return remember_dir(w, l, d->d_name, e);
	struct tree_entry t = {
		.dir = l->dir, .name = d->d_name, .path = w->path, .ino = d->d_ino, .type = type
	};
	return w->v->entry ? w->v->entry(w->arg, &t, e) : 0;
}

static int list_level(struct walk *w, struct level *l, struct error *e)
{
	ssize_t n;

	while ((n = getdents64(l->dir, w->list, sizeof(w->list))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *d = (const struct dirent64 *)(w->list + at);
			at += d->d_reclen;
			if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
				continue;
			int r = show_entry(w, l, d, e);
			if (r < 0)
				return r;
		}
	}
	w->path[l->path_size] = '\0';
	/* A directory that was removed while it is held has no entries, and says ENOENT. */
	if (n < 0 && !(errno == ENOENT && w->v->live))
		return fail(e, errno, "list %s/%s", w->place->name, w->path);
	return 0;
}

/* Open the directory `name` of the level above (NULL: the start). -ENOENT: not there any more. */
static int open_dir(struct walk *w, const struct level *above, const char *name)
{
	if (!above || above->dir < 0)
		return tree_open(w->place, w->path, O_RDONLY | O_DIRECTORY);
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				.resolve = w->place->cross_mounts ? 0 : RESOLVE_NO_XDEV };
	int fd = sys_openat2(above->dir, name, &how);
	return fd < 0 ? -errno : fd;
}

static bool has_vanished(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ESTALE;
}

/* Enter the directory at w->path: show it and what is in it. 1: it is not there, or not to be entered. */
static int enter_dir(struct walk *w, const struct level *above, const char *name, struct error *e)
{
	auto_close int dir = open_dir(w, above, name);

	if (dir == -EXDEV || (w->v->live && has_vanished(dir)))
		return 1;
	if (dir < 0)
		return fail(e, -dir, "open %s/%s", w->place->name, w->path);
	int r = w->v->enter ? w->v->enter(w->arg, w->path, dir, e) : 0;
	if (r < 0)
		return r;
	r = push_level(w, &dir, e);
	if (r < 0)
		return r;
	struct level *l = &w->levels[w->depth - 1];
	r = list_level(w, l, e);
	if (r == 0 && w->depth > HELD_LEVELS)
		replace_fd(&l->dir, -1);
	return r;
}

static int leave_dir(struct walk *w, struct error *e)
{
	struct level *l = &w->levels[w->depth - 1];
	int r = 0;

	w->path[l->path_size] = '\0';
	if (w->v->leave) {
		if (l->dir < 0)
			l->dir = tree_open(w->place, w->path, O_RDONLY | O_DIRECTORY);
		if (l->dir >= 0)
			r = w->v->leave(w->arg, w->path, l->dir, e);
		else if (!(w->v->live && has_vanished(l->dir)))
			r = fail(e, -l->dir, "open %s/%s", w->place->name, w->path);
	}
	pop_level(w);
	return r;
}

static int walk_levels(struct walk *w, struct error *e)
{
	while (w->depth) {
		struct level *l = &w->levels[w->depth - 1];
		int r;
		if (l->at == l->size) {
			r = leave_dir(w, e);
		} else {
			const char *name = l->names + l->at;
			l->at += strlen(name) + 1;
			r = extend_path(w, l, name, e);
			if (r == 0)
				r = enter_dir(w, l, name, e);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int tree_walk(const struct tree_place *p, const char *start, const struct tree_visitor *v, void *arg,
	      struct error *e)
{
	auto_free struct walk *w = malloc(sizeof(*w));

	if (!w)
		return fail(e, ENOMEM, "walk %s", p->name);
	w->place = p;
	w->v = v;
	w->arg = arg;
	w->levels = NULL;
	w->depth = w->room = 0;
	memcpy(w->path, start, strlen(start) + 1); /* a path of the tree: at most TREE_PATH_MAX */
	int r = enter_dir(w, NULL, NULL, e);
	if (r == 0)
		r = walk_levels(w, e);
	while (w->depth)
		pop_level(w);
	free(w->levels);
	return r < 0 ? r : 0;
}
