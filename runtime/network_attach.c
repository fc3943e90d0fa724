/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network_attach.c - the wires of a container, attached: one list, top to bottom, undone in reverse
 *
 * Runs in coracle-node, mostly as the helper of a `create` that makes the container meanwhile: what needs no
 * namespace comes first. Order that matters:
 *	the record before the first link: what a killed command leaves is found by it;
 *	the rules before the link: a port never sends what it may not;
 *	the names last: who is found by name can be reached. */
#include "runtime/network.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netns/netdev.h"
#include "netns/open.h"
#include "netns/switch.h"
#include "runtime/base/fd.h"
#include "runtime/base/steps.h"
#include "runtime/base/str.h"
#include "runtime/network_parts.h"

struct attach {
	const struct network_of *of;
	struct network *n;
	size_t first;
	int netns, sock;
	unsigned int flags;
	struct wires wires;
	unsigned int routed; /* the families that have a default route */
};

static struct attach *story(const struct walk *w)
{
	return w->story;
}

/* ---- switches ---- */

void wires_done(struct wires *w)
{
	for (size_t i = 0; i < NET_PORTS_MAX; i++)
		switch_free(w->of_port[i]);
	switch_place_done(&w->place);
}

struct switch_owner network_owner(const struct network_of *of, const struct network *n)
{
	return (struct switch_owner){ of->owner, n->name, n->alias };
}

/* After a reboot the first container brings its switch up. Nothing else is locked meanwhile. */
static int bring_up(const struct switch_place *p, const char *name, struct error *e)
{
	AUTO(switch) struct sw *s = NULL;
	struct switch_told told = { .forward4 = false };

	int r = switch_open(p, name, SWITCH_SHARED, &s, e);
	if (r == 0)
		r = switch_is_up(s, e);
	if (r != 0)
		return r < 0 ? r : 0;
	AUTO(switch) struct sw *alone = NULL;
	switch_free(take_ptr(s));
	r = switch_open(p, name, SWITCH_EXCLUSIVE, &alone, e);
	return r == 0 ? switch_up(alone, &told, e) : r;
}

static int open_switches(struct walk *w, struct error *e)
{
	struct attach *a = story(w);

	int r = switch_place_open(a->of->switch_dir, true, &a->wires.place, e);
	for (size_t i = a->first; r == 0 && i < a->n->n_ports; i++)
		r = bring_up(&a->wires.place, a->n->ports[i].switch_name, e);
	for (size_t i = a->first; r == 0 && i < a->n->n_ports; i++)
		r = switch_open(&a->wires.place, a->n->ports[i].switch_name, SWITCH_SHARED,
				&a->wires.of_port[i], e);
	return r;
}

/* ---- leases ---- */

static bool has_ifname(const struct network *n, const char *ifname)
{
	for (size_t i = 0; i < n->n_ports; i++)
		if (n->ports[i].ifname && str_eq(n->ports[i].ifname, ifname))
			return true;
	return false;
}

static int choose_ifname(struct network *n, struct net_port *p, struct error *e)
{
	char name[NET_IFNAME_SIZE];

	for (unsigned int i = 0; i <= NET_PORTS_MAX && !p->ifname; i++) {
		snprintf(name, sizeof(name), "eth%u", i);
		if (!has_ifname(n, name)) {
			p->ifname = arena_strdup(n->arena, name);
			break;
		}
	}
	return p->ifname ? 0 : fail(e, ENOMEM, "name of a link");
}

static void unlease_from(struct attach *a, size_t end)
{
	struct switch_owner owner = network_owner(a->of, a->n);
	struct error ignored;

	for (size_t i = end; i-- > a->first;)
		switch_unlease(a->wires.of_port[i], &owner, &a->n->ports[i], &ignored);
}

static void undo_leases(struct walk *w)
{
	unlease_from(story(w), story(w)->n->n_ports);
}

static int lease_addresses(struct walk *w, struct error *e)
{
	struct attach *a = story(w);
	struct switch_owner owner = network_owner(a->of, a->n);

	for (size_t i = a->first; i < a->n->n_ports; i++) {
		struct net_port *p = &a->n->ports[i];
		int r = choose_ifname(a->n, p, e);
		if (r == 0)
			r = switch_lease(a->wires.of_port[i], &owner, p, a->flags & NETWORK_CAME, a->n->arena,
					 e);
		if (r < 0) {
			unlease_from(a, i);
			return r;
		}
	}
	return 0;
}

/* ---- the record ---- */

/* With the first `n` ports. */
static int write_record(const struct attach *a, size_t n_ports, struct error *e)
{
	struct network part = *a->n;

	part.n_ports = n_ports;
	if (n_ports > 0 || part.hosts || part.resolv)
		return network_write(a->of->dir, &part, e);
	if (unlinkat(a->of->dir, NETWORK_FILE, 0) < 0 && errno != ENOENT)
		return fail(e, errno, "remove " NETWORK_FILE);
	return 0;
}

static void undo_record(struct walk *w)
{
	struct error ignored;
	write_record(story(w), story(w)->first, &ignored);
}

static int record_network(struct walk *w, struct error *e)
{
	return write_record(story(w), story(w)->n->n_ports, e);
}

/* ---- rules ---- */

/* Which port the published ports are reached through: the first whose switch has a way to it. */
static size_t published_port(const struct network *n, struct sw *const *of_port)
{
	for (size_t i = 0; i < n->n_ports; i++)
		if (of_port[i] && switch_routes(of_port[i]) && !of_port[i]->conf->isolated)
			return i;
	return 0;
}

static void forbid_from(struct attach *a, size_t end)
{
	struct error ignored;

	for (size_t i = end; i-- > a->first;)
		switch_forbid(a->wires.of_port[i], &a->n->ports[i], a->n->n_published > 0, &ignored);
}

static void undo_rules(struct walk *w)
{
	forbid_from(story(w), story(w)->n->n_ports);
}

static int allow_ports(struct walk *w, struct error *e)
{
	struct attach *a = story(w);
	size_t publishing = published_port(a->n, a->wires.of_port);

	for (size_t i = a->first; i < a->n->n_ports; i++) {
		size_t n = i == publishing ? a->n->n_published : 0;
		int r = switch_allow(a->wires.of_port[i], &a->n->ports[i], a->n->published, n,
				     a->flags & NETWORK_HELD, e);
		if (r < 0) {
			forbid_from(a, i);
			return r;
		}
	}
	return 0;
}

/* ---- links ---- */

/* The helper: it is told the namespace late, and asked to keep what it has made. */
static bool is_asked(const struct walk *w)
{
	return story(w)->sock >= 0;
}

static int receive_namespace(struct walk *w, struct error *e)
{
	struct attach *a = story(w);
	char ignored[16];

	ssize_t n = fd_receive(a->sock, ignored, sizeof(ignored), &a->netns, e);
	if (n < 0)
		return (int)n;
	return a->netns < 0 ? refuse(e, ECANCELED, "the container was not made") : 0;
}

static void unplug_from(struct attach *a, size_t end)
{
	struct error ignored;

	for (size_t i = end; i-- > a->first;)
		switch_unplug(a->wires.of_port[i], &a->n->ports[i], &ignored);
}

static void undo_links(struct walk *w)
{
	unplug_from(story(w), story(w)->n->n_ports);
}

static int plug_ports(struct walk *w, struct error *e)
{
	struct attach *a = story(w);

	for (size_t i = 0; i < a->first; i++) {
		AUTO(switch) struct sw *s = NULL;
		struct error ignored;
		if (switch_open(&a->wires.place, a->n->ports[i].switch_name, SWITCH_SHARED, &s, &ignored) ==
		    0)
			a->routed |= switch_routes(s);
	}
	size_t publishing = published_port(a->n, a->wires.of_port);
	for (size_t i = a->first; i < a->n->n_ports; i++) {
		unsigned int publishes = i == publishing && a->n->n_published ? SWITCH_PUBLISHED : 0;
		unsigned int routes = switch_routes(a->wires.of_port[i]) & ~a->routed;
		int r = switch_plug(a->wires.of_port[i], &a->n->ports[i], a->netns, routes | publishes, e);
		if (r < 0) {
			unplug_from(a, i);
			return r;
		}
		a->routed |= routes;
	}
	return 0;
}

/* ---- names ---- */

static void untell(struct walk *w)
{
	struct attach *a = story(w);
	struct error ignored;

	for (size_t i = a->first; i < a->n->n_ports; i++)
		switch_untell(a->wires.of_port[i], &a->n->ports[i], &ignored);
}

static int tell_names(struct walk *w, struct error *e)
{
	struct attach *a = story(w);
	struct switch_owner owner = network_owner(a->of, a->n);
	int r = 0;

	for (size_t i = a->first; r == 0 && i < a->n->n_ports; i++)
		r = switch_tell(a->wires.of_port[i], &owner, &a->n->ports[i], e);
	if (r < 0)
		untell(w);
	return r;
}

/* ---- links of the host ---- */

static bool has_devices(const struct walk *w)
{
	return story(w)->n->n_devices > 0;
}

static void return_devices(struct attach *a, size_t n)
{
	struct error ignored;

	auto_close int own = netns_open_self(&ignored);
	for (size_t i = n; own >= 0 && i-- > 0;) {
		const struct net_device *d = &a->n->devices[i];
		netdev_return(a->netns, own, d->new_name ? d->new_name : d->name, d->name, &ignored);
	}
}

static void undo_devices(struct walk *w)
{
	return_devices(story(w), story(w)->n->n_devices);
}

static int move_devices(struct walk *w, struct error *e)
{
	struct attach *a = story(w);

	auto_close int own = netns_open_self(e);
	if (own < 0)
		return own;
	for (size_t i = 0; i < a->n->n_devices; i++) {
		const struct net_device *d = &a->n->devices[i];
		int r = netdev_move(own, a->netns, d->name, d->new_name, e);
		if (r < 0) {
			return_devices(a, i);
			return prefix(e, "linux.netDevices");
		}
	}
	return 0;
}

/* ---- the end ---- */

/* Whoever asked says that the container was made; its end before that undoes all. */
static int confirm(struct walk *w, struct error *e)
{
	struct attach *a = story(w);
	struct error done = { .code = 0 };
	char word[16];

	int r = fd_send(a->sock, &done, sizeof(done), -1, e);
	if (r < 0)
		return r;
	ssize_t n = fd_receive(a->sock, word, sizeof(word), NULL, e);
	return n > 0 ? 0 : n < 0 ? (int)n : refuse(e, ECANCELED, "the container was not made");
}

static const struct step attach_steps[] = {
	{ "open switches", WHO_RUNTIME, open_switches },
	{ "lease addresses", WHO_RUNTIME, lease_addresses, undo_leases },
	{ "record network", WHO_RUNTIME, record_network, undo_record },
	{ "allow ports", WHO_RUNTIME, allow_ports, undo_rules },
	{ "receive namespace", WHO_RUNTIME, receive_namespace, NULL, is_asked },
	{ "plug ports", WHO_RUNTIME, plug_ports, undo_links },
	{ "move devices", WHO_RUNTIME, move_devices, undo_devices, has_devices },
	{ "tell names", WHO_RUNTIME, tell_names, untell },
	{ "confirm", WHO_RUNTIME, confirm, NULL, is_asked },
};

int network_attach(const struct network_of *of, struct network *n, size_t first, int netns, int sock,
		   unsigned int flags, struct error *e)
{
	struct attach a = { .of = of,
			    .n = n,
			    .first = first,
			    .netns = netns,
			    .sock = sock,
			    .flags = flags,
			    .wires = { .place = SWITCH_PLACE_INIT } };
	struct walk w;

	if (n->n_ports > NET_PORTS_MAX)
		return refuse(e, EINVAL, "more than %d ports", NET_PORTS_MAX);
	steps_init(&w, attach_steps, COUNT_OF(attach_steps), &a);
	int r = steps_walk(&w, e);
	if (netns < 0)
		cleanup_close(&a.netns);
	wires_done(&a.wires);
	return r;
}
