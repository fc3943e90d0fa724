/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tc.h - how much a link may send
 *
 * A token bucket (tbf) on what the link sends: on our end of a veth pair it limits what the container
 * receives, on the container's end what it sends. A queue of the container's own end can be taken away by a
 * container with CAP_NET_ADMIN, so what it sends is also policed on our side (nft.h: nft_port.police). */
#ifndef CORACLE_NETNS_TC_H
#define CORACLE_NETNS_TC_H

#include "netns/nl.h"

/* bytes_per_s above 0. burst 0: what fits the rate. Replaces the link's queue. */
void tc_limit(struct nl_batch *b, int index, uint64_t bytes_per_s, uint32_t burst);
/* Back to the kernel's queue; -ENOENT tolerated. */
void tc_unlimit(struct nl_batch *b, int index);

/* The burst that fits a rate: a few milliseconds of it, at least one large segment. Pure. */
uint32_t tc_burst(uint64_t bytes_per_s);

/* "10mbit", "1.5gbit", "800kbit", "125000" (bits per second) as bytes per second. */
int tc_parse_rate(const char *text, uint64_t *ret, struct error *e);

/* The limit of a link, 0: none. */
int tc_get_limit(struct nl *nl, int index, uint64_t *ret, struct error *e);

#endif
