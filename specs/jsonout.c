/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jsonout.c - writing JSON into one growing buffer
 *
 * A writer of our own rather than yajl's generator: it writes unsigned 64-bit numbers, keeps keys with their
 * values, and takes file names that are no UTF-8. */
#include "specs/jsonout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"
#include "specs/json.h"

#define MAX_DEPTH 32

struct jsonout {
	char *text;
	size_t used, room;
	bool indent, failed;
	size_t depth;
	char closing[MAX_DEPTH]; /* '}' or ']' of each open one */
	bool first;		 /* nothing yet in the innermost one */
};

struct jsonout *jsonout_new(bool indent)
{
	struct jsonout *o = calloc(1, sizeof(*o));

	if (o)
		o->indent = indent;
	return o;
}

void jsonout_free(struct jsonout *o)
{
	if (!o)
		return;
	free(o->text);
	free(o);
}

/* ---- bytes ---- */

static void put(struct jsonout *o, const char *s, size_t size)
{
	if (o->failed)
		return;
	if (o->room - o->used <= size) {
		size_t room = (o->room ? o->room * 2 : 1024) + size;
		char *grown = realloc(o->text, room);
		if (!grown) {
			o->failed = true;
			return;
		}
		o->text = grown;
		o->room = room;
	}
	memcpy(o->text + o->used, s, size);
	o->used += size;
	o->text[o->used] = '\0';
}

static void put_line(struct jsonout *o)
{
	if (!o->indent)
		return;
	put(o, "\n", 1);
	for (size_t i = 0; i < o->depth; i++)
		put(o, "  ", 2);
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* One character of s into the text; returns how many bytes of s it took. */
static size_t put_special(struct jsonout *o, const char *s, size_t left)
{
	unsigned char c = (unsigned char)*s;
	char escape[8];

	if (c == '"' || c == '\\') {
		escape[0] = '\\';
		escape[1] = (char)c;
		put(o, escape, 2);
		return 1;
	}
	if (c < 0x20) {
		const char *at = strchr("\bb\ff\nn\rr\tt", c);
		int n = at && c ? snprintf(escape, sizeof(escape), "\\%c", at[1])
				: snprintf(escape, sizeof(escape), "\\u%04x", c);
		put(o, escape, (size_t)n);
		return 1;
	}
	size_t n = json_utf8_length(s, left);
	if (n)
		put(o, s, n);
	else
		put(o, "\xef\xbf\xbd", 3);
	return n ? n : 1;
}

static void put_string(struct jsonout *o, const char *s)
{
	size_t left = strlen(s);

	put(o, "\"", 1);
	while (left) {
		size_t n = 0;
		while (n < left && is_plain((unsigned char)s[n]))
			n++;
		if (n)
			put(o, s, n);
		else
			n = put_special(o, s, left);
		s += n;
		left -= n;
	}
	put(o, "\"", 1);
}

/* What stands before every value: comma, line, key. */
static void before(struct jsonout *o, const char *key)
{
	if (o->depth) {
		if (!o->first)
			put(o, ",", 1);
		put_line(o);
	}
	o->first = false;
	if (key) {
		put_string(o, key);
		put(o, ": ", o->indent ? 2 : 1);
	}
}

/* ---- values ---- */

static void open_one(struct jsonout *o, const char *key, char opening, char closing)
{
	if (!o)
		return;
	before(o, key);
	put(o, &opening, 1);
	if (o->depth == MAX_DEPTH) {
		o->failed = true;
		return;
	}
	o->closing[o->depth++] = closing;
	o->first = true;
}

void jsonout_object(struct jsonout *o, const char *key)
{
	open_one(o, key, '{', '}');
}

void jsonout_array(struct jsonout *o, const char *key)
{
	open_one(o, key, '[', ']');
}

void jsonout_end(struct jsonout *o)
{
	if (!o || o->failed)
		return;
	if (!o->depth) {
		o->failed = true;
		return;
	}
	char closing = o->closing[--o->depth];
	if (!o->first)
		put_line(o);
	put(o, &closing, 1);
	o->first = false;
}

void jsonout_raw(struct jsonout *o, const char *key, const char *json)
{
	if (!o)
		return;
	before(o, key);
	put(o, json, strlen(json));
}

void jsonout_string(struct jsonout *o, const char *key, const char *value)
{
	if (!o)
		return;
	before(o, key);
	if (value)
		put_string(o, value);
	else
		put(o, "null", 4);
}

void jsonout_i64(struct jsonout *o, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	jsonout_raw(o, key, text);
}

void jsonout_u64(struct jsonout *o, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	jsonout_raw(o, key, text);
}

void jsonout_bool(struct jsonout *o, const char *key, bool value)
{
	jsonout_raw(o, key, value ? "true" : "false");
}

void jsonout_null(struct jsonout *o, const char *key)
{
	jsonout_raw(o, key, "null");
}

void jsonout_strings(struct jsonout *o, const char *key, const char *const *list)
{
	jsonout_array(o, key);
	for (; list && *list; list++)
		jsonout_string(o, NULL, *list);
	jsonout_end(o);
}

void jsonout_newline(struct jsonout *o)
{
	if (o)
		put(o, "\n", 1);
}

char *jsonout_take(struct jsonout *o, size_t *ret_size)
{
	if (!o || o->failed || o->depth)
		return NULL;
	if (ret_size)
		*ret_size = o->used;
	o->used = o->room = 0;
	return take_ptr(o->text);
}

static void copy_number(struct jsonout *o, const char *key, const struct json *v)
{
	char text[512];

	/* A number is as long as its writer liked; what does not fit here is none that anybody reads. */
	if (str_format(text, sizeof(text), "%.*s", (int)v->size, v->text) < 0)
		jsonout_null(o, key);
	else
		jsonout_raw(o, key, text);
}

void jsonout_copy(struct jsonout *o, const char *key, const struct json *v, jsonout_change *change, void *arg)
{
	switch ((enum json_type)v->type) {
	case JSON_BOOL:
		jsonout_bool(o, key, v->boolean);
		return;
	case JSON_NUMBER:
		copy_number(o, key, v);
		return;
	case JSON_STRING:
		jsonout_string(o, key, v->text);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		if (v->type == JSON_ARRAY)
			jsonout_array(o, key);
		else
			jsonout_object(o, key);
		for (const struct json *i = v->first; i; i = i->next)
			if (!change || !change(arg, o, i))
				jsonout_copy(o, i->key, i, change, arg);
		jsonout_end(o);
		return;
	default:
		jsonout_null(o, key);
	}
}
