/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rlimits.c - resource limits of a process (config.md, "POSIX process") */
#include "namespaces/confine.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/resource.h>

int rlimits_apply(pid_t pid, const struct spec_process *p, struct error *e)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct spec_rlimit *l = &p->rlimits[i];
		const struct rlimit limit = { .rlim_cur = l->soft, .rlim_max = l->hard };
		if (prlimit(pid, (enum __rlimit_resource)l->resource, &limit, NULL) < 0)
			return fail(e, errno, "process.rlimits: set %s to %" PRIu64 ", hard %" PRIu64,
				    rlimit_name(l->resource), l->soft, l->hard);
	}
	return 0;
}
