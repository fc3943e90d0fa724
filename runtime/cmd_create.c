/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_create.c - coracle create: options only; the story is create.c */
#include "runtime/commands.h"
#include "runtime/life.h"

#define AT(field) offsetof(struct create_options, field)

/* Shared by create and run. */
const struct opt create_rows[] = {
	{ "bundle", 'b', OPT_STRING, AT(bundle), "DIR", "the bundle (default: the working directory)" },
	{ "config", 'f', OPT_STRING, AT(config), "FILE", "the config (default: config.json in the bundle)" },
	{ "console-socket", 0, OPT_STRING, AT(console_socket), "PATH",
	  "unix socket that is sent the terminal's master end" },
	{ "pid-file", 0, OPT_STRING, AT(pid_file), "FILE", "write the container's pid there" },
	{ "pidfd-socket", 0, OPT_STRING, AT(pidfd_socket), "PATH", "unix socket that is sent a pidfd" },
	{ "preserve-fds", 0, OPT_INT, AT(preserve_fds), "N", "hand descriptors 3 to 2+N to the container" },
	{ "no-pivot", 0, OPT_FLAG, AT(no_pivot), NULL, "change the root without pivot_root (unsafe)" },
	{ "switch", 0, OPT_LIST, AT(switches), "NAME[:KEY=VALUE,...]",
	  "connect to a virtual switch (ip, mac, ifname, rate)" },
	{ "publish", 'p', OPT_LIST, AT(published), "[ADDRESS:]HOSTPORT:PORT[/PROTOCOL]",
	  "make a port of the container one of the host" },
	{ "dns", 0, OPT_LIST, AT(dns), "ADDRESS", "ask this name server (default: those of the host)" },
	{ "no-new-keyring", 0, OPT_FLAG, AT(no_new_keyring), NULL, "keep the caller's session keyring" },
	{ .kind = OPT_END },
};

static int run_create(struct call *call, struct error *e)
{
	struct create_options *o = call->options;

	o->globals = call->globals;
	o->id = call->args[0];
	return life_create(o, &call->exit_code, e);
}

const struct command cmd_create = {
	.name = "create",
	.arguments = "ID",
	.summary = "make a container and stop before its program runs",
	.options = create_rows,
	.options_size = sizeof(struct create_options),
	.min_args = 1,
	.max_args = 1,
	.makes_group = true,
	.enters = true,
	.run = run_create,
};
