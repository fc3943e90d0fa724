/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_sweep.h - what migrations that were killed have left on this node is removed by the next one
 *
 * Each migration has a directory on the state root's tmpfs, <root>/.migrate/NAME at the source, <root>/.receive/NAME at the
 * target, made before anything else of it and locked (flock(2)) by its process; so one that can be locked by another is
 * a dead one's. What else there is of it is found by the journal of that name. */
#ifndef CORACLE_MIGRATE_SWEEP_H
#define CORACLE_MIGRATE_SWEEP_H

#include <limits.h>

#include "runtime/migrate.h"

#define PLACE_SOURCE ".migrate"
#define PLACE_TARGET ".receive"

/* Make the directory of a migration; -EEXIST if it is there. *ret_dir holds the lock as long as it is open. */
int sweep_make_place(const char *root, const char *place, const char *migration,
		     char ret_path[static PATH_MAX], int *ret_dir, struct error *e);

/* Remove what dead migrations have left, at the source: the directory, and the journal of one that was never granted (its
 * container has been let go on by its guard). One that was granted is for `migrate --resolve`. What cannot be removed is a
 * warning. */
void sweep_source(const struct globals *g, int journal_dir);

/* At the target: of one that was claimed and not granted whatever there is, and it is refused from now on. */
void sweep_target(const struct globals *g, int journal_dir);

#endif
