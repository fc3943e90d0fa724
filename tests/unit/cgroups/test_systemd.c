/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_systemd.c - names and properties of scopes */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cgroups/systemd.h"
#include "runtime/base/str.h"

static struct systemd_unit unit(const char *path, bool user)
{
	struct systemd_unit u;
	struct error e = { 0 };

	if (systemd_unit_parse(path, "web", user, &u, &e) < 0)
		fail_msg("%s: %s", path ? path : "NULL", e.msg);
	return u;
}

static void test_names(void **state)
{
	static const struct {
		const char *path;
		bool user;
		const char *slice, *name;
	} rows[] = {
		{ NULL, false, "system.slice", "coracle-web.scope" },
		{ "", true, "user.slice", "coracle-web.scope" },
		{ "machine.slice:libpod:abc", false, "machine.slice", "libpod-abc.scope" },
		{ ":docker:abc", false, "system.slice", "docker-abc.scope" },
		{ "a-b.slice:cri-containerd:", false, "a-b.slice", "cri-containerd-web.scope" },
		{ "user.slice::x", true, "user.slice", "coracle-x.scope" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct systemd_unit u = unit(rows[i].path, rows[i].user);
		assert_string_equal(u.slice, rows[i].slice);
		assert_string_equal(u.name, rows[i].name);
		assert_int_equal(u.user, rows[i].user);
	}
}

static void test_names_that_are_none(void **state)
{
	static const char *const rows[] = { "/a/b",	      "a.slice:b",	"a.slice:b:c:d",
					    "a.service:b:c",  "../a.slice:b:c", "a.slice:b/:c",
					    "a--b.slice:b:c", "-a.slice:b:c",	"a.slice:b:\n" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct systemd_unit u;
		struct error e = { 0 };
		if (systemd_unit_parse(rows[i], "web", false, &u, &e) != -EINVAL)
			fail_msg("taken: %s", rows[i]);
		assert_true(str_starts(e.msg, "cgroupsPath: "));
	}
}

static const struct systemd_property *find(const struct systemd_properties *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->list[i].name, name))
			return &p->list[i];
	return NULL;
}

static void expect(const struct systemd_properties *p, const char *name, uint64_t number)
{
	const struct systemd_property *one = find(p, name);

	if (!one || one->type != 't' || one->number != number)
		fail_msg("%s: %llu, expected %llu", name, one ? (unsigned long long)one->number : 0,
			 (unsigned long long)number);
}

static void test_limits(void **state)
{
	struct spec_unified unified[] = { { "memory.high", "1000" }, { "io.latency", "x" } };
	struct systemd_properties p = { .n = 0 };
	struct spec_resources r;
	struct error e = { 0 };

	(void)state;
	spec_resources_init(&r);
	r.memory_limit = 64 << 20;
	r.memory_swap = 80 << 20;
	r.memory_reservation = 32 << 20;
	r.cpu_shares = 1024;
	r.cpu_quota = 50000;
	r.cpu_period = 200000;
	r.cpuset_cpus = "0-2,9";
	r.cpuset_mems = "0";
	r.pids_limit = 100;
	r.unified = unified;
	r.n_unified = 2;
	assert_int_equal(systemd_limits(&r, false, &p, &e), 0);
	expect(&p, "MemoryMax", 64 << 20);
	expect(&p, "MemorySwapMax", 16 << 20);
	expect(&p, "MemoryLow", 32 << 20);
	expect(&p, "MemoryHigh", 1000);
	expect(&p, "CPUWeight", 100);
	expect(&p, "CPUQuotaPerSecUSec", 250000);
	expect(&p, "CPUQuotaPeriodUSec", 200000);
	expect(&p, "TasksMax", 100);
	const struct systemd_property *cpus = find(&p, "AllowedCPUs");
	assert_non_null(cpus);
	assert_true(cpus->type == 'y' && cpus->number == 2 && cpus->text[0] == 7 && cpus->text[1] == 2);
	assert_int_equal(find(&p, "AllowedMemoryNodes")->number, 1);
}

static void test_no_limit_is_infinity_and_quotas_are_rounded(void **state)
{
	struct systemd_properties p = { .n = 0 };
	struct spec_resources r;
	struct error e = { 0 };

	(void)state;
	spec_resources_init(&r);
	r.memory_limit = r.pids_limit = -1;
	r.cpu_quota = 33333;
	assert_int_equal(systemd_limits(&r, false, &p, &e), 0);
	expect(&p, "MemoryMax", UINT64_MAX);
	expect(&p, "TasksMax", UINT64_MAX);
	expect(&p, "CPUQuotaPerSecUSec", 340000); /* systemd has steps of a hundredth of a CPU */
	p.n = 0;
	r.cpu_quota = -1;
	assert_int_equal(systemd_limits(&r, false, &p, &e), 0);
	expect(&p, "CPUQuotaPerSecUSec", UINT64_MAX);
}

static void test_few_tasks_come_late(void **state)
{
	struct systemd_properties early = { .n = 0 }, late = { .n = 0 };
	struct spec_resources r;
	struct error e = { 0 };

	(void)state;
	spec_resources_init(&r);
	r.pids_limit = 3;
	assert_int_equal(systemd_limits(&r, false, &early, &e), 0);
	assert_null(find(&early, "TasksMax"));
	assert_int_equal(systemd_limits(&r, true, &late, &e), 0);
	expect(&late, "TasksMax", 3);
}

static int annotate(const char *key, const char *value, struct systemd_properties *p, struct error *e)
{
	struct spec_key_value kv = { key, value };
	const struct spec s = { .annotations = &kv, .n_annotations = 1 };

	return systemd_annotations(&s, p, e);
}

static void test_annotations(void **state)
{
	struct systemd_properties p = { .n = 0 };
	struct error e = { 0 };

	(void)state;
	assert_int_equal(annotate("org.systemd.property.TimeoutStopUSec", "uint64 5000000", &p, &e), 0);
	expect(&p, "TimeoutStopUSec", 5000000);
	assert_int_equal(annotate("org.systemd.property.CollectMode", "'inactive'", &p, &e), 0);
	assert_string_equal(find(&p, "CollectMode")->text, "inactive");
	assert_int_equal(annotate("org.systemd.property.DefaultDependencies", "true", &p, &e), 0);
	assert_true(find(&p, "DefaultDependencies")->type == 'b' &&
		    find(&p, "DefaultDependencies")->number == 1);
	assert_int_equal(annotate("org.example", "x", &p, &e), 0);
	assert_int_equal(p.n, 3);
	for (size_t i = 0; systemd_allowed_annotation(i); i++)
		assert_int_equal(annotate(systemd_allowed_annotation(i), "nonsense", &p, &e), -EINVAL);
}

static void test_annotations_of_strangers(void **state)
{
	static const char *const keys[] = {
		"SuccessAction", "ExecStart", "User", "MemoryMax", "", "Delegate"
	};
	char key[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		struct systemd_properties p = { .n = 0 };
		struct error e = { 0 };
		snprintf(key, sizeof(key), "org.systemd.property.%s", keys[i]);
		assert_int_equal(annotate(key, "'reboot'", &p, &e), -EPERM);
		assert_int_equal(p.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_that_are_none),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_limit_is_infinity_and_quotas_are_rounded),
		cmocka_unit_test(test_few_tasks_come_late),
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_annotations_of_strangers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
