/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_state.c - coracle state: the OCI state of a container as JSON */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/commands.h"
#include "specs/state.h"

static int run_state(struct call *call, struct error *e)
{
	AUTO(container) struct container *c = NULL;

	int r = container_open(call->globals, call->args[0], false, &c, e);
	if (r < 0)
		return r;
	if (!c->state)
		return refuse(e, EBUSY,
			      "container `%s` has no state yet: it is being created, or that was interrupted "
			      "(delete --force removes it)",
			      c->id);
	auto_free char *json = state_to_json(c->state, container_status(c), true, true);
	if (!json)
		return fail(e, ENOMEM, "state of container %s", c->id);
	puts(json);
	return 0;
}

const struct command cmd_state = {
	.name = "state",
	.arguments = "ID",
	.summary = "print the state of a container as JSON",
	.options = no_options,
	.min_args = 1,
	.max_args = 1,
	.run = run_state,
};
