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
#include "runtime/base/error.h"

/* A new instance of a file system; source may be NULL. The kernel's own words about a failure are part of
 * the error. */
int mount_new(const char *type, const char *source, const struct mountopts *o, struct error *e);

/* A copy of what is mounted at `path` below `dir` (the handle itself if path is ""), with all mounts below
 * it if `recursive`. */
int mount_clone(int dir, const char *path, bool recursive, struct error *e);

/* Change attributes (MOUNT_ATTR_*) and propagation (MS_*, 0: as it is). */
int mount_change(int mount, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive,
		 struct error *e);

/* Put a detached mount on a target, both handles. */
int mount_attach(int mount, int target, struct error *e);

/* devices.c, masked.c, sysctl.c */
int masked_mount(struct rootfs *r, struct error *e);
int readonly_mount(struct rootfs *r, struct error *e);
/* The shared empty directory, read-only: the first call's answer is the original, to be attached before the
 * next call. */
int masked_empty(struct rootfs *r, struct error *e);
int sysctl_write(const struct spec *s, struct error *e);

/* True if the path, cleaned, is `name` below the root ("/proc/", "proc", "//proc" are "proc"). */
bool mount_path_is(const char *path, const char *name);

#endif
