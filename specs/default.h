/* SPDX-License-Identifier: GPL-2.0-or-later */
/* default.h - the config of safe defaults, as `coracle spec` writes it and `run --rootfs` uses it
 *
 * New namespaces of every kind but user and time, the capability set, seccomp profile, masked and read-only
 * paths and mounts that Docker's and Podman's users expect, no_new_privs. */
#ifndef CORACLE_DEFAULT_H
#define CORACLE_DEFAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

struct default_options {
	const char *rootfs; /* root.path; NULL: "rootfs" */
	bool root_readonly, terminal;
	char *const *args;    /* NULL: "sh" */
	char *const *env;     /* "KEY=VALUE", over the defaults; NULL: none */
	const char *cwd;      /* NULL: "/" */
	uint32_t uid, gid;    /* of the process, inside */
	const char *hostname; /* NULL: "coracle" */
	int64_t memory_limit, cpu_quota, cpu_period, pids_limit; /* NUM_UNSET: none */
	const struct spec_mount *mounts;			 /* behind the default ones */
	size_t n_mounts;
	bool rootless; /* with a user namespace in which root is host_uid and host_gid, no resources */
	uint32_t host_uid, host_gid;
};

/* Everything absent. */
void default_options_init(struct default_options *o);

/* The text of a config.json, indented, ending in a newline, freed by the caller; NULL when memory is short.
 */
char *default_config(const struct default_options *o);

#endif
