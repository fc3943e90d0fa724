/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tty.h - the container's terminal
 *
 * The pty is made in the container's own devpts (its ptmx opened by handle, checked to be devpts's), so that
 * ttyname(3) works inside; a container without a devpts at /dev/pts gets no terminal. The master goes to the
 * console socket (one SCM_RIGHTS message, as containerd and conmon expect) or to the foreground relay. */
#ifndef CORACLE_TTY_H
#define CORACLE_TTY_H

#include <stdint.h>

#include "runtime/base/error.h"

/* Open a new pty through `root`'s /dev/pts/ptmx (a handle of the container's root; verified: devpts,
 * character device 5:2). The slave comes by TIOCGPTPEER, never by a path. Both close-on-exec. */
int tty_open(int root, int *ret_master, int *ret_slave, struct error *e);
/* 0 by 0 leaves the size alone. */
int tty_set_size(int master, uint16_t height, uint16_t width, struct error *e);
/* Give the slave to the user. Nothing but a terminal ever changes its owner. */
int tty_give(int slave, uint32_t uid, struct error *e);
/* Make the slave the controlling terminal and stdio of the calling process, in a session of its own. */
int tty_attach(int slave, struct error *e);
/* Connect to the console socket, in RUNTIME; returns the socket. Send the master over it, in INIT or RUNTIME.
 */
int tty_console_connect(const char *path, struct error *e);
int tty_console_send(int sock, int master, struct error *e);

#endif
