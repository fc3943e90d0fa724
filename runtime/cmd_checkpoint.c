/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_checkpoint.c - coracle checkpoint: options only; the story is checkpoint.c */
#include "runtime/commands.h"

#include <stdlib.h>

#include "runtime/base/cleanup.h"
#include "runtime/export.h"
#include "runtime/image_options.h"
#include "runtime/node.h"
#include "runtime/precheck.h"
#include "runtime/storage.h"

struct checkpoint_command {
	struct checkpoint_options dump; /* first: its rows' offsets are its own */
	struct export_options export;
	const char *format; /* of --check */
};

#define EXPORT_AT(field) offsetof(struct checkpoint_command, export.field)
#define AT(field)	 offsetof(struct checkpoint_command, dump.field)
static const struct opt checkpoint_options_table[] = {
	{ "check", 0, OPT_FLAG, AT(check), NULL,
	  "only say what could not be dumped, and what to do about it" },
	{ "format", 0, OPT_STRING, offsetof(struct checkpoint_command, format), "FORMAT",
	  "of --check: text (default) or json" },
	{ "export", 0, OPT_STRING, EXPORT_AT(file), "FILE",
	  "everything into one file (-: to stdout): config, root, memory; see restore --import" },
	{ "layer", 0, OPT_FLAG, EXPORT_AT(layer), NULL,
	  "with --export: of an overlay only the writable layer" },
	{ "level", 0, OPT_INT, EXPORT_AT(level), "N",
	  "with --export: how hard to compress, 1 (default) to 19" },
	{ "storage", 0, OPT_STRING, EXPORT_AT(storage), "DIR",
	  "with --export: where images lie meanwhile (default: " STORAGE_DEFAULT ")" },
	{ "progress", 0, OPT_STRING, EXPORT_AT(progress), "HOW", "with --export: bar, json or none" },
	{ NULL, 0, OPT_TABLE, AT(image), NULL, NULL, image_rows },
	{ "leave-running", 'R', OPT_FLAG, AT(leave_running), NULL, "let the container run on afterwards" },
	{ "pre-dump", 0, OPT_FLAG, AT(pre_dump), NULL,
	  "memory only, while it runs on, for a later checkpoint" },
	{ "parent-path", 0, OPT_STRING, AT(parent_path), "DIR",
	  "images of the pre-dump before, relative to the image path" },
	{ "page-server", 0, OPT_STRING, AT(page_server), "ADDRESS:PORT", "send memory to a page server" },
	{ "status-fd", 0, OPT_INT, AT(status_fd), "N",
	  "with --lazy-pages: written to when the page server is ready" },
	{ "tcp-skip-in-flight", 0, OPT_FLAG, AT(tcp_skip_in_flight), NULL,
	  "leave out TCP connections that are being made" },
	{ "link-remap", 0, OPT_FLAG, AT(link_remap), NULL,
	  "allow open files that were deleted but have other names" },
	{ .kind = OPT_END },
};

static int run_check(struct call *call, const struct checkpoint_command *o, struct error *e)
{
	auto_free char *text = NULL;
	bool dumpable;

	int r = life_check(&o->dump, o->format, &text, &dumpable, e);
	if (r < 0)
		return r;
	fputs(text, stdout);
	call->exit_code = dumpable ? 0 : EXIT_FAILED;
	return 0;
}

static int run_checkpoint(struct call *call, struct error *e)
{
	struct checkpoint_command *o = call->options;

	o->dump.globals = call->globals;
	o->dump.id = call->args[0];
	if (o->dump.check)
		return run_check(call, o, e);
	return o->export.file ? life_export(&o->export, &o->dump, e) : life_checkpoint(&o->dump, e);
}

const struct command cmd_checkpoint = {
	.name = "checkpoint",
	.arguments = "ID",
	.summary = SUMMARY_CHECKPOINT,
	.options = checkpoint_options_table,
	.options_size = sizeof(struct checkpoint_command),
	.min_args = 1,
	.max_args = 1,
	.node = true,
	.run = run_checkpoint,
};
