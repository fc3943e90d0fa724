/* SPDX-License-Identifier: GPL-2.0-or-later */
/* validate.c - rules across fields, which no row of a table can tell (pure)
 *
 * What a single value must be is its reader's to check. Here: what the specification demands of values
 * together, what only cgroup v1 or a security module could carry out, and what would reach past the
 * container's own namespaces (sysctl). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "specs/dispatch.h"

/* ---- process ---- */

static int check_env(char **env, const char *path, struct error *e)
{
	for (size_t i = 0; env && env[i]; i++) {
		if (!strchr(env[i], '='))
			return refuse(e, EINVAL, "%senv[%zu]: \"%.100s\" is not NAME=value", path, i, env[i]);
		if (env[i][0] == '=')
			return refuse(e, EINVAL, "%senv[%zu]: \"%.100s\" has no name", path, i, env[i]);
	}
	return 0;
}

static int check_rlimits(const struct spec_process *p, const char *path, struct error *e)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct spec_rlimit *l = &p->rlimits[i];
		if (l->soft > l->hard)
			return refuse(e, EINVAL, "%srlimits[%zu]: soft limit above the hard one", path, i);
		for (size_t j = 0; j < i; j++)
			if (p->rlimits[j].resource == l->resource)
				return refuse(e, EINVAL, "%srlimits[%zu]: %s appears twice", path, i,
					      rlimit_name(l->resource));
	}
	return 0;
}

/* A label becomes a word that is written for the kernel: no second word, no second option. */
static int check_label(const char *label, const char *path, const char *key, struct error *e)
{
	if (label && (!str_is_printable(label) || strpbrk(label, "\"\\")))
		return refuse(e, EINVAL, "%s%s: \"%.100s\" is not a label", path, key, label);
	return 0;
}

static int check_labels(const struct spec_process *p, const char *path, struct error *e)
{
	int r = check_label(p->apparmor_profile, path, "apparmorProfile", e);
	return r < 0 ? r : check_label(p->selinux_label, path, "selinuxLabel", e);
}

int validate_process(const struct spec_process *p, const char *path, struct error *e)
{
	int r = check_env(p->env, path, e);
	if (r == 0)
		r = check_rlimits(p, path, e);
	if (r == 0)
		r = check_labels(p, path, e);
	return r;
}

/* ---- namespaces and ids ---- */

static int check_namespaces(const struct spec *s, struct error *e)
{
	for (size_t i = 0; i < s->n_namespaces; i++)
		for (size_t j = 0; j < i; j++)
			if (s->namespaces[i].kind == s->namespaces[j].kind)
				return refuse(e, EINVAL, "linux.namespaces[%zu]: \"%s\" appears twice", i,
					      ns_types[s->namespaces[i].kind].oci);
	return 0;
}

static int needs_namespace(const struct spec *s, enum ns_kind kind, const char *key, struct error *e)
{
	if (spec_find_namespace(s, kind))
		return 0;
	return refuse(e, EINVAL, "%s: needs a %s namespace in linux.namespaces", key, ns_types[kind].oci);
}

static bool overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return a < (uint64_t)b + b_size && b < (uint64_t)a + a_size;
}

static int check_map(const struct spec_id_map *m, size_t n, const char *key, struct error *e)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (overlap(m[i].container, m[i].size, m[j].container, m[j].size) ||
			    overlap(m[i].host, m[i].size, m[j].host, m[j].size))
				return refuse(e, EINVAL, "%s[%zu]: overlaps with [%zu]", key, i, j);
	return 0;
}

static int check_maps(const struct spec *s, struct error *e)
{
	const struct spec_namespace *user = spec_find_namespace(s, NS_USER);

	if (!user && s->n_uid_mappings)
		return needs_namespace(s, NS_USER, "linux.uidMappings", e);
	if (!user && s->n_gid_mappings)
		return needs_namespace(s, NS_USER, "linux.gidMappings", e);
	/* None at all: the runtime has its own (runtime/rootless.h). */
	if (user && !user->path && !s->n_uid_mappings != !s->n_gid_mappings)
		return refuse(e, EINVAL, "linux.%s: missing, while %s are there",
			      s->n_uid_mappings ? "gidMappings" : "uidMappings",
			      s->n_uid_mappings ? "uidMappings" : "gidMappings");
	int r = check_map(s->uid_mappings, s->n_uid_mappings, "linux.uidMappings", e);
	return r < 0 ? r : check_map(s->gid_mappings, s->n_gid_mappings, "linux.gidMappings", e);
}

static int check_time_offsets(const struct spec *s, struct error *e)
{
	if (!s->n_time_offsets)
		return 0;
	const struct spec_namespace *time = spec_find_namespace(s, NS_TIME);
	if (time && time->path)
		return refuse(e, EINVAL,
			      "linux.timeOffsets: the time namespace is joined, its offsets are fixed");
	return needs_namespace(s, NS_TIME, "linux.timeOffsets", e);
}

static int check_names(const struct spec *s, struct error *e)
{
	int r = 0;

	if (s->hostname)
		r = needs_namespace(s, NS_UTS, "hostname", e);
	if (r == 0 && s->domainname)
		r = needs_namespace(s, NS_UTS, "domainname", e);
	if (r < 0)
		return r;
	/* The kernel's bound, __NEW_UTS_LEN. */
	if (s->hostname && strlen(s->hostname) > 64)
		return refuse(e, EINVAL, "hostname: longer than 64 bytes");
	if (s->domainname && strlen(s->domainname) > 64)
		return refuse(e, EINVAL, "domainname: longer than 64 bytes");
	return 0;
}

/* ---- sysctl: only what belongs to a namespace of the container ---- */

static const struct {
	const char *key; /* one that ends in "." stands for all that start so */
	enum ns_kind kind;
} sysctl_allowed[] = {
	{ "fs.mqueue.", NS_IPC },
	{ "kernel.msgmax", NS_IPC },
	{ "kernel.msgmnb", NS_IPC },
	{ "kernel.msgmni", NS_IPC },
	{ "kernel.msg_next_id", NS_IPC },
	{ "kernel.auto_msgmni", NS_IPC },
	{ "kernel.sem", NS_IPC },
	{ "kernel.sem_next_id", NS_IPC },
	{ "kernel.shmall", NS_IPC },
	{ "kernel.shmmax", NS_IPC },
	{ "kernel.shmmni", NS_IPC },
	{ "kernel.shm_next_id", NS_IPC },
	{ "kernel.shm_rmid_forced", NS_IPC },
	{ "kernel.hostname", NS_UTS },
	{ "kernel.domainname", NS_UTS },
	{ "net.", NS_NETWORK },
};

/* Components of letters, digits, "_" and "-" with single dots between: with this alphabet a key cannot become
 * another path than the one that was checked, however it is turned into one. */
static bool is_sysctl_key(const char *key)
{
	bool start = true;

	for (const char *c = key; *c; c++) {
		if (*c == '.' && start)
			return false;
		start = *c == '.';
		if (!start && !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *c))
			return false;
	}
	return !start;
}

static int check_sysctl(const struct spec *s, const struct spec_key_value *kv, struct error *e)
{
	if (!is_sysctl_key(kv->key))
		return refuse(e, EINVAL, "linux.sysctl: \"%.100s\" is not a dotted name", kv->key);
	for (const char *c = kv->value; *c; c++)
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			return refuse(e, EINVAL, "linux.sysctl.%.100s: the value has a control character",
				      kv->key);
	for (size_t i = 0; i < COUNT_OF(sysctl_allowed); i++) {
		const char *key = sysctl_allowed[i].key;
		if (str_ends(key, ".") ? !str_starts(kv->key, key) : !str_eq(kv->key, key))
			continue;
		if (spec_find_namespace(s, sysctl_allowed[i].kind))
			return 0;
		return refuse(e, EINVAL, "linux.sysctl.%.100s: needs a %s namespace in linux.namespaces",
			      kv->key, ns_types[sysctl_allowed[i].kind].oci);
	}
	return refuse(e, EINVAL, "linux.sysctl.%.100s: not a setting of the container alone", kv->key);
}

static int check_sysctls(const struct spec *s, struct error *e)
{
	for (size_t i = 0; i < s->n_sysctl; i++) {
		int r = check_sysctl(s, &s->sysctl[i], e);
		if (r < 0)
			return r;
		/* the config has a key for it, and a second way to say it would win or lose silently */
		if (str_eq(s->sysctl[i].key, "kernel.hostname"))
			return refuse(e, EINVAL, "linux.sysctl.kernel.hostname: use the key hostname");
		if (str_eq(s->sysctl[i].key, "kernel.domainname") && s->domainname)
			return refuse(e, EINVAL, "linux.sysctl.kernel.domainname: domainname is set as well");
	}
	return 0;
}

/* ---- resources ---- */

/* What cgroup v2 has no file for. */
static int check_v1_only(const struct spec_resources *r, const char *path, struct error *e)
{
	const struct {
		const char *key;
		bool asked;
	} rows[] = {
		{ "memory.kernel", r->memory_kernel != NUM_UNSET && r->memory_kernel != -1 },
		{ "memory.kernelTCP", r->memory_kernel_tcp != NUM_UNSET && r->memory_kernel_tcp != -1 },
		{ "memory.swappiness", r->memory_swappiness != NUM_UNSET },
		{ "memory.disableOOMKiller", r->memory_disable_oom_killer },
		{ "cpu.realtimeRuntime", r->cpu_realtime_runtime != NUM_UNSET },
		{ "cpu.realtimePeriod", r->cpu_realtime_period != NUM_UNSET },
		{ "blockIO.leafWeight", r->block_leaf_weight != NUM_UNSET },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].asked)
			return refuse(e, ENOTSUP, "%s%s: cgroup v2 has no such control", path, rows[i].key);
	for (size_t i = 0; i < r->n_block_weight_devices; i++)
		if (r->block_weight_devices[i].leaf_weight != NUM_UNSET)
			return refuse(e, ENOTSUP,
				      "%sblockIO.weightDevice[%zu].leafWeight: cgroup v2 has no such control",
				      path, i);
	return 0;
}

/* A key names a file of the group's own directory. */
static int check_unified(const struct spec_resources *r, const char *path, struct error *e)
{
	for (size_t i = 0; i < r->n_unified; i++) {
		const char *key = r->unified[i].key;
		if (!*key || *key == '.' || strchr(key, '/') || !str_is_printable(key))
			return refuse(e, EINVAL, "%sunified: \"%.100s\" is not the name of a cgroup's file",
				      path, key);
	}
	return 0;
}

/* Names that become part of a file's name or of a line the kernel splits at blanks. */
static bool is_word(const char *s)
{
	return *s && *s != '.' && !strchr(s, '/') && !strpbrk(s, " \t\n") && str_is_printable(s);
}

int validate_resources(const struct spec_resources *r, const char *path, struct error *e)
{
	int err = check_v1_only(r, path, e);
	if (err == 0)
		err = check_unified(r, path, e);
	if (err < 0)
		return err;
	for (size_t i = 0; i < r->n_hugepage_limits; i++)
		if (!is_word(r->hugepage_limits[i].page_size))
			return refuse(e, EINVAL,
				      "%shugepageLimits[%zu].pageSize: \"%.100s\" is not a page size", path,
				      i, r->hugepage_limits[i].page_size);
	for (size_t i = 0; i < r->n_rdma; i++)
		if (!is_word(r->rdma[i].device))
			return refuse(e, EINVAL, "%srdma: \"%.100s\" is not the name of a device", path,
				      r->rdma[i].device);
	if (r->memory_limit > 0 && r->memory_swap > 0 && r->memory_swap < r->memory_limit)
		return refuse(e, EINVAL,
			      "%smemory.swap: %" PRId64 " is below memory.limit, which is part of it", path,
			      r->memory_swap);
	if (r->memory_swap > 0 && r->memory_limit < 0 && r->memory_limit != NUM_UNSET)
		return refuse(e, EINVAL, "%smemory.swap: bounded while memory.limit is not", path);
	return 0;
}

/* ---- the rest ---- */

/* "1.x.y", as semantic versioning writes it, with what may follow. */
static int check_version(const char *version, struct error *e)
{
	const char *c = version;

	for (int part = 0; part < 3; part++) {
		size_t digits = strspn(c, "0123456789");
		if (digits == 0 || (part < 2 && c[digits] != '.'))
			return refuse(e, EINVAL, "ociVersion: \"%.60s\" is not a version", version);
		c += digits + (part < 2);
	}
	if (*c && *c != '-' && *c != '+')
		return refuse(e, EINVAL, "ociVersion: \"%.60s\" is not a version", version);
	if (!str_starts(version, "1."))
		return refuse(e, EINVAL, "ociVersion: %.60s is not supported, only 1.x is", version);
	return 0;
}

static int check_hooks(const struct spec *s, struct error *e)
{
	char path[64];

	for (int kind = 0; kind < HOOK_KIND_MAX; kind++)
		for (size_t i = 0; i < s->hooks[kind].count; i++) {
			str_format(path, sizeof(path), "hooks.%s[%zu].", hook_names[kind], i);
			int r = check_env(s->hooks[kind].list[i].env, path, e);
			if (r < 0)
				return r;
		}
	return 0;
}

static int check_annotations(const struct spec *s, struct error *e)
{
	for (size_t i = 0; i < s->n_annotations; i++)
		if (!*s->annotations[i].key)
			return refuse(e, EINVAL, "annotations: a key is empty");
	return 0;
}

static int check_root(const struct spec *s, struct error *e)
{
	if (strspn(s->root_path, "/") == strlen(s->root_path))
		return refuse(e, EINVAL, "root.path: \"%.60s\" is the host's root", s->root_path);
	return 0;
}

static int check_mounts(const struct spec *s, struct error *e)
{
	char path[64];

	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];
		if (!m->n_uid_mappings != !m->n_gid_mappings)
			return refuse(e, EINVAL, "mounts[%zu].%s: missing, while %s are there", i,
				      m->n_uid_mappings ? "gidMappings" : "uidMappings",
				      m->n_uid_mappings ? "uidMappings" : "gidMappings");
		str_format(path, sizeof(path), "mounts[%zu].uidMappings", i);
		int r = check_map(m->uid_mappings, m->n_uid_mappings, path, e);
		str_format(path, sizeof(path), "mounts[%zu].gidMappings", i);
		if (r == 0)
			r = check_map(m->gid_mappings, m->n_gid_mappings, path, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_mount_label(const struct spec *s, struct error *e)
{
	return check_label(s->mount_label, "linux.", "mountLabel", e);
}

static int check_process(const struct spec *s, struct error *e)
{
	return s->process ? validate_process(s->process, "process.", e) : 0;
}

static int check_resources(const struct spec *s, struct error *e)
{
	return s->resources ? validate_resources(s->resources, "linux.resources.", e) : 0;
}

static int check_oci_version(const struct spec *s, struct error *e)
{
	return check_version(s->oci_version, e);
}

int validate_spec(const struct spec *s, struct error *e)
{
	static int (*const checks[])(const struct spec *, struct error *) = {
		check_oci_version,  check_root,	 check_process,	    check_namespaces, check_maps,
		check_time_offsets, check_names, check_sysctls,	    check_mounts,     check_mount_label,
		check_resources,    check_hooks, check_annotations,
	};

	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		int r = checks[i](s, e);
		if (r < 0)
			return r;
	}
	return 0;
}
