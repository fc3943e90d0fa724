/* SPDX-License-Identifier: GPL-2.0-or-later */
/* systemd.h - the container's group as a scope of systemd
 *
 * systemd owns the tree, so it is asked: a transient scope is started around the container's first process, its
 * limits are properties, and what has no property is written into the group, which is delegated. The bus is
 * the system's, or the user's own where we are not root. Every call has a time limit; a bus that is dead or
 * slow is an error, never a hang.
 *
 *	systemd_unit.c names, properties: pure	  systemd.c the talk, in coracle-node alone
 *	sdbus.c libsystemd, loaded when used */
#ifndef CORACLE_SYSTEMD_H
#define CORACLE_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

/* ---- pure ---- */

#define UNIT_NAME_MAX 256

struct systemd_unit {
	char name[UNIT_NAME_MAX];  /* "coracle-web.scope" */
	char slice[UNIT_NAME_MAX]; /* "machine.slice" */
	bool user;		   /* of the user's manager */
};

/* cgroupsPath as "slice:prefix:name", each part may be empty; NULL or "" stands for "::ID". A slice that is
 * not named is system.slice, or user.slice of a user. The scope is called "prefix-name.scope", prefix
 * "coracle" if there is none. */
int systemd_unit_parse(const char *cgroups_path, const char *id, bool user, struct systemd_unit *ret,
		       struct error *e);

/* One property: 't' a number, 'i' a small one, 'b' a truth, 's' a text, 'y' bytes. */
struct systemd_property {
	const char *name;
	char type;
	uint64_t number;
	const char *text; /* borrowed; of 'y' the bytes, `number` of them */
};

enum { SYSTEMD_MAX_PROPERTIES = 64, SYSTEMD_MAX_BYTES = 1024 };

struct systemd_properties {
	struct systemd_property list[SYSTEMD_MAX_PROPERTIES];
	size_t n;
	unsigned char bytes[2][SYSTEMD_MAX_BYTES]; /* of AllowedCPUs and AllowedMemoryNodes */
	char texts[16][256];
	size_t n_bytes, n_texts;
};

/* Limits to properties: those that have one, by the same arithmetic as for the files (knobs.c). A limit of tasks
 * below SYSTEMD_FEW_TASKS is left out unless `late`: it takes some to set a container up. */
#define SYSTEMD_FEW_TASKS 16
int systemd_limits(const struct spec_resources *r, bool late, struct systemd_properties *p, struct error *e);

/* Annotations "org.systemd.property.NAME", their values as busctl writes GVariants ("uint64 5", "true",
 * "'text'"): only of a list of harmless names, for annotations may come from strangers (CVE-2024-3154). */
int systemd_annotations(const struct spec *s, struct systemd_properties *p, struct error *e);

/* The names of that list; NULL after the last. */
const char *systemd_allowed_annotation(size_t i);

/* ---- the talk ---- */

/* In coracle-node; NULL in coracle, which executes it when it is needed. */
struct cgroup_driver {
	/* Start the scope around `pid` and wait until it is there; *ret_group is its path below the cgroup2
	 * mount, a new string. One that failed earlier is forgotten first; one that runs is -EEXIST. */
	int (*start)(const struct systemd_unit *u, pid_t pid, const struct spec *s, char **ret_group,
		     struct error *e);
	/* Change limits; `late`: those that start has left out, too. */
	int (*update)(const struct systemd_unit *u, const struct spec_resources *r, bool late,
		      struct error *e);
	/* Stop it, wait, and forget that it failed. Absent: 0. */
	int (*stop)(const struct systemd_unit *u, struct error *e);
	/* Move a process into the scope, for users who may not write to it from where they are. */
	int (*attach)(const struct systemd_unit *u, pid_t pid, struct error *e);
};
extern const struct cgroup_driver systemd_driver;	 /* systemd.c */
extern const struct cgroup_driver *const cgroup_systemd; /* runtime/table.c */

#endif
