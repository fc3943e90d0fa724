/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network_helper.h - how `create`, `run` and `delete` have a container wired
 *
 * coracle has no netlink: coracle-node has, and is started as a helper (runtime/node.h), early, so that it
 * loads and takes the addresses while the container is made. They talk over a socket, which is the helper's
 * stdin:
 *	us	the wishes (specs/network.h, JSON)
 *	us	one message with the descriptor of the container's network namespace
 *	helper	a struct error: code 0, all is wired
 *	us	"keep". Should the socket end before, the helper undoes all of it: so it does when we are killed.
 * Used by both programs. */
#ifndef CORACLE_NETWORK_HELPER_H
#define CORACLE_NETWORK_HELPER_H

#include <sys/types.h>

#include "runtime/base/error.h"
#include "runtime/container.h"
#include "specs/network.h"

/* argv[0] of the helper. */
#define NETWORK_HELPER "coracle-network"

struct network_helper {
	int sock; /* -1: none */
	pid_t pid;
};
#define NETWORK_HELPER_INIT \
	{                   \
		.sock = -1  \
	}

/* The owner's path, as leases have it: the state root made absolute, and the id. Freed by the caller. */
int network_owner_path(const struct container *c, char **ret, struct error *e);

int network_helper_start(struct network_helper *h, const struct container *c, const struct network *wishes,
			 struct error *e);
int network_helper_give(struct network_helper *h, int netns, struct error *e);
int network_helper_wait(struct network_helper *h, struct error *e);
int network_helper_keep(struct network_helper *h, struct error *e);

/* Undo: whatever it has done is undone when this returns. After keep, or if there is no helper: nothing. */
void network_helper_stop(struct network_helper *h);

/* Take the wires of a container away, if it has any: costs one system call if it has none. */
int network_helper_detach(const struct container *c, struct error *e);

/* ---- /etc/hosts and /etc/resolv.conf (network_files.c) ---- */

/* Before the container is made: choose which of the two are ours (those that the config does not mount
 * itself), make them, and add their mounts to `s`. Sets n->hosts, n->resolv. */
int network_files_make(const struct container *c, struct network *n, struct spec *s, struct error *e);
/* For checkpoint: the mounts of a record that a running container has, nothing is made. */
int network_files_mounts(const struct container *c, const struct network *n, struct spec *s, struct error *e);
/* For restore: the mounts of a record, its files made again. */
int network_files_restore(const struct container *c, struct network *n, struct spec *s, struct error *e);

#endif
