/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mount.h - detached mounts: made, changed, then put in their place
 *
 * What rootfs.c, mount.c, devices.c and masked.c share. Handles are close-on-exec; the handle of a mount that
 * was attached stays valid and is the mount's own root. Closing the handle of one that was not ends it, and
 * makes the kernel wait for a grace period: find the target first. */
#ifndef CORACLE_MOUNT_H
#define CORACLE_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "namespaces/mountopts.h"
#include "namespaces/rootfs.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

/* A new instance of a file system; source may be NULL. The kernel's own words about a failure are part of
 * the error. */
int mount_new(const char *type, const char *source, const struct mountopts *o, struct error *e);

/* A copy of what is mounted at `path` below `dir` (the handle itself if path is ""), with all mounts below
 * it if `recursive`. */
int mount_clone(int dir, const char *path, bool recursive, struct error *e);

/* Change attributes (MOUNT_ATTR_*) and propagation (MS_*, 0: as it is). AT_FDCWD: of "/". */
int mount_change(int mount, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive,
		 struct error *e);

/* A path as one name in a directory whose handle we hold: the root, or what we mounted at /dev, /proc or
 * /sys. `opened` is -1 then; else it is the handle of the path itself, or of a directory above, to be closed.
 */
struct place {
	int dir;
	const char *name; /* "": dir itself */
	int opened;
};

/* Find the place of `path` among the handles held. False if it has none: resolve it, then. */
bool place_find(const struct rootfs *r, const char *path, struct place *ret);

static inline void place_done(const struct place *p)
{
	cleanup_close(&p->opened);
}
#define auto_place __attribute__((cleanup(place_done)))

/* Put a detached mount there; a link at the end is not followed. */
int mount_attach(int mount, int dir, const char *name, struct error *e);

/* True if the path, cleaned, is `name` below the root ("/proc/", "proc", "//proc" are "proc"). */
bool mount_path_is(const char *path, const char *name);

/* A mount of the config, detached, with its flags; *ret_is_dir: what it is put on must be a directory.
 * -ENOTSUP for an entry that changes an earlier one (remount). */
int mount_make(const struct rootfs *r, const struct spec_mount *m, bool *ret_is_dir, struct error *e);

/* Is the entry a copy of something of the host's? */
bool mount_is_bind(const struct spec_mount *m);

/* masked.c, sysctl.c */
int masked_mount(struct rootfs *r, struct error *e);
int readonly_mount(struct rootfs *r, struct error *e);
int sysctl_write(const struct spec *s, struct error *e);

#endif
