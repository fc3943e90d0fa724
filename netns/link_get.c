/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_get.c - links, read back */
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netns/link.h"
#include "netns/list.h"
#include "netns/nl_attr.h"
#include "runtime/base/str.h"

static void read_port(const struct nlattr *data, struct link *l)
{
	static const struct {
		uint16_t type;
		enum port_flag flag;
	} flags[] = {
		{ IFLA_BRPORT_ISOLATED, PORT_ISOLATED },
		{ IFLA_BRPORT_LEARNING, PORT_LEARNING },
		{ IFLA_BRPORT_MODE, PORT_HAIRPIN },
		{ IFLA_BRPORT_NEIGH_SUPPRESS, PORT_NEIGH_SUPPRESS },
		{ IFLA_BRPORT_UNICAST_FLOOD, PORT_FLOOD },
		{ IFLA_BRPORT_GUARD, PORT_GUARD },
	};
	const struct nlattr *t[IFLA_BRPORT_MAX + 1];

	nl_nested(data, t, IFLA_BRPORT_MAX);
	for (size_t i = 0; i < COUNT_OF(flags); i++)
		if (attr_u8(t[flags[i].type]))
			l->port |= flags[i].flag;
}

static void read_info(const struct nlattr *nest, struct link *l)
{
	const struct nlattr *t[IFLA_INFO_MAX + 1], *vxlan[IFLA_VXLAN_MAX + 1];
	char slave[16];

	nl_nested(nest, t, IFLA_INFO_MAX);
	attr_text(t[IFLA_INFO_KIND], l->kind, sizeof(l->kind));
	attr_text(t[IFLA_INFO_SLAVE_KIND], slave, sizeof(slave));
	if (str_eq(slave, "bridge"))
		read_port(t[IFLA_INFO_SLAVE_DATA], l);
	if (str_eq(l->kind, "vxlan")) {
		nl_nested(t[IFLA_INFO_DATA], vxlan, IFLA_VXLAN_MAX);
		l->vni = attr_u32(vxlan[IFLA_VXLAN_ID]);
	}
}

static void read_counters(const struct nlattr *a, struct link *l)
{
	struct rtnl_link_stats64 s;

	if (!a || mnl_attr_get_payload_len(a) < offsetof(struct rtnl_link_stats64, rx_errors))
		return;
	memcpy(&s, mnl_attr_get_payload(a), offsetof(struct rtnl_link_stats64, rx_errors));
	l->rx_bytes = s.rx_bytes;
	l->tx_bytes = s.tx_bytes;
	l->rx_packets = s.rx_packets;
	l->tx_packets = s.tx_packets;
}

bool link_parse(const struct nlmsghdr *m, struct link *ret)
{
	const struct nlattr *t[IFLA_MAX + 1];
	struct link l = { 0 };

	if (m->nlmsg_type != RTM_NEWLINK || !nl_attrs(m, sizeof(struct ifinfomsg), t, IFLA_MAX))
		return false;
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(m);
	l.index = header->ifi_index;
	l.flags = header->ifi_flags;
	attr_text(t[IFLA_IFNAME], l.name, sizeof(l.name));
	l.has_mac = attr_mac(t[IFLA_ADDRESS], &l.mac);
	l.mtu = attr_u32(t[IFLA_MTU]);
	l.master = (int)attr_u32(t[IFLA_MASTER]);
	l.operstate = attr_u8(t[IFLA_OPERSTATE]);
	read_info(t[IFLA_LINKINFO], &l);
	read_counters(t[IFLA_STATS64], &l);
	if (str_eq(l.kind, "veth"))
		l.peer = (int)attr_u32(t[IFLA_LINK]);
	*ret = l;
	return true;
}

static int take_one(const struct nlmsghdr *m, void *data, struct error *e)
{
	return !m || link_parse(m, data) ? 0 : refuse(e, EPROTO, "link: an answer that says nothing");
}

int link_get(struct nl *nl, const char *name, struct link *ret, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct ifinfomsg header = { 0 };

	if (!link_name_is_valid(name))
		return fail(e, ENODEV, "link %s", name);
	struct nlmsghdr *m = nl_put(b, RTM_GETLINK, 0, &header, sizeof(header), "link %s", name);
	if (m)
		mnl_attr_put_strz(m, IFLA_IFNAME, name);
	return nl_read(nl, b, take_one, ret, e);
}

int link_get_index(struct nl *nl, int index, struct link *ret, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct ifinfomsg header = { .ifi_index = index };

	nl_put(b, RTM_GETLINK, 0, &header, sizeof(header), "link %d", index);
	return nl_read(nl, b, take_one, ret, e);
}

static int take_each(const struct nlmsghdr *m, void *data, struct error *e)
{
	struct link l;

	if (!m)
		return list_clear(data);
	return link_parse(m, &l) ? list_add(data, &l, e) : 0;
}

int link_list(struct nl *nl, int master, struct link **ret, size_t *ret_count, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct list list = LIST_OF(struct link);
	struct ifinfomsg header = { 0 };

	struct nlmsghdr *m = nl_put(b, RTM_GETLINK, NLM_F_DUMP, &header, sizeof(header), "links");
	if (m && master)
		mnl_attr_put_u32(m, IFLA_MASTER, (uint32_t)master);
	return list_end(&list, nl_read(nl, b, take_each, &list, e), (void **)ret, ret_count);
}
