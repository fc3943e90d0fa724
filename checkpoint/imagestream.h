/* SPDX-License-Identifier: GPL-2.0-or-later */
/* imagestream.h - the small images of a dump (all but memory) as one stream: metadata in one go
 *
 *	0 length of the name (u16)   2 zero (u16)   4 size (u64)   12 name, contents
 *
 * for each file; twelve zero bytes end it. The receiver is fed pieces cut anywhere, believes nothing: names are
 * of [A-Za-z0-9_.-], one component, each new; sizes and counts are bounded before anything is made. */
#ifndef CORACLE_IMAGESTREAM_H
#define CORACLE_IMAGESTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

#define IMAGESTREAM_NAME_MAX 128
#define IMAGESTREAM_FILES    65536
#define IMAGESTREAM_HEADER   12

/* Send every regular file of `dir` to the socket `fd`, then the end. *ret_bytes (may be NULL): what went out. */
int imagestream_send(int dir, int fd, uint64_t *ret_bytes, struct error *e);

struct imagestream;

/* Make files in `dir` (a directory of ours; borrowed), at most limit_bytes in all. */
int imagestream_new(int dir, uint64_t limit_bytes, struct imagestream **ret, struct error *e);
int imagestream_feed(struct imagestream *s, const void *data, size_t size, struct error *e);
/* The end has come: nothing more is taken. */
bool imagestream_is_whole(const struct imagestream *s);
void imagestream_free(struct imagestream *s);
DEFINE_AUTO(imagestream, struct imagestream)

#endif
