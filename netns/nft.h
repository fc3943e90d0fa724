/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft.h - our tables in nftables: NAT, publishing, isolation, who may send as whom, hold
 *
 * Two tables named "coracle" in a network namespace: family inet (routing: NAT, publishing, isolation) and
 *family bridge (ports: spoofing, hold, policing). The rules are few and never change: what is true of a
 *switch, a port or a published port is an element of a set or map, so the 500th port costs what the first
 *did, in the kernel's work per packet as well as in ours. Nobody else's table is looked at or changed.
 *
 *	inet     nat       a switch's packets leave by other links with the host's address
 *	         publish   host address and port to a container's, from outside, from the host itself
 *(127.0.0.1, too), and from the switch's own containers (hairpin) forward   isolation, and nothing new from
 *outside to a switch with NAT but what is published bridge   guard     a port sends with its MAC and
 *addresses only: IPv4, ARP, IPv6, ND; no RA, no redirect held      nothing passes, either way
 *
 * Functions with a batch append to it; it is sent with nft_ask, whole or not at all. */
#ifndef CORACLE_NETNS_NFT_H
#define CORACLE_NETNS_NFT_H

#include "netns/nl.h"
#include "specs/ip.h"

/* Send a batch of nftables. When the tables are not there (the first switch after boot, or somebody flushed
 * the rules) they are made first, in the same transaction. */
int nft_ask(struct nl *nl, struct nl_batch *b, struct error *e);

/* The same for removals: what is gone already is no failure. */
int nft_forget(struct nl *nl, struct nl_batch *b, struct error *e);

/* Make the tables if they are not there, bring them to this program's rules if they are another version's;
 * facts are kept. */
int nft_ensure(struct nl *nl, struct error *e);
/* Are they there? 1 or 0. */
int nft_is_there(struct nl *nl, struct error *e);
/* Remove both tables (the last switch is gone). */
int nft_remove(struct nl *nl, struct error *e);

struct nft_switch {
	const char *bridge;
	bool nat;      /* masquerade what leaves; nothing new comes in but what is published */
	bool isolated; /* only its ports among themselves: not the host, nothing routed */
};
void nft_switch_add(struct nl_batch *b, const struct nft_switch *s);
void nft_switch_remove(struct nl_batch *b, const struct nft_switch *s);

struct nft_port {
	const char *name;      /* our end's name */
	const char *bridge;    /* the switch's */
	const struct mac *mac; /* the container's */
	const struct ip *addresses;
	size_t count;
	bool held;	       /* held from birth: the destination of a migration */
	bool unguarded;	       /* may send as anybody (a router) */
	bool reflects;	       /* in hairpin mode (PORT_HAIRPIN). Where net.bridge.bridge-nf-call-iptables
				* is 1, a container with published ports needs it to reach itself by them */
	uint64_t police_bytes; /* per second, what it sends; 0: no limit */
};
void nft_port_add(struct nl_batch *b, const struct nft_port *p);
void nft_port_remove(struct nl_batch *b, const struct nft_port *p);

/* Hold and release one port by name (hold.h has it prepared). */
void nft_hold(struct nl_batch *b, const char *port);
void nft_release(struct nl_batch *b, const char *port);

struct nft_publish {
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	struct ip host;	  /* the address published on; 0.0.0.0 or [::]: all of the host's */
	uint16_t host_port;
	struct ip to; /* the container's; same family */
	uint16_t port;
};
/* nft_ask: -EEXIST when that port of the host is published already. */
void nft_publish_add(struct nl_batch *b, const struct nft_publish *p);
void nft_publish_remove(struct nl_batch *b, const struct nft_publish *p);

/* What is published, freed by the caller. */
int nft_publish_list(struct nl *nl, struct nft_publish **ret, size_t *ret_count, struct error *e);

/* Forget every fact of ports whose link is not there any more (a namespace died with its veth pair): returns
 * how many. For `switch up` and garbage collection. */
int nft_sweep(struct nl *nl, struct nl *route, struct error *e);

#endif
