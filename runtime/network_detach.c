/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network_detach.c - the wires of a container by its record: taken away, held, announced, taken along
 *
 * Works on whatever is there: a switch that was removed by force, a link that went with its namespace, an
 * attach that was killed between any two steps. */
#include "runtime/network.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "netns/hold.h"
#include "netns/neigh.h"
#include "runtime/base/str.h"
#include "runtime/network_parts.h"

/* ---- one port ---- */

/* What is left of `r`: the first failure. */
static void keep_first(int *r, int one, struct error *e, const struct error *why)
{
	if (one < 0 && *r == 0) {
		*r = one;
		*e = *why;
	}
}

enum how { FREE_LEASES, SEND_LEASES_AWAY };

static int remove_port(struct sw *s, const struct switch_owner *o, const struct network *n,
		       const struct net_port *p, enum how how, struct error *e)
{
	struct error why;
	int r = 0;

	if (!p->link)
		return 0;
	keep_first(&r, switch_unplug(s, p, &why), e, &why);
	keep_first(&r, switch_forbid(s, p, n->n_published > 0, &why), e, &why);
	if (how == SEND_LEASES_AWAY) {
		keep_first(&r, switch_send_away(s, o, p, &why), e, &why);
		return r;
	}
	/* The name before the address: who has it next must not be taken for us. */
	keep_first(&r, switch_untell(s, p, &why), e, &why);
	keep_first(&r, switch_unlease(s, o, p, &why), e, &why);
	return r;
}

static int remove_port_of(const struct network_of *of, const struct switch_place *place,
			  const struct network *n, const struct net_port *p, enum how how, struct error *e)
{
	AUTO(switch) struct sw *s = NULL;
	struct switch_owner owner = network_owner(of, n);

	int r = switch_open(place, p->switch_name, SWITCH_SHARED, &s, e);
	if (r == -ENOENT) /* removed by force, with all its ports */
		return 0;
	return r == 0 ? remove_port(s, &owner, n, p, how, e) : r;
}

/* ---- all ---- */

static int remove_all(const struct network_of *of, enum how how, struct error *e)
{
	AUTO(network) struct network *n = NULL;
	struct switch_place place = SWITCH_PLACE_INIT;
	struct error why;

	int r = network_read(of->dir, &n, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = switch_place_open(of->switch_dir, false, &place, e);
	if (r < 0 && r != -ENOENT)
		return r;
	r = 0;
	for (size_t i = n->n_ports; i-- > 0;)
		if (place.switches >= 0)
			keep_first(&r, remove_port_of(of, &place, n, &n->ports[i], how, &why), e, &why);
	switch_place_done(&place);
	if (r == 0 && unlinkat(of->dir, NETWORK_FILE, 0) < 0 && errno != ENOENT)
		r = fail(e, errno, "remove " NETWORK_FILE);
	return r;
}

int network_detach(const struct network_of *of, struct error *e)
{
	return remove_all(of, FREE_LEASES, e);
}

int network_send_away(const struct network_of *of, struct error *e)
{
	return remove_all(of, SEND_LEASES_AWAY, e);
}

static int find_port(const struct network *n, const char *switch_name, const char *ifname, size_t *ret,
		     struct error *e)
{
	size_t found = n->n_ports;

	for (size_t i = 0; i < n->n_ports; i++) {
		const struct net_port *p = &n->ports[i];
		if (!str_eq(p->switch_name, switch_name) ||
		    (ifname && !(p->ifname && str_eq(p->ifname, ifname))))
			continue;
		if (found < n->n_ports)
			return refuse(e, EINVAL,
				      "the container is connected to switch %s more than once: give --ifname",
				      switch_name);
		found = i;
	}
	if (found == n->n_ports)
		return refuse(e, ENOENT, "the container is not connected to switch %s%s%s", switch_name,
			      ifname ? " by " : "", ifname ? ifname : "");
	*ret = found;
	return 0;
}

int network_detach_port(const struct network_of *of, const char *switch_name, const char *ifname,
			struct error *e)
{
	AUTO(network) struct network *n = NULL;
	struct switch_place place = SWITCH_PLACE_INIT;
	size_t at = 0;

	int r = network_read(of->dir, &n, e);
	if (r == -ENOENT)
		return refuse(e, ENOENT, "the container is not connected to switch %s", switch_name);
	if (r == 0)
		r = find_port(n, switch_name, ifname, &at, e);
	if (r == 0)
		r = switch_place_open(of->switch_dir, false, &place, e);
	if (r < 0)
		return r;
	r = remove_port_of(of, &place, n, &n->ports[at], FREE_LEASES, e);
	switch_place_done(&place);
	if (r < 0)
		return r;
	memmove(&n->ports[at], &n->ports[at + 1], (n->n_ports - at - 1) * sizeof(*n->ports));
	n->n_ports--;
	return network_write(of->dir, n, e);
}

/* ---- for checkpoints and migration ---- */

static int hold_all(const struct network_of *of, int (*act)(struct hold *h, struct error *e), struct error *e)
{
	AUTO(network) struct network *n = NULL;
	AUTO(hold) struct hold *h = NULL;
	const char *links[NET_PORTS_MAX];
	size_t count = 0;

	int r = network_read(of->dir, &n, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < n->n_ports; i++)
		if (n->ports[i].link)
			links[count++] = n->ports[i].link;
	if (count == 0)
		return 0;
	r = hold_open(-1, links, count, &h, e);
	return r == 0 ? act(h, e) : r;
}

int network_hold(const struct network_of *of, struct error *e)
{
	return hold_all(of, hold_on, e);
}

int network_release(const struct network_of *of, struct error *e)
{
	return hold_all(of, hold_off, e);
}

static int announce_port(const struct net_port *p, int netns, struct error *e)
{
	AUTO(nl) struct nl *inside = NULL;
	struct announce a;

	int r = nl_open(NETLINK_ROUTE, netns, &inside, e);
	if (r < 0)
		return r;
	int index = nl_link_index(inside, p->ifname, e);
	if (index < 0)
		return index;
	r = announce_open(&a, netns, index, &p->mac, p->ips, p->n_ips, e);
	if (r < 0)
		return r;
	r = announce_send(&a, e);
	announce_close(&a);
	return r;
}

int network_announce(const struct network_of *of, int netns, struct error *e)
{
	AUTO(network) struct network *n = NULL;

	int r = network_read(of->dir, &n, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; r == 0 && i < n->n_ports; i++)
		r = announce_port(&n->ports[i], netns, e);
	return r;
}

int network_export(int dir, char **ret, struct error *e)
{
	AUTO(network) struct network *n = NULL;

	int r = network_read(dir, &n, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n->n_ports; i++)
		n->ports[i].link = NULL;
	*ret = network_to_json(n, NULL);
	return *ret ? 0 : fail(e, ENOMEM, "network");
}

int network_import(const char *text, size_t size, bool publish, struct network **ret, struct error *e)
{
	AUTO(network) struct network *n = NULL;

	int r = network_from_json(text, size, &n, e);
	if (r < 0)
		return prefix(e, "network of the container");
	for (size_t i = 0; i < n->n_ports; i++) {
		n->ports[i].link = NULL;
		if (!n->ports[i].ifname || !mac_is_set(&n->ports[i].mac))
			return refuse(e, EINVAL, "network of the container: a port without name or address");
	}
	if (!publish)
		n->n_published = 0;
	*ret = take_ptr(n);
	return 0;
}
