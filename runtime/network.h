/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.h - the wires of a container: attached, detached, held, announced, taken along
 *
 * In coracle-node, where netlink is; called by the helper that `create`, `run` and `delete` start
 * (network_helper.h), by `switch connect` and `disconnect`, by restore and by migration. The caller holds the
 * container's lock. What a container has stands in its record, network.json (specs/network.h), which is
 * written before the first link is made and removed after the last one: whatever is killed between, `detach`
 * finds it.
 *
 * For a migration:
 *	source		network_export: the text that goes along
 *	destination	network_import, network_attach with NETWORK_CAME | NETWORK_HELD, into the namespace that
 *			the container will be restored in: links, addresses and routes are there, nothing passes
 *	source		network_hold, when the processes stand still
 *	commit		destination: network_release, network_announce. source: network_send_away
 *	failure		destination: network_detach. source: network_release */
#ifndef CORACLE_NETWORK_STORY_H
#define CORACLE_NETWORK_STORY_H

#include "specs/network.h"

/* Whose network. */
struct network_of {
	const char *owner; /* the container's state directory: an absolute path, as it is in the leases */
	int dir;	   /* the same, open */
	const char *switch_dir; /* --switch-dir; NULL: where switches are by default */
};

enum network_flag {
	NETWORK_HELD = 1 << 0, /* nothing passes until network_release */
	NETWORK_CAME = 1 << 1, /* the addresses came along from another node: those, and no others */
};

/* Wire ports[first…] of `n` (those before are there already) into network namespace `netns`. With netns -1 it
 * is received from `sock` (one message with the descriptor), late: everything that needs no namespace has
 * been done by then; and the end is told there (a struct error without a code), and "keep" waited for.
 * `n` becomes the record. On failure everything has been undone. */
int network_attach(const struct network_of *of, struct network *n, size_t first, int netns, int sock,
		   unsigned int flags, struct error *e);

/* Take all of it away, whatever is left of it; no record is a success. Goes on after a failure, tells the
 * first. */
int network_detach(const struct network_of *of, struct error *e);

/* One port alone (`disconnect`). -ENOENT: the container has none such. `ifname` NULL: its port of the switch,
 * if it has only one. */
int network_detach_port(const struct network_of *of, const char *switch_name, const char *ifname,
			struct error *e);

/* The container `pidfd` (its first process) was connected or disconnected: it sees the hosts file of the
 * switches it has now. Nothing if /etc/hosts is not ours, or not any more. */
int network_hosts_follow(const struct network_of *of, const struct network *before,
			 const struct network *after, int pidfd, struct error *e);
/* The hosts file's name. */
int network_hosts_file(const struct network *n, char *buf, size_t size, struct error *e);

/* ---- for checkpoints and migration ---- */

/* Nothing passes, both ways; no reset goes out. And: everything passes. */
int network_hold(const struct network_of *of, struct error *e);
int network_release(const struct network_of *of, struct error *e);

/* Tell everybody where the addresses are now; one round (neigh.h: five rounds, with pauses between). */
int network_announce(const struct network_of *of, int netns, struct error *e);

/* The record as text, freed by the caller. -ENOENT: no network of ours. */
int network_export(int dir, char **ret, struct error *e);
/* From a stranger's text to what network_attach takes. The published ports come along, if `publish`. */
int network_import(const char *text, size_t size, bool publish, struct network **ret, struct error *e);

/* The container runs on another node now: its links go, its addresses are nobody else's here. */
int network_send_away(const struct network_of *of, struct error *e);

#endif
