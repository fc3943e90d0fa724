/* SPDX-License-Identifier: GPL-2.0-or-later */
/* userns.h - id maps of a user namespace, offsets of a time namespace */
#ifndef CORACLE_USERNS_H
#define CORACLE_USERNS_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

/* Write uid and gid maps of `pid` (in RUNTIME; pid waits for it, and is dumpable if we are not root). As
 * root, or with a single map of our own ids, directly (setgroups is denied first where the kernel demands
 * it); else by newuidmap and newgidmap, found in fixed directories, run with an empty environment. */
int userns_write_maps(pid_t pid, const struct spec *s, struct error *e);

/* A handle of a new user namespace with these maps and nobody in it, for mount_setattr(2); the same rules. */
int userns_make(const struct spec_id_map *uids, size_t n_uids, const struct spec_id_map *gids, size_t n_gids,
		struct error *e);

/* True if userns_write_maps has to deny setgroups(2): for struct confine. */
bool userns_denies_setgroups(const struct spec *s);

/* The same of a user namespace that is there, by a process in it. */
bool userns_of_denies_setgroups(pid_t pid);

/* The text the kernel wants, "container host size\n" per line; pure. Returns a new string or NULL. */
char *userns_format_map(const struct spec_id_map *map, size_t count);

/* The arguments of newuidmap: program, pid, then three numbers per line; pure. One allocation, or NULL. */
char **userns_helper_args(const char *program, pid_t pid, const struct spec_id_map *map, size_t count);

/* Become root of the new user namespace: non-dumpable, setresgid 0, setresuid 0. In INIT, once maps are
 * written. */
int userns_become_root(struct error *e);

/* "clock secs nanosecs" lines into timens_offsets of the calling process, after its unshare(CLONE_NEWTIME)
 * and before anyone enters. */
int timens_write_offsets(const struct spec *s, struct error *e);
/* That text; pure. Returns a new string or NULL. */
char *timens_format_offsets(const struct spec_time_offset *offsets, size_t count);

#endif
