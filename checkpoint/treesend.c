/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treesend.c - the sender: a tree and its objects as records
 *
 * Runs on the source, as root, while strangers use the tree. The handle that everything goes through is a detached mount
 * without devices: what is opened is a plain file, or the open fails, whatever a name becomes in between. Attributes of a
 * directory come after all that is made in it, or making it would spoil its times. */
#include "checkpoint/treesend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/treelayers.h"
#include "checkpoint/treetrack.h"

#define HOT_SIZE ((off_t)128 * 1024) /* smaller files are sent whole whenever they change */

/* ---- made and freed ---- */

static char *const *copy_list(char *const *list)
{
	size_t count = 0;

	while (list[count])
		count++;
	char **copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		copy[i] = strdup(list[i] + strspn(list[i], "/"));
		if (!copy[i]) {
			while (i)
				free(copy[--i]);
			free(copy);
			return NULL;
		}
	}
	return copy;
}

void tree_sender_free(struct tree_sender *s)
{
	if (!s)
		return;
	cleanup_close(&s->place.root);
	cleanup_close(&s->upper.root);
	for (size_t i = 0; s->place.excluded && s->place.excluded[i]; i++)
		free(s->place.excluded[i]);
	free((void *)s->place.excluded);
	free(s->place.name);
	tree_links_free(s->links);
	tree_blocks_free(s->blocks);
	free(s);
}

/* True if a directory is the root of this overlay's upper layer: its path is only text, written where the overlay was mounted. The
 * overlay shows the times of the real directory. */
static bool is_upper_of(int upper, int root)
{
	struct stat a, b;

	return fstat(upper, &a) == 0 && fstat(root, &b) == 0 && a.st_ctim.tv_sec == b.st_ctim.tv_sec &&
	       a.st_ctim.tv_nsec == b.st_ctim.tv_nsec && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
	       a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

/* The upper layer of a tree that is the root of a mounted overlay, where all its changes are seen; -1: there is none. */
static int open_upper(const struct tree_from *from)
{
	AUTO(arena) struct arena *a = arena_new();
	struct tree_layers layers;
	struct error ignored;

	if (!a || tree_layers_of(from->root, from->name, a, &layers, &ignored) != 1 || !layers.upper)
		return -1;
	auto_close int upper = open(layers.upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0 || !is_upper_of(upper, from->root))
		return -1;
	int root = tree_detach(upper, layers.upper, false, false, &ignored);
	return root < 0 ? -1 : root;
}

int tree_sender_new(const struct tree_from *from, tree_sink *sink, void *arg, struct tree_sender **ret,
		    struct error *e)
{
	AUTO(tree_sender) struct tree_sender *s = calloc(1, sizeof(*s));

	if (!s)
		return fail(e, ENOMEM, "%s", from->name);
	s->place.root = s->upper.root = -1;
	s->place.cross_mounts = from->cross_mounts;
	s->place.name = strdup(from->name);
	s->place.excluded = from->excluded ? copy_list(from->excluded) : NULL;
	s->links = tree_links_new();
	s->blocks = tree_blocks_new();
	if (!s->place.name || !s->links || !s->blocks || (from->excluded && !s->place.excluded))
		return fail(e, ENOMEM, "%s", from->name);
	s->writer.sink = sink;
	s->writer.arg = arg;
	s->place.root = tree_detach(from->root, from->name, false, from->cross_mounts, e);
	if (s->place.root < 0)
		return s->place.root;
	s->upper.root = open_upper(from);
	s->upper.name = s->place.name;
	*ret = take_ptr(s);
	return 0;
}

void tree_sender_counts(const struct tree_sender *s, struct tree_counts *ret)
{
	*ret = s->counts;
	ret->frames = s->writer.frames;
	ret->bytes = s->writer.bytes;
}

int tree_send_begin(struct tree_sender *s, struct error *e)
{
	if (s->begun)
		return 0;
	int r = tree_put(&s->writer, TREE_BEGIN, 32, e);
	if (r < 0)
		return r;
	tree_put_u32(&s->writer, TREE_MAGIC);
	tree_put_u16(&s->writer, TREE_VERSION);
	tree_put_u64(&s->writer, s->measured.bytes);
	tree_put_u64(&s->writer, s->measured.entries);
	tree_put_done(&s->writer);
	s->begun = true;
	return 0;
}

int tree_send_end(struct tree_sender *s, struct error *e)
{
	if (!s->walked || s->ended)
		return refuse(e, EINVAL, "%s: the end of a copy that was not made", s->place.name);
	int r = tree_put(&s->writer, TREE_END, 24, e);
	if (r < 0)
		return r;
	tree_put_u64(&s->writer, s->counts.entries);
	tree_put_u64(&s->writer, s->counts.removed);
	tree_put_u64(&s->writer, s->counts.data);
	tree_put_done(&s->writer);
	s->ended = true;
	return tree_flush(&s->writer, e);
}

/* ---- objects ---- */

static int read_attrs(struct tree_sender *s, int fd, int dir, const char *name, const char *path,
		      struct error *e)
{
	return tree_read_attrs(&s->attrs, fd, dir, name, s->tracker != NULL, &s->place, path, e);
}

/* Put a record of path, metadata and attributes; `more` bytes may follow. */
static int put_object(struct tree_sender *s, enum tree_record type, const char *path, const struct stat *st,
		      size_t more, struct error *e)
{
	struct tree_meta meta;
	int r = tree_put(&s->writer, type, 2 + strlen(path) + 64 + s->attrs.size + more, e);

	if (r < 0)
		return r;
	tree_meta_of(st, &meta);
	tree_put_path(&s->writer, path);
	tree_put_meta(&s->writer, &meta);
	return 0;
}

static void put_attrs(struct tree_sender *s)
{
	tree_put_bytes(&s->writer, s->attrs.bytes, s->attrs.size);
}

static int put_close(struct tree_sender *s, off_t size, struct error *e)
{
	int r = tree_put(&s->writer, TREE_CLOSE, 8, e);

	if (r < 0)
		return r;
	tree_put_u64(&s->writer, (uint64_t)size);
	tree_put_done(&s->writer);
	return 0;
}

static int send_file(struct tree_sender *s, int fd, const char *path, const struct stat *st, bool fresh,
		     struct error *e)
{
	struct tree_inode inode = { st->st_dev, st->st_ino };
	struct tree_map *map = tree_blocks_find(s->blocks, inode);
	bool patch = map && !fresh, hot = s->walked && st->st_size >= HOT_SIZE;

	if (map || hot)
		map = tree_blocks_fit(s->blocks, inode, (uint64_t)st->st_size);
	if (map && fresh) { /* nothing of it is there */
		tree_blocks_drop(s->blocks, inode);
		map = tree_blocks_fit(s->blocks, inode, (uint64_t)st->st_size);
	}
	patch = patch && map;
	int r = put_object(s, TREE_FILE, path, st, 1, e);
	if (r < 0)
		return r;
	tree_put_u8(&s->writer, fresh ? TREE_FILE_FRESH : patch ? TREE_FILE_PATCH : TREE_FILE_REWRITE);
	put_attrs(s);
	tree_put_done(&s->writer);
	s->counts.entries++;
	off_t size = map ? tree_send_blocks(s, fd, path, st, map, patch, e)
			 : tree_send_whole(s, fd, path, st, e);
	if (size < 0)
		return (int)size;
	if (map && size != st->st_size) /* it was cut meanwhile: what is behind is not there */
		tree_blocks_fit(s->blocks, inode, (uint64_t)size);
	return put_close(s, size, e);
}

static int send_link(struct tree_sender *s, const char *path, const char *other, struct error *e)
{
	int r = tree_put(&s->writer, TREE_LINK, 4 + strlen(path) + strlen(other), e);

	if (r < 0)
		return r;
	tree_put_path(&s->writer, path);
	tree_put_path(&s->writer, other);
	tree_put_done(&s->writer);
	s->counts.entries++;
	return 0;
}

static int send_symlink(struct tree_sender *s, int dir, const char *name, const char *path,
			const struct stat *st, struct error *e)
{
	char target[TREE_PATH_MAX + 1];
	ssize_t n = readlinkat(dir, name, target, sizeof(target));

	if (n < 0 && s->tracker && (errno == ENOENT || errno == EINVAL))
		return 0;
	if (n < 0)
		return fail(e, errno, "read link %s/%s", s->place.name, path);
	if (n == 0 || (size_t)n > TREE_PATH_MAX)
		return refuse(e, ENAMETOOLONG, "%s/%s: target of %zd bytes", s->place.name, path, n);
	int r = put_object(s, TREE_SYMLINK, path, st, 2 + (size_t)n, e);
	if (r < 0)
		return r;
	put_attrs(s);
	tree_put_u16(&s->writer, (uint16_t)n);
	tree_put_bytes(&s->writer, target, (size_t)n);
	tree_put_done(&s->writer);
	s->counts.entries++;
	return 0;
}

static int send_plain(struct tree_sender *s, enum tree_record type, const char *path, const struct stat *st,
		      struct error *e)
{
	int r = put_object(s, type, path, st, 0, e);

	if (r < 0)
		return r;
	put_attrs(s);
	tree_put_done(&s->writer);
	s->counts.entries++;
	return 0;
}

/* The receiver makes a name anew that the source has not: the directory gets its times back at the end. */
static int note_touched(struct tree_sender *s, const char *path, unsigned int changed, struct error *e)
{
	char parent[TREE_PATH_MAX + 1];
	const char *slash = strrchr(path, '/');
	size_t size = slash ? (size_t)(slash - path) : 0;

	if (!s->touched || changed & TREE_CHANGED_NAME)
		return 0;
	memcpy(parent, path, size);
	parent[size] = '\0';
	return tree_changes_add(s->touched, parent, TREE_CHANGED_ATTR) < 0
		       ? fail(e, ENOMEM, "%s", s->place.name)
		       : 0;
}

/* The links that an object belongs to: 1: nothing more is to be sent, as it became another name of what is there. */
static int join_links(struct tree_sender *s, const char *path, const struct stat *st, unsigned int *changed,
		      struct error *e)
{
	struct tree_inode inode = { st->st_dev, st->st_ino }, known;
	bool is_known = tree_links_find(s->links, path, &known);

	if (is_known && known.ino == inode.ino && known.dev == inode.dev) {
		if (*changed & TREE_CHANGED_NAME) /* the number may be that of another file by now */
			*changed = TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR;
		return 0;
	}
	if (is_known)
		tree_links_remove(s->links, path);
	else if (st->st_nlink < 2)
		return 0;
	int r = note_touched(s, path, *changed, e);
	if (r < 0)
		return r;
	*changed |= TREE_CHANGED_NAME; /* what is there may be another's, too */
	if (st->st_nlink < 2)
		return 0;
	const char *other = tree_links_other(s->links, inode, path);
	if (other)
		r = send_link(s, path, other, e);
	if (r < 0)
		return r;
	if (tree_links_add(s->links, path, inode) < 0)
		return fail(e, ENOMEM, "%s/%s", s->place.name, path);
	if (other)
		*changed &= ~(unsigned int)TREE_CHANGED_NAME;
	return other && *changed == 0;
}

int tree_open_file(int dir, const char *name, struct stat *ret_st)
{
	auto_close int fd = openat(dir, name,
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st) < 0)
		return -errno;
	if (!S_ISREG(ret_st->st_mode))
		return -EAGAIN; /* a fifo by now, say */
	return take_fd(&fd);
}

static bool has_vanished(const struct tree_sender *s, int r)
{
	return s->tracker && (r == -ENOENT || r == -ESTALE);
}

static int send_other(struct tree_sender *s, int dir, const char *name, const char *path,
		      const struct stat *st, struct error *e)
{
	int r = read_attrs(s, -1, dir, name, path, e);

	if (r < 0)
		return r;
	if (S_ISLNK(st->st_mode))
		return send_symlink(s, dir, name, path, st, e);
	return send_plain(s, TREE_NODE, path, st, e);
}

/* A regular file that is open. */
static int send_opened(struct tree_sender *s, int fd, const char *path, const struct stat *st,
		       unsigned int changed, struct error *e)
{
	int r = read_attrs(s, fd, -1, NULL, path, e);

	if (r < 0)
		return r;
	if (!(changed & (TREE_CHANGED_NAME | TREE_CHANGED_CONTENT)))
		return send_plain(s, TREE_ATTR, path, st, e);
	if (s->tracker)
		tree_track_reading(s->tracker, st, s->looked);
	return send_file(s, fd, path, st, changed & TREE_CHANGED_NAME, e);
}

/* The tracker learns what was sent. */
static int note_sent(struct tree_sender *s, const char *path, const struct stat *st, unsigned int what,
		     struct error *e)
{
	if (s->tracker && tree_track_sent(s->tracker, path, st, s->looked, what) < 0)
		return fail(e, ENOMEM, "%s/%s", s->place.name, path);
	return 0;
}

static int send_looked_at(struct tree_sender *s, int fd, int dir, const char *name, const char *path,
			  const struct stat *st, unsigned int changed, struct error *e)
{
	int r = join_links(s, path, st, &changed, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (fd >= 0)
		return send_opened(s, fd, path, st, changed, e);
	if (changed & TREE_CHANGED_NAME || S_ISLNK(st->st_mode))
		return send_other(s, dir, name, path, st, e);
	r = read_attrs(s, -1, dir, name, path, e);
	return r < 0 ? r : send_plain(s, TREE_ATTR, path, st, e);
}

int tree_send_object(struct tree_sender *s, int dir, const char *name, const char *path, unsigned int changed,
		     struct error *e)
{
	struct stat st;
	auto_close int fd = -1;

	clock_gettime(CLOCK_REALTIME, &s->looked);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return has_vanished(s, -errno) ? 0 : fail(e, errno, "look at %s/%s", s->place.name, path);
	if (S_ISDIR(st.st_mode)) /* since the walk saw it: whoever made it told the tracker */
		return s->tracker ? 0 : refuse(e, EBUSY, "%s/%s changed", s->place.name, path);
	if (S_ISREG(st.st_mode)) {
		fd = tree_open_file(dir, name, &st);
		if (has_vanished(s, fd) || (s->tracker && (fd == -EAGAIN || fd == -ELOOP || fd == -ENXIO)))
			return 0;
		if (fd < 0)
			return fail(e, -fd, "open %s/%s", s->place.name, path);
	}
	int r = send_looked_at(s, fd, dir, name, path, &st, changed, e);
	return r < 0 ? r : note_sent(s, path, &st, changed, e);
}

int tree_send_dir_attr(struct tree_sender *s, const char *path, int dir, struct error *e)
{
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &s->looked);
	if (fstat(dir, &st) < 0)
		return fail(e, errno, "look at %s/%s", s->place.name, path);
	int r = read_attrs(s, dir, -1, NULL, path, e);
	if (r == 0)
		r = send_plain(s, TREE_ATTR, path, &st, e);
	return r < 0 ? r : note_sent(s, path, &st, TREE_CHANGED_ATTR, e);
}

int tree_send_remove(struct tree_sender *s, const char *path, struct error *e)
{
	int r = tree_put(&s->writer, TREE_REMOVE, 2 + strlen(path), e);

	if (r < 0)
		return r;
	tree_put_path(&s->writer, path);
	tree_put_done(&s->writer);
	s->counts.removed++;
	tree_links_remove_below(s->links, path);
	if (s->tracker)
		tree_track_removed(s->tracker, path);
	return 0;
}

/* ---- the whole ---- */

struct sending {
	struct tree_sender *s;
	const char *top;
	bool fresh;
};

static int send_entered(void *arg, const char *path, int dir, struct error *e)
{
	struct sending *g = arg;
	struct tree_sender *s = g->s;
	bool top = strcmp(path, g->top) == 0;

	(void)dir;
	if (s->tracker) { /* or a busy file system lets its queue grow */
		int r = tree_track_drain(s->tracker, e);
		if (r < 0)
			return r;
	}
	if (!*path && !g->fresh)
		return 0;
	int r = tree_put(&s->writer, TREE_DIR, 2 + strlen(path) + 1, e);
	if (r < 0)
		return r;
	tree_put_path(&s->writer, path);
	tree_put_u8(&s->writer, top && g->fresh);
	tree_put_done(&s->writer);
	s->counts.entries++;
	return 0;
}

static int send_met(void *arg, const struct tree_entry *t, struct error *e)
{
	struct sending *g = arg;

	return tree_send_object(g->s, t->dir, t->name, t->path,
				TREE_CHANGED_NAME | TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR, e);
}

static int send_left(void *arg, const char *path, int dir, struct error *e)
{
	struct sending *g = arg;

	return tree_send_dir_attr(g->s, path, dir, e);
}

int tree_send_below(struct tree_sender *s, const char *path, bool fresh, struct error *e)
{
	struct sending g = { .s = s, .top = path, .fresh = fresh };
	struct tree_visitor v = {
		.enter = send_entered, .entry = send_met, .leave = send_left, .live = s->tracker != NULL
	};

	if (fresh)
		tree_links_remove_below(s->links, path);
	if (fresh && s->tracker)
		tree_track_removed(s->tracker, path);
	if (fresh && !*path)
		tree_blocks_clear(s->blocks);
	return tree_walk(&s->place, path, &v, &g, e);
}

int tree_send_all(struct tree_sender *s, struct tree_tracker *t, struct error *e)
{
	if (s->walked)
		return refuse(e, EINVAL, "%s: sent twice", s->place.name);
	int r = tree_send_begin(s, e);
	if (r < 0)
		return r;
	s->tracker = t;
	r = tree_send_below(s, "", false, e);
	s->tracker = NULL;
	if (r < 0)
		return r;
	s->walked = true;
	return tree_flush(&s->writer, e);
}
