/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trust_tasks.c - the creds of living tasks, as /proc tells them; every thread is held against the rule
 *
 * In RUNTIME, while CRIU holds the restored tasks, none of which has run. A dead one (CRIU makes the zombies
 * that were there, and does not dress them) can do nothing and is passed over. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/trust.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

#define STATUS_LIMIT (1U << 20) /* 65536 groups are some 500 kB */

/* ---- the text of a status file ---- */

static int numbers(const char *p, int base, uint64_t *ret, int n)
{
	for (int i = 0; i < n; i++) {
		char *end;
		errno = 0;
		ret[i] = strtoull(p, &end, base);
		if (errno || end == p)
			return -EPROTO;
		p = end;
	}
	return 0;
}

static int parse_ids(const char *value, uint32_t ret[ID_KINDS])
{
	uint64_t ids[ID_KINDS];

	if (numbers(value, 10, ids, ID_KINDS) < 0)
		return -EPROTO;
	for (int i = 0; i < ID_KINDS; i++)
		ret[i] = (uint32_t)ids[i];
	return 0;
}

static int parse_groups(const char *value, struct task_creds *c)
{
	size_t room = 0;
	char *end;

	for (const char *p = value;; p = end) {
		while (*p == ' ' || *p == '\t')
			p++;
		if (*p == '\n' || *p == '\0')
			return 0;
		errno = 0;
		unsigned long group = strtoul(p, &end, 10);
		if (errno || end == p || c->n_groups == TRUST_MAX_GROUPS)
			return -EPROTO;
		if (c->n_groups == room) {
			room = room ? 2 * room : 16;
			uint32_t *grown = realloc(c->groups, room * sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			c->groups = grown;
		}
		c->groups[c->n_groups++] = (uint32_t)group;
	}
}

static int parse_name(const char *value, struct task_creds *c)
{
	size_t n = strcspn(value, "\n");

	str_format(c->name, sizeof(c->name), "%.*s", (int)(n < 60 ? n : 60), value);
	str_make_printable(c->name);
	return 0;
}

enum line {
	LINE_NAME,
	LINE_UID,
	LINE_GID,
	LINE_GROUPS,
	LINE_INHERITABLE,
	LINE_PERMITTED,
	LINE_EFFECTIVE,
	LINE_BOUNDING,
	LINE_AMBIENT,
	LINE_NNP,
	LINE_SECCOMP,
	LINE_FILTERS,
	LINE_COUNT
};
static const char *const line_names[LINE_COUNT] = {
	"Name:",   "Uid:",    "Gid:",	 "Groups:",	"CapInh:",  "CapPrm:",
	"CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:",
};

static int parse_line(enum line line, const char *value, struct task_creds *c)
{
	uint64_t n = 0;
	uint64_t *const sets[] = { &c->inheritable, &c->permitted, &c->effective, &c->bounding, &c->ambient };

	switch (line) {
	case LINE_NAME:
		return parse_name(value, c);
	case LINE_UID:
		return parse_ids(value, c->uid);
	case LINE_GID:
		return parse_ids(value, c->gid);
	case LINE_GROUPS:
		return parse_groups(value, c);
	case LINE_INHERITABLE:
	case LINE_PERMITTED:
	case LINE_EFFECTIVE:
	case LINE_BOUNDING:
	case LINE_AMBIENT:
		return numbers(value, 16, sets[line - LINE_INHERITABLE], 1);
	default:
		if (numbers(value, 10, &n, 1) < 0)
			return -EPROTO;
		if (line == LINE_NNP)
			c->no_new_privs = n == 1;
		else if (line == LINE_SECCOMP)
			c->seccomp = (int)n;
		else
			c->seccomp_filters = (int64_t)n;
		return 0;
	}
}

/* A name cannot forge a line: the kernel writes a newline in it as "\n". */
int trust_parse_status(const char *text, struct task_creds *ret, struct error *e)
{
	struct task_creds c = { .seccomp_filters = -1 };
	unsigned int seen = 0;
	int r = 0;

	for (const char *p = text; r == 0 && p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		for (int i = 0; r == 0 && i < LINE_COUNT; i++) {
			size_t n = strlen(line_names[i]);
			if (strncmp(p, line_names[i], n) != 0 || (seen & (1U << i)))
				continue;
			p += n;
			p += strspn(p, " \t");
			r = parse_line((enum line)i, p, &c);
			seen |= 1U << i;
			break;
		}
	const unsigned int needed = ((1U << LINE_COUNT) - 1) & ~(1U << LINE_FILTERS);
	if (r == 0 && (seen & needed) == needed) {
		*ret = c;
		return 0;
	}
	task_creds_done(&c);
	if (r == -ENOMEM)
		return fail(e, ENOMEM, "read the state of a process");
	for (int i = 0; i < LINE_COUNT; i++)
		if (needed & ~seen & (1U << i))
			return refuse(e, EPROTO, "the kernel does not say %s of a process", line_names[i]);
	return refuse(e, EPROTO, "what the kernel says of a process is not understood");
}

/* ---- the tasks ---- */

static bool is_dead(const char *status)
{
	const char *state = strstr(status, "\nState:\t");

	return state && (state[8] == 'Z' || state[8] == 'X');
}

static void read_label(int task, struct task_creds *c)
{
	struct error none;

	if (io_read_small(task, "attr/current", c->label, sizeof(c->label), &none) < 0)
		c->label[0] = '\0';
	str_make_printable(c->label);
}

static int check_thread(int tasks, const char *tid, pid_t pid, const struct trust_policy *p, struct error *e)
{
	struct task_creds c = { 0 };
	auto_free char *text = NULL;

	auto_close int task = openat(tasks, tid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (task < 0)
		return errno == ENOENT ? 0 : fail(e, errno, "open task %s of process %d", tid, (int)pid);
	int r = io_read_file(task, "status", STATUS_LIMIT, &text, NULL, e);
	if (r == -ENOENT || r == -ESRCH || (r == 0 && is_dead(text)))
		return 0;
	if (r == 0)
		r = trust_parse_status(text, &c, e);
	if (r < 0)
		return prefix(e, "process %d", (int)pid);
	c.pid = pid;
	read_label(task, &c);
	r = trust_check(p, &c, e);
	task_creds_done(&c);
	return r;
}

static int check_threads(int process, pid_t pid, const struct trust_policy *p, struct error *e)
{
	int r = 0;

	auto_close int tasks = openat(process, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int own = tasks < 0 ? -1 : openat(tasks, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = own < 0 ? NULL : fdopendir(own);
	if (!list)
		return errno == ENOENT ? 0 : fail(e, errno, "list the threads of process %d", (int)pid);
	take_fd(&own);
	for (struct dirent *d; r == 0 && (d = readdir(list));)
		if (d->d_name[0] != '.')
			r = check_thread(tasks, d->d_name, pid, p, e);
	closedir(list);
	return r;
}

/* ---- namespaces ---- */

/* A namespace that the config joins is the one at its path; one that it makes is not ours. A task inside may
 * have made more of its own. The time namespace is CRIU's business: it makes one to keep the clocks going. */
static int check_namespace(int proc, const char *of, const struct spec_namespace *ns, bool is_init,
			   struct error *e)
{
	const struct ns_type *type = &ns_types[ns->kind];
	struct stat is, other;
	char path[64];

	if (ns->kind == NS_TIME || (ns->path && !is_init))
		return 0;
	str_format(path, sizeof(path), "self/ns/%s", type->proc);
	if (ns->path ? stat(ns->path, &other) < 0 : fstatat(proc, path, &other, 0) < 0)
		return fail(e, errno, "look at %s", ns->path ? ns->path : path);
	str_format(path, sizeof(path), "%s/ns/%s", of, type->proc);
	if (fstatat(proc, path, &is, 0) < 0)
		return fail(e, errno, "look at /proc/%s", path);
	bool same = is.st_dev == other.st_dev && is.st_ino == other.st_ino;
	if (ns->path && !same)
		return refuse(e, EPERM, "process %s: not in the %s namespace %s", of, type->oci, ns->path);
	if (!ns->path && same)
		return refuse(e, EPERM,
			      "process %s: in the host's %s namespace, and the config gives it its own", of,
			      type->oci);
	return 0;
}

static int check_process(int proc, const struct spec *s, const struct trust_policy *p, pid_t pid,
			 bool is_init, struct error *e)
{
	char name[16];
	int r;

	str_format(name, sizeof(name), "%d", (int)pid);
	auto_close int process = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		return errno == ENOENT && !is_init ? 0 : fail(e, errno, "open /proc/%s", name);
	r = check_threads(process, pid, p, e);
	for (size_t i = 0; r == 0 && i < s->n_namespaces; i++) {
		r = check_namespace(proc, name, &s->namespaces[i], is_init, e);
		/* A zombie has left its namespaces. */
		if (r == -ENOENT && !is_init)
			return 0;
	}
	return r;
}

int trust_check_tasks(int proc, const struct spec *s, bool raised, pid_t init, const pid_t *pids,
		      size_t n_pids, struct error *e)
{
	struct trust_policy p;
	bool seen = false;

	int r = trust_policy(s, raised, &p, e);
	for (size_t i = 0; r == 0 && i < n_pids; i++) {
		seen |= pids[i] == init;
		r = check_process(proc, s, &p, pids[i], pids[i] == init, e);
	}
	if (r == 0 && !seen)
		r = refuse(e, EPERM, "process %d: not in the container's cgroup", (int)init);
	return r;
}
