/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.c - the record on disk: written from a struct, read back by a table; the OCI state made from it
 *
 * The record is our own format: every key is there and no other, or it is not a record. */
#include "specs/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/io.h"
#include "specs/default.h"
#include "specs/dispatch.h"
#include "specs/jsonout.h"

#define RECORD_FILE    "state.json"
#define RECORD_VERSION 1
#define VERSION_KEY    "coracle_version_record"

const char *const status_names[STATUS_MAX] = {
	[STATUS_CREATING] = "creating", [STATUS_CREATED] = "created", [STATUS_RUNNING] = "running",
	[STATUS_PAUSED] = "paused",	[STATUS_STOPPED] = "stopped",
};

struct state *state_new(void)
{
	AUTO(arena) struct arena *a = arena_new();
	struct state *s = a ? arena_alloc(a, sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->arena = take_ptr(a);
	s->id = s->bundle = s->rootfs = s->created = s->cgroup = s->unit = s->rdt = s->oci_version = "";
	return s;
}

void state_free(struct state *s)
{
	if (s)
		arena_free(s->arena);
}

/* ---- reading ---- */

static READER(read_version)
{
	int64_t version = 0;

	(void)in;
	(void)f;
	(void)object;
	int r = read_integer(v, 0, INT64_MAX, &version, e);
	if (r == 0 && version != RECORD_VERSION)
		return json_fail(v, e, "format %" PRId64 " is not the one this coracle writes (%d)", version,
				 RECORD_VERSION);
	return r;
}

static READER(read_pid)
{
	int64_t value = 0;

	(void)in;
	int r = read_integer(v, 0, INT_MAX, &value, e);
	if (r < 0)
		return r;
	*(pid_t *)field_at(object, f) = (pid_t)value;
	return 0;
}

#define AT(member) offsetof(struct state, member)

static const struct field record_fields[] = {
	{ VERSION_KEY, JSON_NUMBER, read_version, 0, FIELD_REQUIRED },
	{ "id", JSON_STRING, read_string, AT(id), FIELD_REQUIRED | FIELD_NOT_EMPTY },
	{ "pid", JSON_NUMBER, read_pid, AT(pid), FIELD_REQUIRED },
	{ "start_time", JSON_NUMBER, read_u64, AT(start_time), FIELD_REQUIRED },
	{ "bundle", JSON_STRING, read_string, AT(bundle), FIELD_REQUIRED },
	{ "rootfs", JSON_STRING, read_string, AT(rootfs), FIELD_REQUIRED },
	{ "created", JSON_STRING, read_string, AT(created), FIELD_REQUIRED },
	{ "owner", JSON_NUMBER, read_u32, AT(owner), FIELD_REQUIRED },
	{ "cgroup", JSON_STRING, read_string, AT(cgroup), FIELD_REQUIRED },
	{ "cgroup_joined", JSON_BOOL, read_bool, AT(cgroup_joined), FIELD_REQUIRED },
	{ "rdt", JSON_STRING, read_string, AT(rdt), FIELD_REQUIRED },
	{ "rdt_made", JSON_BOOL, read_bool, AT(rdt_made), FIELD_REQUIRED },
	{ "rdt_monitored", JSON_BOOL, read_bool, AT(rdt_monitored), FIELD_REQUIRED },
	{ "oci_version", JSON_STRING, read_string, AT(oci_version), FIELD_REQUIRED },
	{ "systemd_cgroup", JSON_BOOL, read_bool, AT(systemd_cgroup), FIELD_REQUIRED },
	{ "unit", JSON_STRING, read_string, AT(unit), FIELD_REQUIRED },
	{ "terminal", JSON_BOOL, read_bool, AT(terminal), FIELD_REQUIRED },
	{ "no_process", JSON_BOOL, read_bool, AT(no_process), FIELD_REQUIRED },
	{ "hooks", JSON_NUMBER, read_u32, AT(hooks), FIELD_REQUIRED },
	{ "annotations", JSON_OBJECT, read_pairs, AT(annotations), FIELD_REQUIRED,
	  .count = AT(n_annotations) },
};
static const struct object record_object = OBJECT(record_fields, struct state, .strict = true);

_Static_assert(sizeof(unsigned int) == sizeof(uint32_t), "hooks is read as uint32_t");

static int parse_record(struct state *s, const char *text, size_t size, struct error *e)
{
	const struct reading in = { s->arena, text };
	struct json *root = NULL;

	int r = json_parse(s->arena, text, size, &root, e);
	if (r == 0)
		r = dispatch(&in, root, &record_object, s, e);
	if (r == 0 && s->cgroup[0] && s->cgroup[0] != '/')
		r = refuse(e, EINVAL, "cgroup: \"%.100s\" is not an absolute path", s->cgroup);
	if (r < 0)
		str_make_printable(e->msg);
	return r;
}

int state_read(int dir, struct state **ret, struct error *e)
{
	AUTO(state) struct state *s = state_new();
	auto_free char *text = NULL;
	size_t size;

	if (!s)
		return fail(e, ENOMEM, "read " RECORD_FILE);
	int r = io_read_file(dir, RECORD_FILE, JSON_MAX_SIZE, &text, &size, e);
	if (r < 0)
		return r;
	r = parse_record(s, text, size, e);
	if (r < 0)
		return prefix(e, RECORD_FILE);
	*ret = take_ptr(s);
	return 0;
}

/* ---- writing ---- */

static void put_annotations(struct jsonout *o, const struct state *s)
{
	jsonout_object(o, "annotations");
	for (size_t i = 0; i < s->n_annotations; i++)
		jsonout_string(o, s->annotations[i].key, s->annotations[i].value);
	jsonout_end(o);
}

static char *record_to_json(const struct state *s, size_t *ret_size)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);

	jsonout_object(o, NULL);
	jsonout_i64(o, VERSION_KEY, RECORD_VERSION);
	jsonout_string(o, "id", s->id);
	jsonout_i64(o, "pid", s->pid);
	jsonout_u64(o, "start_time", s->start_time);
	jsonout_string(o, "bundle", s->bundle);
	jsonout_string(o, "rootfs", s->rootfs);
	jsonout_string(o, "created", s->created);
	jsonout_u64(o, "owner", s->owner);
	jsonout_string(o, "cgroup", s->cgroup ? s->cgroup : "");
	jsonout_bool(o, "cgroup_joined", s->cgroup_joined);
	jsonout_string(o, "rdt", s->rdt);
	jsonout_bool(o, "rdt_made", s->rdt_made);
	jsonout_bool(o, "rdt_monitored", s->rdt_monitored);
	jsonout_string(o, "oci_version", s->oci_version);
	jsonout_bool(o, "systemd_cgroup", s->systemd_cgroup);
	jsonout_string(o, "unit", s->unit);
	jsonout_bool(o, "terminal", s->terminal);
	jsonout_bool(o, "no_process", s->no_process);
	jsonout_u64(o, "hooks", s->hooks);
	put_annotations(o, s);
	jsonout_end(o);
	return jsonout_take(o, ret_size);
}

int state_write(int dir, const struct state *s, struct error *e)
{
	size_t size;

	auto_free char *text = record_to_json(s, &size);
	if (!text)
		return fail(e, ENOMEM, "write " RECORD_FILE);
	if (size > JSON_MAX_SIZE)
		return refuse(e, EFBIG, "write " RECORD_FILE ": more than %u bytes", JSON_MAX_SIZE);
	return io_replace_file(dir, RECORD_FILE, text, size, 0600, e);
}

/* ---- the OCI state ---- */

char *state_to_json(const struct state *s, enum status status, bool extended, bool indent)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(indent);
	char owner[16];

	jsonout_object(o, NULL);
	jsonout_string(o, "ociVersion", s->oci_version);
	jsonout_string(o, "id", s->id);
	jsonout_i64(o, "pid", status == STATUS_STOPPED ? 0 : s->pid);
	jsonout_string(o, "status", status_names[status]);
	jsonout_string(o, "bundle", s->bundle);
	if (extended) {
		jsonout_string(o, "rootfs", s->rootfs);
		jsonout_string(o, "created", s->created);
	}
	if (s->n_annotations)
		put_annotations(o, s);
	if (extended) {
		/* A string, as runc's is; a uid needs no look-up of names, which would load libraries. */
		snprintf(owner, sizeof(owner), "%" PRIu32, s->owner);
		jsonout_string(o, "owner", s->owner == 0 ? "root" : owner);
	}
	jsonout_end(o);
	return jsonout_take(o, NULL);
}

char *state_to_process_json(const struct state *s, enum status status, pid_t pid, const char *metadata)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);
	static const char *const fds[] = { "seccompFd", NULL };
	struct state now = *s;

	if (now.pid == 0) /* it is the container's first, before it is recorded */
		now.pid = pid;
	auto_free char *state = state_to_json(&now, status, false, false);
	if (!state)
		return NULL;
	jsonout_object(o, NULL);
	jsonout_string(o, "ociVersion", DEFAULT_OCI_VERSION);
	jsonout_strings(o, "fds", fds);
	jsonout_i64(o, "pid", pid);
	if (metadata)
		jsonout_string(o, "metadata", metadata);
	jsonout_raw(o, "state", state);
	jsonout_end(o);
	return jsonout_take(o, NULL);
}
