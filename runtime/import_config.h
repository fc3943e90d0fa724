/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import_config.h - a config.json for a clone */
#ifndef CORACLE_IMPORT_CONFIG_H
#define CORACLE_IMPORT_CONFIG_H

#include <stddef.h>

#include "runtime/base/error.h"

/* The text with root.path "rootfs", and with a cgroup of its own: linux.cgroupsPath keeps its parent and ends
 * in the clone's name. A new string; NULL: e says why. (pure) */
char *import_config(const char *text, const char *name, struct error *e);

/* "/a/b" to "/a/NAME", "slice:prefix:x" to "slice:prefix:NAME". (pure) */
int import_cgroup(const char *path, const char *name, char *buf, size_t size);

#endif
