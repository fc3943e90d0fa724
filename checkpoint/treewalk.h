/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treewalk.h - every name of a tree, in an order that suits a copy
 *
 * A directory is entered, all in it that is no directory is shown, then its directories are walked, then it is left. No
 * link is followed; names are opened one by one from the handle of their directory. Memory: the names of the directories
 * of each directory on the way down, and handles of 64 levels. */
#ifndef CORACLE_TREEWALK_H
#define CORACLE_TREEWALK_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint/tree.h"

struct tree_place {
	int root;	       /* a directory, O_RDONLY */
	char *name;	       /* for messages */
	char *const *excluded; /* or NULL */
	bool cross_mounts;     /* else what is mounted inside is not entered */
};

struct tree_entry {
	int dir;	  /* the directory, O_RDONLY */
	const char *name; /* in it */
	const char *path; /* below the root */
	uint64_t ino;	  /* as the directory says */
	uint8_t type;	  /* DT_*, never DT_UNKNOWN; it may have changed since */
};

/* Each returns 0, or negative to end the walk; any may be NULL. path "" is the root. */
struct tree_visitor {
	int (*enter)(void *arg, const char *path, int dir, struct error *e);
	int (*entry)(void *arg, const struct tree_entry *t, struct error *e);
	int (*leave)(void *arg, const char *path, int dir, struct error *e);
	bool live; /* a directory that vanishes is no error */
};

/* Walk what is at and below `start` ("": all), a directory. */
int tree_walk(const struct tree_place *p, const char *start, const struct tree_visitor *v, void *arg,
	      struct error *e);

/* Open `path` ("": the root) below the root: no links, nothing above. Returns a descriptor or -errno without a message. */
int tree_open(const struct tree_place *p, const char *path, int flags);

/* True if path is one of the excluded, or below one. */
bool tree_is_excluded(const struct tree_place *p, const char *path);

/* True if path is `top` or below it. */
bool tree_is_below(const char *path, const char *top);

/* A private detached mount of the directory `root`, read-only for a source: no devices, no links, no access times.
 * Returns a directory handle, O_RDONLY. */
int tree_detach(int root, const char *name, bool writable, bool recursive, struct error *e);

#endif
