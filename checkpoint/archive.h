/* SPDX-License-Identifier: GPL-2.0-or-later */
/* archive.h - a stream of files in one file: pax tar, compressed by zstd, with a digest at its end
 *
 * Written and read in one pass, so either end may be a pipe. `tar --zstd -tf` lists it. The last entry,
 * ARCHIVE_END, holds the SHA-256 of all (uncompressed) bytes before it and, from a node that has a key, a MAC
 * of that; a reader must have come to it and found it right before it uses what it unpacked.
 *
 * Reading, nothing of the stream is trusted: an entry's parent is a directory that this archive made, opened
 * below the target without links; nothing that is there is opened, followed or overwritten (a second entry
 * of a name is refused); counts and bytes are bounded by what was announced. */
#ifndef CORACLE_ARCHIVE_H
#define CORACLE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/manifest.h"
#include "checkpoint/pax.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

#define ARCHIVE_END	    "coracle-export.end"
#define ARCHIVE_MAX_ENTRIES (1U << 24)
#define ARCHIVE_MAX_DEPTH   200 /* directories inside each other */

/* Called every some 256 kB with the bytes of content so far; a negative errno (with e) ends the work. A signal that
 * asks us to end (interrupt.h) does so by itself. NULL: nobody is told. */
struct archive_watch {
	int (*tell)(void *arg, uint64_t done, struct error *e);
	void *arg;
};

/* ---- writing ---- */

struct archive_writer;

/* fd is borrowed, written from where it stands; `level` is zstd's, 0 its default. */
int archive_writer_new(int fd, int level, const struct archive_watch *watch, struct archive_writer **ret,
		       struct error *e);
void archive_writer_free(struct archive_writer *w);
DEFINE_AUTO(archive_writer, struct archive_writer)

int archive_put_bytes(struct archive_writer *w, const char *path, const void *data, size_t size,
		      struct error *e);
int archive_put_dir(struct archive_writer *w, const char *path, struct error *e);

/* An open file, from its beginning, under this path; mode 0600, root's. Holes stay holes. */
int archive_put_file(struct archive_writer *w, const char *path, int fd, struct error *e);

/* A tree of files: `root`'s own attributes become those of the directory `path`. Read through a detached
 * mount without other mounts inside it, never following a link. Sockets are left out: who listens on one makes it anew. */
int archive_put_tree(struct archive_writer *w, const char *path, int root, const char *name, struct error *e);

/* How much archive_put_tree will write: bytes of content, entries. */
struct archive_size {
	uint64_t bytes, entries;
};
int archive_measure(int root, const char *name, struct archive_size *ret, struct error *e);

/* The end. *ret_packed (may be NULL): bytes of the file. */
int archive_write_end(struct archive_writer *w, const struct manifest_key *key, uint64_t *ret_packed,
		      struct error *e);

/* ---- reading ---- */

struct archive_reader;

int archive_reader_new(int fd, const struct archive_watch *watch, struct archive_reader **ret,
		       struct error *e);
void archive_reader_free(struct archive_reader *r);
DEFINE_AUTO(archive_reader, struct archive_reader)

/* Refuse to read more content, more entries than these. */
void archive_limit(struct archive_reader *r, uint64_t bytes, uint64_t entries);

/* The next entry, checked (pax_check); what was not read of the one before is skipped. 1, or 0 at the end (ARCHIVE_END
 * itself is kept to the reader). *ret belongs to the reader, until the next call. */
int archive_next(struct archive_reader *r, const struct pax_entry **ret, struct error *e);

/* The contents of the entry at hand, whole, NUL-terminated, freed by the caller; not of a sparse file. */
int archive_read_bytes(struct archive_reader *r, size_t limit, char **ret, size_t *ret_size, struct error *e);

/* Unpack the entry at hand below `root`: as `path` (a tail of the entry's own; "" for root itself, which must be a
 * directory and gets owner, mode, times, attributes). `link_prefix`: what a hard link's target begins with in
 * the archive ("rootfs/"). Devices only where `devices` says so. */
struct archive_target {
	int root;
	bool devices;
	const char *link_prefix;
};
int archive_extract(struct archive_reader *r, const struct archive_target *t, const char *path,
		    struct error *e);

/* When archive_next has said 0: the directories' times, that writing into them changed. */
int archive_extract_end(struct archive_reader *r, const struct archive_target *t, struct error *e);

/* When archive_next has said 0: was the digest right? (It was: archive_next fails otherwise.) And the MAC: is
 * there one, is it this key's? -EKEYREJECTED. */
int archive_check_mac(struct archive_reader *r, const struct manifest_key *key, struct error *e);

#endif
