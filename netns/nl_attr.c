/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nl_attr.c - reading attributes, and their names in errors */
#include "netns/nl_attr.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include "runtime/base/str.h"

static void collect(const struct nlattr *a, const char *end, const struct nlattr **table, uint16_t max)
{
	memset(table, 0, ((size_t)max + 1) * sizeof(*table));
	for (; mnl_attr_ok(a, (int)(end - (const char *)a)); a = mnl_attr_next(a))
		if (mnl_attr_get_type(a) <= max)
			table[mnl_attr_get_type(a)] = a;
}

bool nl_attrs(const struct nlmsghdr *m, size_t header_size, const struct nlattr **table, uint16_t max)
{
	memset(table, 0, ((size_t)max + 1) * sizeof(*table));
	if (m->nlmsg_len < MNL_NLMSG_HDRLEN + MNL_ALIGN(header_size))
		return false;
	collect(mnl_nlmsg_get_payload_offset(m, header_size), (const char *)m + m->nlmsg_len, table, max);
	return true;
}

void nl_nested(const struct nlattr *nest, const struct nlattr **table, uint16_t max)
{
	memset(table, 0, ((size_t)max + 1) * sizeof(*table));
	if (nest)
		collect(mnl_attr_get_payload(nest),
			(const char *)mnl_attr_get_payload(nest) + mnl_attr_get_payload_len(nest), table,
			max);
}

void attr_text(const struct nlattr *a, char *buf, size_t size)
{
	size_t n = a ? mnl_attr_get_payload_len(a) : 0;

	if (n >= size)
		n = size - 1;
	if (n)
		memcpy(buf, mnl_attr_get_payload(a), n);
	buf[n] = '\0';
}

bool attr_ip(const struct nlattr *a, uint8_t family, uint8_t prefix, struct ip *ret)
{
	struct ip ip = { .family = family, .prefix = prefix };

	if (!a || (family != AF_INET && family != AF_INET6) || mnl_attr_get_payload_len(a) != ip_size(&ip))
		return false;
	memcpy(ip.bytes, mnl_attr_get_payload(a), ip_size(&ip));
	*ret = ip;
	return true;
}

bool attr_mac(const struct nlattr *a, struct mac *ret)
{
	if (!a || mnl_attr_get_payload_len(a) != MAC_SIZE)
		return false;
	memcpy(ret->bytes, mnl_attr_get_payload(a), MAC_SIZE);
	return true;
}

/* ---- names ---- */

static const struct name {
	uint16_t group; /* the first message type of the four that share it (RTM_NEWLINK, …) */
	uint16_t type;
	const char *name;
} names[] = {
	{ RTM_NEWLINK, IFLA_IFNAME, "name" },
	{ RTM_NEWLINK, IFLA_ADDRESS, "MAC" },
	{ RTM_NEWLINK, IFLA_MTU, "MTU" },
	{ RTM_NEWLINK, IFLA_MASTER, "master" },
	{ RTM_NEWLINK, IFLA_LINK, "lower link" },
	{ RTM_NEWLINK, IFLA_LINKINFO, "kind" },
	{ RTM_NEWLINK, IFLA_NET_NS_FD, "namespace" },
	{ RTM_NEWLINK, IFLA_NEW_IFINDEX, "index" },
	{ RTM_NEWLINK, IFLA_AF_SPEC, "family settings" },
	{ RTM_NEWADDR, IFA_LOCAL, "address" },
	{ RTM_NEWADDR, IFA_ADDRESS, "address" },
	{ RTM_NEWADDR, IFA_BROADCAST, "broadcast address" },
	{ RTM_NEWADDR, IFA_FLAGS, "flags" },
	{ RTM_NEWROUTE, RTA_DST, "destination" },
	{ RTM_NEWROUTE, RTA_GATEWAY, "gateway" },
	{ RTM_NEWROUTE, RTA_PREFSRC, "source" },
	{ RTM_NEWROUTE, RTA_OIF, "link" },
	{ RTM_NEWROUTE, RTA_PRIORITY, "metric" },
	{ RTM_NEWNEIGH, NDA_DST, "address" },
	{ RTM_NEWNEIGH, NDA_LLADDR, "MAC" },
	{ RTM_NEWQDISC, TCA_KIND, "kind" },
	{ RTM_NEWQDISC, TCA_OPTIONS, "options" },
};

const char *nl_type_name(const struct nlmsghdr *m, uint32_t type)
{
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (names[i].group == (m->nlmsg_type & ~3U) && names[i].type == type)
			return names[i].name;
	return NULL;
}

/* The family header's size of the requests that we send. */
static size_t header_size(const struct nlmsghdr *m)
{
	switch (m->nlmsg_type & ~3U) {
	case RTM_NEWLINK:
		return sizeof(struct ifinfomsg);
	case RTM_NEWADDR:
		return sizeof(struct ifaddrmsg);
	case RTM_NEWROUTE:
		return sizeof(struct rtmsg);
	case RTM_NEWNEIGH:
		return sizeof(struct ndmsg);
	case RTM_NEWQDISC:
		return sizeof(struct tcmsg);
	default:
		return sizeof(struct nfgenmsg);
	}
}

const char *nl_attr_name(const struct nlmsghdr *m, uint32_t offset)
{
	if (m->nlmsg_len < MNL_NLMSG_HDRLEN + MNL_ALIGN(header_size(m)) || offset >= m->nlmsg_len)
		return NULL;
	const char *end = (const char *)m + m->nlmsg_len, *at = (const char *)m + offset;
	const struct nlattr *a = mnl_nlmsg_get_payload_offset(m, header_size(m));
	for (; mnl_attr_ok(a, (int)(end - (const char *)a)); a = mnl_attr_next(a))
		if (at >= (const char *)a && at < (const char *)a + mnl_attr_get_len(a))
			return nl_type_name(m, mnl_attr_get_type(a));
	return NULL;
}
