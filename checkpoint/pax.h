/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pax.h - the headers of a tar file in pax format (POSIX.1-2017, pax, "pax Interchange Format")
 *
 * The format of an exported container: every tar of today reads it. Of it, what a tree of files needs and no
 * more: names as bytes (hdrcharset=BINARY where they are not UTF-8), times to the nanosecond, numbers of any
 * size, extended attributes (SCHILY.xattr.*, as GNU tar, bsdtar and Go have them), holes (GNU.sparse 1.0).
 * A library would be no help: writing is this file, and reading for us is extraction by handles, which none
 * does; names that are no text are where libarchive depends on the locale.
 *
 * Pure: bytes in, bytes out. */
#ifndef CORACLE_PAX_H
#define CORACLE_PAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

#define PAX_BLOCK	512
#define PAX_MAX_RECORDS (4U << 20) /* bytes of one entry's extended header */
#define PAX_MAX_PATH	4095
#define PAX_MAX_XATTRS	4096
#define PAX_MAX_HOLES	(1U << 20) /* pieces of one file */

enum pax_type {
	PAX_FILE = '0',
	PAX_HARD_LINK = '1',
	PAX_SYMLINK = '2',
	PAX_CHAR = '3',
	PAX_BLOCK_DEVICE = '4',
	PAX_DIR = '5',
	PAX_FIFO = '6',
};

struct pax_xattr {
	char *name; /* "user.x" */
	void *value;
	size_t size;
};

struct pax_entry {
	enum pax_type type;
	char *path, *link; /* link: target of a link, else NULL */
	uint32_t mode;	   /* permissions with setuid, setgid, sticky */
	uint32_t uid, gid;
	uint32_t major, minor;
	int64_t mtime;
	uint32_t mtime_ns;
	uint64_t size;	    /* of what follows the header, without the padding */
	bool sparse;	    /* what follows begins with a map (pax_map_*) */
	uint64_t real_size; /* of a sparse file */
	struct pax_xattr *xattrs;
	size_t n_xattrs;
};

/* Frees what is in it. */
void pax_entry_done(struct pax_entry *x);

/* Adds a copy; -ENOMEM, -E2BIG. */
int pax_add_xattr(struct pax_entry *x, const char *name, const void *value, size_t size);

/* Bytes that grow. */
struct pax_bytes {
	char *p;
	size_t size, room;
};
static inline void pax_bytes_done(struct pax_bytes *b)
{
	free(b->p);
	*b = (struct pax_bytes){ 0 };
}
int pax_append(struct pax_bytes *b, const void *data, size_t size);

/* Append the entry's headers: whole blocks. -ENOMEM, -EINVAL (a size that does not fit its type). */
int pax_write(struct pax_bytes *b, const struct pax_entry *x);

/* ---- reading ---- */

/* One block. 1: an extended header of *ret_size bytes follows (padded to blocks), then the entry's own block.
 * 2: the entry's block, *x filled but for what the extended header says. 0: a block of zeros (the end).
 * -EBADMSG with the reason otherwise: a checksum, a format or a kind of entry that is not taken. */
enum pax_block { PAX_END, PAX_RECORDS, PAX_ENTRY };
int pax_parse_block(const uint8_t block[static PAX_BLOCK], struct pax_entry *x, uint64_t *ret_size,
		    struct error *e);

/* Let the records of an extended header override the entry's. */
int pax_apply_records(struct pax_entry *x, const char *records, size_t size, struct error *e);

/* After both: is the whole sensible? Types and sizes, names (absolute ones, "..", empty, too long). */
int pax_check(const struct pax_entry *x, struct error *e);

/* ---- holes ---- */

struct pax_piece {
	uint64_t offset, size;
};

/* The map that stands before the data: whole blocks. */
int pax_write_map(struct pax_bytes *b, const struct pax_piece *pieces, size_t n);

/* One number of it: "123\n" at text[*at]. -EBADMSG. */
int pax_parse_number(const char *text, size_t size, size_t *at, uint64_t *ret);

/* Pieces in order, none overlapping, inside of real_size, and as long as the body in all. */
int pax_check_pieces(const struct pax_piece *pieces, size_t n, uint64_t real_size, uint64_t data,
		     struct error *e);

static inline uint64_t pax_padded(uint64_t size)
{
	return (size + PAX_BLOCK - 1) / PAX_BLOCK * PAX_BLOCK;
}

#endif
