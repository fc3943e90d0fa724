/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_ps.c - coracle ps: the processes of a container
 *
 * The table is that of the host's ps(1), of which we keep the header and the lines of the container's pids.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/commands.h"
#include "runtime/pids.h"

#define PS_PATH "/bin/ps"

enum { PS_OUTPUT_MAX = 64 << 20 };

struct ps_options {
	const char *format;
};

static const struct opt ps_table[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct ps_options, format), "FORMAT",
	  "table (default), or json: the pids alone" },
	{ .kind = OPT_END },
};

struct pids {
	pid_t *v;
	size_t n;
};

static bool has_pid(const struct pids *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->n; i++)
		if (pids->v[i] == pid)
			return true;
	return false;
}

/* ---- the host's ps ---- */

static void become_ps(int out, char **args)
{
	static char name[] = "ps", all[] = "-ef";
	char *defaults[] = { name, all, NULL };

	if (dup2(out, STDOUT_FILENO) >= 0)
		execv(PS_PATH, *args ? args - 1 : defaults);
	_exit(127);
}

/* The output of ps; `args` follow a word that may be overwritten by its name. */
static int read_ps(char **args, char **ret, struct error *e)
{
	static char name[] = "ps";
	int ends[2], status;

	if (access(PS_PATH, X_OK) < 0)
		return fail(e, errno, "%s (--format json does without it)", PS_PATH);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(e, errno, "make a pipe");
	auto_close int in = ends[0], out = ends[1];
	args[-1] = name;
	pid_t pid = fork();
	if (pid < 0)
		return fail(e, errno, "start %s", PS_PATH);
	if (pid == 0)
		become_ps(out, args);
	replace_fd(&out, -1);
	auto_free char *text = NULL;
	int r = io_read_fd(in, PS_OUTPUT_MAX, &text, NULL, e);
	replace_fd(&in, -1); /* so that it does not wait for a reader */
	struct error waiting;
	int w = proc_wait(pid, &status, &waiting);
	if (r < 0)
		return prefix(e, "read from %s", PS_PATH);
	if (w < 0 || proc_exit_code(status) != 0)
		return refuse(e, EIO, "%s failed with exit code %d", PS_PATH,
			      w < 0 ? -1 : proc_exit_code(status));
	*ret = take_ptr(text);
	return 0;
}

/* The n-th word of a line, cut out into `word`; false if there are fewer. */
static bool nth_word(const char *line, size_t n, char *word, size_t size)
{
	for (;; n--) {
		line += strspn(line, " \t");
		size_t len = strcspn(line, " \t");
		if (len == 0)
			return false;
		if (n == 0)
			return str_format(word, size, "%.*s", (int)len, line) >= 0;
		line += len;
	}
}

/* Which word of a line is the pid. */
static int pid_column(const char *header, struct error *e)
{
	char word[64];

	for (size_t n = 0; nth_word(header, n, word, sizeof(word)); n++)
		if (str_eq(word, "PID"))
			return (int)n;
	return refuse(e, EINVAL, "ps: no PID column in what %s printed: leave PID among its columns",
		      PS_PATH);
}

static int print_table(const struct pids *pids, char **args, struct error *e)
{
	auto_free char *text = NULL;
	char word[32];
	int pid;

	int r = read_ps(args, &text, e);
	if (r < 0)
		return r;
	char *rest = text, *line = strsep(&rest, "\n");
	int column = pid_column(line, e);
	if (column < 0)
		return column;
	puts(line);
	while ((line = strsep(&rest, "\n")))
		if (nth_word(line, (size_t)column, word, sizeof(word)) && str_to_int(word, &pid) == 0 &&
		    has_pid(pids, pid))
			puts(line);
	return 0;
}

static void print_json(const struct pids *pids)
{
	putchar('[');
	for (size_t i = 0; i < pids->n; i++)
		printf("%s%d", i ? "," : "", (int)pids->v[i]);
	puts("]");
}

static int find_pids(const struct call *call, struct pids *ret, struct error *e)
{
	AUTO(container) struct container *c = NULL;

	int r = container_open(call->globals, call->args[0], false, &c, e);
	if (r < 0)
		return r;
	ssize_t n = container_pids(c, &ret->v, e);
	if (n == -ENOENT && c->state && *c->state->cgroup)
		n = 0;
	if (n < 0)
		return (int)n;
	ret->n = (size_t)n;
	if (n == 0)
		return refuse(e, ESRCH, "container `%s` is not running: container not running", c->id);
	return 0;
}

static int run_ps(struct call *call, struct error *e)
{
	const struct ps_options *o = call->options;
	bool json = o->format && str_eq(o->format, "json");
	struct pids pids = { NULL, 0 };

	if (o->format && !json && !str_eq(o->format, "table"))
		return usage(e, "ps: option --format: `%s` is neither table nor json", o->format);
	int r = find_pids(call, &pids, e);
	if (r == 0 && json)
		print_json(&pids);
	else if (r == 0)
		r = print_table(&pids, call_command(call), e);
	free(pids.v);
	return r;
}

const struct command cmd_ps = {
	.name = "ps",
	.arguments = "ID [PS OPTION...]",
	.summary = "list the processes of a container",
	.details = "What follows ID goes to the host's ps(1); -ef if nothing does.",
	.options = ps_table,
	.options_size = sizeof(struct ps_options),
	.min_args = 1,
	.max_args = ANY_ARGS,
	.in_order = true,
	.run = run_ps,
};
