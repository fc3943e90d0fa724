/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mountinfo.h - the mounts of a namespace, as /proc/PID/mountinfo lists them */
#ifndef CORACLE_MOUNTINFO_H
#define CORACLE_MOUNTINFO_H

#include "runtime/base/error.h"

struct mountinfo {
	int id, parent;
	const char *device;  /* "MAJOR:MINOR" */
	const char *root;    /* what of the file system is mounted, unescaped */
	const char *at;	     /* mount point, unescaped */
	const char *options; /* of the mount: "rw,nosuid,…" */
	const char *type;    /* of the file system */
};

/* Call f for each, until one call fails. The host's /proc must be in view. */
int mountinfo_each(int (*f)(const struct mountinfo *m, void *data, struct error *e), void *data,
		   struct error *e);

/* The same of a file that is named: "/proc/PID/mountinfo". */
int mountinfo_each_in(const char *path, int (*f)(const struct mountinfo *m, void *data, struct error *e),
		      void *data, struct error *e);

/* Split one line, in place. -EINVAL if it is none of mountinfo's. (pure) */
int mountinfo_parse(char *line, struct mountinfo *ret);

#endif
