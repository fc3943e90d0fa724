/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_guard.c - a container that may send any frame still speaks for itself only
 *
 * Frames are written by hand in container a and looked for in container b. A frame is delivered or dropped before
 * send(2) returns. */
#include "tests/unit/unit.h"

#include <linux/if_packet.h>
#include <sched.h>

#include "netns/neigh.h"
#include "runtime/base/str.h"
#include "tests/unit/netns/world.h"

#define FRAME 128
#define ETH   14

static const struct mac mine = { { 2, 0, 0, 0, 0, 0xa } }, others = { { 2, 0, 0, 0, 0, 0xb } };
static const struct mac everybody = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

struct frame {
	uint8_t bytes[FRAME];
	size_t size;
};

static void put_bytes(struct frame *f, size_t at, const void *data, size_t size)
{
	assert_true(at + size <= FRAME);
	memcpy(f->bytes + at, data, size);
	if (f->size < at + size)
		f->size = at + size;
}

static void put_ip(struct frame *f, size_t at, const char *text)
{
	struct ip ip = net(text);

	put_bytes(f, at, ip.bytes, ip_size(&ip));
}

static struct frame ethernet(const struct mac *from, unsigned int protocol)
{
	struct frame f = { .size = 0 };
	uint8_t type[2] = { (uint8_t)(protocol >> 8), (uint8_t)protocol };

	put_bytes(&f, 0, everybody.bytes, 6);
	put_bytes(&f, 6, from->bytes, 6);
	put_bytes(&f, 12, type, 2);
	return f;
}

static struct frame ip4(const struct mac *from, const char *source)
{
	struct frame f = ethernet(from, 0x0800);
	const uint8_t header[28] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17 }; /* UDP */

	put_bytes(&f, ETH, header, sizeof(header));
	put_ip(&f, ETH + 12, source);
	put_ip(&f, ETH + 16, "10.0.0.255");
	/* br_netfilter looks at the checksum. */
	uint32_t sum = 0;
	for (size_t i = ETH; i < ETH + 20; i += 2)
		sum += (uint32_t)(f.bytes[i] << 8 | f.bytes[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	const uint8_t check[2] = { (uint8_t)(~sum >> 8), (uint8_t)~sum };
	put_bytes(&f, ETH + 10, check, 2);
	return f;
}

static struct frame arp(const struct mac *from, const struct mac *sender, const char *address)
{
	struct frame f = ethernet(from, 0x0806);
	const uint8_t header[28] = { 0, 1, 8, 0, 6, 4, 0, 2 };

	put_bytes(&f, ETH, header, sizeof(header));
	put_bytes(&f, ETH + 8, sender->bytes, 6);
	put_ip(&f, ETH + 14, address);
	return f;
}

/* An IPv6 packet with this next header and payload. */
static struct frame ip6(const char *source, uint8_t next, const void *payload, size_t size)
{
	struct frame f = ethernet(&mine, 0x86dd);
	const uint8_t header[8] = { 0x60, 0, 0, 0, 0, (uint8_t)size, next, 255 };

	put_bytes(&f, ETH, header, sizeof(header));
	put_ip(&f, ETH + 8, source);
	put_ip(&f, ETH + 24, "ff02::1");
	put_bytes(&f, ETH + 40, payload, size);
	return f;
}

static struct frame udp6(const char *source)
{
	static const uint8_t udp[8];

	return ip6(source, 17, udp, sizeof(udp));
}

/* Neighbour discovery: type, target, and an option (0: none) with this MAC. */
static struct frame nd(const char *source, uint8_t type, const char *target, uint8_t option,
		       const struct mac *mac)
{
	uint8_t body[32] = { type };
	struct ip ip = net(target);

	memcpy(body + 8, ip.bytes, 16);
	body[24] = option;
	body[25] = 1;
	if (mac)
		memcpy(body + 26, mac->bytes, 6);
	return ip6(source, 58, body, option ? 32 : 24);
}

/* The advertisement behind a hop-by-hop header, where a hasty filter does not look. */
static struct frame hidden_na(void)
{
	uint8_t body[8 + 32] = { 58, 0, 1, 4, 0, 0, 0, 0, 136 };
	struct ip ip = net("fd00::1");

	memcpy(body + 16, ip.bytes, 16);
	body[32] = 2;
	body[33] = 1;
	memcpy(body + 34, mine.bytes, 6);
	return ip6("fd00::2", 0, body, sizeof(body));
}

/* Two options: ours first, the other's after it. */
static struct frame two_options(void)
{
	uint8_t body[40] = { 136 };
	struct ip ip = net("fd00::2");

	memcpy(body + 8, ip.bytes, 16);
	for (int i = 0; i < 2; i++) {
		body[24 + 8 * i] = 2;
		body[25 + 8 * i] = 1;
		memcpy(body + 26 + 8 * i, i ? others.bytes : mine.bytes, 6);
	}
	return ip6("fd00::2", 58, body, sizeof(body));
}

static struct frame report(const char *source)
{
	uint8_t body[8 + 8] = { 58, 0, 5, 2, 0, 0, 1, 0, 143 }; /* MLDv2, behind the router alert */

	return ip6(source, 0, body, sizeof(body));
}

static struct frame vlan(void)
{
	struct frame f = ethernet(&mine, 0x8100), inner = ip4(&mine, "10.0.0.2");
	const uint8_t tag[4] = { 0, 5, 8, 0 };

	put_bytes(&f, ETH, tag, 4);
	put_bytes(&f, ETH + 4, inner.bytes + ETH, inner.size - ETH);
	return f;
}

/* Does what a sends arrive at b? */
static bool arrives(int from, int to, const struct frame *f)
{
	uint8_t buf[2048];

	ssize_t n;
	bool seen = false;

	while (recv(to, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		;

	assert_int_equal(send(from, f->bytes, f->size, 0), f->size);
	while ((n = recv(to, buf, sizeof(buf), MSG_DONTWAIT)) >= 0)
		seen = seen || ((size_t)n == f->size && memcmp(buf, f->bytes, f->size) == 0);
	return seen;
}

static int packet_socket(int netns)
{
	AUTO(nl) struct nl *nl = NULL;
	int index, fd = socket_in(netns, AF_PACKET, SOCK_RAW, htons(3 /* ETH_P_ALL */));

	ok(nl_open(NETLINK_ROUTE, netns, &nl, &e));
	ok((index = nl_link_index(nl, "eth0", &e)));
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(3), .sll_ifindex = index };
	assert_int_equal(bind(fd, (void *)&at, sizeof(at)), 0);
	return fd;
}

static void test_a_port_speaks_for_itself_only(void **state)
{
	struct world w;
	const char *own6 = "fe80::ff:fe00:a", *others6 = "fe80::ff:fe00:b";
	const struct {
		const char *what;
		bool passes;
		struct frame frame;
	} frames[] = {
		{ "own IPv4 address", true, ip4(&mine, "10.0.0.2") },
		{ "other IPv4 address", false, ip4(&mine, "10.0.0.3") },
		{ "the gateway's IPv4 address", false, ip4(&mine, "10.0.0.1") },
		{ "no IPv4 address", false, ip4(&mine, "0.0.0.0") },
		{ "own IPv4 address, other MAC", false, ip4(&others, "10.0.0.2") },
		{ "own ARP", true, arp(&mine, &mine, "10.0.0.2") },
		{ "ARP probe", true, arp(&mine, &mine, "0.0.0.0") },
		{ "ARP for the gateway", false, arp(&mine, &mine, "10.0.0.1") },
		{ "ARP with other sender", false, arp(&mine, &others, "10.0.0.2") },
		{ "ARP in other's frame", false, arp(&others, &mine, "10.0.0.2") },
		{ "ARP probe in other's frame", false, arp(&others, &mine, "0.0.0.0") },
		{ "own IPv6 address", true, udp6("fd00::2") },
		{ "own link-local address", true, udp6(own6) },
		{ "other IPv6 address", false, udp6("fd00::3") },
		{ "other link-local address", false, udp6(others6) },
		{ "no IPv6 address", false, udp6("::") },
		{ "own advertisement", true, nd("fd00::2", 136, "fd00::2", 2, &mine) },
		{ "own advertisement, no option", true, nd("fd00::2", 136, "fd00::2", 0, NULL) },
		{ "link-local advertisement", true, nd(own6, 136, own6, 2, &mine) },
		{ "advertisement of the gateway", false, nd("fd00::2", 136, "fd00::1", 2, &mine) },
		{ "advertisement of the gateway, no option", false, nd("fd00::2", 136, "fd00::1", 0, NULL) },
		{ "advertisement from the gateway", false, nd("fd00::1", 136, "fd00::1", 2, &mine) },
		{ "advertisement with other MAC", false, nd("fd00::2", 136, "fd00::2", 2, &others) },
		{ "advertisement with two options", false, two_options() },
		{ "advertisement behind a header", false, hidden_na() },
		{ "solicitation", true, nd("fd00::2", 135, "fd00::3", 1, &mine) },
		{ "solicitation with other MAC", false, nd("fd00::2", 135, "fd00::3", 1, &others) },
		{ "solicitation from other", false, nd("fd00::3", 135, "fd00::1", 1, &mine) },
		{ "duplicate address detection", true, nd("::", 135, "fd00::2", 0, NULL) },
		{ "router advertisement", false, nd(own6, 134, "::", 1, &mine) },
		{ "redirect", false, nd(own6, 137, "fd00::1", 0, NULL) },
		{ "membership report", true, report(own6) },
		{ "membership report, no address yet", true, report("::") },
		{ "membership report of other", false, report(others6) },
		{ "VLAN", false, vlan() },
		{ "some other protocol", false, ethernet(&mine, 0x88b5) },
	};

	(void)state;
	need_sandbox();
	world_open(&w, (struct nft_switch){ .nat = true });
	int from = packet_socket(w.a.netns), to = packet_socket(w.b.netns);
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		if (arrives(from, to, &frames[i].frame) != frames[i].passes)
			fail_msg("%s %s", frames[i].what, frames[i].passes ? "does not pass" : "passes");
	/* Held, nothing passes; and the decoy: without the guard everything does. */
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	nft_hold(b, "pa");
	ok(nft_ask(w.nft, b, &e));
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		assert_false(arrives(from, to, &frames[i].frame));
	ok(nft_remove(w.nft, &e));
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		if (!arrives(from, to, &frames[i].frame) && !str_eq(frames[i].what, "VLAN"))
			fail_msg("%s is not a good test: it never passes", frames[i].what);
	close(from);
	close(to);
	world_close(&w);
}

static void test_announcements_pass_and_are_believed(void **state)
{
	struct world w;
	struct announce a;
	AUTO(nl) struct nl *there = NULL;
	int index;

	(void)state;
	need_sandbox();
	world_open(&w, (struct nft_switch){ .nat = false });
	ok(nl_open(NETLINK_ROUTE, w.a.netns, &there, &e));
	ok((index = nl_link_index(there, "eth0", &e)));
	const struct ip addresses[] = { net("10.0.0.2"), net("fd00::2") };
	ok(announce_open(&a, w.a.netns, index, &w.a.mac, addresses, 2, &e));
	int to = packet_socket(w.b.netns);
	uint8_t buf[2048];
	size_t arps = 0, advertisements = 0;
	while (recv(to, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		;
	ok(announce_send(&a, &e));
	for (ssize_t n; (n = recv(to, buf, sizeof(buf), MSG_DONTWAIT)) >= 0;) {
		arps += n == 42 && buf[12] == 8 && buf[13] == 6;
		advertisements += n == 86 && buf[54] == 136;
	}
	assert_int_equal(arps, 2); /* request and reply */
	assert_int_equal(advertisements, 1);
	announce_close(&a);
	/* Too many are refused. */
	fails(announce_open(&a, w.a.netns, index, &w.a.mac, addresses, 17, &e), E2BIG,
	      "announce: more than 16 addresses");
	/* The schedule ends. */
	assert_int_equal(announce_pause_ms(0), 0);
	assert_int_equal(announce_pause_ms(ANNOUNCE_ROUNDS - 1), 350);
	assert_int_equal(announce_pause_ms(ANNOUNCE_ROUNDS), -1);
	close(to);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_port_speaks_for_itself_only),
		cmocka_unit_test(test_announcements_pass_and_are_believed),
	};
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	return cmocka_run_group_tests(tests, sandbox_enter, NULL);
}
