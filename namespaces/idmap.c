/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idmap.c - the user namespace by which a mount's ids are mapped
 *
 * The kernel takes a mapping as a user namespace (mount_setattr(2), MOUNT_ATTR_IDMAP, Linux 5.12). One that
 * exists (the container joins it) is used as it is; else one is made around a child that does nothing, and
 * lives on in its handle. */
#include "namespaces/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "namespaces/userns.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

/* ---- the text of the option ---- */

/* What id of the container's user namespace is which on the host. */
static int to_host(const struct spec_id_map *map, size_t n, struct spec_id_map *m, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t offset = m->host - (uint64_t)map[i].container;
		if (m->host < map[i].container || offset + m->size > map[i].size)
			continue;
		m->host = map[i].host + (uint32_t)offset;
		return 0;
	}
	return refuse(e, EINVAL, "option idmap: the container's user namespace does not map %u to %u",
		      m->host, m->host + m->size - 1);
}

static int parse_triple(char *text, struct spec_id_map *ret, struct error *e)
{
	uint32_t *const numbers[] = { &ret->container, &ret->host, &ret->size };
	char *rest = text;

	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		char *word = strsep(&rest, "-");
		if (!word || str_to_u32(word, numbers[i]) < 0)
			return refuse(e, EINVAL, "option idmap: expected three numbers with \"-\" between");
	}
	if (rest || ret->size == 0 || ret->container > UINT32_MAX - ret->size ||
	    ret->host > UINT32_MAX - ret->size)
		return refuse(e, EINVAL, "option idmap: \"%s\" is no range of ids", text);
	return 0;
}

static int parse_list(char *text, const struct spec_id_map *container, size_t n_container,
		      struct spec_id_map **ret, size_t *ret_n, struct error *e)
{
	size_t n = 0, room = 1;

	for (const char *c = text; *c; c++)
		room += *c == '#';
	auto_free struct spec_id_map *list = calloc(room, sizeof(*list));
	if (!list)
		return fail(e, ENOMEM, "option idmap");
	for (char *triple; (triple = strsep(&text, "#")); n++) {
		bool relative = *triple == '@';
		int r = parse_triple(triple + relative, &list[n], e);
		if (r == 0 && relative)
			r = to_host(container, n_container, &list[n], e);
		if (r < 0)
			return r;
	}
	free(*ret);
	*ret = take_ptr(list);
	*ret_n = n;
	return 0;
}

static int parse_part(char *part, const struct spec *s, struct idmap *m, struct error *e)
{
	if (str_starts(part, "uids="))
		return parse_list(part + 5, s->uid_mappings, s->n_uid_mappings, &m->uids, &m->n_uids, e);
	if (str_starts(part, "gids="))
		return parse_list(part + 5, s->gid_mappings, s->n_gid_mappings, &m->gids, &m->n_gids, e);
	return refuse(e, EINVAL, "option idmap: \"%.100s\" is neither uids= nor gids=", part);
}

int idmap_parse(const char *text, const struct spec *s, struct idmap *ret, struct error *e)
{
	auto_free char *copy = strdup(text);
	struct idmap m = { 0 };
	char *rest = copy;
	int r = copy ? 0 : fail(e, ENOMEM, "option idmap");

	for (char *part; r == 0 && (part = strsep(&rest, ";"));)
		r = parse_part(part, s, &m, e);
	if (r == 0 && (!m.n_uids || !m.n_gids))
		r = refuse(e, EINVAL, "option idmap: both uids= and gids= are needed");
	if (r < 0) {
		idmap_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}

void idmap_done(struct idmap *m)
{
	free(m->uids);
	free(m->gids);
}

/* ---- the namespace ---- */

static int open_text(const char *text, const struct spec *s, struct error *e)
{
	struct idmap m;

	int r = idmap_parse(text, s, &m, e);
	if (r < 0)
		return r;
	r = userns_make(m.uids, m.n_uids, m.gids, m.n_gids, e);
	idmap_done(&m);
	return r;
}

int idmap_open(const struct spec *s, const struct spec_mount *m, const char *text, int user, struct error *e)
{
	if (text)
		return open_text(text, s, e);
	if (m->n_uid_mappings || m->n_gid_mappings)
		return userns_make(m->uid_mappings, m->n_uid_mappings, m->gid_mappings, m->n_gid_mappings, e);
	if (user >= 0) {
		int copy = fcntl(user, F_DUPFD_CLOEXEC, 0);
		return copy < 0 ? fail(e, errno, "user namespace of the container") : copy;
	}
	if (!spec_find_namespace(s, NS_USER))
		return refuse(e, EINVAL,
			      "option idmap: needs mappings, or a user namespace in linux.namespaces");
	return userns_make(s->uid_mappings, s->n_uid_mappings, s->gid_mappings, s->n_gid_mappings, e);
}
