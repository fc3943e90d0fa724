/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_network.c - what people type about a container's network, and the record */
#include "tests/unit/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "specs/network.h"

#define LIST(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

static struct network *wishes(char *const *switches, char *const *published, char *const *dns)
{
	struct network *n = NULL;
	struct error e = { .code = 0 };

	if (network_wishes(switches, published, dns, "web", NULL, &n, &e) < 0)
		fail_msg("%s", e.msg);
	return n;
}

static void test_switch(void **state)
{
	AUTO(network)
	struct network *n = wishes(
		LIST("a", "b:ip=10.0.0.5,ip=fd00::5,mac=02:00:00:00:00:01,ifname=up0,rate=1.5mbit"), NULL,
		NULL);
	char buf[IP_TEXT_SIZE];

	(void)state;
	assert_int_equal(n->n_ports, 2);
	assert_string_equal(n->name, "web");
	assert_string_equal(n->ports[0].switch_name, "a");
	assert_null(n->ports[0].ifname);
	const struct net_port *p = &n->ports[1];
	assert_string_equal(p->switch_name, "b");
	assert_string_equal(p->ifname, "up0");
	assert_int_equal(p->n_ips, 2);
	assert_string_equal(ip_text(&p->ips[1], buf), "fd00::5");
	assert_int_equal(p->mac.bytes[5], 1);
	assert_int_equal(p->rate, 1500000);
}

static void test_switch_refusals(void **state)
{
	static const char *const bad[] = { "",
					   "a b",
					   "a:",
					   "a:ip",
					   "a:ip=10.0.0",
					   "a:ip=1.2.3.4/8x",
					   "a:mac=1",
					   "a:ifname=lo",
					   "a:ifname=",
					   "a:ifname=a/b",
					   "a:rate=0",
					   "a:rate=1tbit",
					   "a:frob=1",
					   "a:ifname=sixteen-letters-" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		AUTO(network) struct network *n = network_new(NET_PORTS_MAX);
		struct error e = { .code = 0 };
		if (network_add_switch(n, bad[i], &e) != -EINVAL)
			fail_msg("%s is taken", bad[i]);
	}
	AUTO(network) struct network *n = NULL;
	struct error e;
	assert_int_equal(network_wishes(LIST("a:ifname=x", "b:ifname=x"), NULL, NULL, "i", NULL, &n, &e),
			 -EINVAL);
	assert_non_null(strstr(e.msg, "two links named x"));
}

static void test_publish(void **state)
{
	struct net_publish p;
	struct error e;
	char buf[IP_TEXT_SIZE];

	(void)state;
	assert_int_equal(network_parse_publish("8080:80", &p, &e), 0);
	assert_int_equal(p.host.family, 0);
	assert_int_equal(p.host_port, 8080);
	assert_int_equal(p.port, 80);
	assert_int_equal(p.protocol, IPPROTO_TCP);
	assert_int_equal(network_parse_publish("127.0.0.1:53:5353/udp", &p, &e), 0);
	assert_string_equal(ip_text(&p.host, buf), "127.0.0.1");
	assert_int_equal(p.protocol, IPPROTO_UDP);
	assert_int_equal(network_parse_publish("[fd00::1]:53:5353", &p, &e), 0);
	assert_string_equal(ip_text(&p.host, buf), "fd00::1");
	static const char *const bad[] = {
		"",	   "80",     "0:80",	      "80:0",	  "80:65536",	    "a:80",  "80:b",
		"80:80/x", ":80:80", "fd00::1:80:80", "80:80:80", "[fd00::1:80:80", "+80:80"
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (network_parse_publish(bad[i], &p, &e) != -EINVAL)
			fail_msg("%s is taken", bad[i]);
}

static void test_rate(void **state)
{
	static const struct {
		const char *text;
		uint64_t rate;
	} good[] = { { "9600", 9600 },		{ "8kbit", 8000 },	{ "10mbit", 10000000 },
		     { "1.5gbit", 1500000000 }, { "10MBIT", 10000000 }, { "0.125mbit", 125000 } };
	static const char *const bad[] = { "",	       "mbit",	  "10",
					   "-1mbit",   "10 mbit", "1.2345mbit",
					   "1..5mbit", "900gbit", "99999999999999999999" };
	uint64_t rate;
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(network_parse_rate(good[i].text, &rate, &e), 0);
		assert_int_equal(rate, good[i].rate);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (network_parse_rate(bad[i], &rate, &e) != -EINVAL)
			fail_msg("%s is taken", bad[i]);
}

static void test_annotations(void **state)
{
	struct spec_key_value notes[] = { { ANNOTATION_SWITCH, "a:ip=10.0.0.1; b" },
					  { ANNOTATION_PUBLISH, "1:2;3:4/udp" } };
	struct spec s = { .annotations = notes, .n_annotations = 2, .hostname = "box" };
	AUTO(network) struct network *n = NULL;
	struct error e = { .code = 0 };

	(void)state;
	assert_int_equal(network_wishes(NULL, NULL, NULL, "id", &s, &n, &e), 0);
	assert_int_equal(n->n_ports, 2);
	assert_string_equal(n->ports[1].switch_name, "b");
	assert_int_equal(n->n_published, 2);
	assert_string_equal(n->alias, "box");
	notes[0].value = "a:frob=1";
	AUTO(network) struct network *none = NULL;
	assert_int_equal(network_wishes(NULL, NULL, NULL, "id", &s, &none, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "annotation org.coracle.switch: "));
}

static void test_nothing_asked_for(void **state)
{
	struct network *n = NULL;
	struct error e;

	(void)state;
	assert_int_equal(network_wishes(NULL, NULL, NULL, "id", NULL, &n, &e), 0);
	assert_null(n);
	assert_int_equal(network_wishes(NULL, LIST("1:2"), NULL, "id", NULL, &n, &e), -EINVAL);
}

static void test_the_record_comes_back(void **state)
{
	AUTO(network)
	struct network *n = wishes(LIST("a:ip=10.0.0.5,rate=10mbit"), LIST("[fd00::1]:80:81/udp"),
				   LIST("192.0.2.53"));
	AUTO(network) struct network *back = NULL;
	struct error e = { .code = 0 };
	size_t size;

	(void)state;
	n->ports[0].ifname = "eth0";
	n->ports[0].link = "c0";
	n->ports[0].mac = mac_derive("x");
	n->hosts = true;
	auto_free char *text = network_to_json(n, &size);
	if (network_from_json(text, size, &back, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(back->ports[0].link, "c0");
	assert_memory_equal(&back->ports[0].mac, &n->ports[0].mac, sizeof(struct mac));
	assert_int_equal(back->ports[0].rate, 10000000);
	assert_int_equal(back->published[0].port, 81);
	assert_string_equal(back->dns[0], "192.0.2.53");
	assert_true(back->hosts && !back->resolv);
	assert_int_equal(network_add_switch(back, "more", &e), 0);
}

static void test_a_stranger_s_record_is_checked(void **state)
{
#define RECORD(port)                                                                    \
	"{\"coracle_version_network\":1,\"name\":\"n\",\"alias\":\"\",\"ports\":[" port \
	"],\"published\":[],\"hosts\":true,\"resolv\":true}"
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		RECORD("{\"switch\":\"../x\",\"addresses\":[]}"),
		RECORD("{\"switch\":\"a\",\"addresses\":[\"10.0.0.1\"]}"),
		RECORD("{\"switch\":\"a\",\"addresses\":[],\"ifname\":\"a/b\"}"),
		RECORD("{\"switch\":\"a\",\"addresses\":[],\"link\":\"\"}"),
		RECORD("{\"switch\":\"a\",\"addresses\":[],\"mac\":\"01:00:00:00:00:00\"}"),
		RECORD("{\"switch\":\"a\",\"addresses\":[],\"frob\":1}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct network *n = NULL;
		struct error e;
		if (network_from_json(bad[i], strlen(bad[i]), &n, &e) >= 0)
			fail_msg("%s is taken", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_switch_refusals),
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_nothing_asked_for),
		cmocka_unit_test(test_the_record_comes_back),
		cmocka_unit_test(test_a_stranger_s_record_is_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
