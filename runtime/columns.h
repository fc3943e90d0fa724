/* SPDX-License-Identifier: GPL-2.0-or-later */
/* columns.h - a table for people: rows of texts, columns as wide as what is in them */
#ifndef CORACLE_COLUMNS_H
#define CORACLE_COLUMNS_H

#include <stddef.h>
#include <stdio.h>

#include "runtime/base/cleanup.h"

#define COLUMNS_MAX 12

struct columns;

/* The titles, NULL-terminated. NULL when memory is short; every function takes that. */
struct columns *columns_new(const char *const *titles);
void columns_free(struct columns *c);
DEFINE_AUTO(columns, struct columns)

/* The next cell, from left to right, row by row; copied. "" and NULL are shown as "-". */
void columns_add(struct columns *c, const char *text);
void columns_addf(struct columns *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* -ENOMEM if a cell was lost. */
int columns_write(const struct columns *c, FILE *out);

#endif
