/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.c - a migration's figures for people and programs while it goes on */
#include "checkpoint/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "specs/jsonout.h"

#define SHOW_EVERY_NS 100000000

const char *const progress_styles[PROGRESS_STYLE_MAX] = { "bar", "json", "none" };
const char *const frozen_parts[FROZEN_MAX] = {
	"freeze", "dump", "transfer", "files", "restore", "grant", "resume",
};

const char *progress_bytes(uint64_t bytes, char buf[static 24])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 999.5 && u + 1 < COUNT_OF(units)) {
		v /= 1000;
		u++;
	}
	snprintf(buf, 24, u && v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return buf;
}

const char *progress_time(uint64_t us, char buf[static 24])
{
	if (us >= 60000000)
		snprintf(buf, 24, "%llu min %02llu s", (unsigned long long)(us / 60000000),
			 (unsigned long long)(us / 1000000 % 60));
	else if (us >= 1000000)
		snprintf(buf, 24, "%.1f s", (double)us / 1e6);
	else
		snprintf(buf, 24, "%.1f ms", (double)us / 1e3);
	return buf;
}

void progress_init(struct progress *p, enum progress_style style, const char *container,
		   const char *destination)
{
	memset(p, 0, sizeof(*p));
	p->style = style;
	p->terminal = isatty(STDERR_FILENO);
	p->out = STDOUT_FILENO;
	p->err = STDERR_FILENO;
	p->container = container;
	p->destination = destination;
	p->phase = "begin";
	p->tracking = "none";
	p->outcome = "running";
	p->began_ns = clock_monotonic_ns();
}

static uint64_t elapsed_us(const struct progress *p)
{
	return (uint64_t)((p->ended_ns ? p->ended_ns : clock_monotonic_ns()) - p->began_ns) / 1000;
}

uint64_t progress_left_us(const struct progress *p)
{
	const struct progress_round *last = p->n_rounds ? &p->rounds[p->n_rounds - 1] : NULL;
	uint64_t todo = last ? last->pages_dirty * 4096 : p->memory_bytes;
	uint64_t done = (p->now.pages_sent + p->now.pages_zero + p->now.pages_same) * 4096;
	uint64_t rate = p->now.throughput ? p->now.throughput : last ? last->throughput : 0;

	if (!rate || p->ended_ns)
		return 0;
	return todo > done ? converge_time_us(todo - done, rate) : 0;
}

static void put_round(struct jsonout *o, const char *key, const struct progress_round *r)
{
	jsonout_object(o, key);
	jsonout_u64(o, "startedUs", r->started_us);
	jsonout_u64(o, "durationUs", r->duration_us);
	jsonout_u64(o, "pagesSent", r->pages_sent);
	jsonout_u64(o, "pagesDirty", r->pages_dirty);
	jsonout_u64(o, "pagesZero", r->pages_zero);
	jsonout_u64(o, "pagesSame", r->pages_same);
	jsonout_u64(o, "pagesDuplicate", r->pages_duplicate);
	jsonout_u64(o, "bytes", r->bytes);
	jsonout_u64(o, "wireBytes", r->wire_bytes);
	jsonout_u64(o, "throughput", r->throughput);
	jsonout_u64(o, "dirtyRate", r->dirty_rate);
	jsonout_u64(o, "expectedDowntimeUs", r->expected_downtime_us);
	jsonout_u64(o, "throttlePercent", r->throttle);
	jsonout_string(o, "decision", converge_names[r->verdict]);
	jsonout_end(o);
}

static void put_figures(struct jsonout *o, const struct progress *p)
{
	jsonout_string(o, "container", p->container);
	jsonout_string(o, "destination", p->destination);
	jsonout_string(o, "status", p->outcome);
	jsonout_string(o, "phase", p->phase);
	jsonout_u64(o, "elapsedUs", elapsed_us(p));
	jsonout_u64(o, "timeLeftUs", progress_left_us(p));
	jsonout_u64(o, "round", p->round);
	jsonout_string(o, "tracking", p->tracking);
	jsonout_u64(o, "memoryBytes", p->memory_bytes);
	jsonout_u64(o, "fileBytes", p->file_bytes);
	jsonout_u64(o, "imageBytes", p->image_bytes);
	jsonout_u64(o, "wireBytesOut", p->wire_out);
	jsonout_u64(o, "wireBytesIn", p->wire_in);
	jsonout_u64(o, "downtimeLimitUs", p->downtime_limit_us);
	jsonout_u64(o, "expectedDowntimeUs", p->expected_downtime_us);
	jsonout_u64(o, "throttlePercent", p->throttle);
	jsonout_u64(o, "downtimeUs", p->downtime_us);
	jsonout_object(o, "frozenUs");
	for (int i = 0; i < FROZEN_MAX; i++)
		jsonout_u64(o, frozen_parts[i], p->frozen_us[i]);
	jsonout_end(o);
	jsonout_object(o, "clock");
	jsonout_i64(o, "offsetNs", p->clock.offset_ns);
	jsonout_i64(o, "errorNs", p->clock.error_ns);
	jsonout_i64(o, "roundTripNs", p->clock.delay_ns);
	jsonout_end(o);
}

char *progress_json(const struct progress *p, bool rounds)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);

	jsonout_object(o, NULL);
	put_figures(o, p);
	if (rounds) {
		jsonout_array(o, "rounds");
		for (size_t i = 0; i < p->n_rounds; i++)
			put_round(o, NULL, &p->rounds[i]);
		jsonout_end(o);
	} else {
		put_round(o, "thisRound", &p->now);
	}
	jsonout_end(o);
	return jsonout_take(o, NULL);
}

static void show_json(const struct progress *p, bool rounds)
{
	auto_free char *text = progress_json(p, rounds);
	struct error ignored;

	if (!text)
		return;
	size_t n = strlen(text);
	text[n] = '\n'; /* in the NUL's place: one write, one line */
	(void)io_write_all(p->out, text, n + 1, &ignored);
}

/* Twenty cells of what this round has to carry. */
static void fill_bar(const struct progress *p, char bar[static 21])
{
	const struct progress_round *last = p->n_rounds ? &p->rounds[p->n_rounds - 1] : NULL;
	uint64_t todo = last ? last->pages_dirty * 4096 : p->memory_bytes;
	uint64_t done = (p->now.pages_sent + p->now.pages_zero + p->now.pages_same) * 4096;
	size_t cells = todo ? (size_t)((done > todo ? todo : done) * 20 / todo) : 0;

	memset(bar, '.', 20);
	memset(bar, '#', cells);
	bar[20] = '\0';
}

static void show_bar(const struct progress *p)
{
	char bar[21], bytes[24], rate[24], dirty[24], down[24], limit[24];

	fill_bar(p, bar);
	dprintf(p->err, "\r\033[K%s: %s [%s] round %u, %s sent, %s/s, dirty %s/s, downtime %s (limit %s)",
		p->container, p->phase, bar, p->round, progress_bytes(p->wire_out, bytes),
		progress_bytes(p->now.throughput, rate), progress_bytes(p->now.dirty_rate, dirty),
		progress_time(p->expected_downtime_us, down), progress_time(p->downtime_limit_us, limit));
}

static void show(struct progress *p)
{
	p->shown_ns = clock_monotonic_ns();
	if (p->style == PROGRESS_JSON)
		show_json(p, false);
	else if (p->style == PROGRESS_BAR && p->terminal)
		show_bar(p);
}

void progress_phase(struct progress *p, const char *name)
{
	p->phase = name;
	show(p);
}

void progress_update(struct progress *p)
{
	if (clock_monotonic_ns() - p->shown_ns >= SHOW_EVERY_NS)
		show(p);
}

void progress_end_round(struct progress *p)
{
	if (p->n_rounds < PROGRESS_ROUNDS_MAX)
		p->rounds[p->n_rounds++] = p->now;
	p->expected_downtime_us = p->now.expected_downtime_us;
	show(p);
	memset(&p->now, 0, sizeof(p->now));
}

static void summarize(const struct progress *p)
{
	char a[24], b[24], c[24], d[24];

	dprintf(p->err, "%s: %s in %s, %zu round%s, %s on the wire (memory %s, files %s)\n", p->container,
		p->outcome, progress_time(elapsed_us(p), a), p->n_rounds, p->n_rounds == 1 ? "" : "s",
		progress_bytes(p->wire_out, b), progress_bytes(p->memory_bytes, c),
		progress_bytes(p->file_bytes, d));
	if (!p->downtime_us)
		return;
	dprintf(p->err, "%s: stood still for %s:", p->container, progress_time(p->downtime_us, a));
	for (int i = 0; i < FROZEN_MAX; i++)
		dprintf(p->err, "%s %s %s", i ? "," : "", frozen_parts[i], progress_time(p->frozen_us[i], b));
	if (p->clock.trips)
		dprintf(p->err, "; clocks %+.3f ms apart, \302\261 %.3f ms", (double)p->clock.offset_ns / 1e6,
			(double)p->clock.error_ns / 1e6);
	dprintf(p->err, "\n");
}

void progress_end(struct progress *p, const char *outcome)
{
	p->ended_ns = clock_monotonic_ns();
	p->outcome = outcome;
	p->phase = "end";
	if (p->style == PROGRESS_JSON)
		show_json(p, true);
	if (p->style != PROGRESS_BAR)
		return;
	if (p->terminal)
		dprintf(p->err, "\r\033[K");
	summarize(p);
}
