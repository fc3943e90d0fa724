/* SPDX-License-Identifier: GPL-2.0-or-later */
/* container.h - a container by its id: its directory, its lock, its record, its live status
 *
 * <root>/<id>/ (mode 0700, below a root made 0700) holds
 *	state.json	the record (specs/state.h); missing while half made
 *	config.json	what the container was created from
 *	start, started	FIFOs on which a created container's INIT waits for `start` and answers
 *	notify/		the directory of the NOTIFY_SOCKET proxy, if any
 * Whoever changes the container holds flock(2) on the directory. Two commands on one container at once: the
 *second waits for the first at the lock, then sees its result. */
#ifndef CORACLE_CONTAINER_H
#define CORACLE_CONTAINER_H

#include <stdbool.h>

#include "cgroups/rdt.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "specs/state.h"

/* What the global options say; one per process, filled by main. */
struct globals {
	const char *root;	    /* state root: --root, or /run/coracle, or $XDG_RUNTIME_DIR/coracle */
	const char *switch_dir;	    /* where switches are kept; NULL: /var/lib/coracle/switches */
	const char *cgroup_manager; /* "cgroupfs" (default), "systemd", "disabled" */
	bool systemd_cgroup;
	bool debug;
};

struct container {
	const struct globals *globals;
	char *id;
	int root; /* the state root */
	int dir;  /* the container's directory */
	bool locked;
	struct state *state; /* NULL: half made, no record */
	bool keep_storage;   /* of an imported one, when it is removed (storage.h) */
};

void container_free(struct container *c);
DEFINE_AUTO(container, struct container)

/* [A-Za-z0-9_+.-]+, at most 255 bytes, not starting with "." (so neither "." nor ".."). */
int container_check_id(const char *id, struct error *e);

/* Open an existing container; with its lock if `lock`. -ENOENT: "container `ID` does not exist" (engines
 * match on "does not exist"). A half-made one is opened with state NULL. */
int container_open(const struct globals *g, const char *id, bool lock, struct container **ret,
		   struct error *e);

/* Make the directory of a new container and take its lock. -EEXIST: "container with given ID already exists".
 */
int container_make(const struct globals *g, const char *id, struct container **ret, struct error *e);

/* Take the lock later, or give it back early. */
int container_lock(struct container *c, struct error *e);
void container_unlock(struct container *c);

/* Remove the directory and all in it; the container's processes and group must be gone. */
int container_remove(struct container *c, struct error *e);

/* The live status: from the record, the process, the start socket and the cgroup's freezer. */
enum status container_status(const struct container *c);

/* A pidfd of the container's init, or -ESRCH: "container not running" (engines match on it). */
int container_pidfd(const struct container *c, struct error *e);

/* The container's cgroup, open; -ENOENT if it has none. */
int container_cgroup(const struct container *c, struct error *e);

/* What the record says of linux.intelRdt. */
struct rdt_group container_rdt(const struct container *c);

/* The ids below the state root, sorted, in a NULL-terminated list that is freed by strv_free-like
 * container_ids_free(). A missing root is an empty list. */
int container_ids(const struct globals *g, char ***ret, struct error *e);
void container_ids_free(char **ids);

/* Those of them that an extended regular expression matches somewhere (crun's --regex). */
int container_ids_matching(const struct globals *g, const char *pattern, char ***ret, struct error *e);

#endif
