/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.c - addresses of links */
#include "netns/addr.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netns/list.h"
#include "netns/nl_attr.h"

static struct nlmsghdr *put(struct nl_batch *b, uint16_t type, uint16_t flags, int index, const struct ip *ip,
			    const char *verb)
{
	char text[IP_TEXT_SIZE];
	struct ifaddrmsg header = {
		.ifa_family = ip->family,
		.ifa_prefixlen = ip->prefix,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (uint32_t)index,
	};
	struct nlmsghdr *m = nl_put(b, type, flags, &header, sizeof(header), "link %d: %s address %s", index,
				    verb, ip_net_text(ip, text));
	if (m) {
		attr_put_ip(m, IFA_LOCAL, ip);
		attr_put_ip(m, IFA_ADDRESS, ip);
	}
	return m;
}

void addr_add(struct nl_batch *b, int index, const struct ip *ip, unsigned int flags)
{
	uint32_t kernel = (flags & ADDR_NO_PREFIX_ROUTE ? IFA_F_NOPREFIXROUTE : 0U);
	struct nlmsghdr *m = put(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, ip, "add");

	if (!m)
		return;
	if (ip->family == AF_INET && ip->prefix < 31) {
		struct ip last = ip_last(ip);
		attr_put_ip(m, IFA_BROADCAST, &last);
	}
	if (ip->family == AF_INET6 && !(flags & ADDR_DAD))
		kernel |= IFA_F_NODAD;
	if (kernel)
		mnl_attr_put_u32(m, IFA_FLAGS, kernel);
}

void addr_remove(struct nl_batch *b, int index, const struct ip *ip)
{
	put(b, RTM_DELADDR, 0, index, ip, "remove");
}

bool addr_parse(const struct nlmsghdr *m, struct addr *ret)
{
	const struct nlattr *t[IFA_MAX + 1];
	struct addr a = { 0 };

	if (m->nlmsg_type != RTM_NEWADDR || !nl_attrs(m, sizeof(struct ifaddrmsg), t, IFA_MAX))
		return false;
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(m);
	a.index = (int)header->ifa_index;
	a.scope = header->ifa_scope;
	a.flags = t[IFA_FLAGS] ? attr_u32(t[IFA_FLAGS]) : header->ifa_flags;
	if (!attr_ip(t[IFA_LOCAL] ? t[IFA_LOCAL] : t[IFA_ADDRESS], header->ifa_family, header->ifa_prefixlen,
		     &a.ip))
		return false;
	*ret = a;
	return true;
}

struct wanted {
	struct list list;
	int index;
};

static int take_each(const struct nlmsghdr *m, void *data, struct error *e)
{
	struct wanted *w = data;
	struct addr a;

	if (!m)
		return list_clear(&w->list);
	if (!addr_parse(m, &a) || (w->index && a.index != w->index))
		return 0;
	return list_add(&w->list, &a, e);
}

int addr_list(struct nl *nl, int index, struct addr **ret, size_t *ret_count, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct wanted w = { .list = LIST_OF(struct addr), .index = index };
	struct ifaddrmsg header = { .ifa_index = (uint32_t)index };

	nl_put(b, RTM_GETADDR, NLM_F_DUMP, &header, sizeof(header), "addresses");
	return list_end(&w.list, nl_read(nl, b, take_each, &w, e), (void **)ret, ret_count);
}
