/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stage.h - the config's mounts laid out for CRIU, each under a key instead of at its destination
 *
 * A restored mount tree is put together by CRIU, but of mounts that are made here, from the destination's config:
 * CRIU is given `mnt[m0003]:STAGE/m0003` and copies what is there. Keys are of fixed width and opaque, so
 * that no name of a container's can be taken for part of another (CVE-2026-119614). A mount has its flags
 * from birth, as in mount.c, and so has CRIU's copy: nothing is writable first.
 *
 * In the process that becomes CRIU: in the container's group and network, uts and ipc namespaces, in a mount
 * namespace of its own, after rootfs_open(). */
#ifndef CORACLE_STAGE_H
#define CORACLE_STAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "namespaces/rootfs.h"

#define STAGE_KEY_SIZE 12

/* The key of the config's mount i: "m0001" for the first. Returns buf. (pure) */
const char *stage_key(size_t i, char buf[static STAGE_KEY_SIZE]);

/* What of a config's mount is CRIU's own to make: procfs, which must be made inside the new pid namespace, and
 * devpts, whose terminals it restores; message queues too if the ipc namespace is CRIU's. (pure) */
bool stage_is_criu_s(const struct spec_mount *m, bool own_ipc);

/* Lay out all mounts but CRIU's own below `stage`, an empty directory, which becomes a tmpfs. Devices and links
 * are made in a /dev that is a file system of its own. Every destination is made where it is missing, in the
 * root or in the mount that holds it, and must be free of symbolic links. */
int rootfs_stage(struct rootfs *r, const char *stage, bool own_ipc, struct error *e);

#endif
