/* SPDX-License-Identifier: GPL-2.0-or-later */
/* interrupt.h - Ctrl-C and its kin while something is half made
 *
 * RUNTIME blocks all signals for the length of a story and reads them from one signalfd. Whoever waits
 * (steps, spawn) waits for that, too: SIGINT, SIGTERM, SIGHUP or SIGQUIT then fail the story with -EINTR, and
 * what was made is undone. Afterwards a foreground run passes signals on instead (runtime/reaper.h). */
#ifndef CORACLE_INTERRUPT_H
#define CORACLE_INTERRUPT_H

#include <stdbool.h>
#include <sys/signalfd.h>

#include "runtime/base/error.h"

/* Block signals, each with its default action, make the signalfd. Once; a second call does nothing. */
int interrupt_prepare(struct error *e);

/* The signalfd, -1 before interrupt_prepare. */
int interrupt_fd(void);

/* Read one signal that is waiting; false if there is none. */
bool interrupt_read(struct signalfd_siginfo *ret);

/* Read what is waiting: -EINTR if one of them asks us to end, else 0. */
int interrupt_pending(struct error *e);

/* Wait until fd can be read (or has hung up): 1. 0 if `ended` (a pidfd, or -1) says first that its process is
 * gone. -EINTR if a signal asks us to end before. timeout_ms -1: none; -ETIMEDOUT. With no signalfd it only
 * polls. */
int interrupt_wait(int fd, int ended, int timeout_ms, struct error *e);

/* In a child: no signal blocked, and the descriptor is not its business. */
void interrupt_forget(void);

#endif
