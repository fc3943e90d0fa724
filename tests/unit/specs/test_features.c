/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_features.c - what is told is what the tables do */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"
#include "specs/features.h"
#include "specs/json.h"
#include "specs/spec.h"

static const struct json *parse(struct arena *a, const struct features *f)
{
	auto_free char *text = features_to_json(f);
	struct error e = { 0 };
	struct json *root = NULL;

	assert_non_null(text);
	assert_int_equal(json_parse(a, text, strlen(text), &root, &e), 0);
	return root;
}

static const struct json *get(const struct json *v, const char *a, const char *b)
{
	v = json_get(v, a);
	assert_non_null(v);
	v = b ? json_get(v, b) : v;
	assert_non_null(v);
	return v;
}

static bool has(const struct json *array, const char *word)
{
	assert_int_equal(array->type, JSON_ARRAY);
	for (const struct json *v = array->first; v; v = v->next)
		if (str_eq(v->text, word))
			return true;
	return false;
}

static void test_everything_is_told(void **state)
{
	static const char *const mount_options[] = { "bind", "rro", NULL };
	static const char *const flags[] = { "SECCOMP_FILTER_FLAG_LOG", NULL };
	static const char *const archs[] = { "SCMP_ARCH_X86_64", NULL };
	const struct features f = { .mount_options = mount_options,
				    .seccomp = true,
				    .seccomp_flags = flags,
				    .seccomp_archs = archs,
				    .libseccomp_version = "2.5.4",
				    .rdma = true,
				    .systemd = true,
				    .checkpoint = true };
	AUTO(arena) struct arena *a = arena_new();
	const struct json *root = parse(a, &f), *linux_part = get(root, "linux", NULL);

	(void)state;
	assert_string_equal(get(root, "ociVersionMin", NULL)->text, "1.0.0");
	assert_true(str_starts(get(root, "ociVersionMax", NULL)->text, "1."));
	assert_int_equal(get(root, "hooks", NULL)->size, HOOK_KIND_MAX);
	assert_true(has(get(root, "hooks", NULL), "createContainer"));
	assert_true(has(get(root, "mountOptions", NULL), "rro"));
	assert_int_equal(get(root, "mountOptions", NULL)->size, 2);
	assert_int_equal(get(linux_part, "namespaces", NULL)->size, NS_KIND_MAX);
	assert_true(has(get(linux_part, "namespaces", NULL), "time"));
	assert_int_equal(get(linux_part, "capabilities", NULL)->size, 41);
	assert_true(has(get(linux_part, "capabilities", NULL), "CAP_CHECKPOINT_RESTORE"));
	assert_true(get(linux_part, "cgroup", "v2")->boolean);
	assert_false(get(linux_part, "cgroup", "v1")->boolean);
	assert_true(get(linux_part, "cgroup", "systemd")->boolean);
	assert_true(get(linux_part, "cgroup", "systemdUser")->boolean);
	assert_true(get(linux_part, "cgroup", "rdma")->boolean);
	assert_true(get(linux_part, "seccomp", "enabled")->boolean);
	assert_int_equal(get(linux_part, "seccomp", "operators")->size, SECCOMP_OP_COUNT);
	assert_int_equal(get(linux_part, "seccomp", "archs")->size, 1);
	assert_true(has(get(linux_part, "seccomp", "supportedFlags"), "SECCOMP_FILTER_FLAG_LOG"));
	assert_true(has(get(linux_part, "seccomp", "knownFlags"), "SECCOMP_FILTER_FLAG_TSYNC"));
	assert_true(get(linux_part, "apparmor", "enabled")->boolean);
	assert_true(get(linux_part, "selinux", "enabled")->boolean);
	assert_true(get(linux_part, "intelRdt", "enabled")->boolean);
	assert_true(get(linux_part, "intelRdt", "schemata")->boolean);
	assert_true(get(linux_part, "intelRdt", "monitoring")->boolean);
	assert_true(has(get(linux_part, "memoryPolicy", "modes"), "MPOL_WEIGHTED_INTERLEAVE"));
	assert_int_equal(get(linux_part, "memoryPolicy", "flags")->size, 3);
	assert_true(get(linux_part, "netDevices", "enabled")->boolean);
	assert_true(json_get(get(linux_part, "mountExtensions", "idmap"), "enabled")->boolean);
	assert_string_equal(get(root, "annotations", "org.opencontainers.runc.checkpoint.enabled")->text,
			    "true");
	assert_string_equal(get(root, "annotations", "io.github.seccomp.libseccomp.version")->text, "2.5.4");
	assert_string_equal(get(root, "annotations", "run.coracle.version")->text, PACKAGE_VERSION);
	assert_true(
		has(get(root, "potentiallyUnsafeConfigAnnotations", NULL), "run.oci.keep_original_groups"));
}

static void test_without_seccomp_nothing_is_claimed(void **state)
{
	const struct features f = { 0 };
	AUTO(arena) struct arena *a = arena_new();
	const struct json *seccomp = get(parse(a, &f), "linux", "seccomp");

	(void)state;
	assert_false(json_get(seccomp, "enabled")->boolean);
	assert_null(json_get(seccomp, "actions"));
	assert_null(json_get(seccomp, "archs"));
}

/* Each action that is listed is taken in a config, and no other. */
static void test_actions_are_those_a_config_may_have(void **state)
{
	const struct features f = { .seccomp = true };
	AUTO(arena) struct arena *a = arena_new();
	const struct json *actions = json_get(get(parse(a, &f), "linux", "seccomp"), "actions");
	char config[300];

	(void)state;
	for (int i = 0; i < SECCOMP_ACTION_COUNT; i++) {
		AUTO(spec) struct spec *s = NULL;
		struct error e;
		str_format(config, sizeof(config),
			   "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"seccomp\":"
			   "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/a\",\"syscalls\":[{"
			   "\"names\":[\"mkdir\"],\"action\":\"%s\"}]}}}",
			   seccomp_action_names[i]);
		assert_int_equal(spec_parse(config, strlen(config), &s, &e) == 0,
				 has(actions, seccomp_action_names[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_is_told),
		cmocka_unit_test(test_without_seccomp_nothing_is_claimed),
		cmocka_unit_test(test_actions_are_those_a_config_may_have),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
