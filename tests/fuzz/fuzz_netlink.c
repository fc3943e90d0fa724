/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_netlink.c - any bytes as what a netlink socket gives us: answers to a batch, links, addresses, routes */
#include <assert.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netns/addr.h"
#include "netns/link.h"
#include "netns/nl_attr.h"
#include "netns/route.h"
#include "tests/fuzz/fuzz.h"

/* Three requests that the answers may be to; their sequence numbers are 0 to 2. */
static struct nl_batch *requests(void)
{
	struct nl_batch *b = nl_batch_new();
	struct ip ip = { .family = AF_INET, .prefix = 24, .bytes = { 10, 0, 0, 1 } };

	assert(b);
	link_create_bridge(b, &(struct link_bridge){ .name = "sw0", .mtu = 1500 });
	link_create_veth(b, &(struct link_veth){ .name = "p0", .peer_name = "eth0", .peer_netns = -1 });
	addr_add(b, 1, &ip, 0);
	return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(nl_batch) struct nl_batch *b = requests();
	struct error e = { 0 };
	struct link l;
	struct addr a;
	struct route r;
	bool last;

	int failed = nl_parse_answers(data, size, b, &last, &e);
	assert((failed < 0) == (e.msg[0] != '\0'));
	size_t left = size;
	for (const struct nlmsghdr *m = (const void *)data; nl_message_ok(m, left);
	     m = nl_message_next(m, &left)) {
		if (link_parse(m, &l))
			assert(strnlen(l.name, sizeof(l.name)) < sizeof(l.name));
		if (addr_parse(m, &a))
			assert(a.ip.family == AF_INET || a.ip.family == AF_INET6);
		route_parse(m, &r);
	}
	return 0;
}
