/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mountinfo.h - the mounts of our namespace, as /proc/self/mountinfo lists them */
#ifndef CORACLE_MOUNTINFO_H
#define CORACLE_MOUNTINFO_H

#include "runtime/base/error.h"

struct mountinfo {
	const char *at;	  /* mount point, unescaped */
	const char *type; /* of the file system */
};

/* Call f for each, until one call fails. The host's /proc must be in view. */
int mountinfo_each(int (*f)(const struct mountinfo *m, void *data, struct error *e), void *data,
		   struct error *e);

/* Split one line, in place. -EINVAL if it is none of mountinfo's. (pure) */
int mountinfo_parse(char *line, struct mountinfo *ret);

#endif
