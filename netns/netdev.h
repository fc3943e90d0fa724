/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netdev.h - a link of the host moves into a container (config-linux.md, "Network Devices", spec 1.3)
 *
 * Name (changed on the way if asked), MTU, MAC and permanent global addresses stay; it comes up where it was
 * going. Nothing of it stays behind, and when the namespace ends the kernel gives a hardware link back to
 * the host. */
#ifndef CORACLE_NETNS_NETDEV_H
#define CORACLE_NETNS_NETDEV_H

#include "runtime/base/error.h"

/* `from` and `to` are handles, neither of them -1 where the other one is another namespace: the way back needs them.
 * Move link `name` of `from` to `to` as `new_name` (NULL or "": the same name). -ENODEV if there is no such
 * link; -EEXIST names both when the name is taken there. On failure it is where it was, as it was. */
int netdev_move(int from, int to, const char *name, const char *new_name, struct error *e);

/* Link `name` of `from` back to `to` under its old name, down: for undo. */
int netdev_return(int from, int to, const char *name, const char *old_name, struct error *e);

#endif
