/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_preflight.c - what cannot be dumped: kinds of descriptors, devices, sockets in the kernel's tables */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/preflight.h"
#include "tests/unit/unit.h"

static void kinds_are_told_apart(void **state)
{
	(void)state;
	assert_string_equal(preflight_undumpable("anon_inode:[io_uring]"), "an io_uring");
	assert_string_equal(preflight_undumpable("anon_inode:[perf_event]"), "a perf event");
	assert_null(preflight_undumpable("anon_inode:[eventpoll]"));
	assert_null(preflight_undumpable("anon_inode:[eventfd]"));
	assert_null(preflight_undumpable("anon_inode:bpf-map"));
	assert_null(preflight_undumpable("/etc/anon_inode:[io_uring]"));
	assert_null(preflight_undumpable(""));
}

static void devices_are_told_apart(void **state)
{
	(void)state;
	assert_true(preflight_device_is_fine(false, 1, 3));
	assert_true(preflight_device_is_fine(false, 136, 70));
	assert_true(preflight_device_is_fine(false, 10, 200));
	assert_false(preflight_device_is_fine(false, 10, 232)); /* kvm */
	assert_false(preflight_device_is_fine(false, 1, 1));	/* mem */
	assert_false(preflight_device_is_fine(true, 1, 3));
}

static const char table[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 181234 1 "
	"0\n"
	"   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 1812 1 "
	"0\n";

static void sockets_are_found_by_their_whole_inode(void **state)
{
	unsigned int tcp, waiting;

	(void)state;
	assert_true(preflight_find_socket(table, 181234, &tcp, &waiting));
	assert_int_equal(tcp, 10);
	assert_int_equal(waiting, 2);
	assert_true(preflight_find_socket(table, 1812, &tcp, &waiting));
	assert_int_equal(tcp, 1);
	assert_int_equal(waiting, 0);
	assert_false(preflight_find_socket(table, 1234, &tcp, &waiting));
	assert_false(preflight_find_socket(table, 18, &tcp, &waiting));
	assert_false(preflight_find_socket("", 18, &tcp, &waiting));
}

static void findings_are_kept_once_and_bounded(void **state)
{
	AUTO(preflight) struct preflight *p = preflight_new();

	(void)state;
	for (int i = 0; i < 3; i++)
		preflight_add(p, FINDING_OBSTACLE, 7, "a\nb", "cure", "the %s", "same");
	assert_int_equal(p->n, 1);
	assert_string_equal(p->list[0].name, "a?b");
	for (int i = 0; i < 2 * PREFLIGHT_MAX; i++)
		preflight_add(p, FINDING_LOSS, i + 1, "x", "cure", "another");
	assert_int_equal(p->n, PREFLIGHT_MAX);
	assert_int_equal(p->dropped, PREFLIGHT_MAX + 1);
	assert_int_equal(preflight_count(p, FINDING_OBSTACLE), 1);
	assert_int_equal(preflight_count(p, FINDING_OPTION), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_told_apart),
		cmocka_unit_test(devices_are_told_apart),
		cmocka_unit_test(sockets_are_found_by_their_whole_inode),
		cmocka_unit_test(findings_are_kept_once_and_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
