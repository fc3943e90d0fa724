/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mountopts.h - the options of one mount, from words to what the kernel is told (pure)
 *
 * One table knows every option of a mount. Later options win over earlier ones. An option may hold several,
 * with commas between, as on mount(8)'s command line. What the table does not know is the file system's own
 * (size=64k, gid=5) and kept in order. */
#ifndef CORACLE_MOUNTOPTS_H
#define CORACLE_MOUNTOPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

/* What is no flag of the kernel. */
enum mount_special {
	MOUNT_IDMAP = 1 << 0,	      /* ids as mapped */
	MOUNT_IDMAP_ALL = 1 << 1,     /* the same for all mounts below it, too */
	MOUNT_COPY_UP = 1 << 2,	      /* a tmpfs begins with what it covers */
	MOUNT_COPY_SYMLINK = 1 << 3,  /* a source that is a link: the link is made, nothing mounted */
	MOUNT_SRC_NOFOLLOW = 1 << 4,  /* a link at the end of the source is what is mounted */
	MOUNT_DEST_NOFOLLOW = 1 << 5, /* a link at the end of the destination is what is covered */
};

struct mountopts {
	uint64_t set, clear;	     /* MOUNT_ATTR_* of this mount */
	uint64_t set_all, clear_all; /* the same for all mounts below it, too */
	bool bind, recursive, remount;
	uint64_t propagation; /* MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE; 0: not said */
	bool propagation_recursive;
	unsigned int sb_set, sb_clear; /* MS_* of the file system itself, without MS_RDONLY */
	unsigned int special;	       /* enum mount_special */
	const char *idmap;	       /* what stands behind "idmap=" (namespaces/idmap.h), or NULL */
	char **data;		       /* NULL-terminated, "key=value" or "key"; NULL if there are none */
	size_t n_data;
	char *text; /* what data points into */
};

/* options: NULL-terminated, or NULL for none. */
int mountopts_parse(char *const *options, struct mountopts *ret, struct error *e);
void mountopts_done(struct mountopts *o);

/* The value of a data option ("mode" of "mode=755"), the last one; NULL if it is not given. */
const char *mountopts_data(const struct mountopts *o, const char *key);

/* The names that are carried out, in order, for `coracle features`; NULL after the last. */
const char *mountopts_name(size_t i);

#endif
