/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_exec.c - coracle exec: options only; the story is exec.c */
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/commands.h"
#include "runtime/life.h"
#include "runtime/node.h"
#include "runtime/rootless.h"

struct exec_call {
	struct exec_options exec;
	struct opt_list env, caps;
	struct opt_ids gids;
};

#define AT(field) offsetof(struct exec_call, field)

static const struct opt exec_table[] = {
	{ "process", 'p', OPT_STRING, AT(exec.process_file), "FILE",
	  "the process as JSON, instead of COMMAND" },
	{ "detach", 'd', OPT_FLAG, AT(exec.detach), NULL, "do not wait for the process" },
	{ "tty", 't', OPT_FLAG, AT(exec.tty), NULL, "give it a terminal" },
	{ "cwd", 0, OPT_STRING, AT(exec.cwd), "DIR", "its working directory" },
	{ "env", 'e', OPT_LIST, AT(env), "KEY=VALUE", "set a variable, besides the container's own" },
	{ "user", 'u', OPT_STRING, AT(exec.user), "UID[:GID]", "run as these ids" },
	{ "additional-gids", 'g', OPT_IDS, AT(gids), "GID[,GID...]", "more groups" },
	{ "cap", 'c', OPT_LIST, AT(caps), "CAPABILITY", "add a capability" },
	{ "no-new-privs", 0, OPT_FLAG, AT(exec.no_new_privs), NULL, "no gain of privileges by execve" },
	{ "process-label", 0, OPT_STRING, AT(exec.process_label), "LABEL", "SELinux label" },
	{ "apparmor", 0, OPT_STRING, AT(exec.apparmor), "PROFILE", "AppArmor profile" },
	{ "cgroup", 0, OPT_STRING, AT(exec.cgroup), "PATH", "a group below the container's own" },
	{ "ignore-paused", 0, OPT_FLAG, AT(exec.ignore_paused), NULL, "also if the container is paused" },
	{ "console-socket", 0, OPT_STRING, AT(exec.console_socket), "PATH",
	  "unix socket that is sent the terminal's master end" },
	{ "pid-file", 0, OPT_STRING, AT(exec.pid_file), "FILE", "write the process's pid there" },
	{ "pidfd-socket", 0, OPT_STRING, AT(exec.pidfd_socket), "PATH", "unix socket that is sent a pidfd" },
	{ "preserve-fds", 0, OPT_INT, AT(exec.preserve_fds), "N",
	  "hand descriptors 3 to 2+N to the process" },
	{ "no-subreaper", 0, OPT_IGNORED_FLAG, 0, NULL, NULL },
	{ .kind = OPT_END },
};

static int check(const struct exec_call *x, struct error *e)
{
	if (!x->exec.process_file && !x->exec.args[0])
		return usage(e, "exec: which command? (or give --process FILE)");
	if (x->exec.process_file && x->exec.args[0])
		return usage(e, "exec: a command (%s) and --process exclude each other", x->exec.args[0]);
	for (size_t i = 0; i < x->env.n; i++)
		if (x->env.v[i][0] == '=' || !strchr(x->env.v[i], '='))
			return usage(e, "exec: option --env: `%s` is not KEY=VALUE", x->env.v[i]);
	return 0;
}

/* A user's way into a scope may lead over the bus. */
static int hand_over(const struct exec_options *o, struct error *e)
{
	AUTO(container) struct container *c = NULL;

	int r = container_open(o->globals, o->id, false, &c, e);
	return r == 0 && c->state && c->state->systemd_cgroup ? node_continue(e) : r;
}

static int run_exec(struct call *call, struct error *e)
{
	struct exec_call *x = call->options;

	x->exec.globals = call->globals;
	x->exec.id = call->args[0];
	x->exec.args = call_command(call);
	x->exec.env = x->env.v;
	x->exec.caps = x->caps.v;
	x->exec.additional_gids = x->gids.v;
	x->exec.n_additional_gids = x->gids.n;
	int r = check(x, e);
	if (r == 0 && !program_is_node && rootless())
		r = hand_over(&x->exec, e);
	if (r < 0)
		return r;
	return life_exec(&x->exec, &call->exit_code, e);
}

const struct command cmd_exec = {
	.name = "exec",
	.arguments = "ID [--] COMMAND [ARGUMENT...] | --process FILE ID",
	.summary = "run one more process in a running container",
	.details = "Leaves with the exit code of the process, 128 and the signal's number if a signal ended "
		   "it,\n"
		   "255 if it could not be started.",
	.options = exec_table,
	.options_size = sizeof(struct exec_call),
	.min_args = 1,
	.max_args = ANY_ARGS,
	.in_order = true,
	.failure = EXIT_EXEC_FAILED,
	.enters = true,
	.run = run_exec,
};
