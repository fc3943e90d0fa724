/* SPDX-License-Identifier: GPL-2.0-or-later */
/* label.h - labels of the security modules: AppArmor's profile and SELinux's context of the program that is
 * executed next; SELinux's context of mounts
 *
 * A label is written into /proc/self/attr of the host's procfs, whose handle the process opened before it
 * joined the container: nothing that stands at the container's /proc is looked at (CVE-2019-16884,
 * CVE-2025-52881). Spec: config.md, "Linux Process"; config-linux.md, "Mount Label". */
#ifndef CORACLE_LABEL_H
#define CORACLE_LABEL_H

#include <stdbool.h>

#include "namespaces/mountopts.h"
#include "runtime/base/error.h"
#include "specs/spec.h"

/* Is there anything to write? "unconfined" asks for something only where AppArmor is. */
bool label_is_needed(const struct spec_process *p);

/* In RUNTIME: a label whose module is not there is an error that names the key; who asked for confinement
 * must not run without. `s` may be NULL (exec: its mounts are made). */
int label_check(const struct spec *s, const struct spec_process *p, struct error *e);

/* /proc/self/attr as the caller's, before it joins anything. */
int label_open(struct error *e);

/* Write the labels for the next execve. `attr` is label_open()'s. */
int label_write(int attr, const struct spec_process *p, struct error *e);

/* Does a file system of this type take linux.mountLabel as its option? */
bool label_goes_with(const char *type);

/* Add the option to those given, unless they have one; *ret shares what `o` has. ret->data is a new list, to be
 * freed, with `text` (of `size` bytes) in it. */
int label_add(const struct mountopts *o, const char *label, char *text, size_t size, struct mountopts *ret,
	      struct error *e);

#endif
