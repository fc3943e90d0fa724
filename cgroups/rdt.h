/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rdt.h - cache and memory bandwidth classes: groups of the resctrl file system
 *
 * In RUNTIME. A class (CLOS) is a directory right below the mount; a container without a closID has one of
 * its own, called as the container. Its monitoring group, if asked for, is mon_groups/ID below the class.
 * Spec: config-linux.md, "IntelRdt". */
#ifndef CORACLE_RDT_H
#define CORACLE_RDT_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

/* Where a container is; what is needed to end it. */
struct rdt_group {
	const char *clos; /* the class's name */
	const char *id;	  /* the container's */
	bool made;	  /* the class is the container's alone, made for it */
	bool monitored;
};

/* Handle of the resctrl mount, found in /proc/self/mountinfo; -ENOENT: there is none. */
int rdt_open_root(struct error *e);

/* What linux.intelRdt asks for. Pure; strings are borrowed. */
struct rdt_group rdt_plan(const struct spec_intel_rdt *r, const char *id);

/* Make the class, or see that the one there is fits, and write its schemata; then the monitoring group. A
 * class that is there and whose schemata differ, or one that is named and not there, is an error. g->made is
 * set before anything is made. On failure what was made is removed. */
int rdt_create(int root, const struct spec_intel_rdt *r, struct rdt_group *g, struct error *e);

/* Move a process into the group. */
int rdt_attach(int root, const struct rdt_group *g, pid_t pid, struct error *e);

/* Remove what was made. Absent: 0. */
int rdt_remove(int root, const struct rdt_group *g, struct error *e);

/* Is a class called so there? */
bool rdt_has_class(int root, const char *clos);

/* The lines that are written to schemata, l3CacheSchema first (its MB lines left out if memBwSchema has one),
 * `schemata` last; freed by the caller, NULL when memory is short. Pure. */
char *rdt_schemata(const struct spec_intel_rdt *r);

/* True if each line asked for says what the file says of the domains it names ("L3:0=00ff;1=f" fits
 * "    L3:0=ff;1=f"). Pure. */
bool rdt_schemata_fit(const char *asked, const char *file);

#endif
