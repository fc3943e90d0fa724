/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_converge.c - what is decided after a round, and how clocks are compared: tables of cases */
#include "tests/unit/unit.h"

#include "checkpoint/clock.h"
#include "checkpoint/converge.h"
#include "runtime/base/str.h"

#define MB (1000000ULL)
#define S  (1000000ULL) /* a second, µs */

/* limit 300 ms, 30 rounds, 50 ms of fixed cost; the link carries 100 MB/s in all cases. */
static const struct converge_policy plain = { .downtime_limit_ms = 300, .max_rounds = 30, .fixed_us = 50000 };
static const struct converge_policy throttled = {
	.downtime_limit_ms = 300, .max_rounds = 30, .fixed_us = 50000, .auto_converge = true
};
static const struct converge_policy forced = {
	.downtime_limit_ms = 300, .max_rounds = 5, .fixed_us = 50000, .force = true
};
static const struct converge_policy lazy = {
	.downtime_limit_ms = 300, .max_rounds = 30, .fixed_us = 50000, .post_copy = true
};

static void test_decisions(void **state)
{
	static const struct {
		const char *name;
		const struct converge_policy *policy;
		struct converge_round last;
		uint32_t throttle;
		enum converge_verdict expected;
		uint32_t expected_throttle;
	} cases[] = {
		{ "idle", &plain, { 1, 200 * MB, 0, 2 * S, 0 }, 0, CONVERGE_STOP, 0 },
		{ "small set", &plain, { 1, 200 * MB, 20 * MB, 2 * S, 0 }, 0, CONVERGE_STOP, 0 },
		{ "just at the limit", &plain, { 1, 200 * MB, 25 * MB, 2 * S, 0 }, 0, CONVERGE_STOP, 0 },
		{ "just above", &plain, { 1, 200 * MB, 26 * MB, 2 * S, 0 }, 0, CONVERGE_GO_ON, 0 },
		{ "shrinks", &plain, { 4, 100 * MB, 60 * MB, 1 * S, 0 }, 0, CONVERGE_GO_ON, 0 },
		{ "early growth", &plain, { 2, 100 * MB, 120 * MB, 1 * S, 0 }, 0, CONVERGE_GO_ON, 0 },
		{ "growth", &plain, { 3, 100 * MB, 120 * MB, 1 * S, 0 }, 0, CONVERGE_GIVE_UP, 0 },
		{ "last round", &plain, { 30, 100 * MB, 60 * MB, 1 * S, 0 }, 0, CONVERGE_GIVE_UP, 0 },
		{ "first throttle",
		  &throttled,
		  { 1, 100 * MB, 100 * MB, 1 * S, 0 },
		  0,
		  CONVERGE_THROTTLE,
		  20 },
		{ "more throttle",
		  &throttled,
		  { 5, 100 * MB, 95 * MB, 1 * S, 0 },
		  40,
		  CONVERGE_THROTTLE,
		  50 },
		{ "most throttle",
		  &throttled,
		  { 9, 100 * MB, 95 * MB, 1 * S, 0 },
		  85,
		  CONVERGE_THROTTLE,
		  90 },
		{ "no more throttle",
		  &throttled,
		  { 9, 100 * MB, 95 * MB, 1 * S, 0 },
		  90,
		  CONVERGE_GIVE_UP,
		  90 },
		{ "throttled, shrinks",
		  &throttled,
		  { 5, 100 * MB, 50 * MB, 1 * S, 0 },
		  40,
		  CONVERGE_GO_ON,
		  40 },
		{ "forced at the end", &forced, { 5, 100 * MB, 60 * MB, 1 * S, 0 }, 0, CONVERGE_STOP, 0 },
		{ "forced, grows", &forced, { 3, 100 * MB, 130 * MB, 1 * S, 0 }, 0, CONVERGE_STOP, 0 },
		{ "post-copy", &lazy, { 1, 100 * MB, 100 * MB, 1 * S, 0 }, 0, CONVERGE_POSTCOPY, 0 },
		{ "post-copy waits while it shrinks",
		  &lazy,
		  { 1, 100 * MB, 50 * MB, 1 * S, 0 },
		  0,
		  CONVERGE_GO_ON,
		  0 },
		{ "nothing was carried", &plain, { 3, 0, 50 * MB, 1 * S, 0 }, 0, CONVERGE_GIVE_UP, 0 },
		{ "no time passed", &plain, { 1, 200 * MB, 20 * MB, 0, 0 }, 0, CONVERGE_STOP, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct converge_decision d;
		converge(cases[i].policy, NULL, &cases[i].last, cases[i].throttle, &d);
		if (d.verdict != cases[i].expected || d.throttle != cases[i].expected_throttle)
			fail_msg("%s: %s (%u %%), expected %s (%u %%)", cases[i].name,
				 converge_names[d.verdict], d.throttle, converge_names[cases[i].expected],
				 cases[i].expected_throttle);
		assert_non_null(d.why);
	}
}

static void test_expectations_are_figures(void **state)
{
	const struct converge_round last = { 2, 50 * MB, 10 * MB, S / 2, 0 },
				    before = { 1, 400 * MB, 50 * MB, S, 0 };
	struct converge_policy p = plain;
	struct converge_decision d;

	(void)state;
	converge(&p, NULL, &last, 0, &d);
	assert_true(d.throughput == 100 * MB);
	assert_true(d.dirty_rate == 20 * MB);
	assert_true(d.expected_downtime_us == 150000);
	converge(&p, &before, &last, 0, &d); /* a faster round before: the link can do it */
	assert_true(d.throughput == 400 * MB);
	p.bandwidth = 200 * MB; /* but never above the cap */
	converge(&p, &before, &last, 0, &d);
	assert_true(d.throughput == 200 * MB);
	const struct converge_round packed = { 2, 400 * MB, 10 * MB, S, 100 * MB };
	converge(&p, NULL, &packed, 0, &d); /* what compresses goes faster than the cap */
	assert_true(d.throughput == 400 * MB);
}

static void test_figures_do_not_overflow(void **state)
{
	const struct converge_round huge = { 3, 1, UINT64_MAX, UINT64_MAX, 0 };
	struct converge_decision d;

	(void)state;
	assert_true(converge_rate(UINT64_MAX, 0) == UINT64_MAX);
	assert_true(converge_time_us(UINT64_MAX, 1) == UINT64_MAX);
	assert_true(converge_time_us(5, 0) == UINT64_MAX);
	assert_true(converge_time_us(0, 0) == 0);
	converge(&plain, NULL, &huge, 0, &d);
	assert_int_equal(d.verdict, CONVERGE_GIVE_UP);
	assert_true(d.expected_downtime_us == UINT64_MAX);
}

/* Their clock is 5 s ahead; the way there takes longer than the way back. */
static void test_clock_is_within_its_error(void **state)
{
	const int64_t ahead = 5000000000LL;
	struct clock_estimate c = { 0 };
	static const struct {
		int64_t there, there_took, back;
	} trips[] = { { 900000, 10000, 100000 }, { 200000, 5000, 100000 }, { 4000000, 20000, 1000 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(trips); i++) {
		int64_t t1 = 1000000000LL * (int64_t)(i + 1);
		int64_t t2 = t1 + trips[i].there + ahead, t3 = t2 + trips[i].there_took;
		const struct clock_trip t = { t1, t2, t3, t3 - ahead + trips[i].back };
		assert_true(clock_add(&c, &t));
		assert_true(c.offset_ns >= ahead - c.error_ns && c.offset_ns <= ahead + c.error_ns);
	}
	assert_int_equal(c.trips, 3);
	assert_true(c.delay_ns == 300000); /* the quickest trip decides */
	assert_true(c.error_ns == 150001);
	assert_true(clock_to_ours(&c, c.offset_ns + 7) == 7);
}

static void test_impossible_trips_are_left_out(void **state)
{
	static const struct clock_trip trips[] = {
		{ 10, 20, 19, 30 },			/* answered before it was asked */
		{ 10, 20, 50, 30 },			/* took longer there than in all */
		{ 30, 20, 20, 10 },			/* came in before it went out */
		{ 0, 0, 0, INT64_MAX },			/* years */
		{ INT64_MIN, INT64_MAX, INT64_MIN, 0 }, /* overflow */
	};
	struct clock_estimate c = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(trips); i++)
		assert_false(clock_add(&c, &trips[i]));
	assert_int_equal(c.trips, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_expectations_are_figures),
		cmocka_unit_test(test_figures_do_not_overflow),
		cmocka_unit_test(test_clock_is_within_its_error),
		cmocka_unit_test(test_impossible_trips_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
