/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treesend.h - what the files of the sender share: tree.h is for everybody else */
#ifndef CORACLE_TREESEND_H
#define CORACLE_TREESEND_H

#include <stdbool.h>

#include "checkpoint/treeblocks.h"
#include "checkpoint/treelinks.h"
#include "checkpoint/treerec.h"
#include "checkpoint/treewalk.h"

#define TREE_CHUNK ((size_t)128 * 1024) /* of a file, read at a time where it is compared */

/* The extended attributes of an object as they go into its record: sorted by name, those that are carried. */
struct tree_attrs {
	size_t size;
	uint8_t bytes[TREE_ATTRS_MAX];
};

/* Read those of what fd is, or of `name` in `dir` if fd is -1 (it is not followed); place and path for messages. With `live` a
 * name that vanished has none. */
int tree_read_attrs(struct tree_attrs *a, int fd, int dir, const char *name, bool live,
		    const struct tree_place *place, const char *path, struct error *e);

struct tree_changes; /* treetrack.h */

struct tree_sender {
	struct tree_place place; /* root is a detached read-only mount */
	struct tree_place
		upper; /* the same of the upper layer where the tree is a mounted overlay; root -1: it is none */
	struct tree_links *links;
	struct tree_blocks *blocks;
	struct tree_tracker *tracker; /* in the call at hand, or NULL */
	struct tree_size measured;
	struct tree_counts counts;
	bool begun, walked, ended;
	struct timespec looked; /* just before the object at hand was looked at */
	struct tree_changes
		*touched; /* of a delta: directories whose times the receiver spoils without a change of
					 name in the source; or NULL */
	struct tree_writer writer;
	struct tree_attrs attrs; /* of the object at hand */
	uint8_t chunk[TREE_CHUNK] __attribute__((aligned(16)));
};

/* How a name of the tree has changed since it was sent. */
enum tree_change_flags {
	TREE_CHANGED_NAME = 1 << 0,    /* made, removed, moved: another object may be there */
	TREE_CHANGED_CONTENT = 1 << 1, /* of a regular file */
	TREE_CHANGED_ATTR = 1 << 2,    /* owner, mode, times, attributes, entries of a directory */
};

/* The first record, if it has not been put. */
int tree_send_begin(struct tree_sender *s, struct error *e);

/* Send the object at `path` (`name` in `dir`), which is no directory, as far as it changed. A name that vanished is no error
 * while there is a tracker. */
int tree_send_object(struct tree_sender *s, int dir, const char *name, const char *path, unsigned int changed,
		     struct error *e);

/* Send a directory's attributes. */
int tree_send_dir_attr(struct tree_sender *s, const char *path, int dir, struct error *e);

/* Send the directory at `path` and all below it as new; the root is emptied. */
int tree_send_below(struct tree_sender *s, const char *path, bool fresh, struct error *e);

/* Forget what is known of a path that the destination has no more, and all below. */
int tree_send_remove(struct tree_sender *s, const char *path, struct error *e);

/* The content of an open file as DATA records, without its holes; by blocks: what differs from the map (with `patch` holes are told,
 * too, as something else may be there). Return where the file ended, or negative. */
off_t tree_send_whole(struct tree_sender *s, int fd, const char *path, const struct stat *st,
		      struct error *e);
off_t tree_send_blocks(struct tree_sender *s, int fd, const char *path, const struct stat *st,
		       struct tree_map *map, bool patch, struct error *e);

/* Open a regular file for reading, without a message: -EAGAIN: it is something else by now. */
int tree_open_file(int dir, const char *name, struct stat *ret_st);

#endif
