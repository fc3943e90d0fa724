/* SPDX-License-Identifier: GPL-2.0-or-later */
/* users.h - users and groups by the names that a container's own files know
 *
 * The files are opened by the in-root resolver, and only if they are regular files: a root tree may be a
 * stranger's. */
#ifndef CORACLE_USERS_H
#define CORACLE_USERS_H

#include <stdint.h>

#include "runtime/base/error.h"

/* "USER[:GROUP]", each a number or a name in /etc/passwd and /etc/group below `rootfs`. Without a group: the
 * user's own by /etc/passwd, or 0 if that does not know the number. */
int user_parse(const char *rootfs, const char *text, uint32_t *ret_uid, uint32_t *ret_gid, struct error *e);

#endif
