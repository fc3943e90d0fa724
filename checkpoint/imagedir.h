/* SPDX-License-Identifier: GPL-2.0-or-later */
/* imagedir.h - a directory of CRIU's images, looked at as what it is: a stranger's
 *
 * CRIU opens the files of an image directory by name and follows whatever link it meets. So before it gets
 * one, the directory is listed once: regular files only, plain names, bounded counts and sizes, nothing that
 * another user can write (then what was checked is what CRIU reads: no second look is needed). The one link
 * that CRIU makes itself, "parent" (to the images of an earlier pre-dump), is followed by us, to a directory
 * that must pass the same. */
#ifndef CORACLE_IMAGEDIR_H
#define CORACLE_IMAGEDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

#define IMAGEDIR_MAX_FILES (1U << 18)	       /* a task has about six */
#define IMAGEDIR_MAX_BYTES (UINT64_C(1) << 46) /* of one file */
#define IMAGEDIR_MAX_CHAIN 64		       /* directories linked by "parent" */
#define IMAGEDIR_PARENT	   "parent"
#define IMAGEDIR_OWN	   "coracle-manifest." /* the files of manifest.h begin so */

struct image_file {
	char *name;
	uint64_t size;
};

struct imagedir {
	int fd;			  /* O_RDONLY directory */
	struct image_file *files; /* sorted by name */
	size_t n_files;
	uint64_t bytes; /* of all files */
	char *parent;	/* what the link "parent" says, or NULL */
};

void imagedir_free(struct imagedir *d);
DEFINE_AUTO(imagedir, struct imagedir)

/* Open a directory of images by a path that the caller was given; the last component must not be a link.
 * Returns the descriptor (O_RDONLY). `make`: make it, mode 0700, parents too, if it is missing. */
int imagedir_open(const char *path, bool make, struct error *e);

/* List it. Refused, with the file's name: what is neither a regular file nor the link "parent"; names other
 * than [A-Za-z0-9_.,:@+-]; too many, too large; files and a directory that somebody else than root or we can
 * write. `dir` is not taken over (the result has its own descriptor). */
int imagedir_scan(int dir, struct imagedir **ret, struct error *e);

/* The directory that the link "parent" of `d` leads to. It is relative and goes up at most two levels before
 * it goes down ("../pre-1", "../../x/1"). *ret is scanned. -ENOENT: no such link. */
int imagedir_open_parent(const struct imagedir *d, struct imagedir **ret, struct error *e);

/* A file for reading: regular, not through a link. */
int imagedir_open_file(int dir, const char *name, struct error *e);

/* What CRIU reads (inventory.img, pages-1.img, …). */
bool imagedir_is_image(const char *name);

/* What belongs to a set: all but logs, statistics, and the manifest itself. */
bool imagedir_is_covered(const char *name);

#endif
