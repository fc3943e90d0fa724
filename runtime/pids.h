/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pids.h - the processes of a container */
#ifndef CORACLE_PIDS_H
#define CORACLE_PIDS_H

#include "runtime/container.h"

/* Those of its control group, ascending; of a container without one those of its pid namespace, if it has one
 * of its own, or else its init. *ret is a new array. Returns the count. */
ssize_t container_pids(const struct container *c, pid_t **ret, struct error *e);

#endif
