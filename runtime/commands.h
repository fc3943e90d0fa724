/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.h - the commands: one entry each, in runtime/cmd_NAME.c; help is printed from the entries
 *
 * An entry names the structure that its options fill, its table of options, and how many arguments it takes.
 * A command prints its result on stdout and nothing else anywhere: its error is returned, and printed once,
 * by main. */
#ifndef CORACLE_COMMANDS_H
#define CORACLE_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/base/error.h"
#include "runtime/container.h"
#include "runtime/options.h"

/* Exit codes of our own; run and exec give the container's process's otherwise. */
enum { EXIT_FAILED = 1, EXIT_USAGE = 64, EXIT_EXEC_FAILED = 255 };

/* What a command is called with. */
struct call {
	const struct globals *globals;
	void *options; /* the entry's structure, filled */
	char **args;   /* NULL-terminated, between min_args and max_args of them */
	size_t n_args;
	int exit_code; /* out: what to leave with after a success; 0 unless set */
};

/* The words of a command behind the ID: what follows args[0], without a "--" before it. */
char **call_command(const struct call *c);

#define ANY_ARGS (-1)

/* How long pause and resume wait for the kernel (a process may sit in a system call). */
enum { FREEZE_TIMEOUT_MS = 10000 };

struct command {
	const char *name;
	const char *arguments; /* for the synopsis, behind the options */
	const char *summary;   /* one line */
	const char *details;   /* more lines for the command's own help, or NULL */
	const struct opt *options;
	size_t options_size;
	void (*init)(void *options); /* defaults other than zero, or NULL */
	int min_args, max_args;
	bool in_order;	  /* what follows the first argument is not ours */
	bool makes_group; /* of coracle-node, if the group is systemd's to make */
	bool enters;	  /* enters a container: runs from a sealed clone of our binary (seal.h) */
	bool node;	  /* lives in coracle-node: coracle executes that (node.h) */
	int failure;	  /* exit code of an error; 0: EXIT_FAILED */
	int (*run)(struct call *c, struct error *e);
};

/* All of them, in the order of the help, ended by NULL; each program has a table of its own (table.c). */
extern const struct command *const commands[];

/* Which of the two programs this is. */
extern const bool program_is_node;

/* NULL if there is none. */
const struct command *command_find(const char *name);

/* Parse argv (behind the command's name) and run. Returns the exit code, or a negative errno with `e` set.
 * -h prints the help instead. */
int command_run(const struct command *c, const struct globals *globals, char **argv, struct error *e);

/* `coracle COMMAND --help` */
void command_help(const struct command *c, FILE *out);

/* `coracle --help` */
void commands_help(const struct opt *global_options, FILE *out);

extern const struct opt no_options[];
extern const struct opt create_rows[]; /* struct create_options: create's and run's */

extern const struct command cmd_checkpoint, cmd_create, cmd_delete, cmd_events, cmd_exec, cmd_features,
	cmd_kill, cmd_list, cmd_pause, cmd_ps, cmd_migrate, cmd_receive, cmd_restore, cmd_resume, cmd_run,
	cmd_spec, cmd_start, cmd_state, cmd_switch, cmd_update;

#endif
