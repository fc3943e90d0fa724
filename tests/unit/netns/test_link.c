/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_link.c - links are made, changed, moved, removed and read back; failures are sentences */
#include "tests/unit/unit.h"

#include "netns/addr.h"
#include "netns/link.h"
#include "tests/unit/namespaces/child.h"
#include "tests/unit/netns/sandbox.h"

static const struct mac bridge_mac = { { 2, 0, 0, 0, 0, 1 } }, peer_mac = { { 2, 0, 0, 0, 0, 2 } };

static void make_bridge(struct bench *t, const char *name)
{
	link_create_bridge(t->b, &(struct link_bridge){ .name = name, .mac = &bridge_mac, .mtu = 1400 });
	send_ok(t, nl);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(link_name_is_valid("eth0"));
	assert_true(link_name_is_valid("a.b-c_123456789"));
	assert_false(link_name_is_valid(""));
	assert_false(link_name_is_valid("."));
	assert_false(link_name_is_valid(".."));
	assert_false(link_name_is_valid("a/b"));
	assert_false(link_name_is_valid("a b"));
	assert_false(link_name_is_valid("a:1"));
	assert_false(link_name_is_valid("0123456789abcdef"));
}

static void test_bridge_is_what_was_asked(void **state)
{
	struct bench t;
	struct link l;

	(void)state;
	need_sandbox();
	bench_open(&t);
	make_bridge(&t, "sw0");
	ok(link_get(t.nl, "sw0", &l, &e));
	assert_string_equal(l.name, "sw0");
	assert_string_equal(l.kind, "bridge");
	assert_int_equal(l.mtu, 1400);
	assert_true(l.flags & IFF_UP);
	assert_memory_equal(&l.mac, &bridge_mac, MAC_SIZE);
	link_create_bridge(t.b, &(struct link_bridge){ .name = "sw0" });
	send_fails(&t, nl, EEXIST, "link sw0: create bridge: File exists");
	link_delete(t.b, "sw0");
	send_ok(&t, nl);
	fails(link_get(t.nl, "sw0", &l, &e), ENODEV, "link sw0: No such device");
	link_delete(t.b, "sw0");
	send_fails(&t, nl, ENODEV, "link sw0: delete: No such device");
	bench_close(&t);
}

static void test_veth_pair_is_placed_by_one_batch(void **state)
{
	struct bench t;
	struct link l, peer;
	int bridge;

	(void)state;
	need_sandbox();
	bench_open(&t);
	make_bridge(&t, "sw1");
	ok((bridge = nl_link_index(t.nl, "sw1", &e)));
	link_create_veth(t.b, &(struct link_veth){ .name = "port1",
						   .peer_name = "eth0",
						   .peer_mac = &peer_mac,
						   .mtu = 1400,
						   .peer_netns = t.other,
						   .master = bridge,
						   .up = true });
	link_set_port(t.b, "port1", PORT_ISOLATED | PORT_HAIRPIN | PORT_LEARNING,
		      PORT_ISOLATED | PORT_HAIRPIN);
	send_ok(&t, nl);
	ok(link_get(t.nl, "port1", &l, &e));
	ok(link_get(t.other_nl, "eth0", &peer, &e));
	assert_string_equal(l.kind, "veth");
	assert_int_equal(l.master, bridge);
	assert_int_equal(l.peer, peer.index);
	assert_int_equal(peer.peer, l.index);
	assert_memory_equal(&peer.mac, &peer_mac, MAC_SIZE);
	assert_int_equal(l.mtu, 1400);
	assert_int_equal(peer.mtu, 1400);
	assert_true(l.flags & IFF_UP);
	link_change(t.b, &(struct link_change){ .name = "eth0", .up = true });
	send_ok(&t, other_nl);
	ok(link_get(t.other_nl, "eth0", &peer, &e));
	assert_true(peer.flags & IFF_UP);
	assert_int_equal(l.port & (PORT_ISOLATED | PORT_HAIRPIN | PORT_LEARNING | PORT_FLOOD),
			 PORT_ISOLATED | PORT_HAIRPIN | PORT_FLOOD);
	/* A port has no address of its own. */
	struct addr *addrs;
	size_t count;
	ok(addr_list(t.nl, l.index, &addrs, &count, &e));
	assert_int_equal(count, 0);
	free(addrs);
	/* Deleted on our side it is gone on both. */
	link_delete(t.b, "port1");
	send_ok(&t, nl);
	fails(link_get(t.other_nl, "eth0", &peer, &e), ENODEV, "link eth0: No such device");
	bench_close(&t);
}

static void test_failures_name_the_link(void **state)
{
	struct bench t;
	struct link l;

	(void)state;
	need_sandbox();
	bench_open(&t);
	make_bridge(&t, "sw2");
	struct link_veth v = { .name = "sw2", .peer_name = "eth0", .peer_netns = t.other };
	link_create_veth(t.b, &v);
	send_fails(&t, nl, EEXIST, "link sw2: create veth pair with eth0: File exists");
	/* The peer's failure leaves nothing of the pair. */
	v = (struct link_veth){ .name = "port2", .peer_name = "lo", .peer_netns = t.other };
	link_create_veth(t.b, &v);
	send_fails(&t, nl, EEXIST, "link port2: create veth pair with lo: File exists");
	fails(link_get(t.nl, "port2", &l, &e), ENODEV, "link port2");
	/* A namespace that is none. */
	v.peer_name = "eth0";
	v.peer_netns = t.nl ? 999 : 0;
	link_create_veth(t.b, &v);
	send_fails(&t, nl, EBADF, "link port2: create veth pair with eth0: Bad file descriptor");
	link_change(t.b, &(struct link_change){ .name = "nolink", .up = true });
	send_fails(&t, nl, ENODEV, "link nolink: bring up: ");
	link_change(t.b, &(struct link_change){ .name = "sw2", .mtu = 10 });
	send_fails(&t, nl, EINVAL, "link sw2: set MTU: Invalid argument (");
	link_create_veth(t.b, &(struct link_veth){ .name = "a-name-far-too-long", .peer_name = "x" });
	send_fails(&t, nl, EINVAL, "link name 'a-name-far-too-long': Invalid argument");
	bench_close(&t);
}

static void test_first_failure_of_a_batch_is_told(void **state)
{
	struct bench t;
	struct link l;

	(void)state;
	need_sandbox();
	bench_open(&t);
	link_create_bridge(t.b, &(struct link_bridge){ .name = "sw3" });
	link_delete(t.b, "nothing1");
	link_delete(t.b, "nothing2");
	link_create_bridge(t.b, &(struct link_bridge){ .name = "sw4" });
	send_fails(&t, nl, ENODEV, "link nothing1: delete");
	ok(link_get(t.nl, "sw3", &l, &e));
	ok(link_get(t.nl, "sw4", &l, &e));
	/* What is tolerated is no failure; the last one's answer is not missed. */
	link_delete(t.b, "nothing1");
	nl_tolerate(t.b, ENODEV);
	link_delete(t.b, "nothing2");
	nl_tolerate(t.b, ENODEV);
	send_ok(&t, nl);
	link_delete(t.b, "sw3");
	link_delete(t.b, "nothing3");
	send_fails(&t, nl, ENODEV, "link nothing3: delete");
	/* Nothing of an earlier batch is taken for an answer of a later one. */
	link_delete(t.b, "sw4");
	send_ok(&t, nl);
	ok(nl_ask(t.nl, t.b, &e)); /* empty */
	bench_close(&t);
}

static void test_link_moves_with_a_new_name(void **state)
{
	struct bench t;
	struct link l;

	(void)state;
	need_sandbox();
	bench_open(&t);
	link_create_veth(t.b, &(struct link_veth){ .name = "mv0", .peer_name = "mv1", .peer_netns = -1 });
	send_ok(&t, nl);
	ok(link_get(t.nl, "mv0", &l, &e));
	link_change(t.b, &(struct link_change){
				 .index = l.index, .new_name = "eth7", .move = true, .netns = t.other });
	send_ok(&t, nl);
	fails(link_get(t.nl, "mv0", &l, &e), ENODEV, "link mv0");
	ok(link_get(t.other_nl, "eth7", &l, &e));
	bench_close(&t);
}

static void test_link_ends_at_once(void **state)
{
	struct bench t;
	struct link l;

	(void)state;
	need_sandbox();
	bench_open(&t);
	make_bridge(&t, "sw7");
	/* Its name is free again when it is gone, with other links coming and going. */
	for (int i = 0; i < 5; i++) {
		link_create_veth(t.b, &(struct link_veth){ .name = "end0",
							   .peer_name = "eth9",
							   .peer_netns = t.other,
							   .master = nl_link_index(t.nl, "sw7", NULL),
							   .up = true });
		send_ok(&t, nl);
		ok(link_end(t.nl, "end0", &e));
		fails(link_get(t.nl, "end0", &l, &e), ENODEV, "link end0");
		fails(link_get(t.other_nl, "eth9", &l, &e), ENODEV, "link eth9");
	}
	ok(link_end(t.nl, "end0", &e));
	/* What cannot be deleted is said. */
	fails(link_end(t.nl, "lo", &e), EOPNOTSUPP, "link lo: delete: Operation not supported");
	ok(link_end(t.nl, "sw7", &e));
	bench_close(&t);
}

static void test_list_by_master(void **state)
{
	struct bench t;
	struct link *links;
	size_t count;
	int bridge;

	(void)state;
	need_sandbox();
	bench_open(&t);
	make_bridge(&t, "sw5");
	ok((bridge = nl_link_index(t.nl, "sw5", &e)));
	for (int i = 0; i < 40; i++) {
		char name[16];
		snprintf(name, sizeof(name), "p5-%d", i);
		link_create_veth(t.b, &(struct link_veth){ .name = name,
							   .peer_name = name,
							   .peer_netns = t.other,
							   .master = bridge,
							   .up = true });
	}
	send_ok(&t, nl);
	ok(link_list(t.nl, bridge, &links, &count, &e));
	assert_int_equal(count, 40);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(links[i].master, bridge);
	free(links);
	ok(link_list(t.other_nl, 0, &links, &count, &e));
	assert_int_equal(count, 41);
	free(links);
	bench_close(&t);
}

static void test_vxlan(void **state)
{
	struct bench t;
	struct link l;
	struct ip local;

	(void)state;
	need_sandbox();
	bench_open(&t);
	make_bridge(&t, "sw6");
	assert_int_equal(ip_parse("192.0.2.1", &local), 0);
	link_create_vxlan(t.b, &(struct link_vxlan){ .name = "vx6",
						     .vni = 4711,
						     .local = &local,
						     .mtu = 1350,
						     .master = nl_link_index(t.nl, "sw6", NULL),
						     .up = true });
	send_ok(&t, nl);
	ok(link_get(t.nl, "vx6", &l, &e));
	assert_string_equal(l.kind, "vxlan");
	assert_int_equal(l.vni, 4711);
	assert_int_equal(l.mtu, 1350);
	link_create_vxlan(t.b, &(struct link_vxlan){ .name = "vx7", .vni = 1U << 24, .local = &local });
	send_fails(&t, nl, ERANGE, "link vx7: create vxlan 16777216: ");
	bench_close(&t);
}

/* A user namespace below has no rights over this network namespace. A child, for there is no way back. */
static int without_rights(void *arg)
{
	AUTO(nl) struct nl *nl = NULL;
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct error e = { 0 };

	(void)arg;
	child_expects(unshare(CLONE_NEWUSER) == 0, "unshare: %s", strerror(errno));
	child_expects(nl_open(NETLINK_ROUTE, -1, &nl, &e) == 0, "%s", e.msg);
	link_create_bridge(b, &(struct link_bridge){ .name = "sw9" });
	child_expects(nl_ask(nl, b, &e) == -EPERM, "%s", e.msg);
	child_expects(strcmp(e.msg, "link sw9: create bridge: Operation not permitted") == 0, "%s", e.msg);
	return 0;
}

static void test_without_rights(void **state)
{
	(void)state;
	need_sandbox();
	assert_int_equal(in_child(without_rights, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bridge_is_what_was_asked),
		cmocka_unit_test(test_veth_pair_is_placed_by_one_batch),
		cmocka_unit_test(test_failures_name_the_link),
		cmocka_unit_test(test_first_failure_of_a_batch_is_told),
		cmocka_unit_test(test_link_moves_with_a_new_name),
		cmocka_unit_test(test_link_ends_at_once),
		cmocka_unit_test(test_list_by_master),
		cmocka_unit_test(test_vxlan),
		cmocka_unit_test(test_without_rights),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, NULL);
}
