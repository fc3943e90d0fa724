/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treetrack.c - what changes in a tree while it is copied
 *
 * Runs on the source, as root. One fanotify group watches the whole file system; events carry the handle of a directory and a
 * name in it. What is remembered is just that, once each: where the directory is, and what the name is by then, is looked up
 * when the sender asks. So order does not matter, and a directory that was moved is found where it is. Directories outside of
 * the tree are recognised at once and not remembered.
 *
 * An overlay's changes are seen on the file system of its upper layer, all of them, writes of contents included (seen on 6.12
 * and 6.18); the overlay itself can report no handles. So a tree that is a mounted overlay is watched there, and read as
 * it is mounted: paths are the same.
 *
 * Moving a directory in, or making it, means that it is sent whole. An event without a name (the count of links, a file
 * opened by handle) is about an inode: one of its names is found by its handle, else by a walk over the names. Its content is
 * sent, too: what was written under a name that is gone by now is told by nothing else. */
#include "checkpoint/treetrack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "checkpoint/treetrack_internal.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

#define EVENTS_SIZE  65536
#define VERDICTS_MAX 65536 /* directories of which it is remembered whether they are in the tree */

#define NAME_EVENTS  (FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO)
#define ALL_EVENTS   (NAME_EVENTS | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_ONDIR)

/* ---- changes ---- */

void tree_changes_done(struct tree_changes *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->list[i].path);
	free(c->list);
	*c = (struct tree_changes){ 0 };
}

int tree_changes_add(struct tree_changes *c, const char *path, unsigned int changed)
{
	if ((c->count & (c->count - 1)) == 0) { /* full at each power of two */
		struct tree_change *more = reallocarray(c->list, c->count ? 2 * c->count : 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->list = more;
	}
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	c->list[c->count++] = (struct tree_change){ .path = copy, .changed = changed };
	return 0;
}

/* Bytewise, but "/" before all: what is below a directory comes right after it. */
static int compare_changes(const void *a, const void *b)
{
	const uint8_t *x = (const uint8_t *)((const struct tree_change *)a)->path;
	const uint8_t *y = (const uint8_t *)((const struct tree_change *)b)->path;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	int cx = *x == '/' ? 1 : *x ? *x + 1 : 0, cy = *y == '/' ? 1 : *y ? *y + 1 : 0;
	return cx - cy;
}

static void join_same(struct tree_changes *c)
{
	size_t kept = 0;

	qsort(c->list, c->count, sizeof(*c->list), compare_changes);
	for (size_t i = 0; i < c->count; i++) {
		if (kept && str_eq(c->list[kept - 1].path, c->list[i].path)) {
			c->list[kept - 1].changed |= c->list[i].changed;
			free(c->list[i].path);
			continue;
		}
		c->list[kept++] = c->list[i];
	}
	/* Room is reckoned from the count: give it what the next power of two would have. */
	c->count = kept;
}

static int add_parents(struct tree_changes *c)
{
	char last[TREE_PATH_MAX + 1] = { 1 };

	for (size_t i = 0, n = c->count; i < n; i++) {
		char parent[TREE_PATH_MAX + 1];
		if (!(c->list[i].changed & TREE_CHANGED_NAME) || !*c->list[i].path)
			continue;
		const char *path = c->list[i].path, *slash = strrchr(path, '/');
		size_t size = slash ? (size_t)(slash - path) : 0;
		memcpy(parent, path, size);
		parent[size] = '\0';
		if (str_eq(parent, last))
			continue;
		memcpy(last, parent, size + 1);
		int r = tree_changes_add(c, parent, TREE_CHANGED_ATTR);
		if (r < 0)
			return r;
	}
	return 0;
}

int tree_changes_settle(struct tree_changes *c)
{
	if (!c->count)
		return 0;
	int r = add_parents(c);
	if (r < 0)
		return r;
	join_same(c);
	return 0;
}

/* ---- handles ---- */

/* Key of a pending change: size of the handle, its type, the handle, the name. */
struct key {
	size_t size, name_at;
	uint8_t bytes[1 + 4 + MAX_HANDLE_SZ + 256];
};

static int make_key(struct key *k, const struct file_handle *h, const char *name, size_t name_size)
{
	if (h->handle_bytes > MAX_HANDLE_SZ || name_size > 255)
		return -EINVAL;
	k->bytes[0] = (uint8_t)h->handle_bytes;
	memcpy(k->bytes + 1, &h->handle_type, 4);
	memcpy(k->bytes + 5, h->f_handle, h->handle_bytes);
	k->name_at = 5 + h->handle_bytes;
	memcpy(k->bytes + k->name_at, name, name_size);
	k->size = k->name_at + name_size;
	return 0;
}

/* Open what a key's handle names. */
static int open_handle(const struct tree_tracker *t, const uint8_t *key)
{
	union {
		struct file_handle h;
		uint8_t room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;

	u.h.handle_bytes = key[0];
	memcpy(&u.h.handle_type, key + 1, 4);
	memcpy(u.h.f_handle, key + 5, key[0]);
	int fd = open_by_handle_at(t->watched_place->root, &u.h, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The path of an open object below the root of the tree; -ENOENT: it is not in it. The kernel's idea of its path is checked
 * by opening it: a detached mount shows what lies outside as if it were inside. */
static int path_below(const struct tree_tracker *t, int fd, char ret[static TREE_PATH_MAX + 2])
{
	char link[FD_PATH_SIZE];
	struct stat is, found;
	ssize_t n = readlink(fd_path(fd, link), ret, TREE_PATH_MAX + 2);

	if (n <= 0 || n > TREE_PATH_MAX + 1 || ret[0] != '/')
		return -ENOENT;
	memmove(ret, ret + 1, (size_t)n - 1);
	ret[n - 1] = '\0';
	auto_close int there = tree_open(t->watched_place, ret, O_PATH);
	if (there < 0)
		return -ENOENT;
	if (fstat(fd, &is) < 0 || fstat(there, &found) < 0 || is.st_dev != found.st_dev ||
	    is.st_ino != found.st_ino)
		return -ENOENT;
	return 0;
}

static int resolve(const struct tree_tracker *t, const uint8_t *key, char ret[static TREE_PATH_MAX + 2])
{
	auto_close int fd = open_handle(t, key);

	if (fd < 0)
		return fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE ? fd : -ENOENT;
	return path_below(t, fd, ret);
}

/* ---- events ---- */

/* Is the directory of a key in the tree? Remembered until a directory is moved anywhere. */
static bool is_inside(struct tree_tracker *t, const struct key *k)
{
	char path[TREE_PATH_MAX + 2];
	bool is_new;

	if (tree_set_count(t->verdicts) >= VERDICTS_MAX)
		tree_set_clear(t->verdicts);
	uint8_t *verdict = tree_set_put(t->verdicts, k->bytes, k->name_at, &is_new);
	if (!verdict)
		return true; /* looked at again when it is sent */
	if (is_new)
		*verdict = resolve(t, k->bytes, path) != -ENOENT;
	return *verdict;
}

static unsigned int changed_by(uint64_t mask)
{
	unsigned int changed = 0;

	if (mask & NAME_EVENTS)
		changed |= TREE_CHANGED_NAME;
	if (mask & (FAN_MODIFY | FAN_CLOSE_WRITE))
		changed |= TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR;
	if (mask & FAN_ATTRIB)
		changed |= TREE_CHANGED_ATTR;
	return changed;
}

static void remember(struct tree_tracker *t, const struct key *k, unsigned int changed)
{
	bool is_new;
	unsigned int *value = tree_set_put(t->pending, k->bytes, k->size, &is_new);

	if (!value)
		t->all = true;
	else
		*value |= changed;
}

struct info {
	const struct file_handle *dir, *object;
	const char *name;
	size_t name_size;
};

/* The records behind an event's head, [at, end). */
static void read_info(const uint8_t *at, const uint8_t *end, struct info *ret)
{
	*ret = (struct info){ 0 };
	while (at + sizeof(struct fanotify_event_info_fid) <= end) {
		const struct fanotify_event_info_fid *f = (const void *)at;
		const struct file_handle *h = (const void *)f->handle;
		if (f->hdr.len == 0)
			return;
		if (f->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME) {
			ret->dir = h;
			ret->name = (const char *)h->f_handle + h->handle_bytes;
			ret->name_size = strlen(ret->name);
		} else if (f->hdr.info_type == FAN_EVENT_INFO_TYPE_FID) {
			ret->object = h;
		}
		at += f->hdr.len;
	}
}

static void take_event(struct tree_tracker *t, const struct fanotify_event_metadata *ev, const uint8_t *at)
{
	unsigned int changed = changed_by(ev->mask);
	struct info i;
	struct key k;

	if (ev->mask & FAN_Q_OVERFLOW)
		t->all = true;
	if (t->all)
		return;
	if (ev->mask & FAN_ONDIR && ev->mask & (FAN_MOVED_FROM | FAN_MOVED_TO))
		tree_set_clear(t->verdicts);
	read_info(at + ev->metadata_len, at + ev->event_len, &i);
	if (!i.dir && !i.object)
		return;
	if (i.dir && str_eq(i.name, ".")) { /* the directory itself */
		i.name_size = 0;
		changed = TREE_CHANGED_ATTR;
	}
	if (make_key(&k, i.dir ? i.dir : i.object, i.dir ? i.name : "", i.dir ? i.name_size : 0) < 0)
		return;
	if (i.dir && is_inside(t, &k))
		remember(t, &k, changed);
	else if (!i.dir)
		remember(t, &k, TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR | CHANGED_INODE);
}

int tree_track_drain(struct tree_tracker *t, struct error *e)
{
	ssize_t n;

	if (t->fan < 0)
		return 0;
	while ((n = read(t->fan, t->events, EVENTS_SIZE)) > 0) {
		const uint8_t *at = t->events, *end = t->events + n;
		struct fanotify_event_metadata ev; /* in the buffer they are aligned to 4 bytes only */
		for (; (size_t)(end - at) >= sizeof(ev); at += ev.event_len) {
			memcpy(&ev, at, sizeof(ev));
			if (ev.vers != FANOTIFY_METADATA_VERSION || ev.event_len < sizeof(ev) ||
			    ev.event_len > (size_t)(end - at) || ev.metadata_len > ev.event_len)
				return refuse(e, EPROTO, "fanotify: events of version %u", ev.vers);
			take_event(t, &ev, at);
		}
	}
	if (n < 0 && errno != EAGAIN)
		return fail(e, errno, "read the changes of %s", t->place->name);
	return 0;
}

/* ---- looking up what is pending ---- */

struct looking {
	struct tree_tracker *t;
	struct tree_changes *into;
	struct tree_set *dirs;	 /* handle → char *path, "" + gone */
	struct tree_set *inodes; /* those that no name was found of: → changed */
};

struct dir_found {
	bool gone;
	char *path;
};

static int free_found(void *arg, const uint8_t *key, size_t size, void *value)
{
	(void)arg;
	(void)key;
	(void)size;
	free(((struct dir_found *)value)->path);
	return 0;
}

/* Where the directory of a key is now, found once for all its names. */
static int find_dir(struct looking *g, const uint8_t *key, size_t handle_size, struct dir_found **ret)
{
	char path[TREE_PATH_MAX + 2];
	bool is_new;
	struct dir_found *f = tree_set_put(g->dirs, key, handle_size, &is_new);

	if (!f)
		return -ENOMEM;
	*ret = f;
	if (!is_new)
		return 0;
	int r = resolve(g->t, key, path);
	if (r < 0 && r != -ENOENT)
		return r;
	f->gone = r == -ENOENT;
	f->path = f->gone ? NULL : strdup(path);
	return f->gone || f->path ? 0 : -ENOMEM;
}

/* A directory of an upper layer that was made because something below it was written: the overlay shows what it showed
 * before. One that is new has an attribute that says so (opaque), or says where it was (redirect). */
static bool is_copied_up(const struct tree_tracker *t, const char *path)
{
	auto_close int dir = tree_open(t->watched_place, path, O_RDONLY | O_DIRECTORY);
	char value[4];

	if (dir < 0 || fgetxattr(dir, "trusted.overlay.origin", NULL, 0) < 0)
		return false;
	if (fgetxattr(dir, "trusted.overlay.redirect", NULL, 0) >= 0)
		return false;
	ssize_t n = fgetxattr(dir, "trusted.overlay.opaque", value, sizeof(value));
	return n != 1 || value[0] != 'y';
}

static int add_change(struct looking *g, const char *path, unsigned int changed)
{
	if (tree_is_excluded(g->t->place, path))
		return 0;
	if (changed & TREE_CHANGED_NAME && g->t->watched_place != g->t->place && is_copied_up(g->t, path))
		changed = TREE_CHANGED_ATTR;
	return tree_changes_add(g->into, path, changed);
}

/* An inode without a name: a name that its handle still knows, or else it is searched for. */
static int look_at_inode(struct looking *g, const uint8_t *key, unsigned int changed)
{
	char path[TREE_PATH_MAX + 2];
	struct stat st;
	bool is_new;
	auto_close int fd = open_handle(g->t, key);

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0)
		return 0;
	if (path_below(g->t, fd, path) == 0)
		return add_change(g, path, changed);
	if (S_ISDIR(st.st_mode) || st.st_nlink < 2) /* it has but that name, outside */
		return 0;
	unsigned int *value = tree_set_put(g->inodes, &st.st_ino, sizeof(st.st_ino), &is_new);
	if (!value)
		return -ENOMEM;
	*value |= changed;
	return 0;
}

static int look_at(void *arg, const uint8_t *key, size_t size, void *value)
{
	struct looking *g = arg;
	unsigned int changed = *(unsigned int *)value;
	size_t handle_size = 5 + (size_t)key[0];
	const char *name = (const char *)key + handle_size;
	char path[TREE_PATH_MAX + 2];
	struct dir_found *dir;

	if (changed & CHANGED_INODE)
		return look_at_inode(g, key, changed & ~(unsigned int)CHANGED_INODE);
	int r = find_dir(g, key, handle_size, &dir);
	if (r < 0 || dir->gone)
		return r;
	if (size == handle_size)
		return add_change(g, dir->path, changed);
	if (str_format(path, TREE_PATH_MAX + 1, "%s%s%s", dir->path, *dir->path ? "/" : "", name) < 0)
		return -ENAMETOOLONG;
	return add_change(g, path, changed);
}

static int match_inode(void *arg, const struct tree_entry *t, struct error *e)
{
	struct looking *g = arg;
	ino_t ino = t->ino;
	const unsigned int *changed = tree_set_find(g->inodes, &ino, sizeof(ino));

	if (changed && add_change(g, t->path, *changed) < 0)
		return fail(e, ENOMEM, "%s", g->t->place->name);
	return 0;
}

/* All names of the inodes that were not found by their handles. Walks over names, looks at nothing. */
static int search_inodes(struct looking *g, struct error *e)
{
	const struct tree_visitor v = { .entry = match_inode, .live = true };

	if (!tree_set_count(g->inodes))
		return 0;
	return tree_walk(g->t->watched_place, "", &v, g, e);
}

static int look_up(struct tree_tracker *t, struct tree_changes *into, struct error *e)
{
	AUTO(tree_set) struct tree_set *dirs = tree_set_new(sizeof(struct dir_found));
	AUTO(tree_set) struct tree_set *inodes = tree_set_new(sizeof(unsigned int));
	struct looking g = { .t = t, .into = into, .dirs = dirs, .inodes = inodes };

	if (!dirs || !inodes)
		return fail(e, ENOMEM, "%s", t->place->name);
	int r = tree_set_each(t->pending, look_at, &g);
	tree_set_each(dirs, free_found, NULL);
	if (r < 0)
		return fail(e, -r, "look up the changes of %s", t->place->name);
	return search_inodes(&g, e);
}

static int collect(struct tree_tracker *t, struct tree_changes *into, bool take, struct error *e)
{
	int r = tree_track_drain(t, e);

	if (r < 0)
		return r;
	if (t->all) {
		into->all = true;
		return 0;
	}
	r = t->fan >= 0 ? look_up(t, into, e) : take ? tree_index_look(t, into, e) : 0;
	if (r == 0)
		r = tree_watch_look(t, into, e);
	if (r == 0 && tree_changes_settle(into) < 0)
		r = fail(e, ENOMEM, "%s", t->place->name);
	return r;
}

int tree_track_take(struct tree_tracker *t, struct tree_changes *ret, struct error *e)
{
	struct tree_changes c = { 0 };
	int r = collect(t, &c, true, e);

	if (r < 0) {
		tree_changes_done(&c);
		return r;
	}
	t->all = false;
	tree_set_clear(t->pending);
	*ret = c;
	return 0;
}

int tree_track_pending(struct tree_tracker *t, struct tree_pending *ret, struct error *e)
{
	struct tree_changes c = { 0 };
	int r = collect(t, &c, false, e);

	if (r == 0) {
		*ret = (struct tree_pending){ .entries = c.count, .all = c.all, .walk = t->fan < 0 };
		for (size_t i = 0; i < c.count; i++) {
			struct stat st;
			auto_close int fd = tree_open(t->place, c.list[i].path, O_PATH);
			if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
			    c.list[i].changed & (TREE_CHANGED_NAME | TREE_CHANGED_CONTENT))
				ret->bytes += (uint64_t)st.st_size;
		}
	}
	tree_changes_done(&c);
	return r;
}

/* ---- made and freed ---- */

/* A group that watches the file system of the tree; -1 where that cannot be (btrfs subvolumes, FUSE, old kernels). */
static int open_group(const struct tree_place *place)
{
	auto_close int fan = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_REPORT_FID |
						   FAN_NONBLOCK | FAN_CLOEXEC | FAN_UNLIMITED_QUEUE |
						   FAN_UNLIMITED_MARKS,
					   O_RDONLY | O_CLOEXEC);

	if (fan < 0)
		return -1;
	if (fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, ALL_EVENTS, place->root, NULL) < 0)
		return -1;
	return take_fd(&fan);
}

void tree_track_free(struct tree_tracker *t)
{
	if (!t)
		return;
	cleanup_close(&t->fan);
	tree_set_free(t->pending);
	tree_set_free(t->verdicts);
	tree_set_free(t->index);
	tree_watch_done(t);
	free(t->events);
	free(t);
}

int tree_track_new(struct tree_sender *s, struct tree_tracker **ret, struct error *e)
{
	AUTO(tree_track) struct tree_tracker *t = calloc(1, sizeof(*t));

	if (!t)
		return fail(e, ENOMEM, "%s", s->place.name);
	t->place = &s->place;
	t->watched_place = s->upper.root >= 0 ? &s->upper : &s->place;
	t->fan = -1;
	t->pending = tree_set_new(sizeof(unsigned int));
	t->verdicts = tree_set_new(sizeof(uint8_t));
	t->index = tree_set_new(sizeof(struct tree_indexed));
	t->watched = tree_set_new(sizeof(struct tree_watched));
	t->events = malloc(EVENTS_SIZE);
	if (!t->pending || !t->verdicts || !t->index || !t->watched || !t->events)
		return fail(e, ENOMEM, "%s", s->place.name);
	if (!s->place.cross_mounts) /* one mark watches one file system */
		t->fan = open_group(t->watched_place);
	*ret = take_ptr(t);
	return 0;
}

int tree_track_fd(const struct tree_tracker *t)
{
	return t->fan;
}
