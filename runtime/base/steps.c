/* SPDX-License-Identifier: GPL-2.0-or-later */
/* steps.c - the walker: run own rows, wait for the others', report, undo */
#include "runtime/base/steps.h"

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/str.h"

struct report {
	int row, who;
	pid_t pid; /* a process that the sender made; 0: none */
	struct error error;
};

/* As sent: everything up to the message's end. */
static size_t report_size(const struct report *r)
{
	return offsetof(struct report, error.msg) + strlen(r->error.msg) + 1;
}

static const char *const who_names[WHO_MAX] = { "runtime", "setup", "init" };

void steps_init(struct walk *w, const struct step *steps, size_t count, void *story)
{
	*w = (struct walk){ .steps = steps,
			    .count = count,
			    .story = story,
			    .me = WHO_RUNTIME,
			    .sock = -1,
			    .peer_sock = -1,
			    .child = -1,
			    .passed_fd = -1,
			    .highest = { -1, -1, -1 } };
}

int steps_connect(struct walk *w, struct error *e)
{
	int pair[2];

	if (w->sock >= 0)
		return 0;
	int r = fd_socketpair(pair, e);
	if (r < 0)
		return r;
	w->sock = pair[0];
	w->peer_sock = pair[1];
	return 0;
}

void steps_become_child(struct walk *w, enum who who)
{
	if (w->me == WHO_RUNTIME) {
		replace_fd(&w->sock, take_fd(&w->peer_sock));
		replace_fd(&w->passed_fd, -1);
		replace_fd(&w->child, -1);
	}
	/* What the parent has finished up to here is finished. */
	w->highest[w->me] = (int)w->at;
	w->me = who;
}

void steps_close_peer(struct walk *w)
{
	replace_fd(&w->peer_sock, -1);
}

static bool is_active(const struct walk *w, size_t row)
{
	return !w->steps[row].active || w->steps[row].active(w);
}

/* After own row `row`: does a later row of another process wait for it before we report again? */
static bool is_awaited(const struct walk *w, size_t row)
{
	for (size_t i = row + 1; i < w->count; i++) {
		if (!is_active(w, i))
			continue;
		if (w->steps[i].who == w->me)
			return false;
		if (!w->steps[i].overlap)
			return true;
	}
	return false;
}

static int send_report(struct walk *w, const struct error *failure, struct error *e)
{
	struct report report = { .row = (int)w->at, .who = w->me, .pid = w->passed_pid };

	if (failure)
		report.error = *failure;
	w->passed_pid = 0;
	int r = fd_send(w->sock, &report, report_size(&report), w->me == WHO_RUNTIME ? -1 : w->passed_fd, e);
	if (w->me != WHO_RUNTIME)
		replace_fd(&w->passed_fd, -1);
	return r;
}

void steps_report_failure(struct walk *w, const struct error *e)
{
	struct error ignored;

	if (w->sock >= 0)
		send_report(w, e, &ignored);
}

/* A child's word about itself is checked like a stranger's. */
static int check_report(const struct walk *w, struct report *report, ssize_t size, struct error *e)
{
	size_t least = offsetof(struct report, error.msg) + 1;
	if ((size_t)size < least || report->row < 0 || (size_t)report->row >= w->count || report->who < 0 ||
	    report->who >= WHO_MAX || report->who == (int)w->me || report->pid < 0 ||
	    report->error.code < 0 || report->error.code > 4095)
		return refuse(e, EPROTO, "a report of another process is not understood");
	((char *)report)[size - 1] = '\0';
	str_make_printable(report->error.msg);
	return 0;
}

/* One report. Returns 1, 0 at the end of the conversation, or the failure that was reported. */
static int receive_report(struct walk *w, struct error *e)
{
	struct report report = { 0 };
	auto_close int fd = -1;

	if (w->me == WHO_RUNTIME) {
		int r = interrupt_wait(w->sock, w->child, -1, e);
		if (r <= 0)
			return r;
	}
	ssize_t n;
	/* A peer that ended with mail unread resets the connection, once; what it had sent comes after. */
	do
		n = fd_receive(w->sock, &report, sizeof(report), &fd, e);
	while (n == -ECONNRESET);
	if (n == 0)
		return 0;
	if (n < 0)
		return (int)n;
	int r = check_report(w, &report, n, e);
	if (r < 0)
		return r;
	if (fd >= 0)
		replace_fd(&w->passed_fd, take_fd(&fd));
	if (report.pid)
		w->passed_pid = report.pid;
	if (report.error.code) {
		*e = report.error;
		return prefix(e, "%s (%s)", w->steps[report.row].name, who_names[report.who]);
	}
	if (w->highest[report.who] < report.row)
		w->highest[report.who] = report.row;
	return 1;
}

/* The last active row of `who` above `row`, or -1. */
static int last_row_of(const struct walk *w, enum who who, size_t row)
{
	for (size_t i = row; i-- > 0;)
		if (w->steps[i].who == who && is_active(w, i))
			return (int)i;
	return -1;
}

static int wait_for_others(struct walk *w, size_t row, struct error *e)
{
	for (int who = 0; who < WHO_MAX; who++) {
		int needed = who == (int)w->me ? -1 : last_row_of(w, (enum who)who, row);
		while (w->highest[who] < needed) {
			int r = receive_report(w, e);
			if (r < 0)
				return r;
			if (r == 0)
				return refuse(e, ECHILD, "%s: the %s process ended unexpectedly",
					      w->steps[needed].name, who_names[who]);
		}
	}
	return 0;
}

int steps_wait_end(struct walk *w, struct error *e)
{
	int r;
	do
		r = receive_report(w, e);
	while (r > 0);
	return r;
}

#ifdef FAULT_INJECTION
/* A test build: CORACLE_FAIL_AT=NAME makes the row of that name fail, CORACLE_KILL_AT=NAME ends the process
 * that is about to run it, CORACLE_KILL_AFTER=NAME when it has just been run. */
static int inject(const struct step *s, bool after, struct error *e)
{
	const char *fail_at = getenv("CORACLE_FAIL_AT");
	const char *kill_at = getenv(after ? "CORACLE_KILL_AFTER" : "CORACLE_KILL_AT");

	if (kill_at && str_eq(kill_at, s->name)) {
		raise(SIGKILL);
		_exit(1); /* the first process of a pid namespace cannot kill itself */
	}
	if (!after && fail_at && str_eq(fail_at, s->name))
		return refuse(e, EIO, "injected failure");
	return 0;
}
#else
static int inject(const struct step *s, bool after, struct error *e)
{
	(void)s;
	(void)after;
	(void)e;
	return 0;
}
#endif

static int run_row(struct walk *w, struct error *e)
{
	const struct step *s = &w->steps[w->at];

	int r = inject(s, false, e);
	if (r == 0)
		r = s->run(w, e);
	if (r < 0)
		return prefix(e, "%s", s->name);
	return inject(s, true, e);
}

static void undo_from(struct walk *w, size_t row)
{
	for (size_t i = row; i-- > 0;)
		if (w->steps[i].who == WHO_RUNTIME && w->steps[i].undo && is_active(w, i))
			w->steps[i].undo(w);
}

void steps_undo(struct walk *w)
{
	undo_from(w, w->count);
}

/* A row that fails has undone its own part; the rows above it are undone here. */
static int walk_failed(struct walk *w, bool own_row, struct error *e)
{
	if (w->me == WHO_RUNTIME) {
		undo_from(w, w->at);
		return -e->code;
	}
	if (own_row) {
		/* RUNTIME puts the row's name in front itself. */
		struct error bare = *e;
		size_t n = strlen(w->steps[w->at].name);
		if (strncmp(e->msg, w->steps[w->at].name, n) == 0 && e->msg[n] == ':')
			memmove(bare.msg, e->msg + n + 2, strlen(e->msg + n + 2) + 1);
		steps_report_failure(w, &bare);
	}
	return -e->code;
}

int steps_walk(struct walk *w, struct error *e)
{
	for (w->at = 0; w->at < w->count; w->at++) {
		if (w->steps[w->at].who != w->me || !is_active(w, w->at))
			continue;
		int r = w->steps[w->at].overlap ? 0 : wait_for_others(w, w->at, e);
		if (r < 0)
			return walk_failed(w, false, e);
		r = run_row(w, e);
		if (r < 0)
			return walk_failed(w, true, e);
		w->highest[w->me] = (int)w->at;
		if (w->sock < 0 || !is_awaited(w, w->at))
			continue;
		r = send_report(w, NULL, e);
		if (r < 0 &&
		    r != -EPIPE) /* a peer that is gone is told by what it said last, or by its end */
			return walk_failed(w, false, e);
	}
	return 0;
}
