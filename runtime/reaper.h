/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reaper.h - stay with a process in the foreground until it ends
 *
 * Signals are passed on to it, its terminal is relayed and resized, orphans of the container are reaped (we
 * are their subreaper), notifications are forwarded. All waiting is one poll(2). */
#ifndef CORACLE_REAPER_H
#define CORACLE_REAPER_H

#include <sys/types.h>

#include "runtime/base/error.h"
#include "runtime/notify.h"

struct reaper {
	pid_t pid;	       /* our child */
	int tty;	       /* master of its terminal, or -1 */
	struct notify *notify; /* or NULL */
};

/* interrupt_prepare() must have been called. *ret_exit is the exit code, or 128 + signal. */
int reaper_run(const struct reaper *r, int *ret_exit, struct error *e);

#endif
