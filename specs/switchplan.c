/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switchplan.c - from what `switch create` was told to a switch's description: decisions on data alone */
#include "specs/switchconf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"

/* Subnets that are chosen when none is asked for: a /22 of 10.210.0.0/16, and the /64 of the same number in
 * a prefix of ours (RFC 4193, made once by chance). */
#define CHOICES 64

static int own_texts(struct switchconf *c, const struct switch_wishes *w, struct error *e)
{
	c->name = arena_strdup(c->arena, w->name);
	c->uplink = w->uplink ? arena_strdup(c->arena, w->uplink) : NULL;
	c->nets = arena_calloc(c->arena, SWITCH_NETS_MAX, sizeof(*c->nets));
	if (!c->name || !c->nets || (w->uplink && !c->uplink))
		return fail(e, ENOMEM, "switch %s", w->name);
	return 0;
}

static const struct ip *overlaps(const struct ip *net, const struct ip *taken, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_overlap(net, &taken[i]))
			return &taken[i];
	return NULL;
}

static void choose_nets(struct switchconf *c, const struct ip *taken, size_t n_taken)
{
	struct ip four, six;

	ip_parse_net("10.210.0.0/22", &four);
	ip_parse_net("fd8c:79e1:4d0a::/64", &six);
	for (unsigned int i = 0; i < CHOICES; i++) {
		struct ip a = ip_add(&four, i * 1024), b = six;
		b.bytes[7] = (uint8_t)i;
		if (overlaps(&a, taken, n_taken) || overlaps(&b, taken, n_taken))
			continue;
		c->nets[c->n_nets++].net = a;
		c->nets[c->n_nets++].net = b;
		return;
	}
}

static int asked_nets(struct switchconf *c, char *const *subnets, const struct ip *taken, size_t n_taken,
		      struct error *e)
{
	char one[IP_TEXT_SIZE], two[IP_TEXT_SIZE];

	for (; *subnets; subnets++) {
		struct ip net;
		if (c->n_nets == SWITCH_NETS_MAX)
			return refuse(e, EINVAL, "option --subnet: more than %d", SWITCH_NETS_MAX);
		if (ip_expect_net(*subnets, &net, e) < 0)
			return prefix(e, "option --subnet");
		if (net.prefix > (net.family == AF_INET ? 30 : 126) || net.prefix < 4)
			return refuse(e, EINVAL, "option --subnet: %s has no room for addresses", *subnets);
		net = ip_first(&net);
		const struct ip *other = overlaps(&net, taken, n_taken);
		if (other)
			return refuse(e, EEXIST,
				      "option --subnet: %s overlaps %s, which this host has already",
				      ip_net_text(&net, one), ip_net_text(other, two));
		for (size_t i = 0; i < c->n_nets; i++)
			if (ip_overlap(&net, &c->nets[i].net))
				return refuse(e, EINVAL, "option --subnet: %s is given twice",
					      ip_net_text(&net, one));
		c->nets[c->n_nets++].net = net;
	}
	return 0;
}

static int plan_nets(struct switchconf *c, const struct switch_wishes *w, const struct ip *taken,
		     size_t n_taken, struct error *e)
{
	if (w->subnets && *w->subnets)
		return asked_nets(c, w->subnets, taken, n_taken, e);
	choose_nets(c, taken, n_taken);
	if (!c->n_nets)
		return refuse(e, ENOSPC, "no subnet of 10.210.0.0/16 is free: give one by --subnet");
	return 0;
}

/* ---- VXLAN ---- */

static int plan_vxlan(struct switchconf *c, const struct switch_wishes *w, struct error *e)
{
	if (w->vni < 0)
		return w->local || (w->remotes && *w->remotes)
			       ? refuse(e, EINVAL, "option --%s goes with --vxlan",
					w->local ? "local" : "remote")
			       : 0;
	if (w->uplink)
		return refuse(e, EINVAL, "options --uplink and --vxlan exclude each other");
	if (w->vni > 0xffffff)
		return refuse(e, EINVAL, "option --vxlan: a VNI is at most %d", 0xffffff);
	if (!w->local || !w->remotes || !*w->remotes)
		return refuse(e, EINVAL, "option --vxlan goes with --local ADDR and --remote ADDR");
	struct switch_vxlan *x = arena_alloc(c->arena, sizeof(*x));
	if (x)
		x->remotes = arena_calloc(c->arena, strv_count(w->remotes), sizeof(*x->remotes));
	if (!x || !x->remotes)
		return fail(e, ENOMEM, "switch %s", w->name);
	x->vni = (uint32_t)w->vni;
	x->port = VXLAN_PORT;
	if (ip_expect(w->local, &x->local, e) < 0)
		return prefix(e, "option --local");
	for (char *const *text = w->remotes; *text; text++) {
		struct ip *remote = &x->remotes[x->n_remotes++];
		if (ip_expect(*text, remote, e) < 0)
			return prefix(e, "option --remote");
		if (remote->family != x->local.family)
			return refuse(e, EINVAL,
				      "option --remote: `%s` is not an address of --local's family", *text);
		if (ip_equal(remote, &x->local))
			return refuse(e, EINVAL, "option --remote: %s is --local", *text);
	}
	c->vxlan = x;
	return 0;
}

/* ---- this node's part ---- */

struct part {
	uint64_t number, count; /* from 0 */
};

static int parse_part(const char *text, struct part *ret, struct error *e)
{
	char first[16];
	const char *slash = strchr(text, '/');

	if (slash && (size_t)(slash - text) < sizeof(first)) {
		memcpy(first, text, (size_t)(slash - text));
		first[slash - text] = '\0';
		if (str_to_u64(first, &ret->number) == 0 && str_to_u64(slash + 1, &ret->count) == 0 &&
		    ret->number >= 1 && ret->number <= ret->count && ret->count <= 4096) {
			ret->number--;
			return 0;
		}
	}
	return refuse(e, EINVAL, "option --part: `%s` is not a part such as 1/2", text);
}

/* The members of a VXLAN sorted by address: every node computes the same. */
static struct part part_of_members(const struct switch_vxlan *x)
{
	struct part p = { 0, x->n_remotes + 1 };

	for (size_t i = 0; i < x->n_remotes; i++)
		if (ip_compare(&x->remotes[i], &x->local) < 0)
			p.number++;
	return p;
}

static int find_part(const struct switchconf *c, const struct switch_wishes *w, struct part *ret,
		     struct error *e)
{
	*ret = (struct part){ 0, 1 };
	if (w->part)
		return parse_part(w->part, ret, e);
	if (c->vxlan)
		*ret = part_of_members(c->vxlan);
	return 0;
}

static int cut_part(struct switch_net *n, const struct part *p, struct error *e)
{
	char text[IP_TEXT_SIZE];
	struct ip low = ip_first(&n->net), high = ip_last(&n->net);

	/* Without the subnet's own address, and in IPv4 without that of broadcasts. */
	low = ip_add(&low, 1);
	uint64_t count = ip_distance(&low, &high) - (n->net.family == AF_INET);
	uint64_t each = count / p->count + (p->count == 1 && count != UINT64_MAX);
	if (each < 2)
		return refuse(e, EINVAL, "subnet %s is too small for %llu parts", ip_net_text(&n->net, text),
			      (unsigned long long)p->count);
	n->first = ip_add(&low, p->number * each);
	n->last = ip_add(&n->first, each - 1);
	return 0;
}

static int take_range(struct switchconf *c, const char *text, bool *had, struct error *e)
{
	char first[IP_TEXT_SIZE];
	struct ip a, b;
	const char *dash = strchr(text, '-');

	if (!dash || (size_t)(dash - text) >= sizeof(first))
		return refuse(e, EINVAL, "option --range: `%s` is not FIRST-LAST", text);
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	if (ip_expect(first, &a, e) < 0 || ip_expect(dash + 1, &b, e) < 0)
		return prefix(e, "option --range");
	if (ip_compare(&a, &b) > 0)
		return refuse(e, EINVAL, "option --range: `%s` is not FIRST-LAST", text);
	for (size_t i = 0; i < c->n_nets; i++) {
		struct switch_net *n = &c->nets[i];
		if (!ip_within(&n->net, &a) || !ip_within(&n->net, &b))
			continue;
		if (had[i])
			return refuse(e, EINVAL, "option --range: two for one subnet");
		a.prefix = b.prefix = n->net.prefix;
		n->first = a;
		n->last = b;
		had[i] = true;
		return 0;
	}
	return refuse(e, EINVAL, "option --range: %s is in none of the switch's subnets", text);
}

/* The bridge's own address is the first of the node's part. */
static int take_gateway(struct switch_net *n, struct error *e)
{
	n->gateway = n->first;
	if (ip_equal(&n->first, &n->last))
		return refuse(e, EINVAL, "option --range: no address is left beside the gateway's");
	n->first = ip_add(&n->first, 1);
	return 0;
}

static int plan_parts(struct switchconf *c, const struct switch_wishes *w, struct error *e)
{
	bool had[SWITCH_NETS_MAX] = { false };
	struct part part;

	int r = find_part(c, w, &part, e);
	if (r == 0 && w->part && w->ranges && *w->ranges)
		return refuse(e, EINVAL, "options --range and --part exclude each other");
	if (r == 0 && c->uplink && !w->part && !(w->ranges && *w->ranges))
		return refuse(
			e, EINVAL,
			"option --uplink: other nodes give out addresses on this wire, too: give --part "
			"N/COUNT or --range FIRST-LAST");
	for (size_t i = 0; r == 0 && i < c->n_nets; i++)
		r = cut_part(&c->nets[i], &part, e);
	for (char *const *range = w->ranges; r == 0 && range && *range; range++)
		r = take_range(c, *range, had, e);
	for (size_t i = 0; r == 0 && i < c->n_nets && (w->gateway || w->nat); i++)
		r = take_gateway(&c->nets[i], e);
	return r;
}

static int plan_flags(struct switchconf *c, const struct switch_wishes *w, struct error *e)
{
	c->nat = w->nat;
	c->isolated = w->isolated;
	c->private = w->private;
	if (w->nat && w->isolated)
		return refuse(e, EINVAL, "options --nat and --isolated exclude each other");
	c->mtu = w->mtu ? w->mtu : 1500;
	if (!w->mtu && c->vxlan)
		c->mtu -= c->vxlan->local.family == AF_INET ? 50 : 70;
	bool six = false;
	for (size_t i = 0; i < c->n_nets; i++)
		six |= c->nets[i].net.family == AF_INET6;
	if (c->mtu > 65535 || c->mtu < (six ? 1280 : 68))
		return refuse(e, EINVAL, "option --mtu: %u is not between %d and 65535", c->mtu,
			      six ? 1280 : 68);
	return 0;
}

int switchconf_plan(const struct switch_wishes *w, const struct ip *taken, size_t n_taken,
		    struct switchconf **ret, struct error *e)
{
	AUTO(arena) struct arena *a = arena_new();
	struct switchconf *c = a ? arena_alloc(a, sizeof(*c)) : NULL;

	if (!c)
		return fail(e, ENOMEM, "switch %s", w->name);
	c->arena = a;
	int r = switch_check_name(w->name, e);
	if (r == 0 && w->uplink && (!*w->uplink || strlen(w->uplink) > 15))
		r = refuse(e, EINVAL, "option --uplink: `%s` is not the name of a link", w->uplink);
	if (r == 0)
		r = own_texts(c, w, e);
	if (r == 0)
		r = plan_nets(c, w, taken, n_taken, e);
	if (r == 0)
		r = plan_vxlan(c, w, e);
	if (r == 0)
		r = plan_parts(c, w, e);
	if (r == 0)
		r = plan_flags(c, w, e);
	if (r < 0)
		return r;
	take_ptr(a);
	*ret = c;
	return 0;
}
