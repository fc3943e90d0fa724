/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treestream.h - frames of tree.h over a stream of bytes: each with its length (u32, little-endian) before it */
#ifndef CORACLE_TREESTREAM_H
#define CORACLE_TREESTREAM_H

#include "checkpoint/tree.h"

/* A sink: `arg` is an int *, the descriptor of a pipe, socket or file, blocking. One system call a frame. */
int tree_to_stream(void *arg, const void *frame, size_t size, struct error *e);

/* Feed a receiver from a descriptor until the sender's end has come and its counts agreed; no byte behind it is read. -EPIPE: the
 * stream ended before. */
int tree_from_stream(struct tree_receiver *r, int fd, struct error *e);

#endif
