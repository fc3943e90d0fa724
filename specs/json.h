/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.h - JSON text to a small tree, in one arena
 *
 * json.c is the only file that knows the parser behind it (yajl). What the tree promises:
 *	numbers are kept as written: 64 bits are exact, nothing passes through a double
 *	strings are valid UTF-8, NUL-terminated, and hold no NUL inside
 *	no object has a key twice; the text has one value and nothing after it
 *	size, depth and number of values are bounded
 * Whatever breaks a promise is an error that names line and column. Errors found later, by who reads the
 * tree, name the key path: json_fail(). */
#ifndef CORACLE_JSON_H
#define CORACLE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/error.h"

#define JSON_MAX_SIZE  (4U << 20) /* bytes of text */
#define JSON_MAX_DEPTH 64	  /* objects and arrays inside each other */
#define JSON_MAX_NODES (1U << 18)

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT, JSON_ANY };

struct json {
	struct json *parent, *next;
	const char *key; /* the key this value stands under; NULL in an array and at the top */
	union {
		struct json *first; /* array, object: its values, linked by next, in the text's order */
		const char *text;   /* string, number (a number is not NUL-terminated) */
		bool boolean;
	};
	uint32_t size;	     /* bytes of text, or count of values */
	uint32_t start, end; /* array, object: where its text stands, first byte and one past the last */
	unsigned int type : 3;
	unsigned int key_size : 29;
};

/* Parse a text; the tree and its strings are in the arena, `text` need not outlive the call. */
int json_parse(struct arena *a, const char *text, size_t size, struct json **ret, struct error *e);

/* The value of a key, or NULL. */
const struct json *json_get(const struct json *object, const char *key);

/* "expected a string" in words: "a string", "an object" … */
const char *json_type_name(enum json_type type);

/* -EINVAL: not an integer; -ERANGE. *ret only on success. */
int json_to_i64(const struct json *v, int64_t *ret);
int json_to_u64(const struct json *v, uint64_t *ret);

/* Length of the UTF-8 sequence at s, of which `left` bytes may be read (RFC 3629: no overlong forms, no
 * surrogates); 0 if it is none. */
size_t json_utf8_length(const char *s, size_t left);

/* Record "linux.resources.memory.limit: text" (json_fail_key: "…memory.limit" when v is "…memory" and
 * lacks the key) and return -EINVAL. */
int json_fail(const struct json *v, struct error *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int json_fail_key(const struct json *v, const char *key, struct error *e, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
