/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_pause.c - coracle pause: freeze the container's cgroup */
#include <errno.h>

#include "cgroups/cgroup.h"
#include "runtime/commands.h"

static int run_pause(struct call *call, struct error *e)
{
	AUTO(container) struct container *c = NULL;

	int r = container_open(call->globals, call->args[0], true, &c, e);
	if (r < 0)
		return r;
	enum status status = container_status(c);
	if (status != STATUS_RUNNING && status != STATUS_CREATED)
		return refuse(e, EINVAL, "container `%s` is %s: container not running", c->id,
			      status_names[status]);
	auto_close int group = container_cgroup(c, e);
	return group < 0 ? group : cgroup_freeze(group, true, FREEZE_TIMEOUT_MS, e);
}

const struct command cmd_pause = {
	.name = "pause",
	.arguments = "ID",
	.summary = "stop all processes of a container where they are",
	.options = no_options,
	.min_args = 1,
	.max_args = 1,
	.run = run_pause,
};
