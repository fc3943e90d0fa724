/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treetrack_internal.h - what the files of the tracker share */
#ifndef CORACLE_TREETRACK_INTERNAL_H
#define CORACLE_TREETRACK_INTERNAL_H

#include <time.h>

#include "checkpoint/treeset.h"
#include "checkpoint/treetrack.h"

/* A pending key is of an inode, not of a name in a directory. */
#define CHANGED_INODE (1U << 31)

/* What a path was when it was sent, where changes are found by walking. */
struct tree_indexed {
	dev_t dev;
	ino_t ino;
	struct timespec ctime, mtime;
	off_t size;
	uint32_t mode;
	uint32_t look;	/* when it was seen last */
	bool unsettled; /* changed so shortly before the look that its time may not tell the next change */
};

/* A file that a process of the container can write without an event; the key is its inode. */
struct tree_watched {
	char *path;
	bool mapped; /* shared and writable */
	bool sent;   /* the times are from before it was read last */
	bool unsettled;
	uint32_t look;
	struct timespec ctime, mtime;
	off_t size;
};

struct tree_tracker {
	const struct tree_place *place; /* the sender's */
	const struct tree_place
		*watched_place; /* where changes are seen: the same, or the upper layer of an overlay */
	int fan;		/* or -1: by walking */
	bool all;
	uint8_t *events;
	struct tree_set *pending;  /* handle and name → what changed */
	struct tree_set *verdicts; /* handle of a directory → is it in the tree? */
	struct tree_set *index;	   /* path → struct tree_indexed */
	struct tree_set *watched;  /* inode → struct tree_watched */
	uint32_t index_look, watch_look;
};

/* True if a change right now could leave the same time behind as the one at `t`: file systems count in ticks. */
bool tree_is_unsettled(struct timespec t, struct timespec now);

/* How a path changed between two looks: enum tree_change_flags, pure. */
unsigned int tree_index_compare(const struct tree_indexed *was, const struct stat *is);

int tree_index_look(struct tree_tracker *t, struct tree_changes *into, struct error *e);

int tree_watch_look(struct tree_tracker *t, struct tree_changes *into, struct error *e);
void tree_watch_done(struct tree_tracker *t);

#endif
