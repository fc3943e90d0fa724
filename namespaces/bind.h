/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bind.h - bind mounts: their sources on the host, their looks, links, mapped ids */
#ifndef CORACLE_BIND_H
#define CORACLE_BIND_H

#include <stdbool.h>

#include "namespaces/mountopts.h"
#include "namespaces/rootfs.h"

bool bind_is(const struct spec_mount *m, const struct mountopts *o);

/* An O_PATH handle of what a mount of the config copies, as the host sees it: absolute, or relative to the
 * bundle. -ENOENT if it is no bind mount. */
int bind_source(const struct rootfs *r, const struct spec_mount *m, struct error *e);

/* The detached mount: a copy of the source, or what rootfs_map has made of it, dressed. */
int bind_make(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o, struct error *e);

/* Flags and propagation of a detached copy. Unless it is told otherwise it neither sees nor shows mounts that
 * are made on the host later. */
int bind_dress(const struct rootfs *r, int mount, const struct mountopts *o, struct error *e);

/* copy-symlink: if the source is a link, make the same link at the destination, inside the root. Returns 1
 * when that was done (or it is there already), 0 if the source is no link. */
int bind_copy_symlink(const struct rootfs *r, const struct spec_mount *m, struct error *e);

#endif
