/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treeindex.c - changes found by walking, where the kernel cannot report them
 *
 * The index is what the destination has: of every path that was sent, inode, times and size from just before it was read. A look
 * walks the tree and compares; it changes nothing, for what it sees need not be what is sent a moment later. A change time that
 * is as young as the reading is not trusted: the next change may have the same. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "checkpoint/treetrack_internal.h"

#define TICK_NS 20000000 /* longer than a tick of any kernel: 10 ms at 100 Hz */

bool tree_is_unsettled(struct timespec t, struct timespec now)
{
	int64_t age = (now.tv_sec - t.tv_sec) * INT64_C(1000000000) + (now.tv_nsec - t.tv_nsec);

	return now.tv_sec - t.tv_sec < 10 && age < TICK_NS;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

unsigned int tree_index_compare(const struct tree_indexed *was, const struct stat *is)
{
	if (was->ino != is->st_ino || was->dev != is->st_dev || ((was->mode ^ is->st_mode) & S_IFMT))
		return TREE_CHANGED_NAME | TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR;
	if (!was->unsettled && same_time(was->ctime, is->st_ctim))
		return 0;
	if (S_ISREG(is->st_mode) &&
	    (was->unsettled || !same_time(was->mtime, is->st_mtim) || was->size != is->st_size))
		return TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR;
	return TREE_CHANGED_ATTR;
}

struct looking {
	struct tree_tracker *t;
	struct tree_changes *into;
};

static int look_at_path(struct looking *g, const char *path, const struct stat *st, struct error *e)
{
	struct tree_indexed *was = tree_set_find(g->t->index, path, strlen(path));
	unsigned int changed = was ? tree_index_compare(was, st)
				   : TREE_CHANGED_NAME | TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR;

	if (was)
		was->look = g->t->index_look;
	if (changed && tree_changes_add(g->into, path, changed) < 0)
		return fail(e, ENOMEM, "%s", g->t->place->name);
	return 0;
}

static int look_at_dir(void *arg, const char *path, int dir, struct error *e)
{
	struct looking *g = arg;
	struct stat st;

	if (fstat(dir, &st) < 0)
		return fail(e, errno, "look at %s/%s", g->t->place->name, path);
	return look_at_path(g, path, &st, e);
}

static int look_at_entry(void *arg, const struct tree_entry *t, struct error *e)
{
	struct looking *g = arg;
	struct stat st;

	if (fstatat(t->dir, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(e, errno, "look at %s/%s", g->t->place->name, t->path);
	return look_at_path(g, t->path, &st, e);
}

/* What was not seen this time is gone. */
static int report_unseen(void *arg, const uint8_t *key, size_t size, void *value)
{
	struct looking *g = arg;
	const struct tree_indexed *was = value;

	(void)size;
	if (was->look == g->t->index_look)
		return 0;
	return tree_changes_add(g->into, (const char *)key, TREE_CHANGED_NAME);
}

int tree_index_look(struct tree_tracker *t, struct tree_changes *into, struct error *e)
{
	const struct tree_visitor v = { .enter = look_at_dir, .entry = look_at_entry, .live = true };
	struct looking g = { .t = t, .into = into };

	t->index_look++;
	int r = tree_walk(t->place, "", &v, &g, e);
	if (r < 0)
		return r;
	return tree_set_each(t->index, report_unseen, &g) < 0 ? fail(e, ENOMEM, "%s", t->place->name) : 0;
}

int tree_track_sent(struct tree_tracker *t, const char *path, const struct stat *st, struct timespec when,
		    unsigned int what)
{
	bool is_new;

	if (t->fan >= 0)
		return 0;
	struct tree_indexed *was = tree_set_put(t->index, path, strlen(path), &is_new);
	if (!was)
		return -ENOMEM;
	/* Attributes alone: a content that changed since the look is still to be found. */
	if (!is_new && !(what & TREE_CHANGED_CONTENT) && S_ISREG(st->st_mode) &&
	    (!same_time(was->mtime, st->st_mtim) || was->size != st->st_size))
		return 0;
	*was = (struct tree_indexed){ .dev = st->st_dev,
				      .ino = st->st_ino,
				      .ctime = st->st_ctim,
				      .mtime = st->st_mtim,
				      .size = st->st_size,
				      .mode = st->st_mode,
				      .look = was->look,
				      .unsettled = tree_is_unsettled(st->st_ctim, when) };
	return 0;
}

static int drop_below(void *arg, const uint8_t *key, size_t size, void *value)
{
	(void)size;
	(void)value;
	return tree_is_below((const char *)key, arg);
}

void tree_track_removed(struct tree_tracker *t, const char *path)
{
	if (t->fan < 0)
		tree_set_each(t->index, drop_below, (void *)path);
}

void tree_track_doubt(struct tree_tracker *t, const char *path)
{
	struct tree_indexed *was = t->fan < 0 ? tree_set_find(t->index, path, strlen(path)) : NULL;

	if (was && S_ISDIR(was->mode))
		was->unsettled = true;
}

bool tree_track_has_dir(const struct tree_tracker *t, const char *path, size_t size)
{
	const struct tree_indexed *was;

	if (t->fan >= 0 || size == 0)
		return true;
	was = tree_set_find(t->index, path, size);
	return was && S_ISDIR(was->mode);
}
