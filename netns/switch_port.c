/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switch_port.c - ports: leased, allowed, plugged, and back */
#include "netns/switch_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "netns/addr.h"
#include "netns/link.h"
#include "netns/names.h"
#include "netns/nft.h"
#include "netns/route.h"
#include "netns/sysctl.h"
#include "netns/tc.h"
#include "runtime/base/hash.h"
#include "runtime/base/str.h"

/* ---- names that follow from the owner ---- */

void switch_link_name(const struct switch_owner *o, const char *ifname, char ret[static NET_IFNAME_SIZE])
{
	uint8_t digest[HASH_SIZE];
	char hex[HASH_HEX_SIZE];
	struct hash h;

	hash_init(&h);
	hash_add(&h, o->path, strlen(o->path) + 1);
	hash_add(&h, ifname, strlen(ifname));
	hash_end(&h, digest);
	hash_hex(digest, hex);
	snprintf(ret, NET_IFNAME_SIZE, "c%.13s", hex);
}

/* Unlike any other's of this switch, on any node: the bridge's MAC was made by chance. */
static struct mac port_mac(const struct sw *s, const struct switch_owner *o, const char *ifname)
{
	char text[PATH_MAX + 64], bridge[MAC_TEXT_SIZE];

	snprintf(text, sizeof(text), "%s %s %s", mac_text(&s->conf->mac, bridge), ifname, o->path);
	return mac_derive(text);
}

/* ---- leases ---- */

static void fill_lease(struct lease *l, const struct switch_owner *o, const struct net_port *port)
{
	*l = (struct lease){ .mac = port->mac };
	snprintf(l->ifname, sizeof(l->ifname), "%s", port->ifname);
	snprintf(l->link, sizeof(l->link), "%s", port->link);
	snprintf(l->name, sizeof(l->name), "%s", o->name);
	snprintf(l->alias, sizeof(l->alias), "%s", o->alias);
	snprintf(l->owner, sizeof(l->owner), "%s", o->path);
}

struct mac_check {
	const struct mac *mac;
	const struct switch_owner *owner;
};

static int refuse_same_mac(const struct lease *l, void *data, struct error *e)
{
	const struct mac_check *c = data;
	char text[MAC_TEXT_SIZE];

	if (memcmp(&l->mac, c->mac, sizeof(l->mac)) != 0 || str_eq(l->owner, c->owner->path))
		return 0;
	return refuse(e, EADDRINUSE, "hardware address %s is %s's", mac_text(c->mac, text),
		      *l->name ? l->name : l->owner);
}

static int take_one(struct sw *s, const struct switch_net *n, const struct ip *asked, bool anywhere,
		    struct lease *l, struct error *e)
{
	unsigned int flags = anywhere || !(s->conf->vxlan || s->conf->uplink) ? LEASE_ANYWHERE : 0;

	int r = lease_take(s->leases, n, asked, flags, l, e);
	if (r != -ENOSPC)
		return r;
	/* Full: what belongs to nobody is taken back. */
	r = switch_sweep(s, e);
	return r == 0 ? lease_take(s->leases, n, asked, flags, l, e) : r;
}

struct taking {
	struct sw *s;
	struct lease lease;
	struct ip *ips;
	size_t n;
	bool anywhere;
};

static int take_into(struct taking *t, const struct switch_net *n, const struct ip *asked, struct error *e)
{
	char text[IP_TEXT_SIZE];

	if (t->n == NET_IPS_MAX)
		return refuse(e, EINVAL, "more than %d addresses", NET_IPS_MAX);
	if (asked && !n)
		return refuse(e, EINVAL, "address %s is of no subnet of the switch", ip_text(asked, text));
	int r = take_one(t->s, n, asked, t->anywhere, &t->lease, e);
	if (r < 0)
		return r;
	t->ips[t->n] = t->lease.ip;
	t->ips[t->n++].prefix = n->net.prefix;
	return 0;
}

static const struct switch_net *net_of(const struct sw *s, const struct ip *ip)
{
	for (size_t i = 0; i < s->conf->n_nets; i++)
		if (ip_within(&s->conf->nets[i].net, ip))
			return &s->conf->nets[i];
	return NULL;
}

/* Those asked for, then one of each subnet that has none of them. */
static int take_all(struct taking *t, const struct net_port *port, struct error *e)
{
	const struct sw *s = t->s;
	int r = 0;

	for (size_t i = 0; r == 0 && i < port->n_ips; i++)
		r = take_into(t, net_of(s, &port->ips[i]), &port->ips[i], e);
	for (size_t i = 0; r == 0 && i < s->conf->n_nets && !t->anywhere; i++) {
		bool has = false;
		for (size_t k = 0; k < t->n; k++)
			has |= ip_within(&s->conf->nets[i].net, &t->ips[k]);
		if (!has)
			r = take_into(t, &s->conf->nets[i], NULL, e);
	}
	return r;
}

int switch_lease(struct sw *s, const struct switch_owner *o, struct net_port *port, bool anywhere,
		 struct arena *a, struct error *e)
{
	auto_free struct taking *t = calloc(1, sizeof(*t));
	char *link = arena_alloc(a, NET_IFNAME_SIZE);

	if (!t || !link)
		return fail(e, ENOMEM, "lease");
	t->s = s;
	t->anywhere = anywhere;
	t->ips = arena_calloc(a, NET_IPS_MAX, sizeof(*t->ips));
	if (!t->ips)
		return fail(e, ENOMEM, "lease");
	switch_link_name(o, port->ifname, link);
	port->link = link;
	int r = 0;
	if (mac_is_set(&port->mac))
		r = lease_list(s->leases, refuse_same_mac, &(struct mac_check){ &port->mac, o }, e);
	else
		port->mac = port_mac(s, o, port->ifname);
	fill_lease(&t->lease, o, port);
	if (r == 0)
		r = take_all(t, port, e);
	port->ips = t->ips;
	port->n_ips = t->n;
	if (r < 0) {
		struct error ignored;
		switch_unlease(s, o, port, &ignored);
		return prefix(e, "switch %s", s->conf->name);
	}
	return 0;
}

int switch_unlease(struct sw *s, const struct switch_owner *o, const struct net_port *port, struct error *e)
{
	int r = 0;

	for (size_t i = 0; i < port->n_ips; i++) {
		int one = lease_free(s->leases, &port->ips[i], o->path, port->ifname, e);
		r = r < 0 ? r : one;
	}
	return r;
}

/* Of this node's part, or may it be given out by another node the moment its container ends there? */
static bool is_of_our_part(const struct sw *s, const struct ip *ip)
{
	const struct switch_net *n = net_of(s, ip);
	return n && ip_compare(ip, &n->first) >= 0 && ip_compare(ip, &n->last) <= 0;
}

int switch_send_away(struct sw *s, const struct switch_owner *o, const struct net_port *port, struct error *e)
{
	int r = 0;

	for (size_t i = 0; i < port->n_ips; i++) {
		const struct ip *ip = &port->ips[i];
		int one;
		if (is_of_our_part(s, ip)) {
			one = lease_send_away(s->leases, ip, o->path, port->ifname, e);
		} else {
			one = names_remove(s->place->hosts, s->conf->name, ip, e);
			if (one == 0)
				one = lease_free(s->leases, ip, o->path, port->ifname, e);
		}
		r = r < 0 ? r : one;
	}
	return r;
}

/* ---- rules ---- */

static struct nft_port port_rules(const struct net_port *port, const char *bridge)
{
	return (struct nft_port){ .name = port->link,
				  .bridge = bridge,
				  .mac = &port->mac,
				  .addresses = port->ips,
				  .count = port->n_ips,
				  .police_bytes = port->rate / 8 };
}

/* What is published on all addresses of the host is published in each family that the container has. */
static size_t publish_rules(const struct net_port *port, const struct net_publish *p, struct nft_publish *ret)
{
	size_t n = 0;

	for (int family = AF_INET; n < 2; family = AF_INET6) {
		for (size_t i = 0; i < port->n_ips; i++) {
			struct ip host = p->host;
			if (port->ips[i].family != family || (host.family && host.family != family))
				continue;
			host.family = (uint8_t)family;
			ret[n++] = (struct nft_publish){ p->protocol, host, p->host_port, port->ips[i],
							 p->port };
			break;
		}
		if (family == AF_INET6)
			break;
	}
	return n;
}

static void each_publish(struct nl_batch *b, const struct net_port *port, const struct net_publish *published,
			 size_t count, void (*put)(struct nl_batch *b, const struct nft_publish *p))
{
	struct nft_publish rules[2];

	for (size_t i = 0; i < count; i++) {
		size_t n = publish_rules(port, &published[i], rules);
		for (size_t k = 0; k < n; k++)
			put(b, &rules[k]);
	}
}

static int check_published(const struct sw *s, const struct net_port *port,
			   const struct net_publish *published, size_t count, struct error *e)
{
	struct nft_publish rules[2];

	for (size_t i = 0; i < count; i++) {
		if (!switch_routes(s))
			return refuse(e, EINVAL,
				      "switch %s has no gateway: nothing can be published through it",
				      s->conf->name);
		if (s->conf->isolated)
			return refuse(e, EINVAL, "switch %s is isolated: nothing can be published through it",
				      s->conf->name);
		if (publish_rules(port, &published[i], rules) == 0)
			return refuse(e, EINVAL,
				      "publish %u: the container has no address of that family on switch %s",
				      published[i].host_port, s->conf->name);
	}
	return 0;
}

/* 127.0.0.1 of the host is routed to the container: only where something is published. */
static int route_loopback(const struct net_publish *published, size_t count, const char *bridge,
			  struct error *e)
{
	for (size_t i = 0; i < count; i++)
		if (published[i].host.family != AF_INET6)
			return net_sysctl_ensure(-1, "ipv4/conf/%s/route_localnet", bridge, "1", NULL, e);
	return 0;
}

int switch_allow(struct sw *s, const struct net_port *port, const struct net_publish *published,
		 size_t n_published, bool held, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	char bridge[NET_IFNAME_SIZE];

	switch_bridge_name(s->conf->name, bridge);
	int r = check_published(s, port, published, n_published, e);
	if (r == 0)
		r = switch_nft(s, e);
	if (r < 0)
		return r;
	struct nft_port rules = port_rules(port, bridge);
	rules.held = held;
	rules.reflects = n_published > 0;
	nft_port_add(b, &rules);
	each_publish(b, port, published, n_published, nft_publish_add);
	r = nft_ask(s->nft, b, e);
	if (r == -EEXIST && n_published)
		return refuse(e, EADDRINUSE,
			      "a port of the host that was to be published is published already");
	if (r == 0)
		r = route_loopback(published, n_published, bridge, e);
	return r < 0 ? prefix(e, "switch %s", s->conf->name) : 0;
}

int switch_forbid(struct sw *s, const struct net_port *port, bool published, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	char bridge[NET_IFNAME_SIZE];

	switch_bridge_name(s->conf->name, bridge);
	int r = switch_nft(s, e);
	if (r < 0)
		return r;
	struct nft_port rules = port_rules(port, bridge);
	nft_port_remove(b, &rules);
	r = nft_forget(s->nft, b, e);
	return r == 0 && published ? switch_unpublish(s, port->ips, port->n_ips, e) : r;
}

/* ---- links ---- */

static int make_link(struct sw *s, const struct net_port *port, int netns, unsigned int how, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	struct mac ours = mac_derive(port->link);

	link_create_veth(b, &(struct link_veth){ .name = port->link,
						 .peer_name = port->ifname,
						 .mac = &ours,
						 .peer_mac = &port->mac,
						 .mtu = s->conf->mtu,
						 .peer_netns = netns,
						 .master = s->bridge,
						 .up = true });
	unsigned int flags = (s->conf->private ? PORT_ISOLATED : 0) |
			     (how & SWITCH_PUBLISHED ? PORT_HAIRPIN : 0);
	if (flags)
		link_set_port(b, port->link, flags, flags);
	return nl_ask(s->route, b, e);
}

static const struct ip *gateway_for(const struct sw *s, int family)
{
	for (size_t i = 0; i < s->conf->n_nets; i++)
		if (s->conf->nets[i].gateway.family == family)
			return &s->conf->nets[i].gateway;
	return NULL;
}

static void add_default(struct nl_batch *b, const struct sw *s, int index, int family)
{
	const struct ip *gateway = gateway_for(s, family);

	if (gateway)
		route_add(b, &(struct route){ .to = { .family = (uint8_t)family },
					      .gateway = *gateway,
					      .index = index });
}

/* The container's end, in its namespace. */
static int settle_inside(const struct sw *s, const struct net_port *port, int netns, unsigned int routes,
			 struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
	AUTO(nl) struct nl *inside = NULL;

	int r = nl_open(NETLINK_ROUTE, netns, &inside, e);
	if (r < 0)
		return r;
	int index = nl_link_index(inside, port->ifname, e);
	if (index < 0)
		return index;
	link_change(b, &(struct link_change){ .index = index, .up = true });
	for (size_t i = 0; i < port->n_ips; i++)
		addr_add(b, index, &port->ips[i], 0);
	if (routes & SWITCH_ROUTE4)
		add_default(b, s, index, AF_INET);
	if (routes & SWITCH_ROUTE6)
		add_default(b, s, index, AF_INET6);
	if (port->rate)
		tc_limit(b, index, port->rate / 8, 0);
	return nl_ask(inside, b, e);
}

/* What the container receives is limited where it cannot take the limit away. */
static int limit_outside(const struct sw *s, const struct net_port *port, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();

	if (!port->rate)
		return 0;
	int index = nl_link_index(s->route, port->link, e);
	if (index < 0)
		return index;
	tc_limit(b, index, port->rate / 8, 0);
	return nl_ask(s->route, b, e);
}

int switch_plug(struct sw *s, const struct net_port *port, int netns, unsigned int how, struct error *e)
{
	int r = switch_is_up(s, e);
	if (r == 0)
		return refuse(e, ENETDOWN, "switch %s is not up", s->conf->name);
	if (r > 0)
		r = make_link(s, port, netns, how, e);
	if (r < 0)
		return prefix(e, "switch %s", s->conf->name);
	r = settle_inside(s, port, netns, how, e);
	if (r == 0)
		r = limit_outside(s, port, e);
	if (r == 0)
		return 0;
	struct error ignored;
	switch_unplug(s, port, &ignored);
	return prefix(e, "switch %s", s->conf->name);
}

int switch_unplug(struct sw *s, const struct net_port *port, struct error *e)
{
	int r = switch_route(s, e);
	return r < 0 ? r : link_end(s->route, port->link, e);
}

/* ---- names ---- */

int switch_tell(struct sw *s, const struct switch_owner *o, const struct net_port *port, struct error *e)
{
	struct lease l;
	int r = 0;

	fill_lease(&l, o, port);
	for (size_t i = 0; r == 0 && i < port->n_ips; i++) {
		l.ip = port->ips[i];
		r = names_add(s->place->hosts, s->conf->name, &l, e);
	}
	return r;
}

int switch_untell(struct sw *s, const struct net_port *port, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < port->n_ips; i++)
		r = names_remove(s->place->hosts, s->conf->name, &port->ips[i], e);
	return r;
}
