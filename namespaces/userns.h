/* SPDX-License-Identifier: GPL-2.0-or-later */
/* userns.h - id maps of a user namespace */
#ifndef CORACLE_USERNS_H
#define CORACLE_USERNS_H

#include <sys/types.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

/* Write uid and gid maps of `pid` (in RUNTIME; pid is stopped at a step that waits for it). As root, or with
 * a single map of our own ids, directly (setgroups is denied first where the kernel demands it); else by
 * newuidmap and newgidmap, found in fixed directories, run with an empty environment. */
int userns_write_maps(pid_t pid, const struct spec *s, struct error *e);

/* The text the kernel wants, "container host size\n" per line; pure. Returns a new string or NULL. */
char *userns_format_map(const struct spec_id_map *map, size_t count);

/* Become root of the new user namespace: setgroups if allowed, setresgid 0, setresuid 0. */
int userns_become_root(struct error *e);

/* "clock secs nanosecs" lines into timens_offsets of the calling process, before anyone enters. */
int timens_write_offsets(const struct spec *s, struct error *e);

#endif
