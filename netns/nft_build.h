/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_build.h - messages of nftables: what the rules (nft_rules.c) and the facts (nft_facts.c) are written with
 *
 * Registers are the sixteen of 32 bits, counted from 0; keys of several parts lie side by side in them, each part
 * padded to four bytes. */
#ifndef CORACLE_NETNS_NFT_BUILD_H
#define CORACLE_NETNS_NFT_BUILD_H

/* The C library's before the kernel's, which give way to it. */
#include <netinet/in.h>
#include <stdio.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "netns/nl.h"
#include "specs/ip.h"

#define NFT_TABLE "coracle"
/* The version of the rules, told in the tables' user data: as a comment in nft(8)'s form, type 0, length, text. */
#define NFT_COMMENT  "rules 1"
#define NFT_USERDATA "\0\x08" NFT_COMMENT
#define NFT_TYPE(t)  ((uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | (t)))

/* Linux 6.3: a removal that tolerates absence. */
#define NFT_DESTROY_SET_ELEM 30

/* nft(8)'s numbers for the types of keys and data, so that `nft list ruleset` shows what is there. */
enum {
	NFT_TYPE_IP = 7,
	NFT_TYPE_IP6 = 8,
	NFT_TYPE_ETHER = 9,
	NFT_TYPE_PROTO = 12,
	NFT_TYPE_PORT = 13,
	NFT_TYPE_IFNAME = 41,
};
#define NFT_CONCAT2(a, b)    ((a) << 6 | (b))
#define NFT_CONCAT3(a, b, c) ((a) << 12 | (b) << 6 | (c))

/* A message of nftables of one family; NULL on a broken batch. */
struct nlmsghdr *nft_put(struct nl_batch *b, uint8_t family, uint16_t type, uint16_t flags, const char *what,
			 ...) __attribute__((format(printf, 5, 6)));

/* The whole of the rules: tables, sets, chains, rules; what is there already stays, rules are replaced. */
void nft_put_rules(struct nl_batch *b);

/* ---- keys ---- */

struct nft_key {
	uint8_t bytes[64];
	size_t size;
};
void nft_key_name(struct nft_key *k, const char *name);
void nft_key_mac(struct nft_key *k, const struct mac *mac);
void nft_key_ip(struct nft_key *k, const struct ip *ip);
void nft_key_byte(struct nft_key *k, uint8_t byte);
void nft_key_port(struct nft_key *k, uint16_t port);

/* One element of a set, or with `data` of a map. type: NFT_MSG_NEWSETELEM or NFT_DESTROY_SET_ELEM. `limit` bytes
 * per second, if not 0, makes an element that matches what exceeds it. */
void nft_put_element(struct nl_batch *b, uint16_t type, uint16_t flags, uint8_t family, const char *set,
		     const struct nft_key *key, const struct nft_key *data, uint64_t limit, const char *what);

/* ---- rules ---- */

struct nft_rule {
	struct nftnl_rule *rule;
	uint8_t family;
	const char *chain;
	bool broken;
};
void nft_rule_begin(struct nft_rule *r, uint8_t family, const char *chain);
void nft_rule_end(struct nl_batch *b, struct nft_rule *r);

void nft_load_meta(struct nft_rule *r, uint32_t key, unsigned int to);
void nft_load_payload(struct nft_rule *r, uint32_t base, uint32_t offset, uint32_t size, unsigned int to);
void nft_load_ct(struct nft_rule *r, uint32_t key, unsigned int to);
/* RTN_* of the destination (or source) address. */
void nft_load_address_type(struct nft_rule *r, bool source, unsigned int to);
/* Bits of a 32-bit register in host order: at least one of `mask` is set. */
void nft_match_bits(struct nft_rule *r, unsigned int reg, uint32_t mask);
void nft_mask(struct nft_rule *r, unsigned int reg, const void *mask, uint32_t size);
void nft_match(struct nft_rule *r, unsigned int reg, bool equal, const void *data, uint32_t size);
void nft_match_byte(struct nft_rule *r, unsigned int reg, bool equal, uint8_t byte);
void nft_match_be16(struct nft_rule *r, unsigned int reg, bool equal, uint16_t value);
void nft_lookup(struct nft_rule *r, const char *set, unsigned int reg, bool in);
void nft_map(struct nft_rule *r, const char *map, unsigned int reg, unsigned int to);
void nft_dnat(struct nft_rule *r, uint8_t family, unsigned int address, unsigned int port);
void nft_masquerade(struct nft_rule *r);
void nft_notrack(struct nft_rule *r);
void nft_verdict(struct nft_rule *r, int verdict, const char *chain);

#endif
