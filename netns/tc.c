/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tc.c - token buckets */
#include "netns/tc.h"

#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "netns/nl_attr.h"
#include "runtime/base/str.h"

#define LARGEST_SEGMENT 65536 /* a GSO packet: a smaller bucket has the kernel cut it up */
#define MOST_BURST	(64U << 20)

uint32_t tc_burst(uint64_t bytes_per_s)
{
	uint64_t burst = bytes_per_s / 200; /* 5 ms */

	return burst < LARGEST_SEGMENT + 2048 ? LARGEST_SEGMENT + 2048
	       : burst > MOST_BURST	      ? MOST_BURST
					      : (uint32_t)burst;
}

void tc_limit(struct nl_batch *b, int index, uint64_t bytes_per_s, uint32_t burst)
{
	struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = index,
		.tcm_handle = 0x10000,
		.tcm_parent = TC_H_ROOT,
	};
	uint32_t bucket = burst ? burst : tc_burst(bytes_per_s);
	uint64_t queue = bytes_per_s / 20 + bucket; /* what waits 50 ms at most */
	struct tc_tbf_qopt options = {
		.rate = { .rate = bytes_per_s > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes_per_s,
			  .linklayer = TC_LINKLAYER_ETHERNET },
		.limit = queue > UINT32_MAX ? UINT32_MAX : (uint32_t)queue,
	};

	if (!bytes_per_s)
		nl_break(b, EINVAL, "link %d: limit of 0", index);
	struct nlmsghdr *m = nl_put(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header),
				    "link %d: limit to %llu bytes per second", index,
				    (unsigned long long)bytes_per_s);
	if (!m)
		return;
	mnl_attr_put_strz(m, TCA_KIND, "tbf");
	struct nlattr *nest = mnl_attr_nest_start(m, TCA_OPTIONS);
	mnl_attr_put(m, TCA_TBF_PARMS, sizeof(options), &options);
	mnl_attr_put_u32(m, TCA_TBF_BURST, bucket);
	if (bytes_per_s > UINT32_MAX)
		mnl_attr_put_u64(m, TCA_TBF_RATE64, bytes_per_s);
	mnl_attr_nest_end(m, nest);
}

void tc_unlimit(struct nl_batch *b, int index)
{
	struct tcmsg header = { .tcm_family = AF_UNSPEC, .tcm_ifindex = index, .tcm_parent = TC_H_ROOT };

	nl_put(b, RTM_DELQDISC, 0, &header, sizeof(header), "link %d: remove limit", index);
	nl_tolerate(b, ENOENT);
}

struct wanted {
	int index;
	uint64_t rate;
};

static int take_qdisc(const struct nlmsghdr *m, void *data, struct error *e)
{
	const struct nlattr *t[TCA_MAX + 1], *options[TCA_TBF_MAX + 1];
	struct wanted *w = data;
	char kind[16];

	(void)e;
	if (!m || m->nlmsg_type != RTM_NEWQDISC || !nl_attrs(m, sizeof(struct tcmsg), t, TCA_MAX))
		return 0;
	const struct tcmsg *header = mnl_nlmsg_get_payload(m);
	attr_text(t[TCA_KIND], kind, sizeof(kind));
	if (header->tcm_ifindex != w->index || header->tcm_parent != TC_H_ROOT || !str_eq(kind, "tbf"))
		return 0;
	nl_nested(t[TCA_OPTIONS], options, TCA_TBF_MAX);
	if (options[TCA_TBF_PARMS] &&
	    mnl_attr_get_payload_len(options[TCA_TBF_PARMS]) >= sizeof(struct tc_tbf_qopt)) {
		struct tc_tbf_qopt q;
		memcpy(&q, mnl_attr_get_payload(options[TCA_TBF_PARMS]), sizeof(q));
		w->rate = q.rate.rate;
	}
	if (options[TCA_TBF_RATE64] && mnl_attr_get_payload_len(options[TCA_TBF_RATE64]) == 8)
		w->rate = mnl_attr_get_u64(options[TCA_TBF_RATE64]);
	return 0;
}

int tc_get_limit(struct nl *nl, int index, uint64_t *ret, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct tcmsg header = { .tcm_family = AF_UNSPEC, .tcm_ifindex = index };
	struct wanted w = { .index = index };

	/* A dump: the kernel tells a single queue to whoever listens for changes, not to who asks. */
	nl_put(b, RTM_GETQDISC, NLM_F_DUMP, &header, sizeof(header), "link %d: limit", index);
	int r = nl_read(nl, b, take_qdisc, &w, e);
	if (r < 0)
		return r;
	*ret = w.rate;
	return 0;
}

int tc_parse_rate(const char *text, uint64_t *ret, struct error *e)
{
	static const struct {
		const char *name;
		uint64_t bits;
	} units[] = {
		{ "gbit", 1000000000 }, { "mbit", 1000000 }, { "kbit", 1000 }, { "bit", 1 }, { "", 1 }
	};
	char number[32], *end;

	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (!str_ends(text, units[i].name))
			continue;
		size_t n = strlen(text) - strlen(units[i].name);
		if (n == 0 || n >= sizeof(number) || strspn(text, "0123456789.") < n)
			break;
		memcpy(number, text, n);
		number[n] = '\0';
		double value = strtod(number, &end) * (double)units[i].bits / 8;
		if (*end || !(value >= 1) || value > 1e15)
			break;
		*ret = (uint64_t)value;
		return 0;
	}
	return refuse(e, EINVAL, "rate '%s': expected a number and kbit, mbit or gbit", text);
}
