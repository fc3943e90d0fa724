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

/* A regular file is about to be read for sending; st is from before, and `when` from before that. For the comparison of
 * open files. */
void tree_track_reading(struct tree_tracker *t, const struct stat *st, struct timespec when);

/* Where changes are found by walking, the tracker knows what the destination has. `what` of a path was sent; st is from
 * before it was read, `when` from before that (-ENOMEM); it and all below was removed; and has the destination this directory (of `size` bytes of path)? Where it
 * has not, the next look will find it new: nothing is to be sent into it before. True where there are events. */
int tree_track_sent(struct tree_tracker *t, const char *path, const struct stat *st, struct timespec when,
		    unsigned int what);
void tree_track_removed(struct tree_tracker *t, const char *path);
/* The attributes of a directory at the destination are not those that were sent any more, and were not sent again. */
void tree_track_doubt(struct tree_tracker *t, const char *path);
bool tree_track_has_dir(const struct tree_tracker *t, const char *path, size_t size);

#endif
