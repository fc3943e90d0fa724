/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_signals.c - signals by every name and number that people and engines write */
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/signals.h"

static void test_names_in_every_form(void **state)
{
	const struct {
		const char *text;
		int number;
	} cases[] = {
		{ "TERM", SIGTERM },
		{ "SIGTERM", SIGTERM },
		{ "term", SIGTERM },
		{ "sigKill", SIGKILL },
		{ "9", SIGKILL },
		{ "0", 0 },
		{ "64", 64 },
		{ "RTMIN", SIGRTMIN },
		{ "SIGRTMIN+3", SIGRTMIN + 3 },
		{ "rtmax", SIGRTMAX },
		{ "SIGRTMAX-2", SIGRTMAX - 2 },
		{ "RTMIN+30", SIGRTMIN + 30 },
		{ "CLD", SIGCHLD },
		{ "IOT", SIGABRT },
		{ "POLL", SIGPOLL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int number = -1;
		assert_int_equal(signal_parse(cases[i].text, &number), 0);
		assert_int_equal(number, cases[i].number);
	}
}

/* Every signal that libc can name is in our table under that name. */
static void test_the_table_is_complete(void **state)
{
	(void)state;
	for (int sig = 1; sig < SIGRTMIN; sig++) {
		const char *name = sigabbrev_np(sig);
		int number = -1;
		if (!name)
			continue;
		assert_int_equal(signal_parse(name, &number), 0);
		assert_int_equal(number, sig);
	}
}

static void test_other_words_are_no_signals(void **state)
{
	static const char *const bad[] = { "",	       "-1",	 "65",	       "9 ",
					   "FOO",      "SIG",	 "SIGSIGHUP",  "RTMIN-1",
					   "RTMAX+1",  "RTMIN+", "RTMIN+31",   "RTMIN+x",
					   "RTMAX-31", "0x9",	 "4294967305", "RTMIN+-1" };
	int number = -1;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(signal_parse(bad[i], &number), -EINVAL);
	assert_int_equal(number, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_in_every_form),
		cmocka_unit_test(test_the_table_is_complete),
		cmocka_unit_test(test_other_words_are_no_signals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
