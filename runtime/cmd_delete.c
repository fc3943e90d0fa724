/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_delete.c - coracle delete: the story is delete.c */
#include "runtime/commands.h"
#include "runtime/life.h"

struct delete_options {
	bool force;
};

static const struct opt delete_table[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct delete_options, force), NULL,
	  "kill it if it runs; no error if it does not exist" },
	{ .kind = OPT_END },
};

static int run_delete(struct call *call, struct error *e)
{
	const struct delete_options *o = call->options;

	return life_delete(call->globals, call->args[0], o->force, e);
}

const struct command cmd_delete = {
	.name = "delete",
	.arguments = "ID",
	.summary = "remove a stopped container and all that was made for it",
	.options = delete_table,
	.options_size = sizeof(struct delete_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_delete,
};
