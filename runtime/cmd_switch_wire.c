/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_switch_wire.c - coracle switch connect, disconnect: of a container that runs */
#include "runtime/cmd_switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netns/open.h"
#include "runtime/base/str.h"
#include "runtime/network.h"
#include "runtime/network_helper.h"

struct wire_options {
	struct opt_list ips;
	const char *mac, *ifname, *rate;
};

#define AT(field) offsetof(struct wire_options, field)

static const struct opt connect_table[] = {
	{ "ip", 0, OPT_LIST, AT(ips), "ADDRESS", "this address (default: a free one of each subnet)" },
	{ "mac", 0, OPT_STRING, AT(mac), "MAC", "this hardware address" },
	{ "ifname", 0, OPT_STRING, AT(ifname), "NAME", "the link's name inside (default: ethN)" },
	{ "rate", 0, OPT_STRING, AT(rate), "RATE", "limit of each way, such as 10mbit" },
	{ .kind = OPT_END },
};

static const struct opt disconnect_table[] = {
	{ "ifname", 0, OPT_STRING, AT(ifname), "NAME", "this link, if there are several to the switch" },
	{ .kind = OPT_END },
};

/* The options as the one text that --switch takes. */
static int wish_text(const char *switch_name, const struct wire_options *o, char **ret, struct error *e)
{
	const struct {
		const char *key, *value;
	} single[] = { { "mac", o->mac }, { "ifname", o->ifname }, { "rate", o->rate } };
	size_t size = 0;
	const char *between = ":";
	FILE *out = open_memstream(ret, &size);

	if (!out)
		return fail(e, errno, "switch");
	fputs(switch_name, out);
	for (size_t i = 0; i < o->ips.n; i++, between = ",")
		fprintf(out, "%sip=%s", between, o->ips.v[i]);
	for (size_t i = 0; i < COUNT_OF(single); i++)
		if (single[i].value) {
			fprintf(out, "%s%s=%s", between, single[i].key, single[i].value);
			between = ",";
		}
	fclose(out);
	return 0;
}

/* The network namespace of the container's process: it is that process as long as its pidfd says so. */
static int open_netns(const struct container *c, struct error *e)
{
	auto_close int pidfd = container_pidfd(c, e);
	if (pidfd < 0)
		return pidfd;
	auto_close int netns = netns_open_pid(c->state->pid, e);
	if (netns < 0)
		return netns;
	auto_close int again = container_pidfd(c, e);
	if (again < 0)
		return again;
	auto_close int own = netns_open_self(e);
	if (own < 0)
		return own;
	if (netns_is_same(netns, own))
		return refuse(e, EINVAL, "container %s has the host's network", c->id);
	return take_fd(&netns);
}

/* What the container has, with one more port asked for. */
static int plan(const struct container *c, const char *wish, struct network **ret, struct error *e)
{
	AUTO(network) struct network *n = NULL;

	int r = network_read(c->dir, &n, e);
	if (r == -ENOENT) {
		n = network_new(NET_PORTS_MAX);
		if (!n)
			return fail(e, ENOMEM, "network");
		if (network_name_is_valid(c->id))
			n->name = arena_strdup(n->arena, c->id);
		r = n->name ? 0 : fail(e, ENOMEM, "network");
	}
	if (r == 0)
		r = network_add_switch(n, wish, e);
	if (r == 0)
		*ret = take_ptr(n);
	return r;
}

static int open_all(const struct call *call, struct container **ret, struct network_of *of, char **owner,
		    struct error *e)
{
	int r = container_open(call->globals, call->args[0], true, ret, e);
	if (r < 0)
		return r;
	if (!(*ret)->state)
		return refuse(e, EINVAL, "container `%s` is not there yet", call->args[0]);
	r = network_owner_path(*ret, owner, e);
	*of = (struct network_of){ *owner, (*ret)->dir, call->globals->switch_dir };
	return r;
}

/* The names that the container sees are those of its switches. */
static int follow(const struct container *c, const struct network_of *of, const struct network *before,
		  const struct network *after, struct error *e)
{
	struct error ignored;

	auto_close int pidfd = container_pidfd(c, &ignored);
	return pidfd < 0 ? 0 : network_hosts_follow(of, before, after, pidfd, e);
}

static int run_connect(struct call *call, struct error *e)
{
	AUTO(container) struct container *c = NULL;
	AUTO(network) struct network *n = NULL;
	auto_free char *owner = NULL, *wish = NULL;
	struct network_of of;

	int r = wish_text(call->args[1], call->options, &wish, e);
	if (r == 0)
		r = open_all(call, &c, &of, &owner, e);
	if (r == 0)
		r = plan(c, wish, &n, e);
	if (r < 0)
		return r;
	auto_close int netns = open_netns(c, e);
	if (netns < 0)
		return netns;
	struct network before = *n;
	before.n_ports--;
	r = network_attach(&of, n, n->n_ports - 1, netns, -1, 0, e);
	return r == 0 ? follow(c, &of, &before, n, e) : r;
}

static int run_disconnect(struct call *call, struct error *e)
{
	const struct wire_options *o = call->options;
	AUTO(container) struct container *c = NULL;
	auto_free char *owner = NULL;
	struct network_of of;

	AUTO(network) struct network *before = NULL, *after = NULL;
	struct error ignored;

	int r = open_all(call, &c, &of, &owner, e);
	if (r < 0)
		return r;
	network_read(c->dir, &before, &ignored);
	r = network_detach_port(&of, call->args[1], o->ifname, e);
	if (r == 0)
		r = network_read(c->dir, &after, e);
	return r == 0 && before ? follow(c, &of, before, after, e) : r;
}

const struct command switch_connect = {
	.name = "connect",
	.arguments = "CONTAINER SWITCH",
	.summary = "connect a running container to a switch",
	.options = connect_table,
	.options_size = sizeof(struct wire_options),
	.min_args = 2,
	.max_args = 2,
	.run = run_connect,
};

const struct command switch_disconnect = {
	.name = "disconnect",
	.arguments = "CONTAINER SWITCH",
	.summary = "disconnect a container from a switch",
	.options = disconnect_table,
	.options_size = sizeof(struct wire_options),
	.min_args = 2,
	.max_args = 2,
	.run = run_disconnect,
};
