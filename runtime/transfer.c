/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transfer.c - how far an export or import has come */
#include "runtime/transfer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "specs/jsonout.h"

enum { BAR_WIDTH = 30 };
#define SHOW_EVERY_NS INT64_C(100000000)

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

const char *transfer_size(uint64_t bytes, char buf[static 24])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1000 && unit + 1 < COUNT_OF(units); unit++)
		value /= 1000;
	str_format(buf, 24, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

int transfer_init(struct transfer *t, const char *word, const char *verb, const char *past, const char *name,
		  bool stdout_is_data, struct error *e)
{
	static const char *const words[] = { "auto", "bar", "json", "none" };

	*t = (struct transfer){ .verb = verb,
				.past = past,
				.name = name,
				.began_ns = now_ns(),
				.out = stdout_is_data ? STDERR_FILENO : STDOUT_FILENO };
	for (size_t i = 0; word && i < COUNT_OF(words); i++)
		if (str_eq(word, words[i])) {
			t->style = (enum transfer_style)i;
			word = NULL;
		}
	if (word)
		return refuse(e, EINVAL, "option --progress: `%.40s` is none of bar, json, none", word);
	if (t->style == TRANSFER_AUTO)
		t->style = isatty(STDERR_FILENO) ? TRANSFER_BAR : TRANSFER_NONE;
	return 0;
}

static void show_json(const struct transfer *t, const char *event)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);
	struct error ignored;

	jsonout_object(o, NULL);
	jsonout_string(o, "event", event);
	jsonout_string(o, "container", t->name);
	jsonout_u64(o, "done", t->done);
	jsonout_u64(o, "total", t->total);
	jsonout_end(o);
	jsonout_newline(o);
	size_t size;
	auto_free char *line = jsonout_take(o, &size);
	if (line)
		io_write_all(t->out, line, size, &ignored);
}

static void show_bar(const struct transfer *t)
{
	char bar[BAR_WIDTH + 1], done[24], total[24], rate[24], line[200];
	uint64_t whole = t->total > t->done ? t->total : t->done;
	int full = whole ? (int)(t->done * BAR_WIDTH / whole) : BAR_WIDTH;
	int64_t ms = (now_ns() - t->began_ns) / 1000000;
	struct error ignored;

	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', (size_t)full);
	bar[BAR_WIDTH] = '\0';
	int n = str_format(line, sizeof(line), "\r%s %.40s [%s] %s of %s, %s/s \033[K", t->verb, t->name, bar,
			   transfer_size(t->done, done), transfer_size(whole, total),
			   transfer_size(ms ? t->done * 1000 / (uint64_t)ms : 0, rate));
	if (n > 0)
		io_write_all(STDERR_FILENO, line, strlen(line), &ignored);
}

int transfer_tell(void *arg, uint64_t done, struct error *e)
{
	struct transfer *t = arg;
	int64_t now = now_ns();

	(void)e;
	t->done = done;
	if (t->style == TRANSFER_NONE || now - t->shown_ns < SHOW_EVERY_NS)
		return 0;
	t->shown_ns = now;
	if (t->style == TRANSFER_BAR)
		show_bar(t);
	else
		show_json(t, t->verb);
	return 0;
}

void transfer_end(struct transfer *t, bool well)
{
	struct error ignored;

	if (t->style == TRANSFER_BAR && t->shown_ns)
		io_write_all(STDERR_FILENO, "\r\033[K", 4, &ignored);
	if (t->style == TRANSFER_JSON && well)
		show_json(t, t->past);
}
