/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memfs.h - the files of a container's own memory file systems (/dev/shm, /run, /dev), saved beside the images
 *
 * CRIU would fork a tar for each of them; here it is one pass and one stream. Only for what the config mounts
 * as tmpfs: directories, files (holes stay holes), links (hard ones within the mount too), FIFOs, sockets as
 * names; owner, mode, times. Device nodes are left out: coracle makes those of the config anew, and what else
 * a process has made with mknod(2) no image may bring along. Mounts below are not entered.
 *
 * The stream is read as a stranger's: names are single components, opened below the directory at hand and
 * never through a link; lengths are checked before they are believed. */
#ifndef CORACLE_MEMFS_H
#define CORACLE_MEMFS_H

#include "runtime/base/error.h"

/* Everything below `dir` (an O_PATH handle will do; nothing may change meanwhile) into `out`. */
int memfs_save(int dir, int out, struct error *e);

/* Make it below `dir`. What is there under the same name stays if it is the same kind of thing, as the links and
 * directories that coracle made are. */
int memfs_load(int in, int dir, struct error *e);

#endif
