/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sdbus.c - the few functions of sd-bus (libsystemd), in one table, loaded when used */
#include "cgroups/sdbus.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

#include "runtime/base/str.h"

struct sdbus sdbus;

#define SYMBOL(name)                        \
	{                                   \
#name, (void **)&sdbus.name \
	}

static const struct {
	const char *name;
	void **place;
} symbols[] = {
	SYMBOL(sd_bus_open_system),
	SYMBOL(sd_bus_open_user),
	SYMBOL(sd_bus_close_unref),
	SYMBOL(sd_bus_is_ready),
	SYMBOL(sd_bus_set_method_call_timeout),
	SYMBOL(sd_bus_match_signal),
	SYMBOL(sd_bus_slot_unref),
	SYMBOL(sd_bus_process),
	SYMBOL(sd_bus_wait),
	SYMBOL(sd_bus_call),
	SYMBOL(sd_bus_get_property_string),
	SYMBOL(sd_bus_message_new_method_call),
	SYMBOL(sd_bus_message_append),
	SYMBOL(sd_bus_message_append_array),
	SYMBOL(sd_bus_message_open_container),
	SYMBOL(sd_bus_message_close_container),
	SYMBOL(sd_bus_message_read),
	SYMBOL(sd_bus_message_unref),
	SYMBOL(sd_bus_error_free),
};

int sdbus_load(struct error *e)
{
	static bool loaded;

	if (loaded)
		return 0;
	void *library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return refuse(e, ENOENT, "systemd cgroups need libsystemd.so.0: %s", dlerror());
	for (size_t i = 0; i < COUNT_OF(symbols); i++) {
		*symbols[i].place = dlsym(library, symbols[i].name);
		if (!*symbols[i].place)
			return refuse(e, ENOENT, "libsystemd.so.0 has no %s", symbols[i].name);
	}
	loaded = true;
	return 0;
}
