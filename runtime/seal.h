/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seal.h - nothing in a container can write to our own binary
 *
 * A process of ours that enters a container is, for the processes there, /proc/PID/exe: a handle of our
 * binary on the host, which they could open for writing when it has ended (CVE-2019-5736). So the commands
 * that enter one run from a detached read-only clone of the binary's mount (open_tree, mount_setattr; Linux
 * 5.12: no copy, nothing visible in any mount table), else from a sealed copy in memory.
 *
 * A static binary does it at its entry point, before the C library is set up, since that set-up costs more
 * than all of our own system calls (seal_entry.c); otherwise main does it here. */
#ifndef CORACLE_SEAL_H
#define CORACLE_SEAL_H

#include "runtime/base/error.h"

/* The word in the environment that says: this is the second start. It is believed only if it is true. Its
 * value is the path of our own file, which the clone no longer tells. */
#define SEAL_MARKER "_CORACLE_SEALED"

/* Make sure that we run sealed: returns 0 if we do, does not return if we had to start again. */
int seal_self(char *const argv[], struct error *e);

/* The path of our own file as it was when we were started, sealed or not; "" if the kernel did not tell. */
const char *seal_own_path(void);

#endif
