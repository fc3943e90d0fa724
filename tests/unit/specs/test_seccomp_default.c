/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_seccomp_default.c - unit tests of specs/seccomp_default.c: the table as it is resolved
 * A small evaluator asks a profile what it says to a call; with the kernel's own rule that an int argument is
 * cut to 32 bits, so that a rule which only looks safe is found. What a filter made of it does is tested with
 * the filters. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>

#include "runtime/base/str.h"
#include "specs/seccomp_default.h"
#include "tests/unit/unit.h"

#define DOCKER_CAPS  UINT64_C(0xa80425fb)
#define CAP_BIT(cap) (UINT64_C(1) << (cap))

static bool arg_matches(const struct spec_seccomp_arg *arg, const uint64_t args[6])
{
	uint64_t value = args[arg->index];

	switch (arg->op) {
	case SECCOMP_NE:
		return value != arg->value;
	case SECCOMP_LT:
		return value < arg->value;
	case SECCOMP_LE:
		return value <= arg->value;
	case SECCOMP_EQ:
		return value == arg->value;
	case SECCOMP_GE:
		return value >= arg->value;
	case SECCOMP_GT:
		return value > arg->value;
	case SECCOMP_MASKED_EQ:
		return (value & arg->value) == arg->value_two;
	default:
		return false;
	}
}

/* 0: allowed; else the errno the call gets. */
static int64_t verdict(const struct spec_seccomp *s, const char *name, uint64_t arg0, uint64_t arg1)
{
	const uint64_t args[6] = { arg0, arg1 };

	for (size_t i = 0; i < s->n_rules; i++) {
		const struct spec_seccomp_rule *rule = &s->rules[i];

		if (strv_has(rule->names, name) && (rule->n_args == 0 || arg_matches(&rule->args[0], args)))
			return rule->action == SECCOMP_ALLOW ? 0 : rule->errno_ret;
	}
	return s->default_errno_ret;
}

static struct spec_seccomp *profile(struct arena *a, uint64_t caps, const char *machine)
{
	struct spec_seccomp *s = NULL;
	struct error e = { 0 };

	assert_int_equal(seccomp_default_profile(a, caps, machine, &s, &e), 0);
	return s;
}

static void test_families_are_cut_to_32_bits(void **state)
{
	AUTO(arena) struct arena *a = arena_new();
	const struct spec_seccomp *s = profile(a, DOCKER_CAPS, "x86_64");

	(void)state;
	assert_int_equal(verdict(s, "socket", AF_UNIX, 0), 0);
	assert_int_equal(verdict(s, "socket", AF_INET6, 0), 0);
	assert_int_equal(verdict(s, "socket", AF_NETLINK, 0), 0);
	assert_int_equal(verdict(s, "socket", AF_NFC, 0), 0);
	for (uint64_t high = 0; high < 4; high++) {
		assert_int_equal(verdict(s, "socket", high << 32 | AF_ALG, 0), EPERM);
		assert_int_equal(verdict(s, "socket", high << 32 | AF_VSOCK, 0), EPERM);
	}
	assert_int_equal(verdict(s, "socketcall", 1, 0), ENOSYS);
}

static void test_allowing_rules_use_safe_comparisons_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < seccomp_default_n_rows; i++) {
		const struct seccomp_default_row *row = &seccomp_default_rows[i];

		if (row->action == SECCOMP_ALLOW && row->has_arg)
			assert_true(row->arg.op == SECCOMP_EQ || row->arg.op == SECCOMP_LT ||
				    row->arg.op == SECCOMP_MASKED_EQ);
	}
}

static void test_namespaces_need_sys_admin(void **state)
{
	AUTO(arena) struct arena *a = arena_new();
	const struct spec_seccomp *s = profile(a, DOCKER_CAPS, "x86_64");
	const struct spec_seccomp *admin = profile(a, DOCKER_CAPS | CAP_BIT(CAP_SYS_ADMIN), "x86_64");

	(void)state;
	assert_int_equal(verdict(s, "clone", CLONE_VM | CLONE_THREAD, 0), 0);
	assert_int_equal(verdict(s, "clone", CLONE_NEWUSER, 0), EPERM);
	assert_int_equal(verdict(s, "clone", CLONE_NEWNET | CLONE_VM, 0), EPERM);
	assert_int_equal(verdict(s, "clone3", 0, 0), ENOSYS);
	assert_int_equal(verdict(s, "unshare", CLONE_NEWUSER, 0), EPERM);
	assert_int_equal(verdict(s, "mount", 0, 0), EPERM);
	assert_int_equal(verdict(admin, "clone", CLONE_NEWUSER, 0), 0);
	assert_int_equal(verdict(admin, "clone3", 0, 0), 0);
	assert_int_equal(verdict(admin, "mount", 0, 0), 0);
}

static void test_clone_on_s390_has_its_flags_second(void **state)
{
	AUTO(arena) struct arena *a = arena_new();
	const struct spec_seccomp *s = profile(a, DOCKER_CAPS, "s390x");

	(void)state;
	assert_int_equal(verdict(s, "clone", CLONE_NEWUSER, 0), 0);
	assert_int_equal(verdict(s, "clone", 0, CLONE_NEWUSER), EPERM);
}

static void test_capabilities_open_their_calls(void **state)
{
	static const struct {
		int cap;
		const char *name;
	} rows[] = {
		{ CAP_SYS_CHROOT, "chroot" },	    { CAP_SYS_MODULE, "init_module" },
		{ CAP_SYSLOG, "syslog" },	    { CAP_SYS_TIME, "settimeofday" },
		{ CAP_SYS_NICE, "mbind" },	    { CAP_BPF, "bpf" },
		{ CAP_PERFMON, "perf_event_open" }, { CAP_SYS_PTRACE, "kcmp" },
		{ CAP_SYS_BOOT, "reboot" },
	};
	AUTO(arena) struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(verdict(profile(a, CAP_BIT(rows[i].cap), "x86_64"), rows[i].name, 0, 0), 0);
		assert_int_equal(verdict(profile(a, 0, "x86_64"), rows[i].name, 0, 0), EPERM);
	}
}

static void test_machines_have_their_architectures(void **state)
{
	AUTO(arena) struct arena *a = arena_new();
	struct spec_seccomp *s = profile(a, DOCKER_CAPS, "aarch64");
	struct error e = { 0 };

	(void)state;
	assert_true(strv_has(s->architectures, "SCMP_ARCH_AARCH64") &&
		    strv_has(s->architectures, "SCMP_ARCH_ARM"));
	assert_int_equal(verdict(s, "arch_prctl", 0, 0), EPERM);
	assert_int_equal(verdict(s, "cacheflush", 0, 0), 0);
	assert_int_equal(verdict(profile(a, 0, "x86_64"), "arch_prctl", 0, 0), 0);
	assert_int_equal(verdict(profile(a, 0, "x86_64"), "cacheflush", 0, 0), EPERM);
	assert_int_equal(seccomp_default_profile(a, 0, "x86", &s, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "\"x86\""));
}

static void test_each_profile_has_a_name_of_its_own(void **state)
{
	AUTO(arena) struct arena *a = arena_new();

	(void)state;
	assert_string_equal(profile(a, 1, "x86_64")->raw, profile(a, 1, "x86_64")->raw);
	assert_string_not_equal(profile(a, 1, "x86_64")->raw, profile(a, 2, "x86_64")->raw);
	assert_string_not_equal(profile(a, 1, "x86_64")->raw, profile(a, 1, "i686")->raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_families_are_cut_to_32_bits),
		cmocka_unit_test(test_allowing_rules_use_safe_comparisons_only),
		cmocka_unit_test(test_namespaces_need_sys_admin),
		cmocka_unit_test(test_clone_on_s390_has_its_flags_second),
		cmocka_unit_test(test_capabilities_open_their_calls),
		cmocka_unit_test(test_machines_have_their_architectures),
		cmocka_unit_test(test_each_profile_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
