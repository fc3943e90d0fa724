/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_traffic.c - what passes and what does not, with real sockets: switching, NAT, publishing, isolation,
 * hold. A packet is delivered or dropped before send(2) returns (the links are veth pairs, and the test runs on
 * one processor), so what has not arrived then will not. */
#include "tests/unit/unit.h"

#include <sched.h>

#include "netns/hold.h"
#include "tests/unit/netns/world.h"

static const struct nft_switch plain = { 0 }, natted = { .nat = true }, isolated = { .isolated = true };

static void test_containers_and_host_reach_each_other(void **state)
{
	struct world w;

	(void)state;
	need_sandbox();
	world_open(&w, plain);
	int four = bound_in(w.b.netns, SOCK_STREAM, "10.0.0.3", 80),
	    six = bound_in(w.b.netns, SOCK_STREAM, "fd00::3", 80);
	reaches(w.a.netns, "10.0.0.3", 80, four, "10.0.0.2");
	reaches(w.a.netns, "fd00::3", 80, six, "fd00::2");
	reaches(-1, "10.0.0.3", 80, four, "10.0.0.1");
	reaches(-1, "fd00::3", 80, six, "fd00::1");
	int host = bound_in(-1, SOCK_STREAM, "10.0.0.1", 81);
	reaches(w.a.netns, "10.0.0.1", 81, host, "10.0.0.2");
	/* Without NAT, what is routed keeps its address, both ways. */
	int outside = bound_in(w.outside, SOCK_STREAM, "192.0.2.2", 82);
	reaches(w.a.netns, "192.0.2.2", 82, outside, "10.0.0.2");
	reaches(w.outside, "10.0.0.3", 80, four, "192.0.2.2");
	close(four);
	close(six);
	close(host);
	close(outside);
	world_close(&w);
}

static void test_nat_gives_the_hosts_address(void **state)
{
	struct world w;

	(void)state;
	need_sandbox();
	world_open(&w, natted);
	int outside = bound_in(w.outside, SOCK_STREAM, "192.0.2.2", 82);
	reaches(w.a.netns, "192.0.2.2", 82, outside, "192.0.2.1");
	close(outside);
	world_close(&w);
}

static void publish(struct world *w, const char *host, uint16_t host_port, const char *to, uint16_t port,
		    bool remove)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct nft_publish p = { .protocol = IPPROTO_TCP,
				 .host = net(host),
				 .host_port = host_port,
				 .to = net(to),
				 .port = port };

	if (remove)
		nft_publish_remove(b, &p);
	else
		nft_publish_add(b, &p);
	ok((remove ? nft_forget : nft_ask)(w->nft, b, &e));
}

static void test_published_port_is_reached_from_everywhere(void **state)
{
	struct world w;

	(void)state;
	need_sandbox();
	world_open(&w, natted);
	int b = bound_in(w.b.netns, SOCK_STREAM, "10.0.0.3", 80),
	    b6 = bound_in(w.b.netns, SOCK_STREAM, "fd00::3", 80);
	publish(&w, "0.0.0.0", 8080, "10.0.0.3", 80, false);
	publish(&w, "::", 8080, "fd00::3", 80, false);
	reaches(w.outside, "192.0.2.1", 8080, b, "192.0.2.2");
	reaches(-1, "127.0.0.1", 8080, b, "10.0.0.1");
	reaches(-1, "192.0.2.1", 8080, b, "10.0.0.1");
	reaches(w.c.netns, "192.0.2.1", 8080, b, "10.1.0.2"); /* from another switch */
	/* From its own switch, and from itself. */
	reaches(w.a.netns, "192.0.2.1", 8080, b, "10.0.0.1");
	reaches(w.a.netns, "10.0.0.1", 8080, b, "10.0.0.1");
	reaches(w.b.netns, "10.0.0.1", 8080, b, "10.0.0.1");
	reaches(-1, "fd00::1", 8080, b6, "fd00::1");
	reaches(w.a.netns, "fd00::1", 8080, b6, "fd00::1");
	reaches(w.c.netns, "fd01::1", 8080, b6, "fd01::2");
	/* No longer published. */
	publish(&w, "0.0.0.0", 8080, "10.0.0.3", 80, true);
	assert_int_equal(connect_from(w.outside, SOCK_STREAM, "192.0.2.1", 8080), -ECONNREFUSED);
	close(b);
	close(b6);
	world_close(&w);
}

/* The kernel has no route_localnet for IPv6: an answer to ::1 is taken only from the link that a local route for
 * it names, and only while bridged packets are not shown to the rules of IPv6 (br_netfilter would put ::1
 * back before the check of ip6_rcv_core that refuses it). */
static void test_published_port_is_reached_by_the_loopback_of_ipv6(void **state)
{
	struct world w;
	char now[8];
	struct error why = { 0 };

	(void)state;
	need_sandbox();
	world_open(&w, natted);
	if (net_sysctl_read(-1, "bridge/bridge-nf-call-ip6tables", NULL, now, sizeof(now), &why) >= 0)
		ok(net_sysctl_ensure(-1, "bridge/bridge-nf-call-ip6tables", NULL, "0", NULL, &e));
	int b6 = bound_in(w.b.netns, SOCK_STREAM, "fd00::3", 80);
	publish(&w, "::", 8080, "fd00::3", 80, false);
	reaches(-1, "::1", 8080, b6, "fd00::1");
	close(b6);
	world_close(&w);
}

static void test_published_on_one_address_only(void **state)
{
	struct world w;

	(void)state;
	need_sandbox();
	world_open(&w, natted);
	int b = bound_in(w.b.netns, SOCK_STREAM, "10.0.0.3", 80);
	publish(&w, "127.0.0.1", 8081, "10.0.0.3", 80, false);
	reaches(-1, "127.0.0.1", 8081, b, "10.0.0.1");
	assert_int_equal(connect_from(w.outside, SOCK_STREAM, "192.0.2.1", 8081), -ECONNREFUSED);
	close(b);
	world_close(&w);
}

/* A datagram from `netns` to ip:9 does not reach `receiver`; one to the marker's address, sent after it, has. */
static void is_cut_off(int netns, const char *ip, int receiver)
{
	struct sockaddr_storage to;
	char buf[8];
	socklen_t n = address_of(ip, 9, &to);
	int fd = socket_in(netns, to.ss_family, SOCK_DGRAM, 0);

	assert_int_equal(sendto(fd, "no", 2, 0, (void *)&to, n), 2);
	if (recv(receiver, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		fail_msg("%s was reached", ip);
	close(fd);
}

static void is_let_through(int netns, const char *ip, int receiver)
{
	struct sockaddr_storage to;
	char buf[8];
	struct pollfd p = { .fd = receiver, .events = POLLIN };
	socklen_t n = address_of(ip, 9, &to);
	int fd = socket_in(netns, to.ss_family, SOCK_DGRAM, 0);

	assert_int_equal(sendto(fd, "yes", 3, 0, (void *)&to, n), 3);
	if (poll(&p, 1, 10000) != 1)
		fail_msg("%s was not reached", ip);
	assert_int_equal(recv(receiver, buf, sizeof(buf), MSG_DONTWAIT), 3);
	close(fd);
}

static void test_switches_are_apart(void **state)
{
	struct world w;

	(void)state;
	need_sandbox();
	world_open(&w, natted);
	int a = bound_in(w.a.netns, SOCK_DGRAM, "0.0.0.0", 9),
	    c = bound_in(w.c.netns, SOCK_DGRAM, "0.0.0.0", 9),
	    c6 = bound_in(w.c.netns, SOCK_DGRAM, "fd01::2", 9),
	    b = bound_in(w.b.netns, SOCK_DGRAM, "10.0.0.3", 9);
	/* Each path is known to work, neighbours are resolved, before it is expected not to. */
	is_let_through(-1, "10.1.0.2", c);
	is_let_through(-1, "fd01::2", c6);
	is_let_through(-1, "10.0.0.2", a);
	is_let_through(w.a.netns, "10.0.0.3", b);
	is_let_through(w.outside, "10.1.0.2", c);
	is_cut_off(w.a.netns, "10.1.0.2", c);
	is_cut_off(w.a.netns, "fd01::2", c6);
	is_cut_off(w.c.netns, "10.0.0.2", a);
	/* Nothing new comes in from outside to a switch with NAT. */
	is_cut_off(w.outside, "10.0.0.2", a);
	close(a);
	close(b);
	close(c);
	close(c6);
	world_close(&w);
}

static void test_isolated_switch_has_no_other_side(void **state)
{
	struct world w;

	(void)state;
	need_sandbox();
	world_open(&w, plain);
	int host = bound_in(-1, SOCK_DGRAM, "0.0.0.0", 9),
	    outside = bound_in(w.outside, SOCK_DGRAM, "0.0.0.0", 9),
	    a = bound_in(w.a.netns, SOCK_DGRAM, "0.0.0.0", 9);
	is_let_through(w.a.netns, "10.0.0.1", host);
	is_let_through(w.a.netns, "192.0.2.2", outside);
	is_let_through(w.outside, "10.0.0.2", a);
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct nft_switch s = isolated;
	s.bridge = "sw0";
	nft_switch_add(b, &s);
	ok(nft_ask(w.nft, b, &e));
	is_cut_off(w.a.netns, "10.0.0.1", host);
	int b_port = bound_in(w.b.netns, SOCK_DGRAM, "10.0.0.3", 9);
	is_let_through(w.a.netns, "10.0.0.3", b_port);
	close(host);
	close(outside);
	close(a);
	close(b_port);
	world_close(&w);
}

static void test_containers_do_not_reach_the_hosts_loopback(void **state)
{
	struct world w;
	AUTO(nl) struct nl *there = NULL;
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct route to_loopback = { .to = net("127.0.0.9/32"), .gateway = net("10.0.0.1") };

	(void)state;
	need_sandbox();
	world_open(&w, natted);
	int host = bound_in(-1, SOCK_DGRAM, "127.0.0.9", 9), any = bound_in(-1, SOCK_DGRAM, "10.0.0.1", 9);
	is_let_through(w.a.netns, "10.0.0.1", any);
	/* The container does all it can: its own loopback takes no part. */
	ok(net_sysctl_ensure(w.a.netns, "ipv4/conf/%s/route_localnet", "eth0", "1", NULL, &e));
	ok(nl_open(NETLINK_ROUTE, w.a.netns, &there, &e));
	struct ip loopback = net("127.0.0.1/8");
	addr_remove(b, 1, &loopback);
	route_add(b, &to_loopback);
	ok(nl_ask(there, b, &e));
	is_cut_off(w.a.netns, "127.0.0.9", host);
	close(host);
	close(any);
	world_close(&w);
}

static void test_held_port_is_silent_both_ways(void **state)
{
	struct world w;
	AUTO(hold) struct hold *h = NULL;
	const char *port = "pb";
	char text[INET6_ADDRSTRLEN], buf[8];
	int served;

	(void)state;
	need_sandbox();
	world_open(&w, plain);
	ok(hold_open(-1, &port, 1, &h, &e));
	int listener = bound_in(w.b.netns, SOCK_STREAM, "10.0.0.3", 80);
	int client = connect_from(w.a.netns, SOCK_STREAM, "10.0.0.3", 80);
	assert_true(client >= 0);
	accepted_from(listener, text, &served);
	assert_int_equal(send(client, "1", 1, 0), 1);
	assert_int_equal(recv(served, buf, sizeof(buf), 0), 1);
	ok(hold_on(h, &e));
	assert_int_equal(send(client, "2", 1, 0), 1);
	assert_int_equal(recv(served, buf, sizeof(buf), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(send(served, "3", 1, 0), 1);
	assert_int_equal(recv(client, buf, sizeof(buf), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	/* Released, both come by themselves. */
	ok(hold_off(h, &e));
	assert_int_equal(recv(served, buf, sizeof(buf), 0), 1);
	assert_int_equal(buf[0], '2');
	assert_int_equal(recv(client, buf, sizeof(buf), 0), 1);
	assert_int_equal(buf[0], '3');
	/* The server's end while it is held: no reset gets out. */
	ok(hold_on(h, &e));
	const struct linger abort_it = { .l_onoff = 1 };
	assert_int_equal(setsockopt(served, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it)), 0);
	close(served);
	close(listener);
	assert_int_equal(send(client, "4", 1, 0), 1);
	assert_int_equal(recv(client, buf, sizeof(buf), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(client);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_containers_and_host_reach_each_other),
		cmocka_unit_test(test_nat_gives_the_hosts_address),
		cmocka_unit_test(test_published_port_is_reached_from_everywhere),
		cmocka_unit_test(test_published_port_is_reached_by_the_loopback_of_ipv6),
		cmocka_unit_test(test_published_on_one_address_only),
		cmocka_unit_test(test_switches_are_apart),
		cmocka_unit_test(test_isolated_switch_has_no_other_side),
		cmocka_unit_test(test_containers_do_not_reach_the_hosts_loopback),
		cmocka_unit_test(test_held_port_is_silent_both_ways),
	};
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	return cmocka_run_group_tests(tests, sandbox_enter, NULL);
}
