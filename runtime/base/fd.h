/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd.h - descriptors: born O_CLOEXEC, passed over sockets, closed in bulk */
#ifndef CORACLE_FD_H
#define CORACLE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/error.h"

/* Room for "/proc/self/fd/" and a number. */
#define FD_PATH_SIZE 32

/* "/proc/self/fd/N" into buf, returned for use in calls that only take paths. Only where /proc is the
 * host's: never after a container's /proc has been put in place. */
const char *fd_path(int fd, char buf[static FD_PATH_SIZE]);

/* Set or clear FD_CLOEXEC. */
int fd_set_cloexec(int fd, bool on, struct error *e);

/* Mark every descriptor from `first` on close-on-exec (close_range(2), Linux 5.11; /proc/self/fd else). */
int fd_cloexec_from(unsigned int first, struct error *e);

/* Close every descriptor above stderr but these (-1: none), in a child that goes on as itself: a copy of a lock, or of
 * the end of a socket, must not outlive who it was made for. */
void fd_close_all_but(const int *keep, size_t count);

/* A connected pair of SOCK_SEQPACKET sockets, close-on-exec. */
int fd_socketpair(int ret[2], struct error *e);

/* One message with at most one descriptor (SCM_RIGHTS); fd -1: none. Returns 0. */
int fd_send(int sock, const void *data, size_t size, int fd, struct error *e);

/* One message; returns its size (0: the peer is gone). *ret_fd is the descriptor that came along or -1;
 * ret_fd NULL: descriptors are refused and closed. A message longer than `size` is -EMSGSIZE. */
ssize_t fd_receive(int sock, void *data, size_t size, int *ret_fd, struct error *e);

/* True if fd is the null device, character device 1:3. */
bool fd_is_null(int fd);

/* Open 0, 1 and 2 onto the null device where they are closed, before anything else is opened. */
int fd_open_stdio(struct error *e);

/* Connect to or bind a unix stream/seqpacket socket whose path may be longer than sun_path:
 * `dir` is its directory (or AT_FDCWD), `name` its path below it. Returns the socket. */
int fd_unix_connect(int dir, const char *name, int type, struct error *e);
int fd_unix_listen(int dir, const char *name, int type, struct error *e);

#endif
