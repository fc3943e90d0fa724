/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_list.c - facts read back, and facts of ports that are no more swept out */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "netns/link.h"
#include "netns/list.h"
#include "netns/nft.h"
#include "netns/nft_build.h"
#include "netns/nl_attr.h"
#include "runtime/base/str.h"

struct element {
	struct nft_key key, data;
};

static bool read_value(const struct nlattr *nest, struct nft_key *ret)
{
	const struct nlattr *t[NFTA_DATA_MAX + 1];

	nl_nested(nest, t, NFTA_DATA_MAX);
	const struct nlattr *a = t[NFTA_DATA_VALUE];
	if (!a || mnl_attr_get_payload_len(a) > sizeof(ret->bytes))
		return false;
	ret->size = mnl_attr_get_payload_len(a);
	memcpy(ret->bytes, mnl_attr_get_payload(a), ret->size);
	return true;
}

/* The elements of one message of a dump. */
static int take_elements(const struct nlmsghdr *m, void *data, struct error *e)
{
	const struct nlattr *t[NFTA_SET_ELEM_LIST_MAX + 1], *parts[NFTA_SET_ELEM_MAX + 1];
	const struct nlattr *a;

	if (!m)
		return list_clear(data);
	if (!nl_attrs(m, sizeof(struct nfgenmsg), t, NFTA_SET_ELEM_LIST_MAX) ||
	    !t[NFTA_SET_ELEM_LIST_ELEMENTS])
		return 0;
	mnl_attr_for_each_nested(a, t[NFTA_SET_ELEM_LIST_ELEMENTS])
	{
		struct element x = { .key = { .size = 0 } };
		nl_nested(a, parts, NFTA_SET_ELEM_MAX);
		if (!read_value(parts[NFTA_SET_ELEM_KEY], &x.key))
			continue;
		read_value(parts[NFTA_SET_ELEM_DATA], &x.data);
		int r = list_add(data, &x, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* All elements of a set, appended to the list; none when there is no such set. */
static int read_set(struct nl *nl, uint8_t family, const char *set, struct list *list, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct error why = { 0 };

	struct nlmsghdr *m = nft_put(b, family, NFT_MSG_GETSETELEM, NLM_F_DUMP, "rules: read set %s", set);
	if (m) {
		mnl_attr_put_strz(m, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
		mnl_attr_put_strz(m, NFTA_SET_ELEM_LIST_SET, set);
	}
	int r = nl_read(nl, b, take_elements, list, &why);
	if (r < 0 && r != -ENOENT) {
		*e = why;
		return r;
	}
	return 0;
}

/* ---- what is published ---- */

static const struct published {
	const char *map;
	uint8_t family;
	bool anywhere;
} maps[] = {
	{ "publish4", AF_INET, false },
	{ "anywhere4", AF_INET, true },
	{ "publish6", AF_INET6, false },
	{ "anywhere6", AF_INET6, true },
};

static uint16_t port_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool parse_published(const struct published *map, const struct element *x, struct nft_publish *ret)
{
	struct nft_publish p = { .host = { .family = map->family }, .to = { .family = map->family } };
	size_t size = ip_size(&p.to);

	if (x->key.size != 8 + (map->anywhere ? 0 : size) || x->data.size != size + 4)
		return false;
	p.protocol = x->key.bytes[0];
	p.host.prefix = p.to.prefix = (uint8_t)(8 * size);
	if (!map->anywhere)
		memcpy(p.host.bytes, x->key.bytes + 4, size);
	p.host_port = port_at(x->key.bytes + x->key.size - 4);
	memcpy(p.to.bytes, x->data.bytes, size);
	p.port = port_at(x->data.bytes + size);
	*ret = p;
	return true;
}

int nft_publish_list(struct nl *nl, struct nft_publish **ret, size_t *ret_count, struct error *e)
{
	struct list found = LIST_OF(struct nft_publish);
	struct nft_publish p;
	int r = 0;

	for (size_t i = 0; i < COUNT_OF(maps) && r == 0; i++) {
		struct list list = LIST_OF(struct element);
		r = read_set(nl, NFPROTO_INET, maps[i].map, &list, e);
		const struct element *elements = (void *)list.items;
		for (size_t k = 0; k < list.count && r == 0; k++)
			if (parse_published(&maps[i], &elements[k], &p))
				r = list_add(&found, &p, e);
		free(list.items);
	}
	return list_end(&found, r, (void **)ret, ret_count);
}

/* ---- sweeping ---- */

static bool has_link(const struct link *links, size_t count, const struct nft_key *key)
{
	char name[IFNAMSIZ];

	memcpy(name, key->bytes, IFNAMSIZ);
	name[IFNAMSIZ - 1] = '\0';
	for (size_t i = 0; i < count; i++)
		if (str_eq(links[i].name, name))
			return true;
	return false;
}

static void put_removal(struct nl_batch *b, uint8_t family, const char *set, const struct nft_key *key)
{
	nft_put_element(b, NFT_DESTROY_SET_ELEM, 0, family, set, key, NULL, 0, "rules: sweep");
}

/* Elements of the bridge's sets whose port (the key's first part) is not there. */
static int sweep_ports(struct nl *nl, const struct link *links, size_t count, struct nl_batch *b,
		       struct list *alive, struct error *e)
{
	static const char *const sets[] = { "bound4",  "bound6",  "macs",   "held",
					    "policed", "guarded", "reflect" };

	for (size_t i = 0; i < COUNT_OF(sets); i++) {
		struct list list = LIST_OF(struct element);
		int r = read_set(nl, NFPROTO_BRIDGE, sets[i], &list, e);
		const struct element *elements = (void *)list.items;
		for (size_t k = 0; k < list.count && r == 0; k++)
			if (elements[k].key.size < IFNAMSIZ || !has_link(links, count, &elements[k].key))
				put_removal(b, NFPROTO_BRIDGE, sets[i], &elements[k].key);
			else if (i < 2)
				r = list_add(alive, &elements[k], e);
		free(list.items);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Is this address bound to a port that is there? */
static bool is_alive(const struct list *alive, const uint8_t *address, size_t size)
{
	const struct element *elements = (void *)alive->items;

	for (size_t i = 0; i < alive->count; i++)
		if (elements[i].key.size == 24 + size &&
		    memcmp(elements[i].key.bytes + 24, address, size) == 0)
			return true;
	return false;
}

/* Addresses on a switch, and published ports, that no port has any more. */
static int sweep_addresses(struct nl *nl, struct nl_batch *b, const struct list *alive, struct error *e)
{
	static const char *const sets[] = { "local4",	 "local6",   "publish4",
					    "anywhere4", "publish6", "anywhere6" };

	for (size_t i = 0; i < COUNT_OF(sets); i++) {
		struct list list = LIST_OF(struct element);
		int r = read_set(nl, NFPROTO_INET, sets[i], &list, e);
		const struct element *x = (void *)list.items;
		for (size_t k = 0; k < list.count && r == 0; k++, x++) {
			const uint8_t *address = i < 2 ? x->key.bytes + IFNAMSIZ : x->data.bytes;
			size_t size = i < 2 ? x->key.size - IFNAMSIZ : x->data.size - 4;
			if ((i < 2 && x->key.size <= IFNAMSIZ) || (i >= 2 && x->data.size <= 4) ||
			    !is_alive(alive, address, size))
				put_removal(b, NFPROTO_INET, sets[i], &x->key);
		}
		free(list.items);
		if (r < 0)
			return r;
	}
	return 0;
}

int nft_sweep(struct nl *nl, struct nl *route, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct list alive = LIST_OF(struct element);
	auto_free struct link *links = NULL;
	size_t count;

	int r = link_list(route, 0, &links, &count, e);
	if (r == 0)
		r = sweep_ports(nl, links, count, b, &alive, e);
	if (r == 0)
		r = sweep_addresses(nl, b, &alive, e);
	free(alive.items);
	if (r < 0)
		return r;
	r = nft_forget(nl, b, e);
	return r < 0 ? r : (int)nl_batch_count(b);
}
