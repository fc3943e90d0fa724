/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rdt.c - table: linux.intelRdt (config-linux.md, "IntelRdt")
 *
 * What is written becomes part of paths below the resctrl mount and lines of its files: nothing may lead out
 * of the one or add to the other. */
#include "specs/dispatch.h"

static int check_line(const struct json *v, struct error *e)
{
	if (v->type != JSON_STRING)
		return json_fail(v, e, "expected a string");
	if (v->size == 0 || !str_is_printable(v->text))
		return json_fail(v, e, "not a line of a schemata file");
	return 0;
}

static READER(read_lines)
{
	for (const struct json *child = v->first; child; child = child->next) {
		int r = check_line(child, e);
		if (r < 0)
			return r;
	}
	return read_strings(in, v, f, object, e);
}

static READER(read_clos_id)
{
	const char *id = v->text;

	if (v->size && (*id == '.' || strchr(id, '/') || !str_is_printable(id) || v->size > 255))
		return json_fail(v, e, "\"%.100s\" is not the name of a group", id);
	return read_text(in, v, f, object, e);
}

static READER(read_l3_schema)
{
	/* Engines write several lines here: those of L3CODE and L3DATA, even of MB, which are left out. */
	for (const char *c = v->text; *c; c++)
		if ((unsigned char)*c < 0x20 && *c != '\n')
			return json_fail(v, e, "not lines of a schemata file");
	return read_text(in, v, f, object, e);
}

static READER(read_bandwidth_schema)
{
	if (v->size && (!str_starts(v->text, "MB:") || !str_is_printable(v->text)))
		return json_fail(v, e, "\"%.100s\" is no line that starts with \"MB:\"", v->text);
	return read_text(in, v, f, object, e);
}

static const struct field intel_rdt_fields[] = {
	{ "closID", JSON_STRING, read_clos_id, offsetof(struct spec_intel_rdt, clos_id) },
	{ "schemata", JSON_ARRAY, read_lines, offsetof(struct spec_intel_rdt, schemata) },
	{ "l3CacheSchema", JSON_STRING, read_l3_schema, offsetof(struct spec_intel_rdt, l3_cache_schema) },
	{ "memBwSchema", JSON_STRING, read_bandwidth_schema, offsetof(struct spec_intel_rdt, mem_bw_schema) },
	{ "enableMonitoring", JSON_BOOL, read_bool, offsetof(struct spec_intel_rdt, enable_monitoring) },
};
const struct object intel_rdt_object = OBJECT(intel_rdt_fields, struct spec_intel_rdt);
