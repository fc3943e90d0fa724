/* SPDX-License-Identifier: GPL-2.0-or-later */
/* converge.h - after a round of memory: go on, stop, throttle or give up? (pure)
 *
 * What is still dirty has to be copied while the container stands still. So the downtime to expect is
 *
 *	dirty bytes / throughput + fixed cost
 *
 * and the rule is QEMU's: stop as soon as that is within the limit. Going on makes sense only while rounds
 * shrink: that is, while memory becomes dirty more slowly than it is carried away. When it does not, the
 * container is throttled if that was allowed; after the last round the story ends as the policy says: by
 * giving up, or by stopping all the same (--force). */
#ifndef CORACLE_CONVERGE_H
#define CORACLE_CONVERGE_H

#include <stdbool.h>
#include <stdint.h>

#define CONVERGE_THROTTLE_FIRST 20 /* percent of the processor taken away, first step (QEMU's numbers) */
#define CONVERGE_THROTTLE_STEP	10
#define CONVERGE_THROTTLE_MAX	90

enum converge_verdict {
	CONVERGE_GO_ON,	   /* another round */
	CONVERGE_STOP,	   /* stop the container now, and copy the rest */
	CONVERGE_THROTTLE, /* give it less processor time, then another round */
	CONVERGE_GIVE_UP,  /* it will not fit below the limit */
	CONVERGE_POSTCOPY, /* move it now, fetch the rest afterwards */
	CONVERGE_MAX
};
extern const char *const converge_names[CONVERGE_MAX];

/* What a round measured. */
struct converge_round {
	uint32_t number;      /* 1: the first, which carries everything */
	uint64_t sent_bytes;  /* in this round */
	uint64_t dirty_bytes; /* became dirty meanwhile: what a stop now would have to copy */
	uint64_t duration_us;
	uint64_t wire_bytes; /* what the round's pages weighed on the wire, compressed; 0: as sent */
};

struct converge_policy {
	uint32_t downtime_limit_ms;
	uint32_t max_rounds;
	uint64_t bandwidth; /* bytes per second; 0: no cap */
	uint64_t fixed_us;  /* freeze, metadata, restore, network: as measured or estimated */
	bool auto_converge, post_copy, force;
};

struct converge_decision {
	enum converge_verdict verdict;
	uint64_t throughput; /* bytes per second */
	uint64_t dirty_rate; /* bytes per second */
	uint64_t expected_downtime_us;
	uint32_t throttle; /* percent taken away from now on */
	const char *why;   /* a sentence */
};

/* `throttle`: what is taken away already, in percent. */
void converge(const struct converge_policy *p, const struct converge_round *previous,
	      const struct converge_round *last, uint32_t throttle, struct converge_decision *ret);

/* Bytes over a time, as bytes per second; 0 µs counts as 1. */
uint64_t converge_rate(uint64_t bytes, uint64_t us);

/* How long so many bytes take, µs; a throughput of 0 is as good as never. */
uint64_t converge_time_us(uint64_t bytes, uint64_t throughput);

#endif
