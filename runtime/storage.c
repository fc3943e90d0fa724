/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage.c - bases and clones on disk, counted by their users' names
 *
 * In RUNTIME. Whatever is killed on the way leaves a base without "ready", which the next import empties, or a
 * clone whose owner is not there, which the next one of its name removes. */
#include "runtime/storage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void storage_free(struct storage *s)
{
	if (!s)
		return;
	cleanup_close(&s->fd);
	cleanup_close(&s->bases);
	cleanup_close(&s->clones);
	free(s->path);
	free(s);
}

static int make_below(int dir, const char *name, struct error *e)
{
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make directory %s", name);
	int fd = openat(dir, name, DIR_FLAGS);
	return fd < 0 ? fail(e, errno, "open directory %s", name) : fd;
}

static int make_path(const char *path, struct error *e)
{
	char part[PATH_MAX];

	if (str_format(part, sizeof(part), "%s", path) < 0)
		return fail(e, ENAMETOOLONG, "storage %.80s", path);
	for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(part, 0711) < 0 && errno != EEXIST)
			return fail(e, errno, "make directory %s", part);
		*slash = '/';
	}
	if (mkdir(part, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make directory %s", part);
	return 0;
}

static int open_parts(struct storage *s, const char *path, struct error *e)
{
	struct stat st;

	s->path = realpath(path, NULL);
	if (!s->path)
		return fail(e, errno, "storage %s", path);
	s->fd = open(s->path, DIR_FLAGS);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return fail(e, errno, "open storage %s", s->path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return refuse(e, EPERM, "storage %s: uid %u owns it, mode %04o: others could write it",
			      s->path, (unsigned int)st.st_uid, (unsigned int)st.st_mode & 07777);
	s->bases = make_below(s->fd, "bases", e);
	if (s->bases < 0)
		return s->bases;
	s->clones = make_below(s->fd, "clones", e);
	return s->clones < 0 ? s->clones : 0;
}

int storage_open(const char *path, struct storage **ret, struct error *e)
{
	AUTO(storage) struct storage *s = calloc(1, sizeof(*s));

	if (!s)
		return fail(e, ENOMEM, "storage");
	s->fd = s->bases = s->clones = -1;
	path = path ? path : STORAGE_DEFAULT;
	int r = *path == '/' ? make_path(path, e) : 0;
	if (r == 0 && *path != '/' && mkdir(path, 0700) < 0 && errno != EEXIST)
		r = fail(e, errno, "make directory %s", path);
	if (r == 0)
		r = open_parts(s, path, e);
	if (r == 0)
		*ret = take_ptr(s);
	return r;
}

/* ---- removing ---- */

static int empty(int dir, dev_t dev, struct error *e);

static int remove_one(int dir, const char *name, dev_t dev, struct error *e)
{
	struct stat st;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return fail(e, errno, "remove %s", name);
	auto_close int below = openat(dir, name, DIR_FLAGS);
	if (below < 0 || fstat(below, &st) < 0)
		return fail(e, errno, "remove %s", name);
	if (st.st_dev != dev)
		return refuse(e, EBUSY, "remove %s: something is mounted there", name);
	int r = empty(below, dev, e);
	if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = fail(e, errno, "remove %s", name);
	return r;
}

static int empty(int dir, dev_t dev, struct error *e)
{
	auto_close int own = openat(dir, ".", DIR_FLAGS);
	DIR *list = own < 0 ? NULL : fdopendir(own);
	int r = 0;

	if (!list)
		return fail(e, errno, "list a directory");
	take_fd(&own);
	for (struct dirent *d; r == 0 && (d = readdir(list));)
		if (!str_eq(d->d_name, ".") && !str_eq(d->d_name, ".."))
			r = remove_one(dir, d->d_name, dev, e);
	closedir(list);
	return r;
}

int storage_empty(int dir, struct error *e)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return fail(e, errno, "look at a directory");
	return empty(dir, st.st_dev, e);
}

static int remove_dir(int parent, const char *name, int dir, struct error *e)
{
	int r = storage_empty(dir, e);

	if (r == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = fail(e, errno, "remove %s", name);
	return r;
}

/* ---- the lock ---- */

static void on_signal(int sig)
{
	(void)sig;
}

/* flock(2) knows no time and no descriptor to poll: while it waits, the signals that ask us to end may come. */
static int lock_interruptibly(int fd, struct error *e)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction before[COUNT_OF(ends)], action = { .sa_handler = on_signal };
	sigset_t open, masked;
	int r;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	sigemptyset(&open);
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		sigaction(ends[i], &action, &before[i]);
		sigaddset(&open, ends[i]);
	}
	sigprocmask(SIG_UNBLOCK, &open, &masked);
	r = flock(fd, LOCK_EX) < 0 ? -errno : 0;
	sigprocmask(SIG_SETMASK, &masked, NULL);
	for (size_t i = 0; i < COUNT_OF(ends); i++)
		sigaction(ends[i], &before[i], NULL);
	return r < 0 ? fail(e, -r, "wait for another import of the same file") : 0;
}

/* ---- bases ---- */

static bool exists(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int storage_base_open(const struct storage *s, const char *export_id, bool *ret_ready, struct error *e)
{
	struct stat st;

	for (;;) {
		auto_close int fd = make_below(s->bases, export_id, e);
		if (fd < 0)
			return fd;
		int r = lock_interruptibly(fd, e);
		if (r < 0)
			return r;
		/* The last clone may have taken it away while we waited. */
		if (fstat(fd, &st) < 0 || st.st_nlink == 0)
			continue;
		*ret_ready = exists(fd, "ready");
		if (!*ret_ready) {
			r = storage_empty(fd, e);
			if (r < 0)
				return prefix(e, "an earlier import's rest");
		}
		return take_fd(&fd);
	}
}

static int touch(int dir, const char *name, struct error *e)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? fail(e, errno, "create %s", name) : 0;
}

int storage_base_ready(int base, struct error *e)
{
	if (mkdirat(base, "users", 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make directory users");
	return touch(base, "ready", e);
}

static bool has_users(int base)
{
	auto_close int fd = openat(base, "users", DIR_FLAGS);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	bool found = false;

	if (!list)
		return false;
	take_fd(&fd);
	for (struct dirent *d; !found && (d = readdir(list));)
		found = !str_eq(d->d_name, ".") && !str_eq(d->d_name, "..");
	closedir(list);
	return found;
}

int storage_base_drop(const struct storage *s, const char *export_id, int base, struct error *e)
{
	if (has_users(base))
		return 0;
	unlinkat(base, "ready", 0); /* first: half removed is not complete */
	return remove_dir(s->bases, export_id, base, e);
}

static int set_user(int base, const char *name, struct error *e)
{
	auto_close int users = openat(base, "users", DIR_FLAGS);
	return users < 0 ? fail(e, errno, "open users") : touch(users, name, e);
}

/* ---- clones ---- */

static int read_line(int dir, const char *name, char *buf, size_t size)
{
	struct error none;
	ssize_t n = io_read_small(dir, name, buf, size, &none);

	return n < 0 ? (int)n : 0;
}

static bool is_abandoned(const struct storage *s, const char *name)
{
	char owner[PATH_MAX];
	struct stat st;

	auto_close int dir = openat(s->clones, name, DIR_FLAGS);
	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0) /* who makes it holds its lock */
		return false;
	if (read_line(dir, "owner", owner, sizeof(owner)) < 0)
		return true; /* not even that was written */
	return stat(owner, &st) < 0 && errno == ENOENT;
}

static int write_line(int dir, const char *name, const char *text, struct error *e)
{
	char line[PATH_MAX + 1];

	if (str_format(line, sizeof(line), "%s\n", text) < 0)
		return fail(e, ENAMETOOLONG, "%s", name);
	return io_replace_file(dir, name, line, strlen(line), 0600, e);
}

int storage_clone_make(const struct storage *s, const char *name, const char *owner, const char *export_id,
		       int base, struct error *e)
{
	if (exists(s->clones, name) && is_abandoned(s, name)) {
		int r = storage_clone_remove(s, name, e);
		if (r < 0)
			return prefix(e, "what an earlier %s left", name);
	}
	if (mkdirat(s->clones, name, 0700) < 0)
		return errno == EEXIST
			       ? refuse(e, EEXIST, "%s/clones/%s is another container's", s->path, name)
			       : fail(e, errno, "make directory %s/clones/%s", s->path, name);
	auto_close int dir = openat(s->clones, name, DIR_FLAGS);
	if (dir < 0 || flock(dir, LOCK_EX) < 0)
		return fail(e, errno, "open %s/clones/%s", s->path, name);
	int r = write_line(dir, "owner", owner, e);
	if (r == 0 && base >= 0)
		r = write_line(dir, "base", export_id, e);
	if (r == 0 && base >= 0)
		r = set_user(base, name, e);
	return r < 0 ? r : take_fd(&dir);
}

/* Lazily: a process of the host that looks at it must not keep the container from going. */
static int unmount(const struct storage *s, const char *name, struct error *e)
{
	char path[PATH_MAX];

	if (str_format(path, sizeof(path), "%s/clones/%s/rootfs", s->path, name) < 0)
		return fail(e, ENAMETOOLONG, "unmount");
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return fail(e, errno, "unmount %s", path);
	return 0;
}

static int drop_user(const struct storage *s, const char *export_id, const char *name, struct error *e)
{
	if (strspn(export_id, "0123456789abcdef") != strlen(export_id) || !*export_id)
		return 0;
	auto_close int base = openat(s->bases, export_id, DIR_FLAGS);
	if (base < 0)
		return errno == ENOENT ? 0 : fail(e, errno, "open base %s", export_id);
	if (flock(base, LOCK_EX) < 0)
		return fail(e, errno, "lock base %s", export_id);
	auto_close int users = openat(base, "users", DIR_FLAGS);
	if (users >= 0)
		unlinkat(users, name, 0);
	return storage_base_drop(s, export_id, base, e);
}

int storage_clone_remove(const struct storage *s, const char *name, struct error *e)
{
	char base[128] = "";

	auto_close int dir = openat(s->clones, name, DIR_FLAGS);
	if (dir < 0)
		return errno == ENOENT ? 0 : fail(e, errno, "open %s/clones/%s", s->path, name);
	int r = unmount(s, name, e);
	if (r < 0)
		return r;
	if (read_line(dir, "base", base, sizeof(base)) < 0)
		base[0] = '\0';
	/* The overlay is gone, so nothing holds the base any more; its name goes before "base" does. */
	r = drop_user(s, base, name, e);
	return r < 0 ? r : remove_dir(s->clones, name, dir, e);
}

bool storage_is_clone(const char *bundle, const char *id)
{
	char tail[PATH_MAX];

	return bundle && str_format(tail, sizeof(tail), "/clones/%s", id) > 0 && str_ends(bundle, tail);
}

int storage_release(const char *bundle, const char *id, struct error *e)
{
	AUTO(storage) struct storage *s = NULL;
	char path[PATH_MAX];
	struct stat st;

	/* Ours only if it says so itself. */
	if (str_format(path, sizeof(path), "%s/owner", bundle) < 0 || lstat(path, &st) < 0 ||
	    !S_ISREG(st.st_mode))
		return 0;
	str_format(path, sizeof(path), "%.*s", (int)(strlen(bundle) - strlen("/clones/") - strlen(id)),
		   bundle);
	int r = storage_open(path, &s, e);
	return r < 0 ? r : storage_clone_remove(s, id, e);
}
