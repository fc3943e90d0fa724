/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_resume.c - coracle resume: thaw the container's cgroup */
#include <errno.h>

#include "cgroups/cgroup.h"
#include "runtime/commands.h"

static int run_resume(struct call *call, struct error *e)
{
	AUTO(container) struct container *c = NULL;

	int r = container_open(call->globals, call->args[0], true, &c, e);
	if (r < 0)
		return r;
	enum status status = container_status(c);
	if (status != STATUS_PAUSED)
		return refuse(e, EINVAL, "container `%s` is %s: container not paused", c->id,
			      status_names[status]);
	auto_close int group = container_cgroup(c, e);
	return group < 0 ? group : cgroup_freeze(group, false, FREEZE_TIMEOUT_MS, e);
}

const struct command cmd_resume = {
	.name = "resume",
	.arguments = "ID",
	.summary = "let a paused container go on",
	.options = no_options,
	.min_args = 1,
	.max_args = 1,
	.run = run_resume,
};
