/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_migrate.c - coracle migrate: options, and the questions to a migration that runs; the story is migrate.c */
#include <string.h>

#include "runtime/commands.h"
#include "runtime/migrate_source.h"
#include "runtime/node.h"

#define AT(field) offsetof(struct migrate_options, field)
static const struct opt migrate_options_table[] = {
	{ "dry-run", 'n', OPT_FLAG, AT(dry_run), NULL, "only say what stands in the way, on both nodes" },
	{ "name", 0, OPT_STRING, AT(name), "NAME", "the container's name there; the same if absent" },
	{ "rootfs", 0, OPT_STRING, AT(rootfs), "copy|shared", "copy its root (default), or find it there" },
	{ "volume", 0, OPT_LIST, AT(volumes), "PATH=copy|shared|drop", "what becomes of a bind mount" },
	{ "downtime-limit", 0, OPT_INT, AT(downtime_limit_ms), "MS", "how long it may stand still (300)" },
	{ "max-rounds", 0, OPT_INT, AT(max_rounds), "N", "rounds of memory at most (30)" },
	{ "bandwidth", 0, OPT_BYTES, AT(bandwidth), "BYTES", "bytes per second at most" },
	{ "compress", 0, OPT_STRING, AT(compress), "zstd|lz4|none", "compress what is sent (none)" },
	{ "auto-converge", 0, OPT_FLAG, AT(auto_converge), NULL,
	  "give it less processor time when memory is written too fast" },
	{ "post-copy", 0, OPT_FLAG, AT(post_copy), NULL,
	  "fetch the rest of memory after the move (not yet)" },
	{ "track", 0, OPT_STRING, AT(track), "auto|wp|criu|none", "how written memory is found" },
	{ "timeout", 0, OPT_DURATION, AT(timeout_ms), "TIME", "without an answer from there (30s)" },
	{ "force", 0, OPT_FLAG, AT(force), NULL, "also above the downtime limit, and to a lesser processor" },
	{ "keep", 0, OPT_FLAG, AT(keep), NULL, "leave the stopped container here for a look" },
	{ "progress", 0, OPT_STRING, AT(progress), "bar|json|none", "how progress is shown (bar)" },
	{ "report", 0, OPT_STRING, AT(report), "FILE", "figures of all rounds: .json, .svg, .html" },
	{ "tls", 0, OPT_STRING, AT(tls_dir), "DIR", "ca.pem, cert.pem, key.pem (" TRANSPORT_TLS_DIR ")" },
	{ "receiver", 0, OPT_STRING, AT(receiver), "COMMAND",
	  "with ssh: what to run there (coracle receive)" },
	{ "criu", 0, OPT_STRING, AT(criu), "PATH", "the criu to use here" },
	{ "journal", 0, OPT_STRING, AT(journal), "DIR", "where migrations are journalled (" JOURNAL_DIR ")" },
	{ "status", 0, OPT_FLAG, AT(status), NULL, "tell how the container's migration goes, as JSON" },
	{ "cancel", 0, OPT_FLAG, AT(cancel), NULL, "cancel it: the container runs on here" },
	{ "set", 0, OPT_LIST, AT(set), "NAME=VALUE", "change downtime-limit or bandwidth of it" },
	{ "resolve", 0, OPT_FLAG, AT(resolve), NULL, "finish one whose last answer was lost" },
	{ "recover", 0, OPT_FLAG, AT(recover), NULL, "take up a broken post-copy again (not yet)" },
	{ .kind = OPT_END },
};

static void set_defaults(void *options)
{
	struct migrate_options *o = options;

	o->downtime_limit_ms = 300;
	o->max_rounds = 30;
	o->timeout_ms = 30000;
}

static int ask(const struct migrate_options *o, const char *question, bool show, struct error *e)
{
	auto_free char *answer = NULL;

	int r = control_ask(o, question, &answer, e);
	if (r < 0)
		return r;
	if (strncmp(answer, "{\"error\":\"", 10) == 0)
		return refuse(e, EINVAL, "%.*s", (int)strcspn(answer + 10, "\""), answer + 10);
	if (show)
		puts(answer);
	return 0;
}

static int ask_all(const struct migrate_options *o, struct error *e)
{
	int r = 0;

	for (size_t i = 0; i < o->set.n && r == 0; i++) {
		char question[256];
		snprintf(question, sizeof(question), "set %s", o->set.v[i]);
		r = ask(o, question, false, e);
	}
	if (r == 0 && o->cancel)
		r = ask(o, "cancel", false, e);
	return r == 0 && o->status ? ask(o, "status", true, e) : r;
}

static int run_migrate(struct call *call, struct error *e)
{
	struct migrate_options *o = call->options;
	bool question = o->status || o->cancel || o->set.n || o->resolve;

	o->globals = call->globals;
	o->id = call->args[0];
	o->destination = call->args[1];
	if (question && o->destination)
		return usage(e, "migrate: --status, --cancel, --set and --resolve take no destination");
	if (!question && !o->destination && !o->recover)
		return usage(e, "migrate: missing argument; usage: coracle migrate [OPTION...] CONTAINER "
				"DESTINATION");
	if (o->resolve)
		return life_resolve(o, e);
	return question ? ask_all(o, e) : life_migrate(o, e);
}

const struct command cmd_migrate = {
	.name = "migrate",
	.arguments = "CONTAINER [DESTINATION]",
	.summary = SUMMARY_MIGRATE,
	.details = "DESTINATION is ssh://[USER@]HOST[:PORT], tls://HOST:PORT, unix:PATH or exec:COMMAND.\n"
		   "Until the last moment any failure leaves the container running here. coracle-migrate(8) "
		   "tells more.",
	.options = migrate_options_table,
	.options_size = sizeof(struct migrate_options),
	.init = set_defaults,
	.min_args = 1,
	.max_args = 2,
	.node = true,
	.run = run_migrate,
};
