/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.h - addresses of links */
#ifndef CORACLE_NETNS_ADDR_H
#define CORACLE_NETNS_ADDR_H

#include "netns/nl.h"
#include "specs/ip.h"

/* IPv6 addresses are given without duplicate address detection: they are ours by lease, and an address that
 * is tentative for a second is no address for the container's first instruction. IPv4 gets the network's
 * broadcast address. */
enum addr_flag {
	ADDR_DAD = 1 << 0,	       /* IPv6: do detect duplicates */
	ADDR_NO_PREFIX_ROUTE = 1 << 1, /* no route to the address's network */
};
void addr_add(struct nl_batch *b, int index, const struct ip *ip, unsigned int flags);
void addr_remove(struct nl_batch *b, int index, const struct ip *ip);

struct addr {
	int index;
	struct ip ip;
	unsigned int flags; /* IFA_F_* */
	uint8_t scope;	    /* RT_SCOPE_* */
};
/* Of one link (0: all); freed by the caller. */
int addr_list(struct nl *nl, int index, struct addr **ret, size_t *ret_count, struct error *e);

/* One RTM_NEWADDR as a struct; false if it is none. */
bool addr_parse(const struct nlmsghdr *m, struct addr *ret);

#endif
