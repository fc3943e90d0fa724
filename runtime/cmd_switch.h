/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_switch.h - what the files of `coracle switch` share: cmd_switch.c made, brought up, removed;
 * cmd_switch_show.c looked at; cmd_switch_wire.c containers connected and disconnected */
#ifndef CORACLE_CMD_SWITCH_H
#define CORACLE_CMD_SWITCH_H

#include "runtime/commands.h"

extern const struct command switch_ls, switch_inspect, switch_leases, switch_connect, switch_disconnect;

/* --format: *ret_json, or a usage error. */
int switch_format(const char *format, bool *ret_json, struct error *e);

#endif
