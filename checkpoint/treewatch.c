/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treewatch.c - files that the container's processes can write without an event
 *
 * A write through a shared mapping makes no event, and need not even change the file's times (tmpfs; a page that is dirty
 * already). When the last handle or mapping goes, the kernel reports that a writable file was closed; so only what is open or
 * mapped at the moment of a look is found here, from /proc: what is mapped is compared by content, what is only open by times
 * and size. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/treetrack_internal.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

#define MAPS_MAX ((size_t)64 * 1024 * 1024) /* of text */

void tree_track_reading(struct tree_tracker *t, const struct stat *st, struct timespec when)
{
	struct tree_inode inode = { st->st_dev, st->st_ino };
	struct tree_watched *w = tree_set_find(t->watched, &inode, sizeof(inode));

	if (!w)
		return;
	w->sent = true;
	w->ctime = st->st_ctim;
	w->mtime = st->st_mtim;
	w->size = st->st_size;
	w->unsettled = tree_is_unsettled(st->st_ctim, when);
}

static bool is_unchanged(const struct tree_watched *w, const struct stat *st)
{
	return w->sent && !w->unsettled && w->size == st->st_size && w->ctime.tv_sec == st->st_ctim.tv_sec &&
	       w->ctime.tv_nsec == st->st_ctim.tv_nsec && w->mtime.tv_sec == st->st_mtim.tv_sec &&
	       w->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

struct looking {
	struct tree_tracker *t;
	struct tree_changes *into;
};

/* 1: forget it. What is not open any more was reported when it was closed; it is looked at once more all the same. */
static int look_at(void *arg, const uint8_t *key, size_t size, void *value)
{
	struct looking *g = arg;
	struct tree_watched *w = value;
	const struct tree_inode *inode = (const void *)key;
	struct tree_inode id;
	struct stat st;

	(void)size;
	memcpy(&id, inode, sizeof(id));
	auto_close int fd = tree_open(g->t->place, w->path, O_PATH);
	bool same = fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == id.ino && st.st_dev == id.dev;
	if (same && (w->mapped || !is_unchanged(w, &st)) &&
	    tree_changes_add(g->into, w->path, TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR) < 0)
		return -ENOMEM;
	if (same && w->look == g->t->watch_look)
		return 0;
	free(w->path);
	return 1;
}

int tree_watch_look(struct tree_tracker *t, struct tree_changes *into, struct error *e)
{
	struct looking g = { .t = t, .into = into };

	return tree_set_each(t->watched, look_at, &g) < 0 ? fail(e, ENOMEM, "%s", t->place->name) : 0;
}

static int free_one(void *arg, const uint8_t *key, size_t size, void *value)
{
	(void)arg;
	(void)key;
	(void)size;
	free(((struct tree_watched *)value)->path);
	return 1;
}

void tree_watch_done(struct tree_tracker *t)
{
	if (t->watched)
		tree_set_each(t->watched, free_one, NULL);
	tree_set_free(t->watched);
	t->watched = NULL;
}

/* ---- what processes hold ---- */

struct holding {
	struct tree_tracker *t;
	const char *top; /* the tree in the container's mount namespace, without a last slash */
};

/* A path as the container's processes see it: is it a regular file of the tree? Other mounts on the way are found out by what
 * is there, or not: a file too many only costs a comparison. */
static int watch_path(struct holding *h, const char *seen, bool mapped)
{
	struct stat st;
	bool is_new;

	if (!tree_is_below(seen, h->top))
		return 0;
	const char *path = seen + strlen(h->top);
	path += strspn(path, "/");
	if (!*path || tree_is_excluded(h->t->place, path))
		return 0;
	auto_close int fd = tree_open(h->t->place, path, O_PATH);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	struct tree_inode inode = { st.st_dev, st.st_ino };
	struct tree_watched *w = tree_set_put(h->t->watched, &inode, sizeof(inode), &is_new);
	if (!w)
		return -ENOMEM;
	if (!w->path || !str_eq(w->path, path)) {
		free(w->path);
		w->path = strdup(path);
		if (!w->path)
			return -ENOMEM;
	}
	if (w->look != h->t->watch_look)
		w->mapped = false;
	w->mapped |= mapped;
	w->look = h->t->watch_look;
	return 0;
}

/* True if the link in a directory of /proc/PID says that the file is open for writing. */
static bool is_writable(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mode & S_IWUSR;
}

static int watch_open(struct holding *h, int proc)
{
	int dir = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (dir < 0)
		return 0; /* it has ended */
	DIR *list = fdopendir(dir);
	if (!list) {
		close(dir);
		return -ENOMEM;
	}
	for (const struct dirent *d; r == 0 && (d = readdir(list));) {
		char seen[TREE_PATH_MAX + 2];
		ssize_t n = readlinkat(dir, d->d_name, seen, sizeof(seen) - 1);
		if (n <= 0 || seen[0] != '/' || !is_writable(dir, d->d_name))
			continue;
		seen[n] = '\0';
		r = watch_path(h, seen, false);
	}
	closedir(list);
	return r;
}

/* The kernel writes a newline in a path as \012, and nothing else in another way. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *at = path; *at;) {
		bool newline = str_starts(at, "\\012");
		*to++ = newline ? '\n' : *at;
		at += newline ? 4 : 1;
	}
	*to = '\0';
}

/* One line of maps: "START-END perms offset dev inode   path". */
static int watch_line(struct holding *h, int files, char *line)
{
	char *space = strchr(line, ' '), *path = strchr(line, '/');

	if (!space || !path || strlen(space) < 6 || space[4] != 's')
		return 0;
	*space = '\0';
	if (files >= 0 &&
	    !is_writable(files, line)) /* what is opened for reading can never be mapped writable */
		return 0;
	unescape(path);
	return watch_path(h, path, true);
}

static int watch_mapped(struct holding *h, int proc)
{
	auto_free char *text = NULL;
	struct error ignored;
	int r = 0;

	if (io_read_file(proc, "maps", MAPS_MAX, &text, NULL, &ignored) < 0)
		return 0;
	auto_close int files = openat(proc, "map_files", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *rest = text;
	for (char *line; r == 0 && (line = strsep(&rest, "\n"));)
		r = watch_line(h, files, line);
	return r;
}

int tree_track_processes(struct tree_tracker *t, const pid_t *pids, size_t count, const char *container_path,
			 struct error *e)
{
	char top[TREE_PATH_MAX + 1], name[32];
	struct holding h = { .t = t, .top = top };

	if (str_format(top, sizeof(top), "%s", container_path) < 0)
		return refuse(e, ENAMETOOLONG, "%s", container_path);
	for (size_t n = strlen(top); n && top[n - 1] == '/'; n--)
		top[n - 1] = '\0';
	t->watch_look++;
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "/proc/%d", (int)pids[i]);
		auto_close int proc = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0)
			continue;
		int r = watch_open(&h, proc);
		if (r == 0)
			r = watch_mapped(&h, proc);
		if (r < 0)
			return fail(e, -r, "files of process %d", (int)pids[i]);
	}
	return 0;
}
