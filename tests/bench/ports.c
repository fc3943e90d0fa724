/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ports.c - what attaching, holding and releasing cost within one process: the kernel's work, and ours in front of it
 *
 *   ports COUNT    attaches COUNT namespaces to one switch, in a network namespace of its own; for tests/bench/net
 *
 * Wall and processor time of each part in microseconds: medians of the first and the last twenty. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netns/addr.h"
#include "netns/hold.h"
#include "netns/link.h"
#include "netns/nft.h"
#include "netns/open.h"
#include "netns/route.h"

enum { PARTS = 4, MOST = 2000, EDGE = 20, TRIES = 500 };
static const char *const parts[] = { "veth pair, placed, made a port", "socket in the namespace",
				     "up, 2 addresses, 2 routes", "rules" };
static double wall[PARTS + 1][MOST], cpu[PARTS + 1][MOST];
static struct error e;

static void check(int r)
{
	if (r < 0) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
}

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(const double *values, int count)
{
	static double sorted[MOST];

	memcpy(sorted, values, (size_t)count * sizeof(*sorted));
	qsort(sorted, (size_t)count, sizeof(*sorted), compare);
	return sorted[count / 2];
}

static struct ip address(const char *format, int n)
{
	char text[64];
	struct ip ip;

	snprintf(text, sizeof(text), format, n / 256, n % 256);
	check(ip_parse_net(text, &ip));
	return ip;
}

static void attach(struct nl *nl, struct nl *nft, int bridge, int n)
{
	struct ip addresses[] = { address("10.0.%d.%d/16", n + 2), address("fd00::%x:%x/64", n + 2) };
	struct route routes[] = { { .to = { .family = AF_INET } }, { .to = { .family = AF_INET6 } } };
	struct mac mac = { { 2, 1, 0, 0, (uint8_t)(n >> 8), (uint8_t)n } };
	char port[16];
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	AUTO(nl) struct nl *there = NULL;
	double at[PARTS + 1], used[PARTS + 1];
	int netns = netns_make(&e), part = 0;

	check(netns);
	snprintf(port, sizeof(port), "p%d", n);
	check(ip_parse("10.0.0.1", &routes[0].gateway));
	check(ip_parse("fd00::1", &routes[1].gateway));
#define MARK (at[part] = now(CLOCK_MONOTONIC), used[part++] = now(CLOCK_THREAD_CPUTIME_ID))
	MARK;
	link_create_veth(b, &(struct link_veth){ .name = port,
						 .peer_name = "eth0",
						 .peer_mac = &mac,
						 .peer_netns = netns,
						 .master = bridge,
						 .up = true });
	check(nl_ask(nl, b, &e));
	MARK;
	check(nl_open(NETLINK_ROUTE, netns, &there, &e));
	int index = nl_link_index(there, "eth0", &e);
	check(index);
	MARK;
	nl_batch_clear(b);
	link_change(b, &(struct link_change){ .index = index, .up = true });
	for (int i = 0; i < 2; i++)
		addr_add(b, index, &addresses[i], 0);
	for (int i = 0; i < 2; i++)
		route_add(b, &routes[i]);
	check(nl_ask(there, b, &e));
	MARK;
	nl_batch_clear(b);
	nft_port_add(
		b, &(struct nft_port){
			   .name = port, .bridge = "sw0", .mac = &mac, .addresses = addresses, .count = 2 });
	check(nft_ask(nft, b, &e));
	MARK;
	for (int i = 0; i < PARTS; i++) {
		wall[i][n] = at[i + 1] - at[i];
		cpu[i][n] = used[i + 1] - used[i];
	}
	wall[PARTS][n] = at[PARTS] - at[0];
	cpu[PARTS][n] = used[PARTS] - used[0];
}

/* The other way to silence a port: the state of the bridge's port. */
static void set_state(struct nl *nl, int index, uint8_t state)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct ifinfomsg header = { .ifi_family = AF_BRIDGE, .ifi_index = index };
	struct nlmsghdr *m = nl_put(b, RTM_SETLINK, 0, &header, sizeof(header), "state of a port");
	struct nlattr *nest = mnl_attr_nest_start(m, IFLA_PROTINFO | NLA_F_NESTED);

	mnl_attr_put_u8(m, IFLA_BRPORT_STATE, state);
	mnl_attr_nest_end(m, nest);
	check(nl_ask(nl, b, &e));
}

static void time_hold(struct nl *nl)
{
	static double on[TRIES], off[TRIES], state[TRIES];
	const char *port = "p0";
	AUTO(hold) struct hold *h = NULL;
	int index = nl_link_index(nl, port, &e);

	check(index);
	check(hold_open(-1, &port, 1, &h, &e));
	for (int i = 0; i < TRIES; i++) {
		double start = now(CLOCK_MONOTONIC);
		check(hold_on(h, &e));
		on[i] = now(CLOCK_MONOTONIC) - start;
		start = now(CLOCK_MONOTONIC);
		check(hold_off(h, &e));
		off[i] = now(CLOCK_MONOTONIC) - start;
		start = now(CLOCK_MONOTONIC);
		set_state(nl, index, i % 2 ? BR_STATE_FORWARDING : BR_STATE_BLOCKING);
		state[i] = now(CLOCK_MONOTONIC) - start;
	}
	printf("  %-32s %8.1f\n  %-32s %8.1f\n  %-32s %8.1f\n", "hold", median(on, TRIES), "release",
	       median(off, TRIES), "(state of the bridge's port)", median(state, TRIES));
	qsort(on, TRIES, sizeof(*on), compare);
	qsort(state, TRIES, sizeof(*state), compare);
	printf("  longest of %d: hold %.1f, state of the bridge's port %.1f\n", TRIES, on[TRIES - 1],
	       state[TRIES - 1]);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100;
	const struct mac mac = { { 2, 0, 0, 0, 0, 1 } };
	AUTO(nl) struct nl *nl = NULL;
	AUTO(nl) struct nl *nft = NULL;
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();

	if (count < EDGE || count > MOST || unshare(CLONE_NEWNET) < 0)
		return 2;
	check(nl_open(NETLINK_ROUTE, -1, &nl, &e));
	check(nl_open(NETLINK_NETFILTER, -1, &nft, &e));
	link_create_bridge(b, &(struct link_bridge){ .name = "sw0", .mac = &mac });
	check(nl_ask(nl, b, &e));
	int bridge = nl_link_index(nl, "sw0", &e);
	check(bridge);
	nl_batch_clear(b);
	nft_switch_add(b, &(struct nft_switch){ .bridge = "sw0", .nat = true });
	check(nft_ask(nft, b, &e));
	for (int i = 0; i < count; i++)
		attach(nl, nft, bridge, i);
	printf("\nwithin one process, microseconds     first %d       last %d of %d\n", EDGE, EDGE, count);
	printf("  %-32s %8s %5s %8s %5s\n", "", "wall", "cpu", "wall", "cpu");
	for (int i = 0; i <= PARTS; i++)
		printf("  %-32s %8.1f %5.0f %8.1f %5.0f\n", i < PARTS ? parts[i] : "all",
		       median(wall[i], EDGE), median(cpu[i], EDGE), median(wall[i] + count - EDGE, EDGE),
		       median(cpu[i] + count - EDGE, EDGE));
	time_hold(nl);
	return 0;
}
