/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trust.h - what was restored may do no more than the destination's config allows
 *
 * Images are believed for what a process computed, never for what it may do. After CRIU has made the tasks
 * and before the first of their instructions runs (its pre-resume callback: ids and filters are set by
 * then), every thread is compared with the config of the node that restores. If one has more, all are killed.
 *
 * The rule: a task may be what the configured process could have become by itself, without executing a
 * set-user-ID program or one with file capabilities.
 *
 *	bounding	a subset of the config's
 *	other four sets	a subset of the config's permitted, inheritable and ambient ones; and of its
 *			bounding one if it is root or can become it, and has no no_new_privs
 *			(an execve then gives it those)
 *	no_new_privs	set, if the config sets it
 *	seccomp		filtering, with as many filters at least, if the config has it
 *	ids, groups	the config's, unless CAP_SETUID (CAP_SETGID) lets it change them; inside
 *			of the id maps
 *	label		the config's, if it has one
 *	namespaces	where the config makes one, not ours; where it joins one, that one
 *
 * `raised` widens it to what such a program, or `exec --user`, could have made of it: capabilities up to the
 * bounding set, any id inside of the maps. no_new_privs in the config excludes that. */
#ifndef CORACLE_TRUST_H
#define CORACLE_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

#define TRUST_MAX_GROUPS 65536 /* NGROUPS_MAX of Linux */

enum { ID_REAL, ID_EFFECTIVE, ID_SAVED, ID_FS, ID_KINDS };

/* What /proc/PID/task/TID/status says of one thread. */
struct task_creds {
	pid_t pid;
	char name[64];
	uint32_t uid[ID_KINDS], gid[ID_KINDS];
	uint32_t *groups;
	size_t n_groups;
	uint64_t inheritable, permitted, effective, bounding, ambient;
	bool no_new_privs;
	int seccomp;		 /* 0 none, 1 strict, 2 filter */
	int64_t seccomp_filters; /* -1: this kernel does not say (before 5.9) */
	char label[256];	 /* of /proc/PID/attr/current; "" if there is no LSM */
};
void task_creds_done(struct task_creds *c);

/* What the config allows; made once per restore. */
struct trust_policy {
	uint64_t bounding, permitted;
	bool any_uid, any_gid; /* may change them by itself */
	uint32_t uid, gid;
	const uint32_t *groups;
	size_t n_groups;
	const struct spec_id_map *uid_maps, *gid_maps; /* ids in task_creds are the host's */
	size_t n_uid_maps, n_gid_maps;
	bool no_new_privs;
	int seccomp_filters; /* at least so many; 0: none needed */
	const char *label;   /* NULL: any */
};

/* The policy of a config; what it points at belongs to the spec. -EINVAL if the config has no process. (pure)
 */
int trust_policy(const struct spec *s, bool raised, struct trust_policy *ret, struct error *e);

/* 0, or -EPERM: "process 17 (sh): CAP_SYS_ADMIN in its permitted set, which the config does not grant".
 * (pure) */
int trust_check(const struct trust_policy *p, const struct task_creds *c, struct error *e);

/* Parse the text of a status file. (pure) */
int trust_parse_status(const char *text, struct task_creds *ret, struct error *e);

/* Every thread of every process: what the pre-resume callback calls. `pids` as the host numbers them: those
 * of the container's cgroup (cgroup_pids), `init` among them. `proc` is a descriptor of the host's /proc.
 * Nothing is changed or killed here: on an error the caller kills the group (CRIU would only log the
 * callback's failure). */
int trust_check_tasks(int proc, const struct spec *s, bool raised, pid_t init, const pid_t *pids,
		      size_t n_pids, struct error *e);

/* Before CRIU begins: the filters in the images are the one that the config compiles to (`program`, an array
 * of struct sock_filter, of `size` bytes; seccomp_prepare() makes it), or stand upon it. -EPERM if not. */
int trust_check_filters(int images_dir, const void *program, size_t size, struct error *e);
int trust_parse_filters(const void *image, size_t image_size, const void *program, size_t size,
			struct error *e);

#endif
