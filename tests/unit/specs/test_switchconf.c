/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_switchconf.c - from wishes to a switch's description; the file, written and read back */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "specs/switchconf.h"

static struct switchconf *plan(struct switch_wishes w)
{
	struct switchconf *c = NULL;
	struct error e = { .code = 0 };

	if (!w.name)
		w.name = "web";
	if (!w.vni)
		w.vni = -1;
	if (switchconf_plan(&w, NULL, 0, &c, &e) < 0)
		fail_msg("%s", e.msg);
	return c;
}

static void expect_refusal(struct switch_wishes w, const char *text)
{
	struct switchconf *c = NULL;
	struct error e = { .code = 0 };
	struct ip taken;

	if (!w.name)
		w.name = "web";
	if (!w.vni)
		w.vni = -1;
	assert_int_equal(ip_parse_net("10.0.0.0/8", &taken), 0);
	assert_true(switchconf_plan(&w, &taken, 1, &c, &e) < 0);
	if (!strstr(e.msg, text))
		fail_msg("\"%s\" is not in \"%s\"", text, e.msg);
}

static void assert_net(const struct switch_net *n, const char *net, const char *gateway, const char *first,
		       const char *last)
{
	char buf[IP_TEXT_SIZE];

	assert_string_equal(ip_net_text(&n->net, buf), net);
	assert_string_equal(ip_text(&n->gateway, buf), gateway);
	assert_string_equal(ip_text(&n->first, buf), first);
	assert_string_equal(ip_text(&n->last, buf), last);
}

#define LIST(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

static void test_a_subnet_is_given_out_whole(void **state)
{
	AUTO(switchconf)
	struct switchconf *c = plan(
		(struct switch_wishes){ .subnets = LIST("192.0.2.17/24", "fd05::/64"), .nat = true });
	AUTO(switchconf)
	struct switchconf *bare = plan((struct switch_wishes){ .subnets = LIST("192.0.2.0/30") });

	(void)state;
	assert_net(&c->nets[0], "192.0.2.0/24", "192.0.2.1", "192.0.2.2", "192.0.2.254");
	assert_net(&c->nets[1], "fd05::/64", "fd05::1", "fd05::2", "fd05::ffff:ffff:ffff:ffff");
	assert_int_equal(c->mtu, 1500);
	assert_net(&bare->nets[0], "192.0.2.0/30", "", "192.0.2.1", "192.0.2.2");
}

static void test_parts_are_disjoint_and_cover(void **state)
{
	struct ip before;

	(void)state;
	assert_int_equal(ip_parse("192.0.2.0", &before), 0);
	for (int i = 1; i <= 3; i++) {
		char text[8];
		snprintf(text, sizeof(text), "%d/3", i);
		AUTO(switchconf)
		struct switchconf *c = plan((struct switch_wishes){
			.subnets = LIST("192.0.2.0/24"), .part = text, .gateway = true });
		assert_int_equal(ip_distance(&before, &c->nets[0].gateway), 1);
		assert_int_equal(ip_distance(&c->nets[0].gateway, &c->nets[0].first), 1);
		before = c->nets[0].last;
	}
	assert_int_equal(before.bytes[3], 252); /* 254 are 3 times 84 and 2 that nobody has */
}

static void test_members_of_a_vxlan_have_their_part(void **state)
{
	const char *const members[] = { "198.51.100.9", "198.51.100.30", "198.51.100.7" };
	const char *const first[] = { "192.0.2.85", "192.0.2.169", "192.0.2.1" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		AUTO(switchconf)
		struct switchconf *c = plan((struct switch_wishes){
			.subnets = LIST("192.0.2.0/24"),
			.vni = 42,
			.local = members[i],
			.remotes = LIST(members[(i + 1) % 3], members[(i + 2) % 3]) });
		char buf[IP_TEXT_SIZE];
		assert_string_equal(ip_text(&c->nets[0].first, buf), first[i]);
		assert_int_equal(c->mtu, 1450);
		assert_int_equal(c->vxlan->n_remotes, 2);
	}
}

static void test_ranges(void **state)
{
	AUTO(switchconf)
	struct switchconf *c = plan((struct switch_wishes){ .subnets = LIST("192.0.2.0/24", "fd05::/64"),
							    .ranges = LIST("fd05::10-fd05::1f") });

	(void)state;
	assert_net(&c->nets[0], "192.0.2.0/24", "", "192.0.2.1", "192.0.2.254");
	assert_net(&c->nets[1], "fd05::/64", "", "fd05::10", "fd05::1f");
}

static void test_a_free_subnet_is_chosen(void **state)
{
	AUTO(switchconf) struct switchconf *first = plan((struct switch_wishes){ .gateway = true });
	AUTO(switchconf) struct switchconf *second = NULL;
	struct switch_wishes w = { .name = "two", .vni = -1 };
	struct error e;

	(void)state;
	assert_int_equal(first->n_nets, 2);
	assert_int_equal(switchconf_plan(&w, &first->nets[0].net, 1, &second, &e), 0);
	assert_false(ip_overlap(&first->nets[0].net, &second->nets[0].net));
}

static void test_refusals_name_the_option(void **state)
{
	(void)state;
	expect_refusal((struct switch_wishes){ .name = "a/b" }, "invalid switch name");
	expect_refusal((struct switch_wishes){ .name = "much-too-long" }, "invalid switch name");
	expect_refusal((struct switch_wishes){ .subnets = LIST("bogus") }, "option --subnet");
	expect_refusal((struct switch_wishes){ .subnets = LIST("192.0.2.0") }, "option --subnet");
	expect_refusal((struct switch_wishes){ .subnets = LIST("192.0.2.0/31") }, "has no room");
	expect_refusal((struct switch_wishes){ .subnets = LIST("10.7.0.0/16") },
		       "10.7.0.0/16 overlaps 10.0.0.0/8, which this host has already");
	expect_refusal((struct switch_wishes){ .subnets = LIST("192.0.2.0/24", "192.0.2.0/25") },
		       "given twice");
	expect_refusal((struct switch_wishes){ .subnets = LIST("192.0.2.0/24"), .uplink = "eth1" },
		       "give --part N/COUNT");
	expect_refusal((struct switch_wishes){ .subnets = LIST("192.0.2.0/24"), .vni = 1 }, "--local ADDR");
	expect_refusal((struct switch_wishes){ .subnets = LIST("192.0.2.0/24"), .local = "192.0.2.1" },
		       "goes with --vxlan");
	expect_refusal((struct switch_wishes){ .subnets = LIST("192.0.2.0/24"),
					       .vni = 1,
					       .local = "192.0.2.1",
					       .remotes = LIST("fd00::1") },
		       "--local's family");
	expect_refusal((struct switch_wishes){ .subnets = LIST("192.0.2.0/24"), .part = "3/2" },
		       "option --part");
	expect_refusal(
		(struct switch_wishes){ .subnets = LIST("192.0.2.0/30"), .part = "1/2", .gateway = true },
		"too small");
	expect_refusal((struct switch_wishes){ .subnets = LIST("192.0.2.0/24"),
					       .ranges = LIST("192.0.3.1-192.0.3.9") },
		       "in none of the switch's subnets");
	expect_refusal(
		(struct switch_wishes){ .subnets = LIST("192.0.2.0/24"), .nat = true, .isolated = true },
		"exclude each other");
	expect_refusal((struct switch_wishes){ .subnets = LIST("fd05::/64"), .mtu = 1000 }, "option --mtu");
}

static void test_the_file_comes_back(void **state)
{
	char dir[] = "/tmp/coracle-test-XXXXXX";
	AUTO(switchconf)
	struct switchconf *c = plan((struct switch_wishes){ .subnets = LIST("192.0.2.0/24"),
							    .vni = 9,
							    .local = "198.51.100.1",
							    .remotes = LIST("198.51.100.2"),
							    .nat = true,
							    .private = true });
	AUTO(switchconf) struct switchconf *back = NULL;
	struct error e = { .code = 0 };

	(void)state;
	c->mac = mac_derive("x");
	assert_non_null(mkdtemp(dir));
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(switchconf_read(fd, &back, &e), -ENOENT);
	assert_int_equal(switchconf_write(fd, c, &e), 0);
	if (switchconf_read(fd, &back, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(back->name, "web");
	assert_true(ip_equal(&back->nets[0].net, &c->nets[0].net) && back->nets[0].net.prefix == 24);
	assert_true(ip_equal(&back->nets[0].gateway, &c->nets[0].gateway));
	assert_true(ip_equal(&back->nets[0].first, &c->nets[0].first));
	assert_true(ip_equal(&back->nets[0].last, &c->nets[0].last));
	assert_memory_equal(&back->mac, &c->mac, sizeof(struct mac));
	assert_true(back->nat && back->private && !back->isolated);
	assert_int_equal(back->vxlan->vni, 9);
	assert_true(ip_equal(&back->vxlan->remotes[0], &c->vxlan->remotes[0]));
	unlinkat(fd, "switch.json", 0);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_subnet_is_given_out_whole),
		cmocka_unit_test(test_parts_are_disjoint_and_cover),
		cmocka_unit_test(test_members_of_a_vxlan_have_their_part),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_a_free_subnet_is_chosen),
		cmocka_unit_test(test_refusals_name_the_option),
		cmocka_unit_test(test_the_file_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
