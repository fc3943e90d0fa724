/* SPDX-License-Identifier: GPL-2.0-or-later */
/* imagedir.c - a directory of images is listed and judged before anything in it is believed
 *
 * In RUNTIME. The rule that nobody but root and we can write in it is what makes one look enough: what was
 * judged cannot be swapped afterwards by whom we guard against. */
#include "checkpoint/imagedir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/path.h"
#include "runtime/base/str.h"

void imagedir_free(struct imagedir *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_files; i++)
		free(d->files[i].name);
	free(d->files);
	free(d->parent);
	cleanup_close(&d->fd);
	free(d);
}

bool imagedir_is_image(const char *name)
{
	return str_ends(name, ".img");
}

/* A log is written to while and after the set is made; CRIU adds its statistics of a restore. */
bool imagedir_is_covered(const char *name)
{
	return !str_ends(name, ".log") && !str_starts(name, "stats-") && !str_starts(name, IMAGEDIR_OWN) &&
	       !str_ends(name, "~");
}

static int make_with_parents(const char *path, struct error *e)
{
	char part[PATH_MAX];

	if (str_format(part, sizeof(part), "%s", path) < 0)
		return fail(e, ENAMETOOLONG, "image directory %.80s", path);
	for (char *slash = part + 1; *part && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return fail(e, errno, "make directory %s", part);
		*slash = '/';
	}
	if (mkdir(part, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make directory %s", part);
	return 0;
}

int imagedir_open(const char *path, bool make, struct error *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

	int fd = open(path, flags);
	if (fd < 0 && errno == ENOENT && make) {
		int r = make_with_parents(path, e);
		if (r < 0)
			return r;
		fd = open(path, flags);
	}
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return refuse(e, ENOTDIR, "image directory %s: not a directory (a link is not followed)",
			      path);
	if (fd < 0)
		return fail(e, errno, "open image directory %s", path);
	return fd;
}

static bool name_is_plain(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.,:@+-";

	return strspn(name, allowed) == strlen(name);
}

/* Can somebody write it who is neither root nor we? */
static bool is_open_to_others(const struct stat *st)
{
	return (st->st_uid != 0 && st->st_uid != geteuid()) || (st->st_mode & (S_IWGRP | S_IWOTH));
}

static int check_owner(const struct stat *st, const char *name, struct error *e)
{
	if (!is_open_to_others(st))
		return 0;
	return refuse(e, EPERM,
		      "%s: uid %u owns it, mode %04o: images that others can write are not restored (chown, "
		      "chmod go-w)",
		      name, (unsigned int)st->st_uid, (unsigned int)st->st_mode & 07777);
}

static int add_parent(struct imagedir *d, struct error *e)
{
	char text[PATH_MAX];

	ssize_t n = readlinkat(d->fd, IMAGEDIR_PARENT, text, sizeof(text) - 1);
	if (n < 0)
		return fail(e, errno, "read link " IMAGEDIR_PARENT);
	text[n] = '\0';
	d->parent = strdup(text);
	return d->parent ? 0 : fail(e, ENOMEM, "list images");
}

static int add_file(struct imagedir *d, size_t *room, const char *name, uint64_t size, struct error *e)
{
	if (d->n_files == IMAGEDIR_MAX_FILES)
		return refuse(e, EFBIG, "more than %u files", IMAGEDIR_MAX_FILES);
	if (size > IMAGEDIR_MAX_BYTES)
		return refuse(e, EFBIG, "%s: %llu bytes are too many", name, (unsigned long long)size);
	if (d->n_files == *room) {
		size_t grown = *room ? 2 * *room : 64;
		struct image_file *files = realloc(d->files, grown * sizeof(*files));
		if (!files)
			return fail(e, ENOMEM, "list images");
		d->files = files;
		*room = grown;
	}
	char *copy = strdup(name);
	if (!copy)
		return fail(e, ENOMEM, "list images");
	d->files[d->n_files++] = (struct image_file){ copy, size };
	d->bytes += size;
	return 0;
}

static int judge(struct imagedir *d, size_t *room, const char *name, struct error *e)
{
	char printable[NAME_MAX + 1];
	struct stat st;

	str_format(printable, sizeof(printable), "%s", name);
	str_make_printable(printable);
	if (!name_is_plain(name))
		return refuse(e, EINVAL, "%s: no name for an image", printable);
	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(e, errno, "look at %s", name);
	if (S_ISLNK(st.st_mode) && str_eq(name, IMAGEDIR_PARENT))
		return add_parent(d, e);
	if (!S_ISREG(st.st_mode))
		return refuse(e, EINVAL, "%s: not a regular file", name);
	int r = check_owner(&st, name, e);
	return r < 0 ? r : add_file(d, room, name, (uint64_t)st.st_size, e);
}

static int judge_all(struct imagedir *d, DIR *list, struct error *e)
{
	size_t room = 0;
	int r = 0;

	errno = 0;
	for (struct dirent *entry; r == 0 && (entry = readdir(list)); errno = 0)
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			r = judge(d, &room, entry->d_name, e);
	if (r == 0 && errno)
		r = fail(e, errno, "list the image directory");
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct image_file *)a)->name, ((const struct image_file *)b)->name);
}

int imagedir_scan(int dir, struct imagedir **ret, struct error *e)
{
	AUTO(imagedir) struct imagedir *d = calloc(1, sizeof(*d));
	struct stat st;

	if (!d)
		return fail(e, ENOMEM, "list images");
	d->fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int own = d->fd < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (own < 0 || fstat(own, &st) < 0)
		return fail(e, errno, "open the image directory");
	int r = check_owner(&st, "the image directory", e);
	if (r < 0)
		return r;
	DIR *list = fdopendir(own);
	if (!list)
		return fail(e, errno, "list the image directory");
	take_fd(&own);
	r = judge_all(d, list, e);
	closedir(list);
	if (r < 0)
		return r;
	if (d->n_files)
		qsort(d->files, d->n_files, sizeof(*d->files), by_name);
	*ret = take_ptr(d);
	return 0;
}

/* "../pre-1", "../../a/pre-1": up at most twice, then down by plain names. Returns what is left of it behind
 * the last "../", or NULL. */
static const char *near_path(const char *path)
{
	const char *down = path;

	for (int up = 0; up < 2 && str_starts(down, "../"); up++)
		down += 3;
	if (down == path || *down == '\0')
		return NULL;
	for (const char *p = down; *p; p += strcspn(p, "/")) {
		p += *p == '/';
		size_t n = strcspn(p, "/");
		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return NULL;
	}
	return down;
}

/* Step by step, no link on the way. */
static int open_near(int dir, const char *path, const char *down, struct error *e)
{
	char up[8];

	str_format(up, sizeof(up), "%.*s", (int)(down - path), path);
	auto_close int base = openat(dir, up, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (base < 0)
		return fail(e, errno, "open %s", up);
	return path_beneath(base, down, O_RDONLY | O_DIRECTORY, true, e);
}

int imagedir_open_parent(const struct imagedir *d, struct imagedir **ret, struct error *e)
{
	if (!d->parent)
		return refuse(e, ENOENT, "no link " IMAGEDIR_PARENT);
	const char *down = near_path(d->parent);
	if (!down) {
		char text[128];
		str_format(text, sizeof(text), "%.100s", d->parent);
		str_make_printable(text);
		return refuse(e, EINVAL,
			      "the link " IMAGEDIR_PARENT " leads to %s: only a directory near by is taken",
			      text);
	}
	auto_close int fd = open_near(d->fd, d->parent, down, e);
	if (fd < 0)
		return fd;
	int r = imagedir_scan(fd, ret, e);
	return r < 0 ? prefix(e, "earlier images in %s", d->parent) : 0;
}

int imagedir_open_file(int dir, const char *name, struct error *e)
{
	struct stat st;

	if (!name_is_plain(name))
		return refuse(e, EINVAL, "no name for an image");
	auto_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? refuse(e, EINVAL, "%s: not a regular file", name)
				      : fail(e, errno, "open %s", name);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse(e, EINVAL, "%s: not a regular file", name);
	return take_fd(&fd);
}
