/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_config.c - the config that the target restores with, made of the source's (pure)
 *
 * Paths of the source mean nothing here. The root becomes a directory below the bundle that this node chose, a
 * copied volume another one; a shared root or volume keeps its path only if this node's policy names a
 * directory that it lies below. Namespaces joined by path, hooks and bind mounts without a mode are obstacles:
 * they would do something on this node that the source has decided. The rest of the text stays as it is,
 * byte for byte: objects are replaced where they stand. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/migrate.h"
#include "specs/json.h"
#include "specs/jsonout.h"
#include "specs/spec.h"

/* A piece of the text that is replaced by another. */
struct patch {
	uint32_t start, end;
	char *text;
};

#define PATCHES_MAX 512

struct patches {
	struct patch v[PATCHES_MAX];
	size_t n;
};

static void patches_done(struct patches *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].text);
}

static int add_patch(struct patches *p, const struct json *at, char *text, struct error *e)
{
	if (!text || p->n == PATCHES_MAX) {
		free(text);
		return text ? refuse(e, E2BIG, "config: too many mounts") : fail(e, ENOMEM, "config");
	}
	p->v[p->n++] = (struct patch){ at->start, at->end, text };
	return 0;
}

/* Is a clean path the directory or below it? */
static bool lies_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	while (n > 1 && directory[n - 1] == '/')
		n--;
	if (n == 1)
		return true;
	return strncmp(path, directory, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool is_shared(const char *path, const struct config_policy *p)
{
	if (!path || !path_is_normal(path))
		return false;
	for (char *const *d = p->shared; d && *d; d++)
		if (lies_below(path, *d))
			return true;
	return false;
}

static const char *text_of(const struct json *object, const char *key)
{
	const struct json *v = json_get(object, key);
	return v && v->type == JSON_STRING ? v->text : NULL;
}

/* An object again, with one key's value replaced. */
static void put_value(struct jsonout *o, const char *key, const struct json *v, const char *text)
{
	switch (v->type) {
	case JSON_STRING:
		jsonout_string(o, key, v->text);
		break;
	case JSON_BOOL:
		jsonout_bool(o, key, v->boolean);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
	case JSON_NUMBER: {
		bool number = v->type == JSON_NUMBER;
		auto_free char *raw = number ? strndup(v->text, v->size)
					     : strndup(text + v->start, v->end - v->start);
		jsonout_raw(o, key, raw ? raw : "null");
		break;
	}
	default:
		jsonout_null(o, key);
	}
}

static char *with_string(const struct json *object, const char *text, const char *key, const char *value)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);

	jsonout_object(o, NULL);
	for (const struct json *v = object->first; v; v = v->next)
		if (!str_eq(v->key, key))
			put_value(o, v->key, v, text);
	jsonout_string(o, key, value);
	jsonout_end(o);
	return jsonout_take(o, NULL);
}

static const struct claim_volume *find_volume(const struct claim *c, const char *destination)
{
	for (size_t i = 0; i < c->n_volumes; i++)
		if (str_eq(c->volumes[i].destination, destination))
			return &c->volumes[i];
	return NULL;
}

static int patch_root(const struct json *root, const char *text, const struct claim *c,
		      const struct config_policy *p, struct patches *patches, struct obstacles *obstacles,
		      struct error *e)
{
	char path[PATH_MAX];

	if (!root || root->type != JSON_OBJECT)
		return refuse(e, EINVAL, "config: no root");
	if (c->shared_rootfs) {
		const char *shared = text_of(root, "path");
		if (!is_shared(shared, p))
			obstacle(obstacles,
				 "start the receiver with --shared DIR, or move with --rootfs copy",
				 "the destination does not allow a shared root at %s", shared ? shared : "?");
		return 0;
	}
	if (str_format(path, sizeof(path), "%s/rootfs", p->bundle) < 0)
		return refuse(e, ENAMETOOLONG, "%s: too long", p->bundle);
	return add_patch(patches, root, with_string(root, text, "path", path), e);
}

static bool is_bind(const struct json *mount)
{
	const char *type = text_of(mount, "type");
	const struct json *options = json_get(mount, "options");

	if (type && (str_eq(type, "bind") || str_eq(type, "none")))
		return true;
	for (const struct json *v = options && options->type == JSON_ARRAY ? options->first : NULL; v;
	     v = v->next)
		if (v->type == JSON_STRING && (str_eq(v->text, "bind") || str_eq(v->text, "rbind")))
			return true;
	return false;
}

static int patch_mount(const struct json *mount, const char *text, const struct claim *c,
		       const struct config_policy *p, struct patches *patches, struct obstacles *obstacles,
		       struct error *e)
{
	const char *destination = text_of(mount, "destination");
	char path[PATH_MAX];

	if (!destination || !is_bind(mount))
		return 0;
	const struct claim_volume *v = find_volume(c, destination);
	if (!v) {
		obstacle(obstacles, "say what is to become of it: --volume PATH=copy, =shared or =drop",
			 "%s is a bind mount of the source's files", destination);
		return 0;
	}
	if (v->mode == VOLUME_SHARED) {
		const char *source = text_of(mount, "source");
		if (!is_shared(source, p))
			obstacle(obstacles,
				 "start the receiver with --shared DIR, or move with --volume PATH=copy",
				 "the destination does not allow a shared volume at %s",
				 source ? source : "?");
		return 0;
	}
	if (str_format(path, sizeof(path), "%s/volumes/%zu", p->bundle, (size_t)(v - c->volumes)) < 0)
		return refuse(e, ENAMETOOLONG, "%s: too long", p->bundle);
	return add_patch(patches, mount, with_string(mount, text, "source", path), e);
}

static void check_namespaces(const struct json *linux_object, struct obstacles *obstacles)
{
	const struct json *list = linux_object ? json_get(linux_object, "namespaces") : NULL;

	for (const struct json *n = list && list->type == JSON_ARRAY ? list->first : NULL; n; n = n->next) {
		const char *path = n->type == JSON_OBJECT ? text_of(n, "path") : NULL;
		if (path && *path)
			obstacle(obstacles, "a container that shares another's namespace cannot move alone",
				 "the container joins a namespace of the source: %s", path);
	}
}

static void check_hooks(const struct json *hooks, const struct config_policy *p, struct obstacles *obstacles)
{
	if (p->allow_hooks || !hooks || hooks->type != JSON_OBJECT)
		return;
	for (const struct json *kind = hooks->first; kind; kind = kind->next)
		if (kind->type == JSON_ARRAY && kind->size)
			obstacle(obstacles,
				 "start the receiver with --allow-hooks if the source may run programs there",
				 "the config has %s hooks: programs that would run on the destination",
				 kind->key);
}

static int by_start(const void *a, const void *b)
{
	const struct patch *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

static char *apply(const char *text, size_t size, struct patches *p)
{
	size_t total = size + 1;

	qsort(p->v, p->n, sizeof(p->v[0]), by_start);
	for (size_t i = 0; i < p->n; i++)
		total += strlen(p->v[i].text);
	char *out = malloc(total);
	if (!out)
		return NULL;
	size_t at = 0, used = 0;
	for (size_t i = 0; i < p->n; i++) {
		memcpy(out + used, text + at, p->v[i].start - at);
		used += p->v[i].start - at;
		size_t n = strlen(p->v[i].text);
		memcpy(out + used, p->v[i].text, n);
		used += n;
		at = p->v[i].end;
	}
	memcpy(out + used, text + at, size - at);
	out[used + size - at] = '\0';
	return out;
}

int config_rewrite(const char *text, size_t size, const struct claim *claim, const struct config_policy *p,
		   char **ret, struct obstacles *obstacles, struct error *e)
{
	AUTO(arena) struct arena *a = arena_new();
	struct patches patches = { .n = 0 };
	struct json *tree;

	if (!a)
		return fail(e, ENOMEM, "config");
	int r = json_parse(a, text, size, &tree, e);
	if (r == 0 && tree->type != JSON_OBJECT)
		r = refuse(e, EINVAL, "config: not an object");
	if (r == 0)
		r = patch_root(json_get(tree, "root"), text, claim, p, &patches, obstacles, e);
	const struct json *mounts = r == 0 ? json_get(tree, "mounts") : NULL;
	for (const struct json *m = mounts && mounts->type == JSON_ARRAY ? mounts->first : NULL; m && r == 0;
	     m = m->next)
		if (m->type == JSON_OBJECT)
			r = patch_mount(m, text, claim, p, &patches, obstacles, e);
	if (r == 0) {
		const struct json *linux_object = json_get(tree, "linux");
		check_namespaces(linux_object && linux_object->type == JSON_OBJECT ? linux_object : NULL,
				 obstacles);
		check_hooks(json_get(tree, "hooks"), p, obstacles);
		*ret = apply(text, size, &patches);
		r = *ret ? 0 : fail(e, ENOMEM, "config");
	}
	patches_done(&patches);
	return r;
}
