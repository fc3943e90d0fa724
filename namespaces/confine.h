/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine.h - what the process gives up before it becomes the container's program
 *
 * Shared by INIT (create) and by exec's process, all called inside the container's root; one order, told here
 * once:
 *	confine_reach	while the host's procfs is in view
 *	confine_home	HOME, while the container's /etc/passwd can still be read whoever we become
 *	confine_early	rlimits, scheduling, labels, session keyring: what needs privilege
 *	confine_ids	cwd, umask, bounding set, groups, gid, uid, no_new_privs; the seccomp filter if
 *			no_new_privileges is false (loading it needs CAP_SYS_ADMIN); capabilities
 *	confine_find_program	with the process's own ids, as execvp would
 *	(INIT waits for `start`, startContainer hooks)
 *	confine_last	the seccomp filter if no_new_privileges is true: as late as may be; one that notifies
 *			was loaded by confine_ids, while there is somebody who hears that it failed
 * After confine_last nothing but execve is left to do. Whoever calls confine_ids must call confine_last. */
#ifndef CORACLE_CONFINE_H
#define CORACLE_CONFINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

struct seccomp_filter;
struct seccomp_listener; /* namespaces/seccomp.h */

struct confine {
	const struct spec *spec; /* the container's: personality, memoryPolicy */
	const struct spec_process *process;
	const struct seccomp_filter *filter; /* NULL: none */
	const char *keyring;		     /* name of the session keyring, "_ses.ID"; NULL: keep ours */
	struct seccomp_listener *listener;   /* NULL, or without a socket: nobody is to be told */
	int attr;			     /* label_open()'s; -1: no label */
	bool limits_done;		     /* RUNTIME has called rlimits_apply and sched_apply for us */
	bool keep_groups;		     /* annotation run.oci.keep_original_groups */
	bool user_ns_denies_setgroups;	     /* userns_denies_setgroups(): setgroups(2) is refused */
};

/* Before the container's namespaces are joined: what will be needed of the host's procfs, the handle for
 * labels and the pid that a listener is told. */
int confine_reach(struct confine *c, struct error *e);

int confine_early(const struct confine *c, struct error *e);
int confine_ids(const struct confine *c, struct error *e);
int confine_last(const struct confine *c, struct error *e);

/* Make process.cwd if it is missing: before a root that is to be read-only becomes so. */
int confine_make_cwd(const char *cwd, struct error *e);

/* Change to the working directory, made if missing (0755), and see that it lies inside the container's root
 * (CVE-2024-21626: getcwd(2) answers with an absolute path). confine_ids calls it. */
int confine_chdir(const char *cwd, struct error *e);

/* Find the program as execvp would, with the PATH of `env` (the usual one if it has none); *ret is a new
 * string. Messages as engines match on them: `exec: "NAME": executable file not found in $PATH` (-ENOENT),
 * `exec: "NAME": permission denied` (-EACCES), `exec: "NAME": no such file or directory` (-ENOENT). */
int confine_find_program(const char *name, char *const *env, char **ret, struct error *e);

/* HOME from the container's /etc/passwd (streamed, bounded, regular file only), "/" if it has none that will
 * do; *ret is a new "HOME=…" string, or NULL if env has HOME. */
int confine_home(uint32_t uid, char *const *env, char **ret, struct error *e);

/* Set the limits of process `pid`; 0: the caller's. To raise a hard limit takes CAP_SYS_RESOURCE in the
 * initial user namespace: for a container with a user namespace RUNTIME does it, as late as it can, and
 * INIT's confine_early (pid 0) leaves it out (limits_done). */
int rlimits_apply(pid_t pid, const struct spec_process *p, struct error *e);

/* process.scheduler and ioPriority of process `pid`; 0: the caller's. The same rights, the same rule. */
int sched_apply(pid_t pid, const struct spec_process *p, struct error *e);
/* Does the process ask for what limits_done is about? */
bool confine_has_limits(const struct spec_process *p);

/* linux.personality and memoryPolicy of the calling process; both are handed on by fork and execve. */
int sched_apply_own(const struct spec *s, struct error *e);

/* The CPUs that the caller, or `pid`, may run on; NULL: all that its cpuset has. */
int sched_set_cpus(pid_t pid, const struct spec_set *cpus, struct error *e);

/* oom_score_adj of `pid`, by RUNTIME through the host's /proc; NUM_UNSET: nothing is done. */
int confine_oom_score(pid_t pid, int64_t value, struct error *e);

#endif
