/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treereceive.h - what the files of the receiver share: tree.h is for everybody else */
#ifndef CORACLE_TREERECEIVE_H
#define CORACLE_TREERECEIVE_H

#include <limits.h>

#include "checkpoint/treerec.h"
#include "checkpoint/treewalk.h"
#include "runtime/base/fd.h"

enum stage { STAGE_NEW, STAGE_FILLING, STAGE_ENDED, STAGE_FAILED };

/* The file that DATA and HOLE go to. */
struct open_file {
	int fd;
	struct tree_meta meta;
	uint16_t attr_count;
	size_t attrs_size;
	uint8_t attrs[TREE_ATTRS_MAX];
	char path[TREE_PATH_MAX + 1];
};

struct tree_receiver {
	struct tree_place place;
	struct tree_limits limits;
	struct tree_counts counts;
	uint64_t made; /* objects */
	enum stage stage;
	bool kept;
	int parent; /* the directory parent_path, or -1: the one asked for last */
	char parent_path[TREE_PATH_MAX + 1];
	struct open_file file;
};

/* A path for a message: cut, printable. */
const char *tree_shown(const char *path, char buf[static 256]);

/* "TREE: WHAT PATH: errno"; a full disk also tells how far it came. */
int tree_failed(const struct tree_receiver *r, int errnum, const char *what, const char *path,
		struct error *e);

/* An object by its handle, or by a name that is not followed. */
struct tree_object {
	int fd;
	int dir;
	const char *name;
	const char *path; /* below the root, for messages */
	char proc[FD_PATH_SIZE + NAME_MAX + 2];
};

struct tree_object tree_object_of(int fd, int dir, const char *name, const char *path);

/* Owner, mode, attributes (those that are not listed go), times: in this order, for chown takes set-user-id bits away, and each
 * but the last changes the times. */
int tree_set_meta(struct tree_receiver *r, const struct tree_object *o, const struct tree_meta *m,
		  struct tree_reader attrs, uint16_t attr_count, struct error *e);

#endif
