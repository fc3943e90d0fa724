/* SPDX-License-Identifier: GPL-2.0-or-later */
/* track.h - which pages changed since the last round: one interface, three ways
 *
 *	criu	CRIU's pre-dump with the kernel's soft-dirty bits: freezes every task for each round
 *	wp	our own: userfaultfd's asynchronous write-protection and PAGEMAP_SCAN (Linux 6.7): one stop of
 *at most some milliseconds per process when it is armed, none after that; memory is read while it runs none
 *no rounds: everything goes in one stop-and-copy
 *
 * A round passes pages to a page_sender. A tracker may only ever err on the side of sending too much or too
 * little: the final dump passes all pages by the sender's ledger, so what it missed is sent then.
 *
 *	tracker_new(); loop { page_sender_begin(); tracker_round(); page_sender_end(); } tracker_free();
 *freeze; CRIU's dump
 *
 * tracker_free() before CRIU's final dump; better after the freeze, for it costs the processes page table
 *work. It leaves them as they were: no descriptor, no protection, no trace. So does the death of this
 *process, SIGKILL included: what stops a process is a short-lived child of ours that finishes its work. */
#ifndef CORACLE_TRACK_H
#define CORACLE_TRACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "checkpoint/pages.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

enum track_mode { TRACK_AUTO, TRACK_CRIU, TRACK_WP, TRACK_NONE, TRACK_MAX };
extern const char *const track_names[TRACK_MAX]; /* "auto", "criu", "wp", "none" */

/* What this kernel can do. A mode that is not possible has a sentence why; NULL if it is. */
struct track_support {
	const char *why_not[TRACK_MAX];
};
void track_probe(struct track_support *ret);
/* TRACK_AUTO becomes wp, else criu, else none; others stay or are refused with -EOPNOTSUPP and the reason. */
int track_choose(enum track_mode wanted, const struct track_support *have, enum track_mode *ret,
		 struct error *e);

struct track_source {
	/* The container's processes now (thread group leaders, host pids), an array freed by the caller with
	 * free(3). */
	int (*list)(void *arg, pid_t **ret, size_t *ret_n, struct error *e);
	/* TRACK_CRIU: one pre-dump whose ps.fd is served by a page_server with has_parent true. */
	int (*predump)(void *arg, struct page_sender *s, struct error *e);
	void *arg;
	pid_t init; /* the container's first process: its pid namespace is the one whose numbers CRIU uses */
};

struct track_round_stats {
	uint64_t processes; /* tracked in this round */
	uint64_t untracked; /* could not be armed (traced by another, 32 bits, not stopping): sent by the
			       final dump */
	uint64_t armed;	    /* newly, in this round */
	uint64_t dirty;	    /* pages that were written since the round before (the first: all there are) */
	uint64_t sent;	    /* of these, contents sent */
	uint64_t stopped_us_max; /* longest stop of a process in this round */
	uint64_t stopped_us_sum;
	uint64_t scan_us; /* finding and protecting */
	uint64_t duration_us;
};

struct tracker;
int tracker_new(enum track_mode mode, const struct track_source *source, struct tracker **ret,
		struct error *e);
void tracker_free(struct tracker *t);
DEFINE_AUTO(tracker, struct tracker)
/* One round into the sender. `stop` (-1: none): becomes readable when the round is to be given up:
 * -ECANCELED. */
int tracker_round(struct tracker *t, struct page_sender *s, int stop, struct track_round_stats *ret,
		  struct error *e);
/* How many pages are dirty now, without protecting them again: what a stop now would have to send. wp only;
 * else 0. */
int tracker_count(struct tracker *t, uint64_t *ret_pages, struct error *e);

#endif
