/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_netdev.c - a link moves into a namespace with its addresses, and stays where it was when that fails */
#include "tests/unit/unit.h"

#include "netns/addr.h"
#include "netns/link.h"
#include "netns/netdev.h"
#include "tests/unit/netns/sandbox.h"

static struct ip net(const char *text)
{
	struct ip ret;

	assert_int_equal(ip_parse_net(text, &ret), 0);
	return ret;
}

/* How many of these two addresses the link has. */
static size_t count_addresses(struct nl *nl, int index)
{
	struct ip four = net("10.9.0.1/24"), six = net("fd09::1/64");
	auto_free struct addr *addrs = NULL;
	size_t count, found = 0;

	ok(addr_list(nl, index, &addrs, &count, &e));
	for (size_t i = 0; i < count; i++)
		found += (ip_equal(&addrs[i].ip, &four) && addrs[i].ip.prefix == 24) ||
			 (ip_equal(&addrs[i].ip, &six) && addrs[i].ip.prefix == 64);
	return found;
}

static void make_link(struct bench *t, const char *name)
{
	struct ip four = net("10.9.0.1/24"), six = net("fd09::1/64");
	int index;

	link_create_bridge(t->b, &(struct link_bridge){ .name = "master" });
	link_create_veth(
		t->b,
		&(struct link_veth){
			.name = name, .peer_name = "otherend", .mtu = 1300, .peer_netns = -1, .up = true });
	send_ok(t, nl);
	ok((index = nl_link_index(t->nl, name, &e)));
	addr_add(t->b, index, &four, 0);
	addr_add(t->b, index, &six, 0);
	send_ok(t, nl);
}

static void test_link_moves_with_its_addresses_and_back(void **state)
{
	struct bench t;
	struct link l;
	int here;

	(void)state;
	need_sandbox();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	bench_open(&t);
	make_link(&t, "host0");
	ok((here = netns_open_self(&e)));
	ok(netdev_move(here, t.other, "host0", "eth0", &e));
	fails(link_get(t.nl, "host0", &l, &e), ENODEV, "link host0");
	ok(link_get(t.other_nl, "eth0", &l, &e));
	assert_true(l.flags & IFF_UP);
	assert_int_equal(l.mtu, 1300);
	assert_int_equal(count_addresses(t.other_nl, l.index), 2);
	ok(netdev_return(t.other, here, "eth0", "host0", &e));
	ok(link_get(t.nl, "host0", &l, &e));
	assert_false(l.flags & IFF_UP);
	assert_int_equal(count_addresses(t.nl, l.index), 2);
	/* The same name. */
	ok(netdev_move(here, t.other, "host0", "", &e));
	ok(link_get(t.other_nl, "host0", &l, &e));
	close(here);
	bench_close(&t);
}

static void test_failures_leave_it_where_it_was(void **state)
{
	struct bench t;
	struct link l;
	int here;

	(void)state;
	need_sandbox();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	bench_open(&t);
	make_link(&t, "host1");
	ok((here = netns_open_self(&e)));
	fails(netdev_move(here, t.other, "host1", "lo", &e), EEXIST,
	      "network device host1: the container has a link lo already");
	fails(netdev_move(here, t.other, "nolink", NULL, &e), ENODEV,
	      "network device nolink: link nolink: No such device");
	fails(netdev_move(here, t.other, "host1", "a/b", &e), EINVAL,
	      "network device host1: 'a/b' is not a link's name");
	/* The loopback link cannot leave. */
	fails(netdev_move(here, t.other, "lo", "lo9", &e), EINVAL,
	      "network device lo: link lo: move to another namespace");
	ok(link_get(t.nl, "lo", &l, &e));
	ok(link_get(t.nl, "host1", &l, &e));
	assert_true(l.flags & IFF_UP);
	assert_int_equal(count_addresses(t.nl, l.index), 2);
	close(here);
	bench_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_moves_with_its_addresses_and_back),
		cmocka_unit_test(test_failures_leave_it_where_it_was),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, NULL);
}
