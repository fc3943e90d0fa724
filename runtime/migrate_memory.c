/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_memory.c - memory leaves: rounds while the container runs, the rest while it stands still
 *
 * The rounds are the tracker's (checkpoint/track.h) and go through one page_sender, which knows what the target
 * has. After each, converge() decides from what was measured. In the frozen window CRIU passes every page to
 * a process of ours that is a copy of this one, ledger and all, and sends only what differs: it works while this
 * one answers CRIU's callbacks. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/migrate_source.h"

/* What a stop costs whatever is dirty, as measured on a small machine: freeze, metadata, restore and network of a
 * small container; and that CRIU passes every page by the ledger (bytes per µs). */
#define FIXED_GUESS_US	80000
#define LEDGER_BYTES_US 1300

/* ---- frames into the stream ---- */

static void note_figures(struct source *s, const struct page_stats *before)
{
	struct progress_round *now = &s->progress.now;
	struct page_stats stats;

	page_sender_stats(s->sender, &stats);
	now->pages_sent = stats.sent - before->sent;
	now->pages_zero = stats.zero - before->zero;
	now->pages_same = stats.same - before->same;
	now->pages_duplicate = stats.duplicate - before->duplicate;
	now->bytes = stats.raw_bytes - before->raw_bytes;
	now->wire_bytes = stats.wire_bytes - before->wire_bytes;
}

struct sending {
	struct migration *m;
	struct page_stats before; /* at the beginning of the round */
	bool quiet;		  /* in the pager: nothing is served or shown there */
};
static struct sending sending;

static int send_frame(void *arg, const struct iovec *pieces, int n, struct error *e)
{
	struct sending *sd = arg;
	struct source *s = sd->m->source;

	if (!sd->quiet) {
		int r = control_serve(sd->m, e);
		if (r < 0)
			return r;
		note_figures(s, &sd->before);
		progress_update(&s->progress);
	}
	struct iovec copy[8];
	if (n > (int)COUNT_OF(copy))
		return refuse(e, EINVAL, "a frame of %d pieces", n);
	memcpy(copy, pieces, (size_t)n * sizeof(*copy));
	return source_write(sd->m, s->memory_fd, copy, n, sd->quiet, e);
}

/* ---- throttling ---- */

/* cpu.max is "QUOTA PERIOD"; the quota of what the container may use now, cut by a percentage. */
static int set_throttle(struct source *s, uint32_t percent, struct error *e)
{
	char text[64];

	if (!*s->cpu_max) {
		ssize_t n = io_read_small(s->group, "cpu.max", s->cpu_max, sizeof(s->cpu_max), e);
		if (n < 0) {
			*s->cpu_max = '\0';
			return (int)n;
		}
	}
	unsigned long long quota, period = 100000;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (sscanf(s->cpu_max, "%llu %llu", &quota, &period) != 2) {
		if (sscanf(s->cpu_max, "max %llu", &period) != 1)
			period = 100000;
		quota = period * (unsigned long long)(cpus > 0 ? cpus : 1);
	}
	quota = quota * (100 - percent) / 100;
	snprintf(text, sizeof(text), "%llu %llu", quota < 1000 ? 1000 : quota, period);
	int r = io_write_file(s->group, "cpu.max", text, e);
	if (r == 0)
		s->throttle = s->progress.throttle = percent;
	return r;
}

static void unthrottle(struct source *s)
{
	struct error ignored;

	if (*s->cpu_max && io_write_file(s->group, "cpu.max", s->cpu_max, &ignored) < 0)
		log_warning("cpu.max could not be set back to %s: %s", s->cpu_max, ignored.msg);
	*s->cpu_max = '\0';
	s->throttle = s->progress.throttle = 0;
}

/* ---- rounds ---- */

static int list_processes(void *arg, pid_t **ret, size_t *ret_n, struct error *e)
{
	return source_pids(arg, ret, ret_n, e);
}

static int one_round(struct migration *m, struct converge_round *ret, struct error *e)
{
	struct source *s = m->source;
	struct track_round_stats stats = { 0 };
	struct progress_round *now = &s->progress.now;
	uint64_t dirty = 0;

	page_sender_stats(s->sender, &sending.before);
	s->progress.round = ret->number;
	int64_t began = clock_monotonic_ns();
	now->started_us = (uint64_t)(began - s->progress.began_ns) / 1000;
	int r = page_sender_begin(s->sender, false, e);
	if (r == 0)
		r = tracker_round(s->tracker, s->sender, interrupt_fd(), &stats, e);
	if (r == 0)
		r = page_sender_end(s->sender, e);
	if (r == 0)
		r = files_send_changes(m, false, e);
	if (r == 0)
		r = tracker_count(s->tracker, &dirty, e);
	if (r < 0)
		return r == -ECANCELED && interrupt_pending(e) < 0 ? -EINTR : r;
	note_figures(s, &sending.before);
	now->duration_us = ret->duration_us = (uint64_t)(clock_monotonic_ns() - began) / 1000;
	now->pages_dirty = dirty;
	ret->sent_bytes = now->bytes;
	ret->wire_bytes = now->wire_bytes;
	ret->dirty_bytes = dirty * 4096;
	return 0;
}

static int act(struct migration *m, const struct converge_round *previous, const struct converge_round *last,
	       enum converge_verdict *ret, struct error *e)
{
	struct source *s = m->source;
	struct progress_round *now = &s->progress.now;
	struct converge_decision d;

	s->policy.fixed_us = FIXED_GUESS_US + s->progress.memory_bytes / LEDGER_BYTES_US;
	converge(&s->policy, previous, last, s->throttle, &d);
	now->throughput = d.throughput;
	now->dirty_rate = d.dirty_rate;
	now->expected_downtime_us = d.expected_downtime_us;
	now->verdict = d.verdict;
	now->throttle = s->throttle;
	progress_end_round(&s->progress);
	log_debug("round %u: %s: %s", last->number, converge_names[d.verdict], d.why);
	*ret = d.verdict;
	if (d.verdict == CONVERGE_GIVE_UP)
		return refuse(e, EBUSY,
			      "%s (expected downtime %llu ms, limit %u ms): raise --downtime-limit, or use "
			      "--auto-converge or --force",
			      d.why, (unsigned long long)(d.expected_downtime_us / 1000),
			      s->policy.downtime_limit_ms);
	return d.verdict == CONVERGE_THROTTLE ? set_throttle(s, d.throttle, e) : 0;
}

static int run_rounds(struct migration *m, struct error *e)
{
	struct converge_round rounds[2] = { 0 };
	enum converge_verdict verdict = CONVERGE_GO_ON;

	for (uint32_t number = 1; verdict != CONVERGE_STOP; number++) {
		struct converge_round *last = &rounds[number % 2], *previous = &rounds[(number + 1) % 2];
		*last = (struct converge_round){ .number = number };
		int r = one_round(m, last, e);
		if (r == 0)
			r = act(m, number > 1 ? previous : NULL, last, &verdict, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Without tracking all of it goes in the frozen window: is that below the limit? A local link is guessed. */
static int check_without_rounds(struct source *s, struct error *e)
{
	uint64_t rate =
		400000000; /* bytes per second; what one stream was measured to do on a small machine */

	if (s->policy.bandwidth && s->policy.bandwidth < rate)
		rate = s->policy.bandwidth;
	uint64_t expected = converge_time_us(s->progress.memory_bytes, rate) + FIXED_GUESS_US;
	s->progress.expected_downtime_us = expected;
	if (expected <= (uint64_t)s->policy.downtime_limit_ms * 1000 || s->policy.force)
		return 0;
	return refuse(e, EBUSY,
		      "this kernel cannot track the container's memory, so all of it is copied while it "
		      "stands still: "
		      "about %llu ms, the limit is %u ms: raise --downtime-limit, or use --force",
		      (unsigned long long)(expected / 1000), s->policy.downtime_limit_ms);
}

static int choose_tracking(struct source *s, struct error *e)
{
	enum track_mode wanted = TRACK_AUTO;
	struct track_support have;

	if (s->o->track) {
		int word = 0;
		while (word < TRACK_MAX && !str_eq(track_names[word], s->o->track))
			word++;
		if (word == TRACK_MAX)
			return usage(e, "--track %s: expected auto, wp, criu or none", s->o->track);
		wanted = (enum track_mode)word;
	}
	track_probe(&have);
	int r = track_choose(wanted, &have, &s->track, e);
	if (r == 0 && s->track == TRACK_CRIU) {
		if (wanted == TRACK_CRIU)
			return refuse(e, EOPNOTSUPP,
				      "--track criu: not implemented for migration yet; wp is");
		s->track = TRACK_NONE;
	}
	if (r == 0)
		s->progress.tracking = track_names[s->track];
	return r;
}

int source_memory(struct migration *m, struct error *e)
{
	struct source *s = m->source;
	const struct page_sender_options options = { .codec = PAGE_CODEC_NONE };
	const struct page_sink sink = { send_frame, &sending };

	progress_phase(&s->progress, "memory");
	int r = choose_tracking(s, e);
	if (r == 0)
		r = channel_stream(m->channel, STREAM_MEMORY, &s->memory_fd, e);
	sending = (struct sending){ .m = m };
	if (r == 0)
		r = page_sender_new(&options, &sink, &s->sender, e);
	if (r < 0)
		return r;
	if (s->track == TRACK_NONE)
		return check_without_rounds(s, e);
	const struct track_source source = { .list = list_processes,
					     .arg = s,
					     .init = dump_container(s->dump)->state->pid };
	r = tracker_new(s->track, &source, &s->tracker, e);
	return r < 0 ? r : run_rounds(m, e);
}

void memory_undo(struct source *s)
{
	tracker_free(s->tracker);
	s->tracker = NULL;
	if (s->pager > 0)
		proc_end(&s->pager);
	if (s->group >= 0)
		unthrottle(s);
	page_sender_free(s->sender);
	s->sender = NULL;
	if (s->last)
		munmap(s->last, sizeof(*s->last));
	s->last = NULL;
}

void source_unmemory(struct migration *m)
{
	memory_undo(m->source);
}

/* ---- the frozen window ---- */

/* In the pager. */
static int serve_last(struct source *s, struct error *e)
{
	struct page_server *server = NULL;

	int r = page_sender_begin(s->sender, true, e);
	if (r == 0)
		r = page_server_new(s->sender, s->pages_ours, false, &server, e);
	if (r == 0)
		r = page_server_run(server, -1, e);
	if (r == 0)
		r = page_sender_end(s->sender, e);
	page_server_free(server);
	return r;
}

int memory_start_pager(struct migration *m, struct error *e)
{
	struct source *s = m->source;

	tracker_free(s->tracker); /* after the freeze: nothing is written any more */
	s->tracker = NULL;
	s->last = mmap(NULL, sizeof(*s->last), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->last == MAP_FAILED) {
		s->last = NULL;
		return fail(e, errno, "mmap");
	}
	page_sender_stats(s->sender, &sending.before);
	s->pager = fork();
	if (s->pager < 0)
		return fail(e, errno, "fork");
	if (s->pager == 0) {
		sending.quiet = true;
		const int keep[] = { s->pages_ours, s->memory_fd };
		fd_close_all_but(keep, COUNT_OF(keep));
		int r = serve_last(s, &s->last->error);
		page_sender_stats(s->sender, &s->last->stats);
		_exit(r < 0);
	}
	replace_fd(&s->pages_ours, -1);
	return 0;
}

/* Questions are answered meanwhile: on a slow link this is where the container stands still. */
static int wait_for_pager(struct migration *m, struct error *e)
{
	struct source *s = m->source;
	int r = 0;

	auto_close int pidfd = sys_pidfd_open(s->pager, 0);
	while (r == 0 && pidfd >= 0) {
		struct pollfd p[3] = { { .fd = pidfd, .events = POLLIN },
				       { .fd = s->control, .events = POLLIN },
				       { .fd = interrupt_fd(), .events = POLLIN } };
		if (poll(p, COUNT_OF(p), -1) < 0 && errno != EINTR)
			return fail(e, errno, "poll");
		if (p[0].revents)
			return 0;
		r = control_serve(m, e);
	}
	return r;
}

int memory_end_pager(struct migration *m, struct error *e)
{
	struct source *s = m->source;
	struct progress_round *now = &s->progress.now;
	int status = 0;

	int r = wait_for_pager(m, e);
	if (r == 0)
		r = proc_wait(s->pager, &status, e);
	if (r < 0)
		return r; /* memory_undo() ends it */
	s->pager = 0;
	channel_end_stream(&s->memory_fd);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		if (s->last->error.code)
			return refuse(e, s->last->error.code, "%s", s->last->error.msg);
		return refuse(e, EIO, "the process that sends pages ended with status %d",
			      proc_exit_code(status));
	}
	s->progress.round++;
	now->started_us = (uint64_t)(s->mark_ns - s->progress.began_ns) / 1000;
	now->pages_sent = s->last->stats.sent - sending.before.sent;
	now->pages_zero = s->last->stats.zero - sending.before.zero;
	now->pages_same = s->last->stats.same - sending.before.same;
	now->pages_duplicate = s->last->stats.duplicate - sending.before.duplicate;
	now->bytes = s->last->stats.raw_bytes - sending.before.raw_bytes;
	now->wire_bytes = s->last->stats.wire_bytes - sending.before.wire_bytes;
	now->duration_us = s->progress.frozen_us[FROZEN_DUMP];
	now->verdict = CONVERGE_STOP;
	now->expected_downtime_us = s->progress.expected_downtime_us; /* what was promised */
	progress_end_round(&s->progress);
	return 0;
}
