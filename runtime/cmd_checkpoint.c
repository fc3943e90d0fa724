/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_checkpoint.c - coracle checkpoint: options only; the story is checkpoint.c */
#include "runtime/commands.h"
#include "runtime/image_options.h"
#include "runtime/node.h"

#define AT(field) offsetof(struct checkpoint_options, field)
static const struct opt checkpoint_options_table[] = {
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

static int run_checkpoint(struct call *call, struct error *e)
{
	struct checkpoint_options *o = call->options;

	o->globals = call->globals;
	o->id = call->args[0];
	return life_checkpoint(o, e);
}

const struct command cmd_checkpoint = {
	.name = "checkpoint",
	.arguments = "ID",
	.summary = SUMMARY_CHECKPOINT,
	.options = checkpoint_options_table,
	.options_size = sizeof(struct checkpoint_options),
	.min_args = 1,
	.max_args = 1,
	.node = true,
	.run = run_checkpoint,
};
