/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jsonout.h - writing JSON
 *
 *	AUTO(jsonout) struct jsonout *o = jsonout_new(indent);
 *	jsonout_object(o, NULL);
 *	jsonout_string(o, "id", id);
 *	jsonout_end(o);
 *	char *text = jsonout_take(o, NULL);
 *
 * `key` is the value's key inside an object, NULL in an array and at the top. Nothing fails on the way: when
 * memory runs short the text taken at the end is NULL. The text is always valid JSON in UTF-8: bytes that
 * are not (a file name can be anything) become U+FFFD. */
#ifndef CORACLE_JSONOUT_H
#define CORACLE_JSONOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct jsonout;

/* NULL when memory is short; all functions take a NULL. indent: two blanks a level, else one line. */
struct jsonout *jsonout_new(bool indent);
void jsonout_free(struct jsonout *o);
DEFINE_AUTO(jsonout, struct jsonout)

void jsonout_object(struct jsonout *o, const char *key);
void jsonout_array(struct jsonout *o, const char *key);
void jsonout_end(struct jsonout *o);

/* A NULL string is null. */
void jsonout_string(struct jsonout *o, const char *key, const char *value);
void jsonout_i64(struct jsonout *o, const char *key, int64_t value);
void jsonout_u64(struct jsonout *o, const char *key, uint64_t value);
void jsonout_bool(struct jsonout *o, const char *key, bool value);
void jsonout_null(struct jsonout *o, const char *key);
/* An array of a NULL-terminated list. */
void jsonout_strings(struct jsonout *o, const char *key, const char *const *list);
/* A value that is JSON already, as it is. */
void jsonout_raw(struct jsonout *o, const char *key, const char *json);

/* A value of a tree as it is, but for what `change` does: it is asked for each value inside (not for v itself), and
 * answers true if it has put something in its place, or nothing. NULL: nobody is asked. */
struct json;
typedef bool jsonout_change(void *arg, struct jsonout *o, const struct json *v);
void jsonout_copy(struct jsonout *o, const char *key, const struct json *v, jsonout_change *change,
		  void *arg);

/* A line's end after the top value, for files. */
void jsonout_newline(struct jsonout *o);

/* The text, NUL-terminated, freed by the caller; NULL if memory ran short or something is still open. */
char *jsonout_take(struct jsonout *o, size_t *ret_size);

#endif
