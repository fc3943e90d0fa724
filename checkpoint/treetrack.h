/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treetrack.h - what the tracker tells the sender */
#ifndef CORACLE_TREETRACK_H
#define CORACLE_TREETRACK_H

#include <sys/stat.h>

#include "checkpoint/treesend.h"

struct tree_change {
	char *path;
	unsigned int changed; /* enum tree_change_flags */
};

struct tree_changes {
	struct tree_change *list; /* sorted by path, each once; parents before what is below */
	size_t count;
	bool all; /* send everything again; the list is empty */
};

void tree_changes_done(struct tree_changes *c);

/* Append; -ENOMEM. */
int tree_changes_add(struct tree_changes *c, const char *path, unsigned int changed);

/* Sort, and join what is named twice. A name that was made, removed or moved changes its directory, too. -ENOMEM. */
int tree_changes_settle(struct tree_changes *c);

/* What changed since the last call, for the sender; the tracker forgets it. */
int tree_track_take(struct tree_tracker *t, struct tree_changes *ret, struct error *e);

/* A regular file is about to be read for sending; st is from before. For the comparison of open files. */
void tree_track_reading(struct tree_tracker *t, const struct stat *st);

#endif
