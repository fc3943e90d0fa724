/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_caps.c - names to sets, and what a process has in the end (/proc/self/status) */
#include "tests/unit/unit.h"

#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "namespaces/caps.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "tests/unit/namespaces/child.h"

#define BIT(cap) (UINT64_C(1) << (cap))

/* ---- warnings are caught here ---- */

static char warnings[1024];
static int n_warnings;

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	size_t n = strlen(warnings);

	assert_int_equal(level, LOG_LEVEL_WARNING);
	va_start(ap, fmt);
	vsnprintf(warnings + n, sizeof(warnings) - n, fmt, ap);
	va_end(ap);
	n_warnings++;
}

static int forget_warnings(void **state)
{
	(void)state;
	warnings[0] = '\0';
	n_warnings = 0;
	return 0;
}

/* ---- names ---- */

/* Lists of strings as a spec has them. */
#define LIST(...) ((char *[]){ __VA_ARGS__, NULL })
static char chown_name[] = "CAP_CHOWN", kill_name[] = "CAP_KILL", raw_name[] = "CAP_NET_RAW",
	    admin_name[] = "CAP_SYS_ADMIN", unknown_name[] = "CAP_FROM_THE_FUTURE", number_name[] = "5",
	    bpf_name[] = "CAP_BPF";

static void test_names_become_bits(void **state)
{
	const struct spec_capabilities c = {
		.bounding = LIST(chown_name, kill_name, bpf_name),
		.permitted = LIST(chown_name, kill_name),
		.effective = LIST(chown_name),
		.inheritable = LIST(kill_name),
		.ambient = LIST(kill_name),
	};
	struct caps caps;

	(void)state;
	caps_from_names(&c, ~UINT64_C(0), &caps);
	assert_true(caps.bounding == (BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_BPF)));
	assert_true(caps.permitted == (BIT(CAP_CHOWN) | BIT(CAP_KILL)));
	assert_true(caps.effective == BIT(CAP_CHOWN));
	assert_true(caps.inheritable == BIT(CAP_KILL));
	assert_true(caps.ambient == BIT(CAP_KILL));
	assert_int_equal(n_warnings, 0);
}

/* CVE-2022-29162, CVE-2022-27650, CVE-2025-27612. */
static void test_inheritable_is_never_copied_from_another_set(void **state)
{
	const struct spec_capabilities c = { .bounding = LIST(chown_name),
					     .permitted = LIST(chown_name),
					     .effective = LIST(chown_name) };
	struct caps caps;

	(void)state;
	caps_from_names(&c, ~UINT64_C(0), &caps);
	assert_true(caps.inheritable == 0 && caps.ambient == 0);
}

static void test_an_absent_object_means_empty_sets(void **state)
{
	struct caps caps = { 1, 1, 1, 1, 1 };

	(void)state;
	caps_from_names(NULL, ~UINT64_C(0), &caps);
	assert_true(!(caps.bounding | caps.permitted | caps.effective | caps.inheritable | caps.ambient));
}

static void test_what_cannot_be_granted_is_left_out_with_one_warning(void **state)
{
	char **list = LIST(chown_name, unknown_name, raw_name);
	const struct spec_capabilities c = {
		.bounding = list, .permitted = list, .effective = list, .inheritable = list
	};
	struct caps caps;

	(void)state;
	caps_from_names(&c, BIT(CAP_CHOWN), &caps);
	assert_true(caps.bounding == BIT(CAP_CHOWN) && caps.permitted == BIT(CAP_CHOWN));
	assert_true(caps.effective == BIT(CAP_CHOWN) && caps.inheritable == BIT(CAP_CHOWN));
	assert_int_equal(n_warnings, 2);
	assert_non_null(strstr(warnings, unknown_name));
	assert_non_null(strstr(warnings, raw_name));
}

static void test_numbers_are_no_names(void **state)
{
	const struct spec_capabilities c = { .bounding = LIST(number_name) };
	struct caps caps;

	(void)state;
	caps_from_names(&c, ~UINT64_C(0), &caps);
	assert_true(caps.bounding == 0);
	assert_int_equal(n_warnings, 1);
}

static void test_sets_are_cut_to_what_the_kernel_takes(void **state)
{
	const struct spec_capabilities c = {
		.bounding = LIST(chown_name),
		.permitted = LIST(kill_name),
		.effective = LIST(chown_name, kill_name),
		.inheritable = LIST(chown_name, kill_name),
		.ambient = LIST(kill_name),
	};
	struct caps caps;

	(void)state;
	caps_from_names(&c, ~UINT64_C(0), &caps);
	assert_true(caps.effective == BIT(CAP_KILL));
	assert_true(caps.inheritable == BIT(CAP_CHOWN));
	assert_true(caps.ambient == 0);
	assert_non_null(strstr(warnings, "ambient"));
}

/* ---- for real ---- */

static uint64_t status_set(const char *name)
{
	char buf[256];
	return strtoull(status_line(name, buf), NULL, 16);
}

struct wanted {
	const struct spec_capabilities *c;
	uid_t uid;
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

static int apply(void *arg)
{
	const struct wanted *w = arg;
	struct caps caps;
	struct error e = { 0 };

	child_expects(caps_resolve(w->c, &caps, &e) == 0, "%s", e.msg);
	child_expects(caps_drop_bounding(&caps, &e) == 0, "%s", e.msg);
	if (w->uid) {
		child_expects(prctl(PR_SET_KEEPCAPS, 1) == 0 && setresuid(w->uid, w->uid, w->uid) == 0,
			      "uid");
		child_expects(caps_regain(&e) == 0, "%s", e.msg);
		child_expects(status_set("CapEff") == status_set("CapPrm") && status_set("CapEff"),
			      "not regained");
	}
	child_expects(caps_apply(&caps, &e) == 0, "%s", e.msg);
	child_expects(status_set("CapBnd") == w->bounding, "bounding %llx",
		      (unsigned long long)status_set("CapBnd"));
	child_expects(status_set("CapEff") == w->effective, "effective");
	child_expects(status_set("CapInh") == w->inheritable, "inheritable");
	child_expects(status_set("CapPrm") == w->permitted, "permitted");
	child_expects(status_set("CapAmb") == w->ambient, "ambient");
	return 0;
}

static void test_a_process_gets_the_sets(void **state)
{
	const struct spec_capabilities c = {
		.bounding = LIST(chown_name, kill_name, raw_name),
		.permitted = LIST(chown_name, kill_name),
		.effective = LIST(chown_name),
		.inheritable = LIST(kill_name),
		.ambient = LIST(kill_name),
	};
	struct wanted w = { .c = &c,
			    .bounding = BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_NET_RAW),
			    .effective = BIT(CAP_CHOWN),
			    .inheritable = BIT(CAP_KILL),
			    .permitted = BIT(CAP_CHOWN) | BIT(CAP_KILL),
			    .ambient = BIT(CAP_KILL) };

	(void)state;
	need_root();
	assert_int_equal(in_child(apply, &w), 0);
	w.uid = 1000;
	assert_int_equal(in_child(apply, &w), 0);
}

static void test_a_process_without_the_object_has_nothing(void **state)
{
	struct wanted w = { .c = NULL };

	(void)state;
	need_root();
	assert_int_equal(in_child(apply, &w), 0);
	w.uid = 1000;
	assert_int_equal(in_child(apply, &w), 0);
}

/* An ambient set that our caller left us does not live on. */
static int inherit_ambient_then_apply(void *arg)
{
	const struct spec_capabilities before = { .bounding = LIST(chown_name, kill_name, admin_name),
						  .permitted = LIST(chown_name, kill_name, admin_name),
						  .effective = LIST(chown_name, kill_name, admin_name),
						  .inheritable = LIST(chown_name, kill_name),
						  .ambient = LIST(chown_name, kill_name) };
	struct caps caps;
	struct error e = { 0 };

	child_expects(caps_resolve(&before, &caps, &e) == 0 && caps_apply(&caps, &e) == 0, "%s", e.msg);
	child_expects(status_set("CapAmb") == (BIT(CAP_CHOWN) | BIT(CAP_KILL)),
		      "no ambient set to begin with");
	const struct spec_capabilities *after = arg;
	caps_from_names(after, caps.permitted, &caps);
	child_expects(caps_apply(&caps, &e) == 0, "%s", e.msg);
	child_expects(status_set("CapAmb") == caps.ambient, "ambient %llx",
		      (unsigned long long)status_set("CapAmb"));
	return 0;
}

static void test_an_inherited_ambient_set_ends(void **state)
{
	struct spec_capabilities c = { .bounding = LIST(chown_name, kill_name),
				       .permitted = LIST(chown_name, kill_name),
				       .inheritable = LIST(chown_name, kill_name),
				       .ambient = LIST(kill_name) };

	(void)state;
	need_root();
	assert_int_equal(in_child(inherit_ambient_then_apply, &c), 0);
	c.inheritable = c.ambient = NULL;
	assert_int_equal(in_child(inherit_ambient_then_apply, &c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names_become_bits, forget_warnings),
		cmocka_unit_test_setup(test_inheritable_is_never_copied_from_another_set, forget_warnings),
		cmocka_unit_test_setup(test_an_absent_object_means_empty_sets, forget_warnings),
		cmocka_unit_test_setup(test_what_cannot_be_granted_is_left_out_with_one_warning,
				       forget_warnings),
		cmocka_unit_test_setup(test_numbers_are_no_names, forget_warnings),
		cmocka_unit_test_setup(test_sets_are_cut_to_what_the_kernel_takes, forget_warnings),
		cmocka_unit_test_setup(test_a_process_gets_the_sets, forget_warnings),
		cmocka_unit_test_setup(test_a_process_without_the_object_has_nothing, forget_warnings),
		cmocka_unit_test_setup(test_an_inherited_ambient_set_ends, forget_warnings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
