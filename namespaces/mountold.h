/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mountold.h - what mount.h promises, by mount(2) alone
 *
 * For kernels and sandboxes where a call of the mount API is missing (-ENOSYS; fsopen, open_tree, move_mount
 * are Linux 5.2, mount_setattr 5.12), and for what only mount(2) can say (iversion, values over 255 bytes).
 * A mount is made on a directory of ours that no container sees, given its flags there, and moved: so it is
 * never writable first and remounted later here either. Only while the host's /proc is in view, but for
 * mountold_change on a directory. */
#ifndef CORACLE_MOUNTOLD_H
#define CORACLE_MOUNTOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "namespaces/mountopts.h"
#include "runtime/base/error.h"

/* True if only mount(2) can do what is asked. */
bool mountold_is_needed(const struct mountopts *o);

/* True once mountold_change has been needed: without mount_setattr(2) (Linux 5.2 to 5.11) nobody can change
 * what open_tree(2) detaches, so copies are made the old way too. */
bool mountold_is_all(void);

/* As mount_new, mount_clone, mount_change, mount_attach. */
int mountold_new(const char *type, const char *source, const struct mountopts *o, struct error *e);
int mountold_clone(int dir, const char *path, bool recursive, struct error *e);
int mountold_change(int mount, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive,
		    struct error *e);
int mountold_attach(int mount, int dir, const char *name, struct error *e);

/* Change the file system that is mounted there. */
int mountold_reconfigure(int there, const char *type, const struct mountopts *o, struct error *e);

#endif
