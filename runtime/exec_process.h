/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_process.h - the process object of an exec: from a file, or the container's own with flags over it */
#ifndef CORACLE_EXEC_PROCESS_H
#define CORACLE_EXEC_PROCESS_H

#include "runtime/life.h"

/* *ret_arena owns *ret (NULL if the spec's arena does). */
int exec_process_make(const struct exec_options *o, struct spec *s, struct arena **ret_arena,
		      struct spec_process **ret, struct error *e);

#endif
