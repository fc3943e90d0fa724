/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.h - the record that a container has on disk, and the OCI state made from it
 *
 * <root>/<id>/state.json, written atomically (io_replace_file), read by anyone: a reader checks pid and
 * start time before it believes in the process. The directory also holds config.json (a copy of what the
 * container was created from), the file "lock" and the socket "start" (see runtime/container.h).
 * Our own format, versioned by "coracle_version_record"; the OCI state (runtime.md, "State") is made from
 * it and the live status. */
#ifndef CORACLE_STATE_H
#define CORACLE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/arena.h"
#include "runtime/base/error.h"
#include "specs/spec.h"

enum status { STATUS_CREATING, STATUS_CREATED, STATUS_RUNNING, STATUS_PAUSED, STATUS_STOPPED, STATUS_MAX };
extern const char *const status_names[STATUS_MAX]; /* "creating", … */

struct state {
	struct arena *arena;
	const char *id;
	pid_t pid;	     /* the container's init; 0 while there is none */
	uint64_t start_time; /* proc_start_time() of pid */
	const char *bundle;  /* absolute */
	const char *rootfs;  /* absolute */
	const char *created; /* RFC 3339 with nanoseconds, UTC */
	uint32_t owner;	     /* uid of who created it */
	const char
		*cgroup; /* path below the cgroup2 mount, "/…"; "" if the container has no group of its own */
	bool cgroup_joined; /* the group existed before: it is not ours to remove */
	const char *rdt;    /* class of linux.intelRdt; "" if there is none */
	bool rdt_made;	    /* the class is the container's own */
	bool rdt_monitored;
	const char *oci_version;
	bool systemd_cgroup;
	const char *unit; /* the scope's name; "" without systemd_cgroup */
	bool terminal;
	bool no_process;    /* config.json has no process: start is an error */
	unsigned int hooks; /* 1 << enum hook_kind for each kind that config.json has, so that start and
			     * delete read it only when they must */
	struct spec_key_value *annotations;
	size_t n_annotations;
};

void state_free(struct state *s);
DEFINE_AUTO(state, struct state)

/* Read the record in an open state directory. -ENOENT if there is none (half-made container). */
int state_read(int dir, struct state **ret, struct error *e);
int state_write(int dir, const struct state *s, struct error *e);

/* An empty record in an arena of its own; the caller fills the fields (strings must outlive it or be taken
 * from s->arena). */
struct state *state_new(void);

/* The OCI state as JSON text, freed by the caller; pid is 0 when stopped. `extended` adds what runc's
 * `state` adds (rootfs, created, owner); hooks get the plain one. `pid` overrides the record's (hooks). */
char *state_to_json(const struct state *s, enum status status, bool extended, bool indent);

/* What a seccomp agent is sent (config-linux.md, "The Container Process State"): `pid` is the process that is
 * filtered. Freed by the caller; NULL when memory is short. */
char *state_to_process_json(const struct state *s, enum status status, pid_t pid, const char *metadata);

#endif
