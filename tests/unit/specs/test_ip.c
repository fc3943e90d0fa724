/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ip.c - addresses, subnets, hardware addresses */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "specs/ip.h"

static struct ip net(const char *text)
{
	struct ip ip;
	assert_int_equal(ip_parse_net(text, &ip), 0);
	return ip;
}

static struct ip addr(const char *text)
{
	struct ip ip;
	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

static void assert_ip(struct ip ip, const char *text)
{
	char buf[IP_TEXT_SIZE];
	assert_string_equal(ip_text(&ip, buf), text);
}

static void test_parse_is_strict(void **state)
{
	static const char *const bad[] = {
		"",	     "10.0.0",	    "10.0.0.256",  "10.010.0.1",      "10.0.0.1/33",
		"10.0.0.1/", "10.0.0.1/a",  " 10.0.0.1",   "::1%lo",	      "fd00::/129",
		"fd00:::",   "10.0.0.1/-1", "10.0.0.1/+1", "::ffff:1.2.3.4.5"
	};
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(ip_parse(bad[i], &ip), -EINVAL);
	assert_int_equal(ip_parse_net("10.0.0.1", &ip), -EINVAL);
	assert_int_equal(addr("10.0.0.1").prefix, 32);
	assert_int_equal(addr("fd00::1").prefix, 128);
	assert_int_equal(net("10.0.0.1/8").prefix, 8);
}

static void test_text(void **state)
{
	char buf[IP_TEXT_SIZE];
	struct ip a = net("10.1.2.3/16"), b = net("fd00:0:0::5/64"), none = { 0 };

	(void)state;
	assert_string_equal(ip_net_text(&a, buf), "10.1.2.3/16");
	assert_string_equal(ip_net_text(&b, buf), "fd00::5/64");
	assert_string_equal(ip_text(&none, buf), "");
}

static void test_subnets(void **state)
{
	struct ip a = net("10.88.13.7/20"), b = net("10.88.14.0/24"), c = net("10.88.16.0/24"),
		  six = net("fd00::/64"), in6 = addr("fd00::ffff:1"), all = net("0.0.0.0/0");

	(void)state;
	assert_ip(ip_first(&a), "10.88.0.0");
	assert_ip(ip_last(&a), "10.88.15.255");
	assert_ip(ip_last(&six), "fd00::ffff:ffff:ffff:ffff");
	assert_true(ip_within(&a, &b));
	assert_false(ip_within(&a, &c));
	assert_false(ip_within(&a, &in6));
	assert_true(ip_within(&six, &in6));
	assert_true(ip_within(&all, &c));
	assert_true(ip_overlap(&a, &b));
	assert_true(ip_overlap(&b, &a));
	assert_false(ip_overlap(&b, &c));
	assert_false(ip_overlap(&all, &six));
}

static void test_arithmetic(void **state)
{
	struct ip a = addr("10.0.0.255"), b = addr("fd00::ffff:ffff"), far = addr("fd01::");

	(void)state;
	assert_ip(ip_add(&a, 1), "10.0.1.0");
	assert_ip(ip_add(&a, 65536), "10.1.0.255");
	assert_ip(ip_add(&b, 2), "fd00::1:0:1");
	struct ip c = ip_add(&b, 1234567);
	assert_int_equal(ip_distance(&b, &c), 1234567);
	assert_int_equal(ip_distance(&b, &b), 0);
	assert_true(ip_distance(&b, &far) == UINT64_MAX);
	assert_true(ip_compare(&b, &far) < 0);
	assert_true(ip_compare(&a, &b) < 0);
}

static void test_mac(void **state)
{
	static const char *const bad[] = { "",
					   "02:00:00:00:00",
					   "02:00:00:00:00:0g",
					   "01:00:00:00:00:01",
					   "00:00:00:00:00:00",
					   "02-00-00-00-00-01",
					   "02:00:00:00:00:011" };
	struct mac mac;
	char buf[MAC_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(mac_parse(bad[i], &mac), -EINVAL);
	assert_int_equal(mac_parse("02:aB:00:ff:10:01", &mac), 0);
	assert_string_equal(mac_text(&mac, buf), "02:ab:00:ff:10:01");
	assert_ip(ip_link_local(&mac), "fe80::ab:ff:feff:1001");
	struct mac one = mac_derive("one"), two = mac_derive("two"), again = mac_derive("one");
	assert_memory_equal(&one, &again, sizeof(one));
	assert_memory_not_equal(&one, &two, sizeof(one));
	assert_int_equal(one.bytes[0] & 3, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_is_strict),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_subnets),
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_mac),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
