/* SPDX-License-Identifier: GPL-2.0-or-later */
/* container.c - a container by its id: its directory, its lock, its record, its live status
 *
 * The lock is flock(2) on the directory itself: nothing to create, nothing to leave behind, and it ends with
 * its holder. A directory that was removed while we waited for it shows by its link count of zero. */
#include "runtime/container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/fd.h"
#include "runtime/base/io.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"

void container_free(struct container *c)
{
	if (!c)
		return;
	cleanup_close(&c->root);
	cleanup_close(&c->dir);
	state_free(c->state);
	free(c->id);
	free(c);
}

int container_check_id(const char *id, struct error *e)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-";
	size_t n = strlen(id);

	if (n == 0)
		return refuse(e, EINVAL, "a container's id cannot be empty");
	size_t good = strspn(id, allowed);
	if (id[good] > ' ' && id[good] < 127)
		return refuse(
			e, EINVAL,
			"invalid character `%c` in the ID \"%.64s\": letters, digits and _ + - . are allowed",
			id[good], id);
	if (n > NAME_MAX || id[0] == '.' || good != n)
		return refuse(e, EINVAL,
			      "invalid container id \"%.64s\": letters, digits and _ + - . are allowed, at "
			      "most %d, and no . at the beginning",
			      id, NAME_MAX);
	return 0;
}

/* Make the state root with its parents; the last directory is ours alone. */
static int make_root(const char *path, struct error *e)
{
	char part[PATH_MAX];

	if (str_format(part, sizeof(part), "%s", path) < 0)
		return fail(e, ENAMETOOLONG, "state root %s", path);
	for (char *slash = part + 1; *part && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(part, 0711) < 0 && errno != EEXIST)
			return fail(e, errno, "make directory %s", part);
		*slash = '/';
	}
	if (mkdir(part, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make directory %s", part);
	return 0;
}

static int open_root(const struct globals *g, bool make, struct error *e)
{
	int fd = open(g->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && make) {
		int r = make_root(g->root, e);
		if (r < 0)
			return r;
		fd = open(g->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0 && errno == EACCES && geteuid() != 0)
		return fail(e, EACCES, "open state root %s (not being root)", g->root);
	if (fd < 0)
		return fail(e, errno, "open state root %s", g->root);
	return fd;
}

static int new_container(const struct globals *g, const char *id, bool make_root_dir, struct container **ret,
			 struct error *e)
{
	int r = container_check_id(id, e);
	if (r < 0)
		return r;
	AUTO(container) struct container *c = calloc(1, sizeof(*c));
	if (!c)
		return fail(e, ENOMEM, "container %s", id);
	c->globals = g;
	c->root = c->dir = -1;
	c->id = strdup(id);
	if (!c->id)
		return fail(e, ENOMEM, "container %s", id);
	c->root = open_root(g, make_root_dir, e);
	if (c->root < 0)
		return c->root;
	*ret = take_ptr(c);
	return 0;
}

static int lock(struct container *c, struct error *e)
{
	int r;
	do
		r = flock(c->dir, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return fail(e, errno, "lock container %s", c->id);
	c->locked = true;
	return 0;
}

void container_unlock(struct container *c)
{
	if (c->locked)
		flock(c->dir, LOCK_UN);
	c->locked = false;
}

int container_lock(struct container *c, struct error *e)
{
	struct stat st;

	int r = lock(c, e);
	if (r < 0)
		return r;
	if (fstat(c->dir, &st) < 0 || st.st_nlink == 0)
		return refuse(e, ENOENT, "container `%s` does not exist", c->id);
	return 0;
}

static int try_record(struct container *c, struct error *e)
{
	int r = state_read(c->dir, &c->state, e);
	return r < 0 && r != -ENOENT ? prefix(e, "container %s", c->id) : r;
}

/* No record: somebody is making or removing the container at this moment, holding its lock, or was
 * interrupted. The lock tells which. */
static int read_record(struct container *c, struct error *e)
{
	bool locked = c->locked;

	int r = try_record(c, e);
	if (r != -ENOENT || locked)
		return r == -ENOENT ? 0 : r;
	r = container_lock(c, e);
	if (r < 0)
		return r;
	r = try_record(c, e);
	container_unlock(c);
	return r == -ENOENT ? 0 : r;
}

int container_open(const struct globals *g, const char *id, bool with_lock, struct container **ret,
		   struct error *e)
{
	AUTO(container) struct container *c = NULL;

	int r = new_container(g, id, false, &c, e);
	if (r == -ENOENT)
		return refuse(e, ENOENT, "container `%s` does not exist", id);
	if (r < 0)
		return r;
	c->dir = openat(c->root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dir < 0 && errno == ENOENT)
		return refuse(e, ENOENT, "container `%s` does not exist", id);
	if (c->dir < 0)
		return fail(e, errno, "open container %s", id);
	if (with_lock) {
		r = container_lock(c, e);
		if (r < 0)
			return r;
	}
	r = read_record(c, e);
	if (r < 0)
		return r;
	*ret = take_ptr(c);
	return 0;
}

int container_make(const struct globals *g, const char *id, struct container **ret, struct error *e)
{
	AUTO(container) struct container *c = NULL;
	struct stat st;

	int r = new_container(g, id, true, &c, e);
	if (r < 0)
		return r;
	if (mkdirat(c->root, id, 0700) < 0) {
		if (errno == EEXIST)
			return refuse(e, EEXIST, "container with given ID already exists: `%s`", id);
		return fail(e, errno, "make directory %s/%s", g->root, id);
	}
	c->dir = openat(c->root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dir < 0)
		return fail(e, errno, "open %s/%s", g->root, id);
	r = lock(c, e);
	if (r < 0)
		return r;
	/* A forced delete may have been between our mkdir and our lock. */
	if (fstat(c->dir, &st) < 0 || st.st_nlink == 0)
		return refuse(e, ENOENT, "container `%s` was deleted while it was being created", id);
	*ret = take_ptr(c);
	return 0;
}

/* Everything below dir, two levels deep at most: our own files and the directory of the notify socket. */
static int empty_directory(int dir, int depth, struct error *e)
{
	auto_close int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = own < 0 ? NULL : fdopendir(own);
	if (!list)
		return fail(e, errno, "list a state directory");
	take_fd(&own);
	int r = 0;
	for (struct dirent *d; r == 0 && (d = readdir(list));) {
		if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
			continue;
		if (unlinkat(dir, d->d_name, 0) == 0)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			r = errno == ENOENT ? 0 : fail(e, errno, "remove %s", d->d_name);
			continue;
		}
		auto_close int below = openat(dir, d->d_name,
					      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0 || depth == 0) {
			r = fail(e, below < 0 ? errno : ENOTEMPTY, "remove %s", d->d_name);
			continue;
		}
		r = empty_directory(below, depth - 1, e);
		if (r == 0 && unlinkat(dir, d->d_name, AT_REMOVEDIR) < 0)
			r = fail(e, errno, "remove %s", d->d_name);
	}
	closedir(list);
	return r;
}

/* The files that nearly every container has: gone with a handful of calls, without listing. */
static const char *const known_files[] = { "state.json", "config.json", "start", "started" };

int container_remove(struct container *c, struct error *e)
{
	for (size_t i = 0; i < COUNT_OF(known_files); i++)
		unlinkat(c->dir, known_files[i], 0);
	if (unlinkat(c->root, c->id, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return fail(e, errno, "remove %s/%s", c->globals->root, c->id);
	int r = empty_directory(c->dir, 2, e);
	if (r < 0)
		return prefix(e, "container %s", c->id);
	if (unlinkat(c->root, c->id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail(e, errno, "remove %s/%s", c->globals->root, c->id);
	return 0;
}

/* INIT of a created container has the FIFO "start" open for reading until it executes the program. */
static bool waits_for_start(const struct container *c)
{
	auto_close int fd = openat(c->dir, "start", O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0;
}

static bool is_paused(const struct container *c)
{
	struct error ignored;

	auto_close int group = container_cgroup(c, &ignored);
	return group >= 0 && cgroup_is_frozen(group, &ignored) == 1;
}

enum status container_status(const struct container *c)
{
	const struct state *s = c->state;

	if (!s)
		return STATUS_CREATING;
	if (s->pid == 0)
		return c->locked ? STATUS_STOPPED : STATUS_CREATING;
	if (!proc_is_alive(s->pid, s->start_time))
		return STATUS_STOPPED;
	if (is_paused(c))
		return STATUS_PAUSED;
	return waits_for_start(c) ? STATUS_CREATED : STATUS_RUNNING;
}

int container_pidfd(const struct container *c, struct error *e)
{
	struct error ignored;
	int fd = c->state ? proc_open(c->state->pid, c->state->start_time, &ignored) : -ESRCH;
	if (fd < 0)
		return refuse(e, ESRCH, "container `%s` is not running: container not running", c->id);
	return fd;
}

int container_cgroup(const struct container *c, struct error *e)
{
	if (!c->state || !*c->state->cgroup)
		return refuse(e, ENOENT, "container %s has no cgroup", c->id);
	auto_close int root = cgroup_open_root(e);
	if (root < 0)
		return root;
	return cgroup_open(root, c->state->cgroup, e);
}

struct rdt_group container_rdt(const struct container *c)
{
	const struct state *s = c->state;

	return (struct rdt_group){
		.clos = s->rdt, .id = c->id, .made = s->rdt_made, .monitored = s->rdt_monitored
	};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int container_ids(const struct globals *g, char ***ret, struct error *e)
{
	size_t n = 0, room = 16;
	char **ids = calloc(room, sizeof(*ids));
	DIR *dir = opendir(g->root);

	if (!ids || (!dir && errno != ENOENT)) {
		int r = fail(e, ids ? errno : ENOMEM, "open state root %s", g->root);
		free(ids);
		if (dir)
			closedir(dir);
		return r;
	}
	for (struct dirent *d; dir && (d = readdir(dir));) {
		struct error ignored;
		if (d->d_type == DT_REG || container_check_id(d->d_name, &ignored) < 0)
			continue;
		if (n + 1 == room) {
			char **grown = realloc(ids, 2 * room * sizeof(*ids));
			if (!grown)
				break;
			ids = grown;
			room *= 2;
		}
		ids[n] = strdup(d->d_name);
		if (!ids[n])
			break;
		n++;
	}
	if (dir)
		closedir(dir);
	ids[n] = NULL;
	qsort(ids, n, sizeof(*ids), by_name);
	*ret = ids;
	return 0;
}

void container_ids_free(char **ids)
{
	for (char **id = ids; id && *id; id++)
		free(*id);
	free(ids);
}

int container_ids_matching(const struct globals *g, const char *pattern, char ***ret, struct error *e)
{
	regex_t compiled;
	char reason[128], **ids = NULL;

	int r = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);
	if (r != 0) {
		regerror(r, &compiled, reason, sizeof(reason));
		return refuse(e, EINVAL, "regular expression `%.100s`: %s", pattern, reason);
	}
	r = container_ids(g, &ids, e);
	size_t kept = 0;
	for (size_t i = 0; r == 0 && ids[i]; i++) {
		char *id = ids[i];
		ids[i] = NULL;
		if (regexec(&compiled, id, 0, NULL, 0) == 0)
			ids[kept++] = id;
		else
			free(id);
	}
	regfree(&compiled);
	if (r == 0)
		*ret = ids;
	return r;
}
