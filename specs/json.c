/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.c - yajl's events to a tree; the one place that reads by yajl
 *
 * The text is copied into the arena once and strings without escapes stay where they are: the quote that
 * ends one is overwritten by a NUL once the lexer is past it. So a config costs one copy, one node of 48
 * bytes per value, and no allocation per string. Replacing yajl means to call the on_* functions from
 * another lexer. Bytes and escapes are checked before, in one fast pass, since yajl lets overlong UTF-8 and
 * lone surrogates through. */
#include "specs/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "runtime/base/str.h"

struct builder {
	struct arena *arena;
	struct error *e;
	const char *original; /* the caller's text: for line and column */
	char *text;	      /* our copy, parsed and written into */
	size_t size;
	yajl_handle yajl;
	struct json *root;
	struct json *open;		   /* innermost container that is not closed; NULL at the top */
	struct json *tail[JSON_MAX_DEPTH]; /* last value of each open container */
	const char *key;
	uint32_t key_size;
	size_t depth, nodes;
	bool failed; /* e is filled */
};

/* ---- where it went wrong ---- */

static int fail_at(const char *text, size_t offset, struct error *e, const char *what)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset; i++) {
		column++;
		if (text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return refuse(e, EINVAL, "line %zu, column %zu: %s", line, column, what);
}

static int cancel(struct builder *b, const char *what)
{
	size_t past = yajl_get_bytes_consumed(b->yajl);
	fail_at(b->original, past ? past - 1 : 0, b->e, what);
	b->failed = true;
	return 0;
}

/* ---- bytes and escapes ---- */

size_t json_utf8_length(const char *text, size_t left)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	if (s[0] == 0xed)
		high = 0x9f;
	if (s[0] == 0xf0)
		low = 0x90;
	if (s[0] == 0xf4)
		high = 0x8f;
	if (n > left || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* The value of "\uXXXX" at s, or -1. */
static int escape_value(const char *s, size_t left)
{
	int value = 0;

	if (left < 6 || s[0] != '\\' || s[1] != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		char c = s[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* How many bytes the escape at s takes; 0, and why, if we do not take it. What is no escape at all is the
 * lexer's to refuse. */
static size_t escape_length(const char *s, size_t left, const char **ret_why)
{
	int value = escape_value(s, left);

	if (value < 0)
		return left < 2 ? left : 2;
	if (value == 0) {
		*ret_why = "a string holds a NUL (\\u0000)";
		return 0;
	}
	if (value < 0xd800 || value > 0xdfff)
		return 6;
	int second = left >= 12 ? escape_value(s + 6, left - 6) : -1;
	if (value > 0xdbff || second < 0xdc00 || second > 0xdfff) {
		*ret_why = "half of a surrogate pair";
		return 0;
	}
	return 12;
}

/* True if none of the eight bytes needs a closer look. */
static bool is_plain(const char *s)
{
	const uint64_t ones = 0x0101010101010101U;
	uint64_t w;

	memcpy(&w, s, sizeof(w));
	uint64_t x = w ^ ('\\' * ones); /* a zero byte where the backslash is */
	return !((w | ((x - ones) & ~x)) & (0x80 * ones));
}

static int check_bytes(const char *text, size_t size, struct error *e)
{
	for (size_t i = 0; i < size;) {
		const char *why = "not valid UTF-8";
		size_t n;

		if (size - i >= 8 && is_plain(text + i))
			n = 8;
		else if (text[i] == '\\')
			n = escape_length(text + i, size - i, &why);
		else
			n = json_utf8_length(text + i, size - i);
		if (n == 0)
			return fail_at(text, i, e, why);
		i += n;
	}
	return 0;
}

/* ---- the tree ---- */

/* A NUL-terminated string out of the lexer's: in place if it lies in our copy of the text, which a string
 * without escapes does; the byte after it is its quote, behind the lexer already. */
static const char *keep_string(struct builder *b, const unsigned char *s, size_t size)
{
	uintptr_t at = (uintptr_t)s, base = (uintptr_t)b->text;

	if (at > base && at + size < base + b->size) {
		b->text[at - base + size] = '\0';
		return b->text + (at - base);
	}
	return arena_strndup(b->arena, (const char *)s, size);
}

static struct json *add(struct builder *b, enum json_type type)
{
	if (++b->nodes > JSON_MAX_NODES) {
		cancel(b, "too many values");
		return NULL;
	}
	struct json *v = arena_alloc(b->arena, sizeof(*v));
	if (!v) {
		cancel(b, "out of memory");
		b->e->code = ENOMEM;
		return NULL;
	}
	v->type = type;
	v->parent = b->open;
	if (!b->open) {
		b->root = v;
		return v;
	}
	if (b->open->type == JSON_OBJECT) {
		v->key = b->key;
		v->key_size = b->key_size & 0x1fffffff;
	}
	struct json **tail = &b->tail[b->depth - 1];
	if (*tail)
		(*tail)->next = v;
	else
		b->open->first = v;
	*tail = v;
	b->open->size++;
	return v;
}

static int on_null(void *ctx)
{
	return add(ctx, JSON_NULL) != NULL;
}

static int on_boolean(void *ctx, int value)
{
	struct json *v = add(ctx, JSON_BOOL);
	if (!v)
		return 0;
	v->boolean = value;
	return 1;
}

static int on_number(void *ctx, const char *s, size_t size)
{
	struct builder *b = ctx;
	uintptr_t at = (uintptr_t)s, base = (uintptr_t)b->text;

	struct json *v = add(b, JSON_NUMBER);
	if (!v)
		return 0;
	v->text = at >= base && at < base + b->size ? s : arena_strndup(b->arena, s, size);
	v->size = (uint32_t)size;
	return v->text ? 1 : cancel(b, "out of memory");
}

static int on_string(void *ctx, const unsigned char *s, size_t size)
{
	struct builder *b = ctx;

	struct json *v = add(b, JSON_STRING);
	if (!v)
		return 0;
	v->text = keep_string(b, s, size);
	v->size = (uint32_t)size;
	return v->text ? 1 : cancel(b, "out of memory");
}

static int on_key(void *ctx, const unsigned char *s, size_t size)
{
	struct builder *b = ctx;

	b->key = keep_string(b, s, size);
	b->key_size = (uint32_t)size;
	return b->key ? 1 : cancel(b, "out of memory");
}

static int on_open(struct builder *b, enum json_type type)
{
	if (b->depth == JSON_MAX_DEPTH)
		return cancel(b, "nested too deeply");
	struct json *v = add(b, type);
	if (!v)
		return 0;
	v->start = (uint32_t)yajl_get_bytes_consumed(b->yajl) - 1;
	b->open = v;
	b->tail[b->depth++] = NULL;
	return 1;
}

static int on_close(struct builder *b)
{
	b->open->end = (uint32_t)yajl_get_bytes_consumed(b->yajl);
	b->open = b->open->parent;
	b->depth--;
	return 1;
}

static int on_start_map(void *ctx)
{
	return on_open(ctx, JSON_OBJECT);
}

static int on_start_array(void *ctx)
{
	return on_open(ctx, JSON_ARRAY);
}

static int on_end_array(void *ctx)
{
	return on_close(ctx);
}

/* ---- keys are unique ---- */

static bool same_key(const struct json *a, const struct json *b)
{
	return a->key_size == b->key_size && memcmp(a->key, b->key, a->key_size) == 0;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp((*(const struct json *const *)a)->key, (*(const struct json *const *)b)->key);
}

/* A value whose key another one has, or NULL. Objects have few keys; the others are sorted. */
static int find_twin(const struct json *object, const struct json **ret)
{
	*ret = NULL;
	if (object->size <= 32) {
		for (const struct json *v = object->first; v; v = v->next)
			for (const struct json *w = v->next; w; w = w->next)
				if (same_key(v, w)) {
					*ret = w;
					return 0;
				}
		return 0;
	}
	auto_free const struct json **all = calloc(object->size, sizeof(struct json *));
	if (!all)
		return -ENOMEM;
	size_t n = 0;
	for (const struct json *v = object->first; v; v = v->next)
		all[n++] = v;
	qsort(all, n, sizeof(*all), compare_keys);
	for (size_t i = 1; i < n && !*ret; i++)
		if (same_key(all[i - 1], all[i]))
			*ret = all[i];
	return 0;
}

static int on_end_map(void *ctx)
{
	struct builder *b = ctx;
	const struct json *twin;

	if (find_twin(b->open, &twin) < 0)
		return cancel(b, "out of memory");
	if (twin) {
		json_fail(twin, b->e, "the key appears twice");
		b->failed = true;
		return 0;
	}
	return on_close(b);
}

/* ---- parsing ---- */

/* `offset`: the byte it stopped at. */
static int syntax_error(struct builder *b, size_t offset)
{
	char what[160];

	unsigned char *text = yajl_get_error(b->yajl, 0, (const unsigned char *)b->text, b->size);
	snprintf(what, sizeof(what), "%.140s", text ? (const char *)text : "parse error");
	if (text)
		yajl_free_error(b->yajl, text);
	what[strcspn(what, "\n")] = '\0';
	return fail_at(b->original, offset, b->e, what);
}

static int run_parser(struct builder *b)
{
	yajl_status status = yajl_parse(b->yajl, (const unsigned char *)b->text, b->size);
	size_t past = yajl_get_bytes_consumed(b->yajl), offset = past ? past - 1 : 0;

	if (status == yajl_status_ok) {
		status = yajl_complete_parse(b->yajl);
		offset = b->size;
	}
	if (b->failed)
		return -b->e->code;
	return status == yajl_status_ok ? 0 : syntax_error(b, offset);
}

int json_parse(struct arena *a, const char *text, size_t size, struct json **ret, struct error *e)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null,
		.yajl_boolean = on_boolean,
		.yajl_number = on_number,
		.yajl_string = on_string,
		.yajl_map_key = on_key,
		.yajl_start_map = on_start_map,
		.yajl_end_map = on_end_map,
		.yajl_start_array = on_start_array,
		.yajl_end_array = on_end_array,
	};
	struct builder b = { .arena = a, .e = e, .original = text, .size = size };

	if (size > JSON_MAX_SIZE)
		return refuse(e, EFBIG, "more than %u bytes of JSON", JSON_MAX_SIZE);
	int r = check_bytes(text, size, e);
	if (r < 0)
		return r;
	b.text = arena_strndup(a, text, size);
	if (!b.text)
		return fail(e, ENOMEM, "parse JSON");
	b.yajl = yajl_alloc(&callbacks, NULL, &b);
	if (!b.yajl)
		return fail(e, ENOMEM, "parse JSON");
	yajl_config(b.yajl, yajl_dont_validate_strings, 1); /* check_bytes() did, and better */
	r = run_parser(&b);
	yajl_free(b.yajl);
	if (r == 0)
		*ret = b.root;
	return r;
}

/* ---- reading the tree ---- */

const struct json *json_get(const struct json *object, const char *key)
{
	if (object->type != JSON_OBJECT)
		return NULL;
	for (const struct json *v = object->first; v; v = v->next)
		if (str_eq(v->key, key))
			return v;
	return NULL;
}

const char *json_type_name(enum json_type type)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",	    [JSON_BOOL] = "true or false", [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string", [JSON_ARRAY] = "an array",	   [JSON_OBJECT] = "an object",
		[JSON_ANY] = "a value",
	};
	return names[type];
}

/* The longest 64-bit integer has 20 characters. */
static int number_text(const struct json *v, char buf[static 24])
{
	if (v->type != JSON_NUMBER)
		return -EINVAL;
	for (uint32_t i = 0; i < v->size; i++)
		if ((v->text[i] < '0' || v->text[i] > '9') && v->text[i] != '-')
			return -EINVAL;
	if (v->size >= 24)
		return -ERANGE;
	memcpy(buf, v->text, v->size);
	buf[v->size] = '\0';
	return 0;
}

int json_to_i64(const struct json *v, int64_t *ret)
{
	char buf[24];

	int r = number_text(v, buf);
	return r < 0 ? r : str_to_i64(buf, ret);
}

int json_to_u64(const struct json *v, uint64_t *ret)
{
	char buf[24];

	int r = number_text(v, buf);
	if (r < 0)
		return r;
	return buf[0] == '-' ? -ERANGE : str_to_u64(buf, ret);
}

/* ---- key paths ---- */

static size_t index_of(const struct json *v)
{
	size_t i = 0;

	for (const struct json *w = v->parent->first; w != v; w = w->next)
		i++;
	return i;
}

/* "mounts[3].destination"; longer ones are cut at the end. */
static void write_path(const struct json *v, char *buf, size_t size)
{
	const struct json *chain[JSON_MAX_DEPTH + 1];
	size_t n = 0, used = 0;

	buf[0] = '\0';
	for (; v->parent && n < COUNT_OF(chain); v = v->parent)
		chain[n++] = v;
	while (n-- > 0) {
		int added;
		if (chain[n]->key)
			added = snprintf(buf + used, size - used, "%s%.100s", used ? "." : "", chain[n]->key);
		else
			added = snprintf(buf + used, size - used, "[%zu]", index_of(chain[n]));
		used += (size_t)added;
		if (used >= size)
			return;
	}
}

__attribute__((format(printf, 4, 0))) static int vfail(const struct json *v, const char *key, struct error *e,
						       const char *fmt, va_list ap)
{
	char path[240], what[220];

	write_path(v, path, sizeof(path));
	vsnprintf(what, sizeof(what), fmt, ap);
	const char *dot = key && path[0] ? "." : "";
	const char *colon = key || path[0] ? ": " : "";
	return refuse(e, EINVAL, "%s%s%s%s%s", path, dot, key ? key : "", colon, what);
}

int json_fail(const struct json *v, struct error *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = vfail(v, NULL, e, fmt, ap);
	va_end(ap);
	return r;
}

int json_fail_key(const struct json *v, const char *key, struct error *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = vfail(v, key, e, fmt, ap);
	va_end(ap);
	return r;
}
