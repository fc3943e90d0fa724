/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dispatch.h - JSON objects to C structs by tables: one row per key
 *
 *	{ "limit", JSON_NUMBER, read_i64, offsetof(struct spec_resources, memory_limit) },
 *
 * reads as: the key, what its value must be, who reads it, where it lands. An object is a table with the
 * struct it fills. Keys without a row are ignored (the spec's extensibility); a key that asks for something
 * this version does not do has a row with read_unsupported. A null value is an absent one. */
#ifndef CORACLE_DISPATCH_H
#define CORACLE_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"
#include "specs/json.h"
#include "specs/spec.h"

/* What every reader may need of the document being read. */
struct reading {
	struct arena *arena; /* the spec's */
	const char *text;    /* the whole text */
};

enum field_flags {
	FIELD_REQUIRED = 1 << 0,
	FIELD_ZERO_UNSET = 1 << 1, /* numbers: 0 says no more than absence */
	FIELD_NOT_EMPTY = 1 << 2,  /* strings and arrays */
	FIELD_EMPTY_OK = 1 << 3,   /* read_unsupported: {} asks for nothing */
};

struct field {
	const char *name;
	enum json_type type;
	int (*read)(const struct reading *in, const struct json *v, const struct field *f, void *object,
		    struct error *e);
	size_t offset;
	unsigned int flags;
	size_t count;		     /* read_objects, read_pairs: offset of the size_t beside the list */
	const struct object *object; /* read_object, read_new_object, read_objects */
	const char *const *words;    /* read_word: the enum's names in its order, NULL-terminated */
};

struct object {
	const struct field *fields;
	size_t n_fields, size;
	void (*init)(void *object);						 /* NULL: all zero */
	int (*check)(const struct json *v, const void *object, struct error *e); /* NULL: none */
	bool strict; /* a key without a row is an error: our own formats, not the spec's */
};

#define OBJECT(table, type, ...)                                  \
	{                                                         \
		table, COUNT_OF(table), sizeof(type), __VA_ARGS__ \
	}

/* Fill `target` (initialized) from a JSON object. */
int dispatch(const struct reading *in, const struct json *v, const struct object *o, void *target,
	     struct error *e);

/* A new, initialized struct of this kind, filled. */
int dispatch_new(const struct reading *in, const struct json *v, const struct object *o, void **ret,
		 struct error *e);

/* ---- readers; each writes what its name says at `offset` ---- */
#define READER(name)                                                                                  \
	int name(const struct reading *in, const struct json *v, const struct field *f, void *object, \
		 struct error *e)

READER(read_bool);
READER(read_string);	    /* const char *; "" is a value */
READER(read_text);	    /* const char *; "" is NULL: absent */
READER(read_absolute_path); /* const char *, starts with "/" */
READER(read_strings);	    /* char **, NULL-terminated */
READER(read_absolute_paths);
READER(read_i64);
READER(read_u64);
READER(read_u32);
READER(read_u16);
READER(read_nonnegative); /* int64_t, not below 0 */
READER(read_limit);	  /* int64_t, not below -1 */
READER(read_id);	  /* uint32_t, a valid uid or gid: not 0xFFFFFFFF */
READER(read_ids);	  /* uint32_t * and count */
READER(read_word);	  /* an enum, from its names */
READER(read_set);	  /* struct spec_set, from a list as "0-3,7" */
READER(read_pairs);	  /* an object of strings: pairs of const char * (key, value), and count */
READER(read_object);	  /* a struct inside this one, or (offset 0) this one's own fields */
READER(read_new_object);  /* a pointer to a new struct */
READER(read_objects);	  /* an array of structs, and count */
READER(read_unsupported); /* an error that names the key, unless the value asks for nothing */

/* Where a field lands. */
static inline void *field_at(void *object, const struct field *f)
{
	return (char *)object + f->offset;
}

int out_of_memory(struct error *e);

/* Numbers with bounds, for readers of their own. */
int read_integer(const struct json *v, int64_t min, int64_t max, int64_t *ret, struct error *e);

/* ---- the tables, one file each ---- */
extern const struct object process_object, mount_object, hooks_object, linux_object, resources_object,
	root_object, id_map_object, scheduler_object, io_priority_object, affinity_object, personality_object,
	memory_policy_object, intel_rdt_object;
READER(read_seccomp); /* at offset 0 of a struct spec */

/* ---- validate.c: rules across fields ---- */
int validate_spec(const struct spec *s, struct error *e);
int validate_process(const struct spec_process *p, const char *path, struct error *e);
int validate_resources(const struct spec_resources *r, const char *path, struct error *e);

#endif
