/* SPDX-License-Identifier: GPL-2.0-or-later */
/* open.h - network namespaces by handle
 *
 * A network namespace is named by a descriptor of its nsfs file everywhere in netns/; -1 stands for the one
 * the caller is in. Processes of coracle have one thread, so going over and coming back is safe. */
#ifndef CORACLE_NETNS_OPEN_H
#define CORACLE_NETNS_OPEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/error.h"

/* Handles, close-on-exec. By path: what is there must be a network namespace (-EINVAL says so). By process:
 * through /proc/PID/ns/net; pin the process by a pidfd if it may die. */
int netns_open_self(struct error *e);
int netns_open_path(const char *path, struct error *e);
int netns_open_pid(pid_t pid, struct error *e);

/* A new, empty namespace (owned by the caller's user namespace); the caller stays where it is. Returns its
 * handle: the namespace lives as long as that, or a link's or process's hold on it. */
int netns_make(struct error *e);

/* Are these two the same? */
bool netns_is_same(int a, int b);

/* Go over, and come back. netns_visit returns a handle to come back with, netns_leave closes it. With
 * `netns` -1 nothing moves (and the handle is -1). A netns_leave that fails is told: the caller must then
 * end, for it would work in the wrong place. */
int netns_visit(int netns, int *ret_home, struct error *e);
int netns_leave(int home, struct error *e);

#endif
