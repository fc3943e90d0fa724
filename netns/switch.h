/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switch.h - virtual switches: a bridge, its address, its rules, its ports
 *
 * A switch is its directory <switches>/NAME (specs/switchconf.h, lease.h) and what is made of it: the bridge
 * "sw-NAME", with --vxlan the tunnel "vx-NAME" and with --uplink a link of the host as one of its ports, and
 * facts in our nftables (nft.h). After a reboot the directory is there and the rest is made again, by `switch
 * up` or by the first container that is wired.
 *
 * A port is a veth pair. Our end's name is made of its owner's (switch_link_name), so that it can be found and
 * removed by whoever knows the owner. A port passes three doors: leased, allowed (it may send as itself and
 * nobody else: before it can send), plugged.
 *
 * flock(2) on the switch's directory: shared by who leases and plugs, exclusive by who makes or removes.
 * Nobody waits for an exclusive lock while holding another switch's. Everything that makes is idempotent; everything that removes takes a missing thing for done. */
#ifndef CORACLE_NETNS_SWITCH_H
#define CORACLE_NETNS_SWITCH_H

#include "netns/lease.h"
#include "netns/nl.h"
#include "specs/network.h"
#include "specs/switchconf.h"

/* Where switches are: the directory that survives reboots, and the one that need not, which holds the hosts
 * files (names.h). */
struct switch_place {
	int switches, hosts;
	char hosts_path[PATH_MAX];
};
#define SWITCH_PLACE_INIT                   \
	{                                   \
		.switches = -1, .hosts = -1 \
	}

/* `dir` NULL: /var/lib/coracle/switches, with the hosts files in /run/coracle-switches; else DIR, with them in
 * DIR/.hosts. Made if `make`; -ENOENT without. */
int switch_place_open(const char *dir, bool make, struct switch_place *ret, struct error *e);
void switch_place_done(struct switch_place *p);

struct sw {
	const struct switch_place *place;
	struct switchconf *conf;
	int dir, leases;
	struct nl *route, *nft; /* opened when first used */
	int bridge;		/* its index; 0: not looked up */
};

enum switch_lock { SWITCH_SHARED, SWITCH_EXCLUSIVE };

void switch_free(struct sw *s);
DEFINE_AUTO(switch, struct sw)

/* -ENOENT: "switch `NAME` does not exist". */
int switch_open(const struct switch_place *p, const char *name, enum switch_lock lock, struct sw **ret,
		struct error *e);

/* What `make` and `up` changed of the host's settings, to be told. */
struct switch_told {
	bool forward4, forward6;
	bool accept_ra; /* of links by which the host learns its own routes */
};

/* Make a new switch and bring it up. -EEXIST. What fails has been undone. */
int switch_make(const struct switch_place *p, const struct switch_wishes *w, struct switch_told *told,
		struct sw **ret, struct error *e);

/* Make what is missing of a switch that is held exclusively: links, addresses, rules; take back leases whose
 * owner is gone, and what is left of their ports. */
int switch_up(struct sw *s, struct switch_told *told, struct error *e);

/* Is it up? 1 or 0. */
int switch_is_up(struct sw *s, struct error *e);

/* Remove it, held exclusively. -EBUSY names a container that has an address, unless `force`: then its ports
 * go, too. */
int switch_remove(struct sw *s, bool force, struct error *e);

/* Free an address, with what is left of its port. */
int switch_forget(struct sw *s, const struct lease *l, struct error *e);

/* The names of all switches, sorted, freed by the caller with its strings (NULL-terminated). */
int switch_names(const struct switch_place *p, char ***ret, struct error *e);

/* ---- ports ---- */

struct switch_owner {
	const char *path;	  /* exists as long as the port may; absolute (lease.h) */
	const char *name, *alias; /* "": none */
};

void switch_link_name(const struct switch_owner *o, const char *ifname, char ret[static NET_IFNAME_SIZE]);

/* An address of each subnet for the port: those asked for (port->ips), else chosen. Fills link, mac, ips (in
 * `a`). Frees what it took when it fails. With `anywhere`, asked addresses may be of other nodes' parts, and
 * no other is added. When no address is free, those without an owner are taken back first. */
int switch_lease(struct sw *s, const struct switch_owner *o, struct net_port *port, bool anywhere,
		 struct arena *a, struct error *e);
int switch_unlease(struct sw *s, const struct switch_owner *o, const struct net_port *port, struct error *e);
/* The container is on another node now: nobody gets those of its addresses that this node gives out, and its
 * name stays. What came along from another node's part is that node's again. */
int switch_send_away(struct sw *s, const struct switch_owner *o, const struct net_port *port,
		     struct error *e);

/* The rules of a port, and what is published through it. `held`: nothing passes until switch_release. */
int switch_allow(struct sw *s, const struct net_port *port, const struct net_publish *published,
		 size_t n_published, bool held, struct error *e);
/* `published`: something may be. */
int switch_forbid(struct sw *s, const struct net_port *port, bool published, struct error *e);

/* The link itself, into network namespace `netns`: made, set up, addresses, default routes of the families in
 * `routes`, the rate limited. With SWITCH_PUBLISHED the container reaches itself by what is published through the
 * port. */
enum { SWITCH_ROUTE4 = 1 << 0, SWITCH_ROUTE6 = 1 << 1, SWITCH_PUBLISHED = 1 << 2 };
int switch_plug(struct sw *s, const struct net_port *port, int netns, unsigned int how, struct error *e);
int switch_unplug(struct sw *s, const struct net_port *port, struct error *e);

/* The families in which the switch has a gateway. */
unsigned int switch_routes(const struct sw *s);

/* The port's names come and go (names.h). */
int switch_tell(struct sw *s, const struct switch_owner *o, const struct net_port *port, struct error *e);
int switch_untell(struct sw *s, const struct net_port *port, struct error *e);

#endif
