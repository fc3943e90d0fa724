/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_update.c - coracle update: change the limits of a running container's cgroup
 *
 * Limits come as a resources object of the config's kind (--resources) and by options; an option wins. What
 * neither names stays as it is, the device rules too. Only the cgroup changes, not the record. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/systemd.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/commands.h"
#include "runtime/node.h"
#include "runtime/rootless.h"
#include "specs/spec.h"

enum { RESOURCES_MAX = 1 << 20 };

struct update_options {
	const char *resources;
	struct spec_resources limits;
};

#define LIMIT(field) offsetof(struct spec_resources, field)

static const struct opt limit_rows[] = {
	{ "memory", 0, OPT_BYTES, LIMIT(memory_limit), "SIZE", "memory; -1: no limit" },
	{ "memory-reservation", 0, OPT_BYTES, LIMIT(memory_reservation), "SIZE", "memory kept for it" },
	{ "memory-swap", 0, OPT_BYTES, LIMIT(memory_swap), "SIZE", "memory and swap together; -1: no limit" },
	{ "pids-limit", 0, OPT_I64, LIMIT(pids_limit), "N", "number of tasks; -1: no limit" },
	{ "cpu-quota", 0, OPT_I64, LIMIT(cpu_quota), "USEC", "processor time in each period; -1: no limit" },
	{ "cpu-period", 0, OPT_I64, LIMIT(cpu_period), "USEC", "length of the period" },
	{ "cpu-burst", 0, OPT_I64, LIMIT(cpu_burst), "USEC", "unused quota that may be saved up" },
	{ "cpu-share", 0, OPT_I64, LIMIT(cpu_shares), "N", "weight against other groups (2 to 262144)" },
	{ "cpu-idle", 0, OPT_I64, LIMIT(cpu_idle), "0|1", "1: run only when nothing else does" },
	{ "cpu-rt-period", 0, OPT_I64, LIMIT(cpu_realtime_period), "USEC", "real-time period (cgroup v1)" },
	{ "cpu-rt-runtime", 0, OPT_I64, LIMIT(cpu_realtime_runtime), "USEC", "real-time budget (cgroup v1)" },
	{ "cpuset-cpus", 0, OPT_STRING, LIMIT(cpuset_cpus), "LIST", "processors, such as 0-3,7" },
	{ "cpuset-mems", 0, OPT_STRING, LIMIT(cpuset_mems), "LIST", "memory nodes" },
	{ "blkio-weight", 0, OPT_I64, LIMIT(block_weight), "N", "weight of its block I/O (10 to 1000)" },
	{ .kind = OPT_END },
};

static const struct opt update_table[] = {
	{ "resources", 'r', OPT_STRING, offsetof(struct update_options, resources), "FILE",
	  "limits as JSON, as linux.resources has them; -: standard input" },
	{ .kind = OPT_TABLE, .table = limit_rows, .offset = offsetof(struct update_options, limits) },
	{ "kernel-memory", 0, OPT_IGNORED_VALUE, 0, "SIZE", NULL },
	{ "kernel-memory-tcp", 0, OPT_IGNORED_VALUE, 0, "SIZE", NULL },
	{ "l3-cache-schema", 0, OPT_REFUSED, 0, NULL, "Intel RDT is not supported" },
	{ "mem-bw-schema", 0, OPT_REFUSED, 0, NULL, "Intel RDT is not supported" },
	{ .kind = OPT_END },
};

static void init_options(void *options)
{
	struct update_options *o = options;

	spec_resources_init(&o->limits);
}

/* Whether the row's option was given. */
static bool is_given(const struct opt *o, const char *limits)
{
	if (o->kind == OPT_STRING)
		return *(const char *const *)(const void *)(limits + o->offset) != NULL;
	return *(const int64_t *)(const void *)(limits + o->offset) != NUM_UNSET;
}

/* Lay the given options over `to`; returns how many there were. */
static size_t merge(const struct spec_resources *given, struct spec_resources *to)
{
	size_t n = 0;

	for (const struct opt *o = limit_rows; o->kind != OPT_END; o++) {
		const char *from = (const char *)given + o->offset;
		if (!is_given(o, (const char *)given))
			continue;
		memcpy((char *)to + o->offset, from,
		       o->kind == OPT_STRING ? sizeof(const char *) : sizeof(int64_t));
		n++;
	}
	return n;
}

static int read_resources(const char *path, struct arena **ret_arena, struct spec_resources **ret,
			  struct error *e)
{
	auto_free char *text = NULL;
	size_t size;

	int r = str_eq(path, "-") ? io_read_fd(STDIN_FILENO, RESOURCES_MAX, &text, &size, e)
				  : io_read_file(AT_FDCWD, path, RESOURCES_MAX, &text, &size, e);
	if (r == 0)
		r = spec_parse_resources(text, size, ret_arena, ret, e);
	return r < 0 ? prefix(e, "update: resources %s", path) : 0;
}

/* Also tells systemd, if the group is a scope. */
static int open_group(const struct call *call, const struct spec_resources *limits, struct error *e)
{
	struct systemd_unit unit = { .user = rootless() };
	AUTO(container) struct container *c = NULL;

	int r = container_open(call->globals, call->args[0], true, &c, e);
	if (r < 0)
		return r;
	enum status status = container_status(c);
	if (status == STATUS_STOPPED || status == STATUS_CREATING)
		return refuse(e, EINVAL, "container `%s` is %s: container not running", c->id,
			      status_names[status]);
	if (!c->state->systemd_cgroup)
		return container_cgroup(c, e);
	if (!cgroup_systemd)
		return node_continue(e);
	str_format(unit.name, sizeof(unit.name), "%s", c->state->unit);
	r = cgroup_systemd->update(&unit, limits, true, e);
	return r < 0 ? r : container_cgroup(c, e);
}

static int run_update(struct call *call, struct error *e)
{
	const struct update_options *o = call->options;
	struct spec_resources plain, *limits = &plain;
	AUTO(arena) struct arena *arena = NULL;

	spec_resources_init(&plain);
	if (o->resources) {
		int r = read_resources(o->resources, &arena, &limits, e);
		if (r < 0)
			return r;
	}
	if (merge(&o->limits, limits) == 0 && !o->resources)
		return usage(e, "update: nothing to change: give --resources or a limit");
	auto_close int group = open_group(call, limits, e);
	if (group < 0)
		return group;
	int r = cgroup_enable(group, limits, e);
	if (r == 0)
		r = cgroup_apply(group, limits, false, e);
	if (r == 0 && limits->n_devices > 0)
		r = cgroup_devices_apply(group, limits, false, e);
	return r;
}

const struct command cmd_update = {
	.name = "update",
	.arguments = "ID",
	.summary = "change the limits of a container",
	.options = update_table,
	.options_size = sizeof(struct update_options),
	.init = init_options,
	.min_args = 1,
	.max_args = 1,
	.run = run_update,
};
