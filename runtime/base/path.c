/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path.c - the one resolver of paths that a container controls
 *
 * openat2(2) does the work where it can. The walk by hand is there for kernels and sandboxes without it, and
 * for making what is missing: openat2 creates no directories. The walk holds a handle of every directory
 * between the root and where it is, so ".." means the handle it came through, whatever was renamed since; a
 * link is read from its own handle and its text walked in its turn. No text is ever resolved by the kernel
 * but single names with O_NOFOLLOW. Functions without `struct error` return negative errnos. */
#include "runtime/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define MAX_DEPTH   256 /* directories held by a walk */
#define MAX_LINKS   40	/* as the kernel's own limit */
#define MAX_RETRIES 64	/* lost races of one call */

#define CREATING    (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))

enum make { MAKE_NOTHING, MAKE_DIR, MAKE_FILE };

struct walk {
	int root;
	int dirs[MAX_DEPTH]; /* below the root, ours */
	size_t depth;
	char todo[2 * PATH_MAX]; /* what is left of the path */
	int flags;		 /* for the last component */
	enum make make;
	mode_t mode;
	int links, retries;
};

static void walk_rewind(struct walk *w)
{
	while (w->depth)
		close(w->dirs[--w->depth]);
}

static int walk_here(const struct walk *w)
{
	return w->depth ? w->dirs[w->depth - 1] : w->root;
}

static int walk_push(struct walk *w, int *fd)
{
	if (w->depth == MAX_DEPTH)
		return -ENAMETOOLONG;
	w->dirs[w->depth++] = take_fd(fd);
	return 0;
}

/* Put a link's text in front of what is left. */
static int walk_splice(struct walk *w, const char *text, size_t size)
{
	size_t rest = strlen(w->todo);

	if (size + 1 + rest + 1 > sizeof(w->todo))
		return -ENAMETOOLONG;
	/* What is left keeps its leading slash: a link with a slash after it must lead to a directory. */
	memmove(w->todo + size, w->todo, rest + 1);
	memcpy(w->todo, text, size);
	return 0;
}

/* The links of a procfs that the kernel follows by magic show a path of the host, or "type:[number]". The
 * ordinary ones (self, mounts, net) are relative. */
static bool is_magic_link(int link, const char *text)
{
	return path_is_on(link, PROC_SUPER_MAGIC) && (text[0] == '/' || text[0] == '(' || strchr(text, ':'));
}

static int walk_follow(struct walk *w, int link)
{
	char text[PATH_MAX];

	if (++w->links > MAX_LINKS)
		return -ELOOP;
	ssize_t n = readlinkat(link, "", text, sizeof(text));
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	if ((size_t)n == sizeof(text))
		return -ENAMETOOLONG;
	text[n] = '\0';
	if (is_magic_link(link, text))
		return -ELOOP;
	if (text[0] == '/')
		walk_rewind(w);
	return walk_splice(w, text, (size_t)n);
}

/* Make a missing component. Another's being first is as good: what is there is looked at again anyway. */
static int walk_make(struct walk *w, const char *name, bool is_file)
{
	int r = is_file ? mknodat(walk_here(w), name, S_IFREG | 0644, 0)
			: mkdirat(walk_here(w), name, w->mode);
	if (r < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/* Cut the first component off `todo` into name; slashes before it go, those after it stay. Returns its
 * length, 0: there was none. */
static int next_part(char *todo, char name[static NAME_MAX + 1])
{
	size_t start = strspn(todo, "/"), size = strcspn(todo + start, "/");

	if (size > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, todo + start, size);
	name[size] = '\0';
	memmove(todo, todo + start + size, strlen(todo + start + size) + 1);
	return (int)size;
}

/* The last component, when it is no directory to go on from: `found` is its O_PATH handle. */
static int walk_finish(struct walk *w, const char *name, int *found, bool is_link)
{
	if (w->flags & O_DIRECTORY)
		return -ENOTDIR;
	if (w->flags & O_PATH)
		return take_fd(found);
	int fd = openat(walk_here(w), name, w->flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP && !is_link ? -EAGAIN : -errno; /* became a link: look again */
	return fd;
}

/* One component, opened, made if it is to be. Returns an O_PATH handle, which may be a link's. */
static int walk_open(struct walk *w, const char *name, bool last)
{
	int fd = openat(walk_here(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT || w->make == MAKE_NOTHING)
		return -errno;
	int r = walk_make(w, name, last && w->make == MAKE_FILE);
	if (r < 0)
		return r;
	fd = openat(walk_here(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	return fd;
}

/* One component. Returns a descriptor when the walk has arrived, -EINPROGRESS to go on. */
static int walk_step(struct walk *w, const char *name)
{
	bool slash = w->todo[0] == '/', last = w->todo[strspn(w->todo, "/")] == '\0';
	struct stat st;

	if (str_eq(name, "."))
		return -EINPROGRESS;
	if (str_eq(name, "..")) {
		if (w->depth)
			close(w->dirs[--w->depth]);
		return -EINPROGRESS;
	}
	auto_close int fd = walk_open(w, name, last && !slash);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	int r = -EINPROGRESS;
	if (S_ISDIR(st.st_mode))
		r = walk_push(w, &fd);
	else if (S_ISLNK(st.st_mode) && (!last || slash || !(w->flags & O_NOFOLLOW)))
		r = walk_follow(w, fd);
	else
		return !last || slash ? -ENOTDIR : walk_finish(w, name, &fd, S_ISLNK(st.st_mode));
	return r < 0 ? r : -EINPROGRESS;
}

/* Nothing is left to do: the answer is the directory on top. */
static int walk_arrive(struct walk *w)
{
	if (w->flags & O_PATH && w->depth)
		return w->dirs[--w->depth];
	int fd = openat(walk_here(w), ".", w->flags | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int walk_all(struct walk *w)
{
	char name[NAME_MAX + 1];

	for (;;) {
		int r = next_part(w->todo, name);
		if (r < 0)
			return r;
		if (r == 0)
			return walk_arrive(w);
		r = walk_step(w, name);
		if (r == -EAGAIN && ++w->retries < MAX_RETRIES)
			r = walk_splice(w, name, strlen(name)) < 0 ? -ENAMETOOLONG : -EINPROGRESS;
		if (r != -EINPROGRESS)
			return r;
	}
}

static int walk_path(int root, const char *path, int flags, enum make make, mode_t mode)
{
	struct walk w; /* 9 KiB: filled by hand, not zeroed */
	size_t size = strlen(path) + 1;

	if (size > PATH_MAX)
		return -ENAMETOOLONG;
	if (size == 1)
		return -ENOENT;
	w.root = root;
	w.depth = 0;
	w.flags = flags;
	w.make = make;
	w.mode = mode;
	w.links = w.retries = 0;
	memcpy(w.todo, path, size);
	int fd = walk_all(&w);
	walk_rewind(&w);
	return fd;
}

/* openat2, again and again while -EAGAIN says that something was renamed or mounted under a "..". */
static int open_resolved(int dir, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC), .resolve = resolve };

	for (int i = 0;; i++) {
		int fd = sys_openat2(dir, path, &how);
		if (fd >= 0)
			return fd;
		if (errno != EAGAIN || i == MAX_RETRIES)
			return -errno;
	}
}

/* No openat2 in this kernel (ENOSYS), none in the sandbox around us (EPERM), or no luck with it (EAGAIN). */
static bool must_walk(int r)
{
	return r == -ENOSYS || r == -EPERM || r == -EAGAIN;
}

static int open_in_root(int root, const char *path, int flags)
{
	if (flags & CREATING)
		return -EINVAL;
	int fd = open_resolved(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (must_walk(fd))
		fd = walk_path(root, path, flags, MAKE_NOTHING, 0);
	return fd;
}

int path_open(int root, const char *path, int flags, struct error *e)
{
	int fd = open_in_root(root, path, flags & ~O_NOFOLLOW);
	if (fd < 0)
		return fail(e, -fd, "open %s", path);
	return fd;
}

int path_open_nofollow(int root, const char *path, int flags, struct error *e)
{
	int fd = open_in_root(root, path, flags | O_NOFOLLOW);
	if (fd < 0)
		return fail(e, -fd, "open %s", path);
	return fd;
}

/* Split off the last component: the parent's text into a buffer ("." if there is none). Returns the name,
 * or NULL if the path ends in a slash, "." or "..". */
static const char *split(const char *path, char parent[static PATH_MAX])
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t size = (size_t)(name - path);

	if (!*name || str_eq(name, ".") || str_eq(name, "..") || size >= PATH_MAX)
		return NULL;
	if (size == 0) {
		memcpy(parent, ".", 2);
		return name;
	}
	memcpy(parent, path, size);
	parent[size] = '\0';
	return name;
}

/* The usual case of making: the parent is there and nothing by that name in it. A negative answer only
 * means that it was not so simple. */
static int make_last(int root, const char *path, enum make make, mode_t mode)
{
	char text[PATH_MAX];
	const char *name = split(path, text);

	if (!name)
		return -EINVAL;
	auto_close int parent = open_in_root(root, text, O_PATH | O_DIRECTORY);
	if (parent < 0)
		return parent;
	int r = make == MAKE_FILE ? mknodat(parent, name, S_IFREG | 0644, 0) : mkdirat(parent, name, mode);
	if (r < 0)
		return -errno;
	/* Whoever put a link or a file there since then gets the careful walk. */
	struct stat st;
	auto_close int fd = openat(parent, name,
				   O_PATH | O_NOFOLLOW | O_CLOEXEC | (make == MAKE_DIR ? O_DIRECTORY : 0));
	if (fd < 0)
		return -errno;
	if (make == MAKE_FILE && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		return -ELOOP;
	return take_fd(&fd);
}

static int open_or_make(int root, const char *path, int flags, enum make make, mode_t mode)
{
	int fd = open_in_root(root, path, flags);
	if (fd != -ENOENT || !*path)
		return fd;
	fd = make_last(root, path, make, mode);
	if (fd < 0)
		fd = walk_path(root, path, flags, make, mode);
	return fd;
}

int path_mkdir(int root, const char *path, mode_t mode, struct error *e)
{
	int fd = open_or_make(root, path, O_PATH | O_DIRECTORY, MAKE_DIR, mode ? mode : 0755);
	if (fd < 0)
		return fail(e, -fd, "make directory %s", path);
	return fd;
}

int path_target(int root, const char *path, bool is_dir, struct error *e)
{
	char text[PATH_MAX];
	size_t size = strlen(path);

	while (size > 1 && path[size - 1] == '/')
		size--;
	if (size >= sizeof(text))
		return fail(e, ENAMETOOLONG, "make %s", path);
	memcpy(text, path, size);
	text[size] = '\0';
	int fd = open_or_make(root, text, O_PATH, is_dir ? MAKE_DIR : MAKE_FILE, 0755);
	if (fd < 0)
		return fail(e, -fd, "make %s %s", is_dir ? "directory" : "file", path);
	return fd;
}

int path_parent(int root, const char *path, bool make, const char **ret_name, struct error *e)
{
	char text[PATH_MAX];
	const char *name = split(path, text);

	if (!name)
		return refuse(e, EINVAL, "%s: has no last component to make", path);
	int fd = make ? path_mkdir(root, text, 0755, e) : path_open(root, text, O_PATH | O_DIRECTORY, e);
	if (fd >= 0)
		*ret_name = name;
	return fd;
}

/* ---- strictly beneath ---- */

static bool has_dotdot(const char *path)
{
	for (const char *p = path; *p; p += strcspn(p, "/")) {
		p += strspn(p, "/");
		if (str_starts(p, "..") && (p[2] == '/' || p[2] == '\0'))
			return true;
	}
	return false;
}

/* Where a handle's mount begins and ends: the device and, where the kernel tells (5.8), the mount's number.
 */
static int mount_of(int fd, struct statx *ret)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_MNT_ID, ret) < 0)
		return -errno;
	if (!(ret->stx_mask & STATX_MNT_ID))
		ret->stx_mnt_id = 0;
	return 0;
}

static int check_mount(int dir, int fd)
{
	struct statx a, b;
	int r = mount_of(dir, &a);
	if (r == 0)
		r = mount_of(fd, &b);
	if (r < 0)
		return r;
	return a.stx_mnt_id == b.stx_mnt_id && a.stx_dev_major == b.stx_dev_major &&
			       a.stx_dev_minor == b.stx_dev_minor
		       ? 0
		       : -EXDEV;
}

/* A walk that may follow no link and take no ".." is a chain of openat(O_NOFOLLOW). */
static int walk_beneath(int dir, const char *path, int flags, bool xdev)
{
	char todo[PATH_MAX], name[NAME_MAX + 1];
	struct stat st;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(todo, path, strlen(path) + 1);
	auto_close int here = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (here < 0)
		return -errno;
	for (bool last = false; !last;) {
		int r = next_part(todo, name);
		if (r < 0)
			return r;
		last = todo[0] == '\0'; /* with r 0: the path ended in a slash */
		int fd = openat(here, r == 0 ? "." : name, O_NOFOLLOW | O_CLOEXEC | (last ? flags : O_PATH));
		if (fd < 0)
			return -errno;
		replace_fd(&here, fd);
		if (fstat(here, &st) < 0)
			return -errno;
		if (S_ISLNK(st.st_mode) && !(last && flags & O_NOFOLLOW))
			return -ELOOP;
		r = xdev ? 0 : check_mount(dir, here);
		if (r < 0)
			return r;
	}
	return take_fd(&here);
}

int path_beneath(int dir, const char *path, int flags, bool xdev, struct error *e)
{
	uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	int fd;

	if (!xdev)
		resolve |= RESOLVE_NO_XDEV;
	if (flags & CREATING)
		fd = -EINVAL;
	else if (path[0] == '/' || has_dotdot(path))
		fd = -EXDEV;
	else if (!*path)
		fd = -ENOENT;
	else {
		fd = open_resolved(dir, path, flags, resolve);
		if (must_walk(fd))
			fd = walk_beneath(dir, path, flags, xdev);
	}
	if (fd < 0)
		return fail(e, -fd, "open %s", path);
	return fd;
}

/* ---- text ---- */

bool path_is_normal(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *p = path + 1; *p;) {
		size_t size = strcspn(p, "/");
		if (size == 0 || (size == 1 && p[0] == '.') || (size == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += size;
		if (*p)
			p++;
	}
	return true;
}

char *path_clean(const char *path)
{
	bool absolute = path[0] == '/';
	char *clean = malloc(strlen(path) + 2);
	size_t used = 0, keep = 0; /* up to `keep` stand the ".." of a relative path, not to be taken back */

	if (!clean)
		return NULL;
	if (absolute)
		clean[used++] = '/';
	size_t base = keep = used;
	for (const char *p = path; *p;) {
		p += strspn(p, "/");
		size_t size = strcspn(p, "/");
		bool up = size == 2 && p[0] == '.' && p[1] == '.';
		if (size == 0 || (size == 1 && p[0] == '.')) {
			/* nothing */
		} else if (up && used > keep) {
			while (used > keep && clean[used - 1] != '/')
				used--;
			if (used > base)
				used--; /* the slash */
		} else if (!up || !absolute) {
			if (used > base)
				clean[used++] = '/';
			memcpy(clean + used, p, size);
			used += size;
			if (up)
				keep = used;
		}
		p += size;
	}
	if (used == 0)
		clean[used++] = '.';
	clean[used] = '\0';
	return clean;
}

bool path_is_on(int fd, long magic)
{
	struct statfs fs;
	return fstatfs(fd, &fs) == 0 && (long)fs.f_type == magic;
}
