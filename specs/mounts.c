/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mounts.c - tables: root and mounts (config.md, "Root" and "Mounts") */
#include "specs/dispatch.h"

static const struct field root_fields[] = {
	{ "path", JSON_STRING, read_string, offsetof(struct spec, root_path),
	  FIELD_REQUIRED | FIELD_NOT_EMPTY },
	{ "readonly", JSON_BOOL, read_bool, offsetof(struct spec, root_readonly) },
};
const struct object root_object = OBJECT(root_fields, struct spec);

/* Since 1.0 a relative destination means one below "/"; later versions forbid it, engines still send it. */
static READER(read_destination)
{
	const char *path = v->text;

	if (path[0] != '/')
		path = arena_printf(in->arena, "/%s", path);
	if (!path)
		return out_of_memory(e);
	*(const char **)field_at(object, f) = path;
	return 0;
}

static const struct field mount_fields[] = {
	{ "destination", JSON_STRING, read_destination, offsetof(struct spec_mount, destination),
	  FIELD_REQUIRED | FIELD_NOT_EMPTY },
	{ "type", JSON_STRING, read_text, offsetof(struct spec_mount, type) },
	{ "source", JSON_STRING, read_text, offsetof(struct spec_mount, source) },
	{ "options", JSON_ARRAY, read_strings, offsetof(struct spec_mount, options) },
	{ "uidMappings", JSON_ARRAY, read_objects, offsetof(struct spec_mount, uid_mappings),
	  .count = offsetof(struct spec_mount, n_uid_mappings), .object = &id_map_object },
	{ "gidMappings", JSON_ARRAY, read_objects, offsetof(struct spec_mount, gid_mappings),
	  .count = offsetof(struct spec_mount, n_gid_mappings), .object = &id_map_object },
};
const struct object mount_object = OBJECT(mount_fields, struct spec_mount);
