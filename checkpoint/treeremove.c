/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treeremove.c - all below a directory goes: no link is followed, no mount crossed */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/treereceive.h"

static int remove_met(void *arg, const struct tree_entry *t, struct error *e)
{
	const struct tree_place *p = arg;
	char buf[256];

	if (unlinkat(t->dir, t->name, 0) < 0 && errno != ENOENT)
		return fail(e, errno, "remove %s/%s", p->name, tree_shown(t->path, buf));
	return 0;
}

static int remove_left(void *arg, const char *path, int dir, struct error *e)
{
	const struct tree_place *p = arg;
	char above[TREE_PATH_MAX + 1], buf[256];
	char *slash;

	(void)dir;
	if (!*path)
		return 0;
	memcpy(above, path, strlen(path) + 1);
	slash = strrchr(above, '/');
	const char *name = slash ? slash + 1 : path;
	if (slash)
		*slash = '\0';
	auto_close int parent = tree_open(p, slash ? above : "", O_RDONLY | O_DIRECTORY);
	if (parent < 0)
		return fail(e, -parent, "remove %s/%s", p->name, tree_shown(path, buf));
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail(e, errno, "remove %s/%s", p->name, tree_shown(path, buf));
	return 0;
}

int tree_remove_below(int root, const char *name, struct error *e)
{
	const struct tree_visitor v = { .entry = remove_met, .leave = remove_left };
	auto_close int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return fail(e, errno, "open %s", name);
	struct tree_place place = { .root = dir, .name = (char *)name };
	return tree_walk(&place, "", &v, &place, e);
}
