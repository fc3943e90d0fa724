/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rootfs.h - turn the bundle's root directory into the container's "/"
 *
 * All of it runs in INIT, in the container's own mount namespace, before any privilege is dropped. A
 * `struct rootfs` holds the handles; no path of the container is resolved but by runtime/base/path.h from
 * rootfs.root, and everything host-side that is bound in (null device, console) comes from handles opened
 * before. Order, told by the rows of runtime/create.c:
 *	rootfs_open	propagation of "/" made slave or private first, or our mounts leak to the host; the
 *			root directory bound as a mount of its own (read-only at once if the config says so
 *			and no mount point or device has to be made below any more: see .c), private handles
 *	rootfs_mounts	the config's mounts, in order, each made detached with its flags and then moved
 *	rootfs_devices	default devices, config's devices, links, /dev/console
 *	(hooks)
 *	rootfs_pivot	pivot_root; the old root is gone
 *	rootfs_seal	masked and read-only paths, read-only root, rootfsPropagation, sysctl through the
 *private procfs */
#ifndef CORACLE_ROOTFS_H
#define CORACLE_ROOTFS_H

#include <stdbool.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

struct rootfs {
	const struct spec *spec;
	const char *path; /* absolute path of the root directory on the host */
	int bundle;	  /* O_PATH of the bundle directory: relative mount sources start here */
	int root;	  /* O_PATH of the root, on our own bind mount of it */
	int null;	  /* the host's null device, verified 1:3 */
	int proc;	  /* a procfs of our own (detached mount), only opened if something must be written
			   * through it (sysctl); -1 else */
	bool user_ns;	  /* INIT is in a user namespace that is not the initial one: devices are bound */
	bool new_pid_ns, new_net_ns, new_cgroup_ns;
	const char *cgroup; /* path of the container's group below the cgroup2 mount */
	int cgroup_root; /* O_PATH of the host's cgroup2 mount; for binds where no cgroup namespace is made */
	bool no_pivot;
	bool new_ns; /* a mount namespace was made (else only the root is entered) */
};

int rootfs_open(struct rootfs *r, struct error *e);
int rootfs_mounts(struct rootfs *r, struct error *e);
int rootfs_devices(struct rootfs *r, struct error *e);
/* Bind the terminal (a handle of the pty's slave) at /dev/console. */
int rootfs_console(struct rootfs *r, int tty, struct error *e);
int rootfs_pivot(struct rootfs *r, struct error *e);
int rootfs_seal(struct rootfs *r, struct error *e);
void rootfs_done(struct rootfs *r);

#endif
