/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resources.c - table: linux.resources (config-linux.md, "Control groups"), also read alone by `update`
 *
 * Numbers that engines send as 0 to say nothing are read as unset (FIELD_ZERO_UNSET); pids.limit is not one
 * of them. What only cgroup v1 has is refused by validate_resources(), where it asks for something. */
#include "specs/dispatch.h"

#define AT(member) offsetof(struct spec_resources, member)

/* ---- memory ---- */

static const struct field memory_fields[] = {
	{ "limit", JSON_NUMBER, read_limit, AT(memory_limit), FIELD_ZERO_UNSET },
	{ "reservation", JSON_NUMBER, read_limit, AT(memory_reservation), FIELD_ZERO_UNSET },
	{ "swap", JSON_NUMBER, read_limit, AT(memory_swap), FIELD_ZERO_UNSET },
	{ "kernel", JSON_NUMBER, read_limit, AT(memory_kernel), FIELD_ZERO_UNSET },
	{ "kernelTCP", JSON_NUMBER, read_limit, AT(memory_kernel_tcp), FIELD_ZERO_UNSET },
	{ "swappiness", JSON_NUMBER, read_nonnegative, AT(memory_swappiness) },
	{ "disableOOMKiller", JSON_BOOL, read_bool, AT(memory_disable_oom_killer) },
	{ "checkBeforeUpdate", JSON_BOOL, read_bool, AT(memory_check_before_update) },
	/* useHierarchy: v2 always is hierarchical, so true is granted and false means nothing. */
};
static const struct object memory_object = OBJECT(memory_fields, struct spec_resources);

/* ---- cpu ---- */

static const struct field cpu_fields[] = {
	{ "shares", JSON_NUMBER, read_nonnegative, AT(cpu_shares), FIELD_ZERO_UNSET },
	{ "quota", JSON_NUMBER, read_limit, AT(cpu_quota), FIELD_ZERO_UNSET },
	{ "period", JSON_NUMBER, read_nonnegative, AT(cpu_period), FIELD_ZERO_UNSET },
	{ "burst", JSON_NUMBER, read_nonnegative, AT(cpu_burst) },
	{ "idle", JSON_NUMBER, read_i64, AT(cpu_idle) },
	{ "realtimeRuntime", JSON_NUMBER, read_i64, AT(cpu_realtime_runtime), FIELD_ZERO_UNSET },
	{ "realtimePeriod", JSON_NUMBER, read_nonnegative, AT(cpu_realtime_period), FIELD_ZERO_UNSET },
	{ "cpus", JSON_STRING, read_text, AT(cpuset_cpus) },
	{ "mems", JSON_STRING, read_text, AT(cpuset_mems) },
};
static const struct object cpu_object = OBJECT(cpu_fields, struct spec_resources);

/* ---- pids ---- */

static const struct field pids_fields[] = {
	{ "limit", JSON_NUMBER, read_limit, AT(pids_limit) },
};
static const struct object pids_object = OBJECT(pids_fields, struct spec_resources);

/* ---- block I/O ---- */

static void weight_init(void *object)
{
	struct spec_block_weight *w = object;
	w->weight = w->leaf_weight = NUM_UNSET;
}

static const struct field weight_fields[] = {
	{ "major", JSON_NUMBER, read_nonnegative, offsetof(struct spec_block_weight, major), FIELD_REQUIRED },
	{ "minor", JSON_NUMBER, read_nonnegative, offsetof(struct spec_block_weight, minor), FIELD_REQUIRED },
	{ "weight", JSON_NUMBER, read_nonnegative, offsetof(struct spec_block_weight, weight),
	  FIELD_ZERO_UNSET },
	{ "leafWeight", JSON_NUMBER, read_nonnegative, offsetof(struct spec_block_weight, leaf_weight),
	  FIELD_ZERO_UNSET },
};
static const struct object weight_object = OBJECT(weight_fields, struct spec_block_weight, weight_init);

static const struct field rate_fields[] = {
	{ "major", JSON_NUMBER, read_nonnegative, offsetof(struct spec_block_rate, major), FIELD_REQUIRED },
	{ "minor", JSON_NUMBER, read_nonnegative, offsetof(struct spec_block_rate, minor), FIELD_REQUIRED },
	{ "rate", JSON_NUMBER, read_u64, offsetof(struct spec_block_rate, rate), FIELD_REQUIRED },
};
static const struct object rate_object = OBJECT(rate_fields, struct spec_block_rate);

static const struct field block_fields[] = {
	{ "weight", JSON_NUMBER, read_nonnegative, AT(block_weight), FIELD_ZERO_UNSET },
	{ "leafWeight", JSON_NUMBER, read_nonnegative, AT(block_leaf_weight), FIELD_ZERO_UNSET },
	{ "weightDevice", JSON_ARRAY, read_objects, AT(block_weight_devices),
	  .count = AT(n_block_weight_devices), .object = &weight_object },
	{ "throttleReadBpsDevice", JSON_ARRAY, read_objects, AT(block_read_bps),
	  .count = AT(n_block_read_bps), .object = &rate_object },
	{ "throttleWriteBpsDevice", JSON_ARRAY, read_objects, AT(block_write_bps),
	  .count = AT(n_block_write_bps), .object = &rate_object },
	{ "throttleReadIOPSDevice", JSON_ARRAY, read_objects, AT(block_read_iops),
	  .count = AT(n_block_read_iops), .object = &rate_object },
	{ "throttleWriteIOPSDevice", JSON_ARRAY, read_objects, AT(block_write_iops),
	  .count = AT(n_block_write_iops), .object = &rate_object },
};
static const struct object block_object = OBJECT(block_fields, struct spec_resources);

/* ---- huge pages, rdma ---- */

static const struct field hugepage_fields[] = {
	{ "pageSize", JSON_STRING, read_string, offsetof(struct spec_hugepage_limit, page_size),
	  FIELD_REQUIRED | FIELD_NOT_EMPTY },
	{ "limit", JSON_NUMBER, read_u64, offsetof(struct spec_hugepage_limit, limit), FIELD_REQUIRED },
};
static const struct object hugepage_object = OBJECT(hugepage_fields, struct spec_hugepage_limit);

static const struct field rdma_fields[] = {
	{ "hcaHandles", JSON_NUMBER, read_nonnegative, offsetof(struct spec_rdma_limit, hca_handles) },
	{ "hcaObjects", JSON_NUMBER, read_nonnegative, offsetof(struct spec_rdma_limit, hca_objects) },
};
static const struct object rdma_object = OBJECT(rdma_fields, struct spec_rdma_limit);

/* An object whose keys are the devices' names. */
static READER(read_rdma)
{
	struct spec_resources *res = object;
	struct spec_rdma_limit *list = arena_calloc(in->arena, v->size + 1, sizeof(*list));
	size_t n = 0;

	(void)f;
	if (!list)
		return out_of_memory(e);
	for (const struct json *child = v->first; child; child = child->next) {
		list[n].device = child->key;
		list[n].hca_handles = list[n].hca_objects = NUM_UNSET;
		int r = dispatch(in, child, &rdma_object, &list[n++], e);
		if (r < 0)
			return r;
	}
	res->rdma = list;
	res->n_rdma = n;
	return 0;
}

/* ---- devices ---- */

static void device_rule_init(void *object)
{
	struct spec_device_rule *d = object;
	d->type = 'a';
	d->major = d->minor = -1;
	d->read = d->write = d->mknod = true;
}

static READER(read_rule_type)
{
	(void)in;
	if (v->size == 0)
		return 0;
	if (v->size != 1 || !strchr("abc", v->text[0]))
		return json_fail(v, e, "unknown device type \"%.100s\"", v->text);
	*(char *)field_at(object, f) = v->text[0];
	return 0;
}

static READER(read_access)
{
	struct spec_device_rule *d = object;

	(void)in;
	(void)f;
	if (v->size == 0)
		return 0;
	if (strspn(v->text, "rwm") != v->size)
		return json_fail(v, e, "\"%.100s\" is not made of r, w and m", v->text);
	d->read = strchr(v->text, 'r');
	d->write = strchr(v->text, 'w');
	d->mknod = strchr(v->text, 'm');
	return 0;
}

static const struct field device_rule_fields[] = {
	{ "allow", JSON_BOOL, read_bool, offsetof(struct spec_device_rule, allow), FIELD_REQUIRED },
	{ "type", JSON_STRING, read_rule_type, offsetof(struct spec_device_rule, type) },
	{ "major", JSON_NUMBER, read_limit, offsetof(struct spec_device_rule, major) },
	{ "minor", JSON_NUMBER, read_limit, offsetof(struct spec_device_rule, minor) },
	{ "access", JSON_STRING, read_access },
};
static const struct object device_rule_object = OBJECT(device_rule_fields, struct spec_device_rule,
						       device_rule_init);

/* ---- resources ---- */

void spec_resources_init(struct spec_resources *r)
{
	*r = (struct spec_resources){
		.memory_limit = NUM_UNSET,
		.memory_reservation = NUM_UNSET,
		.memory_swap = NUM_UNSET,
		.memory_swappiness = NUM_UNSET,
		.memory_kernel = NUM_UNSET,
		.memory_kernel_tcp = NUM_UNSET,
		.cpu_shares = NUM_UNSET,
		.cpu_quota = NUM_UNSET,
		.cpu_period = NUM_UNSET,
		.cpu_burst = NUM_UNSET,
		.cpu_idle = NUM_UNSET,
		.cpu_realtime_runtime = NUM_UNSET,
		.cpu_realtime_period = NUM_UNSET,
		.pids_limit = NUM_UNSET,
		.block_weight = NUM_UNSET,
		.block_leaf_weight = NUM_UNSET,
	};
}

static void resources_init(void *object)
{
	spec_resources_init(object);
}

static const struct field resources_fields[] = {
	{ "memory", JSON_OBJECT, read_object, 0, .object = &memory_object },
	{ "cpu", JSON_OBJECT, read_object, 0, .object = &cpu_object },
	{ "pids", JSON_OBJECT, read_object, 0, .object = &pids_object },
	{ "blockIO", JSON_OBJECT, read_object, 0, .object = &block_object },
	{ "hugepageLimits", JSON_ARRAY, read_objects, AT(hugepage_limits), .count = AT(n_hugepage_limits),
	  .object = &hugepage_object },
	{ "rdma", JSON_OBJECT, read_rdma },
	{ "unified", JSON_OBJECT, read_pairs, AT(unified), .count = AT(n_unified) },
	{ "devices", JSON_ARRAY, read_objects, AT(devices), .count = AT(n_devices),
	  .object = &device_rule_object },
	{ "network", JSON_ANY, read_unsupported, .flags = FIELD_EMPTY_OK },
};
const struct object resources_object = OBJECT(resources_fields, struct spec_resources, resources_init);
