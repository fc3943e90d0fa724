/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.h - links: bridges, veth pairs, vxlan; made, changed, moved, removed, read back
 *
 * Functions that take a batch append one request to it (nl.h). A link is named by its name: rtnetlink finds
 * it by IFLA_IFNAME, which spares a round trip for the index. Names are 1 to 15 bytes, without "/" or blanks
 * (link_name_is_valid; a batch with another one is broken). */
#ifndef CORACLE_NETNS_LINK_H
#define CORACLE_NETNS_LINK_H

#include <net/if.h>

#include "netns/nl.h"
#include "specs/ip.h"

bool link_name_is_valid(const char *name);

/* A bridge that is up. Its MAC is given, for a bridge without one of its own takes the lowest of its ports',
 * and the gateway's MAC would change as containers come and go. No STP, no multicast snooping. -EEXIST. */
struct link_bridge {
	const char *name;
	const struct mac *mac;
	uint32_t mtu; /* 0: the kernel's */
};
void link_create_bridge(struct nl_batch *b, const struct link_bridge *l);

/* A veth pair: both ends are named and placed by one request, ours is made a port and brought up by the next one of
 * the same batch. The peer is made straight in its namespace, and is down there: the kernel cannot bring it up
 * before it has its partner (veth_open). So the batch for the container's side begins with
 * `link_change(b, &(struct link_change){ .name = "eth0", .up = true })`. */
struct link_veth {
	const char *name;	    /* our end */
	const char *peer_name;	    /* the container's end */
	const struct mac *mac;	    /* ours; NULL: random */
	const struct mac *peer_mac; /* NULL: random */
	uint32_t mtu;		    /* of both; 0: the kernel's */
	int peer_netns;		    /* handle; -1: ours */
	int master;		    /* index of the bridge that our end becomes a port of; 0: none */
	bool up;		    /* bring our end up */
};
void link_create_veth(struct nl_batch *b, const struct link_veth *l);

/* A VXLAN tunnel's end: no learning of remote addresses from the wire but those given by fdb_add_remote
 * (neigh.h) unless `learning`. */
struct link_vxlan {
	const char *name;
	uint32_t vni;		/* 1 to 2^24-1 */
	const struct ip *local; /* the outer source address */
	uint16_t port;		/* 0: 4789 */
	int lower;		/* index of the link below; 0: by route */
	uint32_t mtu;		/* 0: the kernel's */
	const struct mac *mac;	/* NULL: random */
	bool learning;
	int master; /* as above */
	bool up;
};
void link_create_vxlan(struct nl_batch *b, const struct link_vxlan *l);

void link_delete(struct nl_batch *b, const char *name);
/* By index: for a link whose name may have changed. */
void link_delete_index(struct nl_batch *b, int index);

/* A link of the caller's namespace is taken away, and it is out of sight when this returns; that there is none is no
 * failure. Without waiting for the kernel's grace periods, which RTM_DELLINK does (10 to 30 ms): a process apart
 * waits them out and ends by itself. */
int link_end(struct nl *nl, const char *name, struct error *e);

/* Change an existing link; fields at their zero are left alone. */
struct link_change {
	int index;	      /* which: by index, or */
	const char *name;     /* by name */
	const char *new_name; /* needs `index`; before Linux 6.2 the link must be down */
	const struct mac *mac;
	uint32_t mtu;
	bool up, down;
	int master; /* index; LINK_NO_MASTER: taken out */
	int netns;  /* only if `move`: handle of the namespace it goes to (new_name is its name there) */
	bool move;
	bool no_ipv6;  /* no link-local address, no router solicitations: a port needs none */
	int new_index; /* in the new namespace; 0: the kernel's choice */
};
#define LINK_NO_MASTER (-1)
void link_change(struct nl_batch *b, const struct link_change *c);

/* What a bridge's port does; each is left alone where its bit is not in `set`. */
enum port_flag {
	PORT_ISOLATED = 1 << 0,	      /* no traffic to other isolated ports */
	PORT_LEARNING = 1 << 1,	      /* source addresses enter the bridge's table */
	PORT_HAIRPIN = 1 << 2,	      /* frames may leave where they came in */
	PORT_NEIGH_SUPPRESS = 1 << 3, /* ARP and ND are answered by the bridge's knowledge */
	PORT_FLOOD = 1 << 4,	      /* frames for unknown unicast addresses go there */
	PORT_GUARD = 1 << 5,	      /* BPDU guard */
};
void link_set_port(struct nl_batch *b, const char *name, unsigned int set, unsigned int to);

/* What a link is, read back. */
struct link {
	int index;
	char name[IFNAMSIZ];
	char kind[16];	    /* "bridge", "veth", "vxlan", …; "" for hardware */
	unsigned int flags; /* IFF_* */
	struct mac mac;
	bool has_mac;
	uint32_t mtu;
	int master;	   /* index or 0 */
	int peer;	   /* veth: index of the other end, in its namespace; else 0 */
	unsigned int port; /* enum port_flag of a bridge's port */
	uint32_t vni;
	uint8_t operstate; /* IF_OPER_* */
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets;
};
/* -ENODEV if it is not there. */
int link_get(struct nl *nl, const char *name, struct link *ret, struct error *e);
int link_get_index(struct nl *nl, int index, struct link *ret, struct error *e);
/* All links, or those of a master (index; 0: all); freed by the caller. */
int link_list(struct nl *nl, int master, struct link **ret, size_t *ret_count, struct error *e);

/* One RTM_NEWLINK as a struct; false if it is none. */
bool link_parse(const struct nlmsghdr *m, struct link *ret);

#endif
