/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_start.c - coracle start: the story is start.c */
#include "runtime/commands.h"
#include "runtime/life.h"

static int run_start(struct call *call, struct error *e)
{
	return life_start(call->globals, call->args[0], e);
}

const struct command cmd_start = {
	.name = "start",
	.arguments = "ID",
	.summary = "run the program of a created container",
	.options = no_options,
	.min_args = 1,
	.max_args = 1,
	.run = run_start,
};
