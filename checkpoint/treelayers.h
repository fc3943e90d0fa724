/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treelayers.h - what an overlay file system consists of */
#ifndef CORACLE_TREELAYERS_H
#define CORACLE_TREELAYERS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/arena.h"
#include "runtime/base/error.h"

struct tree_layers {
	const char *upper;  /* host path, NULL: read-only overlay */
	const char *work;   /* host path, NULL: none */
	const char **lower; /* host paths, the uppermost first */
	size_t lower_count;
	bool data_only; /* uses data-only lower layers: not portable */
};

/* The layers of the overlay that `dir` (a directory in this mount namespace) lies on, from
 * /proc/self/mountinfo. Memory is the arena's. 0: dir is not on an overlay; 1: *ret is set. Relative layers
 * are refused (-EINVAL): nobody knows what they were relative to. */
int tree_layers_of(int dir, const char *name, struct arena *a, struct tree_layers *ret, struct error *e);

/* The same from the text of mountinfo, by mount id: pure. */
int tree_layers_parse(const char *mountinfo, int mount_id, struct arena *a, struct tree_layers *ret,
		      struct error *e);

#endif
