/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_route.c - addresses, routes, neighbours, limits and settings of a link, given, read back and taken */
#include "tests/unit/unit.h"

#include <linux/if_addr.h>

#include "netns/addr.h"
#include "netns/link.h"
#include "netns/neigh.h"
#include "netns/route.h"
#include "netns/sysctl.h"
#include "netns/tc.h"
#include "tests/unit/netns/sandbox.h"

static struct ip net(const char *text)
{
	struct ip ret;

	if (ip_parse_net(text, &ret) < 0)
		assert_int_equal(ip_parse(text, &ret), 0);
	return ret;
}

/* A new namespace with a pair of links that are up; the index of the first. */
static int make_pair(struct bench *t)
{
	int index;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	bench_open(t);
	link_create_veth(t->b, &(struct link_veth){
				       .name = "one", .peer_name = "two", .peer_netns = -1, .up = true });
	link_change(t->b, &(struct link_change){ .name = "two", .up = true });
	send_ok(t, nl);
	ok((index = nl_link_index(t->nl, "one", &e)));
	return index;
}

static void test_addresses(void **state)
{
	struct bench t;
	struct ip four = net("10.2.0.1/24"), six = net("fd02::1/64");
	struct addr *addrs;
	size_t count, found = 0;

	(void)state;
	need_sandbox();
	int index = make_pair(&t);
	addr_add(t.b, index, &four, 0);
	addr_add(t.b, index, &six, ADDR_NO_PREFIX_ROUTE);
	send_ok(&t, nl);
	ok(addr_list(t.nl, index, &addrs, &count, &e));
	for (size_t i = 0; i < count; i++) {
		found += ip_equal(&addrs[i].ip, &four) && addrs[i].ip.prefix == 24;
		/* Usable at once. */
		if (ip_equal(&addrs[i].ip, &six)) {
			assert_false(addrs[i].flags & IFA_F_TENTATIVE);
			found++;
		}
	}
	assert_int_equal(found, 2);
	free(addrs);
	addr_add(t.b, index, &four, 0);
	send_fails(&t, nl, EEXIST, "link ");
	addr_remove(t.b, index, &four);
	send_ok(&t, nl);
	addr_remove(t.b, index, &four);
	send_fails(&t, nl, EADDRNOTAVAIL, "link ");
	addr_add(t.b, 9999, &four, 0);
	send_fails(&t, nl, ENODEV, "link 9999: add address 10.2.0.1/24: No such device");
	four.prefix = 33;
	addr_add(t.b, index, &four, 0);
	send_fails(&t, nl, EINVAL, "link ");
	bench_close(&t);
}

static bool has_route(struct nl *nl, const char *to, const char *gateway)
{
	struct ip net_ = net(to), by = gateway ? net(gateway) : (struct ip){ 0 };
	struct route *routes;
	size_t count;
	bool found = false;

	ok(route_list(nl, 0, &routes, &count, &e));
	for (size_t i = 0; i < count; i++)
		found = found || (ip_equal(&routes[i].to, &net_) && routes[i].to.prefix == net_.prefix &&
				  routes[i].gateway.family == by.family &&
				  (!gateway || ip_equal(&routes[i].gateway, &by)));
	free(routes);
	return found;
}

static void test_routes(void **state)
{
	struct bench t;
	struct ip four = net("10.2.0.1/24"), six = net("fd02::1/64");
	struct route r4 = { .to = net("0.0.0.0/0"), .gateway = net("10.2.0.254") },
		     r6 = { .to = net("::/0"), .gateway = net("fd02::254") },
		     far = { .to = net("10.99.0.0/16"), .gateway = net("192.0.2.1"), .onlink = true },
		     unreachable = { .to = net("10.98.0.0/16"), .gateway = net("192.0.2.1") };

	(void)state;
	need_sandbox();
	far.index = make_pair(&t);
	addr_add(t.b, far.index, &four, 0);
	addr_add(t.b, far.index, &six, 0);
	route_add(t.b, &r4);
	route_add(t.b, &r6);
	route_add(t.b, &far);
	send_ok(&t, nl);
	assert_true(has_route(t.nl, "10.2.0.0/24", NULL));
	assert_true(has_route(t.nl, "0.0.0.0/0", "10.2.0.254"));
	assert_true(has_route(t.nl, "::/0", "fd02::254"));
	assert_true(has_route(t.nl, "10.99.0.0/16", "192.0.2.1"));
	route_add(t.b, &r4);
	send_fails(&t, nl, EEXIST, "add route to 0.0.0.0/0 by 10.2.0.254: File exists");
	route_add(t.b, &unreachable);
	send_fails(&t, nl, ENETUNREACH, "add route to 10.98.0.0/16 by 192.0.2.1: Network is unreachable (");
	route_remove(t.b, &r4);
	route_remove(t.b, &r6);
	send_ok(&t, nl);
	assert_false(has_route(t.nl, "0.0.0.0/0", "10.2.0.254"));
	assert_false(has_route(t.nl, "::/0", "fd02::254"));
	route_remove(t.b, &r4);
	send_fails(&t, nl, ESRCH, "remove route to 0.0.0.0/0 by 10.2.0.254: No such process");
	bench_close(&t);
}

static void test_neighbours_and_forwarding(void **state)
{
	struct bench t;
	struct ip local = net("192.0.2.1"), remotes[] = { net("192.0.2.2"), net("192.0.2.3") },
		  n = net("10.2.0.9");
	const struct mac mac = { { 2, 0, 0, 0, 0, 7 } };
	int vxlan;

	(void)state;
	need_sandbox();
	int index = make_pair(&t);
	neigh_add(t.b, index, &n, &mac);
	neigh_add(t.b, index, &n, &mac);
	neigh_remove(t.b, index, &n);
	link_create_bridge(t.b, &(struct link_bridge){ .name = "br" });
	link_create_vxlan(t.b, &(struct link_vxlan){ .name = "vx", .vni = 5, .local = &local, .up = true });
	send_ok(&t, nl);
	ok((vxlan = nl_link_index(t.nl, "vx", &e)));
	link_change(t.b, &(struct link_change){ .name = "vx", .master = nl_link_index(t.nl, "br", NULL) });
	/* Two remotes get what is for everybody, one of them what is for this MAC. */
	fdb_add_remote(t.b, vxlan, NULL, &remotes[0]);
	fdb_add_remote(t.b, vxlan, NULL, &remotes[1]);
	fdb_add_remote(t.b, vxlan, &mac, &remotes[0]);
	fdb_add_remote(t.b, vxlan, &mac, &remotes[1]); /* moved */
	send_ok(&t, nl);
	fdb_add_remote(t.b, vxlan, NULL, &remotes[1]); /* again: no failure */
	send_ok(&t, nl);
	fdb_remove_remote(t.b, vxlan, &mac, &remotes[1]);
	fdb_remove_remote(t.b, vxlan, NULL, &remotes[0]);
	fdb_remove_remote(t.b, vxlan, NULL, &remotes[1]);
	send_ok(&t, nl);
	fdb_remove_remote(t.b, vxlan, NULL, &remotes[0]);
	send_fails(&t, nl, ENOENT, "link ");
	fdb_add_port(t.b, vxlan, &mac);
	fdb_remove_port(t.b, vxlan, &mac);
	send_ok(&t, nl);
	fdb_add_port(t.b, index, &mac);
	send_fails(&t, nl, EOPNOTSUPP, "link "); /* not a port */
	bench_close(&t);
}

static void test_limits(void **state)
{
	struct bench t;
	uint64_t limit;

	(void)state;
	need_sandbox();
	int index = make_pair(&t);
	ok(tc_get_limit(t.nl, index, &limit, &e));
	assert_int_equal(limit, 0);
	tc_unlimit(t.b, index); /* none is no failure */
	tc_limit(t.b, index, 1250000, 0);
	send_ok(&t, nl);
	ok(tc_get_limit(t.nl, index, &limit, &e));
	assert_int_equal(limit, 1250000);
	tc_limit(t.b, index, 12500000000, 0); /* above 2^32 */
	send_ok(&t, nl);
	ok(tc_get_limit(t.nl, index, &limit, &e));
	assert_true(limit == 12500000000);
	tc_unlimit(t.b, index);
	send_ok(&t, nl);
	ok(tc_get_limit(t.nl, index, &limit, &e));
	assert_int_equal(limit, 0);
	tc_limit(t.b, index, 0, 0);
	send_fails(&t, nl, EINVAL, "link ");
	tc_limit(t.b, 9999, 1000, 0);
	send_fails(&t, nl, ENODEV, "link 9999: limit to 1000 bytes per second: No such device");
	bench_close(&t);
}

static void test_bursts(void **state)
{
	(void)state;
	assert_true(tc_burst(1) > 65536);
	assert_int_equal(tc_burst(125000000), 625000);
	assert_int_equal(tc_burst(UINT64_MAX), 64U << 20);
}

static void test_rates(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes_per_s;
	} good[] = { { "10mbit", 1250000 },
		     { "1.5gbit", 187500000 },
		     { "800kbit", 100000 },
		     { "8000", 1000 },
		     { "16bit", 2 } };
	static const char *const bad[] = { "",
					   "mbit",
					   "-1mbit",
					   "0",
					   "1e9",
					   "10 mbit",
					   "10mb",
					   "nan",
					   "inf",
					   "1..5mbit",
					   "99999999999999999gbit" };
	uint64_t rate;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ok(tc_parse_rate(good[i].text, &rate, &e));
		assert_int_equal(rate, good[i].bytes_per_s);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		fails(tc_parse_rate(bad[i], &rate, &e), EINVAL, "rate '");
}

static void test_settings(void **state)
{
	struct bench t;
	char value[16];
	bool changed;

	(void)state;
	need_sandbox();
	make_pair(&t);
	ok(net_sysctl_ensure(-1, "ipv4/ip_forward", NULL, "1", &changed, &e));
	assert_true(changed);
	ok(net_sysctl_ensure(-1, "ipv4/ip_forward", NULL, "1", &changed, &e));
	assert_false(changed);
	/* Of another namespace: that one only. */
	ok(net_sysctl_read(t.other, "ipv4/ip_forward", NULL, value, sizeof(value), &e));
	assert_string_equal(value, "0");
	ok(net_sysctl_ensure(-1, "ipv4/conf/%s/route_localnet", "one", "1", &changed, &e));
	assert_true(changed);
	ok(net_sysctl_read(-1, "ipv4/conf/%s/route_localnet", "one", value, sizeof(value), &e));
	assert_string_equal(value, "1");
	fails(net_sysctl_ensure(-1, "ipv4/conf/%s/route_localnet", "nolink", "1", NULL, &e), ENOENT, "");
	fails(net_sysctl_ensure(-1, "ipv4/conf/%s/route_localnet", "../all", "1", NULL, &e), EINVAL,
	      "setting net/ipv4/conf/");
	fails(net_sysctl_ensure(-1, "ipv4/../ipv4/ip_forward", NULL, "1", NULL, &e), EINVAL, "setting net/");
	bench_close(&t);
}

static void test_namespaces(void **state)
{
	(void)state;
	need_sandbox();
	int self, made, home;
	ok((self = netns_open_self(&e)));
	ok((made = netns_make(&e)));
	assert_false(netns_is_same(self, made));
	ok(netns_visit(made, &home, &e));
	int there;
	ok((there = netns_open_pid(getpid(), &e)));
	assert_true(netns_is_same(there, made));
	ok(netns_leave(home, &e));
	close(there);
	ok((there = netns_open_self(&e)));
	assert_true(netns_is_same(there, self));
	fails(netns_open_path("/proc/self/ns/pid", &e), EINVAL, "/proc/self/ns/pid: not a network namespace");
	fails(netns_open_path("/dev/null", &e), EINVAL, "/dev/null: not a network namespace");
	fails(netns_open_path("/nowhere", &e), ENOENT, "open network namespace /nowhere: No such file");
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fails(netns_visit(null, &home, &e), EINVAL, "enter network namespace: Invalid argument");
	close(null);
	close(there);
	close(self);
	close(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_neighbours_and_forwarding),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_namespaces),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, NULL);
}
