/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switchconf.h - a virtual switch as its file tells it, and how wishes become one
 *
 * <switches>/NAME/switch.json below a directory that survives reboots (/var/lib/coracle/switches), written
 * atomically, our own format versioned by "coracle_version_switch". What lives (links, rules) is made from it
 * and can be made again: `switch up`. The leases are beside it (netns/lease.h).
 *
 * A switch that spans nodes has one file on each of them, with the same subnets. Each node gives out
 * addresses of its own part only, so that two nodes never give out the same one: the part is told (a range,
 * or "2/3"), or follows from the node's place in the sorted list of the VXLAN's members. */
#ifndef CORACLE_SWITCHCONF_H
#define CORACLE_SWITCHCONF_H

#include "runtime/base/arena.h"
#include "specs/ip.h"

#define SWITCH_NAME_MAX 12 /* "sw-NAME" is a link's name: 15 bytes */
#define SWITCH_NETS_MAX 8
#define VXLAN_PORT	4789

struct switch_net {
	struct ip net;	       /* the subnet, host bits zero */
	struct ip gateway;     /* the bridge's own address, with the subnet's prefix; family 0: none */
	struct ip first, last; /* what this node gives out, both ends included */
};

struct switch_vxlan {
	uint32_t vni;
	uint16_t port;
	struct ip local;
	struct ip *remotes;
	size_t n_remotes;
};

struct switchconf {
	struct arena *arena;
	const char *name;
	struct switch_net *nets;
	size_t n_nets;
	bool nat;      /* what leaves the switch for elsewhere has the host's address */
	bool isolated; /* nothing passes between the switch and the host or other networks */
	bool private;  /* a port reaches the gateway and the uplink, not another port */
	uint32_t mtu;
	struct mac mac;		    /* the bridge's */
	const char *uplink;	    /* a host's interface that is a port of the bridge; NULL */
	struct switch_vxlan *vxlan; /* NULL: none */
};

/* What `switch create` was told; texts as typed, lists NULL-terminated or NULL. */
struct switch_wishes {
	const char *name;
	char *const *subnets; /* NULL: one of each family is chosen */
	char *const *ranges;  /* "FIRST-LAST", at most one for each subnet */
	const char *part;     /* "2/3": the second of three parts */
	bool gateway, nat, isolated, private;
	uint32_t mtu; /* 0: 1500, less what VXLAN takes */
	const char *uplink, *local;
	int64_t vni; /* -1: no VXLAN */
	char *const *remotes;
};

void switchconf_free(struct switchconf *c);
DEFINE_AUTO(switchconf, struct switchconf)

/* Letters, digits, "_" and "-", at most SWITCH_NAME_MAX, a letter or digit first. */
int switch_check_name(const char *name, struct error *e);

/* Make a switch's description of the wishes; `taken` are subnets that others have: a chosen one avoids them,
 * one that was asked for and overlaps is -EEXIST. -EINVAL names the option. The MAC is left to the caller. */
int switchconf_plan(const struct switch_wishes *w, const struct ip *taken, size_t n_taken,
		    struct switchconf **ret, struct error *e);

/* `dir`: the switch's own directory, open. */
int switchconf_read(int dir, struct switchconf **ret, struct error *e);
int switchconf_write(int dir, const struct switchconf *c, struct error *e);

struct jsonout;
/* The keys of the file, into an object that is open; `inspect` adds to them. */
void switchconf_put(struct jsonout *o, const struct switchconf *c);

#endif
