/* SPDX-License-Identifier: GPL-2.0-or-later */
/* default.c - the config of who writes none, as JSON text
 *
 * The lists below are the decisions; the rest puts them between braces, with what the options change. */
#include "specs/default.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"
#include "specs/capability.h"
#include "specs/jsonout.h"
#include "specs/seccomp_default.h"

/* ---- the decisions ---- */

static const char *const default_caps[] = {
	"CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",	 "CAP_FSETID",
	"CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",	 "CAP_SETGID",
	"CAP_SETPCAP", "CAP_SETUID",	       "CAP_SYS_CHROOT",
};

static const char *const default_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm", /* with a terminal only */
};

/* What an init finds: who it is in ("container", as systemd wants it told), and volatile places of its own. It
 * leaves what is mounted already, and could not mount anything itself. */
static const char system_env[] = "container=oci";
static const char *const system_args[] = { "/sbin/init", NULL };

static const struct {
	const char *destination;
	const char *options[6];
} system_mounts[] = {
	{ "/run", { "nosuid", "nodev", "mode=755", "size=20%" } },
	{ "/run/lock", { "nosuid", "nodev", "noexec", "mode=1777", "size=5m" } },
	{ "/tmp", { "nosuid", "nodev", "mode=1777" } },
};

#define SOFT_NOFILE 1024
#define HARD_NOFILE 524288

static const struct {
	const char *destination, *type, *source;
	const char *options[8];
} default_mounts[] = {
	{ "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
	{ "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
	{ "/dev/shm", "tmpfs", "shm", { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
	{ "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "relatime", "ro" } },
};

/* In a user namespace without a network namespace of its own no sysfs can be mounted: the host's is bound,
 * and gid 5 is not mapped. */
static const char *const rootless_sys_options[] = { "rbind", "rslave", "nosuid", "noexec",
						    "nodev", "rro",    NULL };
static const char *const rootless_pts_options[] = { "nosuid",	     "noexec",	  "newinstance",
						    "ptmxmode=0666", "mode=0620", NULL };

/* What tells of the host: its memory, keys, timers, interrupts, power, firmware (a side channel each). */
static const char *const masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	"/sys/fs/selinux",
};

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static const char *const default_namespaces[] = { "pid", "network", "ipc", "uts", "mount", "cgroup" };

/* ---- capabilities ---- */

#define ALL_CAPS DEFAULT_ALL_CAPS

/* The mask of a list; "all" is all of them. */
static int parse_caps(char *const *list, const char *option, uint64_t *ret, struct error *e)
{
	uint64_t mask = 0;

	for (; list && *list; list++) {
		int n = capability_number(*list);
		if (strcasecmp(*list, "all") == 0)
			mask = ALL_CAPS;
		else if (n >= 0)
			mask |= UINT64_C(1) << n;
		else
			return refuse(e, EINVAL, "%s: unknown capability \"%.60s\"", option, *list);
	}
	*ret = mask;
	return 0;
}

int default_change_caps(uint64_t *caps, char *const *add, char *const *drop, struct error *e)
{
	uint64_t added = 0, dropped = 0;

	int r = parse_caps(add, "--cap-add", &added, e);
	if (r == 0)
		r = parse_caps(drop, "--cap-drop", &dropped, e);
	if (r == 0)
		*caps = dropped == ALL_CAPS ? added : (*caps | added) & ~dropped;
	return r;
}

static void put_cap_set(struct jsonout *o, const char *key, uint64_t caps)
{
	jsonout_array(o, key);
	for (size_t i = 0; i < CAPABILITY_COUNT; i++)
		if (caps & UINT64_C(1) << i)
			jsonout_string(o, NULL, capability_names[i]);
	jsonout_end(o);
}

/* ---- process ---- */

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");
	return n == strcspn(b, "=") && strncmp(a, b, n) == 0;
}

/* True if a later entry sets the same name. */
static bool is_replaced(const char *entry, char *const *later)
{
	for (; later && *later; later++)
		if (same_name(entry, *later))
			return true;
	return false;
}

static int put_env(struct jsonout *out, const struct default_options *o, struct error *e)
{
	jsonout_array(out, "env");
	for (size_t i = 0; i < COUNT_OF(default_env); i++)
		if (!is_replaced(default_env[i], o->env) &&
		    (o->terminal || !str_starts(default_env[i], "TERM=")))
			jsonout_string(out, NULL, default_env[i]);
	if (o->system && !is_replaced(system_env, o->env))
		jsonout_string(out, NULL, system_env);
	for (char *const *entry = o->env; entry && *entry; entry++) {
		if (**entry == '=' || !strchr(*entry, '='))
			return refuse(e, EINVAL, "--env: \"%.100s\" is not NAME=value", *entry);
		if (!is_replaced(*entry, entry + 1))
			jsonout_string(out, NULL, *entry);
	}
	jsonout_end(out);
	return 0;
}

static void put_user(struct jsonout *out, const struct default_options *o)
{
	jsonout_object(out, "user");
	jsonout_u64(out, "uid", o->uid);
	jsonout_u64(out, "gid", o->gid);
	jsonout_end(out);
}

static void put_rlimits(struct jsonout *out, const struct default_options *o)
{
	uint64_t hard = HARD_NOFILE;

	if (o->nofile_limit < hard)
		hard = o->nofile_limit;
	jsonout_array(out, "rlimits");
	jsonout_object(out, NULL);
	jsonout_string(out, "type", "RLIMIT_NOFILE");
	jsonout_u64(out, "hard", hard);
	jsonout_u64(out, "soft", hard < SOFT_NOFILE ? hard : SOFT_NOFILE);
	jsonout_end(out);
	jsonout_end(out);
}

static int put_process(struct jsonout *out, const struct default_options *o, struct error *e)
{
	static const char *const shell[] = { "sh", NULL };

	if (o->cwd && o->cwd[0] != '/')
		return refuse(e, EINVAL, "--cwd: \"%.100s\" is not an absolute path", o->cwd);
	if (o->args && !o->args[0])
		return refuse(e, EINVAL, "no command");
	jsonout_object(out, "process");
	jsonout_bool(out, "terminal", o->terminal);
	put_user(out, o);
	jsonout_strings(out, "args",
			o->args	    ? (const char *const *)o->args
			: o->system ? system_args
				    : shell);
	int r = put_env(out, o, e);
	if (r < 0)
		return r;
	jsonout_string(out, "cwd", o->cwd ? o->cwd : "/");
	jsonout_object(out, "capabilities");
	put_cap_set(out, "bounding", o->caps);
	put_cap_set(out, "effective", o->caps);
	put_cap_set(out, "permitted", o->caps);
	jsonout_end(out);
	put_rlimits(out, o);
	jsonout_bool(out, "noNewPrivileges", !o->system);
	jsonout_end(out);
	return 0;
}

/* ---- mounts ---- */

static void put_mount(struct jsonout *out, const char *destination, const char *type, const char *source,
		      const char *const *options)
{
	jsonout_object(out, NULL);
	jsonout_string(out, "destination", destination);
	if (type)
		jsonout_string(out, "type", type);
	if (source)
		jsonout_string(out, "source", source);
	jsonout_strings(out, "options", options);
	jsonout_end(out);
}

/* The group below the container's own root is its init's to divide. */
static void put_cgroup_mount(struct jsonout *out, const struct default_options *o, size_t i)
{
	const char *options[8] = { NULL };
	size_t n = 0;

	for (size_t k = 0; default_mounts[i].options[k]; k++)
		if (!o->system || !str_eq(default_mounts[i].options[k], "ro"))
			options[n++] = default_mounts[i].options[k];
	put_mount(out, default_mounts[i].destination, default_mounts[i].type, default_mounts[i].source,
		  options);
}

static void put_mounts(struct jsonout *out, const struct default_options *o)
{
	jsonout_array(out, "mounts");
	for (size_t i = 0; i < COUNT_OF(default_mounts); i++) {
		const char *type = default_mounts[i].type, *to = default_mounts[i].destination;
		if (o->rootless && str_eq(type, "sysfs"))
			put_mount(out, to, "none", "/sys", rootless_sys_options);
		else if (o->rootless && str_eq(type, "devpts"))
			put_mount(out, to, type, default_mounts[i].source, rootless_pts_options);
		else if (str_eq(type, "cgroup"))
			put_cgroup_mount(out, o, i);
		else
			put_mount(out, to, type, default_mounts[i].source, default_mounts[i].options);
	}
	for (size_t i = 0; o->system && i < COUNT_OF(system_mounts); i++)
		put_mount(out, system_mounts[i].destination, "tmpfs", "tmpfs", system_mounts[i].options);
	for (size_t i = 0; i < o->n_mounts; i++)
		put_mount(out, o->mounts[i].destination, o->mounts[i].type, o->mounts[i].source,
			  (const char *const *)o->mounts[i].options);
	jsonout_end(out);
}

/* ---- linux ---- */

static void put_limit(struct jsonout *out, const char *object, const char *key, int64_t value)
{
	if (value == NUM_UNSET)
		return;
	jsonout_object(out, object);
	jsonout_i64(out, key, value);
	jsonout_end(out);
}

static void put_cpu(struct jsonout *out, const struct default_options *o)
{
	if (o->cpu_quota == NUM_UNSET)
		return;
	jsonout_object(out, "cpu");
	jsonout_i64(out, "quota", o->cpu_quota);
	if (o->cpu_period != NUM_UNSET)
		jsonout_i64(out, "period", o->cpu_period);
	jsonout_end(out);
}

static void put_resources(struct jsonout *out, const struct default_options *o)
{
	jsonout_object(out, "resources");
	if (!o->rootless) {
		jsonout_array(out, "devices");
		jsonout_object(out, NULL);
		jsonout_bool(out, "allow", false);
		jsonout_string(out, "access", "rwm");
		jsonout_end(out);
		jsonout_end(out);
	}
	put_limit(out, "memory", "limit", o->memory_limit);
	put_cpu(out, o);
	put_limit(out, "pids", "limit", o->pids_limit);
	jsonout_end(out);
}

static void put_namespaces(struct jsonout *out, bool rootless)
{
	jsonout_array(out, "namespaces");
	for (size_t i = 0; i < COUNT_OF(default_namespaces); i++) {
		bool network = str_eq(default_namespaces[i], "network");
		jsonout_object(out, NULL);
		jsonout_string(out, "type", rootless && network ? "user" : default_namespaces[i]);
		jsonout_end(out);
	}
	jsonout_end(out);
}

static void put_map(struct jsonout *out, const char *key, const struct spec_id_map *map, size_t n)
{
	jsonout_array(out, key);
	for (size_t i = 0; i < n; i++) {
		jsonout_object(out, NULL);
		jsonout_u64(out, "containerID", map[i].container);
		jsonout_u64(out, "hostID", map[i].host);
		jsonout_u64(out, "size", map[i].size);
		jsonout_end(out);
	}
	jsonout_end(out);
}

static void put_masks(struct jsonout *out, unsigned int thermal_cpus)
{
	char path[80];

	jsonout_array(out, "maskedPaths");
	for (size_t i = 0; i < COUNT_OF(masked_paths); i++)
		jsonout_string(out, NULL, masked_paths[i]);
	for (unsigned int i = 0; i < thermal_cpus; i++) {
		str_format(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/thermal_throttle", i);
		jsonout_string(out, NULL, path);
	}
	jsonout_end(out);
	jsonout_array(out, "readonlyPaths");
	for (size_t i = 0; i < COUNT_OF(readonly_paths); i++)
		jsonout_string(out, NULL, readonly_paths[i]);
	jsonout_end(out);
}

static void put_seccomp_rule(struct jsonout *out, const struct spec_seccomp_rule *rule)
{
	jsonout_object(out, NULL);
	jsonout_strings(out, "names", (const char *const *)rule->names);
	jsonout_string(out, "action", seccomp_action_names[rule->action]);
	if (rule->errno_ret != NUM_UNSET)
		jsonout_i64(out, "errnoRet", rule->errno_ret);
	if (rule->n_args) {
		jsonout_array(out, "args");
		for (size_t i = 0; i < rule->n_args; i++) {
			jsonout_object(out, NULL);
			jsonout_u64(out, "index", rule->args[i].index);
			jsonout_u64(out, "value", rule->args[i].value);
			if (rule->args[i].value_two)
				jsonout_u64(out, "valueTwo", rule->args[i].value_two);
			jsonout_string(out, "op", seccomp_op_names[rule->args[i].op]);
			jsonout_end(out);
		}
		jsonout_end(out);
	}
	jsonout_end(out);
}

static int put_seccomp(struct jsonout *out, const char *machine, uint64_t caps, struct error *e)
{
	AUTO(arena) struct arena *a = arena_new();
	struct spec_seccomp *s = NULL;

	if (!a)
		return fail(e, ENOMEM, "default config");
	int r = seccomp_default_profile(a, caps, machine, &s, e);
	if (r < 0)
		return r;
	jsonout_object(out, "seccomp");
	jsonout_string(out, "defaultAction", seccomp_action_names[s->default_action]);
	if (s->default_errno_ret != NUM_UNSET)
		jsonout_i64(out, "defaultErrnoRet", s->default_errno_ret);
	jsonout_strings(out, "architectures", (const char *const *)s->architectures);
	jsonout_array(out, "syscalls");
	for (size_t i = 0; i < s->n_rules; i++)
		put_seccomp_rule(out, &s->rules[i]);
	jsonout_end(out);
	jsonout_end(out);
	return 0;
}

static int put_linux(struct jsonout *out, const struct default_options *o, struct error *e)
{
	bool limits = o->memory_limit != NUM_UNSET || o->cpu_quota != NUM_UNSET || o->pids_limit != NUM_UNSET;

	jsonout_object(out, "linux");
	if (o->rootless) {
		put_map(out, "uidMappings", o->uid_maps, o->n_uid_maps);
		put_map(out, "gidMappings", o->gid_maps, o->n_gid_maps);
	}
	/* Who is not root may seldom set limits: only what was asked for. */
	if (!o->rootless || limits)
		put_resources(out, o);
	put_namespaces(out, o->rootless);
	put_masks(out, o->thermal_cpus);
	if (o->machine[0]) {
		int r = put_seccomp(out, o->machine, o->caps, e);
		if (r < 0)
			return r;
	}
	jsonout_end(out);
	return 0;
}

/* ---- all of it ---- */

int default_config(const struct default_options *o, char **ret, struct error *e)
{
	AUTO(jsonout) struct jsonout *out = jsonout_new(true);

	jsonout_object(out, NULL);
	jsonout_string(out, "ociVersion", DEFAULT_OCI_VERSION);
	int r = put_process(out, o, e);
	if (r < 0)
		return r;
	jsonout_object(out, "root");
	jsonout_string(out, "path", o->rootfs ? o->rootfs : "rootfs");
	jsonout_bool(out, "readonly", o->root_readonly);
	jsonout_end(out);
	jsonout_string(out, "hostname", o->hostname ? o->hostname : "coracle");
	put_mounts(out, o);
	r = put_linux(out, o, e);
	if (r < 0)
		return r;
	jsonout_end(out);
	jsonout_newline(out);
	char *text = jsonout_take(out, NULL);
	if (!text)
		return fail(e, ENOMEM, "default config");
	*ret = text;
	return 0;
}

/* ---- the machine ---- */

static unsigned int count_thermal_cpus(void)
{
	char path[80];
	unsigned int n = 0;

	for (; n < 8192; n++) {
		str_format(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/thermal_throttle", n);
		if (access(path, F_OK) < 0)
			break;
	}
	return n;
}

void default_options_init(struct default_options *o)
{
	struct rlimit nofile;

	*o = (struct default_options){
		.memory_limit = NUM_UNSET,
		.cpu_quota = NUM_UNSET,
		.cpu_period = NUM_UNSET,
		.pids_limit = NUM_UNSET,
		.thermal_cpus = count_thermal_cpus(),
		.nofile_limit = HARD_NOFILE,
	};
	for (size_t i = 0; i < COUNT_OF(default_caps); i++)
		o->caps |= UINT64_C(1) << capability_number(default_caps[i]);
	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0 && nofile.rlim_max < HARD_NOFILE)
		o->nofile_limit = nofile.rlim_max;
#ifdef HAVE_SECCOMP
	struct utsname name;
	if (uname(&name) == 0)
		str_format(o->machine, sizeof(o->machine), "%s", name.machine);
#endif
}
