/* SPDX-License-Identifier: GPL-2.0-or-later */
/* caps.h - the five capability sets, as bits
 *
 * Order of use (confine_ids): caps_resolve, caps_drop_bounding while CAP_SETPCAP is there, the change of uid
 * with PR_SET_KEEPCAPS, caps_apply. execve ends PR_SET_KEEPCAPS. */
#ifndef CORACLE_CAPS_H
#define CORACLE_CAPS_H

#include <stdint.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

struct caps {
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

/* The names of `c` (NULL: all sets are empty) as bits, reduced to what the calling process can grant: a name
 * that is unknown, or a capability that is not ours to give, is left out and told by one warning. */
int caps_resolve(const struct spec_capabilities *c, struct caps *ret, struct error *e);

/* The pure half: names to bits; `held` are the capabilities we have. Warns as above. */
void caps_from_names(const struct spec_capabilities *c, uint64_t held, struct caps *ret);

/* Drop from the bounding set all that is not in caps->bounding. */
int caps_drop_bounding(const struct caps *caps, struct error *e);

/* Make what is permitted effective (after a change of uid with PR_SET_KEEPCAPS has emptied it). */
int caps_regain(struct error *e);

/* Effective, permitted, inheritable, then ambient. */
int caps_apply(const struct caps *caps, struct error *e);

#endif
