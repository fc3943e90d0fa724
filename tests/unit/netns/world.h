/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.h - a host with two switches, three containers and an outside, all in namespaces of the test
 *
 *	outside 192.0.2.2 --- 192.0.2.1 host sw0 10.0.0.1/24 fd00::1/64 --- a (.2, ::2), b (.3, ::3)
 *	                                     sw1 10.1.0.1/24 fd01::1/64 --- c (10.1.0.2, fd01::2)
 */
#ifndef CORACLE_WORLD_H
#define CORACLE_WORLD_H

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "netns/addr.h"
#include "netns/link.h"
#include "netns/nft.h"
#include "netns/route.h"
#include "netns/sysctl.h"
#include "tests/unit/netns/sandbox.h"

struct side {
	const char *port, *bridge;
	const char *ip4, *ip6, *gateway4, *gateway6;
	struct mac mac;
	int netns;
	bool hairpin;
};

struct world {
	struct nl *nl, *nft;
	struct side a, b, c;
	int outside;
};

static inline struct ip net(const char *text)
{
	struct ip ret;

	if (ip_parse_net(text, &ret) < 0)
		assert_int_equal(ip_parse(text, &ret), 0);
	return ret;
}

static inline void world_switch(struct world *w, struct nft_switch s, const char *ip4, const char *ip6)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct mac mac = { { 2, 0xff, 0, 0, 0, (uint8_t)s.bridge[2] } };
	struct ip four = net(ip4), six = net(ip6);
	int index;

	link_create_bridge(b, &(struct link_bridge){ .name = s.bridge, .mac = &mac });
	ok(nl_ask(w->nl, b, &e));
	ok((index = nl_link_index(w->nl, s.bridge, &e)));
	nl_batch_clear(b);
	addr_add(b, index, &four, 0);
	addr_add(b, index, &six, 0);
	route_add(b, &(struct route){ .to = net("::1/128"),
				      .index = index,
				      .local = true,
				      .metric = 2048U + (uint32_t)index });
	ok(nl_ask(w->nl, b, &e));
	nl_batch_clear(b);
	nft_switch_add(b, &s);
	ok(nft_ask(w->nft, b, &e));
}

/* What attaching a container is: one batch here, one there, one of facts. */
static inline void world_attach(struct world *w, struct side *s, uint64_t police)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	AUTO(nl) struct nl *there = NULL;
	struct ip addresses[] = { net(s->ip4), net(s->ip6) };
	struct route defaults[] = { { .to = net("0.0.0.0/0"), .gateway = net(s->gateway4) },
				    { .to = net("::/0"), .gateway = net(s->gateway6) } };
	int index;

	ok((s->netns = netns_make(&e)));
	ok((index = nl_link_index(w->nl, s->bridge, &e)));
	link_create_veth(b, &(struct link_veth){ .name = s->port,
						 .peer_name = "eth0",
						 .peer_mac = &s->mac,
						 .peer_netns = s->netns,
						 .master = index,
						 .up = true });
	if (s->hairpin)
		link_set_port(b, s->port, PORT_HAIRPIN, PORT_HAIRPIN);
	ok(nl_ask(w->nl, b, &e));
	nl_batch_clear(b);
	ok(nl_open(NETLINK_ROUTE, s->netns, &there, &e));
	ok((index = nl_link_index(there, "eth0", &e)));
	link_change(b, &(struct link_change){ .name = "lo", .up = true });
	link_change(b, &(struct link_change){ .name = "eth0", .up = true });
	for (int i = 0; i < 2; i++)
		addr_add(b, index, &addresses[i], 0);
	for (int i = 0; i < 2; i++)
		route_add(b, &defaults[i]);
	ok(nl_ask(there, b, &e));
	nl_batch_clear(b);
	nft_port_add(b, &(struct nft_port){ .name = s->port,
					    .bridge = s->bridge,
					    .mac = &s->mac,
					    .addresses = addresses,
					    .count = 2,
					    .reflects = s->hairpin,
					    .police_bytes = police });
	ok(nft_ask(w->nft, b, &e));
}

static inline void world_outside(struct world *w)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	AUTO(nl) struct nl *there = NULL;
	struct ip here = net("192.0.2.1/24"), peer = net("192.0.2.2/24");
	struct route back = { .to = net("10.0.0.0/8"), .gateway = net("192.0.2.1") };
	int index, peer_index;

	ok((w->outside = netns_make(&e)));
	link_create_veth(b,
			 &(struct link_veth){
				 .name = "up0", .peer_name = "eth0", .peer_netns = w->outside, .up = true });
	link_change(b, &(struct link_change){ .name = "lo", .up = true });
	ok(nl_ask(w->nl, b, &e));
	nl_batch_clear(b);
	ok((index = nl_link_index(w->nl, "up0", &e)));
	addr_add(b, index, &here, 0);
	ok(nl_ask(w->nl, b, &e));
	nl_batch_clear(b);
	ok(nl_open(NETLINK_ROUTE, w->outside, &there, &e));
	ok((peer_index = nl_link_index(there, "eth0", &e)));
	link_change(b, &(struct link_change){ .name = "eth0", .up = true });
	addr_add(b, peer_index, &peer, 0);
	route_add(b, &back);
	ok(nl_ask(there, b, &e));
	ok(net_sysctl_ensure(-1, "ipv4/ip_forward", NULL, "1", NULL, &e));
	ok(net_sysctl_ensure(-1, "ipv6/conf/all/forwarding", NULL, "1", NULL, &e));
}

/* In a network namespace of its own, so that each test begins anew. */
static inline void world_open(struct world *w, struct nft_switch first)
{
	struct nft_switch second = { .bridge = "sw1" };

	*w = (struct world){
		.a = { "pa",
		       "sw0",
		       "10.0.0.2/24",
		       "fd00::2/64",
		       "10.0.0.1",
		       "fd00::1",
		       { { 2, 0, 0, 0, 0, 0xa } },
		       -1 },
		.b = { "pb",
		       "sw0",
		       "10.0.0.3/24",
		       "fd00::3/64",
		       "10.0.0.1",
		       "fd00::1",
		       { { 2, 0, 0, 0, 0, 0xb } },
		       -1,
		       true },
		.c = { "pc",
		       "sw1",
		       "10.1.0.2/24",
		       "fd01::2/64",
		       "10.1.0.1",
		       "fd01::1",
		       { { 2, 0, 0, 0, 0, 0xc } },
		       -1 },
	};
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	ok(nl_open(NETLINK_ROUTE, -1, &w->nl, &e));
	ok(nl_open(NETLINK_NETFILTER, -1, &w->nft, &e));
	world_outside(w);
	first.bridge = "sw0";
	world_switch(w, first, "10.0.0.1/24", "fd00::1/64");
	world_switch(w, second, "10.1.0.1/24", "fd01::1/64");
	ok(net_sysctl_ensure(-1, "ipv4/conf/%s/route_localnet", "sw0", "1", NULL, &e));
	world_attach(w, &w->a, 0);
	world_attach(w, &w->b, 0);
	world_attach(w, &w->c, 0);
}

static inline void world_close(struct world *w)
{
	nl_free(w->nl);
	nl_free(w->nft);
	close(w->a.netns);
	close(w->b.netns);
	close(w->c.netns);
	close(w->outside);
}

/* ---- sockets in a namespace (-1: the host's) ---- */

static inline int socket_in(int netns, int family, int type, int protocol)
{
	int home, fd;

	ok(netns_visit(netns, &home, &e));
	fd = socket(family, type | SOCK_CLOEXEC, protocol);
	assert_true(fd >= 0);
	ok(netns_leave(home, &e));
	return fd;
}

static inline socklen_t address_of(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct ip ip = net(text);
	struct sockaddr_in *four = (void *)ret;
	struct sockaddr_in6 *six = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = ip.family;
	if (ip.family == AF_INET) {
		memcpy(&four->sin_addr, ip.bytes, 4);
		four->sin_port = htons(port);
		return sizeof(*four);
	}
	memcpy(&six->sin6_addr, ip.bytes, 16);
	six->sin6_port = htons(port);
	return sizeof(*six);
}

static inline int bound_in(int netns, int type, const char *ip, uint16_t port)
{
	struct sockaddr_storage at;
	socklen_t n = address_of(ip, port, &at);
	int fd = socket_in(netns, at.ss_family, type, 0);
	const int one = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (void *)&at, n), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* Connect, waiting for it to work or to fail; the socket, or a negative errno. */
static inline int connect_from(int netns, int type, const char *ip, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t n = address_of(ip, port, &to);
	int fd = socket_in(netns, to.ss_family, type, 0);
	const struct timeval limit = { .tv_sec = 10 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	if (connect(fd, (void *)&to, n) == 0)
		return fd;
	int errnum = errno;
	close(fd);
	return -errnum;
}

/* The next connection's client address as text. */
static inline const char *accepted_from(int listener, char text[static INET6_ADDRSTRLEN], int *ret_fd)
{
	struct sockaddr_storage from;
	socklen_t n = sizeof(from);
	struct pollfd p = { .fd = listener, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 10000), 1);
	int fd = accept(listener, (void *)&from, &n);
	assert_true(fd >= 0);
	if (from.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&from)->sin6_addr, text, INET6_ADDRSTRLEN);
	if (ret_fd)
		*ret_fd = fd;
	else
		close(fd);
	return text;
}

/* netns connects to ip:port, and `listener` sees it come from `seen`. */
#define reaches(netns, ip, port, listener, seen)                                                   \
	do {                                                                                       \
		char text_[INET6_ADDRSTRLEN];                                                      \
		int fd_ = connect_from(netns, SOCK_STREAM, ip, port);                              \
		if (fd_ < 0)                                                                       \
			fail_msg("%s:%d: connect %s: %s", __FILE__, __LINE__, ip, strerror(-fd_)); \
		assert_string_equal(accepted_from(listener, text_, NULL), seen);                   \
		close(fd_);                                                                        \
	} while (0)

#endif
