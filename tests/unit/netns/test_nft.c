/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_nft.c - the tables are made, take facts, refuse what is there twice, and forget */
#include "tests/unit/unit.h"

#include <arpa/inet.h>

#include "netns/hold.h"
#include "netns/nft.h"
#include "tests/unit/netns/sandbox.h"

static struct ip ip(const char *text)
{
	struct ip ret;

	assert_int_equal(ip_parse(text, &ret), 0);
	return ret;
}

static struct nl *open_nft(void)
{
	struct nl *nl;

	ok(nl_open(NETLINK_NETFILTER, -1, &nl, &e));
	return nl;
}

static void test_tables_are_made_once_and_removed(void **state)
{
	AUTO(nl) struct nl *nl = NULL;
	int there;

	(void)state;
	need_sandbox();
	nl = open_nft();
	ok((there = nft_is_there(nl, &e)));
	assert_int_equal(there, 0);
	ok(nft_ensure(nl, &e));
	ok((there = nft_is_there(nl, &e)));
	assert_int_equal(there, 1);
	ok(nft_ensure(nl, &e));
	ok(nft_remove(nl, &e));
	ok((there = nft_is_there(nl, &e)));
	assert_int_equal(there, 0);
	ok(nft_remove(nl, &e));
}

static void test_facts_come_and_go(void **state)
{
	AUTO(nl) struct nl *nl = NULL;
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	AUTO(nl_batch) struct nl_batch *gone = nl_batch_new();
	const struct mac mac = { { 2, 0, 0, 0, 0, 9 } };
	const struct ip addresses[] = { ip("10.1.0.2"), ip("fd00::2") };
	struct nft_switch sw = { .bridge = "sw0", .nat = true, .isolated = true };
	struct nft_port port = { .name = "p0",
				 .bridge = "sw0",
				 .mac = &mac,
				 .addresses = addresses,
				 .count = 2,
				 .held = true,
				 .police_bytes = 1000000 };
	struct nft_publish tcp = { .protocol = IPPROTO_TCP,
				   .host = ip("0.0.0.0"),
				   .host_port = 80,
				   .to = addresses[0],
				   .port = 8080 };
	struct nft_publish udp = {
		.protocol = IPPROTO_UDP, .host = ip("::1"), .host_port = 53, .to = addresses[1], .port = 53
	};

	(void)state;
	need_sandbox();
	nl = open_nft();
	/* The first fact makes the tables. */
	nft_switch_add(b, &sw);
	nft_port_add(b, &port);
	nft_publish_add(b, &tcp);
	nft_publish_add(b, &udp);
	ok(nft_ask(nl, b, &e));
	/* What is there twice: facts of ports are, published ports are not, and then nothing of the batch is. */
	nl_batch_clear(b);
	nft_switch_add(b, &sw);
	nft_port_add(b, &port);
	ok(nft_ask(nl, b, &e));
	struct nft_publish other = tcp;
	other.host_port = 81;
	nft_publish_add(b, &other);
	nft_publish_add(b, &tcp);
	fails(nft_ask(nl, b, &e), EEXIST, "publish tcp port 80: File exists");
	nl_batch_clear(b);
	nft_publish_add(b, &other);
	ok(nft_ask(nl, b, &e));
	/* Gone; and gone twice is no failure, nor is it when the tables are gone. */
	for (int i = 0; i < 3; i++) {
		nl_batch_clear(gone);
		nft_publish_remove(gone, &tcp);
		nft_publish_remove(gone, &other);
		nft_publish_remove(gone, &udp);
		nft_port_remove(gone, &port);
		nft_switch_remove(gone, &sw);
		ok(nft_forget(nl, gone, &e));
		if (i == 1)
			ok(nft_remove(nl, &e));
	}
	/* All could be added as new. */
	nl_batch_clear(b);
	nft_publish_add(b, &tcp);
	nft_publish_add(b, &udp);
	ok(nft_ask(nl, b, &e));
	ok(nft_remove(nl, &e));
}

static bool is_published(struct nl *nl, const struct nft_publish *p, size_t expected)
{
	auto_free struct nft_publish *list = NULL;
	size_t count;
	bool found = false;

	ok(nft_publish_list(nl, &list, &count, &e));
	assert_int_equal(count, expected);
	for (size_t i = 0; i < count; i++)
		found = found || (list[i].protocol == p->protocol && list[i].host_port == p->host_port &&
				  list[i].port == p->port && ip_equal(&list[i].host, &p->host) &&
				  ip_equal(&list[i].to, &p->to));
	return found;
}

static void test_facts_are_read_back_and_swept(void **state)
{
	AUTO(nl) struct nl *nl = NULL;
	AUTO(nl) struct nl *route = NULL;
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	const struct mac mac = { { 2, 0, 0, 0, 0, 9 } };
	const struct ip there = ip("10.1.0.2"), gone[] = { ip("10.1.0.3"), ip("fd00::3") };
	struct nft_port port = {
		.name = "lo", .bridge = "sw0", .mac = &mac, .addresses = &there, .count = 1
	};
	struct nft_port dead = {
		.name = "dead", .bridge = "sw0", .mac = &mac, .addresses = gone, .count = 2
	};
	struct nft_publish kept = { IPPROTO_TCP, ip("192.0.2.1"), 80, there, 8080 };
	struct nft_publish lost[] = { { IPPROTO_UDP, ip("0.0.0.0"), 53, gone[0], 53 },
				      { IPPROTO_TCP, ip("2001:db8::1"), 80, gone[1], 8080 },
				      { IPPROTO_TCP, ip("::"), 81, gone[1], 8080 } };
	int swept;

	(void)state;
	need_sandbox();
	nl = open_nft();
	ok(nl_open(NETLINK_ROUTE, -1, &route, &e));
	assert_false(is_published(nl, &kept, 0));
	nft_port_add(b, &port);
	nft_port_add(b, &dead);
	nft_publish_add(b, &kept);
	for (size_t i = 0; i < 3; i++)
		nft_publish_add(b, &lost[i]);
	ok(nft_ask(nl, b, &e));
	assert_true(is_published(nl, &kept, 4));
	for (size_t i = 0; i < 3; i++)
		assert_true(is_published(nl, &lost[i], 4));
	/* guarded, macs, 3 bound (with the link-local one), 2 local, 3 published */
	ok((swept = nft_sweep(nl, route, &e)));
	assert_int_equal(swept, 10);
	assert_true(is_published(nl, &kept, 1));
	ok((swept = nft_sweep(nl, route, &e)));
	assert_int_equal(swept, 0);
	ok(nft_remove(nl, &e));
	ok((swept = nft_sweep(nl, route, &e)));
	assert_int_equal(swept, 0);
}

static void test_arguments_are_checked(void **state)
{
	AUTO(nl) struct nl *nl = NULL;
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct nft_publish p = { .protocol = IPPROTO_ICMP,
				 .host = ip("0.0.0.0"),
				 .host_port = 80,
				 .to = ip("10.0.0.1"),
				 .port = 80 };

	(void)state;
	need_sandbox();
	nl = open_nft();
	nft_publish_add(b, &p);
	fails(nft_ask(nl, b, &e), EINVAL, "publish ");
	nl_batch_clear(b);
	p.protocol = IPPROTO_TCP;
	p.to = ip("fd00::1");
	nft_publish_add(b, &p);
	fails(nft_ask(nl, b, &e), EINVAL, "publish tcp port 80: Invalid argument");
	nl_batch_clear(b);
	nft_hold(b, "a name");
	fails(nft_ask(nl, b, &e), EINVAL, "link name 'a name': Invalid argument");
}

static void test_hold_and_release_can_be_repeated(void **state)
{
	AUTO(hold) struct hold *h = NULL;
	const char *ports[] = { "p1", "p2" };

	(void)state;
	need_sandbox();
	ok(hold_open(-1, ports, 2, &h, &e));
	for (int i = 0; i < 2; i++) {
		ok(hold_on(h, &e));
		ok(hold_on(h, &e));
		ok(hold_off(h, &e));
		ok(hold_off(h, &e));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables_are_made_once_and_removed),
		cmocka_unit_test(test_facts_come_and_go),
		cmocka_unit_test(test_facts_are_read_back_and_swept),
		cmocka_unit_test(test_arguments_are_checked),
		cmocka_unit_test(test_hold_and_release_can_be_repeated),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, NULL);
}
