/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treeindex.c - changes found by walking, where the kernel cannot report them
 *
 * Every path with its inode, times and size; each look walks the tree and compares. A change time that is as young as the look is
 * not trusted: the next change may have the same. */
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
	struct tree_changes *into; /* NULL: the first look */
	struct timespec now;
};

static int index_path(struct looking *g, const char *path, const struct stat *st)
{
	bool is_new;
	struct tree_indexed *was = tree_set_put(g->t->index, path, strlen(path), &is_new);

	if (!was)
		return -ENOMEM;
	unsigned int changed = is_new ? TREE_CHANGED_NAME | TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR
				      : tree_index_compare(was, st);
	*was = (struct tree_indexed){ .dev = st->st_dev,
				      .ino = st->st_ino,
				      .ctime = st->st_ctim,
				      .mtime = st->st_mtim,
				      .size = st->st_size,
				      .mode = st->st_mode,
				      .look = g->t->index_look,
				      .unsettled = tree_is_unsettled(st->st_ctim, g->now) };
	return g->into && changed ? tree_changes_add(g->into, path, changed) : 0;
}

static int look_at_dir(void *arg, const char *path, int dir, struct error *e)
{
	struct looking *g = arg;
	struct stat st;

	if (fstat(dir, &st) < 0)
		return fail(e, errno, "look at %s/%s", g->t->place->name, path);
	return index_path(g, path, &st) < 0 ? fail(e, ENOMEM, "%s", g->t->place->name) : 0;
}

static int look_at_entry(void *arg, const struct tree_entry *t, struct error *e)
{
	struct looking *g = arg;
	struct stat st;

	if (fstatat(t->dir, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(e, errno, "look at %s/%s", g->t->place->name, t->path);
	return index_path(g, t->path, &st) < 0 ? fail(e, ENOMEM, "%s", g->t->place->name) : 0;
}

/* What was not seen this time is gone. */
static int drop_unseen(void *arg, const uint8_t *key, size_t size, void *value)
{
	struct looking *g = arg;
	const struct tree_indexed *was = value;

	(void)size;
	if (was->look == g->t->index_look)
		return 0;
	if (g->into && tree_changes_add(g->into, (const char *)key, TREE_CHANGED_NAME) < 0)
		return -ENOMEM;
	return 1;
}

static int look(struct tree_tracker *t, struct tree_changes *into, struct error *e)
{
	const struct tree_visitor v = { .enter = look_at_dir, .entry = look_at_entry, .live = true };
	struct looking g = { .t = t, .into = into };

	t->index_look++;
	clock_gettime(CLOCK_REALTIME, &g.now);
	int r = tree_walk(t->place, "", &v, &g, e);
	if (r < 0)
		return r;
	return tree_set_each(t->index, drop_unseen, &g) < 0 ? fail(e, ENOMEM, "%s", t->place->name) : 0;
}

int tree_index_start(struct tree_tracker *t, struct error *e)
{
	return look(t, NULL, e);
}

int tree_index_look(struct tree_tracker *t, struct tree_changes *into, struct error *e)
{
	return look(t, into, e);
}
