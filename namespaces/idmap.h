/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idmap.h - the user namespace by which a mount's ids are mapped
 *
 * In RUNTIME. Spec: config.md, "Mounts" (uidMappings, gidMappings), "Linux mount options" (idmap, ridmap). */
#ifndef CORACLE_IDMAP_H
#define CORACLE_IDMAP_H

#include "runtime/base/error.h"
#include "specs/spec.h"

struct idmap {
	struct spec_id_map *uids, *gids; /* free(3)d by idmap_done() */
	size_t n_uids, n_gids;
};

/* "uids=0-1000-1#1-2000-5;gids=0-1000-1", as crun has it: id on disk, id on the host, how many; with "@" in
 * front the second is one of the container's user namespace, whose maps the config has. Pure. */
int idmap_parse(const char *text, const struct spec *s, struct idmap *ret, struct error *e);
void idmap_done(struct idmap *m);

/* A handle of a user namespace with the mappings of: the option's own text, if there is one; the mount's
 * uidMappings and gidMappings; the container's user namespace (`user`: the one it joins, or -1). None of
 * them: -EINVAL. */
int idmap_open(const struct spec *s, const struct spec_mount *m, const char *text, int user, struct error *e);

#endif
