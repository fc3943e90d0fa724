/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neigh.h - who is where: neighbours, forwarding entries, and telling others of it */
#ifndef CORACLE_NETNS_NEIGH_H
#define CORACLE_NETNS_NEIGH_H

#include "netns/nl.h"
#include "specs/ip.h"

/* A neighbour that is known for good (no ARP, no ND needed); an older entry is replaced. */
void neigh_add(struct nl_batch *b, int index, const struct ip *ip, const struct mac *mac);
void neigh_remove(struct nl_batch *b, int index, const struct ip *ip);

/* Forwarding entries of a VXLAN link: frames for `mac` go to the remote; mac NULL: broadcast, multicast and
 * unknown addresses go there, too (one entry for each remote). */
void fdb_add_remote(struct nl_batch *b, int vxlan, const struct mac *mac, const struct ip *remote);
void fdb_remove_remote(struct nl_batch *b, int vxlan, const struct mac *mac, const struct ip *remote);

/* Forwarding entries of a bridge: `mac` is behind this port (static; replaces what was learned); forget what
 * was learned. */
void fdb_add_port(struct nl_batch *b, int port, const struct mac *mac);
void fdb_remove_port(struct nl_batch *b, int port, const struct mac *mac);

/* Tell everybody on the wire where an address is now: a gratuitous ARP request and reply for each IPv4
 * address, an unsolicited neighbour advertisement (override) for each IPv6 one, and a RARP frame when there
 * is no address. Sent as the link `index` of `netns` with its MAC: from inside the container's namespace, so
 * that every bridge on the way learns. Needs CAP_NET_RAW there. */
struct announce {
	int sock;
	int index;
	struct mac mac;
	struct ip addresses[16];
	size_t count;
};
int announce_open(struct announce *a, int netns, int index, const struct mac *mac, const struct ip *addresses,
		  size_t count, struct error *e);
/* One round, now. */
int announce_send(struct announce *a, struct error *e);
void announce_close(struct announce *a);

/* Rounds, and the pause before each: 0, 50, 150, 250, 350 ms (QEMU's schedule, migration/announce.c: first
 * 50, step 100, at most 550). `round` counts from 0; -1 when there is no such round. */
#define ANNOUNCE_ROUNDS 5
int announce_pause_ms(unsigned int round);

/* The frames, as pure data: returns the size. */
size_t announce_frame(const struct announce *a, const struct ip *ip, bool reply, uint8_t *frame, size_t size);

#endif
