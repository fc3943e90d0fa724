/* SPDX-License-Identifier: GPL-2.0-or-later */
/* procs.c - the processes of a group: attach, list, signal, kill
 *
 * In RUNTIME. A process of another pid namespace shows as 0 in cgroup.procs; it must never reach kill(2), for
 * which 0 means our own process group. */
#include "cgroups/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"

#define MAX_DEPTH	  256	     /* of groups below a container's that are looked into */
#define PROCS_LIMIT	  (64 << 20) /* bytes of one cgroup.procs */
#define KILL_TIMEOUT_MS	  10000
#define FREEZE_TIMEOUT_MS 2000

int cgroup_attach(int group, pid_t pid, struct error *e)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	int r = io_write_file(group, "cgroup.procs", text, e);
	if (r < 0)
		return prefix(e, "attach process %d", (int)pid);
	return 0;
}

int cgroup_populated(int group, struct error *e)
{
	struct cgroup_events ev;
	int r = events_read(group, &ev, e);
	return r < 0 ? r : ev.populated;
}

/* ---- groups below ---- */

void group_children_free(char **names)
{
	for (char **n = names; n && *n; n++)
		free(*n);
	free(names);
}

/* The groups' own files are no directories. */
static struct dirent *next_child(DIR *dir)
{
	struct dirent *d;

	while ((d = readdir(dir)))
		if (d->d_type == DT_DIR && d->d_name[0] != '.')
			break;
	return d;
}

int group_first_child(int group, char name[static NAME_MAX + 1])
{
	int fd = openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int r = -errno;
		cleanup_close(&fd);
		return r;
	}
	struct dirent *d = next_child(dir);
	if (d)
		memcpy(name, d->d_name, strnlen(d->d_name, NAME_MAX) + 1);
	closedir(dir);
	return d != NULL;
}

int group_children(int group, char ***ret, struct error *e)
{
	size_t count = 0;

	int fd = openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int r = fail(e, errno, "list the cgroup");
		cleanup_close(&fd);
		return r;
	}
	char **names = calloc(1, sizeof(*names));
	struct dirent *d;
	while (names && (d = next_child(dir))) {
		char **grown = realloc(names, (count + 2) * sizeof(*names));
		char *name = grown ? strdup(d->d_name) : NULL;
		if (grown)
			names = grown;
		if (!name) {
			group_children_free(names);
			names = NULL;
			break;
		}
		names[count++] = name;
		names[count] = NULL;
	}
	closedir(dir);
	if (!names)
		return fail(e, ENOMEM, "list the cgroup");
	*ret = names;
	return 0;
}

/* ---- pids ---- */

struct pids {
	pid_t *list;
	size_t count, room;
};

static int pids_add(struct pids *p, pid_t pid, struct error *e)
{
	if (p->count == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		pid_t *grown = realloc(p->list, room * sizeof(*grown));
		if (!grown)
			return fail(e, ENOMEM, "list processes");
		p->list = grown;
		p->room = room;
	}
	p->list[p->count++] = pid;
	return 0;
}

static int pids_of_group(int group, struct pids *p, struct error *e)
{
	auto_free char *text = NULL;

	int r = io_read_file(group, "cgroup.procs", PROCS_LIMIT, &text, NULL, e);
	if (r == -EOPNOTSUPP) /* a threaded group: its processes are listed by the one above */
		return 0;
	if (r < 0)
		return r;
	for (char *at = text; *at && r == 0;) {
		long pid = strtol(at, &at, 10);
		if (pid > 0)
			r = pids_add(p, (pid_t)pid, e);
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	return r;
}

static int pids_below(int group, struct pids *p, int depth, struct error *e)
{
	char **names = NULL;

	if (depth == MAX_DEPTH)
		return refuse(e, ELOOP, "cgroups more than %d deep", MAX_DEPTH);
	int r = pids_of_group(group, p, e);
	if (r == 0)
		r = group_children(group, &names, e);
	for (char **n = names; r == 0 && *n; n++) {
		auto_close int child = group_open_file(group, *n, O_RDONLY | O_DIRECTORY, e);
		r = child < 0 ? child : pids_below(child, p, depth + 1, e);
		if (r == -ENOENT || r == -ENODEV) /* removed meanwhile */
			r = 0;
	}
	group_children_free(names);
	return r;
}

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
	return (x > y) - (x < y);
}

ssize_t cgroup_pids(int group, pid_t **ret, struct error *e)
{
	struct pids p = { 0 };
	size_t unique = 0;

	int r = pids_below(group, &p, 0, e);
	if (r == 0 && !p.list && !(p.list = malloc(sizeof(*p.list)))) /* an empty list is a list, too */
		r = fail(e, ENOMEM, "list processes");
	if (r < 0) {
		free(p.list);
		return r;
	}
	qsort(p.list, p.count, sizeof(*p.list), by_number);
	for (size_t i = 0; i < p.count; i++) /* one that moved while we read stands there twice */
		if (unique == 0 || p.list[unique - 1] != p.list[i])
			p.list[unique++] = p.list[i];
	*ret = p.list;
	return (ssize_t)unique;
}

/* ---- signals ---- */

static int signal_all(int group, int sig, struct error *e)
{
	auto_free pid_t *pids = NULL;
	int r = 0;

	ssize_t n = cgroup_pids(group, &pids, e);
	if (n < 0)
		return (int)n;
	for (ssize_t i = 0; i < n; i++)
		if (kill(pids[i], sig) < 0 && errno != ESRCH)
			r = fail(e, errno, "signal %d to process %d", sig, (int)pids[i]);
	return r;
}

int cgroup_signal(int group, int sig, struct error *e)
{
	struct error ignored;

	/* One that cannot be frozen (asleep in the kernel) gets its signal all the same. */
	bool paused = cgroup_is_frozen(group, &ignored) > 0;
	if (!paused)
		cgroup_freeze(group, true, FREEZE_TIMEOUT_MS, &ignored);
	int r = signal_all(group, sig, e);
	if (!paused)
		cgroup_freeze(group, false, 0, &ignored);
	return r;
}

/* Before Linux 5.14. A frozen group can be killed: SIGKILL is the one signal that gets through. */
static int kill_one_by_one(int group, struct error *e)
{
	for (int i = 0; i < 32; i++) {
		int r = cgroup_signal(group, SIGKILL, e);
		if (r < 0)
			return r;
		r = events_wait(group, EVENT(populated), false, 100, e);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return 0;
}

int cgroup_kill(int group, struct error *e)
{
	int r = io_write_file(group, "cgroup.kill", "1", e);
	if (r == -ENOENT)
		r = kill_one_by_one(group, e);
	if (r < 0)
		return r;
	r = events_wait(group, EVENT(populated), false, KILL_TIMEOUT_MS, e);
	if (r == 0)
		r = refuse(e, ETIMEDOUT, "killed processes of the cgroup are still there after %d s",
			   KILL_TIMEOUT_MS / 1000);
	return r < 0 ? r : 0;
}
