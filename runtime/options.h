/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - option tables: one table parses the command line and prints the help
 *
 * A table is an array of `struct opt`, ended by a row without a kind. A row says where its value lands in
 * the command's options structure (offsetof), so a command reads plain fields:
 *
 *	{ "bundle", 'b', OPT_STRING, offsetof(struct create_options, bundle), "DIR", "where config.json is" },
 *
 * Taken: --name VALUE, --name=VALUE, -name (long options with one dash, as Go's programs and so containerd's
 * shim write them), -n VALUE, -nVALUE, bundled letters (-dt), --flag=true and --flag=false; "--" ends the
 * options. A value may begin with a dash (--cpu-quota -1). Options may stand after arguments too, unless the
 * table's owner says that what follows the first argument is not ours (run, exec, ps). */
#ifndef CORACLE_OPTIONS_H
#define CORACLE_OPTIONS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/base/error.h"

/* The error code of a wrong command line (an errno that nothing else here can give): exit code 64. */
#define USAGE_ERROR EBADRQC

enum opt_kind {
	OPT_END,
	OPT_FLAG,	   /* bool */
	OPT_STRING,	   /* const char *; points into argv */
	OPT_INT,	   /* int, not negative */
	OPT_I64,	   /* int64_t */
	OPT_BYTES,	   /* int64_t: "512M"; -1 is allowed and means no limit */
	OPT_DURATION,	   /* int, milliseconds: "5s", "500ms", "1m30s"; a plain number counts seconds */
	OPT_LIST,	   /* struct opt_list, once per use */
	OPT_IDS,	   /* struct opt_ids: numbers, separated by commas or given by several uses */
	OPT_IGNORED_FLAG,  /* taken for compatibility, without an effect; never in the help */
	OPT_IGNORED_VALUE, /* the same with a value */
	OPT_REFUSED, /* taken to say what is missing: the help text is the sentence; never in the help */
	OPT_TABLE,   /* the rows of another table (`table`), whose structure begins at `offset` */
	OPT_KIND_MAX
};

struct opt_list {
	char **v; /* NULL-terminated, or NULL when empty; strings point into argv */
	size_t n;
};

struct opt_ids {
	uint32_t *v;
	size_t n;
};

struct opt {
	const char *name; /* without dashes */
	char letter;	  /* 0: none */
	enum opt_kind kind;
	size_t offset;
	const char *metavar; /* the value's name in the help */
	const char *help;
	const struct opt *table;
};

/* Parse argv[0…] (without the program's or command's name) into `options`. *ret_args points at the arguments,
 * moved together at the front of argv, NULL-terminated. in_order: stop at the first argument. `help` is set
 * when -h or --help was met, and parsing stops there. Errors are -USAGE_ERROR and name the word. */
int options_parse(const struct opt *table, void *options, char **argv, bool in_order, bool *ret_help,
		  struct error *e);

/* Free what lists in the structure hold. */
void options_done(const struct opt *table, void *options);

/* The lines of help, one option each, included tables as well. */
void options_help(const struct opt *table, FILE *out);

/* True if the kind is followed by a value, and if a row of it is shown in the help. */
bool opt_takes_value(enum opt_kind kind);
bool opt_is_shown(enum opt_kind kind);

/* Call `each` for every row, included tables' rows too; stops at the first non-zero result and returns it. */
int options_walk(const struct opt *table, int (*each)(const struct opt *o, void *arg), void *arg);

/* The first row whose field is not all zero bytes, or NULL (for options that go with another option). */
const struct opt *options_first_given(const struct opt *table, const void *options);

/* Record a usage error and return -USAGE_ERROR. */
int usage(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
