/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switch_parts.h - what the files of switches share: switch.c (directories), switch_up.c (links and rules),
 * switch_make.c (made and removed), switch_port.c (ports) */
#ifndef CORACLE_NETNS_SWITCH_PARTS_H
#define CORACLE_NETNS_SWITCH_PARTS_H

#include "netns/switch.h"

/* An empty one; NULL when memory is short. */
struct sw *switch_new(const struct switch_place *p);

/* Take, or change, the lock. -ENOENT: the switch was removed meanwhile. */
int switch_lock_dir(struct sw *s, enum switch_lock lock, const char *name, struct error *e);

/* Open the sockets that are not open yet. */
int switch_route(struct sw *s, struct error *e);
int switch_nft(struct sw *s, struct error *e);

void switch_bridge_name(const char *name, char ret[static NET_IFNAME_SIZE]);
void switch_vxlan_name(const char *name, char ret[static NET_IFNAME_SIZE]);

/* Nothing is published to these addresses any more. */
int switch_unpublish(struct sw *s, const struct ip *to, size_t count, struct error *e);

/* Links and rules away; a missing one is no failure. */
int switch_down(struct sw *s, struct error *e);

/* Take back leases that belong to nobody, with what is left of their ports. */
int switch_sweep(struct sw *s, struct error *e);

/* The same for one lease, whoever's it is. */
int switch_clear_port(struct sw *s, const struct lease *l, struct error *e);

#endif
