/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - what the files of cgroups/ share; for nobody else but their tests */
#ifndef CORACLE_CGROUPS_INTERNAL_H
#define CORACLE_CGROUPS_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

/* ---- controllers ---- */

enum controller {
	CONTROLLER_CPU,
	CONTROLLER_CPUSET,
	CONTROLLER_DMEM,
	CONTROLLER_HUGETLB,
	CONTROLLER_IO,
	CONTROLLER_MEMORY,
	CONTROLLER_MISC,
	CONTROLLER_PIDS,
	CONTROLLER_RDMA,
	CONTROLLER_MAX,
	CONTROLLER_CORE = CONTROLLER_MAX /* files of every group: no controller needed */
};
extern const char *const controller_names[CONTROLLER_MAX];

/* The controller called so (`size` bytes), or CONTROLLER_CORE for "cgroup", or -1. */
int controller_find(const char *name, size_t size);

/* What a list of names as in cgroup.controllers has, one bit per controller (names we do not know have none).
 */
unsigned int controllers_parse(const char *text);
int controllers_read(int group, unsigned int *ret, struct error *e);

/* ---- knobs ---- */

enum knob_rank {
	KNOB_MUST,    /* a limit: its controller is needed, its file must be there */
	KNOB_MAY,     /* written where the file is there */
	KNOB_DEFAULT, /* the same, and in a fresh group it would change nothing */
};

/* One line to write into one file of the group. */
struct knob_line {
	const char *key; /* the config's, below linux.resources: "memory.limit" */
	const char *file, *text;
	int controller;
	enum knob_rank rank;
	bool tried; /* if it fails there is another way: no message wanted */
};

/* What has to be known of the group as it is. */
struct knobs_now {
	int64_t memory_limit; /* -1: max */
	char cpu_quota[24];   /* as cpu.max has it: "max" or a number */
};

typedef int knob_sink(void *context, const struct knob_line *line, struct error *e);

/* Turn what `r` sets into lines, in the order in which they are to be written. Touches nothing itself; `emit`
 * returning an error ends it, unless the line is a tried one. */
int knobs_format(const struct spec_resources *r, const struct knobs_now *now, knob_sink *emit, void *context,
		 struct error *e);

/* The controllers that `r` needs, as bits; keys[c] is the first key that needs controller c. */
int knobs_need(const struct spec_resources *r, unsigned int *ret, const char *keys[CONTROLLER_MAX],
	       struct error *e);

/* cpu.shares (2…262144) to cpu.weight (1…10000), as all runtimes do since 2025: ceil(10^((l² + 125·l)/612 -
 * 7/34)) with l = log2(shares), which takes 2 to 1, 1024 to 100 and 262144 to 10000. 0 stays 0 (unset). */
uint64_t cpu_weight_of_shares(uint64_t shares);
/* blockIO.weight (10…1000) to io.weight (1…10000), linear. */
uint64_t io_weight_of_blkio(uint64_t weight);

/* ---- events ---- */

struct cgroup_events {
	bool populated, frozen;
};

/* "populated 1\nfrozen 0\n" */
struct cgroup_events events_parse(const char *text);
int events_read(int group, struct cgroup_events *ret, struct error *e);

/* Wait until the field at `offset` of struct cgroup_events is `want`: -1: for ever. Returns 1, or 0 when the
 * time is over. */
int events_wait(int group, size_t offset, bool want, int timeout_ms, struct error *e);

#define EVENT(field) offsetof(struct cgroup_events, field)

/* ---- small things ---- */

/* The kernel's file `name` of the group. */
int group_open_file(int group, const char *name, int flags, struct error *e);
/* Milliseconds of the monotonic clock. */
int64_t now_ms(void);

/* The name of one of the groups directly below. Returns 1, or 0 if there is none. */
int group_first_child(int group, char name[static NAME_MAX + 1]);

/* Names of the groups directly below, NULL-terminated; freed by group_children_free(). */
int group_children(int group, char ***ret, struct error *e);
void group_children_free(char **names);

#endif
