/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_lease.c - leases as symbolic links: taken once, taken over, swept; by many processes at once */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netns/lease.h"

static char top[] = "/tmp/coracle-test-XXXXXX";
static int leases = -1;

static int set_up(void **state)
{
	(void)state;
	strcpy(top, "/tmp/coracle-test-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	leases = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return leases < 0 ? -1 : 0;
}

static int forget(const struct lease *l, void *data, struct error *e)
{
	(void)data;
	return lease_forget(leases, &l->ip, e);
}

static int tear_down(void **state)
{
	struct error e;

	(void)state;
	lease_list(leases, forget, NULL, &e);
	close(leases);
	return rmdir(top);
}

static struct switch_net net(const char *subnet, const char *gateway, const char *first, const char *last)
{
	struct switch_net n = { .net = { .family = 0 } };

	assert_int_equal(ip_parse_net(subnet, &n.net), 0);
	if (gateway)
		assert_int_equal(ip_parse(gateway, &n.gateway), 0);
	assert_int_equal(ip_parse(first, &n.first), 0);
	assert_int_equal(ip_parse(last, &n.last), 0);
	return n;
}

static struct lease lease_of(const char *owner)
{
	struct lease l = { .mac = mac_derive(owner), .ifname = "eth0", .link = "c1", .name = "n" };
	snprintf(l.owner, sizeof(l.owner), "%s", owner);
	return l;
}

static int take(const struct switch_net *n, const char *owner, const char *asked, struct lease *ret,
		struct error *e)
{
	struct ip ip;

	*ret = lease_of(owner);
	if (asked)
		assert_int_equal(ip_parse(asked, &ip), 0);
	return lease_take(leases, n, asked ? &ip : NULL, 0, ret, e);
}

static void test_text_comes_back(void **state)
{
	struct lease l = lease_of("/run/a b/c"), back;
	char text[8192];

	(void)state;
	l.away = true;
	assert_true(lease_format(&l, text, sizeof(text)) > 0);
	assert_int_equal(lease_parse(text, &back), 0);
	assert_string_equal(back.owner, "/run/a b/c");
	assert_string_equal(back.alias, "");
	assert_true(back.away);
	static const char *const bad[] = { "",
					   "here",
					   "here x",
					   "gone 02:00:00:00:00:01 e l n a /o",
					   "here 02:00:00:00:00:01 e l n a o",
					   "here 02:00:00:00:00:01 e l n a " };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(lease_parse(bad[i], &back), -EINVAL);
}

static void test_each_address_once(void **state)
{
	const struct switch_net n = net("192.0.2.0/28", "192.0.2.1", "192.0.2.2", "192.0.2.14");
	char owner[32];
	bool seen[16] = { false };
	struct lease l;
	struct error e;

	(void)state;
	for (int i = 0; i < 13; i++) {
		snprintf(owner, sizeof(owner), "/o/%d", i);
		assert_int_equal(take(&n, owner, NULL, &l, &e), 0);
		assert_in_range(l.ip.bytes[3], 2, 14);
		assert_false(seen[l.ip.bytes[3]]);
		seen[l.ip.bytes[3]] = true;
	}
	assert_int_equal(take(&n, "/o/more", NULL, &l, &e), -ENOSPC);
	/* the same owner and link: the same address */
	struct lease again;
	assert_int_equal(take(&n, "/o/0", NULL, &again, &e), 0);
	assert_int_equal(lease_free(leases, &again.ip, "/o/1", "eth0", &e), 0); /* not its own: left alone */
	assert_int_equal(take(&n, "/o/more", NULL, &l, &e), -ENOSPC);
	assert_int_equal(lease_free(leases, &again.ip, "/o/0", "eth0", &e), 0);
	assert_int_equal(take(&n, "/o/more", NULL, &l, &e), 0);
	assert_true(ip_equal(&l.ip, &again.ip));
}

static void test_asked_for(void **state)
{
	const struct switch_net n = net("192.0.2.0/24", "192.0.2.1", "192.0.2.100", "192.0.2.199");
	struct lease l;
	struct error e;

	(void)state;
	assert_int_equal(take(&n, "/o/a", "192.0.2.150", &l, &e), 0);
	assert_int_equal(take(&n, "/o/a", "192.0.2.150", &l, &e), 0);
	assert_int_equal(take(&n, "/o/b", "192.0.2.150", &l, &e), -EADDRINUSE);
	assert_non_null(strstr(e.msg, "192.0.2.150 is leased to /o/a"));
	assert_int_equal(take(&n, "/o/b", "192.0.2.1", &l, &e), -EADDRINUSE);
	assert_int_equal(take(&n, "/o/b", "192.0.2.0", &l, &e), -EINVAL);
	assert_int_equal(take(&n, "/o/b", "192.0.2.255", &l, &e), -EINVAL);
	assert_int_equal(take(&n, "/o/b", "192.0.3.1", &l, &e), -EINVAL);
	assert_int_equal(take(&n, "/o/b", "192.0.2.7", &l, &e), -EINVAL); /* another node's part */
	l = lease_of("/o/b");
	struct ip other;
	assert_int_equal(ip_parse("192.0.2.7", &other), 0);
	assert_int_equal(lease_take(leases, &n, &other, LEASE_ANYWHERE, &l, &e), 0);
}

static void test_away_is_nobody_elses_and_comes_back(void **state)
{
	const struct switch_net n = net("192.0.2.0/30", NULL, "192.0.2.1", "192.0.2.1");
	struct lease l, seen;
	struct error e;

	(void)state;
	assert_int_equal(take(&n, "/o/a", NULL, &l, &e), 0);
	assert_int_equal(lease_send_away(leases, &l.ip, "/o/a", "eth0", &e), 0);
	assert_int_equal(lease_read(leases, &l.ip, &seen, &e), 0);
	assert_true(seen.away && lease_is_live(&seen));
	assert_int_equal(lease_sweep(leases, NULL, NULL, &e), 0);
	assert_int_equal(take(&n, "/o/b", NULL, &l, &e), -ENOSPC);
	assert_int_equal(take(&n, "/o/b", "192.0.2.1", &l, &e), -EADDRINUSE);
	assert_non_null(strstr(e.msg, "another node"));
	assert_int_equal(take(&n, "/o/a", "192.0.2.1", &l, &e), 0);
	assert_int_equal(lease_read(leases, &l.ip, &seen, &e), 0);
	assert_false(seen.away);
}

static void test_what_nobody_owns_is_swept(void **state)
{
	const struct switch_net n = net("192.0.2.0/24", NULL, "192.0.2.1", "192.0.2.254");
	struct lease a, b, seen;
	struct error e;

	(void)state;
	assert_int_equal(take(&n, "/nonexistent/a", NULL, &a, &e), 0);
	assert_int_equal(take(&n, top, NULL, &b, &e), 0);
	assert_int_equal(lease_sweep(leases, NULL, NULL, &e), 0);
	assert_int_equal(lease_read(leases, &a.ip, &seen, &e), -ENOENT);
	assert_int_equal(lease_read(leases, &b.ip, &seen, &e), 0);
}

/* Forty processes for thirty addresses: each address once, ten go without. */
static void test_many_at_once(void **state)
{
	const struct switch_net n = net("192.0.2.0/24", NULL, "192.0.2.1", "192.0.2.30");
	int gate[2], without = 0;
	char owner[32], byte;

	(void)state;
	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < 40; i++)
		if (fork() == 0) {
			struct lease l;
			struct error e;
			close(gate[1]);
			int own = open(top, O_RDONLY | O_DIRECTORY);
			snprintf(owner, sizeof(owner), "/o/%d", i);
			l = lease_of(owner);
			if (read(gate[0], &byte, 1) != 0)
				_exit(2);
			_exit(lease_take(own, &n, NULL, 0, &l, &e) < 0);
		}
	close(gate[0]);
	close(gate[1]); /* go */
	for (int i = 0, status; i < 40; i++) {
		assert_true(wait(&status) > 0);
		assert_in_range(WEXITSTATUS(status), 0, 1);
		without += WEXITSTATUS(status);
	}
	assert_int_equal(without, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_comes_back),
		cmocka_unit_test_setup_teardown(test_each_address_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_away_is_nobody_elses_and_comes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_nobody_owns_is_swept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_at_once, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
