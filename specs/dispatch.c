/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dispatch.c - the table engine and the readers that more than one table uses */
#include "specs/dispatch.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int out_of_memory(struct error *e)
{
	return fail(e, ENOMEM, "read the config");
}

/* ---- the engine ---- */

static const struct field *find_row(const struct object *o, const char *key)
{
	for (size_t i = 0; i < o->n_fields; i++)
		if (str_eq(o->fields[i].name, key))
			return &o->fields[i];
	return NULL;
}

static int check_value(const struct json *v, const struct field *f, struct error *e)
{
	if (f->type != JSON_ANY && v->type != f->type)
		return json_fail(v, e, "expected %s", json_type_name(f->type));
	if ((f->flags & FIELD_NOT_EMPTY) && v->size == 0)
		return json_fail(v, e, "empty");
	return 0;
}

int dispatch(const struct reading *in, const struct json *v, const struct object *o, void *target,
	     struct error *e)
{
	uint64_t seen = 0;

	if (v->type != JSON_OBJECT)
		return json_fail(v, e, "expected an object");
	for (const struct json *child = v->first; child; child = child->next) {
		const struct field *f = find_row(o, child->key);
		if (!f && o->strict)
			return json_fail(child, e, "unknown key");
		if (!f || child->type == JSON_NULL)
			continue;
		int r = check_value(child, f, e);
		if (r == 0)
			r = f->read(in, child, f, target, e);
		if (r < 0)
			return r;
		seen |= UINT64_C(1) << (f - o->fields);
	}
	for (size_t i = 0; i < o->n_fields; i++)
		if ((o->fields[i].flags & FIELD_REQUIRED) && !(seen & UINT64_C(1) << i))
			return json_fail_key(v, o->fields[i].name, e, "missing");
	return o->check ? o->check(v, target, e) : 0;
}

int dispatch_new(const struct reading *in, const struct json *v, const struct object *o, void **ret,
		 struct error *e)
{
	void *made = arena_alloc(in->arena, o->size);

	if (!made)
		return out_of_memory(e);
	if (o->init)
		o->init(made);
	int r = dispatch(in, v, o, made, e);
	if (r < 0)
		return r;
	*ret = made;
	return 0;
}

/* Into a field of whatever pointer type. */
static void put_pointer(void *field, const void *p)
{
	memcpy(field, &p, sizeof(p));
}

READER(read_object)
{
	return dispatch(in, v, f->object, field_at(object, f), e);
}

READER(read_new_object)
{
	void *made = NULL;

	int r = dispatch_new(in, v, f->object, &made, e);
	if (r < 0)
		return r;
	put_pointer(field_at(object, f), made);
	return 0;
}

READER(read_objects)
{
	size_t *count = (size_t *)((char *)object + f->count), i = 0;
	char *list = arena_calloc(in->arena, v->size + 1, f->object->size);

	if (!list)
		return out_of_memory(e);
	for (const struct json *child = v->first; child; child = child->next, i++) {
		void *at = list + i * f->object->size;
		if (f->object->init)
			f->object->init(at);
		int r = dispatch(in, child, f->object, at, e);
		if (r < 0)
			return r;
	}
	put_pointer(field_at(object, f), v->size ? list : NULL);
	*count = v->size;
	return 0;
}

/* ---- strings ---- */

READER(read_bool)
{
	(void)in;
	(void)e;
	*(bool *)field_at(object, f) = v->boolean;
	return 0;
}

READER(read_string)
{
	(void)in;
	(void)e;
	*(const char **)field_at(object, f) = v->text;
	return 0;
}

READER(read_text)
{
	(void)in;
	(void)e;
	*(const char **)field_at(object, f) = v->size ? v->text : NULL;
	return 0;
}

READER(read_absolute_path)
{
	if (v->text[0] != '/')
		return json_fail(v, e, "\"%.100s\" is not an absolute path", v->text);
	return read_string(in, v, f, object, e);
}

READER(read_strings)
{
	const char **list = arena_calloc(in->arena, v->size + 1, sizeof(*list));
	size_t i = 0;

	if (!list)
		return out_of_memory(e);
	for (const struct json *child = v->first; child; child = child->next) {
		if (child->type != JSON_STRING)
			return json_fail(child, e, "expected a string");
		list[i++] = child->text;
	}
	*(const char ***)field_at(object, f) = list;
	return 0;
}

READER(read_absolute_paths)
{
	for (const struct json *child = v->first; child; child = child->next)
		if (child->type == JSON_STRING && child->text[0] != '/')
			return json_fail(child, e, "\"%.100s\" is not an absolute path", child->text);
	return read_strings(in, v, f, object, e);
}

READER(read_word)
{
	(void)in;
	for (size_t i = 0; f->words[i]; i++)
		if (str_eq(f->words[i], v->text)) {
			*(int *)field_at(object, f) = (int)i;
			return 0;
		}
	return json_fail(v, e, "unknown value \"%.100s\"", v->text);
}

/* The structs that this fills are all `{ const char *key, *value; }`. */
READER(read_pairs)
{
	const char **list = arena_calloc(in->arena, v->size + 1, 2 * sizeof(*list));
	size_t i = 0;

	if (!list)
		return out_of_memory(e);
	for (const struct json *child = v->first; child; child = child->next) {
		if (child->type != JSON_STRING)
			return json_fail(child, e, "expected a string");
		list[i++] = child->key;
		list[i++] = child->text;
	}
	*(const char ***)field_at(object, f) = v->size ? list : NULL;
	*(size_t *)((char *)object + f->count) = v->size;
	return 0;
}

/* ---- numbers ---- */

int read_integer(const struct json *v, int64_t min, int64_t max, int64_t *ret, struct error *e)
{
	int64_t value = 0;

	int r = json_to_i64(v, &value);
	if (r == -EINVAL)
		return json_fail(v, e, "expected an integer");
	if (r < 0 || value < min || value > max)
		return json_fail(v, e, "%.*s is out of range (%" PRId64 " to %" PRId64 ")",
				 v->size > 40 ? 40 : (int)v->size, v->text, min, max);
	*ret = value;
	return 0;
}

static int read_between(const struct json *v, const struct field *f, void *object, int64_t min, int64_t max,
			struct error *e)
{
	int64_t value = 0;

	int r = read_integer(v, min, max, &value, e);
	if (r < 0)
		return r;
	if (value == 0 && (f->flags & FIELD_ZERO_UNSET))
		value = NUM_UNSET;
	*(int64_t *)field_at(object, f) = value;
	return 0;
}

READER(read_i64)
{
	(void)in;
	return read_between(v, f, object, INT64_MIN + 1, INT64_MAX, e);
}

READER(read_nonnegative)
{
	(void)in;
	return read_between(v, f, object, 0, INT64_MAX, e);
}

READER(read_limit)
{
	(void)in;
	return read_between(v, f, object, -1, INT64_MAX, e);
}

READER(read_u64)
{
	(void)in;
	int r = json_to_u64(v, field_at(object, f));
	if (r == -EINVAL)
		return json_fail(v, e, "expected an integer");
	if (r < 0)
		return json_fail(v, e, "%.*s is out of range (0 to %" PRIu64 ")",
				 v->size > 40 ? 40 : (int)v->size, v->text, UINT64_MAX);
	return 0;
}

READER(read_u32)
{
	int64_t value = 0;

	(void)in;
	int r = read_integer(v, 0, UINT32_MAX, &value, e);
	if (r < 0)
		return r;
	*(uint32_t *)field_at(object, f) = (uint32_t)value;
	return 0;
}

READER(read_u16)
{
	int64_t value = 0;

	(void)in;
	int r = read_integer(v, 0, UINT16_MAX, &value, e);
	if (r < 0)
		return r;
	*(uint16_t *)field_at(object, f) = (uint16_t)value;
	return 0;
}

static int one_id(const struct json *v, uint32_t *ret, struct error *e)
{
	int64_t value = 0;

	int r = read_integer(v, 0, UINT32_MAX - 1, &value, e);
	if (r < 0)
		return r;
	*ret = (uint32_t)value;
	return 0;
}

READER(read_id)
{
	(void)in;
	return one_id(v, field_at(object, f), e);
}

READER(read_ids)
{
	uint32_t *list = arena_calloc(in->arena, v->size + 1, sizeof(*list));
	size_t i = 0;

	if (!list)
		return out_of_memory(e);
	for (const struct json *child = v->first; child; child = child->next) {
		int r = one_id(child, &list[i++], e);
		if (r < 0)
			return r;
	}
	*(uint32_t **)field_at(object, f) = v->size ? list : NULL;
	*(size_t *)((char *)object + f->count) = v->size;
	return 0;
}

/* ---- what we do not do ---- */

READER(read_unsupported)
{
	(void)in;
	(void)object;
	/* "", [] and false ask for nothing; of empty objects only the row can tell. */
	if (v->type == JSON_BOOL && !v->boolean)
		return 0;
	if (v->type == JSON_OBJECT && v->size == 0 && (f->flags & FIELD_EMPTY_OK))
		return 0;
	if ((v->type == JSON_STRING || v->type == JSON_ARRAY) && v->size == 0)
		return 0;
	return json_fail(v, e, "this version of coracle does not support it");
}
