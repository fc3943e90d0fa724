/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treereceive.c - the receiver: frames of a stranger become a tree below one directory
 *
 * Runs on the destination, as root. Nothing is resolved but below the root handle, which is a detached mount of that directory
 * without devices, set-user-ids, links: a frame that gets past every check still finds no way out. A record is read whole and
 * checked before anything is done for it. New objects are made with O_EXCL semantics under their own name, closed to everybody else,
 * and get owner, mode, attributes and times in this order at their end (chown takes set-user-id bits away, writing
 * takes capabilities away). Memory: one list of attributes, two paths, no state that grows. */
#include "checkpoint/treereceive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runtime/base/str.h"
#include "runtime/base/sys.h"

static int malformed(const struct tree_receiver *r, const char *what, struct error *e)
{
	return refuse(e, EBADMSG, "%s: malformed copy: %s", r->place.name, what);
}

/* ---- made and freed ---- */

static int check_empty(int dir, const char *name, struct error *e)
{
	char buf[1024];
	ssize_t n;

	while ((n = getdents64(dir, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n; at += ((const struct dirent64 *)(buf + at))->d_reclen) {
			const char *found = ((const struct dirent64 *)(buf + at))->d_name;
			if (!str_eq(found, ".") && !str_eq(found, ".."))
				return refuse(e, ENOTEMPTY, "%s: is not empty", name);
		}
	return n < 0 ? fail(e, errno, "list %s", name) : 0;
}

int tree_receiver_new(int root, const char *name, const struct tree_limits *limits,
		      struct tree_receiver **ret, struct error *e)
{
	AUTO(tree_receiver) struct tree_receiver *r = calloc(1, sizeof(*r));

	if (!r)
		return fail(e, ENOMEM, "%s", name);
	r->kept = true; /* until it is known to be empty */
	r->parent = r->file.fd = r->place.root = -1;
	r->limits = *limits;
	r->place.name = strdup(name);
	if (!r->place.name)
		return fail(e, ENOMEM, "%s", name);
	r->place.root = tree_detach(root, name, true, false, e);
	if (r->place.root < 0)
		return r->place.root;
	int n = check_empty(r->place.root, name, e);
	if (n < 0)
		return n;
	r->kept = false;
	*ret = take_ptr(r);
	return 0;
}

void tree_receiver_free(struct tree_receiver *r)
{
	struct error ignored;

	if (!r)
		return;
	cleanup_close(&r->file.fd);
	cleanup_close(&r->parent);
	if (!r->kept)
		tree_remove_below(r->place.root, r->place.name, &ignored);
	cleanup_close(&r->place.root);
	free(r->place.name);
	free(r);
}

void tree_receiver_keep(struct tree_receiver *r)
{
	r->kept = true;
}

bool tree_receive_ended(const struct tree_receiver *r)
{
	return r->stage == STAGE_ENDED;
}

void tree_receiver_counts(const struct tree_receiver *r, struct tree_counts *ret)
{
	*ret = r->counts;
}

int tree_receiver_sync(struct tree_receiver *r, struct error *e)
{
	return syncfs(r->place.root) < 0 ? fail(e, errno, "flush %s", r->place.name) : 0;
}

/* ---- places below the root ---- */

static void forget_parent(struct tree_receiver *r)
{
	replace_fd(&r->parent, -1);
}

static int count_entry(struct tree_receiver *r, struct error *e)
{
	if (r->limits.entries && r->made >= r->limits.entries)
		return refuse(e, EDQUOT, "%s: more than the %" PRIu64 " objects that are allowed",
			      r->place.name, r->limits.entries);
	return 0;
}

/* Remove what is at name in dir, whatever it is. */
static int remove_name(struct tree_receiver *r, int dir, const char *name, const char *path, struct error *e)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return tree_failed(r, errno, "remove", path, e);
	auto_close int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return tree_failed(r, errno, "remove", path, e);
	forget_parent(r);
	int n = tree_remove_below(sub, r->place.name, e);
	if (n < 0)
		return n;
	return unlinkat(dir, name, AT_REMOVEDIR) < 0 ? tree_failed(r, errno, "remove", path, e) : 0;
}

/* The directory `name` in dir, made if there is none, in place of whatever else is there. */
static int ensure_dir(struct tree_receiver *r, int dir, const char *name, const char *path, struct error *e)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOTDIR || errno == ELOOP) {
		int n = remove_name(r, dir, name, path, e);
		if (n < 0)
			return n;
	} else if (errno != ENOENT) {
		return tree_failed(r, errno, "open", path, e);
	}
	int n = count_entry(r, e);
	if (n < 0)
		return n;
	if (mkdirat(dir, name, 0700) < 0)
		return tree_failed(r, errno, "make directory", path, e);
	r->made++;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? tree_failed(r, errno, "open", path, e) : fd;
}

/* Walk down to the directory of `size` bytes of path, making what is missing. Rare: see open_parent. */
static int make_parents(struct tree_receiver *r, const char *path, size_t size, struct error *e)
{
	auto_close int at = openat(r->place.root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (at < 0)
		return tree_failed(r, errno, "open", "", e);
	for (const char *part = path; part < path + size;) {
		char name[NAME_MAX + 1];
		size_t n = strcspn(part, "/");
		memcpy(name, part, n);
		name[n] = '\0';
		int next = ensure_dir(r, at, name, path, e);
		if (next < 0)
			return next;
		replace_fd(&at, next);
		part += n + 1;
	}
	return take_fd(&at);
}

/* The handle of the directory that path's last component is in; 0, or 1 if there is none and none is to be made. The last
 * one stays open: objects of a directory come in a row. */
static int open_parent(struct tree_receiver *r, const char *path, bool make, const char **ret_name,
		       struct error *e)
{
	const char *slash = strrchr(path, '/');
	size_t size = slash ? (size_t)(slash - path) : 0;

	*ret_name = slash ? slash + 1 : path;
	if (r->parent >= 0 && strlen(r->parent_path) == size && memcmp(r->parent_path, path, size) == 0)
		return 0;
	forget_parent(r);
	memcpy(r->parent_path, path, size);
	r->parent_path[size] = '\0';
	int fd = tree_open(&r->place, r->parent_path, O_RDONLY | O_DIRECTORY);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP) {
		if (!make)
			return 1;
		fd = make_parents(r, path, size, e);
		if (fd < 0)
			return fd;
	}
	if (fd < 0)
		return tree_failed(r, -fd, "open directory of", path, e);
	r->parent = fd;
	return 0;
}

/* ---- records ---- */

static int on_begin(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	uint32_t magic = tree_get_u32(in);
	uint16_t version = tree_get_u16(in);
	uint64_t bytes = tree_get_u64(in), entries = tree_get_u64(in);
	struct statvfs fs;

	if (in->bad || in->at != in->end || magic != TREE_MAGIC)
		return malformed(r, "begin", e);
	if (version != TREE_VERSION)
		return refuse(e, EPROTO, "%s: copy of version %u, this is %d", r->place.name, version,
			      TREE_VERSION);
	if ((r->limits.bytes && bytes > r->limits.bytes) ||
	    (r->limits.entries && entries > r->limits.entries))
		return refuse(e, EDQUOT,
			      "%s: %" PRIu64 " bytes in %" PRIu64 " objects announced, %" PRIu64
			      " in %" PRIu64 " allowed",
			      r->place.name, bytes, entries, r->limits.bytes, r->limits.entries);
	if (fstatvfs(r->place.root, &fs) < 0)
		return fail(e, errno, "look at the disk of %s", r->place.name);
	uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (bytes > left || left - bytes < r->limits.spare)
		return refuse(e, ENOSPC,
			      "%s: %" PRIu64 " bytes are needed and %" PRIu64
			      " to spare, the disk has %" PRIu64,
			      r->place.name, bytes, r->limits.spare, left);
	if (fs.f_files && entries > fs.f_favail)
		return refuse(e, ENOSPC, "%s: %" PRIu64 " inodes are needed, the disk has %" PRIu64,
			      r->place.name, entries, (uint64_t)fs.f_favail);
	r->stage = STAGE_FILLING;
	return 0;
}

static int on_dir(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	char path[TREE_PATH_MAX + 1];
	const char *name;

	tree_get_path(in, true, path);
	uint8_t fresh = tree_get_u8(in);
	if (in->bad || in->at != in->end || fresh > 1)
		return malformed(r, "directory", e);
	if (!*path) {
		forget_parent(r);
		return fresh ? tree_remove_below(r->place.root, r->place.name, e) : 0;
	}
	int n = open_parent(r, path, true, &name, e);
	if (n < 0)
		return n;
	if (fresh) {
		/* Removing may close the parent: hold it. */
		auto_close int dir = fcntl(r->parent, F_DUPFD_CLOEXEC, 0);
		if (dir < 0)
			return tree_failed(r, errno, "open", path, e);
		n = remove_name(r, dir, name, path, e);
		if (n < 0)
			return n;
		n = open_parent(r, path, true, &name, e);
		if (n < 0)
			return n;
	}
	auto_close int dir = fcntl(r->parent, F_DUPFD_CLOEXEC, 0);
	if (dir < 0)
		return tree_failed(r, errno, "open", path, e);
	int sub = ensure_dir(r, dir, name, path, e);
	if (sub < 0)
		return sub;
	/* What comes next is in it. */
	replace_fd(&r->parent, sub);
	memcpy(r->parent_path, path, strlen(path) + 1);
	return 0;
}

/* Prepare the place for a new object: its parent, nothing at its name, and room in the count. */
static int clear_place(struct tree_receiver *r, const char *path, const char **ret_name, struct error *e)
{
	int n = count_entry(r, e);

	if (n == 0)
		n = open_parent(r, path, true, ret_name, e);
	if (n < 0)
		return n;
	struct stat st;
	if (fstatat(r->parent, *ret_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0; /* making it will tell */
	auto_close int dir = fcntl(r->parent, F_DUPFD_CLOEXEC, 0);
	if (dir < 0)
		return tree_failed(r, errno, "open", path, e);
	n = remove_name(r, dir, *ret_name, path, e);
	return n < 0 ? n : open_parent(r, path, true, ret_name, e);
}

static int create_file(struct tree_receiver *r, const char *name, const char *path, struct error *e)
{
	const int flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(r->parent, name, flags, 0600);

	if (fd < 0 && errno == EEXIST) {
		int n = clear_place(r, path, &name, e);
		if (n < 0)
			return n;
		fd = openat(r->parent, name, flags, 0600);
	}
	if (fd < 0)
		return tree_failed(r, errno, "make", path, e);
	r->made++;
	return fd;
}

static int open_target(struct tree_receiver *r, const char *path, enum tree_how how, struct error *e)
{
	const char *name;
	int n = count_entry(r, e);

	if (n == 0)
		n = open_parent(r, path, true, &name, e);
	if (n < 0)
		return n;
	if (how == TREE_FILE_FRESH)
		return create_file(r, name, path, e);
	struct stat st;
	auto_close int fd = openat(r->parent, name,
				   O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return create_file(r, name, path, e);
	if (how == TREE_FILE_REWRITE && st.st_size > 0 && ftruncate(fd, 0) < 0)
		return tree_failed(r, errno, "empty", path, e);
	return take_fd(&fd);
}

static int on_file(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	struct open_file *f = &r->file;

	tree_get_path(in, false, f->path);
	tree_get_meta(in, &f->meta);
	uint8_t how = tree_get_u8(in);
	struct tree_reader attrs = tree_get_attrs(in, &f->attr_count);
	size_t size = in->bad ? 0 : (size_t)(attrs.end - attrs.at);
	if (in->bad || in->at != in->end || how >= TREE_HOW_MAX || !S_ISREG(f->meta.mode) ||
	    size > sizeof(f->attrs))
		return malformed(r, "file", e);
	memcpy(f->attrs, attrs.at, size);
	f->attrs_size = size;
	f->fd = open_target(r, f->path, (enum tree_how)how, e);
	return f->fd < 0 ? f->fd : 0;
}

static int on_data(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	uint64_t at = tree_get_u64(in);
	size_t size = in->bad ? 0 : (size_t)(in->end - in->at);

	if (in->bad || size == 0 || at > INT64_MAX - size)
		return malformed(r, "data", e);
	if (r->limits.bytes && size > r->limits.bytes - r->counts.data)
		return refuse(e, EDQUOT, "%s: more than the %" PRIu64 " bytes that are allowed",
			      r->place.name, r->limits.bytes);
	for (const uint8_t *p = in->at; p < in->end;) {
		ssize_t n = pwrite(r->file.fd, p, (size_t)(in->end - p), (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return tree_failed(r, n < 0 ? errno : EIO, "write", r->file.path, e);
		p += n;
		at += (uint64_t)n;
	}
	r->counts.data += size;
	return 0;
}

static int write_zeros(struct tree_receiver *r, off_t from, off_t size, struct error *e)
{
	static const uint8_t zeros[4096];

	while (size > 0) {
		ssize_t n = pwrite(r->file.fd, zeros, size < 4096 ? (size_t)size : 4096, from);
		if (n <= 0)
			return tree_failed(r, n < 0 ? errno : EIO, "write", r->file.path, e);
		from += n;
		size -= n;
	}
	return 0;
}

static int on_hole(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	uint64_t at = tree_get_u64(in), size = tree_get_u64(in);
	struct stat st;

	if (in->bad || in->at != in->end || size == 0 || size > INT64_MAX || at > INT64_MAX - size)
		return malformed(r, "hole", e);
	if (fstat(r->file.fd, &st) < 0)
		return tree_failed(r, errno, "look at", r->file.path, e);
	if ((off_t)at >= st.st_size) /* nothing is there */
		return 0;
	if ((off_t)(at + size) > st.st_size)
		size = (uint64_t)st.st_size - at;
	if (fallocate(r->file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)size) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return tree_failed(r, errno, "punch a hole into", r->file.path, e);
	return write_zeros(r, (off_t)at, (off_t)size, e);
}

static int on_close(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	struct open_file *f = &r->file;
	auto_close int fd = take_fd(&f->fd);
	uint64_t size = tree_get_u64(in);
	struct stat st;

	if (in->bad || in->at != in->end || size > INT64_MAX)
		return malformed(r, "close", e);
	if (fstat(fd, &st) < 0)
		return tree_failed(r, errno, "look at", f->path, e);
	if (st.st_size != (off_t)size && ftruncate(fd, (off_t)size) < 0)
		return tree_failed(r, errno, "set size of", f->path, e);
	struct tree_object o = tree_object_of(fd, -1, NULL, f->path);
	struct tree_reader attrs = { .at = f->attrs, .end = f->attrs + f->attrs_size };
	return tree_set_meta(r, &o, &f->meta, attrs, f->attr_count, e);
}

static int on_symlink(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	char path[TREE_PATH_MAX + 1], target[TREE_PATH_MAX + 1];
	struct tree_meta meta;
	uint16_t attr_count;
	const char *name;

	tree_get_path(in, false, path);
	tree_get_meta(in, &meta);
	struct tree_reader attrs = tree_get_attrs(in, &attr_count);
	size_t size = tree_get_u16(in);
	const uint8_t *text = tree_get_bytes(in, size);
	if (!text || in->at != in->end || !S_ISLNK(meta.mode) || size == 0 || size > TREE_PATH_MAX ||
	    memchr(text, '\0', size))
		return malformed(r, "link", e);
	memcpy(target, text, size);
	target[size] = '\0';
	int n = clear_place(r, path, &name, e);
	if (n < 0)
		return n;
	if (symlinkat(target, r->parent, name) < 0)
		return tree_failed(r, errno, "make link", path, e);
	r->made++;
	struct tree_object o = tree_object_of(-1, r->parent, name, path);
	return tree_set_meta(r, &o, &meta, attrs, attr_count, e);
}

static int on_node(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	char path[TREE_PATH_MAX + 1];
	struct tree_meta meta;
	uint16_t attr_count;
	const char *name;

	tree_get_path(in, false, path);
	tree_get_meta(in, &meta);
	struct tree_reader attrs = tree_get_attrs(in, &attr_count);
	bool device = S_ISCHR(meta.mode) || S_ISBLK(meta.mode);
	if (in->bad || in->at != in->end || !(device || S_ISFIFO(meta.mode) || S_ISSOCK(meta.mode)) ||
	    (!device && (meta.major || meta.minor)))
		return malformed(r, "node", e);
	int n = clear_place(r, path, &name, e);
	if (n < 0)
		return n;
	if (mknodat(r->parent, name, (meta.mode & S_IFMT) | 0600, makedev(meta.major, meta.minor)) < 0)
		return tree_failed(r, errno, "make node", path, e);
	r->made++;
	struct tree_object o = tree_object_of(-1, r->parent, name, path);
	return tree_set_meta(r, &o, &meta, attrs, attr_count, e);
}

static int on_link(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	char path[TREE_PATH_MAX + 1], other[TREE_PATH_MAX + 1];
	const char *name;
	struct stat st;

	tree_get_path(in, false, path);
	tree_get_path(in, false, other);
	if (in->bad || in->at != in->end || str_eq(path, other) || tree_is_below(other, path))
		return malformed(r, "hard link", e);
	int n = clear_place(r, path, &name, e);
	if (n < 0)
		return n;
	auto_close int from = tree_open(&r->place, other, O_PATH);
	if (from < 0 || fstat(from, &st) < 0)
		return tree_failed(r, from < 0 ? -from : errno, "find", other, e);
	if (S_ISDIR(st.st_mode))
		return malformed(r, "hard link to a directory", e);
	if (linkat(from, "", r->parent, name, AT_EMPTY_PATH) < 0)
		return tree_failed(r, errno, "make another name", path, e);
	r->made++;
	return 0;
}

static int on_remove(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	char path[TREE_PATH_MAX + 1];
	const char *name;

	tree_get_path(in, false, path);
	if (in->bad || in->at != in->end)
		return malformed(r, "removal", e);
	int n = open_parent(r, path, false, &name, e);
	if (n != 0)
		return n < 0 ? n : 0;
	auto_close int dir = fcntl(r->parent, F_DUPFD_CLOEXEC, 0);
	if (dir < 0)
		return tree_failed(r, errno, "open", path, e);
	return remove_name(r, dir, name, path, e);
}

static int attr_of_dir(struct tree_receiver *r, const char *path, const struct tree_meta *meta,
		       struct tree_reader attrs, uint16_t attr_count, struct error *e)
{
	auto_close int fd = tree_open(&r->place, path, O_RDONLY | O_DIRECTORY);

	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP) {
		forget_parent(r);
		fd = make_parents(r, path, strlen(path), e);
		if (fd < 0)
			return fd;
	}
	if (fd < 0)
		return tree_failed(r, -fd, "open", path, e);
	struct tree_object o = tree_object_of(fd, -1, NULL, *path ? path : "/");
	return tree_set_meta(r, &o, meta, attrs, attr_count, e);
}

static int on_attr(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	char path[TREE_PATH_MAX + 1];
	struct tree_meta meta;
	uint16_t attr_count;
	const char *name;
	struct stat st;

	tree_get_path(in, true, path);
	tree_get_meta(in, &meta);
	struct tree_reader attrs = tree_get_attrs(in, &attr_count);
	if (in->bad || in->at != in->end || (!*path && !S_ISDIR(meta.mode)))
		return malformed(r, "attributes", e);
	if (S_ISDIR(meta.mode))
		return attr_of_dir(r, path, &meta, attrs, attr_count, e);
	int n = open_parent(r, path, false, &name, e);
	if (n != 0)
		return n < 0 ? n : 0;
	/* What became something else meanwhile will be told again. */
	if (fstatat(r->parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (st.st_mode & S_IFMT) != (meta.mode & S_IFMT))
		return 0;
	struct tree_object o = tree_object_of(-1, r->parent, name, path);
	return tree_set_meta(r, &o, &meta, attrs, attr_count, e);
}

static int on_end(struct tree_receiver *r, struct tree_reader *in, struct error *e)
{
	uint64_t entries = tree_get_u64(in), removed = tree_get_u64(in), data = tree_get_u64(in);

	if (in->bad || in->at != in->end)
		return malformed(r, "end", e);
	if (removed != r->counts.removed || data != r->counts.data || entries != r->counts.entries)
		return refuse(e, EBADMSG,
			      "%s: the source sent %" PRIu64 " objects, %" PRIu64 " removals, %" PRIu64
			      " bytes; here came %" PRIu64 ", %" PRIu64 ", %" PRIu64,
			      r->place.name, entries, removed, data, r->counts.entries, r->counts.removed,
			      r->counts.data);
	r->stage = STAGE_ENDED;
	return 0;
}

enum counted { COUNT_NONE, COUNT_ENTRY, COUNT_REMOVED };

static const struct {
	int (*take)(struct tree_receiver *r, struct tree_reader *in, struct error *e);
	bool in_file; /* only between FILE and CLOSE; the others only outside */
	enum counted counted;
} records[TREE_RECORD_MAX] = {
	[TREE_BEGIN] = { on_begin, false, COUNT_NONE },
	[TREE_DIR] = { on_dir, false, COUNT_ENTRY },
	[TREE_FILE] = { on_file, false, COUNT_ENTRY },
	[TREE_DATA] = { on_data, true, COUNT_NONE },
	[TREE_HOLE] = { on_hole, true, COUNT_NONE },
	[TREE_CLOSE] = { on_close, true, COUNT_NONE },
	[TREE_SYMLINK] = { on_symlink, false, COUNT_ENTRY },
	[TREE_NODE] = { on_node, false, COUNT_ENTRY },
	[TREE_LINK] = { on_link, false, COUNT_ENTRY },
	[TREE_REMOVE] = { on_remove, false, COUNT_REMOVED },
	[TREE_ATTR] = { on_attr, false, COUNT_ENTRY },
	[TREE_END] = { on_end, false, COUNT_NONE },
};

static int take_record(struct tree_receiver *r, enum tree_record type, struct tree_reader *in,
		       struct error *e)
{
	bool first = r->stage == STAGE_NEW;

	if (r->stage == STAGE_ENDED)
		return malformed(r, "more after the end", e);
	if (first != (type == TREE_BEGIN) || records[type].in_file != (r->file.fd >= 0))
		return malformed(r, "a record out of order", e);
	r->counts.entries += records[type].counted == COUNT_ENTRY;
	r->counts.removed += records[type].counted == COUNT_REMOVED;
	return records[type].take(r, in, e);
}

int tree_receive(struct tree_receiver *r, const void *frame, size_t size, struct error *e)
{
	struct tree_reader in = { .at = frame, .end = (const uint8_t *)frame + size }, record;
	enum tree_record type;
	int n;

	if (r->stage == STAGE_FAILED)
		return refuse(e, EPIPE, "%s: the copy has failed", r->place.name);
	if (size == 0 || size > TREE_FRAME_MAX)
		n = malformed(r, "size of a frame", e);
	else
		while ((n = tree_next(&in, &type, &record)) > 0) {
			n = take_record(r, type, &record, e);
			if (n < 0)
				break;
		}
	if (n == -EBADMSG && !e->code)
		n = malformed(r, "record", e);
	if (n < 0)
		r->stage = STAGE_FAILED;
	r->counts.frames++;
	r->counts.bytes += size;
	return n;
}
