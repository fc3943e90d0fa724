/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treedelta.c - the sender: what changed since the last time
 *
 * Order: what is gone first, so that nothing stands in the way and no name is taken for another file's; then what is there,
 * directories before what is in them; then names of files with several links that were found to be missing; then the
 * attributes of directories from below, for everything made in them changed their times. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/treeset.h"
#include "checkpoint/treetrack.h"
#include "runtime/base/str.h"

struct delta {
	struct tree_sender *s;
	struct tree_changes changes;
	int parent; /* of the path looked at last */
	char parent_path[TREE_PATH_MAX + 1];
	bool parent_known;
	struct tree_set *linked;     /* inodes with more names than are known → 1 */
	struct tree_changes touched; /* directories in which such a name was made */
};

static size_t parent_size(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

/* The directory of a path, held for the next one; -ENOENT: not there. */
static int parent_of(struct delta *d, const char *path, const char **ret_name)
{
	size_t size = parent_size(path);

	*ret_name = path + size + (path[size] == '/' && size > 0);
	if (d->parent_known && strlen(d->parent_path) == size && memcmp(d->parent_path, path, size) == 0)
		return d->parent;
	memcpy(d->parent_path, path, size);
	d->parent_path[size] = '\0';
	d->parent_known = true;
	replace_fd(&d->parent, -1);
	int fd = tree_open(&d->s->place, d->parent_path, O_RDONLY | O_DIRECTORY);
	d->parent = fd == -ENOTDIR || fd == -ELOOP ? -ENOENT : fd;
	return d->parent;
}

static int look(struct delta *d, const char *path, struct stat *ret, struct error *e)
{
	const char *name;

	if (!*path)
		return fstat(d->s->place.root, ret) < 0 ? fail(e, errno, "look at %s", d->s->place.name) : 0;
	int dir = parent_of(d, path, &name);
	if (dir == -ENOENT)
		return 1;
	if (dir < 0)
		return fail(e, -dir, "open directory of %s/%s", d->s->place.name, path);
	if (fstatat(dir, name, ret, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno == ENOENT ? 1 : fail(e, errno, "look at %s/%s", d->s->place.name, path);
}

/* A known name of a file with several links that is gone, or another file's: what changed through it is still told by the
 * other names. */
static int let_go_link(struct delta *d, struct tree_change *c, const struct stat *st, struct error *e)
{
	struct tree_inode known;

	if (!tree_links_find(d->s->links, c->path, &known) ||
	    (st && st->st_ino == known.ino && st->st_dev == known.dev))
		return 0;
	const char *other = tree_links_other(d->s->links, known, c->path);
	tree_links_remove(d->s->links, c->path);
	if (st) /* it must not be written in place: the place is the others', too */
		c->changed |= TREE_CHANGED_NAME;
	if (other && tree_changes_add(&d->touched, other, TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR) < 0)
		return fail(e, ENOMEM, "%s", d->s->place.name);
	return 0;
}

static int send_removed(struct delta *d, struct error *e)
{
	for (size_t i = 0; i < d->changes.count; i++) {
		struct tree_change *c = &d->changes.list[i];
		struct stat st;
		int gone = look(d, c->path, &st, e);
		if (gone < 0)
			return gone;
		int r = let_go_link(d, c, gone ? NULL : &st, e);
		if (r < 0)
			return r;
		if (!gone)
			continue;
		if (c->changed & TREE_CHANGED_NAME)
			r = tree_send_remove(d->s, c->path, e);
		c->changed = 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* More names of a file than are known: they are somewhere in the tree, or outside. */
static int note_links(struct delta *d, const struct stat *st, struct error *e)
{
	struct tree_inode inode = { st->st_dev, st->st_ino };
	bool is_new;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return 0;
	return tree_set_put(d->linked, &inode, sizeof(inode), &is_new)
		       ? 0
		       : fail(e, ENOMEM, "%s", d->s->place.name);
}

/* One that is there. *skip: a directory that is sent whole, and what is below it was with it. */
static int send_present(struct delta *d, struct tree_change *c, const char **skip, struct error *e)
{
	const char *name;
	struct stat st;
	int r = look(d, c->path, &st, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!tree_track_has_dir(d->s->tracker, c->path, parent_size(c->path)))
		return 0;
	if (S_ISDIR(st.st_mode)) {
		if (!(c->changed & TREE_CHANGED_NAME))
			return 0; /* its turn comes last */
		*skip = c->path;
		return tree_send_below(d->s, c->path, true, e);
	}
	int dir = parent_of(d, c->path, &name);
	if (dir < 0)
		return 0;
	r = tree_send_object(d->s, dir, name, c->path, c->changed, e);
	if (r == 0 && c->changed & TREE_CHANGED_NAME)
		r = note_links(d, &st, e);
	return r;
}

static int send_list(struct delta *d, struct tree_changes *list, struct error *e)
{
	const char *skip = NULL;

	for (size_t i = 0; i < list->count; i++) {
		struct tree_change *c = &list->list[i];
		if (!c->changed || (skip && tree_is_below(c->path, skip))) {
			c->changed = 0;
			continue;
		}
		int r = send_present(d, c, &skip, e);
		if (r < 0)
			return r;
		if (skip == c->path) /* whole, its attributes too */
			c->changed = 0;
	}
	return 0;
}

/* ---- links ---- */

static int drop_complete(void *arg, const uint8_t *key, size_t size, void *value)
{
	struct delta *d = arg;
	struct tree_inode inode;
	struct stat st;

	(void)size;
	(void)value;
	memcpy(&inode, key, sizeof(inode));
	const char *path = tree_links_other(d->s->links, inode, NULL);
	if (!path)
		return 1;
	auto_close int fd = tree_open(&d->s->place, path, O_PATH);
	return fd < 0 || fstat(fd, &st) < 0 || tree_links_count(d->s->links, inode) >= st.st_nlink;
}

static int match_link(void *arg, const struct tree_entry *t, struct error *e)
{
	struct delta *d = arg;
	struct tree_inode inode = { .ino = t->ino }, known;
	struct stat st;

	/* Directories tell inodes without devices: look at those that may be meant. */
	if (tree_links_find(d->s->links, t->path, &known) && known.ino == inode.ino)
		return 0;
	if (fstatat(d->s->place.root, "", &st, AT_EMPTY_PATH) < 0)
		return 0;
	inode.dev = st.st_dev;
	if (!tree_set_find(d->linked, &inode, sizeof(inode)))
		return 0;
	return tree_send_object(d->s, t->dir, t->name, t->path, 0, e);
}

/* A file that was sent alone has become one of several names: the other names saw no event. Rare; walks over names only. */
static int find_links(struct delta *d, struct error *e)
{
	const struct tree_visitor v = { .entry = match_link, .live = true };

	tree_set_each(d->linked, drop_complete, d);
	if (!tree_set_count(d->linked))
		return 0;
	return tree_walk(&d->s->place, "", &v, d, e);
}

/* ---- directories ---- */

static int send_dirs(struct delta *d, const struct tree_changes *list, struct error *e)
{
	for (size_t i = list->count; i-- > 0;) {
		const struct tree_change *c = &list->list[i];
		if (!(c->changed & TREE_CHANGED_ATTR))
			continue;
		auto_close int fd = tree_open(&d->s->place, c->path, O_RDONLY | O_DIRECTORY);
		if (fd == -ENOENT || fd == -ENOTDIR ||
		    fd == -ELOOP) { /* no directory, or it is gone for now */
			tree_track_doubt(d->s->tracker, c->path);
			continue;
		}
		if (fd < 0)
			return fail(e, -fd, "open %s/%s", d->s->place.name, c->path);
		int r = tree_send_dir_attr(d->s, c->path, fd, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Names that were found on the way, and directories that had a name made in them. Sending may find more directories, which is why
 * the list is taken away first. */
static int send_touched(struct delta *d, struct error *e)
{
	struct tree_changes found = d->touched;

	d->touched = (struct tree_changes){ 0 };
	int r = tree_changes_settle(&found) < 0 ? fail(e, ENOMEM, "%s", d->s->place.name) : 0;
	if (r == 0)
		r = send_list(d, &found, e);
	if (r == 0)
		r = send_dirs(d, &found, e);
	if (r == 0 && tree_changes_settle(&d->touched) < 0)
		r = fail(e, ENOMEM, "%s", d->s->place.name);
	if (r == 0)
		r = send_dirs(d, &d->touched, e);
	tree_changes_done(&found);
	return r;
}

static int send_delta(struct delta *d, struct error *e)
{
	if (d->changes.all)
		return tree_send_below(d->s, "", true, e);
	int r = send_removed(d, e);
	if (r == 0)
		r = send_list(d, &d->changes, e);
	if (r == 0)
		r = find_links(d, e);
	if (r == 0)
		r = send_touched(d, e);
	if (r == 0)
		r = send_dirs(d, &d->changes, e);
	return r;
}

int tree_send_changes(struct tree_sender *s, struct tree_tracker *t, struct error *e)
{
	if (!s->walked || s->ended)
		return refuse(e, EINVAL, "%s: changes of a copy that was not made", s->place.name);
	auto_free struct delta *d = calloc(1, sizeof(*d));
	AUTO(tree_set) struct tree_set *linked = tree_set_new(1);
	if (!d || !linked)
		return fail(e, ENOMEM, "%s", s->place.name);
	d->s = s;
	d->parent = -1;
	d->linked = linked;
	int r = tree_track_take(t, &d->changes, e);
	if (r < 0)
		return r;
	s->tracker = t;
	s->touched = &d->touched;
	r = send_delta(d, e);
	s->touched = NULL;
	s->tracker = NULL;
	cleanup_close(&d->parent);
	tree_changes_done(&d->changes);
	tree_changes_done(&d->touched);
	return r < 0 ? r : tree_flush(&s->writer, e);
}
