/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pids.c - the processes of a container, also of one without a control group */
#include "runtime/pids.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cgroups/cgroup.h"
#include "runtime/base/str.h"

static int pid_namespace(int proc, const char *pid, struct stat *ret)
{
	char path[NAME_MAX + 16];

	snprintf(path, sizeof(path), "%.200s/ns/pid", pid);
	return fstatat(proc, path, ret, 0) < 0 ? -errno : 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static int by_number(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

/* All that are in the same pid namespace; those that end meanwhile are left out. */
static ssize_t scan(DIR *proc, const struct stat *wanted, pid_t **ret, struct error *e)
{
	size_t n = 0, room = 0;
	auto_free pid_t *list = NULL;
	struct stat st;
	int pid;

	for (struct dirent *d; (d = readdir(proc));) {
		if (str_to_int(d->d_name, &pid) < 0 || pid_namespace(dirfd(proc), d->d_name, &st) < 0 ||
		    !is_same(&st, wanted))
			continue;
		if (n == room) {
			pid_t *grown = realloc(list, (room = 2 * room + 16) * sizeof(*list));
			if (!grown)
				return fail(e, ENOMEM, "processes");
			list = grown;
		}
		list[n++] = pid;
	}
	if (n)
		qsort(list, n, sizeof(*list), by_number);
	*ret = take_ptr(list);
	return (ssize_t)n;
}

static ssize_t only_init(pid_t pid, pid_t **ret, struct error *e)
{
	pid_t *list = malloc(sizeof(*list));

	if (!list)
		return fail(e, ENOMEM, "processes");
	*list = pid;
	*ret = list;
	return 1;
}

ssize_t container_pids(const struct container *c, pid_t **ret, struct error *e)
{
	struct stat own, theirs;
	char pid[16];

	if (!c->state || *c->state->cgroup) {
		auto_close int group = container_cgroup(c, e);
		return group < 0 ? group : cgroup_pids(group, ret, e);
	}
	/* The pid is still its own. */
	auto_close int pidfd = container_pidfd(c, e);
	if (pidfd < 0)
		return pidfd;
	DIR *proc = opendir("/proc");
	if (!proc)
		return fail(e, errno, "open /proc");
	snprintf(pid, sizeof(pid), "%d", (int)c->state->pid);
	int r = pid_namespace(dirfd(proc), pid, &theirs);
	if (r == 0)
		r = pid_namespace(dirfd(proc), "self", &own);
	ssize_t n = r < 0		     ? fail(e, -r, "pid namespace of process %s", pid)
		    : is_same(&own, &theirs) ? only_init(c->state->pid, ret, e)
					     : scan(proc, &theirs, ret, e);
	closedir(proc);
	return n;
}
