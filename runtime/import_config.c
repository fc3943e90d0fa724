/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import_config.c - a config.json for a clone: all of the text stays as it is, but for what names one container */
#include "runtime/import_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"
#include "specs/json.h"
#include "specs/jsonout.h"

struct change {
	const struct json *top;
	const char *name;
	bool failed;
};

int import_cgroup(const char *path, const char *name, char *buf, size_t size)
{
	const char *last = strrchr(path, '/');

	if (!last)
		last = strrchr(path, ':');
	return str_format(buf, size, "%.*s%s", last ? (int)(last + 1 - path) : 0, path, name) < 0
		       ? -ENAMETOOLONG
		       : 0;
}

static bool is_key(const struct json *v, const char *key)
{
	return v->key && str_eq(v->key, key);
}

static bool change(void *arg, struct jsonout *o, const struct json *v)
{
	struct change *c = arg;
	char path[4096];

	if (v->type == JSON_STRING && is_key(v, "path") && is_key(v->parent, "root") &&
	    v->parent->parent == c->top) {
		jsonout_string(o, "path", "rootfs");
		return true;
	}
	if (v->type == JSON_STRING && is_key(v, "cgroupsPath") && is_key(v->parent, "linux") &&
	    v->parent->parent == c->top) {
		c->failed |= import_cgroup(v->text, c->name, path, sizeof(path)) < 0;
		jsonout_string(o, "cgroupsPath", path);
		return true;
	}
	return false;
}

char *import_config(const char *text, const char *name, struct error *e)
{
	AUTO(arena) struct arena *a = arena_new();
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);
	struct json *top = NULL;

	if (!a) {
		fail(e, ENOMEM, "config.json");
		return NULL;
	}
	if (json_parse(a, text, strlen(text), &top, e) < 0)
		return NULL;
	struct change c = { top, name, false };
	jsonout_copy(o, NULL, top, change, &c);
	jsonout_newline(o);
	char *made = c.failed ? NULL : jsonout_take(o, NULL);
	if (!made)
		fail(e, ENOMEM, "config.json");
	return made;
}
