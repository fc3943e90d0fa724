/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neigh.c - neighbours and forwarding entries */
#include "netns/neigh.h"

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "netns/nl_attr.h"

static void put_neigh(struct nl_batch *b, uint16_t type, uint16_t flags, int index, const struct ip *ip,
		      const struct mac *mac, const char *verb)
{
	char text[IP_TEXT_SIZE];
	struct ndmsg header = { .ndm_family = ip->family, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT };
	struct nlmsghdr *m = nl_put(b, type, flags, &header, sizeof(header), "link %d: %s neighbour %s",
				    index, verb, ip_text(ip, text));
	if (!m)
		return;
	attr_put_ip(m, NDA_DST, ip);
	if (mac)
		mnl_attr_put(m, NDA_LLADDR, MAC_SIZE, mac->bytes);
}

void neigh_add(struct nl_batch *b, int index, const struct ip *ip, const struct mac *mac)
{
	put_neigh(b, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, index, ip, mac, "add");
}

void neigh_remove(struct nl_batch *b, int index, const struct ip *ip)
{
	put_neigh(b, RTM_DELNEIGH, 0, index, ip, NULL, "remove");
}

static void put_fdb(struct nl_batch *b, uint16_t type, uint16_t flags, uint8_t where, int index,
		    const struct mac *mac, const struct ip *remote, const char *verb)
{
	static const struct mac everybody; /* all zero: the default entry */
	char text[MAC_TEXT_SIZE], to[IP_TEXT_SIZE];
	struct ndmsg header = {
		.ndm_family = AF_BRIDGE,
		.ndm_ifindex = index,
		.ndm_flags = where,
		.ndm_state = where == NTF_SELF ? NUD_PERMANENT | NUD_NOARP : NUD_NOARP,
	};
	struct nlmsghdr *m = nl_put(b, type, flags, &header, sizeof(header),
				    "link %d: %s forwarding of %s%s%s", index, verb,
				    mac ? mac_text(mac, text) : "all frames", remote ? " to " : "",
				    remote ? ip_text(remote, to) : "");
	if (!m)
		return;
	mnl_attr_put(m, NDA_LLADDR, MAC_SIZE, (mac ? mac : &everybody)->bytes);
	if (remote)
		attr_put_ip(m, NDA_DST, remote);
}

void fdb_add_remote(struct nl_batch *b, int vxlan, const struct mac *mac, const struct ip *remote)
{
	put_fdb(b, RTM_NEWNEIGH, NLM_F_CREATE | (mac ? NLM_F_REPLACE : NLM_F_APPEND), NTF_SELF, vxlan, mac,
		remote, "add");
}

void fdb_remove_remote(struct nl_batch *b, int vxlan, const struct mac *mac, const struct ip *remote)
{
	put_fdb(b, RTM_DELNEIGH, 0, NTF_SELF, vxlan, mac, remote, "remove");
}

void fdb_add_port(struct nl_batch *b, int port, const struct mac *mac)
{
	put_fdb(b, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, NTF_MASTER, port, mac, NULL, "add");
}

void fdb_remove_port(struct nl_batch *b, int port, const struct mac *mac)
{
	put_fdb(b, RTM_DELNEIGH, 0, NTF_MASTER, port, mac, NULL, "remove");
}
