/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transfer.h - how far an export or import has come: a bar for people, lines of JSON for programs
 *
 * The bar goes to stderr, if that is a terminal; JSON lines go to stdout, or to stderr where stdout is the
 * archive:
 *	{"event":"export","container":"web","done":1048576,"total":9437184}
 * at most ten a second, and one with "event":"exported" (or "imported") at the end. */
#ifndef CORACLE_TRANSFER_H
#define CORACLE_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint/archive.h"
#include "runtime/base/error.h"

enum transfer_style { TRANSFER_AUTO, TRANSFER_BAR, TRANSFER_JSON, TRANSFER_NONE };

struct transfer {
	enum transfer_style style;
	const char *verb, *past; /* "export", "exported" */
	const char *name;
	int out; /* where lines go */
	uint64_t total, done;
	int64_t began_ns, shown_ns;
};

/* word: bar, json, none; NULL: a bar if stderr is a terminal. */
int transfer_init(struct transfer *t, const char *word, const char *verb, const char *past, const char *name,
		  bool stdout_is_data, struct error *e);

/* As an archive's watch; `arg` is the transfer. */
int transfer_tell(void *arg, uint64_t done, struct error *e);

/* The end: the bar goes, JSON has its last line; a failure's sentence is the command's own. */
void transfer_end(struct transfer *t, bool well);

/* "12.3 MB". (pure) */
const char *transfer_size(uint64_t bytes, char buf[static 24]);

#endif
