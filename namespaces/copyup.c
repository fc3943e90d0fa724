/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copyup.c - fill a new tmpfs with what it is going to cover
 *
 * In INIT. Every name is opened below a handle, without following links and without leaving the mount. */
#include "namespaces/copyup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

enum { DEPTH_MAX = 128 };

/* One name, from one directory to another. */
struct item {
	int from, to;
	const char *name;
	int depth;
	struct stat st;
};

static int copy_below(int from, int to, int depth, struct error *e);

/* Owners that the user namespace does not know stay as they were made: ours. */
static int give_owner(const struct item *i, struct error *e)
{
	if (fchownat(i->to, i->name, i->st.st_uid, i->st.st_gid, AT_SYMLINK_NOFOLLOW) == 0 || errno == EINVAL)
		return 0;
	return fail(e, errno, "change the owner of %s", i->name);
}

static int give_looks(const struct item *i, struct error *e)
{
	const struct timespec times[] = { i->st.st_atim, i->st.st_mtim };

	int r = give_owner(i, e);
	if (r < 0)
		return r;
	if (!S_ISLNK(i->st.st_mode) && fchmodat(i->to, i->name, i->st.st_mode & 07777, 0) < 0)
		return fail(e, errno, "change the mode of %s", i->name);
	if (utimensat(i->to, i->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(e, errno, "change the times of %s", i->name);
	return 0;
}

static int copy_directory(const struct item *i, struct error *e)
{
	auto_close int from = path_beneath(i->from, i->name, O_RDONLY | O_DIRECTORY, false, e);
	if (from == -EXDEV)
		return 0; /* another mount */
	if (from < 0)
		return from;
	if (mkdirat(i->to, i->name, 0700) < 0)
		return fail(e, errno, "make %s", i->name);
	auto_close int to = openat(i->to, i->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return fail(e, errno, "open %s", i->name);
	return copy_below(from, to, i->depth + 1, e);
}

static int copy_file(const struct item *i, struct error *e)
{
	struct stat st;
	ssize_t n;

	/* Non-blocking: it may have become a fifo meanwhile. */
	auto_close int from = path_beneath(i->from, i->name, O_RDONLY | O_NONBLOCK, false, e);
	if (from == -EXDEV)
		return 0;
	if (from < 0)
		return from;
	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse(e, EINVAL, "%s: no regular file any more", i->name);
	auto_close int to = openat(i->to, i->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				   0600);
	if (to < 0)
		return fail(e, errno, "make %s", i->name);
	while ((n = sendfile(to, from, NULL, 1 << 20)) > 0)
		;
	return n < 0 ? fail(e, errno, "copy %s", i->name) : 0;
}

static int copy_link(const struct item *i, struct error *e)
{
	char text[PATH_MAX];

	ssize_t n = readlinkat(i->from, i->name, text, sizeof(text) - 1);
	if (n < 0)
		return fail(e, errno, "readlink %s", i->name);
	text[n] = '\0';
	return symlinkat(text, i->to, i->name) < 0 ? fail(e, errno, "make %s", i->name) : 0;
}

/* Returns 1 if it was left out. */
static int copy_by_kind(const struct item *i, struct error *e)
{
	switch (i->st.st_mode & S_IFMT) {
	case S_IFDIR:
		return copy_directory(i, e);
	case S_IFREG:
		return copy_file(i, e);
	case S_IFLNK:
		return copy_link(i, e);
	case S_IFIFO:
	case S_IFSOCK:
		return mknodat(i->to, i->name, (i->st.st_mode & S_IFMT) | 0600, 0) < 0
			       ? fail(e, errno, "make %s", i->name)
			       : 0;
	default:
		return 1;
	}
}

static int copy_one(const struct item *i, struct error *e)
{
	struct stat made;

	int r = copy_by_kind(i, e);
	if (r < 0)
		return r;
	/* Nothing is there if it was another mount. */
	if (r == 1 || fstatat(i->to, i->name, &made, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return give_looks(i, e);
}

static int copy_below(int from, int to, int depth, struct error *e)
{
	int r = 0;

	if (depth > DEPTH_MAX)
		return refuse(e, ELOOP, "directories nested deeper than %d", DEPTH_MAX);
	auto_close int own = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = own < 0 ? NULL : fdopendir(own);
	if (!list)
		return fail(e, errno, "list a directory");
	take_fd(&own);
	for (struct dirent *d; r == 0 && (d = readdir(list));) {
		struct item i = { .from = from, .to = to, .name = d->d_name, .depth = depth };
		if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
			continue;
		if (fstatat(from, d->d_name, &i.st, AT_SYMLINK_NOFOLLOW) < 0)
			r = errno == ENOENT ? 0 : fail(e, errno, "stat %s", d->d_name);
		else
			r = copy_one(&i, e);
	}
	closedir(list);
	return r;
}

int copyup(int root, const char *path, int to, bool own, struct error *e)
{
	struct stat st;

	auto_close int from = path_open(root, path, O_RDONLY | O_DIRECTORY, e);
	if (from == -ENOENT)
		return 0;
	if (from < 0)
		return from;
	int r = copy_below(from, to, 0, e);
	if (r < 0 || !own)
		return r;
	if (fstat(from, &st) < 0)
		return fail(e, errno, "stat %s", path);
	if (fchownat(to, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0 && errno != EINVAL)
		return fail(e, errno, "change the owner of %s", path);
	return 0;
}
