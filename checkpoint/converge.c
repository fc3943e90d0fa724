/* SPDX-License-Identifier: GPL-2.0-or-later */
/* converge.c - the decision after each round, from measurements alone */
#include "checkpoint/converge.h"

#include <stddef.h>

const char *const converge_names[CONVERGE_MAX] = { "go on", "stop", "throttle", "give up", "post-copy" };

uint64_t converge_rate(uint64_t bytes, uint64_t us)
{
	unsigned __int128 rate = (unsigned __int128)bytes * 1000000 / (us ? us : 1);
	return rate > UINT64_MAX ? UINT64_MAX : (uint64_t)rate;
}

uint64_t converge_time_us(uint64_t bytes, uint64_t throughput)
{
	if (bytes == 0)
		return 0;
	if (throughput == 0)
		return UINT64_MAX;
	unsigned __int128 us = (unsigned __int128)bytes * 1000000 / throughput;
	return us > UINT64_MAX ? UINT64_MAX : (uint64_t)us;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The last round is too small to tell how fast the link is when it carried next to nothing: the best of two.
 * Never more than the cap. */
static uint64_t throughput(const struct converge_policy *p, const struct converge_round *previous,
			   const struct converge_round *last)
{
	uint64_t best = converge_rate(last->sent_bytes, last->duration_us);

	if (previous) {
		uint64_t before = converge_rate(previous->sent_bytes, previous->duration_us);
		if (before > best)
			best = before;
	}
	uint64_t cap = p->bandwidth;
	if (cap && last->wire_bytes && last->wire_bytes < last->sent_bytes)
		cap = converge_rate(cap, last->wire_bytes * 1000000 / last->sent_bytes); /* compression */
	return cap && best > cap ? cap : best;
}

/* A round shrinks if it leaves clearly less than it carried: nine tenths, so that noise does not decide. */
static bool shrinks(const struct converge_round *r)
{
	return r->dirty_bytes < r->sent_bytes - r->sent_bytes / 10;
}

static void decide(const struct converge_policy *p, const struct converge_round *last, uint32_t throttle,
		   struct converge_decision *d)
{
	bool is_last = last->number >= p->max_rounds;

	d->throttle = throttle;
	if (d->expected_downtime_us <= (uint64_t)p->downtime_limit_ms * 1000) {
		d->verdict = CONVERGE_STOP;
		d->why = "the expected downtime is within the limit";
	} else if (p->post_copy && (is_last || !shrinks(last))) {
		d->verdict = CONVERGE_POSTCOPY;
		d->why = "what is left is fetched after the move";
	} else if (!is_last && shrinks(last)) {
		d->verdict = CONVERGE_GO_ON;
		d->why = "rounds become smaller";
	} else if (!is_last && p->auto_converge && throttle < CONVERGE_THROTTLE_MAX) {
		d->verdict = CONVERGE_THROTTLE;
		d->throttle = throttle ? throttle + CONVERGE_THROTTLE_STEP : CONVERGE_THROTTLE_FIRST;
		if (d->throttle > CONVERGE_THROTTLE_MAX)
			d->throttle = CONVERGE_THROTTLE_MAX;
		d->why =
			"memory is written faster than it is carried: the container gets less processor time";
	} else if (p->force) {
		d->verdict = CONVERGE_STOP;
		d->why = "rounds do not become smaller; stopped above the limit, as asked (--force)";
	} else if (is_last) {
		d->verdict = CONVERGE_GIVE_UP;
		d->why = "the expected downtime is above the limit after the last round";
	} else if (last->number < 3) {
		/* Early rounds lie: the first carries pages that are never written again. */
		d->verdict = CONVERGE_GO_ON;
		d->why = "too early to tell";
	} else {
		d->verdict = CONVERGE_GIVE_UP;
		d->why = "memory is written faster than it is carried";
	}
}

void converge(const struct converge_policy *p, const struct converge_round *previous,
	      const struct converge_round *last, uint32_t throttle, struct converge_decision *ret)
{
	struct converge_decision d = { .throughput = throughput(p, previous, last),
				       .dirty_rate = converge_rate(last->dirty_bytes, last->duration_us) };

	d.expected_downtime_us = add(converge_time_us(last->dirty_bytes, d.throughput), p->fixed_us);
	decide(p, last, throttle, &d);
	*ret = d;
}
