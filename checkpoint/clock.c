/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.c - offset and error of another node's clock */
#include "checkpoint/clock.h"

#include <time.h>

/* A trip of more than an hour is no measurement. */
#define TRIP_MAX_NS (3600LL * 1000000000)

bool clock_add(struct clock_estimate *c, const struct clock_trip *t)
{
	int64_t total, theirs, there, back;

	if (__builtin_sub_overflow(t->t4, t->t1, &total) || __builtin_sub_overflow(t->t3, t->t2, &theirs) ||
	    __builtin_sub_overflow(t->t2, t->t1, &there) || __builtin_sub_overflow(t->t3, t->t4, &back))
		return false;
	if (theirs < 0 || total < theirs || total > TRIP_MAX_NS)
		return false;
	int64_t delay = total - theirs;
	if (c->trips == 0 || delay < c->delay_ns) {
		c->delay_ns = delay;
		c->offset_ns = there / 2 + back / 2; /* halves first: the sum could overflow */
		c->error_ns = delay / 2 + 1;
	}
	c->trips++;
	return true;
}

int64_t clock_to_ours(const struct clock_estimate *c, int64_t theirs_ns)
{
	return theirs_ns - c->offset_ns;
}

static int64_t now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int64_t clock_realtime_ns(void)
{
	return now(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
	return now(CLOCK_MONOTONIC);
}
