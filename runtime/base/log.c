/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - log lines for people and engines: text or JSON, one write(2) each */
#include "runtime/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/str.h"

static struct {
	int fd;
	bool json;
	enum log_level level;
} target = { STDERR_FILENO, false, LOG_LEVEL_WARNING };

static const struct {
	const char *word;
	enum log_level level;
} words[] = {
	{ "error", LOG_LEVEL_ERROR }, { "warning", LOG_LEVEL_WARNING }, { "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG }, { "warn", LOG_LEVEL_WARNING },
};

int log_level_parse(const char *word, enum log_level *ret, struct error *e)
{
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (str_eq(words[i].word, word)) {
			*ret = words[i].level;
			return 0;
		}
	return refuse(e, EINVAL, "log level `%s` is none of error, warning, info, debug", word);
}

/* The log stays out of the way of the low descriptors, which a caller may hand on by number. */
enum { LOG_FD_MIN = 64 };

static int open_file(const char *path, struct error *e)
{
	if (str_starts(path, "journald:") || str_starts(path, "syslog:"))
		return refuse(e, ENOTSUP, "log target `%s` is not supported: give a file's path", path);
	if (str_starts(path, "file:"))
		path += strlen("file:");
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return fail(e, errno, "open log file %s", path);
	int high = fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD_MIN);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

int log_open(const struct log_options *options, struct error *e)
{
	target.level = options->level;
	if (options->path) {
		int fd = open_file(options->path, e);
		if (fd < 0)
			return fd;
		target.fd = fd;
	}
	target.json = options->json;
	return 0;
}

/* ---- lines ---- */

/* A line that grows in a buffer of fixed size; what does not fit is cut. */
struct line {
	char text[4096];
	size_t n;
};

static void add(struct line *l, const char *s, size_t len)
{
	size_t room = sizeof(l->text) - 1 - l->n; /* one byte is kept for the newline */
	if (len <= room) {
		memcpy(l->text + l->n, s, len);
		l->n += len;
	}
}

static void add_text(struct line *l, const char *s)
{
	add(l, s, strlen(s));
}

/* The length of the UTF-8 sequence at s, or 0 if it is none. */
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead;
		size_t len;
		uint32_t min;
	} forms[] = { { 0xe0, 0xc0, 2, 0x80 }, { 0xf0, 0xe0, 3, 0x800 }, { 0xf8, 0xf0, 4, 0x10000 } };

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		uint32_t point = s[0] & (unsigned char)~forms[i].mask;
		for (size_t k = 1; k < forms[i].len; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			point = point << 6 | (s[k] & 0x3f);
		}
		bool surrogate = point >= 0xd800 && point <= 0xdfff;
		return point < forms[i].min || point > 0x10ffff || surrogate ? 0 : forms[i].len;
	}
	return 0;
}

/* A string inside double quotes, as JSON and logfmt both take it: quotes and backslashes are escaped, control
 * characters as \uXXXX, bytes that are no UTF-8 become "?". */
static void add_quoted(struct line *l, const char *s)
{
	char escape[8];

	add(l, "\"", 1);
	for (size_t len; *s && l->n < sizeof(l->text) - 80; s += len) {
		unsigned char c = (unsigned char)*s;
		len = c < 0x80 ? 1 : utf8_length((const unsigned char *)s);
		if (len == 0) {
			add(l, "?", 1);
			len = 1;
		} else if (c == '"' || c == '\\') {
			add(l, "\\", 1);
			add(l, s, 1);
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", c);
			add_text(l, escape);
		} else {
			add(l, s, len);
		}
	}
	add(l, "\"", 1);
}

static void add_time(struct line *l)
{
	char text[64];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size_t n = strftime(text, sizeof(text), "\"%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%09ldZ\"", now.tv_nsec);
	add_text(l, text);
}

static void add_json(struct line *l, enum log_level level, const char *msg)
{
	add_text(l, "{\"level\":\"");
	add_text(l, words[level].word);
	add_text(l, "\",\"msg\":");
	add_quoted(l, msg);
	add_text(l, ",\"time\":");
	add_time(l);
	add_text(l, "}");
}

static void add_logfmt(struct line *l, enum log_level level, const char *msg)
{
	add_text(l, "time=");
	add_time(l);
	add_text(l, " level=");
	add_text(l, words[level].word);
	add_text(l, " msg=");
	add_quoted(l, msg);
}

static void add_plain(struct line *l, enum log_level level, char *msg)
{
	add_text(l, "coracle: ");
	if (level != LOG_LEVEL_ERROR) {
		add_text(l, words[level].word);
		add_text(l, ": ");
	}
	str_make_printable(msg);
	add_text(l, msg);
}

static void write_line(struct line *l, int fd)
{
	int saved = errno;

	l->text[l->n++] = '\n';
	while (write(fd, l->text, l->n) < 0 && errno == EINTR)
		;
	errno = saved;
}

static void emit(enum log_level level, char *msg)
{
	struct line l = { .n = 0 };

	if (target.json)
		add_json(&l, level, msg);
	else if (target.fd != STDERR_FILENO)
		add_logfmt(&l, level, msg);
	else
		add_plain(&l, level, msg);
	write_line(&l, target.fd);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char msg[1024];
	va_list ap;

	if (level > target.level)
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	emit(level, msg);
}

void log_failure(const struct error *e)
{
	struct line l = { .n = 0 };
	struct error copy = *e;

	emit(LOG_LEVEL_ERROR, copy.msg);
	if (target.fd == STDERR_FILENO)
		return;
	add_plain(&l, LOG_LEVEL_ERROR, copy.msg);
	write_line(&l, STDERR_FILENO);
}
