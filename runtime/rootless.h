/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rootless.h - containers of ordinary users: what they need that root does not
 *
 * An ordinary user makes a user namespace first, in which he is root. His own id is the container's 0; what
 * /etc/subuid and /etc/subgid give him follows from 1 on, if newuidmap(1) and newgidmap(1) are there to map it.
 * Control groups are used as far as they were delegated to him. */
#ifndef CORACLE_ROOTLESS_H
#define CORACLE_ROOTLESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/error.h"
#include "specs/spec.h"

/* True unless we are root of the initial user namespace. */
bool rootless(void);

/* The two maps for the calling user, in the arena. */
struct rootless_maps {
	struct spec_id_map *uids, *gids;
	size_t n_uids, n_gids;
};
int rootless_find_maps(struct arena *a, struct rootless_maps *ret, struct error *e);

/* A config of `owner` that lists no user namespace, while only root can do without: add it, with these maps.
 * One that lists a new one without any maps: with these maps, too; root's then has all ids as they are. */
int rootless_complete(struct spec *s, uint32_t owner, struct error *e);

/* The ranges of /etc/subuid's text for a user (by name, which may be NULL, or by number), as map entries from
 * container id 1 on. `list` has room for `max`. Returns how many. Pure. */
size_t rootless_parse_ranges(const char *text, const char *name, uint32_t id, struct spec_id_map *list,
			     size_t max);

#endif
