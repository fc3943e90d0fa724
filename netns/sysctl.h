/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysctl.h - the settings below /proc/sys/net that a switch needs, in a network namespace
 *
 * Only where needed, only what differs, and the caller is told what was changed, so that it can say so and
 * undo it. */
#ifndef CORACLE_NETNS_SYSCTL_H
#define CORACLE_NETNS_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/error.h"

/* Make "/proc/sys/net/KEY" read `value` (KEY like "ipv4/ip_forward"; one "%s" in it stands for a link's name,
 * given apart since names may have dots). *ret_changed (may be NULL): it read differently. */
int net_sysctl_ensure(int netns, const char *key, const char *link, const char *value, bool *ret_changed,
		      struct error *e);
int net_sysctl_read(int netns, const char *key, const char *link, char *buf, size_t size, struct error *e);

#endif
