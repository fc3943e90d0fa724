/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.h - config to namespaces: what to join, what to make, in which process, in which order
 *
 * The common case needs two processes: RUNTIME clones INIT with `clone_flags` at once, and INIT joins what
 * is given by path. Else a SETUP process stands between them: RUNTIME clones it (no namespace flags) into
 * the cgroup; it joins everything with the host's rights, unshares the user namespace, waits for its maps,
 * becomes root there, unshares the time namespace and writes its offsets, and clones INIT with
 * `clone_flags` as its sibling (CLONE_PARENT). SETUP is needed when
 *	a user namespace is joined by path (INIT's other namespaces must belong to it),
 *	a user namespace is made and others are joined (whose owner is the host's user namespace),
 *	a pid namespace is joined (only children enter it),
 *	time offsets are set (they freeze when the first process enters; without any, clone3 will do).
 * The cgroup namespace is always made late, by INIT, when it is in its group: clone3's CLONE_INTO_CGROUP
 * together with CLONE_NEWCGROUP would root it in our group. */
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
	uint64_t setup_unshare;	       /* what SETUP unshares: CLONE_NEWUSER (first, alone), CLONE_NEWTIME */
	bool new_user;		       /* a user namespace is made: maps are to be written, for SETUP's pid if
					* there is a SETUP, for INIT's else */
	bool enter_user;	       /* made or joined: INIT must userns_become_root() */
	bool set_time_offsets;
};

/* Pure. Rules across namespaces (maps without a user namespace, hostname without uts, sysctl …) are
 * specs/validate.c's; here only the plan is made. */
int ns_plan(const struct spec *s, struct ns_plan *ret, struct error *e);

/* Open the namespaces to be joined (O_CLOEXEC), checking that each is a namespace of the right kind
 * (NS_GET_NSTYPE). fds[] is -1 where nothing is joined. In RUNTIME, before any clone. */
int ns_open_joined(const struct ns_plan *p, int fds[static NS_KIND_MAX], struct error *e);
void ns_close_joined(int fds[static NS_KIND_MAX]);

/* A mask of kinds. NS_ALL_KINDS: whatever is open. */
#define NS_BIT(kind) (1U << (kind))
#define NS_ALL_KINDS (NS_BIT(NS_KIND_MAX) - 1)

/* setns(2) into those of `kinds` (NS_BIT) that are open. Non-dumpable from here on, so that nobody in there
 * can trace us and use our descriptors. Order: what our own rights reach, then the user namespace, then what
 * only its rights reach; the mount namespace late, the pid namespace last. */
int ns_join(const int fds[static NS_KIND_MAX], unsigned int kinds, struct error *e);

/* The namespaces (CLONE_NEW* mask) of a living process at once, for exec: setns(2) on a pidfd (Linux 5.8).
 * `flags` must not name the user namespace if it is ours already. The caller's children, not the caller,
 * enter the pid namespace. Non-dumpable from here on. */
int ns_join_process(int pidfd, uint64_t flags, struct error *e);

/* unshare(2), one flag or several. */
int ns_unshare(uint64_t flags, struct error *e);

/* Nobody may trace us or look at our descriptors: PR_SET_DUMPABLE 0. A rootless RUNTIME must not call it
 * before the maps of its child are written (the files would belong to root). */
int ns_hide_self(struct error *e);

#endif
