/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route.c - routes of the main table */
#include "netns/route.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netns/list.h"
#include "netns/nl_attr.h"

static void put(struct nl_batch *b, uint16_t type, uint16_t flags, const struct route *r, const char *verb)
{
	char to[IP_TEXT_SIZE], gateway[IP_TEXT_SIZE];
	struct ip first = ip_first(&r->to);
	struct rtmsg header = {
		.rtm_family = r->to.family,
		.rtm_dst_len = r->to.prefix,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = r->gateway.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = r->onlink ? RTNH_F_ONLINK : 0,
	};
	if (r->local) {
		header.rtm_table = RT_TABLE_LOCAL;
		header.rtm_type = RTN_LOCAL;
		header.rtm_scope = RT_SCOPE_HOST;
	}
	if (type == RTM_DELROUTE)
		header.rtm_scope = RT_SCOPE_NOWHERE;
	struct nlmsghdr *m = nl_put(b, type, flags, &header, sizeof(header), "%s route to %s%s%s", verb,
				    ip_net_text(&first, to), r->gateway.family ? " by " : "",
				    r->gateway.family ? ip_text(&r->gateway, gateway) : "");
	if (!m)
		return;
	if (r->to.prefix)
		attr_put_ip(m, RTA_DST, &first);
	if (r->gateway.family)
		attr_put_ip(m, RTA_GATEWAY, &r->gateway);
	if (r->source.family)
		attr_put_ip(m, RTA_PREFSRC, &r->source);
	if (r->index)
		mnl_attr_put_u32(m, RTA_OIF, (uint32_t)r->index);
	if (r->metric)
		mnl_attr_put_u32(m, RTA_PRIORITY, r->metric);
}

void route_add(struct nl_batch *b, const struct route *r)
{
	put(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, r, "add");
}

void route_remove(struct nl_batch *b, const struct route *r)
{
	put(b, RTM_DELROUTE, 0, r, "remove");
}

bool route_parse(const struct nlmsghdr *m, struct route *ret)
{
	const struct nlattr *t[RTA_MAX + 1];
	struct route r = { 0 };

	if (m->nlmsg_type != RTM_NEWROUTE || !nl_attrs(m, sizeof(struct rtmsg), t, RTA_MAX))
		return false;
	const struct rtmsg *header = mnl_nlmsg_get_payload(m);
	uint32_t table = t[RTA_TABLE] ? attr_u32(t[RTA_TABLE]) : header->rtm_table;
	if (table != RT_TABLE_MAIN || header->rtm_type != RTN_UNICAST || header->rtm_flags & RTM_F_CLONED ||
	    (header->rtm_family != AF_INET && header->rtm_family != AF_INET6))
		return false;
	r.to.family = header->rtm_family;
	attr_ip(t[RTA_DST], header->rtm_family, header->rtm_dst_len, &r.to);
	struct ip whole = { .family = header->rtm_family };
	uint8_t bits = (uint8_t)(8 * ip_size(&whole));
	attr_ip(t[RTA_GATEWAY], header->rtm_family, bits, &r.gateway);
	attr_ip(t[RTA_PREFSRC], header->rtm_family, bits, &r.source);
	r.index = (int)attr_u32(t[RTA_OIF]);
	r.metric = attr_u32(t[RTA_PRIORITY]);
	r.onlink = (header->rtm_flags & RTNH_F_ONLINK) != 0;
	*ret = r;
	return true;
}

static int take_each(const struct nlmsghdr *m, void *data, struct error *e)
{
	struct route r;

	if (!m)
		return list_clear(data);
	return route_parse(m, &r) ? list_add(data, &r, e) : 0;
}

int route_list(struct nl *nl, int family, struct route **ret, size_t *ret_count, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct list list = LIST_OF(struct route);
	struct rtmsg header = { .rtm_family = (uint8_t)family };

	nl_put(b, RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header), "routes");
	return list_end(&list, nl_read(nl, b, take_each, &list, e), (void **)ret, ret_count);
}
