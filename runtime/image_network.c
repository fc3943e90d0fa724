/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_network.c - a container's wires at checkpoint and restore */
#include "runtime/image_network.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netns/sysctl.h"
#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/network.h"
#include "runtime/network_helper.h"

enum { RECORD_LIMIT = 256 * 1024 };

static int whose(const struct container *c, struct network_of *ret, char **ret_owner, struct error *e)
{
	int r = network_owner_path(c, ret_owner, e);

	if (r == 0)
		*ret = (struct network_of){ .owner = *ret_owner,
					    .dir = c->dir,
					    .switch_dir = c->globals->switch_dir };
	return r;
}

static int with_wires(const struct container *c, int (*f)(const struct network_of *of, struct error *e),
		      struct error *e)
{
	auto_free char *owner = NULL;
	struct network_of of;

	int r = whose(c, &of, &owner, e);
	return r == 0 ? f(&of, e) : r;
}

/* ---- checkpoint ---- */

int image_network_open(struct dump *d, struct error *e)
{
	int r = network_read(d->container->dir, &d->network, e);

	if (r == -ENOENT)
		return 0;
	return r == 0 ? network_files_mounts(d->container, d->network, d->spec, e) : r;
}

int image_network_hold(const struct dump *d, struct error *e)
{
	return d->network ? with_wires(d->container, network_hold, e) : 0;
}

int image_network_release(const struct dump *d, struct error *e)
{
	return d->network ? with_wires(d->container, network_release, e) : 0;
}

int image_network_save(const struct dump *d, struct error *e)
{
	auto_free char *text = NULL;

	if (!d->network) {
		if (unlinkat(d->images, IMAGE_NETWORK_FILE, 0) < 0 && errno != ENOENT)
			return fail(e, errno, "remove an earlier " IMAGE_NETWORK_FILE);
		return 0;
	}
	int r = network_export(d->container->dir, &text, e);
	return r == 0 ? io_replace_file(d->images, IMAGE_NETWORK_FILE, text, strlen(text), 0600, e) : r;
}

/* Links in the container's network namespace besides its loopback: lines of /proc/PID/net/dev. */
static bool has_neighbours(const struct dump *d)
{
	auto_free char *text = NULL;
	struct error ignored;
	char path[48];
	int lines = 0;

	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)d->init);
	if (io_read_file(AT_FDCWD, path, RECORD_LIMIT, &text, NULL, &ignored) < 0)
		return true;
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	return lines > 3; /* two of headings, one of the loopback */
}

enum criu_network_lock image_network_lock(const struct dump *d)
{
	bool ours = d->network || d->options.decisions;

	if (ours || !d->options.image.tcp_established || !has_neighbours(d))
		return CRIU_LOCK_SKIP;
	return CRIU_LOCK_NFTABLES;
}

/* ---- restore ---- */

static int read_record(struct restore *r, struct network **ret, struct error *e)
{
	auto_free char *text = NULL;
	struct error absent;
	size_t size;

	if (r->options.network_text)
		return network_import(r->options.network_text, strlen(r->options.network_text), true, ret, e);
	auto_close int fd = path_beneath(r->images, IMAGE_NETWORK_FILE, O_RDONLY | O_NONBLOCK, false,
					 &absent);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fail(e, -fd, "open " IMAGE_NETWORK_FILE);
	int n = io_read_fd(fd, RECORD_LIMIT, &text, &size, e);
	return n < 0 ? prefix(e, IMAGE_NETWORK_FILE) : network_import(text, size, true, ret, e);
}

int image_network_plan(struct restore *r, struct error *e)
{
	struct create *c = &r->create;
	AUTO(network) struct network *record = NULL;

	bool asked = r->options.switches.n > 0;
	int ret = asked ? 0 : read_record(r, &record, e);
	if (ret < 0)
		return ret;
	if (record) {
		network_free(c->network);
		c->network = take_ptr(record);
		r->network_came = true;
	}
	if (!c->network)
		return 0;
	if (!c->plan.has[NS_NETWORK] || c->plan.has[NS_USER])
		return refuse(
			e, EINVAL,
			"the container has no network namespace that could be connected to its switches");
	return r->network_came ? network_files_restore(c->container, c->network, c->spec, e)
			       : network_files_make(c->container, c->network, c->spec, e);
}

/* Sockets that leave repair mode send at once, before the wires are let go: the question for the peer's hardware
 * address is lost, and by the kernel's default is asked again only after a second. Until the container runs it
 * is asked again every 20 ms. */
static const struct {
	const char *key, *quick, *usual; /* usual: the kernel's default for a new namespace */
} asking[] = {
	{ "ipv4/neigh/%s/retrans_time_ms", "20", "1000" },
	{ "ipv4/neigh/%s/mcast_solicit", "50", "3" },
	{ "ipv6/neigh/%s/retrans_time_ms", "20", "1000" },
	{ "ipv6/neigh/%s/mcast_solicit", "50", "3" },
};

static void ask_neighbours(const struct restore *r, bool quickly)
{
	const struct network *n = r->create.network;
	struct error ignored; /* no IPv6, say: then the second it is */

	for (size_t i = 0; i < n->n_ports; i++)
		for (size_t k = 0; k < COUNT_OF(asking) && n->ports[i].ifname; k++)
			(void)net_sysctl_ensure(r->netns, asking[k].key, n->ports[i].ifname,
						quickly ? asking[k].quick : asking[k].usual, NULL, &ignored);
}

int image_network_attach(struct restore *r, struct error *e)
{
	struct create *c = &r->create;
	auto_free char *owner = NULL;
	struct network_of of;

	int ret = whose(c->container, &of, &owner, e);
	if (ret < 0)
		return ret;
	ret = network_attach(&of, c->network, 0, r->netns, -1,
			     NETWORK_HELD | (r->network_came ? NETWORK_CAME : 0), e);
	if (ret == 0)
		ask_neighbours(r, true);
	return ret;
}

void image_network_detach(struct restore *r)
{
	struct error ignored;

	with_wires(r->create.container, network_detach, &ignored);
}

int image_network_let_go(const struct restore *r, struct error *e)
{
	auto_free char *owner = NULL;
	struct network_of of;

	if (!r->create.network)
		return 0;
	int ret = whose(r->create.container, &of, &owner, e);
	if (ret == 0)
		ret = network_release(&of, e);
	return ret == 0 ? network_announce(&of, r->netns, e) : ret;
}

void image_network_settle(const struct restore *r)
{
	if (r->create.network)
		ask_neighbours(r, false);
}
