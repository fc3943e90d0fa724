/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft.c - facts as elements, transactions; the rules are in nft_rules.c, lists and sweeping in nft_list.c */
#include "netns/nft.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <string.h>

#include "netns/link.h"
#include "netns/nft_build.h"
#include "netns/nl_attr.h"

/* ---- transactions ---- */

static int take_table(const struct nlmsghdr *m, void *data, struct error *e)
{
	const struct nlattr *t[NFTA_TABLE_MAX + 1];

	(void)e;
	if (!m || !nl_attrs(m, sizeof(struct nfgenmsg), t, NFTA_TABLE_MAX))
		return 0;
	const struct nlattr *a = t[NFTA_TABLE_USERDATA];
	*(bool *)data = a && mnl_attr_get_payload_len(a) == sizeof(NFT_USERDATA) &&
			memcmp(mnl_attr_get_payload(a), NFT_USERDATA, sizeof(NFT_USERDATA)) == 0;
	return 0;
}

/* 1 if the table is there and of this version. */
static int has_table(struct nl *nl, uint8_t family, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct error why = { 0 };
	bool ours = false;

	struct nlmsghdr *m = nft_put(b, family, NFT_MSG_GETTABLE, 0, "rules: table " NFT_TABLE);
	if (m)
		mnl_attr_put_strz(m, NFTA_TABLE_NAME, NFT_TABLE);
	int r = nl_read(nl, b, take_table, &ours, &why);
	if (r < 0 && r != -ENOENT) {
		*e = why;
		return r;
	}
	return ours;
}

int nft_is_there(struct nl *nl, struct error *e)
{
	int r = has_table(nl, NFPROTO_INET, e);

	return r == 1 ? has_table(nl, NFPROTO_BRIDGE, e) : r;
}

int nft_ensure(struct nl *nl, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();

	int r = nft_is_there(nl, e);
	if (r != 0)
		return r < 0 ? r : 0;
	nft_put_rules(b);
	return nl_ask(nl, b, e);
}

int nft_ask(struct nl *nl, struct nl_batch *b, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *whole = NULL;
	struct error first = { 0 };

	int r = nl_ask(nl, b, &first);
	if (r != -ENOENT) {
		if (r < 0)
			*e = first;
		return r;
	}
	whole = nl_batch_new();
	nft_put_rules(whole);
	nl_append(whole, b);
	return nl_ask(nl, whole, e);
}

/* One transaction for each message, as a removal that a kernel before 6.3 knows. */
static int forget_singly(struct nl *nl, struct nl_batch *b, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *one = nl_batch_new();
	int failed = 0;

	for (size_t i = 0; i < nl_batch_count(b); i++) {
		struct error why = { 0 };
		nl_batch_clear(one);
		nl_append_one(one, b, i, NFT_TYPE(NFT_DESTROY_SET_ELEM), NFT_TYPE(NFT_MSG_DELSETELEM));
		int r = nl_ask(nl, one, &why);
		if (r < 0 && r != -ENOENT && !failed) {
			*e = why;
			failed = r;
		}
	}
	return failed;
}

int nft_forget(struct nl *nl, struct nl_batch *b, struct error *e)
{
	struct error why = { 0 };

	int r = nl_ask(nl, b, &why);
	if (r == -ENOENT || r == -EINVAL || r == -EOPNOTSUPP)
		return forget_singly(nl, b, e);
	if (r < 0)
		*e = why;
	return r;
}

int nft_remove(struct nl *nl, struct error *e)
{
	static const uint8_t families[] = { NFPROTO_INET, NFPROTO_BRIDGE };

	for (size_t i = 0; i < sizeof(families); i++) {
		AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
		struct error why = { 0 };
		struct nlmsghdr *m = nft_put(b, families[i], NFT_MSG_DELTABLE, 0,
					     "rules: remove table " NFT_TABLE);
		if (m)
			mnl_attr_put_strz(m, NFTA_TABLE_NAME, NFT_TABLE);
		int r = nl_ask(nl, b, &why);
		if (r < 0 && r != -ENOENT) {
			*e = why;
			return r;
		}
	}
	return 0;
}

/* ---- facts ---- */

/* How an element is put: added, or removed if it is there. */
struct verb {
	uint16_t type, flags;
	const char *word;
};
static const struct verb ADD_IT = { NFT_MSG_NEWSETELEM, NLM_F_CREATE, "add" };
static const struct verb ADD_NEW = { NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, "add" };
static const struct verb REMOVE_IT = { NFT_DESTROY_SET_ELEM, 0, "remove" };

static void put(struct nl_batch *b, const struct verb *v, uint8_t family, const char *set,
		const struct nft_key *key, const struct nft_key *data, uint64_t limit, const char *what)
{
	nft_put_element(b, v->type, v->flags, family, set, key, data, limit, what);
}

static void put_name(struct nl_batch *b, const struct verb *v, uint8_t family, const char *set,
		     const char *name, uint64_t limit)
{
	struct nft_key key = { .size = 0 };
	char what[96];

	if (!name || !link_name_is_valid(name)) {
		nl_break(b, EINVAL, "link name '%.40s'", name ? name : "");
		return;
	}
	nft_key_name(&key, name);
	snprintf(what, sizeof(what), "link %s: %s in set %s", name, v->word, set);
	put(b, v, family, set, &key, NULL, limit, what);
}

static void put_switch(struct nl_batch *b, const struct nft_switch *s, const struct verb *v, bool all)
{
	struct nft_key key = { .size = 0 };
	char what[96];

	put_name(b, v, NFPROTO_INET, "switches", s->bridge, 0);
	if (all || s->nat)
		put_name(b, v, NFPROTO_INET, "nat", s->bridge, 0);
	if (all || s->isolated)
		put_name(b, v, NFPROTO_INET, "isolated", s->bridge, 0);
	nft_key_name(&key, s->bridge);
	nft_key_name(&key, s->bridge);
	snprintf(what, sizeof(what), "link %s: %s in set same", s->bridge, v->word);
	put(b, v, NFPROTO_INET, "same", &key, NULL, 0, what);
}

void nft_switch_add(struct nl_batch *b, const struct nft_switch *s)
{
	put_switch(b, s, &ADD_IT, false);
}

void nft_switch_remove(struct nl_batch *b, const struct nft_switch *s)
{
	put_switch(b, s, &REMOVE_IT, true);
}

/* An address of a port: it may send with it (bound), and it is on this switch (local). */
static void put_address(struct nl_batch *b, const struct nft_port *p, const struct ip *ip, bool local,
			const struct verb *v)
{
	bool four = ip->family == AF_INET;
	struct nft_key bound = { .size = 0 }, here = { .size = 0 };
	char text[IP_TEXT_SIZE], what[128];

	nft_key_name(&bound, p->name);
	nft_key_mac(&bound, p->mac);
	nft_key_ip(&bound, ip);
	snprintf(what, sizeof(what), "link %s: %s address %s", p->name, v->word, ip_text(ip, text));
	put(b, v, NFPROTO_BRIDGE, four ? "bound4" : "bound6", &bound, NULL, 0, what);
	if (!local)
		return;
	nft_key_name(&here, p->bridge);
	nft_key_ip(&here, ip);
	put(b, v, NFPROTO_INET, four ? "local4" : "local6", &here, NULL, 0, what);
}

static void put_port(struct nl_batch *b, const struct nft_port *p, const struct verb *v, bool all)
{
	struct ip own = ip_link_local(p->mac);
	struct nft_key mac = { .size = 0 };
	char what[96];

	/* What opens comes after what closes: held and guarded first. */
	if (all || p->held)
		put_name(b, v, NFPROTO_BRIDGE, "held", p->name, 0);
	if (all || !p->unguarded)
		put_name(b, v, NFPROTO_BRIDGE, "guarded", p->name, 0);
	if (all || p->police_bytes)
		put_name(b, v, NFPROTO_BRIDGE, "policed", p->name, v == &ADD_IT ? p->police_bytes : 0);
	if (all || p->reflects) {
		struct nft_key twice = { .size = 0 };
		nft_key_name(&twice, p->name);
		nft_key_name(&twice, p->name);
		snprintf(what, sizeof(what), "link %s: %s in set reflect", p->name, v->word);
		put(b, v, NFPROTO_BRIDGE, "reflect", &twice, NULL, 0, what);
	}
	nft_key_name(&mac, p->name);
	nft_key_mac(&mac, p->mac);
	snprintf(what, sizeof(what), "link %s: %s MAC", p->name, v->word);
	put(b, v, NFPROTO_BRIDGE, "macs", &mac, NULL, 0, what);
	put_address(b, p, &own, false, v);
	for (size_t i = 0; i < p->count; i++)
		put_address(b, p, &p->addresses[i], true, v);
}

void nft_port_add(struct nl_batch *b, const struct nft_port *p)
{
	put_port(b, p, &ADD_IT, false);
}

void nft_port_remove(struct nl_batch *b, const struct nft_port *p)
{
	put_port(b, p, &REMOVE_IT, true);
}

void nft_hold(struct nl_batch *b, const char *port)
{
	put_name(b, &ADD_IT, NFPROTO_BRIDGE, "held", port, 0);
}

void nft_release(struct nl_batch *b, const char *port)
{
	put_name(b, &REMOVE_IT, NFPROTO_BRIDGE, "held", port, 0);
}

static bool is_any(const struct ip *ip)
{
	static const uint8_t zero[16];

	return memcmp(ip->bytes, zero, ip_size(ip)) == 0;
}

static void put_publish(struct nl_batch *b, const struct nft_publish *p, const struct verb *v)
{
	bool four = p->to.family == AF_INET, anywhere = is_any(&p->host);
	struct nft_key key = { .size = 0 }, to = { .size = 0 };
	char text[IP_TEXT_SIZE], what[128];

	snprintf(what, sizeof(what), "publish %s port %u%s%s", p->protocol == IPPROTO_TCP ? "tcp" : "udp",
		 p->host_port, anywhere ? "" : " of ", anywhere ? "" : ip_text(&p->host, text));
	if ((p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP) || p->host.family != p->to.family ||
	    !p->host_port || !p->port) {
		nl_break(b, EINVAL, "%s", what);
		return;
	}
	nft_key_byte(&key, p->protocol);
	if (!anywhere)
		nft_key_ip(&key, &p->host);
	nft_key_port(&key, p->host_port);
	nft_key_ip(&to, &p->to);
	nft_key_port(&to, p->port);
	put(b, v, NFPROTO_INET,
	    anywhere ? (four ? "anywhere4" : "anywhere6") : (four ? "publish4" : "publish6"), &key,
	    v == &REMOVE_IT ? NULL : &to, 0, what);
}

void nft_publish_add(struct nl_batch *b, const struct nft_publish *p)
{
	put_publish(b, p, &ADD_NEW);
}

void nft_publish_remove(struct nl_batch *b, const struct nft_publish *p)
{
	put_publish(b, p, &REMOVE_IT);
}
