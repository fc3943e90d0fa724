/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_options.h - what checkpoint and restore have in common: where images lie, what CRIU is told */
#ifndef CORACLE_IMAGE_OPTIONS_H
#define CORACLE_IMAGE_OPTIONS_H

#include "runtime/checkpoint.h"
#include "runtime/options.h"

/* Rows of a `struct image_options`, for both commands' tables. */
extern const struct opt image_rows[];

/* Open the directories of images and of the log; *ret_work is another handle of the first where no other is
 * given. */
int image_open(const struct image_options *o, bool make, int *ret_images, int *ret_work, struct error *e);

/* "WORK/dump.log" for messages; a new string, NULL when memory is short. */
char *image_log_path(const struct image_options *o, const char *name);

/* Flags and words into a request. Words that are none are refused by name. */
int image_fill_request(const struct image_options *o, struct criu_request *q, struct error *e);

/* "ADDRESS:PORT", "[v6]:PORT"; NULL: none. The address is kept in buf. */
int image_page_server(const char *text, char *buf, size_t size, struct criu_request *q, struct error *e);

#endif
