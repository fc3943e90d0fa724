/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network_parts.h - what network_attach.c and network_detach.c share */
#ifndef CORACLE_NETWORK_PARTS_H
#define CORACLE_NETWORK_PARTS_H

#include "netns/switch.h"
#include "runtime/network.h"

struct wires {
	struct switch_place place;
	struct sw *of_port[NET_PORTS_MAX];
};

void wires_done(struct wires *w);

struct switch_owner network_owner(const struct network_of *of, const struct network *n);

#endif
