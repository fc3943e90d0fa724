/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hooks.c - table: hooks (config.md, "POSIX-platform Hooks") */
#include <limits.h>

#include "specs/dispatch.h"

const char *const hook_names[HOOK_KIND_MAX] = {
	[HOOK_PRESTART] = "prestart",
	[HOOK_CREATE_RUNTIME] = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer",
	[HOOK_START_CONTAINER] = "startContainer",
	[HOOK_POSTSTART] = "poststart",
	[HOOK_POSTSTOP] = "poststop",
};

static READER(read_timeout)
{
	int64_t value = 0;

	(void)in;
	int r = read_integer(v, 1, INT_MAX / 1000, &value, e);
	if (r < 0)
		return r;
	*(int *)field_at(object, f) = (int)value;
	return 0;
}

static const struct field hook_fields[] = {
	{ "path", JSON_STRING, read_absolute_path, offsetof(struct spec_hook, path), FIELD_REQUIRED },
	{ "args", JSON_ARRAY, read_strings, offsetof(struct spec_hook, args) },
	{ "env", JSON_ARRAY, read_strings, offsetof(struct spec_hook, env) },
	{ "timeout", JSON_NUMBER, read_timeout, offsetof(struct spec_hook, timeout) },
};
static const struct object hook_object = OBJECT(hook_fields, struct spec_hook);

#define HOOKS(name, kind)                                                                         \
	{                                                                                         \
		name, JSON_ARRAY, read_objects, offsetof(struct spec, hooks[kind].list),          \
			.count = offsetof(struct spec, hooks[kind].count), .object = &hook_object \
	}

static const struct field hooks_fields[] = {
	HOOKS("prestart", HOOK_PRESTART),
	HOOKS("createRuntime", HOOK_CREATE_RUNTIME),
	HOOKS("createContainer", HOOK_CREATE_CONTAINER),
	HOOKS("startContainer", HOOK_START_CONTAINER),
	HOOKS("poststart", HOOK_POSTSTART),
	HOOKS("poststop", HOOK_POSTSTOP),
};
const struct object hooks_object = OBJECT(hooks_fields, struct spec);
