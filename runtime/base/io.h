/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io.h - whole files in, whole files out */
#ifndef CORACLE_IO_H
#define CORACLE_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/error.h"

/* All of a file (or of what fd still has), NUL-terminated, freed by the caller; at most `limit` bytes, more
 * is -EFBIG. *ret_size may be NULL. Paths are relative to `dir` (AT_FDCWD for the usual meaning). */
int io_read_file(int dir, const char *path, size_t limit, char **ret, size_t *ret_size, struct error *e);
int io_read_fd(int fd, size_t limit, char **ret, size_t *ret_size, struct error *e);

/* Into a buffer of fixed size, NUL-terminated, a trailing newline removed; for the kernel's small files.
 * Returns the length. */
ssize_t io_read_small(int dir, const char *path, char *buf, size_t size, struct error *e);

/* Write all of it. */
int io_write_all(int fd, const void *data, size_t size, struct error *e);

/* Write text into an existing file in one write(2), as the kernel's files want it. */
int io_write_file(int dir, const char *path, const char *text, struct error *e);

/* Replace a file atomically: a temporary file in the same directory, then rename(2). A reader sees the old
 * text or the new, never half. Not flushed to disk: our files live on a tmpfs or describe what dies with
 * the machine. */
int io_replace_file(int dir, const char *path, const void *data, size_t size, mode_t mode, struct error *e);

/* The same, and on disk before it is there: for what must be whole after a power failure (fsync(2) of the
 * file, then of the directory). */
int io_replace_durable(int dir, const char *path, const void *data, size_t size, mode_t mode,
		       struct error *e);

#endif
