/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create_network.c - RUNTIME's rows of `create` that have the container wired (network_helper.h)
 *
 * The helper is started when the container has its directory, takes the addresses while the container is
 * made, is given its network namespace as soon as there is one, and is waited for as late as may be: before
 * hooks that may look at the network, else before the record. "keep network" comes after the record: INIT
 * executes nothing before it. */
#include "runtime/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/base/str.h"

static struct create *story(const struct walk *w)
{
	return w->story;
}

int create_network_plan(struct create *c, struct error *e)
{
	const struct create_options *o = c->options;

	int r = network_wishes(o->switches.v, o->published.v, o->dns.v, o->id, c->spec, &c->network, e);
	if (r < 0 || !c->network)
		return r;
	if (geteuid() != 0)
		return refuse(e, EPERM,
			      "to connect a container needs root, or root of a user namespace with a network "
			      "namespace of its own");
	if (!c->plan.has[NS_NETWORK])
		return refuse(e, EINVAL, "%sthe container has no network namespace of its own: %s",
			      c->network->n_devices ? "linux.netDevices: " : "",
			      c->network->n_devices ? "no link can be moved into it"
						    : "it cannot be connected to a switch");
	return 0;
}

void create_runtime_undo_network(struct walk *w)
{
	struct create *c = story(w);
	struct error ignored;

	network_helper_stop(&c->helper);
	/* Kept already, or the helper itself was killed. */
	network_helper_detach(c->container, &ignored);
}

int create_runtime_start_network(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	int r = network_files_make(c->container, c->network, c->spec, e);
	return r == 0 ? network_helper_start(&c->helper, c->container, c->network, e) : r;
}

int create_runtime_give_network(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	char path[64];

	if (c->joined[NS_NETWORK] >= 0)
		return network_helper_give(&c->helper, c->joined[NS_NETWORK], e);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->init_pid);
	auto_close int netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return fail(e, errno, "open %s", path);
	return network_helper_give(&c->helper, netns, e);
}

int create_runtime_wait_network(struct walk *w, struct error *e)
{
	return network_helper_wait(&story(w)->helper, e);
}

int create_runtime_keep_network(struct walk *w, struct error *e)
{
	return network_helper_keep(&story(w)->helper, e);
}
