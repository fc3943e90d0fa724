/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rootfs.h - turn the bundle's root directory into the container's "/"
 *
 * All of it runs in INIT, in the container's own mount namespace, before any privilege is dropped. A
 * `struct rootfs` holds the handles; no path of the container is resolved but by runtime/base/path.h from
 * rootfs.root, once, and what follows works on the handle. What is the host's (the root directory, the
 * sources of bind mounts, the null device, the cgroups) is named by paths of the host and opened in here: a
 * handle that was opened before the mount namespace was made belongs to the host's, and nothing can be bound
 * from it. Order, told by the rows of runtime/create.c:
 *	rootfs_map	in RUNTIME: mounts with mapped ids
 *	rootfs_reach	in a user namespace, before becoming its root: what the host's ids can reach and
 *			the container's may not, the root directory and the sources of bind mounts
 *	rootfs_open	propagation of "/" made slave first, or our mounts leak to the host;
 *			the root directory bound as a mount of its own
 *	rootfs_mounts	the config's mounts, in order, each made detached with its flags, then moved
 *	rootfs_devices	default devices, config's devices, links
 *	rootfs_console	the terminal at /dev/console
 *	(hooks)
 *	rootfs_pivot	sysctl through a procfs of our own; masked and read-only paths, while what they
 *			are made of can still be reached; then pivot_root: the host's tree is gone
 *	rootfs_seal	rootfsPropagation, the root made read-only
 *	rootfs_done	no handle is left
 * Every mount is given its flags (read-only, nosuid, …) while it is still detached: nothing is ever writable
 * first and remounted later, but for the root itself, in which mount points have to be made. */
#ifndef CORACLE_ROOTFS_H
#define CORACLE_ROOTFS_H

#include <stdbool.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

struct rootfs {
	const struct spec *spec;
	const char *path;   /* absolute path of the root directory on the host */
	const char *bundle; /* absolute path of the bundle: relative mount sources start here */
	const char *cgroup; /* path of the container's group below the cgroup2 mount, for binds where no
			     * cgroup namespace is made; NULL: it has none */
	bool user_ns;	    /* INIT is in a user namespace that is not the initial one: devices are bound */
	bool new_pid_ns, new_net_ns, new_cgroup_ns;
	bool no_pivot;
	bool new_ns; /* a mount namespace was made or joined (else only the root is entered) */

	/* Ours; start with ROOTFS_INIT. */
	int root;	    /* O_PATH of the root, on our own bind mount of it */
	int dev;	    /* its /dev: the mount's own root if one was mounted there */
	int proc, sys;	    /* what was mounted at /proc and /sys, if it is no bind mount */
	int dir;	    /* the root directory on the host, if rootfs_reach has opened it */
	int *sources;	    /* one per mount of the config; NULL: not opened before */
	int *mapped;	    /* the same: detached mounts whose ids RUNTIME has mapped */
	int null;	    /* the host's null device, verified 1:3 */
	bool null_is_loose; /* rootfs_cover: it is a detached copy, to be attached first and copied then */
	int empty;	    /* the empty read-only directory that masks directories, once one is masked */
	bool dev_is_bind;   /* somebody else's /dev: nothing is made in it */
};

#define ROOTFS_INIT                                                                              \
	{                                                                                        \
		.root = -1, .dev = -1, .proc = -1, .sys = -1, .dir = -1, .null = -1, .empty = -1 \
	}

/* In RUNTIME, before any process is made: copies of the mounts whose ids are to be mapped, for which it takes
 * rights over their file systems, and of those whose sources INIT could not reach. `user`: the user namespace that the container joins, or -1. */
int rootfs_map(struct rootfs *r, int user, struct error *e);
/* Only in the mount namespace that rootfs_open will run in. What cannot be opened is tried again later. */
int rootfs_reach(struct rootfs *r, struct error *e);
int rootfs_open(struct rootfs *r, struct error *e);
int rootfs_mounts(struct rootfs *r, struct error *e);
int rootfs_devices(struct rootfs *r, struct error *e);
/* Bind the terminal (a handle of the pty's slave) at /dev/console. */
int rootfs_console(struct rootfs *r, int tty, struct error *e);
int rootfs_pivot(struct rootfs *r, struct error *e);
int rootfs_seal(struct rootfs *r, struct error *e);

/* The masked and read-only paths of the config in a root that was made by someone else (CRIU): in a process
 * that is about to enter that mount namespace. `enter` does so; what masks is taken from the host before, and
 * the root is "/" afterwards. */
int rootfs_cover(struct rootfs *r, int (*enter)(void *arg, struct error *e), void *arg, struct error *e);
void rootfs_done(struct rootfs *r);

#endif
