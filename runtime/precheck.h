/* SPDX-License-Identifier: GPL-2.0-or-later */
/* precheck.h - `checkpoint --check`: what stands in the way of a dump, all of it, while the container runs on */
#ifndef CORACLE_PRECHECK_H
#define CORACLE_PRECHECK_H

#include "runtime/checkpoint.h"

/* What the container's processes have (checkpoint/preflight.h), what its config asks for, and what CRIU here is able to do:
 * where internet sockets are open, by dumping a process of ours that has one. Options that `o` gives already
 * are not asked for again. *ret_text is the answer, as text or (format "json") as one JSON object; freed by
 * the caller. *ret_dumpable: no obstacle was found. */
int life_check(const struct checkpoint_options *o, const char *format, char **ret_text, bool *ret_dumpable,
	       struct error *e);

#endif
