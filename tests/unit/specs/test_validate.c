/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_validate.c - rules across fields: each has a config that breaks it, and one next to it that does not
 */
#include "tests/unit/specs/config.h"

#include <stdio.h>

#define NAMESPACES(more) "'namespaces':[{'type':'mount'}" more "]"
#define USER_MAPS                                                                                            \
	"'uidMappings':[{'containerID':0,'hostID':1000,'size':1}],'gidMappings':[{'containerID':0,'hostID':" \
	"1000,'size':1}]"

static void accept(const char *config)
{
	AUTO(spec) struct spec *s = parse_config(config);
	assert_non_null(s->root_path);
}

static void test_version_is_one_point_something(void **state)
{
	static const char *const good[] = { "1.0.0", "1.2.1", "1.0.0-rc5-dev", "1.3.0+build.7", "1.0.2-dev" };
	static const char *const not_versions[] = { "",	       "1",	 "1.0",	  "1.0.",
						    "1.0.0.0", "v1.0.0", "1.0.x", "-1.0.0" };
	static const char *const others[] = { "0.9.9", "2.0.0", "10.0.0" };
	char config[128], message[128];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		snprintf(config, sizeof(config), "{'ociVersion':'%s','root':{'path':'r'}}", good[i]);
		accept(config);
	}
	for (size_t i = 0; i < COUNT_OF(not_versions); i++) {
		snprintf(config, sizeof(config), "{'ociVersion':'%s','root':{'path':'r'}}", not_versions[i]);
		snprintf(message, sizeof(message), "ociVersion: \"%s\" is not a version", not_versions[i]);
		expect_refusal(config, message);
	}
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		snprintf(config, sizeof(config), "{'ociVersion':'%s','root':{'path':'r'}}", others[i]);
		snprintf(message, sizeof(message), "ociVersion: %s is not supported, only 1.x is", others[i]);
		expect_refusal(config, message);
	}
}

static void test_root_is_not_the_hosts(void **state)
{
	(void)state;
	expect_refusal("{'ociVersion':'1.0.0','root':{'path':'/'}}", "root.path: \"/\" is the host's root");
	expect_refusal("{'ociVersion':'1.0.0','root':{'path':'//'}}", "root.path: \"//\" is the host's root");
	accept("{'ociVersion':'1.0.0','root':{'path':'/srv/root'}}");
}

static void test_process_rules(void **state)
{
	static const struct refusal rows[] = {
		{ PROCESS(",'env':['A=1','B']"), "process.env[1]: \"B\" is not NAME=value" },
		{ PROCESS(",'env':['=x']"), "process.env[0]: \"=x\" has no name" },
		{ PROCESS(",'rlimits':[{'type':'RLIMIT_CORE','soft':2,'hard':1}]"),
		  "process.rlimits[0]: soft limit above the hard one" },
		{ PROCESS(",'rlimits':[{'type':'RLIMIT_CORE','soft':0,'hard':0},{'type':'RLIMIT_AS','soft':0,"
			  "'hard':0},"
			  "{'type':'RLIMIT_CORE','soft':1,'hard':1}]"),
		  "process.rlimits[2]: RLIMIT_CORE appears twice" },
		{ PROCESS(",'apparmorProfile':'a\\nb'"), "process.apparmorProfile: \"a?b\" is not a label" },
		{ PROCESS(",'selinuxLabel':'a\\u0007'"), "process.selinuxLabel: \"a?\" is not a label" },
		{ LINUX("'mountLabel':'a,x=\\\\'"), "linux.mountLabel: \"a,x=\\\" is not a label" },
		{ PROCESS(",'oomScoreAdj':1001"),
		  "process.oomScoreAdj: 1001 is out of range (-1000 to 1000)" },
	};

	(void)state;
	EXPECT_REFUSALS(rows);
	accept(PROCESS(",'env':['A=','B==','C=a=b']"));
	accept(PROCESS(",'apparmorProfile':'unconfined','selinuxLabel':''"));
	accept(PROCESS(",'apparmorProfile':'docker-default','selinuxLabel':'u:r:t:s0:c1,c2'"));
}

static void test_namespaces_and_maps(void **state)
{
	static const struct refusal rows[] = {
		{ LINUX(NAMESPACES(",{'type':'mount','path':'/x'}")),
		  "linux.namespaces[1]: \"mount\" appears twice" },
		{ LINUX("'uidMappings':[{'containerID':0,'hostID':1000,'size':1}]"),
		  "linux.uidMappings: needs a user namespace in linux.namespaces" },
		{ LINUX("'gidMappings':[{'containerID':0,'hostID':1000,'size':1}]"),
		  "linux.gidMappings: needs a user namespace in linux.namespaces" },
		{ LINUX(NAMESPACES(
			  ",{'type':'user'}") ",'uidMappings':[{'containerID':0,'hostID':1,'size':1}]"),
		  "linux.gidMappings: missing, while uidMappings are there" },
		{ LINUX(NAMESPACES(
			  ",{'type':'user'}") ",'gidMappings':[{'containerID':0,'hostID':1,'size':1}],"
					      "'uidMappings':[{'containerID':0,'hostID':1000,'size':10},"
					      "{'containerID':9,'hostID':2000,'size':1}]"),
		  "linux.uidMappings[1]: overlaps with [0]" },
		{ LINUX(NAMESPACES(
			  ",{'type':'user'}") ",'uidMappings':[{'containerID':0,'hostID':1,'size':1}],"
					      "'gidMappings':[{'containerID':0,'hostID':1000,'size':10},"
					      "{'containerID':10,'hostID':1009,'size':1}]"),
		  "linux.gidMappings[1]: overlaps with [0]" },
		{ LINUX(NAMESPACES() ",'timeOffsets':{'boottime':{'secs':1}}"),
		  "linux.timeOffsets: needs a time namespace in linux.namespaces" },
		{ LINUX(NAMESPACES(",{'type':'time','path':'/x'}") ",'timeOffsets':{'boottime':{'secs':1}}"),
		  "linux.timeOffsets: the time namespace is joined, its offsets are fixed" },
	};

	(void)state;
	EXPECT_REFUSALS(rows);
	accept(LINUX(NAMESPACES(",{'type':'user'}") "," USER_MAPS));
	accept(LINUX(NAMESPACES(",{'type':'user','path':'/x'}")));
	accept(LINUX(NAMESPACES(",{'type':'user','path':'/x'}") "," USER_MAPS));
	accept(LINUX(NAMESPACES(",{'type':'time'}") ",'timeOffsets':{'boottime':{'secs':1}}"));
}

static void test_names_need_a_uts_namespace(void **state)
{
	static const char *const long_name =
		"hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"; /* 65 */
	char config[256];

	(void)state;
	expect_refusal(CONFIG(",'hostname':'web'"), "hostname: needs a uts namespace in linux.namespaces");
	expect_refusal(CONFIG(",'domainname':'org'"),
		       "domainname: needs a uts namespace in linux.namespaces");
	accept(CONFIG(",'hostname':'web','linux':{'namespaces':[{'type':'uts'}]}"));
	snprintf(config, sizeof(config), CONFIG(",'hostname':'%s','linux':{'namespaces':[{'type':'uts'}]}"),
		 long_name);
	expect_refusal(config, "hostname: longer than 64 bytes");
	snprintf(config, sizeof(config), CONFIG(",'domainname':'%s','linux':{'namespaces':[{'type':'uts'}]}"),
		 long_name);
	expect_refusal(config, "domainname: longer than 64 bytes");
	snprintf(config, sizeof(config), CONFIG(",'hostname':'%s','linux':{'namespaces':[{'type':'uts'}]}"),
		 long_name + 1);
	accept(config);
}

/* ---- sysctl ---- */

static void expect_sysctl(const char *key, const char *value, const char *namespace, const char *message)
{
	char config[512];

	snprintf(config, sizeof(config),
		 CONFIG(",'linux':{'namespaces':[{'type':'%s'}],'sysctl':{'%s':'%s'}}"), namespace, key,
		 value);
	if (message)
		expect_refusal(config, message);
	else
		accept(config);
}

static void test_sysctls_of_its_own_namespaces_are_taken(void **state)
{
	static const struct {
		const char *key, *namespace;
	} rows[] = {
		{ "kernel.msgmax", "ipc" },
		{ "kernel.msgmnb", "ipc" },
		{ "kernel.msgmni", "ipc" },
		{ "kernel.msg_next_id", "ipc" },
		{ "kernel.auto_msgmni", "ipc" },
		{ "kernel.sem", "ipc" },
		{ "kernel.sem_next_id", "ipc" },
		{ "kernel.shmall", "ipc" },
		{ "kernel.shmmax", "ipc" },
		{ "kernel.shmmni", "ipc" },
		{ "kernel.shm_next_id", "ipc" },
		{ "kernel.shm_rmid_forced", "ipc" },
		{ "fs.mqueue.msg_max", "ipc" },
		{ "kernel.domainname", "uts" },
		{ "kernel.domainname", "uts" },
		{ "net.ipv4.ip_forward", "network" },
		{ "net.ipv4.conf.br-0_x.rp_filter", "network" },
	};
	char message[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		expect_sysctl(rows[i].key, "1", rows[i].namespace, NULL);
		snprintf(message, sizeof(message),
			 "linux.sysctl.%s: needs a %s namespace in linux.namespaces", rows[i].key,
			 rows[i].namespace);
		expect_sysctl(rows[i].key, "1", "mount", message);
	}
	expect_sysctl("net.ipv4.ping_group_range", "0\\t1", "network", NULL);
}

static void test_sysctls_of_the_host_are_refused(void **state)
{
	static const char *const keys[] = { "kernel.core_pattern", "kernel.panic", "vm.swappiness",
					    "kernel.semx",	   "kernel.sem.x", "fs.mqueuex.a",
					    "fs.mqueue",	   "netx.a",	   "kernel",
					    "kernel.shmmaxx",	   "fs.file-max",  "user.max_x" };
	char message[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		snprintf(message, sizeof(message), "linux.sysctl.%s: not a setting of the container alone",
			 keys[i]);
		expect_sysctl(keys[i], "1", "ipc", message);
	}
}

/* What would become another path, or another line, on its way to the kernel. */
static void test_sysctl_tricks_are_refused(void **state)
{
	static const struct {
		const char *key, *shown;
	} rows[] = {
		{ "", "" },
		{ "net.", "net." },
		{ ".net", ".net" },
		{ "net..ipv4", "net..ipv4" },
		{ "net/ipv4/ip_forward", "net/ipv4/ip_forward" },
		{ "net.ipv4/../../kernel.core_pattern", "net.ipv4/../../kernel.core_pattern" },
		{ "kernel.shm_rmid_forced+kernel.core_pattern",
		  "kernel.shm_rmid_forced+kernel.core_pattern" },
		{ "net.ipv4.a=1", "net.ipv4.a=1" },
		{ "net.ipv4.a b", "net.ipv4.a b" },
		{ "net.ipv4.a\\nb", "net.ipv4.a?b" },
		{ "net.\\u00e9", "net.\xc3\xa9" },
	};
	char message[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		snprintf(message, sizeof(message), "linux.sysctl: \"%s\" is not a dotted name",
			 rows[i].shown);
		expect_sysctl(rows[i].key, "1", "network", message);
	}
	expect_sysctl("net.a", "1\\n2", "network", "linux.sysctl.net.a: the value has a control character");
	expect_sysctl("net.a", "1\\u007f", "network",
		      "linux.sysctl.net.a: the value has a control character");
	expect_refusal(CONFIG(",'hostname':'a','linux':{'namespaces':[{'type':'uts'}],'sysctl':{'kernel."
			      "hostname':'b'}}"),
		       "linux.sysctl.kernel.hostname: use the key hostname");
}

/* ---- resources ---- */

static void test_what_only_cgroup_v1_has_is_refused(void **state)
{
	static const struct refusal rows[] = {
		{ RESOURCES("'memory':{'kernel':1048576}"),
		  "linux.resources.memory.kernel: cgroup v2 has no such control" },
		{ RESOURCES("'memory':{'kernelTCP':1048576}"),
		  "linux.resources.memory.kernelTCP: cgroup v2 has no such control" },
		{ RESOURCES("'memory':{'swappiness':0}"),
		  "linux.resources.memory.swappiness: cgroup v2 has no such control" },
		{ RESOURCES("'memory':{'disableOOMKiller':true}"),
		  "linux.resources.memory.disableOOMKiller: cgroup v2 has no such control" },
		{ RESOURCES("'cpu':{'realtimeRuntime':1000}"),
		  "linux.resources.cpu.realtimeRuntime: cgroup v2 has no such control" },
		{ RESOURCES("'cpu':{'realtimePeriod':1000}"),
		  "linux.resources.cpu.realtimePeriod: cgroup v2 has no such control" },
		{ RESOURCES("'blockIO':{'leafWeight':10}"),
		  "linux.resources.blockIO.leafWeight: cgroup v2 has no such control" },
		{ RESOURCES("'blockIO':{'weightDevice':[{'major':8,'minor':0,'leafWeight':10}]}"),
		  "linux.resources.blockIO.weightDevice[0].leafWeight: cgroup v2 has no such control" },
	};

	(void)state;
	EXPECT_REFUSALS(rows);
	accept(RESOURCES("'memory':{'kernel':-1,'kernelTCP':0,'disableOOMKiller':false,'useHierarchy':true},"
			 "'cpu':{'realtimeRuntime':0,'realtimePeriod':0},'blockIO':{'leafWeight':0}"));
}

static void test_names_of_cgroup_files_stay_in_the_group(void **state)
{
	static const char *const keys[] = { "../x", "/x", "a/b", ".x", "..", "" };
	char config[256], message[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		snprintf(config, sizeof(config), RESOURCES("'unified':{'%s':'1'}"), keys[i]);
		snprintf(message, sizeof(message),
			 "linux.resources.unified: \"%s\" is not the name of a cgroup's file", keys[i]);
		expect_refusal(config, message);
		snprintf(config, sizeof(config), RESOURCES("'hugepageLimits':[{'pageSize':'%s','limit':0}]"),
			 *keys[i] ? keys[i] : "a b");
		snprintf(message, sizeof(message),
			 "linux.resources.hugepageLimits[0].pageSize: \"%s\" is not a page size",
			 *keys[i] ? keys[i] : "a b");
		expect_refusal(config, message);
	}
	expect_refusal(RESOURCES("'rdma':{'a b':{}}"),
		       "linux.resources.rdma: \"a b\" is not the name of a device");
	accept(RESOURCES("'unified':{'memory.high':'max','hugetlb.2MB.max':'0'}"));
}

static void test_swap_holds_memory(void **state)
{
	(void)state;
	expect_refusal(RESOURCES("'memory':{'limit':2000,'swap':1000}"),
		       "linux.resources.memory.swap: 1000 is below memory.limit, which is part of it");
	expect_refusal(RESOURCES("'memory':{'limit':-1,'swap':1000}"),
		       "linux.resources.memory.swap: bounded while memory.limit is not");
	accept(RESOURCES("'memory':{'limit':2000,'swap':2000}"));
	accept(RESOURCES("'memory':{'limit':2000,'swap':-1}"));
	accept(RESOURCES("'memory':{'swap':2000}"));
}

/* ---- hooks, annotations ---- */

static void test_hooks_and_annotations(void **state)
{
	(void)state;
	expect_refusal(CONFIG(",'hooks':{'createRuntime':[{'path':'/a'},{'path':'/b','env':['X']}]}"),
		       "hooks.createRuntime[1].env[0]: \"X\" is not NAME=value");
	expect_refusal(CONFIG(",'annotations':{'':'x'}"), "annotations: a key is empty");
	accept(CONFIG(",'annotations':{'a':''},'hooks':{'poststop':[]}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_is_one_point_something),
		cmocka_unit_test(test_root_is_not_the_hosts),
		cmocka_unit_test(test_process_rules),
		cmocka_unit_test(test_namespaces_and_maps),
		cmocka_unit_test(test_names_need_a_uts_namespace),
		cmocka_unit_test(test_sysctls_of_its_own_namespaces_are_taken),
		cmocka_unit_test(test_sysctls_of_the_host_are_refused),
		cmocka_unit_test(test_sysctl_tricks_are_refused),
		cmocka_unit_test(test_what_only_cgroup_v1_has_is_refused),
		cmocka_unit_test(test_names_of_cgroup_files_stay_in_the_group),
		cmocka_unit_test(test_swap_holds_memory),
		cmocka_unit_test(test_hooks_and_annotations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
