/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_trust.c - what a restored task may have, by the config: the rule, and what is read of /proc and of images */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/trust.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "specs/capability.h"
#include "tests/unit/unit.h"

#define BIT(n) (UINT64_C(1) << (n))

static char cap_chown[] = "CAP_CHOWN", cap_kill[] = "CAP_KILL", cap_setuid[] = "CAP_SETUID",
	    cap_setgid[] = "CAP_SETGID";
static char *chown_kill[] = { cap_chown, cap_kill, NULL };
static char *setuid_too[] = { cap_chown, cap_kill, cap_setuid, cap_setgid, NULL };

static struct task_creds creds(uint32_t uid, uint32_t gid, uint64_t caps)
{
	struct task_creds c = { .pid = 7, .name = "sh", .seccomp_filters = -1 };

	for (int i = 0; i < ID_KINDS; i++) {
		c.uid[i] = uid;
		c.gid[i] = gid;
	}
	c.bounding = c.permitted = c.effective = caps;
	return c;
}

static void expect(const struct spec *s, bool raised, const struct task_creds *c, const char *sentence)
{
	struct trust_policy p;
	struct error e = { 0 };

	assert_int_equal(trust_policy(s, raised, &p, &e), 0);
	int r = trust_check(&p, c, &e);
	if (!sentence) {
		if (r != 0)
			fail_msg("%s", e.msg);
		return;
	}
	assert_int_equal(r, -EPERM);
	if (!strstr(e.msg, sentence))
		fail_msg("\"%s\" is not in \"%s\"", sentence, e.msg);
}

static void capabilities_stay_inside(void **state)
{
	struct spec_capabilities caps = { .bounding = chown_kill,
					  .permitted = chown_kill,
					  .effective = chown_kill };
	struct spec_process process = { .capabilities = &caps };
	const struct spec s = { .process = &process };
	struct task_creds c = creds(0, 0, BIT(CAP_CHOWN));

	(void)state;
	expect(&s, false, &c, NULL);
	uint64_t *const sets[] = { &c.bounding, &c.permitted, &c.effective, &c.inheritable, &c.ambient };
	static const char *const names[] = { "bounding", "permitted", "effective", "inheritable", "ambient" };
	for (size_t i = 0; i < COUNT_OF(sets); i++) {
		uint64_t before = *sets[i];
		*sets[i] |= BIT(CAP_SYS_ADMIN);
		expect(&s, false, &c, names[i]);
		expect(&s, true, &c, "CAP_SYS_ADMIN");
		*sets[i] = before | BIT(CAP_KILL);
		expect(&s, false, &c, NULL);
		*sets[i] = before | BIT(63);
		expect(&s, false, &c, "a capability in its");
		*sets[i] = before;
	}
	/* An absent object grants nothing. */
	process.capabilities = NULL;
	expect(&s, false, &c, "CAP_CHOWN in its bounding set");
	c.bounding = c.permitted = c.effective = 0;
	expect(&s, false, &c, NULL);
}

/* Only an execve makes capabilities of a bounding set, and only root's. */
static void a_bounding_set_counts_for_root(void **state)
{
	struct spec_capabilities caps = { .bounding = chown_kill };
	struct spec_process process = { .capabilities = &caps };
	const struct spec s = { .process = &process };
	struct task_creds c = creds(0, 0, BIT(CAP_CHOWN));

	(void)state;
	expect(&s, false, &c, NULL);
	process.no_new_privileges = c.no_new_privs = true;
	expect(&s, false, &c, "CAP_CHOWN in its permitted set");
	process.no_new_privileges = false;
	process.user.uid = process.user.gid = 5;
	c = creds(5, 5, BIT(CAP_CHOWN));
	expect(&s, false, &c, "CAP_CHOWN in its permitted set");
	expect(&s, true, &c, NULL);
}

static void ids_are_the_configs(void **state)
{
	uint32_t extra[] = { 20, 21 }, has[] = { 1000, 21 };
	struct spec_capabilities caps = { .bounding = setuid_too };
	struct spec_process process = {
		.capabilities = &caps,
		.user = { .uid = 1000, .gid = 1000, .additional_gids = extra, .n_additional_gids = 2 }
	};
	const struct spec s = { .process = &process };
	struct task_creds c = creds(1000, 1000, 0);

	(void)state;
	c.groups = has;
	c.n_groups = 2;
	expect(&s, false, &c, NULL);
	for (int i = 0; i < ID_KINDS; i++) {
		c.uid[i] = 0;
		expect(&s, false, &c, "uid is 0, the config's process.user is 1000");
		expect(&s, true, &c, NULL); /* a set-user-ID program could */
		c.uid[i] = 1000;
		c.gid[i] = 0;
		expect(&s, false, &c, "gid is 0");
		c.gid[i] = 1000;
	}
	has[1] = 0;
	expect(&s, false, &c, "is in group 0");
	process.no_new_privileges = c.no_new_privs = true;
	c.uid[ID_EFFECTIVE] = 0;
	expect(&s, true, &c, "effective uid is 0");
	/* Root, or who may set ids, becomes whoever it likes. */
	caps.permitted = setuid_too;
	expect(&s, false, &c, NULL);
}

static void ids_stay_inside_the_maps(void **state)
{
	struct spec_id_map maps[] = { { 0, 100000, 1000 }, { 5000, 200000, 1 } };
	struct spec_capabilities caps = { .bounding = setuid_too };
	struct spec_process process = { .capabilities = &caps };
	const struct spec s = { .process = &process,
				.uid_mappings = maps,
				.n_uid_mappings = 2,
				.gid_mappings = maps,
				.n_gid_mappings = 2 };
	struct task_creds c = creds(100000, 100000, 0);
	struct trust_policy p;
	struct error e = { 0 };

	(void)state;
	expect(&s, false, &c, NULL);
	c.uid[ID_SAVED] = 200000;
	expect(&s, false, &c, NULL);
	c.uid[ID_SAVED] = 0;
	expect(&s, false, &c, "saved uid is 0, outside of the id maps");
	c.uid[ID_SAVED] = 101000;
	expect(&s, false, &c, "outside of the id maps");
	c.uid[ID_SAVED] = 100999;
	expect(&s, false, &c, NULL);
	uint32_t root_group = 0;
	c.groups = &root_group;
	c.n_groups = 1;
	expect(&s, false, &c, "group 0 is outside");
	process.user.uid = 1000;
	assert_true(trust_policy(&s, false, &p, &e) < 0);
}

static void seccomp_and_nnp_are_demanded(void **state)
{
	struct spec_seccomp seccomp = { .default_action = SECCOMP_ERRNO };
	struct spec_process process = { .no_new_privileges = true };
	struct spec s = { .process = &process, .seccomp = &seccomp };
	struct task_creds c = creds(0, 0, 0);

	(void)state;
	expect(&s, false, &c, "no_new_privs is not set");
	c.no_new_privs = true;
	expect(&s, false, &c, "no seccomp filter");
	c.seccomp = 2;
	expect(&s, false, &c, NULL);
	c.seccomp_filters = 0;
	expect(&s, false, &c, "0 seccomp filters");
	c.seccomp_filters = 3;
	expect(&s, false, &c, NULL);
	c.seccomp = 1; /* strict is stricter than any filter */
	expect(&s, false, &c, NULL);
	s.seccomp = NULL;
	c.seccomp = 0;
	expect(&s, false, &c, NULL);
}

static void labels_are_the_configs(void **state)
{
	struct spec_process process = { .apparmor_profile = "box" };
	const struct spec s = { .process = &process };
	struct task_creds c = creds(0, 0, 0);

	(void)state;
	static const char *const good[] = { "box", "box (enforce)" };
	static const char *const bad[] = { "", "unconfined", "box (complain)", "boxer", "bo" };
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		str_format(c.label, sizeof(c.label), "%s", good[i]);
		expect(&s, false, &c, NULL);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		str_format(c.label, sizeof(c.label), "%s", bad[i]);
		expect(&s, false, &c, "its label is");
	}
	process.apparmor_profile = "unconfined";
	expect(&s, false, &c, NULL);
}

static void a_config_without_a_process_says_nothing(void **state)
{
	const struct spec s = { 0 };
	struct trust_policy p;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(trust_policy(&s, false, &p, &e), -EINVAL);
}

static const char text[] = "Name:\tev\\nil\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t9\nUid:\t1\t2\t3\t4\n"
			   "Gid:\t5\t6\t7\t8\nGroups:\t10 4294967294 \nCapInh:\t0000000000000001\n"
			   "CapPrm:\t000001ffffffffff\nCapEff:\t0000000000000002\nCapBnd:\t0000000000000004\n"
			   "CapAmb:\t0000000000000008\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n";

static void a_status_is_read(void **state)
{
	struct task_creds c;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(trust_parse_status(text, &c, &e), 0);
	assert_string_equal(c.name, "ev\\nil");
	assert_int_equal(c.uid[ID_FS], 4);
	assert_int_equal(c.gid[ID_REAL], 5);
	assert_int_equal(c.n_groups, 2);
	assert_int_equal(c.groups[1], 4294967294U);
	assert_int_equal(c.permitted, 0x1ffffffffff);
	assert_int_equal(c.inheritable | c.effective << 8 | c.bounding << 16 | c.ambient << 24, 0x08040201);
	assert_true(c.no_new_privs);
	assert_int_equal(c.seccomp, 2);
	assert_int_equal(c.seccomp_filters, 3);
	task_creds_done(&c);
	/* Cut anywhere before its last needed line it is an error, never a weaker answer. */
	size_t needed = (size_t)(strstr(text, "Seccomp_filters") - text) - 2;
	for (size_t n = 0; n < needed; n++) {
		auto_free char *cut = strndup(text, n);
		assert_true(trust_parse_status(cut, &c, &e) < 0);
	}
	auto_free char *own = NULL;
	assert_int_equal(io_read_file(AT_FDCWD, "/proc/self/status", 1 << 20, &own, NULL, &e), 0);
	assert_int_equal(trust_parse_status(own, &c, &e), 0);
	assert_int_equal(c.uid[ID_EFFECTIVE], geteuid());
	task_creds_done(&c);
}

static void living_tasks_are_checked(void **state)
{
	struct spec_namespace own_uts = { NS_UTS, NULL };
	struct spec_process process = { .user = { .uid = 4000000000U } };
	struct spec s = { .process = &process };
	pid_t pids[] = { getpid() };
	struct error e = { 0 };

	(void)state;
	auto_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(trust_check_tasks(proc, &s, false, pids[0], pids, 1, &e) < 0);
	assert_non_null(strstr(e.msg, "test_trust"));
	/* Nobody to check is no agreement. */
	assert_true(trust_check_tasks(proc, &s, false, pids[0], pids, 0, &e) < 0);
	/* We are as we are, but in the host's namespaces. */
	struct task_creds c;
	auto_free char *own = NULL;
	assert_int_equal(io_read_file(AT_FDCWD, "/proc/self/status", 1 << 20, &own, NULL, &e), 0);
	assert_int_equal(trust_parse_status(own, &c, &e), 0);
	static char *every[64];
	static char names[64][24];
	size_t n = 0;
	for (int i = 0; i < 41; i++)
		if (c.bounding & BIT(i)) {
			str_format(names[n], sizeof(names[n]), "%s", capability_names[i]);
			every[n] = names[n];
			n++;
		}
	struct spec_capabilities caps = { .bounding = every, .permitted = every };
	process.capabilities = &caps;
	process.user = (struct spec_user){ .uid = geteuid(),
					   .gid = getegid(),
					   .additional_gids = c.groups,
					   .n_additional_gids = c.n_groups };
	if (trust_check_tasks(proc, &s, false, pids[0], pids, 1, &e) != 0)
		fail_msg("%s", e.msg);
	s.namespaces = &own_uts;
	s.n_namespaces = 1;
	assert_true(trust_check_tasks(proc, &s, false, pids[0], pids, 1, &e) < 0);
	assert_non_null(strstr(e.msg, "in the host's uts namespace"));
	own_uts.path = "/proc/self/ns/uts";
	assert_int_equal(trust_check_tasks(proc, &s, false, pids[0], pids, 1, &e), 0);
	own_uts.path = "/proc/self/ns/ipc";
	assert_true(trust_check_tasks(proc, &s, false, pids[0], pids, 1, &e) < 0);
	task_creds_done(&c);
}

static void filters_are_the_configs(void **state)
{
	static const uint8_t head[] = { 0x19, 0x43, 0x56, 0x54, 0x49, 0x30, 0x41, 0x64 };
	/* two filters: one upon nothing, flags 1; one upon the first */
	static const uint8_t entry[] = { 0x0a, 12, 0x0a, 8, 1,	  2, 3, 4, 5, 6, 7,    8,
					 0x18, 1,  0x0a, 8, 0x0a, 4, 9, 9, 9, 9, 0x10, 0 };
	static const uint8_t program[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t image[12 + sizeof(entry)];
	struct error e = { 0 };

	(void)state;
	memcpy(image, head, 8);
	memcpy(image + 8, (const uint8_t[]){ sizeof(entry), 0, 0, 0 }, 4);
	memcpy(image + 12, entry, sizeof(entry));
	assert_int_equal(trust_parse_filters(image, sizeof(image), program, 8, &e), 0);
	assert_int_equal(trust_parse_filters(image, sizeof(image), program, 7, &e), -EPERM);
	image[16] ^= 1;
	assert_int_equal(trust_parse_filters(image, sizeof(image), program, 8, &e), -EPERM);
	image[16] ^= 1;
	image[sizeof(image) - 2] = 0x18; /* no longer stands upon the other */
	assert_int_equal(trust_parse_filters(image, sizeof(image), program, 8, &e), -EPERM);
	/* Cut, it is refused, or (a message may end between two fields) has fewer filters. */
	for (size_t n = 0; n < sizeof(image); n++)
		assert_true(trust_parse_filters(image, n, program, 8, &e) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities_stay_inside),
		cmocka_unit_test(a_bounding_set_counts_for_root),
		cmocka_unit_test(ids_are_the_configs),
		cmocka_unit_test(ids_stay_inside_the_maps),
		cmocka_unit_test(seccomp_and_nnp_are_demanded),
		cmocka_unit_test(labels_are_the_configs),
		cmocka_unit_test(a_config_without_a_process_says_nothing),
		cmocka_unit_test(a_status_is_read),
		cmocka_unit_test(living_tasks_are_checked),
		cmocka_unit_test(filters_are_the_configs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
