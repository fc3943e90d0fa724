/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp.h - the words of linux.seccomp that features lists */
#ifndef CORACLE_SPECS_SECCOMP_H
#define CORACLE_SPECS_SECCOMP_H

#include <stdbool.h>

#include "specs/spec.h"

/* False for those that a config is refused for (SCMP_ACT_NOTIFY). */
bool seccomp_action_is_supported(enum seccomp_action action);

/* NULL-terminated. */
extern const char *const seccomp_arch_names[];
extern const char *const seccomp_flag_names[];

#endif
