/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_kill.c - coracle kill: send a signal to a container
 *
 * The signal goes to the container's first process, by its pidfd. Where that process is the init of a pid
 * namespace the kernel ends everything else with it; where it is not (a shared or joined pid namespace),
 * KILL goes to all processes of the container's cgroup, or the rest would live on. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/cgroup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/commands.h"
#include "runtime/pids.h"
#include "runtime/signals.h"

struct kill_options {
	bool all, regex;
};

static const struct opt kill_table[] = {
	{ "all", 'a', OPT_FLAG, offsetof(struct kill_options, all), NULL,
	  "to all processes of the container, not the first alone" },
	{ "regex", 0, OPT_FLAG, offsetof(struct kill_options, regex), NULL,
	  "ID is a regular expression: all containers that match" },
	{ .kind = OPT_END },
};

static int not_running(const struct container *c, struct error *e)
{
	return refuse(e, ESRCH, "container `%s` is not running: container not running", c->id);
}

/* True if the process is number 1 in its pid namespace: the last number of its "NSpid:" line. */
static bool is_namespace_init(pid_t pid)
{
	char path[64], status[4096];
	struct error ignored;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (io_read_small(AT_FDCWD, path, status, sizeof(status), &ignored) < 0)
		return false;
	char *line = strstr(status, "\nNSpid:");
	if (!line)
		return false;
	line[strcspn(line + 1, "\n") + 1] = '\0';
	const char *last = strrchr(line + 1, '\t');
	return last && str_eq(last, "\t1");
}

/* Without a control group: whoever is there now. The first of a pid namespace takes the others along. */
static int signal_each(const struct container *c, int sig, struct error *e)
{
	auto_free pid_t *pids = NULL;

	ssize_t n = container_pids(c, &pids, e);
	if (n < 0)
		return n == -ESRCH ? not_running(c, e) : (int)n;
	for (ssize_t i = 0; i < n; i++)
		if (kill(pids[i], sig) < 0 && errno != ESRCH)
			return fail(e, errno, "signal container %s", c->id);
	return 0;
}

static int signal_all(const struct container *c, int sig, struct error *e)
{
	if (c->state && !*c->state->cgroup)
		return signal_each(c, sig, e);
	auto_close int group = container_cgroup(c, e);
	if (group == -ENOENT && c->state && *c->state->cgroup)
		return not_running(c, e);
	if (group < 0)
		return group;
	int r = cgroup_populated(group, e);
	if (r < 0)
		return r;
	if (r == 0)
		return not_running(c, e);
	return sig == SIGKILL ? cgroup_kill(group, e) : cgroup_signal(group, sig, e);
}

static int signal_init(const struct container *c, int sig, struct error *e)
{
	auto_close int pidfd = container_pidfd(c, e);
	if (pidfd < 0)
		return pidfd;
	if (sig == SIGKILL && *c->state->cgroup && !is_namespace_init(c->state->pid))
		return signal_all(c, sig, e);
	if (sys_pidfd_send_signal(pidfd, sig) < 0)
		return errno == ESRCH ? not_running(c, e) : fail(e, errno, "signal container %s", c->id);
	return 0;
}

static int kill_one(const struct globals *g, const char *id, bool all, int sig, struct error *e)
{
	AUTO(container) struct container *c = NULL;

	int r = container_open(g, id, all, &c, e);
	if (r < 0)
		return r;
	return all ? signal_all(c, sig, e) : signal_init(c, sig, e);
}

static int kill_matching(const struct call *call, const struct kill_options *o, int sig, struct error *e)
{
	char **ids = NULL;
	struct error later;

	int r = container_ids_matching(call->globals, call->args[0], &ids, e);
	for (size_t i = 0; ids && ids[i]; i++) {
		int one = kill_one(call->globals, ids[i], o->all, sig, r < 0 ? &later : e);
		r = r < 0 ? r : one;
	}
	container_ids_free(ids);
	return r;
}

static int run_kill(struct call *call, struct error *e)
{
	const struct kill_options *o = call->options;
	const char *word = call->n_args > 1 ? call->args[1] : "TERM";
	int sig;

	if (signal_parse(word, &sig) < 0)
		return usage(e, "kill: unknown signal \"%s\"", word);
	return o->regex ? kill_matching(call, o, sig, e)
			: kill_one(call->globals, call->args[0], o->all, sig, e);
}

const struct command cmd_kill = {
	.name = "kill",
	.arguments = "ID [SIGNAL]",
	.summary = "send a signal (TERM) to a container",
	.details = "SIGNAL is a name (TERM, SIGTERM, RTMIN+1) or a number.",
	.options = kill_table,
	.options_size = sizeof(struct kill_options),
	.min_args = 1,
	.max_args = 2,
	.run = run_kill,
};
