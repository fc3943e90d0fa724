/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.h - what a migration is doing, told while it goes on and when it is over
 *
 * One record, filled by the story, shown in three ways: a bar for people (on a terminal), lines of JSON
 * for programs (stdout), and the text that `migrate --status` gets from the story's socket. At the end a
 * summary, and on request a report: the record with all rounds as JSON, or as a picture (SVG, alone or in a
 * page). */
#ifndef CORACLE_PROGRESS_H
#define CORACLE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/clock.h"
#include "checkpoint/converge.h"
#include "runtime/base/error.h"

enum progress_style { PROGRESS_BAR, PROGRESS_JSON, PROGRESS_NONE, PROGRESS_STYLE_MAX };
extern const char *const progress_styles[PROGRESS_STYLE_MAX]; /* "bar", "json", "none" */

#define PROGRESS_ROUNDS_MAX 200

/* The parts of the time for which the container stood still; µs. */
enum frozen_part {
	FROZEN_FREEZE,	 /* the group stops, the network is held */
	FROZEN_DUMP,	 /* CRIU reads the tasks; last pages leave meanwhile */
	FROZEN_TRANSFER, /* what was still under way: last pages, metadata */
	FROZEN_FILES,	 /* the last changes of files */
	FROZEN_RESTORE,	 /* CRIU makes the tasks on the other side */
	FROZEN_GRANT,	 /* the grant, journalled on both sides */
	FROZEN_RESUME,	 /* tasks run, the address is announced */
	FROZEN_MAX
};
extern const char *const frozen_parts[FROZEN_MAX];

struct progress_round {
	uint64_t started_us, duration_us; /* since the migration's beginning */
	uint64_t pages_sent, pages_zero, pages_same, pages_duplicate, pages_dirty;
	uint64_t bytes; /* contents sent */
	uint64_t wire_bytes;
	uint64_t throughput, dirty_rate; /* bytes per second */
	uint64_t expected_downtime_us;
	uint32_t throttle; /* percent */
	enum converge_verdict verdict;
};

struct progress {
	/* how it is shown */
	enum progress_style style;
	bool terminal;
	int out, err;	  /* JSON lines; people's */
	int64_t shown_ns; /* last time */
	/* what is shown */
	const char *container, *destination;
	const char *phase;
	int64_t began_ns, ended_ns; /* CLOCK_MONOTONIC */
	uint32_t round;
	struct progress_round rounds[PROGRESS_ROUNDS_MAX];
	size_t n_rounds;
	struct progress_round now; /* the round at hand, as far as it is */
	uint64_t memory_bytes;	   /* the container's, when it began */
	uint64_t file_bytes, image_bytes, wire_out, wire_in;
	uint64_t downtime_limit_us, expected_downtime_us;
	uint64_t frozen_us[FROZEN_MAX];
	uint64_t downtime_us; /* all of it, 0 until it is known */
	struct clock_estimate clock;
	uint32_t throttle;
	const char *tracking; /* "wp", "criu", "none" */
	const char *outcome;  /* "running", "completed", "failed", "kept frozen" */
};

void progress_init(struct progress *p, enum progress_style style, const char *container,
		   const char *destination);

/* A phase begins: always shown. */
void progress_phase(struct progress *p, const char *name);

/* Figures changed: shown at most ten times a second. */
void progress_update(struct progress *p);

/* A round ended: kept, and shown. */
void progress_end_round(struct progress *p);

/* The end: the bar is cleared, the summary printed (people: stderr; JSON: one line). */
void progress_end(struct progress *p, const char *outcome);

/* The whole record as one JSON object; `rounds`: with all of them. A new string or NULL. */
char *progress_json(const struct progress *p, bool rounds);

/* What is left to do at the present rate, µs; 0: not known. (pure) */
uint64_t progress_left_us(const struct progress *p);

/* A sentence for people: "12.3 MB", "1.2 GB", "87.1 ms", "3.4 s". (pure) */
const char *progress_bytes(uint64_t bytes, char buf[static 24]);
const char *progress_time(uint64_t us, char buf[static 24]);

/* Write the report; the file's ending decides: .json, .svg, .html. Others are -EINVAL, which
 * progress_check_report() says before anything is done. */
int progress_check_report(const char *path, struct error *e);
int progress_report(const struct progress *p, const char *path, struct error *e);

#endif
