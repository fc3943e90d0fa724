/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rootless.c - containers of ordinary users: their ids, their user namespace */
#include "runtime/rootless.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

enum { FILE_LIMIT = 4 << 20, MAX_RANGES = 64 };

bool rootless(void)
{
	static int known = -1; /* a fact about the process */
	struct error ignored;
	char map[64];

	if (known < 0 && geteuid() != 0)
		known = 1;
	if (known < 0) {
		ssize_t n = io_read_small(AT_FDCWD, "/proc/self/uid_map", map, sizeof(map), &ignored);
		known = n > 0 && !strstr(map, "4294967295");
	}
	return known;
}

/* ---- ranges ---- */

/* "NAME:START:COUNT", the name a number where somebody prefers that. */
static bool parse_range(char *line, const char *name, uint32_t id, struct spec_id_map *ret)
{
	const char *who = strsep(&line, ":"), *start = strsep(&line, ":"), *count = line;
	uint32_t number;

	if (!start || !count || str_to_u32(start, &ret->host) < 0 || str_to_u32(count, &ret->size) < 0)
		return false;
	if (ret->size == 0 || ret->host > UINT32_MAX - ret->size)
		return false;
	return (name && str_eq(who, name)) || (str_to_u32(who, &number) == 0 && number == id);
}

size_t rootless_parse_ranges(const char *text, const char *name, uint32_t id, struct spec_id_map *list,
			     size_t max)
{
	uint32_t next = 1;
	char line[256];
	size_t n = 0;

	while (*text && n < max) {
		size_t size = strcspn(text, "\n");
		if (str_format(line, sizeof(line), "%.*s", (int)size, text) >= 0 &&
		    parse_range(line, name, id, &list[n]) && list[n].size <= UINT32_MAX - next) {
			list[n].container = next;
			next += list[n++].size;
		}
		text += size + (text[size] == '\n');
	}
	return n;
}

/* The user's name by /etc/passwd. Read by ourselves: the library's way would load others'. */
static bool find_name(uint32_t id, char *ret, size_t size)
{
	auto_free char *text = NULL;
	struct error ignored;

	if (io_read_file(AT_FDCWD, "/etc/passwd", FILE_LIMIT, &text, NULL, &ignored) < 0)
		return false;
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		const char *name = strsep(&line, ":");
		uint32_t number;
		strsep(&line, ":");
		const char *word = strsep(&line, ":");
		if (word && str_to_u32(word, &number) == 0 && number == id)
			return str_format(ret, size, "%s", name) >= 0;
	}
	return false;
}

static bool has_helpers(void)
{
	return access("/usr/bin/newuidmap", X_OK) == 0 && access("/usr/bin/newgidmap", X_OK) == 0;
}

/* Own id first, then the ranges of the file. */
static size_t fill(struct spec_id_map *list, uint32_t own, const char *file, const char *name, uint32_t uid)
{
	auto_free char *text = NULL;
	struct error ignored;

	list[0] = (struct spec_id_map){ .container = 0, .host = own, .size = 1 };
	if (!file || io_read_file(AT_FDCWD, file, FILE_LIMIT, &text, NULL, &ignored) < 0)
		return 1;
	return 1 + rootless_parse_ranges(text, name, uid, list + 1, MAX_RANGES - 1);
}

int rootless_find_maps(struct arena *a, struct rootless_maps *ret, struct error *e)
{
	uint32_t uid = geteuid();
	char name[64] = "";
	/* The helpers want a user with a name, too. */
	bool helped = has_helpers() && find_name(uid, name, sizeof(name));

	ret->uids = arena_calloc(a, MAX_RANGES, sizeof(*ret->uids));
	ret->gids = arena_calloc(a, MAX_RANGES, sizeof(*ret->gids));
	if (!ret->uids || !ret->gids)
		return fail(e, ENOMEM, "id maps");
	ret->n_uids = fill(ret->uids, uid, helped ? "/etc/subuid" : NULL, name, uid);
	ret->n_gids = fill(ret->gids, getegid(), helped ? "/etc/subgid" : NULL, name, uid);
	/* Both or none: with more than one's own id in one of them the other has to be complete, too. */
	if (ret->n_uids == 1 || ret->n_gids == 1)
		ret->n_uids = ret->n_gids = 1;
	return 0;
}

static int add_namespace(struct spec *s, struct error *e)
{
	struct spec_namespace *list = arena_calloc(s->arena, s->n_namespaces + 1, sizeof(*list));

	if (!list)
		return fail(e, ENOMEM, "user namespace");
	if (s->n_namespaces)
		memcpy(list, s->namespaces, s->n_namespaces * sizeof(*list));
	list[s->n_namespaces] = (struct spec_namespace){ .kind = NS_USER };
	s->namespaces = list;
	s->n_namespaces++;
	return 0;
}

static struct spec_id_map everything = { .size = UINT32_MAX };

int rootless_complete(struct spec *s, uint32_t owner, struct error *e)
{
	const struct spec_namespace *user = spec_find_namespace(s, NS_USER);
	struct rootless_maps maps = { &everything, &everything, 1, 1 };

	if (user ? user->path || s->n_uid_mappings : owner == 0)
		return 0;
	int r = user ? 0 : add_namespace(s, e);
	if (r == 0 && owner != 0)
		r = rootless_find_maps(s->arena, &maps, e);
	if (r < 0)
		return r;
	s->uid_mappings = maps.uids;
	s->n_uid_mappings = maps.n_uids;
	s->gid_mappings = maps.gids;
	s->n_gid_mappings = maps.n_gids;
	return 0;
}
