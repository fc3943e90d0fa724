/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inject.h - have a running process make system calls of ours, unnoticed, and let it run on
 *
 * One thread of it is stopped by ptrace (PTRACE_SEIZE, INTERRUPT), its registers and signal mask are kept, the call is made
 * through a system call instruction of its own vdso (nothing of it is written), and all is put back: a call that it
 * was in is restarted by the kernel as after any signal that has no handler. Seccomp filters are suspended meanwhile.
 *
 * If the process that does this dies in between, the other is left in the middle of it. So it is done by a short-lived
 * child that no signal but SIGKILL reaches (wp_arm.c). x86-64 and aarch64, 64-bit processes only. */
#ifndef CORACLE_INJECT_H
#define CORACLE_INJECT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "runtime/base/error.h"

struct inject {
	pid_t tid;
	struct user_regs_struct regs;
	uint64_t mask;	    /* its blocked signals */
	uint64_t call_at;   /* address of a system call instruction */
	bool masked, moved; /* what has to be put back */
};

/* Stop it. `call_at` from inject_find_call(). -ETIMEDOUT: it does not stop within the time (asleep in the kernel, frozen); it is let go when the
 * caller exits. -EPERM: traced by another. -EOPNOTSUPP: 32 bits. */
int inject_stop(pid_t tid, uint64_t call_at, int timeout_ms, struct inject *ret, struct error *e);
/* What the kernel returned: a result, or a negative errno. -ESRCH: it died meanwhile. */
int inject_call(struct inject *in, long number, const uint64_t args[static 3], int64_t *ret, struct error *e);
/* Everything as before, and detached. */
int inject_end(struct inject *in, struct error *e);

/* A system call instruction in the process's vdso. `mem` is its /proc/PID/mem. -ENOENT: it has none. */
int inject_find_call(pid_t pid, int mem, uint64_t *ret, struct error *e);

#endif
