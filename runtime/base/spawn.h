/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.h - run a helper program to its end
 *
 * Hooks, newuidmap and the like. The helper gets exactly what is given here and nothing of ours: its
 * arguments, its environment, its working directory, text on stdin, and no descriptor but 0, 1, 2. It leads a
 * process group of its own, which is killed when time is up, and it dies with us. What it writes to stdout
 * and stderr is read, and the last of it becomes part of the error. No name is looked up in a PATH. */
#ifndef CORACLE_SPAWN_H
#define CORACLE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/error.h"

struct spawn {
	const char *path;  /* absolute */
	char *const *argv; /* NULL: the path alone */
	char *const *envp; /* NULL: empty */
	const char *input; /* stdin; NULL: empty */
	size_t input_size;
	const char *cwd; /* NULL: "/" */
	int timeout_ms;	 /* 0: none */
};

/* Run it and wait. 0 if it exited with 0. Else the message is `PATH: exit status 3: what it said`: -ECHILD
 * for an exit status or a signal (*ret_status, if not NULL, is then the wait status, 0 in all other cases),
 * -ETIMEDOUT, or the errno of what failed before (execve, chdir, …).
 * A grandchild that outlives the helper is not waited for; what it still writes finds no reader. */
int spawn_run(const struct spawn *s, int *ret_status, struct error *e);

/* Start a helper that is talked to over a socket: its stdin. stdout and stderr are the null device. It does
 * not die with us, it sees the socket's end; neither does the terminal's Ctrl-C reach it. The caller waits
 * for *ret_pid. */
int spawn_talk(const struct spawn *s, int sock, pid_t *ret_pid, struct error *e);

#endif
