/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_spec.c - config.json to struct spec: every key lands, absence is a value, errors name the key */
#include "tests/unit/specs/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>

#include "runtime/base/io.h"

#define CORPUS "tests/fuzz/corpus/config"

static void corpus_path(char path[static 512], const char *name)
{
	const char *srcdir = getenv("srcdir");
	snprintf(path, 512, "%s/" CORPUS "/%s", srcdir ? srcdir : ".", name);
}

static struct spec *parse_file(const char *name)
{
	auto_free char *text = NULL;
	char path[512];
	size_t size;
	struct error e = { 0 };
	struct spec *s = NULL;

	corpus_path(path, name);
	if (io_read_file(AT_FDCWD, path, 1 << 20, &text, &size, &e) < 0 || spec_parse(text, size, &s, &e) < 0)
		fail_msg("%s: %s", name, e.msg);
	return s;
}

static void expect_list(char *const *list, const char *first, size_t count)
{
	assert_non_null(list);
	assert_int_equal(strv_count(list), count);
	if (count)
		assert_string_equal(list[0], first);
}

/* ---- every key lands ---- */

static void test_every_key_of_process(void **state)
{
	AUTO(spec) struct spec *s = parse_file("every-key.json");
	const struct spec_process *p = s->process;

	(void)state;
	assert_string_equal(s->oci_version, "1.2.0");
	assert_string_equal(s->hostname, "web");
	assert_string_equal(s->domainname, "example.org");
	assert_string_equal(s->root_path, "rootfs");
	assert_true(s->root_readonly);
	assert_true(p->terminal);
	assert_int_equal(p->console_height, 25);
	assert_int_equal(p->console_width, 80);
	assert_int_equal(p->user.uid, 1);
	assert_int_equal(p->user.gid, 2);
	assert_int_equal(p->user.umask, 077);
	assert_int_equal(p->user.n_additional_gids, 2);
	assert_int_equal(p->user.additional_gids[1], 4294967294);
	expect_list(p->args, "/bin/server", 2);
	expect_list(p->env, "PATH=/bin", 2);
	assert_string_equal(p->cwd, "/srv");
	expect_list(p->capabilities->bounding, "CAP_CHOWN", 2);
	expect_list(p->capabilities->effective, "CAP_CHOWN", 1);
	expect_list(p->capabilities->inheritable, NULL, 0);
	expect_list(p->capabilities->permitted, "CAP_CHOWN", 1);
	expect_list(p->capabilities->ambient, NULL, 0);
	assert_int_equal(p->n_rlimits, 2);
	assert_int_equal(p->rlimits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(p->rlimits[0].soft, 1024);
	assert_true(p->rlimits[0].hard == RLIM_INFINITY);
	assert_true(p->no_new_privileges);
	assert_int_equal(p->oom_score_adj, -500);
	assert_null(p->apparmor_profile);
	assert_null(p->selinux_label);
}

static void test_every_key_of_mounts_and_hooks(void **state)
{
	AUTO(spec) struct spec *s = parse_file("every-key.json");
	static const size_t counts[HOOK_KIND_MAX] = { 1, 1, 1, 1, 1, 2 };

	(void)state;
	assert_int_equal(s->n_mounts, 2);
	assert_string_equal(s->mounts[0].destination, "/proc");
	assert_string_equal(s->mounts[0].type, "proc");
	assert_null(s->mounts[0].options);
	assert_string_equal(s->mounts[1].destination, "/data");
	assert_string_equal(s->mounts[1].source, "/srv/data");
	assert_null(s->mounts[1].type);
	expect_list(s->mounts[1].options, "rbind", 3);
	for (int kind = 0; kind < HOOK_KIND_MAX; kind++) {
		assert_int_equal(s->hooks[kind].count, counts[kind]);
		assert_string_equal(s->hooks[kind].list[0].path, "/usr/bin/hook");
		assert_non_null(hook_names[kind]);
	}
	const struct spec_hook *h = s->hooks[HOOK_PRESTART].list;
	expect_list(h->args, "hook", 2);
	expect_list(h->env, "A=b", 1);
	assert_int_equal(h->timeout, 5);
	h = s->hooks[HOOK_POSTSTOP].list + 1;
	assert_string_equal(h->path, "/usr/bin/other");
	assert_null(h->args);
	assert_null(h->env);
	assert_int_equal(h->timeout, 0);
	assert_string_equal(spec_annotation(s, "org.example.key"), "value");
	assert_string_equal(spec_annotation(s, "empty"), "");
	assert_null(spec_annotation(s, "absent"));
}

static void test_every_key_of_linux(void **state)
{
	AUTO(spec) struct spec *s = parse_file("every-key.json");

	(void)state;
	assert_int_equal(s->n_namespaces, NS_KIND_MAX);
	assert_string_equal(spec_find_namespace(s, NS_PID)->path, "/proc/1/ns/pid");
	assert_null(spec_find_namespace(s, NS_NETWORK)->path);
	assert_int_equal(s->n_uid_mappings, 2);
	assert_int_equal(s->uid_mappings[1].container, 1000);
	assert_int_equal(s->uid_mappings[1].host, 1000);
	assert_int_equal(s->uid_mappings[1].size, 1);
	assert_int_equal(s->n_gid_mappings, 1);
	assert_int_equal(s->n_time_offsets, 2);
	assert_string_equal(s->time_offsets[0].clock, "monotonic");
	assert_int_equal(s->time_offsets[0].secs, -172800);
	assert_int_equal(s->time_offsets[0].nanosecs, 1);
	assert_int_equal(s->time_offsets[1].secs, 604800);
	assert_int_equal(s->n_devices, 4);
	assert_int_equal(s->devices[0].mode, 0666);
	assert_int_equal(s->devices[0].minor, 229);
	assert_int_equal(s->devices[1].type, 'p');
	assert_int_equal(s->devices[2].type, 'c');
	assert_int_equal(s->devices[2].mode, 0666);
	assert_int_equal(s->devices[3].mode, 0666);
	assert_string_equal(s->cgroups_path, "/engine/web");
	assert_string_equal(s->rootfs_propagation, "rslave");
	assert_null(s->mount_label);
	expect_list(s->masked_paths, "/proc/kcore", 1);
	expect_list(s->readonly_paths, "/proc/sys", 1);
	assert_int_equal(s->n_sysctl, 3);
	assert_string_equal(s->sysctl[2].key, "kernel.sem");
	assert_string_equal(s->sysctl[2].value, "250\t32000 32 128");
}

static void test_every_key_of_resources(void **state)
{
	AUTO(spec) struct spec *s = parse_file("every-key.json");
	const struct spec_resources *r = s->resources;

	(void)state;
	assert_int_equal(r->memory_limit, 536870912);
	assert_int_equal(r->memory_reservation, 268435456);
	assert_int_equal(r->memory_swap, 1073741824);
	assert_int_equal(r->memory_kernel, -1);
	assert_true(r->memory_kernel_tcp == NUM_UNSET);
	assert_true(r->memory_check_before_update);
	assert_false(r->memory_disable_oom_killer);
	assert_int_equal(r->cpu_shares, 1024);
	assert_int_equal(r->cpu_quota, 150000);
	assert_int_equal(r->cpu_period, 100000);
	assert_int_equal(r->cpu_burst, 0);
	assert_int_equal(r->cpu_idle, 0);
	assert_true(r->cpu_realtime_runtime == NUM_UNSET);
	assert_true(r->cpu_realtime_period == NUM_UNSET);
	assert_string_equal(r->cpuset_cpus, "0-1,3");
	assert_string_equal(r->cpuset_mems, "0");
	assert_int_equal(r->pids_limit, 0);
	assert_int_equal(r->block_weight, 500);
	assert_true(r->block_leaf_weight == NUM_UNSET);
	assert_int_equal(r->n_block_weight_devices, 1);
	assert_int_equal(r->block_weight_devices[0].weight, 300);
	assert_true(r->block_weight_devices[0].leaf_weight == NUM_UNSET);
	assert_int_equal(r->n_block_read_bps, 1);
	assert_true(r->block_read_bps[0].rate == UINT64_MAX);
	assert_int_equal(r->block_write_bps[0].rate, 1000);
	assert_int_equal(r->block_read_iops[0].rate, 100);
	assert_int_equal(r->block_write_iops[0].minor, 16);
	assert_int_equal(r->n_hugepage_limits, 1);
	assert_string_equal(r->hugepage_limits[0].page_size, "2MB");
	assert_true(r->hugepage_limits[0].limit == UINT64_C(9223372036854775808));
	assert_int_equal(r->n_rdma, 2);
	assert_string_equal(r->rdma[0].device, "mlx5_1");
	assert_int_equal(r->rdma[0].hca_handles, 3);
	assert_true(r->rdma[1].hca_handles == NUM_UNSET);
	assert_int_equal(r->rdma[1].hca_objects, 0);
	assert_int_equal(r->n_unified, 2);
	assert_string_equal(r->unified[1].key, "hugetlb.1GB.max");
	assert_string_equal(r->unified[1].value, "1073741824");
	assert_int_equal(r->n_devices, 3);
	assert_false(r->devices[0].allow);
	assert_int_equal(r->devices[0].type, 'a');
	assert_int_equal(r->devices[0].major, -1);
	assert_true(r->devices[0].read && r->devices[0].write && r->devices[0].mknod);
	assert_true(r->devices[1].read && r->devices[1].write && !r->devices[1].mknod);
	assert_int_equal(r->devices[2].type, 'b');
	assert_int_equal(r->devices[2].minor, -1);
}

static void test_every_key_of_seccomp(void **state)
{
	AUTO(spec) struct spec *s = parse_file("every-key.json");
	const struct spec_seccomp *c = s->seccomp;

	(void)state;
	assert_int_equal(c->default_action, SECCOMP_ERRNO);
	assert_int_equal(c->default_errno_ret, 38);
	expect_list(c->architectures, "SCMP_ARCH_X86_64", 2);
	expect_list(c->flags, "SECCOMP_FILTER_FLAG_LOG", 1);
	assert_null(c->listener_path);
	assert_int_equal(c->n_rules, 3);
	expect_list(c->rules[0].names, "read", 2);
	assert_int_equal(c->rules[0].action, SECCOMP_ALLOW);
	assert_true(c->rules[0].errno_ret == NUM_UNSET);
	assert_int_equal(c->rules[0].n_args, 0);
	assert_int_equal(c->rules[1].action, SECCOMP_TRACE);
	assert_int_equal(c->rules[1].errno_ret, 65535);
	assert_int_equal(c->rules[2].n_args, 2);
	assert_int_equal(c->rules[2].args[0].op, SECCOMP_MASKED_EQ);
	assert_int_equal(c->rules[2].args[0].value, 2114060288);
	assert_int_equal(c->rules[2].args[1].index, 5);
	assert_int_equal(c->rules[2].args[1].op, SECCOMP_NE);
	assert_true(c->rules[2].args[1].value == UINT64_MAX);
	/* The text of the object, as it stands in the file. */
	assert_int_equal(strlen(c->raw), c->raw_size);
	assert_int_equal(strncmp(c->raw, "{\n\t\t\t\"defaultAction\": \"SCMP_ACT_ERRNO\"", 38), 0);
	assert_true(str_ends(c->raw, "]\n\t\t}"));
}

/* ---- absence ---- */

static void expect_no_resources(const struct spec_resources *r)
{
	const int64_t numbers[] = { r->memory_limit,	    r->memory_reservation, r->memory_swap,
				    r->memory_swappiness,   r->memory_kernel,	   r->memory_kernel_tcp,
				    r->cpu_shares,	    r->cpu_quota,	   r->cpu_period,
				    r->cpu_burst,	    r->cpu_idle,	   r->cpu_realtime_runtime,
				    r->cpu_realtime_period, r->pids_limit,	   r->block_weight,
				    r->block_leaf_weight };
	const size_t counts[] = { r->n_block_weight_devices,
				  r->n_block_read_bps,
				  r->n_block_write_bps,
				  r->n_block_read_iops,
				  r->n_block_write_iops,
				  r->n_hugepage_limits,
				  r->n_rdma,
				  r->n_unified,
				  r->n_devices };

	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		assert_true(numbers[i] == NUM_UNSET);
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		assert_int_equal(counts[i], 0);
	assert_null(r->cpuset_cpus);
	assert_null(r->cpuset_mems);
	assert_false(r->memory_check_before_update || r->memory_disable_oom_killer);
}

static void test_absence_is_a_value(void **state)
{
	AUTO(spec) struct spec *s = parse_config(CONFIG());
	AUTO(spec) struct spec *p = parse_config(PROCESS());
	AUTO(spec) struct spec *r = parse_config(LINUX("'resources':{}"));
	struct spec_resources none;

	(void)state;
	assert_null(s->process);
	assert_null(s->resources);
	assert_null(s->seccomp);
	assert_null(s->hostname);
	assert_null(s->masked_paths);
	assert_int_equal(s->n_mounts, 0);
	assert_int_equal(s->n_namespaces, 0);
	assert_null(spec_find_namespace(s, NS_PID));
	assert_true(p->process->oom_score_adj == NUM_UNSET);
	assert_int_equal(p->process->user.umask, ID_UNSET);
	assert_null(p->process->env);
	assert_null(p->process->capabilities);
	assert_int_equal(p->process->n_rlimits, 0);
	spec_resources_init(&none);
	expect_no_resources(&none);
	expect_no_resources(r->resources);
}

/* Engines written in Go send null for a list that is nil, and 0 or "" for what nobody asked for. */
static void test_null_and_zero_say_nothing(void **state)
{
	AUTO(spec)
	struct spec *s = parse_config(
		"{'ociVersion':'1.2.0','root':{'path':'r','readonly':null},'process':null,'mounts':null,"
		"'hooks':null,'hostname':'','annotations':null,'linux':{'namespaces':null,'cgroupsPath':'',"
		"'intelRdt':null,'rootfsPropagation':'','seccomp':null,'resources':{'cpu':{'shares':0,'quota'"
		":0,"
		"'period':0,'cpus':'','mems':null},'memory':{'limit':0,'swap':0},'blockIO':{'weight':0}}}}");

	(void)state;
	assert_null(s->process);
	assert_null(s->hostname);
	assert_null(s->cgroups_path);
	assert_null(s->rootfs_propagation);
	expect_no_resources(s->resources);
}

static void test_unknown_keys_are_ignored(void **state)
{
	AUTO(spec)
	struct spec *s = parse_config(LINUX("'later':{'a':[1,2,{'b':null}]},'resources':{'new':1}"));

	(void)state;
	assert_non_null(s->resources);
}

/* ---- errors name the key ---- */

static void test_wrong_types_name_the_key(void **state)
{
	static const struct refusal rows[] = {
		{ "[]", "expected an object" },
		{ "1", "expected an object" },
		{ "{'root':{'path':'r'}}", "ociVersion: missing" },
		{ "{'ociVersion':'1.0.0'}", "root: missing" },
		{ "{'ociVersion':'1.0.0','root':{}}", "root.path: missing" },
		{ "{'ociVersion':1,'root':{}}", "ociVersion: expected a string" },
		{ "{'ociVersion':'1.0.0','root':{'path':''}}", "root.path: empty" },
		{ CONFIG(",'process':{'cwd':'/'}"), "process.args: missing" },
		{ CONFIG(",'process':{'args':['a']}"), "process.cwd: missing" },
		{ CONFIG(",'process':{'args':[],'cwd':'/'}"), "process.args: empty" },
		{ CONFIG(",'process':{'args':['a',1],'cwd':'/'}"), "process.args[1]: expected a string" },
		{ CONFIG(",'process':{'args':['a',null],'cwd':'/'}"), "process.args[1]: expected a string" },
		{ CONFIG(",'process':{'args':['a'],'cwd':'srv'}"),
		  "process.cwd: \"srv\" is not an absolute path" },
		{ PROCESS(",'terminal':1"), "process.terminal: expected true or false" },
		{ PROCESS(",'user':{'uid':'1'}"), "process.user.uid: expected a number" },
		{ PROCESS(",'user':{'additionalGids':[1,-1]}"),
		  "process.user.additionalGids[1]: -1 is out of range (0 to 4294967294)" },
		{ PROCESS(",'capabilities':['CAP_CHOWN']"), "process.capabilities: expected an object" },
		{ PROCESS(",'capabilities':{'bounding':'CAP_CHOWN'}"),
		  "process.capabilities.bounding: expected an array" },
		{ PROCESS(",'rlimits':[{'type':'RLIMIT_NOFILE','soft':1}]"),
		  "process.rlimits[0].hard: missing" },
		{ PROCESS(",'rlimits':[{'type':'RLIMIT_X','soft':1,'hard':1}]"),
		  "process.rlimits[0].type: unknown limit \"RLIMIT_X\"" },
		{ PROCESS(",'consoleSize':{'height':1}"), "process.consoleSize.width: missing" },
		{ CONFIG(",'mounts':[{'destination':'/a'},{'destination':'/b'},{'source':'c'}]"),
		  "mounts[2].destination: missing" },
		{ CONFIG(",'mounts':[{'destination':'/a','options':['ro',{}]}]"),
		  "mounts[0].options[1]: expected a string" },
		{ CONFIG(",'mounts':[1]"), "mounts[0]: expected an object" },
		{ CONFIG(",'mounts':[null]"), "mounts[0]: expected an object" },
		{ CONFIG(",'annotations':{'a':1}"), "annotations.a: expected a string" },
		{ CONFIG(",'hooks':{'prestart':[{}]}"), "hooks.prestart[0].path: missing" },
		{ CONFIG(",'hooks':{'poststop':[{'path':'hook'}]}"),
		  "hooks.poststop[0].path: \"hook\" is not an absolute path" },
		{ CONFIG(",'hooks':{'poststop':[{'path':'/h','timeout':0}]}"),
		  "hooks.poststop[0].timeout: 0 is out of range (1 to 2147483)" },
		{ RESOURCES("'memory':{'limit':'1'}"), "linux.resources.memory.limit: expected a number" },
		{ RESOURCES("'memory':{'limit':1.5}"), "linux.resources.memory.limit: expected an integer" },
		{ RESOURCES("'memory':{'limit':1e9}"), "linux.resources.memory.limit: expected an integer" },
		{ RESOURCES("'hugepageLimits':[{'pageSize':'2MB'}]"),
		  "linux.resources.hugepageLimits[0].limit: missing" },
		{ RESOURCES("'rdma':{'a':1}"), "linux.resources.rdma.a: expected an object" },
		{ RESOURCES("'devices':[{'type':'c'}]"), "linux.resources.devices[0].allow: missing" },
		{ RESOURCES("'devices':[{'allow':true,'type':'u'}]"),
		  "linux.resources.devices[0].type: unknown device type \"u\"" },
		{ RESOURCES("'devices':[{'allow':true,'access':'rx'}]"),
		  "linux.resources.devices[0].access: \"rx\" is not made of r, w and m" },
	};

	(void)state;
	EXPECT_REFUSALS(rows);
}

static void test_linux_values_are_checked(void **state)
{
	static const struct refusal rows[] = {
		{ LINUX("'namespaces':[{'type':'net'}]"),
		  "linux.namespaces[0].type: unknown namespace \"net\"" },
		{ LINUX("'namespaces':[{'path':'/x'}]"), "linux.namespaces[0].type: missing" },
		{ LINUX("'namespaces':[{'type':'pid','path':'proc/1/ns/pid'}]"),
		  "linux.namespaces[0].path: \"proc/1/ns/pid\" is not an absolute path" },
		{ LINUX("'uidMappings':[{'containerID':0,'hostID':0}]"),
		  "linux.uidMappings[0].size: missing" },
		{ LINUX("'uidMappings':[{'containerID':0,'hostID':0,'size':0}]"),
		  "linux.uidMappings[0].size: 0 ids" },
		{ LINUX("'gidMappings':[{'containerID':1,'hostID':0,'size':4294967295}]"),
		  "linux.gidMappings[0]: the range ends past the last id" },
		{ LINUX("'timeOffsets':{'realtime':{'secs':1}}"),
		  "linux.timeOffsets.realtime: unknown clock" },
		{ LINUX("'timeOffsets':{'boottime':{'nanosecs':1000000000}}"),
		  "linux.timeOffsets.boottime.nanosecs: 1000000000 is out of range (0 to 999999999)" },
		{ LINUX("'devices':[{'path':'/dev/a','type':'c','major':1}]"),
		  "linux.devices[0].minor: missing" },
		{ LINUX("'devices':[{'path':'/dev/a','type':'x'}]"),
		  "linux.devices[0].type: unknown device type \"x\"" },
		{ LINUX("'devices':[{'path':'a','type':'p'}]"),
		  "linux.devices[0].path: \"a\" is not an absolute path" },
		{ LINUX("'maskedPaths':['/a','b']"), "linux.maskedPaths[1]: \"b\" is not an absolute path" },
		{ LINUX("'rootfsPropagation':'rbind'"), "linux.rootfsPropagation: unknown value \"rbind\"" },
	};

	(void)state;
	EXPECT_REFUSALS(rows);
}

/* uid 4294967295 is (uid_t)-1, "leave it", and 4294967296 would wrap to root. */
static void test_ids_are_32_bits_and_not_the_last(void **state)
{
	static const struct refusal rows[] = {
		{ PROCESS(",'user':{'uid':4294967295}"),
		  "process.user.uid: 4294967295 is out of range (0 to 4294967294)" },
		{ PROCESS(",'user':{'uid':4294967296}"),
		  "process.user.uid: 4294967296 is out of range (0 to 4294967294)" },
		{ PROCESS(",'user':{'gid':18446744073709551616}"),
		  "process.user.gid: 18446744073709551616 is out of range (0 to 4294967294)" },
		{ PROCESS(",'user':{'uid':-1}"), "process.user.uid: -1 is out of range (0 to 4294967294)" },
		{ PROCESS(",'user':{'umask':512}"), "process.user.umask: 512 is out of range (0 to 511)" },
	};
	AUTO(spec) struct spec *s = parse_config(PROCESS(",'user':{'uid':2147483648,'gid':4294967294}"));

	(void)state;
	EXPECT_REFUSALS(rows);
	assert_int_equal(s->process->user.uid, 2147483648U);
	assert_int_equal(s->process->user.gid, 4294967294U);
}

static void test_integers_are_exact(void **state)
{
	static const struct refusal rows[] = {
		{ RESOURCES("'memory':{'limit':9223372036854775808}"),
		  "linux.resources.memory.limit: 9223372036854775808 is out of range "
		  "(-1 to 9223372036854775807)" },
		{ RESOURCES("'memory':{'limit':-2}"),
		  "linux.resources.memory.limit: -2 is out of range (-1 to 9223372036854775807)" },
		{ PROCESS(",'rlimits':[{'type':'RLIMIT_AS','soft':0,'hard':18446744073709551616}]"),
		  "process.rlimits[0].hard: 18446744073709551616 is out of range "
		  "(0 to 18446744073709551615)" },
	};
	AUTO(spec) struct spec *s = parse_config(RESOURCES("'memory':{'limit':9223372036854775807}"));
	AUTO(spec) struct spec *t = parse_config(RESOURCES("'memory':{'limit':9007199254740993}"));

	(void)state;
	EXPECT_REFUSALS(rows);
	assert_true(s->resources->memory_limit == INT64_MAX);
	assert_true(t->resources->memory_limit == 9007199254740993);
}

static void test_unsupported_keys_are_named(void **state)
{
	static const char *const platforms[] = { "windows", "solaris", "freebsd", "zos", "vm" };
	char config[256], message[128];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(platforms); i++) {
		snprintf(config, sizeof(config), CONFIG(",'%s':{'x':1}"), platforms[i]);
		snprintf(message, sizeof(message), "%s: this version of coracle does not support it",
			 platforms[i]);
		expect_refusal(config, message);
	}
	expect_refusal(RESOURCES("'network':{'classID':1}"),
		       "linux.resources.network: this version of coracle does not support it");
	expect_refusal(LINUX("'netDevices':{'x':1}"), "linux.netDevices.x: expected an object");
	expect_refusal(LINUX("'netDevices':{'a/b':{}}"), "linux.netDevices.a/b: not the name of a link");
	expect_refusal(LINUX("'netDevices':{'eth0':{'name':'in 0'}}"),
		       "linux.netDevices.eth0.name: \"in 0\" is not the name of a link");
	expect_refusal(LINUX("'netDevices':{'eth0':{'name':'eth1'},'eth1':{}}"),
		       "linux.netDevices.eth1: two links of one name in the container");
	AUTO(spec)
	struct spec *s = parse_config(LINUX(
		"'netDevices':{},'resources':{'network':{}},'seccomp':{'defaultAction':'SCMP_ACT_ALLOW',"
		"'listenerPath':'','listenerMetadata':''}"));
	assert_non_null(s->seccomp);
}

static void test_words_become_the_kernels_numbers(void **state)
{
	AUTO(spec)
	struct spec *s = parse_config(
		CONFIG(",'process':{'args':['a'],'cwd':'/"
		       "','scheduler':{'policy':'SCHED_DEADLINE','flags':['SCHED_FLAG_RECLAIM',"
		       "'SCHED_FLAG_DL_OVERRUN'],'runtime':1,'deadline':2,'period':3},'ioPriority':{'class':'"
		       "IOPRIO_CLASS_RT',"
		       "'priority':3},'execCPUAffinity':{'initial':'0-3,65','final':'7'}},'linux':{'"
		       "personality':{'domain':"
		       "'LINUX32'},'memoryPolicy':{'mode':'MPOL_INTERLEAVE','nodes':'0,2','flags':['MPOL_F_"
		       "STATIC_NODES']},"
		       "'intelRdt':{'closID':'c','schemata':['L3:0=f'],'enableMonitoring':true}}"));
	const struct spec_scheduler *sched = s->process->scheduler;
	const struct spec_cpu_affinity *affinity = s->process->exec_affinity;

	(void)state;
	assert_int_equal(sched->policy, 6);
	assert_int_equal(sched->flags, 6);
	assert_true(sched->runtime == 1 && sched->deadline == 2 && sched->period == 3);
	assert_true(s->process->io_priority->class == 1 && s->process->io_priority->priority == 3);
	assert_true(affinity->initial.n_words == 2 && affinity->initial.bits[0] == 15 &&
		    affinity->initial.bits[1] == 2);
	assert_true(affinity->final.n_words == 1 && affinity->final.bits[0] == 128);
	assert_int_equal(s->personality, 8);
	assert_true(s->memory_policy->mode == 3 && s->memory_policy->flags == 1 << 15 &&
		    s->memory_policy->nodes.bits[0] == 5);
	assert_string_equal(s->intel_rdt->schemata[0], "L3:0=f");
	assert_true(s->intel_rdt->enable_monitoring && str_eq(s->intel_rdt->clos_id, "c"));
	AUTO(spec) struct spec *none = parse_config(CONFIG(""));
	assert_true(none->personality == NUM_UNSET && !none->memory_policy && !none->intel_rdt);
}

static void test_intel_rdt_stays_below_its_mount(void **state)
{
	static const struct refusal rows[] = {
		{ LINUX("'intelRdt':{'closID':'../x'}"),
		  "linux.intelRdt.closID: \"../x\" is not the name of a group" },
		{ LINUX("'intelRdt':{'closID':'a/b'}"),
		  "linux.intelRdt.closID: \"a/b\" is not the name of a group" },
		{ LINUX("'intelRdt':{'memBwSchema':'L3:0=1'}"),
		  "linux.intelRdt.memBwSchema: \"L3:0=1\" is no line that starts with \"MB:\"" },
		{ LINUX("'intelRdt':{'schemata':['a\\nb']}"),
		  "linux.intelRdt.schemata[0]: not a line of a schemata file" },
	};

	(void)state;
	EXPECT_REFUSALS(rows);
}

static void test_seccomp_values_are_checked(void **state)
{
	static const struct refusal rows[] = {
		{ LINUX("'seccomp':{}"), "linux.seccomp.defaultAction: missing" },
		{ LINUX("'seccomp':{'defaultAction':'ALLOW'}"),
		  "linux.seccomp.defaultAction: unknown value \"ALLOW\"" },
		{ LINUX("'seccomp':{'defaultAction':'SCMP_ACT_NOTIFY'}"),
		  "linux.seccomp.defaultAction: cannot be SCMP_ACT_NOTIFY" },
		{ LINUX("'seccomp':{'defaultAction':'SCMP_ACT_KILL','defaultErrnoRet':1}"),
		  "linux.seccomp.defaultErrnoRet: SCMP_ACT_KILL takes no errno" },
		{ SECCOMP(",'architectures':['SCMP_ARCH_Z80']"),
		  "linux.seccomp.architectures[0]: unknown value \"SCMP_ARCH_Z80\"" },
		{ SECCOMP(",'flags':['SECCOMP_FILTER_FLAG_LOG','X']"),
		  "linux.seccomp.flags[1]: unknown value \"X\"" },
		{ SECCOMP(",'flags':['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']"),
		  "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV goes with SCMP_ACT_NOTIFY" },
		{ SECCOMP(",'syscalls':[{'action':'SCMP_ACT_ALLOW'}]"),
		  "linux.seccomp.syscalls[0].names: missing" },
		{ SECCOMP(",'syscalls':[{'names':[],'action':'SCMP_ACT_ALLOW'}]"),
		  "linux.seccomp.syscalls[0].names: empty" },
		{ SECCOMP(",'syscalls':[{'names':['write',''],'action':'SCMP_ACT_ALLOW'}]"),
		  "linux.seccomp.syscalls[0].names[1]: empty" },
		{ SECCOMP(",'syscalls':[{'names':['write']}]"), "linux.seccomp.syscalls[0].action: missing" },
		{ SECCOMP(",'syscalls':[{'names':['write'],'action':'SCMP_ACT_NOTIFY'}]"),
		  "linux.seccomp.syscalls[0].names: SCMP_ACT_NOTIFY cannot be the action for write" },
		{ SECCOMP(",'syscalls':[{'names':['mkdir'],'action':'SCMP_ACT_NOTIFY'}]"),
		  "linux.seccomp.listenerPath: missing, but needed by SCMP_ACT_NOTIFY" },
		{ SECCOMP(",'listenerMetadata':'x'"),
		  "linux.seccomp.listenerMetadata: goes with listenerPath" },
		{ SECCOMP(",'syscalls':[{'names':['write'],'action':'SCMP_ACT_ALLOW','errnoRet':1}]"),
		  "linux.seccomp.syscalls[0].errnoRet: SCMP_ACT_ALLOW takes no errno" },
		{ SECCOMP(",'syscalls':[{'names':['write'],'action':'SCMP_ACT_ERRNO','errnoRet':4096}]"),
		  "linux.seccomp.syscalls[0].errnoRet: 4096 is out of range" },
		{ SECCOMP(",'syscalls':[{'names':['a'],'action':'SCMP_ACT_ALLOW','args':[{'index':6,'value':"
			  "1,"
			  "'op':'SCMP_CMP_EQ'}]}]"),
		  "linux.seccomp.syscalls[0].args[0].index: 6 is out of range (0 to 5)" },
		{ SECCOMP(",'syscalls':[{'names':['a'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':"
			  "1,"
			  "'op':'=='}]}]"),
		  "linux.seccomp.syscalls[0].args[0].op: unknown value \"==\"" },
		{ SECCOMP(",'syscalls':[{'names':['a'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':-"
			  "1,"
			  "'op':'SCMP_CMP_EQ'}]}]"),
		  "linux.seccomp.syscalls[0].args[0].value: -1 is out of range (0 to 18446744073709551615)" },
	};

	(void)state;
	EXPECT_REFUSALS(rows);
}

/* ---- the rest ---- */

static void test_configs_of_engines_are_accepted(void **state)
{
	char path[512];
	size_t count = 0;

	(void)state;
	corpus_path(path, "");
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d));) {
		if (!str_ends(entry->d_name, ".json"))
			continue;
		AUTO(spec) struct spec *s = parse_file(entry->d_name);
		assert_string_equal(s->process->args[0],
				    s->process->n_rlimits == 2 && s->domainname ? "/bin/server" : "/bin/sh");
		count++;
	}
	closedir(d);
	assert_true(count >= 10);
}

static void test_tables_are_complete(void **state)
{
	(void)state;
	for (int i = 0; i < NS_KIND_MAX; i++) {
		assert_non_null(ns_types[i].oci);
		assert_non_null(ns_types[i].proc);
		assert_true(ns_types[i].flag != 0);
	}
	assert_int_equal(ns_types[NS_MOUNT].flag, CLONE_NEWNS);
	for (int i = 0; i < SECCOMP_ACTION_COUNT; i++)
		assert_true(str_starts(seccomp_action_names[i], "SCMP_ACT_"));
	for (int i = 0; i < SECCOMP_OP_COUNT; i++)
		assert_true(str_starts(seccomp_op_names[i], "SCMP_CMP_"));
}

static void test_long_strings_stay_whole(void **state)
{
	size_t size = 70000;
	auto_free char *path = malloc(size + 1);
	auto_free char *config = malloc(2 * size);

	(void)state;
	assert_true(path && config);
	memset(path, 'x', size);
	path[0] = '/';
	path[size] = '\0';
	snprintf(config, 2 * size, CONFIG(",'mounts':[{'destination':'/a','source':'%s'}]"), path);
	AUTO(spec) struct spec *s = parse_config(config);
	assert_string_equal(s->mounts[0].source, path);
	/* In an error only the front of it is shown. */
	path[0] = 'r';
	snprintf(config, 2 * size, CONFIG(",'process':{'args':['a'],'cwd':'%s'}"), path);
	auto_free char *json = with_quotes(config);
	struct error e = { 0 };
	struct spec *refused = NULL;
	assert_int_equal(spec_parse(json, strlen(json), &refused, &e), -EINVAL);
	assert_true(str_starts(e.msg, "process.cwd: \"rxxx"));
	assert_true(str_ends(e.msg, "x\" is not an absolute path"));
	assert_true(strlen(e.msg) < 200);
}

static void test_errors_are_printable(void **state)
{
	(void)state;
	expect_refusal(CONFIG(",'annotations':{'a\\u001b[2J\\n':1}"),
		       "annotations.a?[2J?: expected a string");
	expect_refusal(LINUX("'rootfsPropagation':'\\u0007'"),
		       "linux.rootfsPropagation: unknown value \"?\"");
}

static void test_process_alone(void **state)
{
	const char *good = "{\"args\":[\"sh\",\"-c\",\"id\"],\"cwd\":\"/\",\"user\":{\"uid\":7,\"gid\":8}}";
	const char *bad = "{\"args\":[\"sh\"],\"cwd\":\"/\",\"env\":[\"A=1\",\"B\"]}";
	const char *typed = "{\"args\":[\"sh\"],\"cwd\":\"/\",\"user\":{\"uid\":\"7\"}}";
	AUTO(arena) struct arena *a = NULL;
	struct spec_process *p = NULL;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(spec_parse_process(good, strlen(good), &a, &p, &e), 0);
	assert_int_equal(p->user.uid, 7);
	expect_list(p->args, "sh", 3);
	assert_true(p->oom_score_adj == NUM_UNSET);
	struct arena *none = NULL;
	assert_int_equal(spec_parse_process(bad, strlen(bad), &none, &p, &e), -EINVAL);
	assert_string_equal(e.msg, "env[1]: \"B\" is not NAME=value");
	assert_int_equal(spec_parse_process(typed, strlen(typed), &none, &p, &e), -EINVAL);
	assert_string_equal(e.msg, "user.uid: expected a number");
	assert_null(none);
}

static void test_resources_alone(void **state)
{
	const char *good = "{\"memory\":{\"limit\":-1},\"pids\":{\"limit\":7}}";
	const char *bad = "{\"unified\":{\"../memory.max\":\"1\"}}";
	AUTO(arena) struct arena *a = NULL;
	struct spec_resources *r = NULL;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(spec_parse_resources(good, strlen(good), &a, &r, &e), 0);
	assert_int_equal(r->memory_limit, -1);
	assert_int_equal(r->pids_limit, 7);
	assert_true(r->cpu_shares == NUM_UNSET);
	struct arena *none = NULL;
	assert_int_equal(spec_parse_resources(bad, strlen(bad), &none, &r, &e), -EINVAL);
	assert_string_equal(e.msg, "unified: \"../memory.max\" is not the name of a cgroup's file");
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_of_process),
		cmocka_unit_test(test_every_key_of_mounts_and_hooks),
		cmocka_unit_test(test_every_key_of_linux),
		cmocka_unit_test(test_every_key_of_resources),
		cmocka_unit_test(test_every_key_of_seccomp),
		cmocka_unit_test(test_absence_is_a_value),
		cmocka_unit_test(test_null_and_zero_say_nothing),
		cmocka_unit_test(test_unknown_keys_are_ignored),
		cmocka_unit_test(test_wrong_types_name_the_key),
		cmocka_unit_test(test_linux_values_are_checked),
		cmocka_unit_test(test_ids_are_32_bits_and_not_the_last),
		cmocka_unit_test(test_integers_are_exact),
		cmocka_unit_test(test_unsupported_keys_are_named),
		cmocka_unit_test(test_words_become_the_kernels_numbers),
		cmocka_unit_test(test_intel_rdt_stays_below_its_mount),
		cmocka_unit_test(test_seccomp_values_are_checked),
		cmocka_unit_test(test_configs_of_engines_are_accepted),
		cmocka_unit_test(test_tables_are_complete),
		cmocka_unit_test(test_long_strings_stay_whole),
		cmocka_unit_test(test_errors_are_printable),
		cmocka_unit_test(test_process_alone),
		cmocka_unit_test(test_resources_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
