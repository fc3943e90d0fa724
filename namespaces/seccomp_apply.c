/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp_apply.c - put a finished filter on the calling process
 *
 * In INIT and exec's process: one system call, no library. */
#include "namespaces/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

void seccomp_filter_free(struct seccomp_filter *f)
{
	if (!f)
		return;
	free(f->program);
	free(f);
}

int seccomp_apply(const struct seccomp_filter *f, struct error *e)
{
	const struct sock_fprog program = { .len = (unsigned short)(f->size / sizeof(struct sock_filter)),
					    .filter = f->program };

	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f->flags, &program);
	return r < 0 ? fail(e, errno, "load the seccomp filter") : (int)r;
}
