/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.c - making and changing links; reading them back is in link_get.c */
#include "netns/link.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>

#include "netns/nl_attr.h"
#include "runtime/base/str.h"

#define VXLAN_PORT 4789 /* IANA's; the kernel's own default is an older one */

bool link_name_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IFNAMSIZ || str_eq(name, ".") || str_eq(name, ".."))
		return false;
	for (const char *c = name; *c; c++)
		if (*c == '/' || *c == ':' || *c <= ' ' || *c == 0x7f)
			return false;
	return true;
}

static bool check_name(struct nl_batch *b, const char *name)
{
	if (name && link_name_is_valid(name))
		return true;
	nl_break(b, EINVAL, "link name '%.40s'", name ? name : "");
	return false;
}

#define UP                                                \
	(struct ifinfomsg)                                \
	{                                                 \
		.ifi_flags = IFF_UP, .ifi_change = IFF_UP \
	}
#define CREATE (NLM_F_CREATE | NLM_F_EXCL)

static void put_mac(struct nlmsghdr *m, const struct mac *mac)
{
	if (mac)
		mnl_attr_put(m, IFLA_ADDRESS, MAC_SIZE, mac->bytes);
}

static void put_u32_if(struct nlmsghdr *m, uint16_t type, uint32_t value)
{
	if (value)
		mnl_attr_put_u32(m, type, value);
}

void link_create_bridge(struct nl_batch *b, const struct link_bridge *l)
{
	if (!check_name(b, l->name))
		return;
	struct nlmsghdr *m = nl_put(b, RTM_NEWLINK, CREATE, &UP, sizeof(UP), "link %s: create bridge",
				    l->name);
	if (!m)
		return;
	mnl_attr_put_strz(m, IFLA_IFNAME, l->name);
	put_mac(m, l->mac);
	put_u32_if(m, IFLA_MTU, l->mtu);
	struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
	mnl_attr_put_strz(m, IFLA_INFO_KIND, "bridge");
	struct nlattr *data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
	mnl_attr_put_u8(m, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_nest_end(m, data);
	mnl_attr_nest_end(m, info);
}

/* The container's end, as the pair's "peer". */
static void put_peer(struct nlmsghdr *m, const struct link_veth *l)
{
	struct nlattr *peer = mnl_attr_nest_start(m, VETH_INFO_PEER);

	mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(m, IFLA_IFNAME, l->peer_name);
	put_mac(m, l->peer_mac);
	put_u32_if(m, IFLA_MTU, l->mtu);
	if (l->peer_netns >= 0)
		mnl_attr_put_u32(m, IFLA_NET_NS_FD, (uint32_t)l->peer_netns);
	mnl_attr_nest_end(m, peer);
}

void link_create_veth(struct nl_batch *b, const struct link_veth *l)
{
	struct ifinfomsg header = { 0 };

	if (!check_name(b, l->name) || !check_name(b, l->peer_name))
		return;
	struct nlmsghdr *m = nl_put(b, RTM_NEWLINK, CREATE, &header, sizeof(header),
				    "link %s: create veth pair with %s", l->name, l->peer_name);
	if (!m)
		return;
	mnl_attr_put_strz(m, IFLA_IFNAME, l->name);
	put_mac(m, l->mac);
	put_u32_if(m, IFLA_MTU, l->mtu);
	struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
	mnl_attr_put_strz(m, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
	put_peer(m, l);
	mnl_attr_nest_end(m, data);
	mnl_attr_nest_end(m, info);
	if (l->master || l->up)
		link_change(b, &(struct link_change){ .name = l->name,
						      .master = l->master,
						      .up = l->up,
						      .no_ipv6 = l->master > 0 });
}

void link_create_vxlan(struct nl_batch *b, const struct link_vxlan *l)
{
	struct ifinfomsg header = { 0 };

	if (!check_name(b, l->name))
		return;
	struct nlmsghdr *m = nl_put(b, RTM_NEWLINK, CREATE, &header, sizeof(header),
				    "link %s: create vxlan %u", l->name, l->vni);
	if (!m)
		return;
	mnl_attr_put_strz(m, IFLA_IFNAME, l->name);
	put_mac(m, l->mac);
	put_u32_if(m, IFLA_MTU, l->mtu);
	struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
	mnl_attr_put_strz(m, IFLA_INFO_KIND, "vxlan");
	struct nlattr *data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
	mnl_attr_put_u32(m, IFLA_VXLAN_ID, l->vni);
	attr_put_ip(m, l->local->family == AF_INET ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, l->local);
	mnl_attr_put_u16(m, IFLA_VXLAN_PORT, htons(l->port ? l->port : VXLAN_PORT));
	mnl_attr_put_u8(m, IFLA_VXLAN_LEARNING, l->learning);
	put_u32_if(m, IFLA_VXLAN_LINK, (uint32_t)l->lower);
	mnl_attr_nest_end(m, data);
	mnl_attr_nest_end(m, info);
	if (l->master || l->up)
		link_change(b, &(struct link_change){ .name = l->name,
						      .master = l->master,
						      .up = l->up,
						      .no_ipv6 = l->master > 0 });
}

void link_delete(struct nl_batch *b, const char *name)
{
	struct ifinfomsg header = { 0 };

	if (!check_name(b, name))
		return;
	struct nlmsghdr *m = nl_put(b, RTM_DELLINK, 0, &header, sizeof(header), "link %s: delete", name);
	if (m)
		mnl_attr_put_strz(m, IFLA_IFNAME, name);
}

void link_delete_index(struct nl_batch *b, int index)
{
	struct ifinfomsg header = { .ifi_index = index };

	nl_put(b, RTM_DELLINK, 0, &header, sizeof(header), "link %d: delete", index);
}

/* Which change it is, in words. */
static const char *change_words(const struct link_change *c)
{
	return c->move		  ? "move to another namespace"
	       : c->new_name	  ? "rename"
	       : c->master > 0	  ? "make a port"
	       : c->master < 0	  ? "take out of its switch"
	       : c->mtu		  ? "set MTU"
	       : c->mac		  ? "set MAC"
	       : c->up || c->down ? (c->up ? "bring up" : "bring down")
				  : "change";
}

/* A port has no addresses of its own: no link-local one either, no DAD, no router solicitations. */
static void put_no_ipv6(struct nlmsghdr *m)
{
	struct nlattr *spec = mnl_attr_nest_start(m, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(m, AF_INET6);

	mnl_attr_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(m, inet6);
	mnl_attr_nest_end(m, spec);
}

void link_change(struct nl_batch *b, const struct link_change *c)
{
	struct ifinfomsg header = { .ifi_index = c->index };
	char index[16] = "";

	if ((!c->index && !check_name(b, c->name)) || (c->new_name && !check_name(b, c->new_name)))
		return;
	if (c->up || c->down)
		header.ifi_flags = c->up ? IFF_UP : 0, header.ifi_change = IFF_UP;
	if (!c->name)
		str_format(index, sizeof(index), "%d", c->index);
	struct nlmsghdr *m = nl_put(b, RTM_NEWLINK, 0, &header, sizeof(header), "link %s: %s",
				    c->name ? c->name : index, change_words(c));
	if (!m)
		return;
	if (!c->index || c->new_name)
		mnl_attr_put_strz(m, IFLA_IFNAME, c->index && c->new_name ? c->new_name : c->name);
	put_mac(m, c->mac);
	put_u32_if(m, IFLA_MTU, c->mtu);
	if (c->master)
		mnl_attr_put_u32(m, IFLA_MASTER, c->master > 0 ? (uint32_t)c->master : 0);
	if (c->move)
		mnl_attr_put_u32(m, IFLA_NET_NS_FD, (uint32_t)c->netns);
	put_u32_if(m, IFLA_NEW_IFINDEX, (uint32_t)c->new_index);
	if (c->no_ipv6)
		put_no_ipv6(m);
}

void link_set_port(struct nl_batch *b, const char *name, unsigned int set, unsigned int to)
{
	static const struct {
		enum port_flag flag;
		uint16_t type;
	} flags[] = {
		{ PORT_ISOLATED, IFLA_BRPORT_ISOLATED },
		{ PORT_LEARNING, IFLA_BRPORT_LEARNING },
		{ PORT_HAIRPIN, IFLA_BRPORT_MODE },
		{ PORT_NEIGH_SUPPRESS, IFLA_BRPORT_NEIGH_SUPPRESS },
		{ PORT_FLOOD, IFLA_BRPORT_UNICAST_FLOOD },
		{ PORT_GUARD, IFLA_BRPORT_GUARD },
	};
	struct ifinfomsg header = { 0 };

	if (!check_name(b, name))
		return;
	struct nlmsghdr *m = nl_put(b, RTM_NEWLINK, 0, &header, sizeof(header), "link %s: set up port", name);
	if (!m)
		return;
	mnl_attr_put_strz(m, IFLA_IFNAME, name);
	struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
	mnl_attr_put_strz(m, IFLA_INFO_SLAVE_KIND, "bridge");
	struct nlattr *data = mnl_attr_nest_start(m, IFLA_INFO_SLAVE_DATA);
	for (size_t i = 0; i < COUNT_OF(flags); i++)
		if (set & flags[i].flag)
			mnl_attr_put_u8(m, flags[i].type, (to & flags[i].flag) != 0);
	mnl_attr_nest_end(m, data);
	mnl_attr_nest_end(m, info);
}
