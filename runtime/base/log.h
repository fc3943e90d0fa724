/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - log lines for people and engines
 *
 * On stderr, for people: "coracle: MESSAGE", "coracle: warning: MESSAGE". Into --log FILE (appended), for
 * engines, in the formats of runc: time="…" level=error msg="…", or with --log-format json
 * {"level":"error","msg":"…","time":"RFC 3339"} (go-runc reads the last "error" entry); without --log the
 * JSON lines go to stderr. Everything below commands returns errors instead of logging; warnings and debug
 * lines are the exception. Usable in every process of ours, also after fork; one write(2) per line. */
#ifndef CORACLE_LOG_H
#define CORACLE_LOG_H

#include <stdbool.h>

#include "runtime/base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_options {
	const char *path; /* a path, also as "file:PATH"; NULL: stderr */
	bool json;
	enum log_level level;
};

/* Open the target. Before (and if it fails) lines go to stderr as text, warnings and errors only. */
int log_open(const struct log_options *options, struct error *e);

/* The words of --log-level, in the order of the enum's meaning; -EINVAL names the word. */
int log_level_parse(const char *word, enum log_level *ret, struct error *e);

/* The last words of a command that failed: an error line, and on stderr too when the log goes to a file
 * (engines read the one or the other). */
void log_failure(const struct error *e);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
