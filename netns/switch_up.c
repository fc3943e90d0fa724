/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switch_up.c - the links and rules of a switch: made where they are missing, taken away */
#include "netns/switch_parts.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>

#include "netns/addr.h"
#include "netns/link.h"
#include "netns/names.h"
#include "netns/neigh.h"
#include "netns/nft.h"
#include "netns/sysctl.h"
#include "runtime/base/str.h"

void switch_bridge_name(const char *name, char ret[static NET_IFNAME_SIZE])
{
	snprintf(ret, NET_IFNAME_SIZE, "sw-%s", name);
}

void switch_vxlan_name(const char *name, char ret[static NET_IFNAME_SIZE])
{
	snprintf(ret, NET_IFNAME_SIZE, "vx-%s", name);
}

unsigned int switch_routes(const struct sw *s)
{
	unsigned int routes = 0;

	for (size_t i = 0; i < s->conf->n_nets; i++)
		if (s->conf->nets[i].gateway.family)
			routes |= s->conf->nets[i].net.family == AF_INET ? SWITCH_ROUTE4 : SWITCH_ROUTE6;
	return routes;
}

static int ask(struct sw *s, struct nl_batch *b, struct error *e)
{
	int r = nl_ask(s->route, b, e);
	return r < 0 ? prefix(e, "switch %s", s->conf->name) : 0;
}

/* ---- the bridge ---- */

/* The index of the bridge, made if it is missing. */
static int ensure_bridge(struct sw *s, const char *name, struct error *e)
{
	struct link link;
	struct error why;

	int r = link_get(s->route, name, &link, &why);
	if (r == 0 && !str_eq(link.kind, "bridge"))
		return refuse(e, EEXIST, "link %s is there already and is no bridge", name);
	if (r == -ENODEV) {
		AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
		link_create_bridge(b, &(struct link_bridge){ name, &s->conf->mac, s->conf->mtu });
		r = ask(s, b, e);
		if (r < 0)
			return r;
		r = link_get(s->route, name, &link, &why);
	}
	if (r < 0) {
		*e = why;
		return r;
	}
	s->bridge = link.index;
	return 0;
}

/* Without a gateway the host is not on the switch: not by a link-local address either. */
static int settle_bridge(struct sw *s, const char *name, struct error *e)
{
	bool six = switch_routes(s) & SWITCH_ROUTE6;
	struct error ignored;
	char now[8];

	if (net_sysctl_read(-1, "ipv6/conf/%s/disable_ipv6", name, now, sizeof(now), &ignored) < 0)
		return six ? refuse(e, EAFNOSUPPORT, "switch %s: this kernel has no IPv6", s->conf->name) : 0;
	int r = net_sysctl_ensure(-1, "ipv6/conf/%s/disable_ipv6", name, six ? "0" : "1", NULL, e);
	if (r == 0)
		r = net_sysctl_ensure(-1, "ipv6/conf/%s/accept_ra", name, "0", NULL, e);
	return r;
}

static int ensure_addresses(struct sw *s, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	auto_free struct addr *there = NULL;
	size_t n = 0;

	int r = addr_list(s->route, s->bridge, &there, &n, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->conf->n_nets; i++) {
		const struct ip *gateway = &s->conf->nets[i].gateway;
		bool found = !gateway->family;
		for (size_t k = 0; !found && k < n; k++)
			found = ip_equal(&there[k].ip, gateway);
		if (!found)
			addr_add(b, s->bridge, gateway, 0);
	}
	return ask(s, b, e);
}

/* ---- to other nodes ---- */

static int ensure_vxlan(struct sw *s, struct error *e)
{
	const struct switch_vxlan *x = s->conf->vxlan;
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	char name[NET_IFNAME_SIZE];
	struct link link;
	struct error why;

	if (!x)
		return 0;
	switch_vxlan_name(s->conf->name, name);
	if (link_get(s->route, name, &link, &why) == 0)
		return 0;
	link_create_vxlan(b, &(struct link_vxlan){ .name = name,
						   .vni = x->vni,
						   .local = &x->local,
						   .port = x->port,
						   .mtu = s->conf->mtu,
						   .learning = true,
						   .master = s->bridge,
						   .up = true });
	int r = ask(s, b, e);
	if (r < 0)
		return r;
	int index = nl_link_index(s->route, name, e);
	if (index < 0)
		return index;
	nl_batch_clear(b);
	for (size_t i = 0; i < x->n_remotes; i++)
		fdb_add_remote(b, index, NULL, &x->remotes[i]);
	return ask(s, b, e);
}

/* The uplink's own addresses would not work any more: its frames go to the bridge. */
static int check_uplink(struct sw *s, const struct link *link, struct error *e)
{
	auto_free struct addr *there = NULL;
	char text[IP_TEXT_SIZE];
	size_t n = 0;

	if (link->master && link->master != s->bridge)
		return refuse(e, EBUSY, "uplink %s is a port of another bridge", link->name);
	int r = addr_list(s->route, link->index, &there, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (there[i].scope == 0) /* global */
			r = refuse(e, EBUSY,
				   "uplink %s has an address of the host's (%s), which would not be reached "
				   "any more: give a link without",
				   link->name, ip_net_text(&there[i].ip, text));
	return r;
}

static int ensure_uplink(struct sw *s, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct link link;

	if (!s->conf->uplink)
		return 0;
	int r = link_get(s->route, s->conf->uplink, &link, e);
	if (r < 0)
		return prefix(e, "uplink");
	if (link.master == s->bridge)
		return 0;
	r = check_uplink(s, &link, e);
	if (r < 0)
		return r;
	link_change(b, &(struct link_change){ .index = link.index, .master = s->bridge, .up = true });
	return ask(s, b, e);
}

/* ---- rules and settings ---- */

static int ensure_rules(struct sw *s, const char *bridge, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();

	int r = switch_nft(s, e);
	if (r == 0)
		r = nft_ensure(s->nft, e);
	if (r < 0)
		return r;
	nft_switch_add(b, &(struct nft_switch){ bridge, s->conf->nat, s->conf->isolated });
	return nft_ask(s->nft, b, e);
}

/* A host that routes IPv6 no longer believes routers' advertisements, and loses the default route that it had
 * from them, unless it is told to believe them all the same (accept_ra 2, Documentation/networking/ip-sysctl). */
static int keep_advertised_routes(struct sw *s, struct switch_told *told, struct error *e)
{
	auto_free struct link *links = NULL;
	struct error ignored;
	char now[8];
	size_t n = 0;

	if (net_sysctl_read(-1, "ipv6/conf/all/forwarding", NULL, now, sizeof(now), &ignored) < 0 ||
	    !str_eq(now, "0"))
		return 0;
	int r = link_list(s->route, 0, &links, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (links[i].master || links[i].flags & IFF_LOOPBACK ||
		    net_sysctl_read(-1, "ipv6/conf/%s/accept_ra", links[i].name, now, sizeof(now), &ignored) <
			    0 ||
		    !str_eq(now, "1"))
			continue;
		r = net_sysctl_ensure(-1, "ipv6/conf/%s/accept_ra", links[i].name, "2", NULL, e);
		told->accept_ra = true;
	}
	return r;
}

/* The host routes between the switch and elsewhere only if somebody on the switch can ask it to. */
static int ensure_forwarding(struct sw *s, struct switch_told *told, struct error *e)
{
	unsigned int routes = s->conf->isolated ? 0 : switch_routes(s);
	bool four = false, six = false;
	int r = 0;

	if (routes & SWITCH_ROUTE4)
		r = net_sysctl_ensure(-1, "ipv4/ip_forward", NULL, "1", &four, e);
	if (r == 0 && routes & SWITCH_ROUTE6)
		r = keep_advertised_routes(s, told, e);
	if (r == 0 && routes & SWITCH_ROUTE6)
		r = net_sysctl_ensure(-1, "ipv6/conf/all/forwarding", NULL, "1", &six, e);
	told->forward4 |= four;
	told->forward6 |= six;
	return r;
}

int switch_is_up(struct sw *s, struct error *e)
{
	char name[NET_IFNAME_SIZE];

	int r = switch_route(s, e);
	if (r < 0)
		return r;
	switch_bridge_name(s->conf->name, name);
	r = nl_link_index(s->route, name, e);
	if (r > 0)
		s->bridge = r;
	return r == -ENODEV ? 0 : r < 0 ? r : 1;
}

int switch_up(struct sw *s, struct switch_told *told, struct error *e)
{
	char name[NET_IFNAME_SIZE];

	switch_bridge_name(s->conf->name, name);
	int r = switch_route(s, e);
	if (r == 0)
		r = ensure_bridge(s, name, e);
	if (r == 0)
		r = settle_bridge(s, name, e);
	/* What may pass is settled before anything can. */
	if (r == 0)
		r = ensure_rules(s, name, e);
	if (r == 0)
		r = ensure_addresses(s, e);
	if (r == 0)
		r = ensure_vxlan(s, e);
	if (r == 0)
		r = ensure_uplink(s, e);
	if (r == 0)
		r = ensure_forwarding(s, told, e);
	return r == 0 ? switch_sweep(s, e) : r;
}

/* ---- away ---- */

static int drop_rules(struct sw *s, const char *bridge, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();

	int r = switch_nft(s, e);
	if (r == 0)
		r = nft_is_there(s->nft, e);
	if (r <= 0)
		return r;
	nft_switch_remove(b, &(struct nft_switch){ bridge, s->conf->nat, s->conf->isolated });
	return nft_forget(s->nft, b, e);
}

int switch_down(struct sw *s, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	char bridge[NET_IFNAME_SIZE], vxlan[NET_IFNAME_SIZE];
	struct link link;
	struct error why;

	switch_bridge_name(s->conf->name, bridge);
	switch_vxlan_name(s->conf->name, vxlan);
	int r = switch_route(s, e);
	if (r < 0)
		return r;
	if (s->conf->uplink && link_get(s->route, s->conf->uplink, &link, &why) == 0 && link.master) {
		link_change(b, &(struct link_change){ .index = link.index, .master = LINK_NO_MASTER });
		nl_tolerate(b, ENODEV);
	}
	if (s->conf->vxlan) {
		link_delete(b, vxlan);
		nl_tolerate(b, ENODEV);
	}
	link_delete(b, bridge);
	nl_tolerate(b, ENODEV);
	r = ask(s, b, e);
	return r == 0 ? drop_rules(s, bridge, e) : r;
}

/* ---- what nobody owns ---- */

/* By the addresses published to, which are ours: the port of the host may have become somebody else's. */
int switch_unpublish(struct sw *s, const struct ip *to, size_t count, struct error *e)
{
	auto_free struct nft_publish *list = NULL;
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	size_t n = 0;

	int r = nft_publish_list(s->nft, &list, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		for (size_t k = 0; k < count; k++)
			if (ip_equal(&list[i].to, &to[k]))
				nft_publish_remove(b, &list[i]);
	return r == 0 ? nft_forget(s->nft, b, e) : r;
}

int switch_clear_port(struct sw *s, const struct lease *l, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *rules = nl_batch_new(), *links = nl_batch_new();
	char bridge[NET_IFNAME_SIZE];

	int r = switch_route(s, e);
	if (r == 0)
		r = switch_nft(s, e);
	if (r < 0)
		return r;
	if (*l->link && !l->away) {
		link_delete(links, l->link);
		nl_tolerate(links, ENODEV);
		r = nl_ask(s->route, links, e);
	}
	switch_bridge_name(s->conf->name, bridge);
	if (r == 0 && nft_is_there(s->nft, e) == 1) {
		nft_port_remove(rules, &(struct nft_port){ .name = l->link,
							   .bridge = bridge,
							   .mac = &l->mac,
							   .addresses = &l->ip,
							   .count = 1 });
		r = nft_forget(s->nft, rules, e);
		if (r == 0)
			r = switch_unpublish(s, &l->ip, 1, e);
	}
	if (r == 0)
		r = names_remove(s->place->hosts, s->conf->name, &l->ip, e);
	return r;
}

static int clear_gone(const struct lease *l, void *data, struct error *e)
{
	return switch_clear_port(data, l, e);
}

int switch_sweep(struct sw *s, struct error *e)
{
	int r = lease_sweep(s->leases, clear_gone, s, e);
	return r < 0 ? prefix(e, "switch %s", s->conf->name) : 0;
}
