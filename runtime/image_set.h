/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_set.h - the images as a set: completed by a manifest, checked by it, and what was made of them held
 * against the config
 *
 * Rows of `checkpoint` and `restore`; the mechanisms are checkpoint/manifest.h and checkpoint/trust.h. A
 * migration needs no manifest: its channel vouches for every byte, and the two ends agree on what is complete. */
#ifndef CORACLE_IMAGE_SET_H
#define CORACLE_IMAGE_SET_H

#include "checkpoint/manifest.h"
#include "runtime/dump.h"
#include "runtime/restoring.h"

/* Before the container is frozen: what makes digests of its memory while CRIU writes it. */
int image_set_begin(struct dump *d, struct error *e);

/* In CRIU's post-dump, after all else is written; after a pre-dump, at its end. */
int image_set_write(const struct dump *d, struct error *e);

/* Before CRIU sees the images: the manifest as the options' `trust` demands it; the filters are the config's. */
int image_set_check(struct restore *r, struct error *e);

/* Large memory is looked at by a process beside CRIU: its verdict, before anything runs. */
int image_set_wait(struct restore *r, struct error *e);

/* In CRIU's pre-resume: every task. */
int image_set_trust(const struct restore *r, pid_t init, struct error *e);

/* The words of --trust. */
int image_trust_parse(const char *word, enum manifest_trust *ret, struct error *e);

/* The key of --key, or the node's; *ret NULL where there is none. `buf` keeps it. */
int image_key(const struct image_options *o, struct manifest_key *buf, const struct manifest_key **ret,
	      struct error *e);

#endif
