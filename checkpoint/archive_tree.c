/* SPDX-License-Identifier: GPL-2.0-or-later */
/* archive_tree.c - a tree of files into an archive: walked by handles, no link followed, names as bytes
 *
 * Through a detached mount of the tree alone (open_tree without AT_RECURSIVE): what is mounted inside it is
 * not seen, but what lies below. Names are sorted, so two archives of one tree are equal. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "checkpoint/archive_parts.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

/* A file that has several names: under which it is in the archive already. */
struct known_link {
	dev_t dev;
	ino_t ino;
	char *path;
	struct known_link *next;
};
#define LINK_BUCKETS 1024

struct walk {
	struct archive_writer *w; /* NULL: only measured */
	struct archive_size size;
	const char *name; /* of the tree, for messages */
	char path[PAX_MAX_PATH + 1];
	struct known_link *links[LINK_BUCKETS];
};

static void forget_links(struct walk *k)
{
	for (size_t i = 0; i < LINK_BUCKETS; i++)
		for (struct known_link *l = k->links[i], *next; l; l = next) {
			next = l->next;
			free(l->path);
			free(l);
		}
}

/* The first name of this file, or NULL, and then it is remembered. */
static const char *first_name(struct walk *k, const struct stat *st, int *ret_error)
{
	struct known_link **bucket = &k->links[(st->st_ino * 31 + st->st_dev) % LINK_BUCKETS];

	for (struct known_link *l = *bucket; l; l = l->next)
		if (l->dev == st->st_dev && l->ino == st->st_ino)
			return l->path;
	struct known_link *l = calloc(1, sizeof(*l));
	char *path = strdup(k->path);
	if (!l || !path) {
		free(l);
		free(path);
		*ret_error = -ENOMEM;
		return NULL;
	}
	*l = (struct known_link){ st->st_dev, st->st_ino, path, *bucket };
	*bucket = l;
	return NULL;
}

static int type_of(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return PAX_FILE;
	case S_IFDIR:
		return PAX_DIR;
	case S_IFLNK:
		return PAX_SYMLINK;
	case S_IFCHR:
		return PAX_CHAR;
	case S_IFBLK:
		return PAX_BLOCK_DEVICE;
	case S_IFIFO:
		return PAX_FIFO;
	default:
		return 0; /* a socket */
	}
}

static int read_link(int handle, struct pax_entry *x, struct error *e)
{
	char text[PAX_MAX_PATH + 1];

	ssize_t n = readlinkat(handle, "", text, sizeof(text));
	if (n < 0)
		return fail(e, errno, "read link %s", x->path);
	if (n == sizeof(text))
		return refuse(e, ENAMETOOLONG, "%s: its target is too long", x->path);
	x->link = strndup(text, (size_t)n);
	return x->link ? 0 : fail(e, ENOMEM, "read link %s", x->path);
}

static int describe(const struct walk *k, int handle, const struct stat *st, struct pax_entry *x,
		    struct error *e)
{
	char link[FD_PATH_SIZE];

	*x = (struct pax_entry){ .type = (enum pax_type)type_of(st),
				 .mode = st->st_mode & 07777,
				 .uid = st->st_uid,
				 .gid = st->st_gid,
				 .mtime = st->st_mtim.tv_sec,
				 .mtime_ns = (uint32_t)st->st_mtim.tv_nsec };
	if (x->type == PAX_CHAR || x->type == PAX_BLOCK_DEVICE) {
		x->major = major(st->st_rdev);
		x->minor = minor(st->st_rdev);
	}
	x->path = strdup(k->path);
	if (!x->path)
		return fail(e, ENOMEM, "describe %s", k->path);
	if (x->type == PAX_SYMLINK) {
		int r = read_link(handle, x, e);
		if (r < 0)
			return r;
	}
	return archive_get_xattrs(fd_path(handle, link), x, e);
}

static int put_file(struct walk *k, int handle, const struct stat *st, struct pax_entry *x, struct error *e)
{
	char link[FD_PATH_SIZE];
	struct archive_pieces list;
	int r = 0;

	const char *first = st->st_nlink > 1 ? first_name(k, st, &r) : NULL;
	if (r < 0)
		return fail(e, ENOMEM, "describe %s", k->path);
	if (first && !k->w)
		return 0;
	if (first) {
		x->type = PAX_HARD_LINK;
		x->link = strdup(first);
		return x->link ? archive_put_entry(k->w, x, e) : fail(e, ENOMEM, "describe %s", k->path);
	}
	auto_close int fd = open(fd_path(handle, link), O_RDONLY | O_NOATIME | O_CLOEXEC);
	if (fd < 0 && errno == EPERM)
		fd = open(fd_path(handle, link), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open %s in %s", k->path, k->name);
	if (k->w)
		return archive_put_contents(k->w, x, fd, k->path, e);
	r = archive_pieces_of(fd, st, &list, e);
	if (r < 0)
		return r;
	k->size.bytes += list.bytes;
	free(list.v);
	return 0;
}

static int walk_dir(struct walk *k, int dir, int depth, struct error *e);

static int visit(struct walk *k, int handle, int depth, struct error *e)
{
	struct pax_entry x = { 0 };
	struct stat st;

	if (fstat(handle, &st) < 0)
		return fail(e, errno, "look at %s in %s", k->path, k->name);
	if (!type_of(&st))
		return 0;
	if (++k->size.entries > ARCHIVE_MAX_ENTRIES)
		return refuse(e, EFBIG, "%s: more than %u files", k->name, ARCHIVE_MAX_ENTRIES);
	int r = k->w ? describe(k, handle, &st, &x, e) : 0;
	if (r == 0 && S_ISREG(st.st_mode))
		r = put_file(k, handle, &st, &x, e);
	else if (r == 0 && k->w)
		r = archive_put_entry(k->w, &x, e);
	pax_entry_done(&x);
	if (r < 0 || !S_ISDIR(st.st_mode))
		return r;
	auto_close int dir = openat(handle, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(e, errno, "open %s in %s", k->path, k->name);
	return walk_dir(k, dir, depth + 1, e);
}

static int visit_name(struct walk *k, int dir, const char *name, int depth, struct error *e)
{
	size_t before = strlen(k->path);

	if (before + 1 + strlen(name) > PAX_MAX_PATH)
		return refuse(e, ENAMETOOLONG, "%s: %.200s…: the path is too long", k->name, k->path);
	str_format(k->path + before, sizeof(k->path) - before, "/%s", name);
	auto_close int handle = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int r = handle < 0 ? fail(e, errno, "open %s in %s", k->path, k->name) : visit(k, handle, depth, e);
	k->path[before] = '\0';
	return r;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int no_dots(const struct dirent *d)
{
	return !str_eq(d->d_name, ".") && !str_eq(d->d_name, "..");
}

static int walk_dir(struct walk *k, int dir, int depth, struct error *e)
{
	struct dirent **list = NULL;

	if (depth > ARCHIVE_MAX_DEPTH)
		return refuse(e, ELOOP, "%s: more than %d directories inside each other", k->name,
			      ARCHIVE_MAX_DEPTH);
	int r = interrupt_pending(e);
	if (r < 0)
		return r;
	int n = scandirat(dir, ".", &list, no_dots, by_name);
	if (n < 0)
		return fail(e, errno, "list %s in %s", k->path, k->name);
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = visit_name(k, dir, list[i]->d_name, depth, e);
		free(list[i]);
	}
	free(list);
	return r;
}

static int walk_tree(struct walk *k, int root, const char *path, struct error *e)
{
	str_format(k->path, sizeof(k->path), "%s", path);
	auto_close int alone = sys_open_tree(root, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (alone < 0)
		return fail(e, errno, "open_tree %s", k->name);
	int r = visit(k, alone, 0, e);
	forget_links(k);
	return r;
}

int archive_put_tree(struct archive_writer *w, const char *path, int root, const char *name, struct error *e)
{
	auto_free struct walk *k = calloc(1, sizeof(*k));

	if (!k)
		return fail(e, ENOMEM, "write an archive");
	k->w = w;
	k->name = name;
	return walk_tree(k, root, path, e);
}

int archive_measure(int root, const char *name, struct archive_size *ret, struct error *e)
{
	auto_free struct walk *k = calloc(1, sizeof(*k));

	if (!k)
		return fail(e, ENOMEM, "measure %s", name);
	k->name = name;
	int r = walk_tree(k, root, "", e);
	if (r == 0)
		*ret = k->size;
	return r;
}
