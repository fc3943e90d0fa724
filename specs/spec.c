/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec.c - config.json in, struct spec out: the top table, and the three ways in */
#include "specs/spec.h"

#include <errno.h>

#include "specs/dispatch.h"

static const struct field spec_fields[] = {
	{ "ociVersion", JSON_STRING, read_string, offsetof(struct spec, oci_version), FIELD_REQUIRED },
	{ "root", JSON_OBJECT, read_object, 0, FIELD_REQUIRED, .object = &root_object },
	{ "hostname", JSON_STRING, read_text, offsetof(struct spec, hostname) },
	{ "domainname", JSON_STRING, read_text, offsetof(struct spec, domainname) },
	{ "process", JSON_OBJECT, read_new_object, offsetof(struct spec, process),
	  .object = &process_object },
	{ "mounts", JSON_ARRAY, read_objects, offsetof(struct spec, mounts),
	  .count = offsetof(struct spec, n_mounts), .object = &mount_object },
	{ "hooks", JSON_OBJECT, read_object, 0, .object = &hooks_object },
	{ "annotations", JSON_OBJECT, read_pairs, offsetof(struct spec, annotations),
	  .count = offsetof(struct spec, n_annotations) },
	{ "linux", JSON_OBJECT, read_object, 0, .object = &linux_object },
	/* other platforms */
	{ "windows", JSON_ANY, read_unsupported, .flags = FIELD_EMPTY_OK },
	{ "solaris", JSON_ANY, read_unsupported, .flags = FIELD_EMPTY_OK },
	{ "freebsd", JSON_ANY, read_unsupported, .flags = FIELD_EMPTY_OK },
	{ "zos", JSON_ANY, read_unsupported, .flags = FIELD_EMPTY_OK },
	{ "vm", JSON_ANY, read_unsupported, .flags = FIELD_EMPTY_OK },
};

static void spec_init(void *object)
{
	((struct spec *)object)->personality = NUM_UNSET;
}

static const struct object spec_object = OBJECT(spec_fields, struct spec, spec_init);

void spec_free(struct spec *s)
{
	if (s)
		arena_free(s->arena);
}

/* What parsing will take, by measure (real configs: 55 to 61 bytes a value, nodes and structs together, the
 * text's copy, and another of its seccomp object). */
static size_t arena_size(const char *text, size_t size)
{
	size_t values = 0;

	for (size_t i = 0; i < size; i++)
		values += (text[i] == ',') | (text[i] == '{') | (text[i] == '[');
	return 2048 + 2 * size + 60 * values;
}

/* Text to a new struct of this kind, both in the arena. */
static int parse(struct arena *a, const char *text, size_t size, const struct object *o, void **ret,
		 struct error *e)
{
	const struct reading in = { a, text };
	struct json *root = NULL;

	int r = json_parse(a, text, size, &root, e);
	if (r < 0)
		return r;
	return dispatch_new(&in, root, o, ret, e);
}

/* Errors quote the text of a stranger. */
static int printable(struct error *e)
{
	str_make_printable(e->msg);
	return -e->code;
}

int spec_parse(const char *text, size_t size, struct spec **ret, struct error *e)
{
	AUTO(arena) struct arena *a = arena_new_sized(arena_size(text, size));
	void *made = NULL;

	if (!a)
		return out_of_memory(e);
	if (parse(a, text, size, &spec_object, &made, e) < 0 || validate_spec(made, e) < 0)
		return printable(e);
	struct spec *s = made;
	s->arena = take_ptr(a);
	*ret = s;
	return 0;
}

int spec_parse_process(const char *text, size_t size, struct arena **ret_arena, struct spec_process **ret,
		       struct error *e)
{
	AUTO(arena) struct arena *a = arena_new_sized(arena_size(text, size));
	void *made = NULL;

	if (!a)
		return out_of_memory(e);
	if (parse(a, text, size, &process_object, &made, e) < 0 || validate_process(made, "", e) < 0)
		return printable(e);
	*ret = made;
	*ret_arena = take_ptr(a);
	return 0;
}

int spec_parse_resources(const char *text, size_t size, struct arena **ret_arena, struct spec_resources **ret,
			 struct error *e)
{
	AUTO(arena) struct arena *a = arena_new_sized(arena_size(text, size));
	void *made = NULL;

	if (!a)
		return out_of_memory(e);
	if (parse(a, text, size, &resources_object, &made, e) < 0 || validate_resources(made, "", e) < 0)
		return printable(e);
	*ret = made;
	*ret_arena = take_ptr(a);
	return 0;
}

const struct spec_namespace *spec_find_namespace(const struct spec *s, enum ns_kind kind)
{
	for (size_t i = 0; i < s->n_namespaces; i++)
		if (s->namespaces[i].kind == kind)
			return &s->namespaces[i];
	return NULL;
}

const char *spec_annotation(const struct spec *s, const char *key)
{
	for (size_t i = 0; i < s->n_annotations; i++)
		if (str_eq(s->annotations[i].key, key))
			return s->annotations[i].value;
	return NULL;
}
