/* SPDX-License-Identifier: GPL-2.0-or-later */
/* features.c - what `coracle features` prints (features.md)
 *
 * Engines decide by it: containerd asks for "rro" in mountOptions, for idmap and the user namespace. So it is
 * made from the tables that do the work, where there is one. */
#include "specs/features.h"

#include <stddef.h>

#include "specs/capability.h"
#include "specs/default.h"
#include "specs/jsonout.h"
#include "specs/seccomp.h"
#include "specs/spec.h"

#define VERSION_MIN "1.0.0"

static void put_namespaces(struct jsonout *o)
{
	jsonout_array(o, "namespaces");
	for (int i = 0; i < NS_KIND_MAX; i++)
		jsonout_string(o, NULL, ns_types[i].oci);
	jsonout_end(o);
}

static void put_cgroup(struct jsonout *o, const struct features *f)
{
	jsonout_object(o, "cgroup");
	jsonout_bool(o, "v1", false);
	jsonout_bool(o, "v2", true);
	jsonout_bool(o, "systemd", f->systemd);
	jsonout_bool(o, "systemdUser", f->systemd);
	jsonout_bool(o, "rdma", f->rdma);
	jsonout_end(o);
}

static void put_seccomp(struct jsonout *o, const struct features *f)
{
	jsonout_object(o, "seccomp");
	jsonout_bool(o, "enabled", f->seccomp);
	if (f->seccomp) {
		jsonout_array(o, "actions");
		for (int i = 0; i < SECCOMP_ACTION_COUNT; i++)
			jsonout_string(o, NULL, seccomp_action_names[i]);
		jsonout_end(o);
		jsonout_strings(o, "operators", seccomp_op_names);
		jsonout_strings(o, "archs", f->seccomp_archs ? f->seccomp_archs : seccomp_arch_names);
		jsonout_strings(o, "knownFlags", seccomp_flag_names);
		jsonout_strings(o, "supportedFlags", f->seccomp_flags);
	}
	jsonout_end(o);
}

static void put_enabled(struct jsonout *o, const char *key, bool enabled)
{
	jsonout_object(o, key);
	jsonout_bool(o, "enabled", enabled);
	jsonout_end(o);
}

static void put_memory_policy(struct jsonout *o)
{
	const char *name;

	jsonout_object(o, "memoryPolicy");
	jsonout_array(o, "modes");
	for (size_t i = 0; (name = memory_mode_name(i)); i++)
		jsonout_string(o, NULL, name);
	jsonout_end(o);
	jsonout_array(o, "flags");
	for (size_t i = 0; (name = memory_flag_name(i)); i++)
		jsonout_string(o, NULL, name);
	jsonout_end(o);
	jsonout_end(o);
}

static void put_linux(struct jsonout *o, const struct features *f)
{
	jsonout_object(o, "linux");
	put_namespaces(o);
	jsonout_strings(o, "capabilities", capability_names);
	put_cgroup(o, f);
	put_seccomp(o, f);
	put_enabled(o, "apparmor", true);
	put_enabled(o, "selinux", true);
	jsonout_object(o, "intelRdt");
	jsonout_bool(o, "enabled", true);
	jsonout_bool(o, "schemata", true);
	jsonout_bool(o, "monitoring", true);
	jsonout_end(o);
	put_memory_policy(o);
	jsonout_object(o, "mountExtensions");
	put_enabled(o, "idmap", true);
	jsonout_end(o);
	put_enabled(o, "netDevices", true);
	jsonout_end(o);
}

static void put_annotations(struct jsonout *o, const struct features *f)
{
	jsonout_object(o, "annotations");
	jsonout_string(o, "run.coracle.version", PACKAGE_VERSION);
	if (COMMIT[0])
		jsonout_string(o, "run.coracle.commit", COMMIT);
	/* Podman and CRI-O look for this key, whatever the runtime. */
	jsonout_string(o, "org.opencontainers.runc.checkpoint.enabled", f->checkpoint ? "true" : "false");
	if (f->libseccomp_version)
		jsonout_string(o, "io.github.seccomp.libseccomp.version", f->libseccomp_version);
	jsonout_end(o);
}

char *features_to_json(const struct features *f)
{
	/* Annotations that change what a container may do; an engine must not pass a stranger's on. */
	static const char *const unsafe[] = { "org.systemd.property.", "run.oci.keep_original_groups", NULL };
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);

	jsonout_object(o, NULL);
	jsonout_string(o, "ociVersionMin", VERSION_MIN);
	jsonout_string(o, "ociVersionMax", DEFAULT_OCI_VERSION);
	jsonout_array(o, "hooks");
	for (int i = 0; i < HOOK_KIND_MAX; i++)
		jsonout_string(o, NULL, hook_names[i]);
	jsonout_end(o);
	jsonout_strings(o, "mountOptions", f->mount_options);
	put_linux(o, f);
	put_annotations(o, f);
	jsonout_strings(o, "potentiallyUnsafeConfigAnnotations", unsafe);
	jsonout_end(o);
	jsonout_newline(o);
	return jsonout_take(o, NULL);
}
