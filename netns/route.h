/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route.h - routes of the main table */
#ifndef CORACLE_NETNS_ROUTE_H
#define CORACLE_NETNS_ROUTE_H

#include "netns/nl.h"
#include "specs/ip.h"

struct route {
	struct ip to;	   /* prefix 0: default */
	struct ip gateway; /* family 0: on the link */
	struct ip source;  /* preferred; family 0: none */
	int index;	   /* 0: by the gateway */
	uint32_t metric;   /* 0: the kernel's */
	bool local;	   /* an address of the host's own, on this link; in the table of those */
	bool onlink;	   /* the gateway is on the link whatever the addresses say */
};
/* -EEXIST where the same route is there. */
void route_add(struct nl_batch *b, const struct route *r);
void route_remove(struct nl_batch *b, const struct route *r);

/* Unicast routes of the main table (family 0: both), freed by the caller. */
int route_list(struct nl *nl, int family, struct route **ret, size_t *ret_count, struct error *e);

/* One RTM_NEWROUTE as a struct; false if it is none that route_list would name. */
bool route_parse(const struct nlmsghdr *m, struct route *ret);

#endif
