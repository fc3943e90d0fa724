/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc.h - processes: handles, start times, what /proc says of them
 *
 * A pid alone names nobody for long: on disk we keep it with the start time, in memory as a pidfd. */
#ifndef CORACLE_PROC_H
#define CORACLE_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/error.h"

/* Field 22 of /proc/PID/stat, clock ticks since boot; *ret_state (may be NULL) is its state letter.
 * -ESRCH if there is no such process. */
int proc_start_time(pid_t pid, uint64_t *ret_start, char *ret_state, struct error *e);

/* A pidfd (close-on-exec) of exactly this process; -ESRCH if it is gone, or the pid is another's by now, or
 * it is a zombie. */
int proc_open(pid_t pid, uint64_t start, struct error *e);

/* True if exactly this process lives (zombies do not). */
bool proc_is_alive(pid_t pid, uint64_t start);

/* waitpid by pidfd or pid; returns the wait status as waitpid(2) gives it, in *ret_status. */
int proc_wait(pid_t pid, int *ret_status, struct error *e);

/* Kill a child and wait for it; *pid becomes 0. Nothing if it is not above 0. */
void proc_end(pid_t *pid);

/* What a shell would say of a wait status: the exit code, or 128 + signal. */
int proc_exit_code(int wait_status);

#endif
