/* SPDX-License-Identifier: GPL-2.0-or-later */
/* export.h - a whole container in one file, and back
 *
 * The stories behind `checkpoint --export` and `restore --import`: export.c, import.c. The file is told in
 * checkpoint/exporthead.h, the place of what came in one in storage.h. */
#ifndef CORACLE_EXPORT_H
#define CORACLE_EXPORT_H

#include "runtime/checkpoint.h"
#include "runtime/options.h"

struct export_options {
	const char *file;     /* "-": stdout; NULL: not an export */
	const char *storage;  /* NULL: STORAGE_DEFAULT */
	const char *progress; /* bar, json, none; NULL: chosen */
	bool layer;	      /* the writable layer of an overlay alone */
	int level;	      /* of zstd; 0: fast */
};

/* Dump it, and write all of it while nothing of it runs. Only when the file is complete it ends (or runs on, as
 * asked); whatever fails or interrupts before, it runs on and no file is left. */
int life_export(const struct export_options *o, const struct checkpoint_options *c, struct error *e);

struct import_options {
	const char *file; /* "-": stdin; NULL: not an import */
	const char *name; /* of the container; NULL: as it was */
	const char *storage, *progress;
	struct opt_list bases; /* directories that a layer may stand on, besides those where they were */
	bool private;	       /* share nothing with other imports of the file */
};

/* `r`: its bundle, if given, is where the config comes from; the images are the file's. */
int life_import(const struct import_options *o, const struct restore_options *r, int *ret_exit,
		struct error *e);

#endif
