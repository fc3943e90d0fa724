/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sdbus.h - the few functions of sd-bus (libsystemd) that a scope takes, in one table, loaded when used
 *
 * Nothing of libsystemd is needed to build; a machine that runs systemd has the library. sd-bus(3). */
#ifndef CORACLE_SDBUS_H
#define CORACLE_SDBUS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

/* sd_bus_error: public and fixed. */
struct sdbus_error {
	const char *name, *message;
	int need_free;
};

typedef int sdbus_handler(void *message, void *data, struct sdbus_error *error);

extern struct sdbus {
	int (*sd_bus_open_system)(void **ret);
	int (*sd_bus_open_user)(void **ret);
	void *(*sd_bus_close_unref)(void *bus);
	int (*sd_bus_is_ready)(void *bus);
	int (*sd_bus_set_method_call_timeout)(void *bus, uint64_t usec);
	int (*sd_bus_match_signal)(void *bus, void **ret_slot, const char *sender, const char *path,
				   const char *interface, const char *member, sdbus_handler *callback,
				   void *data);
	void *(*sd_bus_slot_unref)(void *slot);
	int (*sd_bus_process)(void *bus, void **ret_message);
	int (*sd_bus_wait)(void *bus, uint64_t usec);
	int (*sd_bus_call)(void *bus, void *message, uint64_t usec, struct sdbus_error *error,
			   void **ret_reply);
	int (*sd_bus_get_property_string)(void *bus, const char *destination, const char *path,
					  const char *interface, const char *member,
					  struct sdbus_error *error, char **ret);
	int (*sd_bus_message_new_method_call)(void *bus, void **ret, const char *destination,
					      const char *path, const char *interface, const char *member);
	int (*sd_bus_message_append)(void *message, const char *types, ...);
	int (*sd_bus_message_append_array)(void *message, char type, const void *data, size_t size);
	int (*sd_bus_message_open_container)(void *message, char type, const char *contents);
	int (*sd_bus_message_close_container)(void *message);
	int (*sd_bus_message_read)(void *message, const char *types, ...);
	void *(*sd_bus_message_unref)(void *message);
	void (*sd_bus_error_free)(struct sdbus_error *error);
} sdbus;

/* Fill the table. -ENOENT: the library is not there. */
int sdbus_load(struct error *e);

#endif
