/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.h - config to namespaces: what to join, what to make, in which process, in which order (pure)
 *
 * The common case (nothing joined but by what INIT can join itself, no new time namespace, and no user
 * namespace joined) needs two processes: RUNTIME clones INIT with every flag at once. Else a SETUP process
 * stands between them:
 *	RUNTIME clones SETUP (no namespace flags) into the cgroup; SETUP joins what must be joined with the
 *	host's rights, enters or makes the user namespace, joins and makes the rest, and clones INIT as its
 *	sibling (CLONE_PARENT).
 * SETUP is needed when: a user namespace is joined by path; a user namespace is made and others are joined;
 * a pid namespace is joined; a time namespace is made. The cgroup namespace is always made late, by INIT,
 * when it is in its group (clone3's CLONE_INTO_CGROUP together with CLONE_NEWCGROUP would root it in our
 *group). */
#ifndef CORACLE_PLAN_H
#define CORACLE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

struct ns_plan {
	bool has[NS_KIND_MAX];	       /* the config names this kind */
	const char *join[NS_KIND_MAX]; /* path, or NULL */
	uint64_t make;		       /* CLONE_NEW* of all that are made (cgroup and time too) */
	bool setup;		       /* a SETUP process is needed */
	uint64_t clone_flags;	       /* for the clone3 that makes INIT: what is made there */
	uint64_t setup_unshare; /* what SETUP unshares after the user namespace is in place (time …) */
	bool new_user;		/* a user namespace is made: maps are to be written */
	bool set_time_offsets;
};

/* Rules across namespaces (maps without a user namespace, hostname without uts, sysctl …) are
 * specs/validate.c's; here only the plan is made. */
int ns_plan(const struct spec *s, struct ns_plan *ret, struct error *e);

/* Open the namespaces to be joined (O_CLOEXEC), checking that each is a namespace of the right kind
 * (NS_GET_NSTYPE). fds[] is -1 where nothing is joined. In RUNTIME, before any clone. */
int ns_open_joined(const struct ns_plan *p, int fds[static NS_KIND_MAX], struct error *e);
void ns_close_joined(int fds[static NS_KIND_MAX]);

/* setns(2) into those of `kinds` (a mask of 1 << enum ns_kind) that are open. */
int ns_join(const int fds[static NS_KIND_MAX], unsigned int kinds, struct error *e);

#endif
