/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hold.c - hold and release, prepared: an element of the bridge table's set "held" for each port
 *
 * Why a set and not the state of the bridge's port (blocking): both drop both ways; but the state is changed under
 * the lock of all of rtnetlink, which whoever removes a link elsewhere on the host holds for milliseconds, while
 * the lock of nftables is one namespace's. tests/bench/README.md has the times. */
#include "netns/hold.h"

#include "netns/nft.h"

struct hold {
	struct nl *nl;
	struct nl_ready *on;
	struct nl_batch *off;
};

void hold_free(struct hold *h)
{
	if (!h)
		return;
	nl_ready_free(h->on);
	nl_batch_free(h->off);
	nl_free(h->nl);
	free(h);
}

int hold_open(int netns, const char *const *ports, size_t count, struct hold **ret, struct error *e)
{
	AUTO(hold) struct hold *h = calloc(1, sizeof(*h));
	AUTO(nl_batch) struct nl_batch *on = nl_batch_new();

	if (!h || !(h->off = nl_batch_new()))
		return fail(e, ENOMEM, "hold");
	int r = nl_open(NETLINK_NETFILTER, netns, &h->nl, e);
	if (r < 0 || (r = nft_ensure(h->nl, e)) < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		nft_hold(on, ports[i]);
		nft_release(h->off, ports[i]);
	}
	r = nl_prepare(h->nl, on, &h->on, e);
	if (r < 0)
		return r;
	*ret = take_ptr(h);
	return 0;
}

int hold_on(struct hold *h, struct error *e)
{
	int r = nl_fire(h->on, e);
	return r < 0 ? prefix(e, "hold") : 0;
}

int hold_off(struct hold *h, struct error *e)
{
	int r = nft_forget(h->nl, h->off, e);
	return r < 0 ? prefix(e, "release") : 0;
}
