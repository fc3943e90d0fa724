/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_default.c - the default configs are what the golden files say, and what they must be
 *
 * UPDATE_GOLDEN=1 in the environment writes the golden files anew: read the difference before committing. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "specs/capability.h"
#include "specs/default.h"

#define LIST(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

/* Options that do not depend on the machine. */
static struct default_options options(void)
{
	struct default_options o;

	default_options_init(&o);
	snprintf(o.machine, sizeof(o.machine), "x86_64");
	o.nofile_limit = 1048576;
	o.thermal_cpus = 0;
	return o;
}

static char *make(const struct default_options *o)
{
	struct error e = { 0 };
	char *text = NULL;

	if (default_config(o, &text, &e) < 0)
		fail_msg("%s", e.msg);
	return text;
}

/* What is made is a config that we take ourselves. */
static struct spec *make_spec(const struct default_options *o)
{
	auto_free char *text = make(o);
	struct error e = { 0 };
	struct spec *s = NULL;

	if (spec_parse(text, strlen(text), &s, &e) < 0)
		fail_msg("%s", e.msg);
	return s;
}

static void expect_golden(const struct default_options *o, const char *name)
{
	auto_free char *text = make(o);
	auto_free char *golden = NULL;
	const char *srcdir = getenv("srcdir");
	struct error e = { 0 };
	char path[512];

	snprintf(path, sizeof(path), "%s/tests/unit/specs/%s", srcdir ? srcdir : ".", name);
	if (getenv("UPDATE_GOLDEN"))
		io_replace_file(AT_FDCWD, path, text, strlen(text), 0644, &e);
	if (io_read_file(AT_FDCWD, path, 1 << 20, &golden, NULL, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(text, golden);
}

static void test_golden_root(void **state)
{
	struct default_options o = options();

	(void)state;
	o.machine[0] = '\0'; /* the profile has tests of its own */
	o.terminal = o.root_readonly = true;
	expect_golden(&o, "default.json");
}

static void test_golden_rootless(void **state)
{
	const struct spec_id_map uid = { .host = 1000, .size = 1 }, gid = { .host = 1001, .size = 1 };
	struct default_options o = options();

	(void)state;
	o.machine[0] = '\0';
	o.terminal = o.root_readonly = o.rootless = true;
	o.uid_maps = &uid;
	o.gid_maps = &gid;
	o.n_uid_maps = o.n_gid_maps = 1;
	expect_golden(&o, "default-rootless.json");
}

static void test_defaults_are_safe(void **state)
{
	static const char *const masked[] = { "/sys/devices/virtual/powercap",
					      "/proc/interrupts",
					      "/proc/kcore",
					      "/proc/keys",
					      "/proc/latency_stats",
					      "/proc/timer_list",
					      "/proc/timer_stats",
					      "/proc/sched_debug",
					      "/proc/scsi",
					      "/proc/acpi",
					      "/proc/asound",
					      "/sys/firmware" };
	struct default_options o = options();
	AUTO(spec) struct spec *s = make_spec(&o);
	const struct spec_capabilities *c = s->process->capabilities;

	(void)state;
	assert_null(c->inheritable);
	assert_null(c->ambient);
	assert_int_equal(strv_count(c->bounding), 11);
	assert_int_equal(strv_count(c->effective), 11);
	assert_int_equal(strv_count(c->permitted), 11);
	assert_false(strv_has(c->bounding, "CAP_SYS_ADMIN"));
	assert_false(strv_has(c->bounding, "CAP_NET_RAW"));
	assert_true(s->process->no_new_privileges);
	for (size_t i = 0; i < COUNT_OF(masked); i++)
		if (!strv_has(s->masked_paths, masked[i]))
			fail_msg("%s is not masked", masked[i]);
	assert_true(strv_has(s->readonly_paths, "/proc/sys"));
	assert_true(strv_has(s->readonly_paths, "/proc/sysrq-trigger"));
	assert_non_null(spec_find_namespace(s, NS_CGROUP));
	assert_non_null(spec_find_namespace(s, NS_PID));
	assert_non_null(s->seccomp);
	assert_int_equal(s->seccomp->default_action, SECCOMP_ERRNO);
	assert_true(s->seccomp->n_rules > 5);
	for (size_t i = 0; i < s->n_mounts; i++)
		if (str_eq(s->mounts[i].destination, "/sys/fs/cgroup") ||
		    str_eq(s->mounts[i].destination, "/sys"))
			assert_true(strv_has(s->mounts[i].options, "ro"));
	assert_int_equal(s->resources->n_devices, 1);
	assert_false(s->resources->devices[0].allow);
}

static void test_options_land(void **state)
{
	struct spec_mount mount = {
		.destination = "/data", .source = "/srv", .type = "bind", .options = (char **)LIST("rbind")
	};
	struct default_options o = options();

	(void)state;
	o.rootfs = "/srv/root";
	o.root_readonly = true;
	o.args = LIST("/bin/redis-server", "--port", "1");
	o.env = LIST("A=1", "PATH=/mine", "A=2");
	o.cwd = "/data";
	o.uid = 1;
	o.gid = 2;
	o.hostname = "db";
	o.memory_limit = 1 << 20;
	o.cpu_quota = 150000;
	o.cpu_period = 100000;
	o.pids_limit = 7;
	o.mounts = &mount;
	o.n_mounts = 1;
	o.thermal_cpus = 2;
	AUTO(spec) struct spec *s = make_spec(&o);
	assert_string_equal(s->root_path, "/srv/root");
	assert_true(s->root_readonly);
	assert_false(s->process->terminal);
	assert_int_equal(strv_count(s->process->args), 3);
	assert_string_equal(s->process->args[2], "1");
	assert_int_equal(strv_count(s->process->env), 2);
	assert_string_equal(s->process->env[0], "PATH=/mine");
	assert_string_equal(s->process->env[1], "A=2");
	assert_string_equal(s->process->cwd, "/data");
	assert_int_equal(s->process->user.uid, 1);
	assert_int_equal(s->process->user.gid, 2);
	assert_string_equal(s->hostname, "db");
	assert_int_equal(s->resources->memory_limit, 1 << 20);
	assert_int_equal(s->resources->cpu_quota, 150000);
	assert_int_equal(s->resources->cpu_period, 100000);
	assert_int_equal(s->resources->pids_limit, 7);
	assert_string_equal(s->mounts[s->n_mounts - 1].destination, "/data");
	assert_string_equal(s->mounts[s->n_mounts - 1].options[0], "rbind");
	assert_true(strv_has(s->masked_paths, "/sys/devices/system/cpu/cpu1/thermal_throttle"));
	assert_false(strv_has(s->masked_paths, "/sys/devices/system/cpu/cpu2/thermal_throttle"));
}

static void test_file_limit_stays_below_the_callers(void **state)
{
	static const struct {
		uint64_t caller, soft, hard;
	} rows[] = { { 1048576, 1024, 524288 }, { 4096, 1024, 4096 }, { 256, 256, 256 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct default_options o = options();
		o.nofile_limit = rows[i].caller;
		AUTO(spec) struct spec *s = make_spec(&o);
		assert_int_equal(s->process->n_rlimits, 1);
		assert_int_equal(s->process->rlimits[0].resource, RLIMIT_NOFILE);
		assert_int_equal(s->process->rlimits[0].soft, rows[i].soft);
		assert_int_equal(s->process->rlimits[0].hard, rows[i].hard);
	}
}

static void test_rootless_asks_for_no_resources(void **state)
{
	const struct spec_id_map maps[] = { { 0, 4294967294, 1 }, { 1, 100000, 65536 } };
	struct default_options o = options();

	(void)state;
	o.rootless = true;
	o.uid_maps = o.gid_maps = maps;
	o.n_uid_maps = o.n_gid_maps = 2;
	AUTO(spec) struct spec *s = make_spec(&o);
	assert_null(s->resources);
	assert_null(spec_find_namespace(s, NS_NETWORK));
	assert_non_null(spec_find_namespace(s, NS_USER));
	assert_int_equal(s->uid_mappings[0].host, 4294967294);
	assert_true(s->n_gid_mappings == 2 && s->gid_mappings[1].container == 1 &&
		    s->gid_mappings[1].host == 100000 && s->gid_mappings[1].size == 65536);
	o.pids_limit = 5;
	AUTO(spec) struct spec *limited = make_spec(&o);
	assert_int_equal(limited->resources->pids_limit, 5);
	assert_int_equal(limited->resources->n_devices, 0);
}

static void expect_failure(const struct default_options *o, const char *message)
{
	struct error e = { 0 };
	char *text = NULL;

	assert_true(default_config(o, &text, &e) < 0);
	assert_null(text);
	assert_string_equal(e.msg, message);
}

static void test_bad_options_are_named(void **state)
{
	static char *const nothing[] = { NULL };
	struct default_options o = options();

	(void)state;
	o.env = LIST("A");
	expect_failure(&o, "--env: \"A\" is not NAME=value");
	o = options();
	o.cwd = "srv";
	expect_failure(&o, "--cwd: \"srv\" is not an absolute path");
	o = options();
	o.args = nothing;
	expect_failure(&o, "no command");
	o = options();
	snprintf(o.machine, sizeof(o.machine), "pdp11");
	expect_failure(&o, "seccomp: there is no default profile for the machine \"pdp11\"");
}

/* ---- what people type ---- */

static void test_cpus(void **state)
{
	static const struct {
		const char *text;
		int64_t quota;
	} good[] = { { "1", 100000 },	{ "1.5", 150000 },	 { "0.01", 1000 },
		     { "0.25", 25000 }, { "12.34567", 1234567 }, { "64", 6400000 } };
	static const char *const bad[] = { "",	  ".",	  ".5",	 "1.",	     "-1",
					   "1,5", "1.5x", "1e3", "1.234567", "99999999999999" };
	static const char *const little[] = { "0", "0.0", "0.00999" };
	struct error e = { 0 };
	int64_t quota = 0, period = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(default_parse_cpus(good[i].text, &quota, &period, &e), 0);
		assert_int_equal(quota, good[i].quota);
		assert_int_equal(period, 100000);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(default_parse_cpus(bad[i], &quota, &period, &e), -EINVAL);
	for (size_t i = 0; i < COUNT_OF(little); i++)
		assert_int_equal(default_parse_cpus(little[i], &quota, &period, &e), -ERANGE);
	assert_int_equal(quota, 6400000);
}

static void test_mounts(void **state)
{
	static const struct {
		const char *text, *type, *source, *destination, *options;
	} rows[] = {
		{ "/a:/b", "bind", "/a", "/b", "rbind rprivate" },
		{ "/a:/b:ro", "bind", "/a", "/b", "rro rbind rprivate" },
		{ "/a:/b:ro,noexec", "bind", "/a", "/b", "rro noexec rbind rprivate" },
		{ "/a=b:/c", "bind", "/a=b", "/c", "rbind rprivate" },
		{ "type=bind,src=/a,dst=/b", "bind", "/a", "/b", "rbind rprivate" },
		{ "src=/a,target=/b,readonly", "bind", "/a", "/b", "rro rbind rprivate" },
		{ "source=/a,destination=/b,ro=true", "bind", "/a", "/b", "rro rbind rprivate" },
		{ "src=/a,dst=/b,readonly=false,bind-propagation=rslave", "bind", "/a", "/b",
		  "rbind rslave" },
		{ "type=tmpfs,dst=/t", "tmpfs", "tmpfs", "/t", "nosuid nodev" },
		{ "type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1777,noexec", "tmpfs", "tmpfs", "/t",
		  "size=64m mode=1777 noexec nosuid nodev" },
	};
	struct error e = { 0 };
	AUTO(arena) struct arena *a = arena_new();
	char options[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct spec_mount m = { 0 };
		if (default_parse_mount(a, rows[i].text, &m, &e) < 0)
			fail_msg("%s", e.msg);
		assert_string_equal(m.type, rows[i].type);
		assert_string_equal(m.source, rows[i].source);
		assert_string_equal(m.destination, rows[i].destination);
		options[0] = '\0';
		for (char **o = m.options; *o; o++)
			snprintf(options + strlen(options), sizeof(options) - strlen(options), "%s%s",
				 o == m.options ? "" : " ", *o);
		assert_string_equal(options, rows[i].options);
	}
}

static void test_bad_mounts(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "the destination is not an absolute path" },
		{ "/a", "the destination is not an absolute path" },
		{ "/a:b", "the destination is not an absolute path" },
		{ "a:/b", "the source is not an absolute path" },
		{ "/a:/b:", "an option is empty" },
		{ "/a:/b:ro,,rw", "an option is empty" },
		{ "type=bind,dst=/b", "the source is not an absolute path" },
		{ "type=bind,src=/a", "the destination is not an absolute path" },
		{ "type=bind,src=/a,dst=/b,src=/c", "src is given twice" },
		{ "type=bind,src=/a,source=/c,dst=/b", "source is given twice" },
		{ "type=bind,src=,dst=/b", "src is empty" },
		{ "type=volume,src=/a,dst=/b", "the type is bind or tmpfs, not \"volume\"" },
		{ "type=tmpfs,src=/a,dst=/b", "a tmpfs has no source and no bind-propagation" },
		{ "src=/a,dst=/b,ro=maybe", "ro is true or false, not \"maybe\"" },
		{ "src=/a,dst=/b,volume-driver=x", "unknown key \"volume-driver\"" },
	};
	struct error e = { 0 };
	AUTO(arena) struct arena *a = arena_new();
	char message[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct spec_mount m = { 0 };
		if (default_parse_mount(a, rows[i].text, &m, &e) == 0)
			fail_msg("accepted: %s", rows[i].text);
		snprintf(message, sizeof(message), "--mount \"%s\": %s", rows[i].text, rows[i].why);
		assert_string_equal(e.msg, message);
		assert_null(m.destination);
	}
}

static void test_capabilities(void **state)
{
	char *const *add = LIST("net_raw", "CAP_SYS_TIME"), *const *drop = LIST("Cap_Chown");
	char *const *all = LIST("ALL"), *const *bad = LIST("CAP_");
	struct error e = { 0 };
	uint64_t start = 1 << 0 | 1 << 1, caps = start;

	(void)state;
	assert_int_equal(default_change_caps(&caps, add, drop, &e), 0);
	assert_true(caps == (1 << 1 | 1 << 13 | 1 << 25));
	caps = start;
	assert_int_equal(default_change_caps(&caps, add, all, &e), 0);
	assert_true(caps == (1 << 13 | 1 << 25));
	assert_int_equal(default_change_caps(&caps, all, drop, &e), 0);
	assert_true(caps == (UINT64_C(1) << 41) - 2);
	caps = start;
	assert_int_equal(default_change_caps(&caps, bad, NULL, &e), -EINVAL);
	assert_string_equal(e.msg, "--cap-add: unknown capability \"CAP_\"");
	assert_int_equal(default_change_caps(&caps, NULL, bad, &e), -EINVAL);
	assert_string_equal(e.msg, "--cap-drop: unknown capability \"CAP_\"");
	assert_true(caps == start);
	assert_int_equal(default_change_caps(&caps, NULL, NULL, &e), 0);
	assert_true(caps == start);
	for (int i = 0; i < CAPABILITY_COUNT; i++)
		assert_int_equal(capability_number(capability_names[i]), i);
	assert_null(capability_names[CAPABILITY_COUNT]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_root),
		cmocka_unit_test(test_golden_rootless),
		cmocka_unit_test(test_defaults_are_safe),
		cmocka_unit_test(test_options_land),
		cmocka_unit_test(test_file_limit_stays_below_the_callers),
		cmocka_unit_test(test_rootless_asks_for_no_resources),
		cmocka_unit_test(test_bad_options_are_named),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_bad_mounts),
		cmocka_unit_test(test_capabilities),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
