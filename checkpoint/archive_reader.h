/* SPDX-License-Identifier: GPL-2.0-or-later */
/* archive_reader.h - the reader's inside, for archive_read.c and archive_extract.c */
#ifndef CORACLE_ARCHIVE_READER_H
#define CORACLE_ARCHIVE_READER_H

#include <zstd.h>

#include "checkpoint/archive.h"

/* A directory whose time is set when all is in it. */
struct archive_dir {
	char *path;
	int64_t mtime;
	uint32_t mtime_ns;
};

struct archive_reader {
	int fd;
	ZSTD_DCtx *z;
	void *packed;
	size_t room;
	ZSTD_inBuffer in;
	struct sha256 sum, before;
	struct archive_watch watch;
	uint64_t content;	     /* bytes handed out */
	uint64_t announced, entries; /* of all headers so far */
	uint64_t max_bytes, max_entries;
	struct pax_entry x; /* at hand */
	uint64_t left;	    /* of its contents */
	size_t padding;
	bool frame_ended, ended, has_mac;
	uint8_t digest[SHA256_SIZE], mac[SHA256_SIZE];
	/* extraction */
	bool default_acls; /* seen */
	int parent;	   /* the directory that the last entry went to, -1: none */
	char parent_path[PAX_MAX_PATH + 1];
	struct archive_dir *dirs;
	size_t n_dirs, dirs_room;
	uint8_t piece[256 << 10];
};

/* The next at most `limit` bytes of the contents at hand; in r->piece. */
int archive_read_piece(struct archive_reader *r, size_t limit, const uint8_t **ret, size_t *ret_size,
		       struct error *e);

#endif
