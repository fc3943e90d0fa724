/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage.h - where imported containers live on disk
 *
 *	STORAGE (/var/lib/coracle, mode 0700)
 *	bases/EXPORT-ID/	what came in one file, unpacked once: rootfs/ or layer/, images/, config.json, head.json
 *		ready		made last
 *		users/NAME	an empty file for each clone that stands on it
 *	clones/NAME/		the bundle of one container
 *		base		"EXPORT-ID\n"; absent if nothing is shared
 *		owner		the container's state directory: when it is gone, so may the clone
 *		config.json	rootfs/ (an overlay is mounted there, or the files themselves), upper/, work/
 *
 * flock(2) on a base's directory is held by who unpacks it, adds or drops a user. The last clone takes the
 * base along. In both programs: `delete` is coracle's. */
#ifndef CORACLE_STORAGE_H
#define CORACLE_STORAGE_H

#include <stdbool.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

#define STORAGE_DEFAULT "/var/lib/coracle"

struct storage {
	char *path; /* absolute */
	int fd, bases, clones;
};

void storage_free(struct storage *s);
DEFINE_AUTO(storage, struct storage)

/* Open it, made if it is missing. path NULL: STORAGE_DEFAULT. Root's and nobody else's to write. */
int storage_open(const char *path, struct storage **ret, struct error *e);

/* ---- bases ---- */

/* The directory of a base, locked (until it is closed), made if it is missing. *ret_ready: it is complete; else it is
 * empty (what an interrupted import left was removed). A signal that asks us to end ends the wait for the lock. */
int storage_base_open(const struct storage *s, const char *export_id, bool *ret_ready, struct error *e);
int storage_base_ready(int base, struct error *e);
/* Remove it unless a clone stands on it. The lock is held. */
int storage_base_drop(const struct storage *s, const char *export_id, int base, struct error *e);

/* ---- clones ---- */

/* Make clones/NAME, for the container whose state directory is `owner`; one that a container left which is
 * gone is removed first. -EEXIST. Returns its directory, locked: keep it open until that
 * directory is there. With `base` (locked) a user of it. */
int storage_clone_make(const struct storage *s, const char *name, const char *owner, const char *export_id,
		       int base, struct error *e);
/* Unmount and remove it, and its base if it was the last one's. */
int storage_clone_remove(const struct storage *s, const char *name, struct error *e);

/* For `delete`: is this bundle a clone's? (pure: by its path, which ends in clones/NAME) */
bool storage_is_clone(const char *bundle, const char *id);
int storage_release(const char *bundle, const char *id, struct error *e);

/* Remove a directory's contents, by handles, never into another file system. */
int storage_empty(int dir, struct error *e);

#endif
