/* SPDX-License-Identifier: GPL-2.0-or-later */
/* archive_extract.c - entries to files below a target, by handles
 *
 * An entry's parent is resolved below the target without links (path_beneath); what is made there is made
 * new (O_EXCL, mknodat, symlinkat, linkat, mkdirat) and everything else is done to its handle. So nothing
 * outside of the target is reached, whatever the names and links say, and nothing is overwritten. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "checkpoint/archive_parts.h"
#include "checkpoint/archive_reader.h"
#include "runtime/base/fd.h"
#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

/* The handle of the entry's parent (kept from the last one: trees come directory by directory), and its name. */
static int open_parent(struct archive_reader *r, int root, const char *path, const char **ret_name,
		       struct error *e)
{
	const char *slash = strrchr(path, '/');
	char parent[PAX_MAX_PATH + 1];

	str_format(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 0, path);
	*ret_name = slash ? slash + 1 : path;
	if (!*parent)
		return root;
	if (r->parent >= 0 && str_eq(parent, r->parent_path))
		return r->parent;
	int fd = path_beneath(root, parent, O_PATH | O_DIRECTORY, false, e);
	if (fd < 0)
		return prefix(e, "unpack %.200s", path);
	replace_fd(&r->parent, fd);
	str_format(r->parent_path, sizeof(r->parent_path), "%s", parent);
	return fd;
}

/* ---- contents ---- */

static int write_at(int fd, const uint8_t *data, size_t size, uint64_t at, struct error *e)
{
	while (size) {
		ssize_t n = pwrite(fd, data, size, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(e, errno, "write");
		data += n;
		size -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

static int write_contents(struct archive_reader *r, int fd, uint64_t at, uint64_t size, struct error *e)
{
	const uint8_t *piece;
	size_t n;

	while (size) {
		int k = archive_read_piece(r, size < SIZE_MAX ? (size_t)size : SIZE_MAX, &piece, &n, e);
		if (k == 0)
			k = write_at(fd, piece, n, at, e);
		if (k < 0)
			return k;
		at += n;
		size -= n;
	}
	return 0;
}

/* A number of the map; its blocks are read as they are needed. */
struct map {
	char text[2 * PAX_BLOCK];
	size_t size, at;
};

static int map_number(struct archive_reader *r, struct map *m, uint64_t *ret, struct error *e)
{
	while (pax_parse_number(m->text, m->size, &m->at, ret) < 0) {
		const uint8_t *piece;
		size_t n;
		memmove(m->text, m->text + m->at, m->size - m->at);
		m->size -= m->at;
		m->at = 0;
		if (m->size > 32 || r->left < PAX_BLOCK)
			return refuse(e, EBADMSG, "the archive is damaged: the map of a file's holes");
		int k = archive_read_piece(r, PAX_BLOCK, &piece, &n, e);
		if (k < 0)
			return k;
		memcpy(m->text + m->size, piece, n);
		m->size += n;
	}
	return 0;
}

static int read_map(struct archive_reader *r, struct pax_piece **ret, size_t *ret_n, struct error *e)
{
	struct map m = { .size = 0 };
	uint64_t count;

	int k = map_number(r, &m, &count, e);
	if (k < 0)
		return k;
	if (count > PAX_MAX_HOLES || count > r->x.size)
		return refuse(e, EFBIG, "%.200s: too many holes", r->x.path);
	auto_free struct pax_piece *pieces = calloc((size_t)count + 1, sizeof(*pieces));
	if (!pieces)
		return fail(e, ENOMEM, "read an archive");
	for (size_t i = 0; k == 0 && i < count; i++) {
		k = map_number(r, &m, &pieces[i].offset, e);
		if (k == 0)
			k = map_number(r, &m, &pieces[i].size, e);
	}
	if (k == 0)
		k = pax_check_pieces(pieces, (size_t)count, r->x.real_size, r->left, e);
	if (k < 0)
		return k;
	*ret = take_ptr(pieces);
	*ret_n = (size_t)count;
	return 0;
}

static int fill_file(struct archive_reader *r, int fd, struct error *e)
{
	auto_free struct pax_piece *pieces = NULL;
	size_t n = 0;

	if (!r->x.sparse)
		return write_contents(r, fd, 0, r->x.size, e);
	int k = read_map(r, &pieces, &n, e);
	for (size_t i = 0; k == 0 && i < n; i++)
		k = write_contents(r, fd, pieces[i].offset, pieces[i].size, e);
	if (k == 0 && ftruncate(fd, (off_t)r->x.real_size) < 0)
		k = fail(e, errno, "make the file %lld bytes long", (long long)r->x.real_size);
	return k;
}

/* ---- objects ---- */

static int make_file(struct archive_reader *r, int parent, const char *name, struct error *e)
{
	auto_close int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(e, errno, "create");
	return fill_file(r, fd, e);
}

static int make_hard_link(const struct archive_target *t, const struct pax_entry *x, int parent,
			  const char *name, struct error *e)
{
	char link[FD_PATH_SIZE];
	struct stat st;

	if (!str_starts(x->link, t->link_prefix))
		return refuse(e, EBADMSG, "a hard link that leads out of the tree");
	auto_close int target = path_beneath(t->root, x->link + strlen(t->link_prefix), O_PATH | O_NOFOLLOW,
					     false, e);
	if (target < 0)
		return target;
	if (fstat(target, &st) < 0 || S_ISDIR(st.st_mode))
		return refuse(e, EBADMSG, "a hard link to a directory");
	/* Through /proc: linking an O_PATH handle itself needs CAP_DAC_READ_SEARCH. */
	if (linkat(AT_FDCWD, fd_path(target, link), parent, name, AT_SYMLINK_FOLLOW) < 0)
		return fail(e, errno, "link");
	return 0;
}

static int make_device(const struct archive_target *t, const struct pax_entry *x, int parent,
		       const char *name, struct error *e)
{
	mode_t type = x->type == PAX_CHAR ? S_IFCHR : S_IFBLK;

	if (!t->devices)
		return refuse(e, EBADMSG, "a device where none can be");
	if (mknodat(parent, name, type | 0600, makedev(x->major, x->minor)) < 0)
		return fail(e, errno, "mknod");
	return 0;
}

static int make_object(struct archive_reader *r, const struct archive_target *t, int parent, const char *name,
		       struct error *e)
{
	const struct pax_entry *x = &r->x;

	switch (x->type) {
	case PAX_FILE:
		return make_file(r, parent, name, e);
	case PAX_DIR:
		return mkdirat(parent, name, 0700) < 0 ? fail(e, errno, "mkdir") : 0;
	case PAX_SYMLINK:
		return symlinkat(x->link, parent, name) < 0 ? fail(e, errno, "symlink") : 0;
	case PAX_FIFO:
		return mkfifoat(parent, name, 0600) < 0 ? fail(e, errno, "mkfifo") : 0;
	case PAX_HARD_LINK:
		return make_hard_link(t, x, parent, name, e);
	default:
		return make_device(t, x, parent, name, e);
	}
}

/* What is made in a directory with a default ACL inherits it, and may not have had one. */
static void undress(struct archive_reader *r, const char *link)
{
	for (size_t i = 0; i < r->x.n_xattrs; i++)
		r->default_acls |= str_eq(r->x.xattrs[i].name, "system.posix_acl_default");
	if (!r->default_acls || r->x.type == PAX_SYMLINK)
		return;
	removexattr(link, "system.posix_acl_access");
	if (r->x.type == PAX_DIR)
		removexattr(link, "system.posix_acl_default");
}

/* Owner first: it takes set-user-ID and file capabilities away. */
static int dress(struct archive_reader *r, int handle, struct error *e)
{
	const struct pax_entry *x = &r->x;
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   { (time_t)x->mtime, (long)x->mtime_ns } };
	char link[FD_PATH_SIZE];

	undress(r, fd_path(handle, link));
	if (fchownat(handle, "", x->uid, x->gid, AT_EMPTY_PATH) < 0)
		return fail(e, errno, "chown");
	if (x->type != PAX_SYMLINK && chmod(link, x->mode) < 0)
		return fail(e, errno, "chmod");
	int k = archive_set_xattrs(link, x, e);
	if (k < 0)
		return k;
	if (utimensat(AT_FDCWD, link, times, 0) < 0)
		return fail(e, errno, "set its time");
	return 0;
}

static int remember_dir(struct archive_reader *r, const char *path, struct error *e)
{
	if (r->n_dirs == r->dirs_room) {
		size_t room = r->dirs_room ? 2 * r->dirs_room : 64;
		struct archive_dir *grown = realloc(r->dirs, room * sizeof(*grown));
		if (!grown)
			return fail(e, ENOMEM, "unpack");
		r->dirs = grown;
		r->dirs_room = room;
	}
	char *copy = strdup(path);
	if (!copy)
		return fail(e, ENOMEM, "unpack");
	r->dirs[r->n_dirs++] = (struct archive_dir){ copy, r->x.mtime, r->x.mtime_ns };
	return 0;
}

static int extract_below(struct archive_reader *r, const struct archive_target *t, const char *path,
			 struct error *e)
{
	const char *name;

	int parent = open_parent(r, t->root, path, &name, e);
	if (parent < 0)
		return parent;
	int k = make_object(r, t, parent, name, e);
	if (k < 0 || r->x.type == PAX_HARD_LINK) /* what it links to is dressed already */
		return k;
	auto_close int handle = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (handle < 0)
		return fail(e, errno, "open");
	return dress(r, handle, e);
}

int archive_extract(struct archive_reader *r, const struct archive_target *t, const char *path,
		    struct error *e)
{
	char printable[128];
	int k;

	if (!*path && r->x.type != PAX_DIR)
		return refuse(e, EBADMSG, "unpack %.200s: not a directory", r->x.path);
	k = *path ? extract_below(r, t, path, e) : dress(r, t->root, e);
	if (k == 0 && r->x.type == PAX_DIR)
		k = remember_dir(r, path, e);
	if (k == 0)
		return 0;
	str_format(printable, sizeof(printable), "%.120s", r->x.path);
	str_make_printable(printable);
	return prefix(e, "unpack %s", printable);
}

int archive_extract_end(struct archive_reader *r, const struct archive_target *t, struct error *e)
{
	for (size_t i = r->n_dirs; i-- > 0;) {
		const struct archive_dir *d = &r->dirs[i];
		const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
						   { (time_t)d->mtime, (long)d->mtime_ns } };
		auto_close int fd = *d->path
					    ? path_beneath(t->root, d->path, O_RDONLY | O_DIRECTORY, false, e)
					    : openat(t->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return *d->path ? fd : fail(e, errno, "open the target");
		if (futimens(fd, times) < 0)
			return fail(e, errno, "set the time of %.200s", d->path);
		free(r->dirs[i].path);
		r->n_dirs = i;
	}
	return 0;
}
