/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path.h - the one resolver of paths that a container controls
 *
 * Every path below a container's root is resolved here and nowhere else, once, into a handle; what follows
 * works on the handle. Symbolic links are followed as if the root were "/": neither "..", nor an absolute
 * link, nor a link swapped in while we look leads out of it (openat2(2) with RESOLVE_IN_ROOT, Linux 5.6; a
 * walk component by component with O_NOFOLLOW where it is missing). Links of a procfs (magic links) are
 * never followed. */
#ifndef CORACLE_PATH_H
#define CORACLE_PATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/error.h"

/* Open `path` inside root. Returns a close-on-exec descriptor. `flags` as for open(2); no O_CREAT. */
int path_open(int root, const char *path, int flags, struct error *e);

/* The same, but the last component is not followed when it is a link (the link itself is opened: give
 * O_PATH, or get -ELOOP). */
int path_open_nofollow(int root, const char *path, int flags, struct error *e);

/* Open a directory inside root as an O_PATH handle, making what is missing (mode 0755 where `mode` is 0; the
 * process's umask applies). */
int path_mkdir(int root, const char *path, mode_t mode, struct error *e);

/* The handle of a mount's destination: what is there, or else a new directory (is_dir) or empty file, with
 * its parents. Existing links are followed inside the root; a dangling link at the end is resolved and its
 * target made, inside the root. Returns an O_PATH descriptor. */
int path_target(int root, const char *path, bool is_dir, struct error *e);

/* Open the parent directory of `path` inside root (made if missing when `make`), and point *ret_name at the
 * last component in `path`. For mknodat, symlinkat, linkat. The root itself has no parent, and a path that
 * ends in "/", "." or ".." names nothing that could be made: -EINVAL. */
int path_parent(int root, const char *path, bool make, const char **ret_name, struct error *e);

/* Open `path` strictly below `dir`: no links at all, no "..", no other mount (`xdev` false; -EXDEV). For the
 * files of cgroups, of our private procfs, of a state or image directory. No O_CREAT. */
int path_beneath(int dir, const char *path, int flags, bool xdev, struct error *e);

/* True if the text is absolute and has no "." or ".." component, no empty one (but a last "/"). */
bool path_is_normal(const char *path);

/* Lexically clean an absolute or relative path ("a//b/./c/../d" to "a/b/d"; ".." never leaves "/").
 * Returns a new string, or NULL when memory is short. Only for comparing and for messages. */
char *path_clean(const char *path);

/* True if the handle is on the file system with this magic (statfs(2)). */
bool path_is_on(int fd, long magic);

#endif
