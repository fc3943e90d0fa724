/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_build.c - elements and rules as messages */
#include "netns/nft_build.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_nat.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "netns/tc.h"
#include "runtime/base/str.h"

#define REG(n) (NFT_REG32_00 + (n))

struct nlmsghdr *nft_put(struct nl_batch *b, uint8_t family, uint16_t type, uint16_t flags, const char *what,
			 ...)
{
	struct nfgenmsg header = { .nfgen_family = family };
	char text[128];
	va_list ap;

	va_start(ap, what);
	vsnprintf(text, sizeof(text), what, ap);
	va_end(ap);
	return nl_put(b, NFT_TYPE(type), flags, &header, sizeof(header), "%s", text);
}

/* ---- keys ---- */

static void add_part(struct nft_key *k, const void *data, size_t size)
{
	size_t padded = (size + 3) & ~3UL;

	if (k->size + padded > sizeof(k->bytes))
		return;
	memset(k->bytes + k->size, 0, padded);
	memcpy(k->bytes + k->size, data, size);
	k->size += padded;
}

void nft_key_name(struct nft_key *k, const char *name)
{
	char padded[IFNAMSIZ] = "";

	str_format(padded, sizeof(padded), "%s", name);
	add_part(k, padded, sizeof(padded));
}

void nft_key_mac(struct nft_key *k, const struct mac *mac)
{
	add_part(k, mac->bytes, MAC_SIZE);
}

void nft_key_ip(struct nft_key *k, const struct ip *ip)
{
	add_part(k, ip->bytes, ip_size(ip));
}

void nft_key_byte(struct nft_key *k, uint8_t byte)
{
	add_part(k, &byte, 1);
}

void nft_key_port(struct nft_key *k, uint16_t port)
{
	uint16_t network = htons(port);

	add_part(k, &network, 2);
}

/* ---- elements ---- */

static void put_value(struct nlmsghdr *m, uint16_t type, const struct nft_key *value)
{
	struct nlattr *nest = mnl_attr_nest_start(m, type);

	mnl_attr_put(m, NFTA_DATA_VALUE, value->size, value->bytes);
	mnl_attr_nest_end(m, nest);
}

static void put_limit(struct nlmsghdr *m, uint64_t bytes_per_s)
{
	struct nlattr *nest = mnl_attr_nest_start(m, NFTA_SET_ELEM_EXPR);

	mnl_attr_put_strz(m, NFTA_EXPR_NAME, "limit");
	struct nlattr *data = mnl_attr_nest_start(m, NFTA_EXPR_DATA);
	mnl_attr_put_u64(m, NFTA_LIMIT_RATE, htobe64(bytes_per_s));
	mnl_attr_put_u64(m, NFTA_LIMIT_UNIT, htobe64(1));
	/* A policer drops where a queue would wait: TCP needs a larger bucket to reach the rate. */
	uint64_t burst = bytes_per_s / 10 + tc_burst(bytes_per_s);
	mnl_attr_put_u32(m, NFTA_LIMIT_BURST, htonl(burst > UINT32_MAX ? UINT32_MAX : (uint32_t)burst));
	mnl_attr_put_u32(m, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKT_BYTES));
	mnl_attr_put_u32(m, NFTA_LIMIT_FLAGS, htonl(NFT_LIMIT_F_INV));
	mnl_attr_nest_end(m, data);
	mnl_attr_nest_end(m, nest);
}

void nft_put_element(struct nl_batch *b, uint16_t type, uint16_t flags, uint8_t family, const char *set,
		     const struct nft_key *key, const struct nft_key *data, uint64_t limit, const char *what)
{
	struct nlmsghdr *m = nft_put(b, family, type, flags, "%s", what);
	if (!m)
		return;
	mnl_attr_put_strz(m, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(m, NFTA_SET_ELEM_LIST_SET, set);
	struct nlattr *list = mnl_attr_nest_start(m, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *element = mnl_attr_nest_start(m, NFTA_LIST_ELEM);
	put_value(m, NFTA_SET_ELEM_KEY, key);
	if (data)
		put_value(m, NFTA_SET_ELEM_DATA, data);
	if (limit)
		put_limit(m, limit);
	mnl_attr_nest_end(m, element);
	mnl_attr_nest_end(m, list);
}

/* ---- rules ---- */

void nft_rule_begin(struct nft_rule *r, uint8_t family, const char *chain)
{
	*r = (struct nft_rule){ .rule = nftnl_rule_alloc(), .family = family, .chain = chain };
	if (!r->rule) {
		r->broken = true;
		return;
	}
	nftnl_rule_set_u32(r->rule, NFTNL_RULE_FAMILY, family);
	nftnl_rule_set_str(r->rule, NFTNL_RULE_TABLE, NFT_TABLE);
	nftnl_rule_set_str(r->rule, NFTNL_RULE_CHAIN, chain);
}

void nft_rule_end(struct nl_batch *b, struct nft_rule *r)
{
	if (r->broken)
		nl_break(b, ENOMEM, "a rule of chain %s", r->chain);
	struct nlmsghdr *m = nft_put(b, r->family, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
				     "rules: a rule of chain %s", r->chain);
	if (m)
		nftnl_rule_nlmsg_build_payload(m, r->rule);
	if (r->rule)
		nftnl_rule_free(r->rule);
}

struct attribute {
	uint16_t type;
	uint32_t value;
};

/* Append an expression with these 32-bit attributes; returns it for more, NULL when the rule is broken. */
static struct nftnl_expr *add(struct nft_rule *r, const char *name, const struct attribute *attributes,
			      size_t count)
{
	struct nftnl_expr *x = r->broken ? NULL : nftnl_expr_alloc(name);

	if (!x) {
		r->broken = true;
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		nftnl_expr_set_u32(x, attributes[i].type, attributes[i].value);
	nftnl_rule_add_expr(r->rule, x);
	return x;
}

#define ADD(r, name, ...)                                       \
	add(r, name, (const struct attribute[]){ __VA_ARGS__ }, \
	    sizeof((const struct attribute[]){ __VA_ARGS__ }) / sizeof(struct attribute))

void nft_load_meta(struct nft_rule *r, uint32_t key, unsigned int to)
{
	ADD(r, "meta", { NFTNL_EXPR_META_KEY, key }, { NFTNL_EXPR_META_DREG, REG(to) });
}

void nft_load_payload(struct nft_rule *r, uint32_t base, uint32_t offset, uint32_t size, unsigned int to)
{
	ADD(r, "payload", { NFTNL_EXPR_PAYLOAD_DREG, REG(to) }, { NFTNL_EXPR_PAYLOAD_BASE, base },
	    { NFTNL_EXPR_PAYLOAD_OFFSET, offset }, { NFTNL_EXPR_PAYLOAD_LEN, size });
}

void nft_load_ct(struct nft_rule *r, uint32_t key, unsigned int to)
{
	ADD(r, "ct", { NFTNL_EXPR_CT_KEY, key }, { NFTNL_EXPR_CT_DREG, REG(to) });
}

void nft_load_address_type(struct nft_rule *r, bool source, unsigned int to)
{
	ADD(r, "fib", { NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE },
	    { NFTNL_EXPR_FIB_FLAGS, source ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR },
	    { NFTNL_EXPR_FIB_DREG, REG(to) });
}

void nft_mask(struct nft_rule *r, unsigned int reg, const void *mask, uint32_t size)
{
	static const uint8_t zero[16];
	struct nftnl_expr *x = ADD(r, "bitwise", { NFTNL_EXPR_BITWISE_SREG, REG(reg) },
				   { NFTNL_EXPR_BITWISE_DREG, REG(reg) }, { NFTNL_EXPR_BITWISE_LEN, size });

	if (x) {
		nftnl_expr_set(x, NFTNL_EXPR_BITWISE_MASK, mask, size);
		nftnl_expr_set(x, NFTNL_EXPR_BITWISE_XOR, zero, size);
	}
}

void nft_match(struct nft_rule *r, unsigned int reg, bool equal, const void *data, uint32_t size)
{
	struct nftnl_expr *x = ADD(r, "cmp", { NFTNL_EXPR_CMP_SREG, REG(reg) },
				   { NFTNL_EXPR_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ });

	if (x)
		nftnl_expr_set(x, NFTNL_EXPR_CMP_DATA, data, size);
}

void nft_match_bits(struct nft_rule *r, unsigned int reg, uint32_t mask)
{
	const uint32_t zero = 0;

	nft_mask(r, reg, &mask, sizeof(mask));
	nft_match(r, reg, false, &zero, sizeof(zero));
}

void nft_match_byte(struct nft_rule *r, unsigned int reg, bool equal, uint8_t byte)
{
	nft_match(r, reg, equal, &byte, 1);
}

void nft_match_be16(struct nft_rule *r, unsigned int reg, bool equal, uint16_t value)
{
	uint16_t network = htons(value);

	nft_match(r, reg, equal, &network, sizeof(network));
}

void nft_lookup(struct nft_rule *r, const char *set, unsigned int reg, bool in)
{
	struct nftnl_expr *x = ADD(r, "lookup", { NFTNL_EXPR_LOOKUP_SREG, REG(reg) },
				   { NFTNL_EXPR_LOOKUP_FLAGS, in ? 0 : NFT_LOOKUP_F_INV });

	if (x)
		nftnl_expr_set_str(x, NFTNL_EXPR_LOOKUP_SET, set);
}

void nft_map(struct nft_rule *r, const char *map, unsigned int reg, unsigned int to)
{
	struct nftnl_expr *x = ADD(r, "lookup", { NFTNL_EXPR_LOOKUP_SREG, REG(reg) },
				   { NFTNL_EXPR_LOOKUP_DREG, REG(to) });

	if (x)
		nftnl_expr_set_str(x, NFTNL_EXPR_LOOKUP_SET, map);
}

void nft_dnat(struct nft_rule *r, uint8_t family, unsigned int address, unsigned int port)
{
	ADD(r, "nat", { NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT }, { NFTNL_EXPR_NAT_FAMILY, family },
	    { NFTNL_EXPR_NAT_REG_ADDR_MIN, REG(address) }, { NFTNL_EXPR_NAT_REG_PROTO_MIN, REG(port) });
}

void nft_masquerade(struct nft_rule *r)
{
	add(r, "masq", NULL, 0);
}

void nft_notrack(struct nft_rule *r)
{
	add(r, "notrack", NULL, 0);
}

void nft_verdict(struct nft_rule *r, int verdict, const char *chain)
{
	struct nftnl_expr *x = ADD(r, "immediate", { NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT },
				   { NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict });

	if (x && chain)
		nftnl_expr_set_str(x, NFTNL_EXPR_IMM_CHAIN, chain);
}
