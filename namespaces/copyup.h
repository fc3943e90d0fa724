/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copyup.h - fill a new tmpfs with what it is going to cover (mount option tmpcopyup) */
#ifndef CORACLE_COPYUP_H
#define CORACLE_COPYUP_H

#include <stdbool.h>

#include "runtime/base/error.h"

/* Copy what is below the directory `path` of the root into `to`, a detached mount: directories, files, links,
 * fifos and sockets' names, with mode, owner and times; no other mounts, no devices, no extended attributes.
 * Links are copied, never followed, so nothing outside of the root is read (CVE-2022-23648). A directory that
 * is not there: nothing to copy. `own`: the tmpfs itself gets the directory's owner, too. In INIT. */
int copyup(int root, const char *path, int to, bool own, struct error *e);

#endif
