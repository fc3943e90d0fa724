/* SPDX-License-Identifier: GPL-2.0-or-later */
/* features.h - what this build can do, as the spec's features.md wants it told: all of it and only that */
#ifndef CORACLE_FEATURES_H
#define CORACLE_FEATURES_H

#include <stdbool.h>

#include "runtime/base/error.h"

/* What only the folders that do it know; lists are NULL-terminated, NULL: none. */
struct features {
	const char *const *mount_options; /* the option table of namespaces/mountopts.c */
	bool seccomp;			  /* filters can be made and loaded */
	const char *const *seccomp_archs; /* "SCMP_ARCH_…" that libseccomp can; NULL: those the spec names */
	const char *const *seccomp_flags; /* of the known ones, those that library and kernel can */
	const char *libseccomp_version;	  /* "2.5.4", or NULL */
	bool rdma;			  /* cgroups/knobs.c has rdma.max */
	bool systemd;			  /* coracle-node is there, which talks to it */
	bool checkpoint;
};

/* The JSON text, indented, ending in a newline, freed by the caller; NULL when memory is short. */
char *features_to_json(const struct features *f);

#endif
