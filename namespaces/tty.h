/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tty.h - the container's terminal
 *
 * The pty is made in the container's own devpts (its ptmx opened by handle, checked to be devpts's) when it
 * has one, so that ttyname(3) works inside; the master goes to the console socket (one SCM_RIGHTS message,
 * as containerd and conmon expect) or to the foreground relay. */
#ifndef CORACLE_TTY_H
#define CORACLE_TTY_H

#include <stdint.h>

#include "runtime/base/error.h"

/* Open a new pty through `root`'s /dev/pts/ptmx (an O_PATH handle of the container's root; verified: devpts,
 * character device 5:2). The slave comes by TIOCGPTPEER, never by a path. Both close-on-exec. */
int tty_open(int root, int *ret_master, int *ret_slave, struct error *e);
int tty_set_size(int master, uint16_t height, uint16_t width, struct error *e);
/* Make the slave the controlling terminal and stdio of the calling process (setsid first), owned by uid. */
int tty_attach(int slave, uint32_t uid, struct error *e);
/* Connect to the console socket; send the master over it. In RUNTIME: connect; in INIT or RUNTIME: send. */
int tty_console_connect(const char *path, struct error *e);
int tty_console_send(int sock, int master, struct error *e);

#endif
