/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capability.h - the capabilities' names: of the defaults, and what `features` lists
 *
 * Making a process have them is namespaces/caps.c's. */
#ifndef CORACLE_CAPABILITY_H
#define CORACLE_CAPABILITY_H

#define CAPABILITY_COUNT 41 /* Linux 5.9's, still so in 6.18 */

/* By number, NULL-terminated: "CAP_CHOWN", … */
extern const char *const capability_names[CAPABILITY_COUNT + 1];

/* A capability's number by its name, with "CAP_" or without, in either case; -1: none. */
int capability_number(const char *name);

#endif
