/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_sweep.c - what migrations that were killed have left on this node is removed by the next one
 *
 * The parent directory is locked while a place is made or looked at: one that is being made is not taken for a dead one's. */
#include "runtime/migrate_sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/received.h"

/* <root>/<place>, locked; -ENOENT where there is none. */
static int lock_places(const char *root, const char *place, char path[static PATH_MAX], struct error *e)
{
	if (str_format(path, PATH_MAX, "%s/%s", root, place) < 0)
		return refuse(e, ENAMETOOLONG, "%s: too long", root);
	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return fail(e, errno, "open %s", path);
	if (flock(dir, LOCK_EX) < 0)
		return fail(e, errno, "lock %s", path);
	return take_fd(&dir);
}

int sweep_make_place(const char *root, const char *place, const char *migration,
		     char ret_path[static PATH_MAX], int *ret_dir, struct error *e)
{
	char parent[PATH_MAX];

	if (str_format(parent, sizeof(parent), "%s/%s", root, place) < 0 ||
	    str_format(ret_path, PATH_MAX, "%s/%s", parent, migration) < 0)
		return refuse(e, ENAMETOOLONG, "%s: too long", root);
	if ((mkdir(root, 0700) < 0 && errno != EEXIST) || (mkdir(parent, 0700) < 0 && errno != EEXIST))
		return fail(e, errno, "mkdir %s", parent);
	auto_close int places = lock_places(root, place, parent, e);
	if (places < 0)
		return places;
	if (mkdirat(places, migration, 0700) < 0) {
		int r = fail(e, errno, "mkdir %s", ret_path);
		*ret_path = '\0'; /* not ours to remove */
		return r;
	}
	auto_close int dir = openat(places, migration, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0)
		return fail(e, errno, "open %s", ret_path);
	*ret_dir = take_fd(&dir);
	return 0;
}

/* ---- the dead ---- */

typedef int end_dead(const struct globals *g, int journal_dir, const char *migration, struct error *e);

static void sweep_one(const struct globals *g, int places, const char *parent, const char *migration,
		      int journal_dir, end_dead *end)
{
	char path[PATH_MAX];
	struct error e;

	auto_close int dir = openat(places, migration, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0)
		return; /* it lives */
	int r = end(g, journal_dir, migration, &e);
	if (r < 0 && r != -ENOENT) {
		log_warning("migration %s, which was broken off: %s", migration, e.msg);
		return;
	}
	if (str_format(path, sizeof(path), "%s/%s", parent, migration) >= 0)
		remove_directory(path);
}

static void sweep(const struct globals *g, const char *place, int journal_dir, end_dead *end)
{
	char parent[PATH_MAX];
	struct error ignored;

	auto_close int places = lock_places(g->root, place, parent, &ignored);
	if (places < 0)
		return;
	auto_close int listed = openat(places, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = listed < 0 ? NULL : fdopendir(listed);
	if (!list)
		return;
	take_fd(&listed);
	for (const struct dirent *d; (d = readdir(list));)
		if (journal_check_name(d->d_name))
			sweep_one(g, places, parent, d->d_name, journal_dir, end);
	closedir(list);
}

/* Its container was let go on when it died (checkpoint.c, the guard): what is left is paper. */
static int end_source(const struct globals *g, int journal_dir, const char *migration, struct error *e)
{
	AUTO(journal) struct journal *j = NULL;

	(void)g;
	int r = journal_read(journal_dir, migration, &j, e);
	if (r < 0)
		return r;
	if (j->state == JOURNAL_PREPARING)
		r = journal_move(j, journal_dir, JOURNAL_KEPT, e);
	if (r == 0 && j->state == JOURNAL_KEPT)
		r = journal_remove(journal_dir, migration, e);
	return r;
}

void sweep_source(const struct globals *g, int journal_dir)
{
	sweep(g, PLACE_SOURCE, journal_dir, end_source);
}

void sweep_target(const struct globals *g, int journal_dir)
{
	sweep(g, PLACE_TARGET, journal_dir, resolve_abandoned);
}
