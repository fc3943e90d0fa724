/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h - how far apart the clocks of two nodes are
 *
 * By timestamped round trips, as NTP does it (RFC 5905, section 8): we send at t1, the other side receives at
 * t2 and answers at t3 by its own clock, the answer comes in at t4. Half of what the trip took bounds the
 * error; the trip that took least says most. Pure; nanoseconds of CLOCK_REALTIME. */
#ifndef CORACLE_CLOCK_H
#define CORACLE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock_trip {
	int64_t t1, t2, t3, t4;
};

struct clock_estimate {
	int64_t offset_ns; /* their clock minus ours */
	int64_t error_ns;  /* the truth is within offset ± error, if the clocks run alike */
	int64_t delay_ns;  /* of the best trip, without the time the other side took */
	uint32_t trips;
};

/* Take a trip into the estimate ({0} at first). False: the trip is impossible (time went backwards: a clock
 * was set, or the other side lies), and is left out. */
bool clock_add(struct clock_estimate *c, const struct clock_trip *t);

/* A time of theirs by our clock. */
int64_t clock_to_ours(const struct clock_estimate *c, int64_t theirs_ns);

int64_t clock_realtime_ns(void);
int64_t clock_monotonic_ns(void);

#endif
