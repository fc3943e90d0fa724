/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp.h - the words of linux.seccomp that features lists */
#ifndef CORACLE_SPECS_SECCOMP_H
#define CORACLE_SPECS_SECCOMP_H

#include <stdbool.h>

#include "specs/spec.h"

/* Does any rule have SCMP_ACT_NOTIFY? Then there is a listenerPath. */
bool seccomp_notifies(const struct spec_seccomp *s);

/* NULL-terminated. */
extern const char *const seccomp_arch_names[];
extern const char *const seccomp_flag_names[];

#endif
