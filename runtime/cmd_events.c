/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_events.c - coracle events: figures of a container and its out-of-memory kills, as JSON lines
 *
 * One loop waits for three things at once: the container's end (its pidfd), a change of memory.events, and
 * the time for the next figures. The shapes are runc's: {"type":"stats",…}, {"type":"oom","id":"…"}. */
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/commands.h"

struct events_options {
	bool stats;
	int interval_ms;
};

static const struct opt events_table[] = {
	{ "stats", 0, OPT_FLAG, offsetof(struct events_options, stats), NULL,
	  "print the figures once and leave" },
	{ "interval", 0, OPT_DURATION, offsetof(struct events_options, interval_ms), "TIME",
	  "time between figures, such as 500ms (default: 5s)" },
	{ .kind = OPT_END },
};

static void init_options(void *options)
{
	struct events_options *o = options;

	o->interval_ms = 5000;
}

struct watch {
	const char *id;
	int group, pidfd;
	int memory;	/* memory.events, or -1 where the memory controller is not */
	uint64_t kills; /* what it said last */
};

/* The sum of the "oom" and "oom_kill" lines: it grows with every event. */
static uint64_t read_kills(int fd)
{
	static const char *const keys[] = { "oom ", "oom_kill " };
	char text[1024];
	uint64_t sum = 0, value;

	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	if (n < 0)
		return 0;
	text[n] = '\0';
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		for (size_t i = 0; i < COUNT_OF(keys); i++)
			if (str_starts(line, keys[i]) && str_to_u64(line + strlen(keys[i]), &value) == 0)
				sum += value;
	return sum;
}

/* A reader may have gone away: then there is nobody to go on for. */
static int flush(struct error *e)
{
	return fflush(stdout) < 0 ? fail(e, errno, "write to stdout") : 0;
}

static int print_oom(struct watch *w, struct error *e)
{
	uint64_t kills = read_kills(w->memory);

	if (kills <= w->kills)
		return 0;
	w->kills = kills;
	printf("{\"type\":\"oom\",\"id\":\"%s\"}\n", w->id);
	return flush(e);
}

static int print_stats(const struct watch *w, struct error *e)
{
	auto_free char *json = NULL;

	int r = cgroup_stats_json(w->group, w->id, &json, e);
	if (r < 0)
		return r;
	puts(json);
	return flush(e);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Wait until the container ends (returns 1) or the time has come (0), telling of kills meanwhile. */
static int watch_until(struct watch *w, int64_t deadline, struct error *e)
{
	struct pollfd fds[] = { { .fd = w->pidfd, .events = POLLIN },
				{ .fd = w->memory, .events = POLLPRI } };

	for (;;) {
		int64_t left = deadline - now_ms();
		if (left <= 0)
			return 0;
		if (poll(fds, COUNT_OF(fds), left > INT_MAX ? INT_MAX : (int)left) < 0 && errno != EINTR)
			return fail(e, errno, "wait for container %s", w->id);
		int r = fds[1].revents || fds[0].revents ? print_oom(w, e) : 0;
		if (r < 0 || fds[0].revents)
			return r < 0 ? r : 1;
	}
}

static bool has_ended(const struct watch *w)
{
	struct pollfd p = { .fd = w->pidfd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

static int follow(struct watch *w, int interval_ms, struct error *e)
{
	struct error ignored;

	w->memory = path_beneath(w->group, "memory.events", O_RDONLY, false, &ignored);
	w->kills = read_kills(w->memory);
	int r = 0;
	while (r == 0) {
		int64_t next = now_ms() + interval_ms;
		r = print_stats(w, e);
		if (r == 0)
			r = watch_until(w, next, e);
	}
	cleanup_close(&w->memory);
	/* Its group may be gone before we see the container's end. */
	return r < 0 && !has_ended(w) ? r : 0;
}

static int run_events(struct call *call, struct error *e)
{
	const struct events_options *o = call->options;
	AUTO(container) struct container *c = NULL;

	if (o->interval_ms <= 0)
		return usage(e, "events: option --interval: it must be longer than nothing");
	int r = container_open(call->globals, call->args[0], false, &c, e);
	if (r < 0)
		return r;
	auto_close int pidfd = container_pidfd(c, e);
	if (pidfd < 0)
		return pidfd;
	auto_close int group = container_cgroup(c, e);
	if (group < 0)
		return group;
	struct watch w = { .id = c->id, .group = group, .pidfd = pidfd, .memory = -1 };
	return o->stats ? print_stats(&w, e) : follow(&w, o->interval_ms, e);
}

const struct command cmd_events = {
	.name = "events",
	.arguments = "ID",
	.summary = "print a container's figures and out-of-memory kills as JSON lines",
	.details = "Leaves when the container ends.",
	.options = events_table,
	.options_size = sizeof(struct events_options),
	.init = init_options,
	.min_args = 1,
	.max_args = 1,
	.run = run_events,
};
