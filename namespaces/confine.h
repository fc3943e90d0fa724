/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine.h - what the process gives up before it becomes the container's program
 *
 * Shared by INIT (create) and by exec's process: one order, told here once.
 *	confine_early	rlimits, session keyring, oom score is RUNTIME's, scheduler …: what needs privilege
 *	confine_ids	cwd, umask, groups, gid, uid, capabilities (bounding … ambient), no_new_privs, and the
 *			seccomp filter at the right side of the capability drop: before it when
 *			no_new_privileges is false (loading needs CAP_SYS_ADMIN), after it otherwise, as late
 *			as may be
 * After confine_ids nothing but execve is left to do. */
#ifndef CORACLE_CONFINE_H
#define CORACLE_CONFINE_H

#include <stdbool.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

struct seccomp_filter; /* namespaces/seccomp.h */

struct confine {
	const struct spec_process *process;
	const struct seccomp_filter *filter; /* NULL: none */
	bool keep_groups;		     /* annotation run.oci.keep_original_groups */
	bool user_ns_denies_setgroups;	     /* rootless single map: setgroups(2) is denied */
};

int confine_early(const struct confine *c, struct error *e);
int confine_ids(const struct confine *c, struct error *e);

/* capabilities: names to bits by libcap; an unknown or ungrantable one is left out and told by a warning. */
int caps_apply_bounding(const struct spec_capabilities *c, struct error *e);
int caps_apply(const struct spec_capabilities *c, struct error *e);
/* Keep capabilities over the change of uid (PR_SET_KEEPCAPS); cleared by caps_apply. */

/* After chdir: the working directory must lie inside the container's root (CVE-2024-21626): getcwd(2) answers
 * with an absolute path. */
int confine_chdir(const char *cwd, struct error *e);

/* Find the program as execvp would, with the container's PATH, from inside the container; *ret is a new
 * string. Messages as engines match on them: `exec: "NAME": executable file not found in $PATH` (-ENOENT),
 * `exec: "NAME": permission denied` (-EACCES), `exec: "NAME": no such file or directory`. */
int confine_find_program(const char *name, char *const *env, char **ret, struct error *e);

/* HOME from the container's /etc/passwd (streamed, bounded, regular file only) if env has none; *ret is a
 * new "HOME=…" string or NULL if env has it. Called inside the container's root. */
int confine_home(uint32_t uid, char *const *env, char **ret, struct error *e);

#endif
