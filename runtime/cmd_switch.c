/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_switch.c - coracle switch: virtual switches are made, brought up, removed */
#include "runtime/cmd_switch.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "netns/switch.h"
#include "runtime/base/str.h"
#include "runtime/node.h"

int switch_format(const char *format, bool *ret_json, struct error *e)
{
	*ret_json = format && str_eq(format, "json");
	if (format && !*ret_json && !str_eq(format, "table"))
		return usage(e, "option --format: `%s` is neither table nor json", format);
	return 0;
}

/* ---- create ---- */

struct create_switch {
	struct opt_list subnets, ranges, remotes;
	const char *part, *uplink, *local;
	bool gateway, nat, isolated, private;
	int mtu;
	int64_t vni;
};

#define AT(field) offsetof(struct create_switch, field)

static const struct opt create_table[] = {
	{ "subnet", 0, OPT_LIST, AT(subnets), "CIDR",
	  "addresses are given out of this (default: one of each family is chosen)" },
	{ "gateway", 0, OPT_FLAG, AT(gateway), NULL, "the host has an address on the switch, and routes" },
	{ "nat", 0, OPT_FLAG, AT(nat), NULL, "what leaves has the host's address; with a gateway" },
	{ "isolated", 0, OPT_FLAG, AT(isolated), NULL,
	  "nothing passes between the switch and the host or other networks" },
	{ "private", 0, OPT_FLAG, AT(private), NULL,
	  "containers reach the gateway and the uplink, not one another" },
	{ "mtu", 0, OPT_INT, AT(mtu), "N", "largest packet (default: 1500, less what VXLAN takes)" },
	{ "uplink", 0, OPT_STRING, AT(uplink), "LINK", "this link of the host is a port of the switch" },
	{ "vxlan", 0, OPT_I64, AT(vni), "VNI", "span nodes by a VXLAN of this number" },
	{ "local", 0, OPT_STRING, AT(local), "ADDRESS", "with --vxlan: this node's address" },
	{ "remote", 0, OPT_LIST, AT(remotes), "ADDRESS", "with --vxlan: each other node's address" },
	{ "part", 0, OPT_STRING, AT(part), "N/COUNT",
	  "give out addresses of the Nth of COUNT parts of each subnet only" },
	{ "range", 0, OPT_LIST, AT(ranges), "FIRST-LAST", "give out these addresses only" },
	{ .kind = OPT_END },
};

static void init_create(void *options)
{
	((struct create_switch *)options)->vni = -1;
}

/* What of the host's settings was changed is said. */
static void print_told(const struct switch_told *told)
{
	if (told->forward4)
		fputs("net.ipv4.ip_forward is now 1: this host routes IPv4\n", stderr);
	if (told->forward6)
		fputs("net.ipv6.conf.all.forwarding is now 1: this host routes IPv6\n", stderr);
	if (told->accept_ra)
		fputs("accept_ra of its links is now 2: it still learns its own routes\n", stderr);
}

static int check_root(struct error *e)
{
	return geteuid() == 0
		       ? 0
		       : refuse(e, EPERM,
				"virtual switches need root, or root of a user namespace with a network "
				"namespace of its own");
}

static int run_create(struct call *call, struct error *e)
{
	const struct create_switch *o = call->options;
	struct switch_place place = SWITCH_PLACE_INIT;
	struct switch_told told = { .forward4 = false };
	AUTO(switch) struct sw *s = NULL;
	struct switch_wishes w = { .name = call->args[0],
				   .subnets = o->subnets.v,
				   .ranges = o->ranges.v,
				   .part = o->part,
				   .gateway = o->gateway,
				   .nat = o->nat,
				   .isolated = o->isolated,
				   .private = o->private,
				   .mtu = (uint32_t)o->mtu,
				   .uplink = o->uplink,
				   .local = o->local,
				   .vni = o->vni,
				   .remotes = o->remotes.v };

	int r = check_root(e);
	if (r == 0)
		r = switch_place_open(call->globals->switch_dir, true, &place, e);
	if (r == 0)
		r = switch_make(&place, &w, &told, &s, e);
	if (r == 0)
		print_told(&told);
	switch_place_done(&place);
	return r;
}

static const struct command switch_create = {
	.name = "create",
	.arguments = "NAME",
	.summary = "make a switch and bring it up",
	.options = create_table,
	.options_size = sizeof(struct create_switch),
	.init = init_create,
	.min_args = 1,
	.max_args = 1,
	.run = run_create,
};

/* ---- up ---- */

static int up_one(const struct switch_place *p, const char *name, struct error *e)
{
	AUTO(switch) struct sw *s = NULL;
	struct switch_told told = { .forward4 = false };

	int r = switch_open(p, name, SWITCH_EXCLUSIVE, &s, e);
	if (r == 0)
		r = switch_up(s, &told, e);
	if (r == 0)
		print_told(&told);
	return r;
}

static int run_up(struct call *call, struct error *e)
{
	struct switch_place place = SWITCH_PLACE_INIT;
	char **all = NULL, **names = call->args;

	int r = check_root(e);
	if (r == 0)
		r = switch_place_open(call->globals->switch_dir, true, &place, e);
	if (r == 0 && call->n_args == 0) {
		r = switch_names(&place, &all, e);
		names = all;
	}
	for (; r == 0 && *names; names++)
		r = up_one(&place, *names, e);
	container_ids_free(all);
	switch_place_done(&place);
	return r;
}

static const struct command switch_up_command = {
	.name = "up",
	.arguments = "[NAME...]",
	.summary = "make what is missing of switches (default: of all), as after a reboot",
	.options = no_options,
	.max_args = ANY_ARGS,
	.run = run_up,
};

/* ---- rm ---- */

struct rm_switch {
	bool force;
};

static const struct opt rm_table[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct rm_switch, force), NULL,
	  "also if containers are connected: they lose their links" },
	{ .kind = OPT_END },
};

static int run_rm(struct call *call, struct error *e)
{
	const struct rm_switch *o = call->options;
	struct switch_place place = SWITCH_PLACE_INIT;

	int r = check_root(e);
	if (r == 0)
		r = switch_place_open(call->globals->switch_dir, true, &place, e);
	for (char **name = call->args; r == 0 && *name; name++) {
		AUTO(switch) struct sw *s = NULL;
		r = switch_open(&place, *name, SWITCH_EXCLUSIVE, &s, e);
		if (r == 0)
			r = switch_remove(s, o->force, e);
	}
	switch_place_done(&place);
	return r;
}

static const struct command switch_rm = {
	.name = "rm",
	.arguments = "NAME...",
	.summary = "remove switches that no container is connected to",
	.options = rm_table,
	.options_size = sizeof(struct rm_switch),
	.min_args = 1,
	.max_args = ANY_ARGS,
	.run = run_rm,
};

/* ---- the command of commands ---- */

static const struct command *const subcommands[] = {
	&switch_create,	    &switch_ls,	     &switch_inspect,	 &switch_rm,
	&switch_up_command, &switch_connect, &switch_disconnect, &switch_leases,
};

#define COMMAND_DETAILS                                                                     \
	"Commands:\n"                                                                       \
	"  create      make a switch and bring it up\n"                                     \
	"  ls          list switches\n"                                                     \
	"  inspect     show all of one switch\n"                                            \
	"  rm          remove switches that no container is connected to\n"                 \
	"  up          make what is missing of switches, as after a reboot\n"               \
	"  connect     connect a running container to a switch\n"                           \
	"  disconnect  disconnect it\n"                                                     \
	"  leases      list who has which address\n"                                        \
	"\n\"coracle switch COMMAND --help\" tells a command's options; coracle-switch(8) " \
	"tells more."

static int run_switch(struct call *call, struct error *e)
{
	for (size_t i = 0; i < COUNT_OF(subcommands); i++) {
		if (!str_eq(subcommands[i]->name, call->args[0]))
			continue;
		struct command c = *subcommands[i];
		char name[32];
		str_format(name, sizeof(name), "switch %s", c.name);
		c.name = name;
		int r = command_run(&c, call->globals, call->args + 1, e);
		call->exit_code = r < 0 ? 0 : r;
		return r < 0 ? r : 0;
	}
	return usage(e, "switch: unknown command %s", call->args[0]);
}

const struct command cmd_switch = {
	.name = "switch",
	.arguments = "COMMAND [OPTION...] [ARGUMENT...]",
	.summary = SUMMARY_SWITCH,
	.details = COMMAND_DETAILS,
	.options = no_options,
	.min_args = 1,
	.max_args = ANY_ARGS,
	.in_order = true,
	.node = true,
	.run = run_switch,
};
