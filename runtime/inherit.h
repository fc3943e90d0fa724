/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inherit.h - what a container's process inherits from us, and what we tell our caller of it
 *
 * Descriptors: 0-2, those of --preserve-fds, and those of socket activation (LISTEN_FDS of sd_listen_fds(3),
 * which come first, from 3 on); nothing else. Environment: the config's, and what those descriptors need. */
#ifndef CORACLE_INHERIT_H
#define CORACLE_INHERIT_H

#include <sys/types.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

/* How many descriptors from 3 on are the container's: `preserve` and those of LISTEN_FDS. */
int inherit_count_fds(int preserve);
/* All of them must be open. */
int inherit_check_fds(int preserve, struct error *e);

/* The process's environment: the config's, HOME if it has none (from the container's passwd: called inside
 * its root), LISTEN_FDS and LISTEN_PID, and `extra` unless NULL. A new NULL-terminated list. */
int inherit_environment(const struct spec_process *p, const char *extra, char ***ret, struct error *e);
/* LISTEN_PID in an environment made before is the calling process from now on. */
void inherit_set_listen_pid(void);

/* The pid, atomically. */
int inherit_write_pid_file(const char *path, pid_t pid, struct error *e);

/* A pidfd of the process over the unix socket at `path` (--pidfd-socket). */
int inherit_send_pidfd(const char *path, pid_t pid, struct error *e);

#endif
