/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.h - sd_notify(3) through the container's wall
 *
 * A service manager that gave us NOTIFY_SOCKET gets the container's notifications: the container sees a
 * socket of ours at /run/notify/notify.sock, bound in from <state>/notify/, and RUNTIME passes on what comes
 * (READY=1 with the container's MAINPID; foreground runs go on until the end). The host's socket itself is
 * never shown to the container. */
#ifndef CORACLE_NOTIFY_H
#define CORACLE_NOTIFY_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/error.h"
#include "runtime/container.h"

struct notify {
	const char *host; /* the value of NOTIFY_SOCKET; NULL: no proxy */
	int sock;	  /* our datagram socket; -1 */
	int tree;	  /* a detached, read-only mount of <state>/notify; -1 */
};

#define NOTIFY_CONTAINER_DIR "/run/notify"
#define NOTIFY_CONTAINER_ENV "NOTIFY_SOCKET=/run/notify/notify.sock"

/* Make the socket below the container's directory if NOTIFY_SOCKET is set. In RUNTIME. */
int notify_prepare(struct notify *n, const struct container *c, struct error *e);
/* Put the directory into the container. In INIT, before pivot_root. */
int notify_mount(struct notify *n, int root, struct error *e);
/* Open the proxy again in `start`; sock stays -1 if the container has none. */
int notify_reopen(struct notify *n, const struct container *c, struct error *e);
/* Pass on one datagram that is waiting. Returns 1 if it said READY=1, else 0. */
int notify_forward(struct notify *n, pid_t main_pid, struct error *e);
/* Wait until READY=1 was passed on or the process behind pidfd is gone; -EINTR if a signal
 * asks us to end before (where interrupt_prepare was called). */
int notify_wait_ready(struct notify *n, pid_t main_pid, int pidfd, struct error *e);
void notify_done(struct notify *n);

#endif
