/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec.h - config.json (OCI runtime-spec 1.3) as C structs, and what absence means
 *
 * Absence is a value, not a second field: pointers are NULL, numbers NUM_UNSET (or the constant named at
 * the field), lists have count 0. A list of strings is NULL-terminated; NULL means the key was absent. All
 * memory belongs to the spec's arena and ends with spec_free(). Names are the spec's, in snake_case.
 *
 * What this version does not carry out is refused while parsing, by a row of the tables that names the key:
 * never ignored silently. Unknown keys are ignored, as the spec demands ("Extensibility"). */
#ifndef CORACLE_SPEC_H
#define CORACLE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/arena.h"
#include "runtime/base/error.h"

#define NUM_UNSET INT64_MIN
#define ID_UNSET  UINT32_MAX /* uid, gid, umask: (uid_t)-1 is no valid id */

/* ---- namespaces ---- */

enum ns_kind { NS_USER, NS_PID, NS_NETWORK, NS_MOUNT, NS_IPC, NS_UTS, NS_CGROUP, NS_TIME, NS_KIND_MAX };

/* One row per kind, in the order of the enum. */
struct ns_type {
	const char *oci;  /* "network": the spec's word */
	const char *proc; /* "net": the file in /proc/PID/ns */
	int flag;	  /* CLONE_NEWNET */
};
extern const struct ns_type ns_types[NS_KIND_MAX];

struct spec_namespace {
	enum ns_kind kind;
	const char *path; /* NULL: make a new one; else join this one */
};

struct spec_id_map {
	uint32_t container, host, size;
};

struct spec_time_offset {
	const char *clock; /* "monotonic" or "boottime" */
	int64_t secs;
	uint32_t nanosecs;
};

/* ---- process ---- */

struct spec_rlimit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard;
};
const char *rlimit_name(int resource); /* "RLIMIT_NOFILE" */

/* Names as written, "CAP_…" upper case; NULL: that set is absent, which means empty. */
struct spec_capabilities {
	char **bounding, **effective, **inheritable, **permitted, **ambient;
};

struct spec_user {
	uint32_t uid, gid;
	uint32_t umask; /* ID_UNSET: leave it to the default 0022 */
	uint32_t *additional_gids;
	size_t n_additional_gids;
};

/* A list of CPUs or of memory nodes ("0-3,7"), as the kernel takes it: bit n of word n / 64. */
struct spec_set {
	const char *text; /* as written */
	uint64_t *bits;
	size_t n_words; /* 0: absent, or "" */
};

struct spec_scheduler { /* sched_setattr(2) in its own numbers */
	uint32_t policy;
	int64_t nice, priority;
	uint64_t flags, runtime, deadline, period;
};

struct spec_io_priority { /* ioprio_set(2) */
	int class;
	int64_t priority; /* 0 to 7 */
};

struct spec_cpu_affinity { /* of a process that exec starts */
	struct spec_set initial, final;
};

struct spec_process {
	bool terminal;
	uint16_t console_height, console_width; /* 0: unset */
	struct spec_user user;
	char **args; /* at least one, checked unless the process is absent */
	char **env;  /* "KEY=value"; NULL if absent */
	const char *cwd;
	struct spec_capabilities *capabilities; /* NULL: object absent, all sets are empty */
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	int64_t oom_score_adj;			      /* NUM_UNSET: untouched */
	const char *apparmor_profile, *selinux_label; /* NULL: not said */
	struct spec_scheduler *scheduler;	      /* these three: NULL if absent */
	struct spec_io_priority *io_priority;
	struct spec_cpu_affinity *exec_affinity;
};

/* ---- root, mounts ---- */

struct spec_mount {
	const char *destination; /* absolute, or made so ("/" in front) */
	const char *source, *type;
	char **options; /* as written; namespaces/mountopts.h parses them */
	struct spec_id_map *uid_mappings, *gid_mappings;
	size_t n_uid_mappings, n_gid_mappings;
};

/* ---- hooks ---- */

struct spec_hook {
	const char *path;
	char **args; /* NULL: path alone */
	char **env;  /* NULL: empty */
	int timeout; /* seconds; 0: none */
};

enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KIND_MAX
};
extern const char *const hook_names[HOOK_KIND_MAX]; /* "prestart", "createRuntime", … */

struct spec_hooks {
	struct spec_hook *list;
	size_t count;
};

/* ---- linux ---- */

struct spec_device {
	const char *path;
	char type; /* 'c', 'b', 'p' ('u' is 'c') */
	int64_t major, minor;
	uint32_t mode;	   /* permission bits; 0666 if absent */
	uint32_t uid, gid; /* 0 if absent */
};

struct spec_device_rule { /* linux.resources.devices */
	bool allow;
	char type;	      /* 'a', 'b', 'c' */
	int64_t major, minor; /* -1: any */
	bool read, write, mknod;
};

struct spec_block_weight {
	int64_t major, minor;
	int64_t weight, leaf_weight;
};

struct spec_block_rate {
	int64_t major, minor;
	uint64_t rate;
};

struct spec_hugepage_limit {
	const char *page_size; /* "2MB", "64KB", "1GB" */
	uint64_t limit;
};

struct spec_rdma_limit {
	const char *device;
	int64_t hca_handles, hca_objects;
};

struct spec_unified { /* a file of cgroup v2 and what to write */
	const char *key, *value;
};

struct spec_resources {
	/* memory; bytes, -1: no limit. A 0 in the text is NUM_UNSET here, as engines mean it, for every
	 * number but swappiness, cpu_burst, cpu_idle and pids_limit. */
	int64_t memory_limit, memory_reservation, memory_swap, memory_swappiness, memory_kernel,
		memory_kernel_tcp;
	bool memory_check_before_update, memory_disable_oom_killer;
	/* cpu */
	int64_t cpu_shares, cpu_quota, cpu_period, cpu_burst, cpu_idle, cpu_realtime_runtime,
		cpu_realtime_period;
	const char *cpuset_cpus, *cpuset_mems;
	int64_t pids_limit; /* -1 and 0… as runc 1.4: 0 is a real limit, -1 none */
	/* block I/O */
	int64_t block_weight, block_leaf_weight;
	struct spec_block_weight *block_weight_devices;
	struct spec_block_rate *block_read_bps, *block_write_bps, *block_read_iops, *block_write_iops;
	size_t n_block_weight_devices, n_block_read_bps, n_block_write_bps, n_block_read_iops,
		n_block_write_iops;
	struct spec_hugepage_limit *hugepage_limits;
	size_t n_hugepage_limits;
	struct spec_rdma_limit *rdma;
	size_t n_rdma;
	struct spec_unified *unified;
	size_t n_unified;
	struct spec_device_rule *devices; /* in order; the last that matches decides */
	size_t n_devices;
};

enum seccomp_action {		    /* in the order of seccomp_action_names */
		      SECCOMP_KILL, /* of the thread, as the spec defines it */
		      SECCOMP_KILL_PROCESS,
		      SECCOMP_KILL_THREAD,
		      SECCOMP_TRAP,
		      SECCOMP_ERRNO,
		      SECCOMP_TRACE,
		      SECCOMP_ALLOW,
		      SECCOMP_LOG,
		      SECCOMP_NOTIFY,
		      SECCOMP_ACTION_COUNT
};
extern const char *const seccomp_action_names[SECCOMP_ACTION_COUNT + 1]; /* "SCMP_ACT_KILL", …, NULL */

enum seccomp_op {
	SECCOMP_NE,
	SECCOMP_LT,
	SECCOMP_LE,
	SECCOMP_EQ,
	SECCOMP_GE,
	SECCOMP_GT,
	SECCOMP_MASKED_EQ,
	SECCOMP_OP_COUNT
};
extern const char *const seccomp_op_names[SECCOMP_OP_COUNT + 1]; /* "SCMP_CMP_NE", …, NULL */

struct spec_seccomp_arg {
	uint32_t index; /* 0…5 */
	enum seccomp_op op;
	uint64_t value, value_two;
};

struct spec_seccomp_rule {
	char **names;
	enum seccomp_action action;
	int64_t errno_ret; /* NUM_UNSET: EPERM; only with ERRNO and TRACE */
	struct spec_seccomp_arg *args;
	size_t n_args;
};

struct spec_seccomp {
	const char *raw; /* the object's own JSON text, for the key of the filter cache */
	size_t raw_size;
	enum seccomp_action default_action;
	int64_t default_errno_ret;
	char **architectures; /* "SCMP_ARCH_X86_64", …; NULL: the native one */
	char **flags;	      /* "SECCOMP_FILTER_FLAG_LOG", … */
	const char *listener_path, *listener_metadata;
	struct spec_seccomp_rule *rules;
	size_t n_rules;
};

struct spec_net_device { /* a link of the host that moves into the container */
	const char *name;
	const char *new_name; /* NULL: the same */
};

struct spec_key_value {
	const char *key, *value;
};

/* The words that linux.memoryPolicy takes, for `features`; NULL after the last. */
const char *memory_mode_name(size_t i);
const char *memory_flag_name(size_t i);

struct spec_memory_policy { /* set_mempolicy(2) */
	int mode;	    /* MPOL_* */
	unsigned int flags; /* MPOL_F_* */
	struct spec_set nodes;
};

struct spec_intel_rdt {
	const char *clos_id; /* NULL: the container's id */
	char **schemata;     /* lines; NULL: absent */
	const char *l3_cache_schema, *mem_bw_schema;
	bool enable_monitoring;
};

struct spec {
	struct arena *arena; /* owns everything below */
	const char *oci_version;
	const char *root_path; /* as written; NULL if absent */
	bool root_readonly;
	const char *hostname, *domainname;
	struct spec_process *process; /* NULL if absent */
	struct spec_mount *mounts;
	size_t n_mounts;
	struct spec_hooks hooks[HOOK_KIND_MAX];
	struct spec_key_value *annotations;
	size_t n_annotations;
	/* linux */
	struct spec_namespace *namespaces; /* each kind at most once */
	size_t n_namespaces;
	struct spec_id_map *uid_mappings, *gid_mappings;
	size_t n_uid_mappings, n_gid_mappings;
	struct spec_time_offset *time_offsets;
	size_t n_time_offsets;
	struct spec_device *devices;
	size_t n_devices;
	struct spec_net_device *net_devices;
	size_t n_net_devices;
	const char *cgroups_path;
	const char *rootfs_propagation; /* "shared", "slave", "private", "unbindable", each also with an "r"
					 * in front as engines write them, or NULL */
	const char *mount_label;
	char **masked_paths, **readonly_paths;
	struct spec_key_value *sysctl;
	size_t n_sysctl;
	struct spec_resources *resources; /* NULL if absent, as the three below */
	struct spec_seccomp *seccomp;
	struct spec_memory_policy *memory_policy;
	struct spec_intel_rdt *intel_rdt;
	int64_t personality; /* PER_LINUX, PER_LINUX32; NUM_UNSET: untouched */
};

void spec_free(struct spec *s);
DEFINE_AUTO(spec, struct spec)

/* Parse and validate the text of a config.json. Errors name the place: "linux.resources.memory.limit:
 * expected a number". */
int spec_parse(const char *text, size_t size, struct spec **ret, struct error *e);

/* A process object alone, as `exec --process FILE` gives it; allocated in its own arena, *ret_arena. */
int spec_parse_process(const char *text, size_t size, struct arena **ret_arena, struct spec_process **ret,
		       struct error *e);

/* A resources object alone, as `update --resources FILE` gives it. */
int spec_parse_resources(const char *text, size_t size, struct arena **ret_arena, struct spec_resources **ret,
			 struct error *e);

/* Set every number to NUM_UNSET: the object an absent "resources" stands for. */
void spec_resources_init(struct spec_resources *r);

/* The namespace of a kind, or NULL if the config does not list it (then the host's is shared). */
const struct spec_namespace *spec_find_namespace(const struct spec *s, enum ns_kind kind);

const char *spec_annotation(const struct spec *s, const char *key);

#endif
