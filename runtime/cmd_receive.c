/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_receive.c - coracle receive: options only; the story is migrate.c */
#include "runtime/commands.h"
#include "runtime/migrate.h"
#include "runtime/node.h"

#define AT(field) offsetof(struct receive_options, field)
static const struct opt receive_options_table[] = {
	{ "listen", 0, OPT_STRING, AT(listen), "ADDRESS",
	  "unix:PATH or tls://[HOST]:PORT, instead of stdin and stdout" },
	{ "once", 0, OPT_FLAG, AT(once), NULL, "with --listen: one connection" },
	{ "directory", 0, OPT_STRING, AT(directory), "DIR",
	  "where received containers are put (" RECEIVE_DIR ")" },
	{ "allow", 0, OPT_LIST, AT(names), "NAME", "take containers of these names only" },
	{ "shared", 0, OPT_LIST, AT(shared), "DIR", "paths below it may be shared with the source" },
	{ "allow-hooks", 0, OPT_FLAG, AT(allow_hooks), NULL,
	  "configs may have hooks: programs that run here" },
	{ "memory-limit", 0, OPT_BYTES, AT(memory_limit), "BYTES", "memory that one migration may take" },
	{ "disk-limit", 0, OPT_BYTES, AT(disk_limit), "BYTES", "disk that one migration may take" },
	{ "timeout", 0, OPT_DURATION, AT(timeout_ms), "TIME", "without a word from the source (30s)" },
	{ "tls", 0, OPT_STRING, AT(tls_dir), "DIR", "ca.pem, cert.pem, key.pem (" TRANSPORT_TLS_DIR ")" },
	{ "criu", 0, OPT_STRING, AT(criu), "PATH", "the criu to use" },
	{ "journal", 0, OPT_STRING, AT(journal), "DIR", "where migrations are journalled (" JOURNAL_DIR ")" },
	{ .kind = OPT_END },
};

static void set_defaults(void *options)
{
	struct receive_options *o = options;

	o->timeout_ms = 30000;
}

static int run_receive(struct call *call, struct error *e)
{
	struct receive_options *o = call->options;

	o->globals = call->globals;
	return life_receive(o, e);
}

const struct command cmd_receive = {
	.name = "receive",
	.arguments = "",
	.summary = SUMMARY_RECEIVE,
	.details = "The other end of `coracle migrate`: over ssh it runs this command, with the connection "
		   "as stdin and\n"
		   "stdout; with --listen it waits for connections.",
	.options = receive_options_table,
	.options_size = sizeof(struct receive_options),
	.init = set_defaults,
	.min_args = 0,
	.max_args = 0,
	.node = true,
	.run = run_receive,
};
