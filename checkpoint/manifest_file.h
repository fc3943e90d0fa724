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

/* The kind by its text (well-formed). */
enum digest_kind digest_kind(const char *digest);

/* The text that manifest_write writes; a new string, NULL when memory is short. */
char *manifest_to_json(const struct manifest *m, size_t *ret_size);

/* What a restore makes of what it found. 0: go on (with or without a manifest); else the sentence. (pure) */
int manifest_decide(enum manifest_trust trust, bool has_key, bool has_manifest, bool has_mac,
		    struct error *e);

#endif
