/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_rules.c - the rules, all of them: they are few and never change; what changes are the elements
 *
 * Written as nft(8) would show them in the comments. The bridge's chains see every frame of every bridge of the
 * host, so what a port's frame usually needs is asked first: three lookups by hash, and out. */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/set.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>

#include "netns/nft_build.h"
#include "runtime/base/str.h"

/* ---- sets and maps ---- */

static const struct set {
	uint8_t family;
	const char *name;
	uint32_t key_type, key_size;
	uint32_t data_type, data_size; /* 0: a set */
} sets[] = {
	{ NFPROTO_BRIDGE, "held", NFT_TYPE_IFNAME, 16, 0, 0 },
	{ NFPROTO_BRIDGE, "policed", NFT_TYPE_IFNAME, 16, 0, 0 },
	{ NFPROTO_BRIDGE, "guarded", NFT_TYPE_IFNAME, 16, 0, 0 },
	{ NFPROTO_BRIDGE, "reflect", NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_IFNAME), 32, 0, 0 },
	{ NFPROTO_BRIDGE, "macs", NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_ETHER), 24, 0, 0 },
	{ NFPROTO_BRIDGE, "bound4", NFT_CONCAT3(NFT_TYPE_IFNAME, NFT_TYPE_ETHER, NFT_TYPE_IP), 28, 0, 0 },
	{ NFPROTO_BRIDGE, "bound6", NFT_CONCAT3(NFT_TYPE_IFNAME, NFT_TYPE_ETHER, NFT_TYPE_IP6), 40, 0, 0 },
	{ NFPROTO_INET, "switches", NFT_TYPE_IFNAME, 16, 0, 0 },
	{ NFPROTO_INET, "nat", NFT_TYPE_IFNAME, 16, 0, 0 },
	{ NFPROTO_INET, "isolated", NFT_TYPE_IFNAME, 16, 0, 0 },
	{ NFPROTO_INET, "same", NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_IFNAME), 32, 0, 0 },
	{ NFPROTO_INET, "local4", NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_IP), 20, 0, 0 },
	{ NFPROTO_INET, "local6", NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_IP6), 32, 0, 0 },
	{ NFPROTO_INET, "publish4", NFT_CONCAT3(NFT_TYPE_PROTO, NFT_TYPE_IP, NFT_TYPE_PORT), 12,
	  NFT_CONCAT2(NFT_TYPE_IP, NFT_TYPE_PORT), 8 },
	{ NFPROTO_INET, "publish6", NFT_CONCAT3(NFT_TYPE_PROTO, NFT_TYPE_IP6, NFT_TYPE_PORT), 24,
	  NFT_CONCAT2(NFT_TYPE_IP6, NFT_TYPE_PORT), 20 },
	{ NFPROTO_INET, "anywhere4", NFT_CONCAT2(NFT_TYPE_PROTO, NFT_TYPE_PORT), 8,
	  NFT_CONCAT2(NFT_TYPE_IP, NFT_TYPE_PORT), 8 },
	{ NFPROTO_INET, "anywhere6", NFT_CONCAT2(NFT_TYPE_PROTO, NFT_TYPE_PORT), 8,
	  NFT_CONCAT2(NFT_TYPE_IP6, NFT_TYPE_PORT), 20 },
};

static void put_set(struct nl_batch *b, const struct set *s, uint32_t id)
{
	/* For nft(8), which shows names of links only if it is told: type 0 (byte order), length, host's. */
	static const uint8_t host_order[] = { 0, 4, 1, 0, 0, 0 };

	struct nlmsghdr *m = nft_put(b, s->family, NFT_MSG_NEWSET, NLM_F_CREATE, "rules: set %s", s->name);
	struct nftnl_set *set = m ? nftnl_set_alloc() : NULL;

	if (!set) {
		nl_break(b, ENOMEM, "rules: set %s", s->name);
		return;
	}
	nftnl_set_set_str(set, NFTNL_SET_TABLE, NFT_TABLE);
	nftnl_set_set_str(set, NFTNL_SET_NAME, s->name);
	nftnl_set_set_u32(set, NFTNL_SET_ID, id);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, s->key_type);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, s->key_size);
	if (s->key_type == NFT_TYPE_IFNAME)
		nftnl_set_set_data(set, NFTNL_SET_USERDATA, host_order, sizeof(host_order));
	if (s->data_size) {
		nftnl_set_set_u32(set, NFTNL_SET_FLAGS, NFT_SET_MAP);
		nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, s->data_type);
		nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, s->data_size);
	}
	nftnl_set_nlmsg_build_payload(m, set);
	nftnl_set_free(set);
}

/* ---- chains ---- */

static const struct chain {
	uint8_t family;
	const char *name;
	const char *type; /* NULL: jumped to */
	uint32_t hook;
	int32_t priority;
} chains[] = {
	{ NFPROTO_BRIDGE, "from_port", "filter", NF_BR_PRE_ROUTING, NF_BR_PRI_NAT_DST_BRIDGED },
	{ NFPROTO_BRIDGE, "to_port", "filter", NF_BR_POST_ROUTING, NF_BR_PRI_NAT_DST_BRIDGED },
	{ NFPROTO_BRIDGE, "guard", NULL, 0, 0 },
	{ NFPROTO_INET, "before", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW },
	{ NFPROTO_INET, "forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER },
	{ NFPROTO_INET, "input", "filter", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER },
	{ NFPROTO_INET, "arrive", "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST },
	{ NFPROTO_INET, "own", "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST },
	{ NFPROTO_INET, "leave", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC },
	{ NFPROTO_INET, "publish", NULL, 0, 0 },
};

static void put_chain(struct nl_batch *b, const struct chain *c)
{
	struct nlmsghdr *m = nft_put(b, c->family, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "rules: chain %s",
				     c->name);
	struct nftnl_chain *chain = m ? nftnl_chain_alloc() : NULL;

	if (!chain) {
		nl_break(b, ENOMEM, "rules: chain %s", c->name);
		return;
	}
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFT_TABLE);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, c->name);
	if (c->type) {
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, c->type);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, c->hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, c->priority);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	nftnl_chain_nlmsg_build_payload(m, chain);
	nftnl_chain_free(chain);
}

/* ---- the bridge: ports ---- */

#define ETHER	NFT_PAYLOAD_LL_HEADER
#define NETWORK NFT_PAYLOAD_NETWORK_HEADER
#define ICMP6	NFT_PAYLOAD_TRANSPORT_HEADER

enum { ND_RS = 133, ND_RA = 134, ND_NS = 135, ND_NA = 136, ND_REDIRECT = 137, ND_MLD2_REPORT = 143 };

static struct nft_rule begin(const char *chain)
{
	struct nft_rule r;

	nft_rule_begin(&r, NFPROTO_BRIDGE, chain);
	return r;
}

static void end(struct nl_batch *b, struct nft_rule *r, int verdict)
{
	nft_verdict(r, verdict, NULL);
	nft_rule_end(b, r);
}

static void match_protocol(struct nft_rule *r, uint16_t protocol)
{
	nft_load_meta(r, NFT_META_PROTOCOL, 0);
	nft_match_be16(r, 0, true, protocol);
}

/* iifname . ether saddr, in registers 0 to 5 */
static void load_port_and_mac(struct nft_rule *r)
{
	nft_load_meta(r, NFT_META_IIFNAME, 0);
	nft_load_payload(r, ETHER, 6, 6, 4);
}

/* iifname . ether saddr . what lies at base+offset, in @bound4 or @bound6 */
static void match_bound(struct nft_rule *r, uint16_t protocol, uint32_t base, uint32_t offset)
{
	bool four = protocol != ETH_P_IPV6;

	load_port_and_mac(r);
	nft_load_payload(r, base, offset, four ? 4 : 16, 6);
	nft_lookup(r, four ? "bound4" : "bound6", 0, true);
}

/* iifname . the MAC at base+offset @macs */
static void match_mac(struct nft_rule *r, uint32_t base, uint32_t offset)
{
	nft_load_meta(r, NFT_META_IIFNAME, 0);
	nft_load_payload(r, base, offset, 6, 4);
	nft_lookup(r, "macs", 0, true);
}

static void match_icmp6(struct nft_rule *r, uint8_t type)
{
	match_protocol(r, ETH_P_IPV6);
	nft_load_meta(r, NFT_META_L4PROTO, 0);
	nft_match_byte(r, 0, true, IPPROTO_ICMPV6);
	nft_load_payload(r, ICMP6, 0, 1, 0);
	nft_match_byte(r, 0, true, type);
}

/* iifname @set VERDICT */
static void put_iifname(struct nl_batch *b, const char *chain, const char *set, int verdict, const char *to)
{
	struct nft_rule r = begin(chain);

	nft_load_meta(&r, NFT_META_IIFNAME, 0);
	nft_lookup(&r, set, 0, true);
	nft_verdict(&r, verdict, to);
	nft_rule_end(b, &r);
}

static void put_port_rules(struct nl_batch *b)
{
	put_iifname(b, "from_port", "held", NF_DROP, NULL);
	put_iifname(b, "from_port", "policed", NF_DROP, NULL);
	/* meta protocol ip iifname . ether saddr . ip saddr @bound4 accept */
	struct nft_rule r = begin("from_port");
	match_protocol(&r, ETH_P_IP);
	match_bound(&r, ETH_P_IP, NETWORK, 12);
	end(b, &r, NF_ACCEPT);
	/* meta protocol ip6 meta l4proto != icmpv6 iifname . ether saddr . ip6 saddr @bound6 accept */
	r = begin("from_port");
	match_protocol(&r, ETH_P_IPV6);
	nft_load_meta(&r, NFT_META_L4PROTO, 0);
	nft_match_byte(&r, 0, false, IPPROTO_ICMPV6);
	match_bound(&r, ETH_P_IPV6, NETWORK, 8);
	end(b, &r, NF_ACCEPT);
	put_iifname(b, "from_port", "guarded", NFT_JUMP, "guard");
	/* oifname @held drop */
	r = begin("to_port");
	nft_load_meta(&r, NFT_META_OIFNAME, 0);
	nft_lookup(&r, "held", 0, true);
	end(b, &r, NF_DROP);
	/* A port in hairpin mode gets back what it sends to all, too: it would take its own neighbour solicitation
	 * for somebody else's. ether daddr & 01:00:00:00:00:00 != 0 iifname . oifname @reflect drop */
	r = begin("to_port");
	nft_load_payload(&r, ETHER, 0, 1, 0);
	nft_mask(&r, 0, &(uint8_t){ 1 }, 1);
	nft_match_byte(&r, 0, true, 1);
	nft_load_meta(&r, NFT_META_IIFNAME, 0);
	nft_load_meta(&r, NFT_META_OIFNAME, 4);
	nft_lookup(&r, "reflect", 0, true);
	end(b, &r, NF_DROP);
}

/* ARP for IPv4 over Ethernet, with the port's MAC on the frame and in the packet, and one of its addresses, or
 * none yet (a probe, RFC 5227). */
static void put_arp_rule(struct nl_batch *b, bool probe)
{
	static const uint8_t kind[6] = { 0, 1, 8, 0, 6, 4 }, none[4];
	struct nft_rule r = begin("guard");

	match_protocol(&r, ETH_P_ARP);
	nft_load_payload(&r, NETWORK, 0, 6, 0);
	nft_match(&r, 0, true, kind, sizeof(kind));
	match_mac(&r, NETWORK, 8);
	if (probe) {
		nft_load_payload(&r, NETWORK, 14, 4, 0);
		nft_match(&r, 0, true, none, sizeof(none));
		match_mac(&r, ETHER, 6);
	} else
		match_bound(&r, ETH_P_ARP, NETWORK, 14);
	end(b, &r, NF_ACCEPT);
}

/* Neighbour discovery: the source is ours; so is the target of an advertisement; and the one option with a
 * link-layer address, if there is one, says our MAC. The length is compared so that nothing else is there: no
 * extension header before, no second option behind. */
static void put_nd_rule(struct nl_batch *b, uint8_t type, uint16_t size, uint8_t option)
{
	struct nft_rule r = begin("guard");

	match_icmp6(&r, type);
	nft_load_payload(&r, NETWORK, 4, 2, 0);
	nft_match_be16(&r, 0, true, option ? size + 8 : size);
	match_bound(&r, ETH_P_IPV6, NETWORK, 8);
	if (type == ND_NA)
		match_bound(&r, ETH_P_IPV6, ICMP6, 8);
	if (option) {
		nft_load_payload(&r, ICMP6, size, 2, 0);
		nft_match_be16(&r, 0, true, (uint16_t)(option << 8 | 1));
		match_mac(&r, ICMP6, size + 2U);
	}
	end(b, &r, NF_ACCEPT);
}

/* From the unspecified address: duplicate address detection, and reports of group membership. */
static void put_unspecified_rule(struct nl_batch *b, uint8_t type)
{
	static const uint8_t none[16];
	struct nft_rule r = begin("guard");

	match_icmp6(&r, type);
	nft_load_payload(&r, NETWORK, 8, 16, 0);
	nft_match(&r, 0, true, none, sizeof(none));
	match_mac(&r, ETHER, 6);
	end(b, &r, NF_ACCEPT);
}

static void put_guard_rules(struct nl_batch *b)
{
	static const uint8_t careful[] = { ND_RS, ND_RA, ND_NS, ND_NA, ND_REDIRECT };

	put_arp_rule(b, false);
	put_arp_rule(b, true);
	put_nd_rule(b, ND_NS, 24, 0);
	put_nd_rule(b, ND_NS, 24, 1 /* source link-layer address */);
	put_nd_rule(b, ND_NA, 24, 0);
	put_nd_rule(b, ND_NA, 24, 2 /* target link-layer address */);
	put_nd_rule(b, ND_RS, 8, 0);
	put_nd_rule(b, ND_RS, 8, 1);
	put_unspecified_rule(b, ND_NS);
	put_unspecified_rule(b, ND_RS);
	put_unspecified_rule(b, ND_MLD2_REPORT);
	/* What else there is of these is not for a container to say. */
	for (size_t i = 0; i < sizeof(careful); i++) {
		struct nft_rule r = begin("guard");
		match_icmp6(&r, careful[i]);
		end(b, &r, NF_DROP);
	}
	struct nft_rule r = begin("guard");
	match_protocol(&r, ETH_P_IPV6);
	match_bound(&r, ETH_P_IPV6, NETWORK, 8);
	end(b, &r, NF_ACCEPT);
	r = begin("guard");
	end(b, &r, NF_DROP);
}

/* ---- routing: NAT, publishing, isolation ---- */

static struct nft_rule begin_inet(const char *chain)
{
	struct nft_rule r;

	nft_rule_begin(&r, NFPROTO_INET, chain);
	return r;
}

static void match_family(struct nft_rule *r, uint8_t family)
{
	nft_load_meta(r, NFT_META_NFPROTO, 0);
	nft_match_byte(r, 0, true, family);
}

static void match_name(struct nft_rule *r, uint32_t key, const char *set, bool in)
{
	nft_load_meta(r, key, 0);
	nft_lookup(r, set, 0, in);
}

static void match_published(struct nft_rule *r)
{
	nft_load_ct(r, NFT_CT_STATUS, 0);
	nft_match_bits(r, 0, IPS_DST_NAT);
}

static void match_address_type(struct nft_rule *r, bool source, uint32_t type)
{
	nft_load_address_type(r, source, 0);
	nft_match(r, 0, true, &type, sizeof(type));
}

/* name . address at offset @local4 or @local6 */
static void match_local(struct nft_rule *r, uint8_t family, uint32_t name, bool source)
{
	bool four = family == NFPROTO_IPV4;

	match_family(r, family);
	nft_load_meta(r, name, 0);
	nft_load_payload(r, NETWORK, four ? (source ? 12 : 16) : (source ? 8 : 24), four ? 4 : 16, 4);
	nft_lookup(r, four ? "local4" : "local6", 0, true);
}

static void put_before_rules(struct nl_batch *b)
{
	static const uint8_t mask[4] = { 255 }, loopback[4] = { 127 };

	/* route_localnet lets 127.0.0.1 be published; a container must not reach the host's by it.
	 * iifname @switches ip daddr 127.0.0.0/8 drop */
	struct nft_rule r = begin_inet("before");
	match_family(&r, NFPROTO_IPV4);
	nft_load_payload(&r, NETWORK, 16, 4, 0);
	nft_mask(&r, 0, mask, 4);
	nft_match(&r, 0, true, loopback, 4);
	match_name(&r, NFT_META_IIFNAME, "switches", true);
	end(b, &r, NF_DROP);
	/* From container to container nothing is routed; where br_netfilter shows us bridged packets, they are
	 * not worth tracking. iifname . ip daddr @local4 notrack */
	for (int six = 0; six < 2; six++) {
		r = begin_inet("before");
		match_local(&r, six ? NFPROTO_IPV6 : NFPROTO_IPV4, NFT_META_IIFNAME, false);
		nft_notrack(&r);
		nft_rule_end(b, &r);
	}
}

static void put_forward_rules(struct nl_batch *b)
{
	/* ct state established,related accept */
	struct nft_rule r = begin_inet("forward");
	nft_load_ct(&r, NFT_CT_STATE, 0);
	nft_match_bits(&r, 0, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
	end(b, &r, NF_ACCEPT);
	/* iifname . oifname @same accept */
	r = begin_inet("forward");
	nft_load_meta(&r, NFT_META_IIFNAME, 0);
	nft_load_meta(&r, NFT_META_OIFNAME, 4);
	nft_lookup(&r, "same", 0, true);
	end(b, &r, NF_ACCEPT);
	/* ct status dnat accept */
	r = begin_inet("forward");
	match_published(&r);
	end(b, &r, NF_ACCEPT);
	/* An isolated switch has no other side: iifname @isolated drop, oifname @isolated drop; and no switch is a
	 * way into another: iifname @switches oifname @switches drop */
	r = begin_inet("forward");
	match_name(&r, NFT_META_IIFNAME, "isolated", true);
	end(b, &r, NF_DROP);
	r = begin_inet("forward");
	match_name(&r, NFT_META_OIFNAME, "isolated", true);
	end(b, &r, NF_DROP);
	r = begin_inet("forward");
	match_name(&r, NFT_META_IIFNAME, "switches", true);
	match_name(&r, NFT_META_OIFNAME, "switches", true);
	end(b, &r, NF_DROP);
	/* oifname @nat iifname != @switches drop: new, from outside, not published */
	r = begin_inet("forward");
	match_name(&r, NFT_META_OIFNAME, "nat", true);
	match_name(&r, NFT_META_IIFNAME, "switches", false);
	end(b, &r, NF_DROP);
}

/* iifname @isolated drop: not even the host is there */
static void put_input_rules(struct nl_batch *b)
{
	struct nft_rule r = begin_inet("input");

	match_name(&r, NFT_META_IIFNAME, "isolated", true);
	end(b, &r, NF_DROP);
}

/* dnat ip to meta l4proto . ip daddr . th dport map @publish4, or without the address */
static void put_publish_rule(struct nl_batch *b, uint8_t family, bool anywhere)
{
	bool four = family == NFPROTO_IPV4;
	unsigned int parts = anywhere ? 0 : four ? 1 : 4;
	struct nft_rule r = begin_inet("publish");

	match_family(&r, family);
	nft_load_meta(&r, NFT_META_L4PROTO, 0);
	if (!anywhere)
		nft_load_payload(&r, NETWORK, four ? 16 : 24, four ? 4 : 16, 1);
	nft_load_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 1 + parts);
	nft_map(&r, anywhere ? (four ? "anywhere4" : "anywhere6") : (four ? "publish4" : "publish6"), 0, 0);
	nft_dnat(&r, family, 0, four ? 1 : 4);
	nft_rule_end(b, &r);
}

static void put_nat_rules(struct nl_batch *b)
{
	static const char *const ways_in[] = { "arrive", "own" };
	struct nft_rule r;

	/* fib daddr type local jump publish */
	for (size_t i = 0; i < COUNT_OF(ways_in); i++) {
		r = begin_inet(ways_in[i]);
		match_address_type(&r, false, RTN_LOCAL);
		nft_verdict(&r, NFT_JUMP, "publish");
		nft_rule_end(b, &r);
	}
	for (int six = 0; six < 2; six++)
		for (int anywhere = 0; anywhere < 2; anywhere++)
			put_publish_rule(b, six ? NFPROTO_IPV6 : NFPROTO_IPV4, anywhere);
	/* A container that speaks to a published port of its own switch (or of itself) must be answered by way of
	 * us. ct status dnat oifname . ip saddr @local4 masquerade */
	for (int six = 0; six < 2; six++) {
		r = begin_inet("leave");
		match_published(&r);
		match_local(&r, six ? NFPROTO_IPV6 : NFPROTO_IPV4, NFT_META_OIFNAME, true);
		nft_masquerade(&r);
		nft_rule_end(b, &r);
	}
	/* The host itself, from 127.0.0.1 or any address: ct status dnat oifname @switches fib saddr type local
	 * masquerade */
	r = begin_inet("leave");
	match_published(&r);
	match_name(&r, NFT_META_OIFNAME, "switches", true);
	match_address_type(&r, true, RTN_LOCAL);
	nft_masquerade(&r);
	nft_rule_end(b, &r);
	/* iifname @nat oifname != @switches masquerade */
	r = begin_inet("leave");
	match_name(&r, NFT_META_IIFNAME, "nat", true);
	match_name(&r, NFT_META_OIFNAME, "switches", false);
	nft_masquerade(&r);
	nft_rule_end(b, &r);
}

/* ---- all of it ---- */

static void put_table(struct nl_batch *b, uint8_t family)
{
	struct nlmsghdr *m = nft_put(b, family, NFT_MSG_NEWTABLE, NLM_F_CREATE, "rules: table " NFT_TABLE);

	if (m) {
		mnl_attr_put_strz(m, NFTA_TABLE_NAME, NFT_TABLE);
		mnl_attr_put(m, NFTA_TABLE_USERDATA, sizeof(NFT_USERDATA) /* with its NUL */, NFT_USERDATA);
	}
	/* The rules of the same or another version: they are put anew. */
	m = nft_put(b, family, NFT_MSG_DELRULE, 0, "rules: flush table " NFT_TABLE);
	if (m)
		mnl_attr_put_strz(m, NFTA_RULE_TABLE, NFT_TABLE);
}

void nft_put_rules(struct nl_batch *b)
{
	put_table(b, NFPROTO_INET);
	put_table(b, NFPROTO_BRIDGE);
	for (size_t i = 0; i < COUNT_OF(sets); i++)
		put_set(b, &sets[i], (uint32_t)i + 1);
	for (size_t i = 0; i < COUNT_OF(chains); i++)
		put_chain(b, &chains[i]);
	put_port_rules(b);
	put_guard_rules(b);
	put_before_rules(b);
	put_forward_rules(b);
	put_input_rules(b);
	put_nat_rules(b);
}
