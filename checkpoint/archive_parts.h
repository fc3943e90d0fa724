/* SPDX-License-Identifier: GPL-2.0-or-later */
/* archive_parts.h - what the files archive_*.c share */
#ifndef CORACLE_ARCHIVE_PARTS_H
#define CORACLE_ARCHIVE_PARTS_H

#include <sys/stat.h>

#include "checkpoint/archive.h"

/* ---- archive_write.c ---- */

struct archive_pieces {
	struct pax_piece *v; /* freed by who asked */
	size_t n, room;
	uint64_t bytes, real_size;
	bool sparse;
};

/* Where a file has data. The figures are those of archive_measure, too. */
int archive_pieces_of(int fd, const struct stat *st, struct archive_pieces *ret, struct error *e);

int archive_put_plain(struct archive_writer *w, const void *data, size_t size, struct error *e);
int archive_put_entry(struct archive_writer *w, const struct pax_entry *x, struct error *e);
int archive_put_contents(struct archive_writer *w, struct pax_entry *x, int fd, const char *name,
			 struct error *e);
void archive_mac(const struct manifest_key *key, const uint8_t digest[static SHA256_SIZE],
		 char ret[static SHA256_HEX_SIZE]);

/* ---- archive_attrs.c ---- */

/* True for an attribute that means something on another node: user.*, ACLs, file capabilities, overlayfs's
 * own of whiteouts and opaque directories. Labels of security modules do not. (pure) */
bool archive_takes_xattr(const char *name);

/* Add what `path` (/proc/self/fd/N of an O_PATH handle) has of them. */
int archive_get_xattrs(const char *path, struct pax_entry *x, struct error *e);
int archive_set_xattrs(const char *path, const struct pax_entry *x, struct error *e);

#endif
