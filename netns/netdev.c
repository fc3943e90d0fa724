/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netdev.c - a host's link goes into a container, with what it has
 *
 * The kernel drops a link's addresses when it changes its namespace, so they are read before and put back after;
 * the move itself renames, in one request. */
#include "netns/netdev.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "netns/addr.h"
#include "netns/link.h"
#include "runtime/base/str.h"

/* Both ends of the way. */
struct way {
	struct nl *from, *to;
	int to_netns, from_netns;
};

static int way_open(struct way *w, int from, int to, struct error *e)
{
	*w = (struct way){ .from_netns = from, .to_netns = to };
	int r = nl_open(NETLINK_ROUTE, from, &w->from, e);
	return r < 0 ? r : nl_open(NETLINK_ROUTE, to, &w->to, e);
}

static void way_close(struct way *w)
{
	nl_free(w->from);
	nl_free(w->to);
}

static int move(struct nl *nl, int to, int index, const char *name, const char *new_name, struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();

	/* Before Linux 6.2 a link that is up is not renamed. */
	link_change(b, &(struct link_change){ .index = index, .name = name, .down = true });
	link_change(b,
		    &(struct link_change){
			    .index = index, .name = name, .new_name = new_name, .move = true, .netns = to });
	return nl_ask(nl, b, e);
}

/* Up, and with its permanent addresses of global scope. */
static int equip(struct nl *nl, const char *name, const struct addr *addrs, size_t count, bool up,
		 struct error *e)
{
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();

	int index = nl_link_index(nl, name, e);
	if (index < 0)
		return index;
	if (up)
		link_change(b, &(struct link_change){ .name = name, .up = true });
	for (size_t i = 0; i < count; i++)
		if (addrs[i].scope == RT_SCOPE_UNIVERSE && addrs[i].flags & IFA_F_PERMANENT) {
			addr_add(b, index, &addrs[i].ip, 0);
			nl_tolerate(b, EEXIST);
		}
	return nl_ask(nl, b, e);
}

/* The name must be free where it goes; said before anything is changed. */
static int check_free(struct nl *to, const char *name, const char *new_name, struct error *e)
{
	struct error absent = { 0 };

	if (!link_name_is_valid(new_name))
		return refuse(e, EINVAL, "network device %s: '%s' is not a link's name", name, new_name);
	if (nl_link_index(to, new_name, &absent) < 0)
		return 0;
	return refuse(e, EEXIST, "network device %s: the container has a link %s already", name, new_name);
}

static int carry(struct way *w, const char *name, const char *new_name, bool up, struct error *e)
{
	auto_free struct addr *addrs = NULL;
	struct link l;
	size_t count;

	int r = link_get(w->from, name, &l, e);
	if (r < 0 || (r = addr_list(w->from, l.index, &addrs, &count, e)) < 0)
		return r;
	r = move(w->from, w->to_netns, l.index, name, new_name, e);
	if (r == 0)
		r = equip(w->to, new_name, addrs, count, up, e);
	if (r == 0)
		return 0;
	/* Back to where and how it was, as far as the kernel lets us. */
	struct error later = { 0 };
	int index = nl_link_index(w->to, new_name, &later);
	if (index > 0)
		move(w->to, w->from_netns, index, new_name, name, &later);
	equip(w->from, name, addrs, count, (l.flags & IFF_UP) != 0, &later);
	return r;
}

int netdev_move(int from, int to, const char *name, const char *new_name, struct error *e)
{
	const char *there = new_name && new_name[0] ? new_name : name;
	struct way w;

	int r = way_open(&w, from, to, e);
	if (r == 0)
		r = check_free(w.to, name, there, e);
	if (r == 0 && (r = carry(&w, name, there, true, e)) < 0)
		prefix(e, "network device %s", name);
	way_close(&w);
	return r;
}

int netdev_return(int from, int to, const char *name, const char *old_name, struct error *e)
{
	struct way w;

	int r = way_open(&w, from, to, e);
	if (r == 0 && (r = carry(&w, name, old_name, false, e)) < 0)
		prefix(e, "network device %s", name);
	way_close(&w);
	return r;
}
