/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manifest_file.h - what manifest.c (the text) and manifest_check.c (the files) say to each other; digests */
#ifndef CORACLE_MANIFEST_FILE_H
#define CORACLE_MANIFEST_FILE_H

#include "checkpoint/manifest.h"

/* "sha256:" and 64 digits, or "sum64:" and 16. */
#define DIGEST_SIZE   (7 + SHA256_HEX_SIZE)
#define DIGEST_SHA256 "sha256:"
#define DIGEST_SUM64  "sum64:"

bool digest_is_well_formed(const char *digest);

/* Of all that fd still has. */
enum digest_kind { DIGEST_KIND_SHA256, DIGEST_KIND_SUM64 };
int digest_fd(int fd, enum digest_kind kind, char ret[static DIGEST_SIZE], uint64_t *ret_size,
	      struct error *e);

/* The same as the file grows: what is there is taken in by each digest_more. */
struct digest_state {
	enum digest_kind kind;
	struct sha256 sha256;
	uint64_t sum, size;
	size_t used;
	uint8_t *piece; /* of DIGEST_PIECE bytes, made by the first digest_more */
};
#define DIGEST_PIECE (256U << 10)
void digest_begin(struct digest_state *s, enum digest_kind kind);
int digest_more(struct digest_state *s, int fd, struct error *e);
void digest_end(struct digest_state *s, char ret[static DIGEST_SIZE], uint64_t *ret_size);

/* The kind by its text (well-formed). */
enum digest_kind digest_kind(const char *digest);

/* The text that manifest_write writes; a new string, NULL when memory is short. */
char *manifest_to_json(const struct manifest *m, size_t *ret_size);

/* What a restore makes of what it found. 0: go on (with or without a manifest); else the sentence. (pure) */
int manifest_decide(enum manifest_trust trust, bool has_key, bool has_manifest, bool has_mac,
		    struct error *e);

#endif
