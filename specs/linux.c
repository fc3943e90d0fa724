/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.c - table: linux (config-linux.md), but for its objects resources and seccomp */
#include <sys/sysmacros.h>

#include "runtime/base/sys.h"
#include "specs/dispatch.h"

/* ---- namespaces ---- */

const struct ns_type ns_types[NS_KIND_MAX] = {
	[NS_USER] = { "user", "user", CLONE_NEWUSER },
	[NS_PID] = { "pid", "pid", CLONE_NEWPID },
	[NS_NETWORK] = { "network", "net", CLONE_NEWNET },
	[NS_MOUNT] = { "mount", "mnt", CLONE_NEWNS },
	[NS_IPC] = { "ipc", "ipc", CLONE_NEWIPC },
	[NS_UTS] = { "uts", "uts", CLONE_NEWUTS },
	[NS_CGROUP] = { "cgroup", "cgroup", CLONE_NEWCGROUP },
	[NS_TIME] = { "time", "time", CLONE_NEWTIME },
};

static READER(read_namespace_type)
{
	(void)in;
	for (int i = 0; i < NS_KIND_MAX; i++)
		if (str_eq(ns_types[i].oci, v->text)) {
			*(enum ns_kind *)field_at(object, f) = (enum ns_kind)i;
			return 0;
		}
	return json_fail(v, e, "unknown namespace \"%.100s\"", v->text);
}

static READER(read_namespace_path)
{
	return v->size ? read_absolute_path(in, v, f, object, e) : 0;
}

static const struct field namespace_fields[] = {
	{ "type", JSON_STRING, read_namespace_type, offsetof(struct spec_namespace, kind), FIELD_REQUIRED },
	{ "path", JSON_STRING, read_namespace_path, offsetof(struct spec_namespace, path) },
};
static const struct object namespace_object = OBJECT(namespace_fields, struct spec_namespace);

/* ---- id maps ---- */

static int check_id_map(const struct json *v, const void *object, struct error *e)
{
	const struct spec_id_map *m = object;

	if (m->size == 0)
		return json_fail_key(v, "size", e, "0 ids");
	/* 0xFFFFFFFF is no id, so the last one is 0xFFFFFFFE. */
	if (m->container > UINT32_MAX - m->size || m->host > UINT32_MAX - m->size)
		return json_fail(v, e, "the range ends past the last id");
	return 0;
}

static const struct field id_map_fields[] = {
	{ "containerID", JSON_NUMBER, read_u32, offsetof(struct spec_id_map, container), FIELD_REQUIRED },
	{ "hostID", JSON_NUMBER, read_u32, offsetof(struct spec_id_map, host), FIELD_REQUIRED },
	{ "size", JSON_NUMBER, read_u32, offsetof(struct spec_id_map, size), FIELD_REQUIRED },
};
const struct object id_map_object = OBJECT(id_map_fields, struct spec_id_map, .check = check_id_map);

/* ---- time offsets: an object whose keys are clocks ---- */

static READER(read_nanosecs)
{
	int64_t value = 0;

	(void)in;
	int r = read_integer(v, 0, 999999999, &value, e);
	if (r < 0)
		return r;
	*(uint32_t *)field_at(object, f) = (uint32_t)value;
	return 0;
}

static const struct field time_offset_fields[] = {
	{ "secs", JSON_NUMBER, read_i64, offsetof(struct spec_time_offset, secs) },
	{ "nanosecs", JSON_NUMBER, read_nanosecs, offsetof(struct spec_time_offset, nanosecs) },
};
static const struct object time_offset_object = OBJECT(time_offset_fields, struct spec_time_offset);

static READER(read_time_offsets)
{
	struct spec *s = object;
	struct spec_time_offset *list = arena_calloc(in->arena, v->size + 1, sizeof(*list));
	size_t n = 0;

	(void)f;
	if (!list)
		return out_of_memory(e);
	for (const struct json *child = v->first; child; child = child->next) {
		if (!str_eq(child->key, "monotonic") && !str_eq(child->key, "boottime"))
			return json_fail(child, e, "unknown clock");
		list[n].clock = child->key;
		int r = dispatch(in, child, &time_offset_object, &list[n++], e);
		if (r < 0)
			return r;
	}
	s->time_offsets = list;
	s->n_time_offsets = n;
	return 0;
}

/* ---- devices ---- */

static void device_init(void *object)
{
	struct spec_device *d = object;
	d->mode = 0666;
	d->major = d->minor = NUM_UNSET;
}

static READER(read_device_type)
{
	(void)in;
	if (v->size != 1 || !strchr("bcpu", v->text[0]))
		return json_fail(v, e, "unknown device type \"%.100s\"", v->text);
	*(char *)field_at(object, f) = v->text[0] == 'u' ? 'c' : v->text[0];
	return 0;
}

/* Some engines give the file type's bits along with the permissions. */
static READER(read_file_mode)
{
	int64_t value = 0;

	(void)in;
	int r = read_integer(v, 0, UINT32_MAX, &value, e);
	if (r < 0)
		return r;
	*(uint32_t *)field_at(object, f) = (uint32_t)value & 07777;
	return 0;
}

static int check_device(const struct json *v, const void *object, struct error *e)
{
	const struct spec_device *d = object;

	if (d->type == 'p')
		return 0;
	if (d->major == NUM_UNSET)
		return json_fail_key(v, "major", e, "missing");
	if (d->minor == NUM_UNSET)
		return json_fail_key(v, "minor", e, "missing");
	return 0;
}

/* The kernel's device numbers: 12 bits and 20 bits. */
static READER(read_major)
{
	(void)in;
	return read_integer(v, 0, (1 << 12) - 1, field_at(object, f), e);
}

static READER(read_minor)
{
	(void)in;
	return read_integer(v, 0, (1 << 20) - 1, field_at(object, f), e);
}

static const struct field device_fields[] = {
	{ "type", JSON_STRING, read_device_type, offsetof(struct spec_device, type), FIELD_REQUIRED },
	{ "path", JSON_STRING, read_absolute_path, offsetof(struct spec_device, path), FIELD_REQUIRED },
	{ "major", JSON_NUMBER, read_major, offsetof(struct spec_device, major) },
	{ "minor", JSON_NUMBER, read_minor, offsetof(struct spec_device, minor) },
	{ "fileMode", JSON_NUMBER, read_file_mode, offsetof(struct spec_device, mode) },
	{ "uid", JSON_NUMBER, read_id, offsetof(struct spec_device, uid) },
	{ "gid", JSON_NUMBER, read_id, offsetof(struct spec_device, gid) },
};
static const struct object device_object = OBJECT(device_fields, struct spec_device, device_init,
						  check_device);

/* ---- linux ---- */

static const char *const propagations[] = { "shared",	"rshared",    "slave",	     "rslave", "private",
					    "rprivate", "unbindable", "runbindable", NULL };

static READER(read_propagation)
{
	for (size_t i = 0; propagations[i]; i++)
		if (str_eq(propagations[i], v->text))
			return read_string(in, v, f, object, e);
	return v->size ? json_fail(v, e, "unknown value \"%.100s\"", v->text) : 0;
}

/* ---- network devices ---- */

/* As the kernel takes it (dev_valid_name). */
static bool is_link_name(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n < 16 && !strpbrk(name, "/: \t\n\v\f\r") && !str_eq(name, ".") &&
	       !str_eq(name, "..");
}

static const struct field net_device_fields[] = {
	{ "name", JSON_STRING, read_text, offsetof(struct spec_net_device, new_name) },
};
static const struct object net_device_object = OBJECT(net_device_fields, struct spec_net_device);

static int read_net_device(const struct reading *in, const struct json *v, struct spec_net_device *d,
			   struct error *e)
{
	if (!is_link_name(v->key))
		return json_fail(v, e, "not the name of a link");
	int r = dispatch(in, v, &net_device_object, d, e);
	d->name = v->key;
	if (r == 0 && d->new_name && !is_link_name(d->new_name))
		return json_fail_key(v, "name", e, "\"%.40s\" is not the name of a link", d->new_name);
	return r;
}

static READER(read_net_devices)
{
	struct spec *s = object;
	struct spec_net_device *list = arena_calloc(in->arena, v->size + 1, sizeof(*list));
	size_t n = 0;

	(void)f;
	if (!list)
		return out_of_memory(e);
	for (const struct json *child = v->first; child; child = child->next, n++) {
		int r = read_net_device(in, child, &list[n], e);
		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++)
			if (str_eq(list[i].new_name ? list[i].new_name : list[i].name,
				   list[n].new_name ? list[n].new_name : list[n].name))
				return json_fail(child, e, "two links of one name in the container");
	}
	s->net_devices = list;
	s->n_net_devices = n;
	return 0;
}

static const struct field linux_fields[] = {
	{ "namespaces", JSON_ARRAY, read_objects, offsetof(struct spec, namespaces),
	  .count = offsetof(struct spec, n_namespaces), .object = &namespace_object },
	{ "uidMappings", JSON_ARRAY, read_objects, offsetof(struct spec, uid_mappings),
	  .count = offsetof(struct spec, n_uid_mappings), .object = &id_map_object },
	{ "gidMappings", JSON_ARRAY, read_objects, offsetof(struct spec, gid_mappings),
	  .count = offsetof(struct spec, n_gid_mappings), .object = &id_map_object },
	{ "timeOffsets", JSON_OBJECT, read_time_offsets },
	{ "devices", JSON_ARRAY, read_objects, offsetof(struct spec, devices),
	  .count = offsetof(struct spec, n_devices), .object = &device_object },
	{ "cgroupsPath", JSON_STRING, read_text, offsetof(struct spec, cgroups_path) },
	{ "rootfsPropagation", JSON_STRING, read_propagation, offsetof(struct spec, rootfs_propagation) },
	{ "mountLabel", JSON_STRING, read_text, offsetof(struct spec, mount_label) },
	{ "maskedPaths", JSON_ARRAY, read_absolute_paths, offsetof(struct spec, masked_paths) },
	{ "readonlyPaths", JSON_ARRAY, read_absolute_paths, offsetof(struct spec, readonly_paths) },
	{ "sysctl", JSON_OBJECT, read_pairs, offsetof(struct spec, sysctl),
	  .count = offsetof(struct spec, n_sysctl) },
	{ "resources", JSON_OBJECT, read_new_object, offsetof(struct spec, resources),
	  .object = &resources_object },
	{ "seccomp", JSON_OBJECT, read_seccomp },
	{ "intelRdt", JSON_OBJECT, read_new_object, offsetof(struct spec, intel_rdt),
	  .object = &intel_rdt_object },
	{ "memoryPolicy", JSON_OBJECT, read_new_object, offsetof(struct spec, memory_policy),
	  .object = &memory_policy_object },
	{ "personality", JSON_OBJECT, read_object, offsetof(struct spec, personality),
	  .object = &personality_object },
	{ "netDevices", JSON_OBJECT, read_net_devices },
};
const struct object linux_object = OBJECT(linux_fields, struct spec);
