/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_features.c - coracle features: what this build can do, as the spec's features.md wants it told
 *
 * Engines run it at their start and read stdout and stderr together: nothing but this may be said. Lists come
 * from the tables that carry them out. What is refused in a config is not listed, or is false. */
#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/capability.h>

#include "namespaces/mountopts.h"
#include "runtime/base/str.h"
#include "runtime/commands.h"
#include "specs/jsonout.h"
#include "specs/seccomp.h"
#include "specs/spec.h"

static void put_enabled(struct jsonout *out, const char *key, bool enabled)
{
	jsonout_object(out, key);
	jsonout_bool(out, "enabled", enabled);
	jsonout_end(out);
}

static void put_namespaces(struct jsonout *out)
{
	jsonout_array(out, "namespaces");
	for (size_t i = 0; i < NS_KIND_MAX; i++)
		jsonout_string(out, NULL, ns_types[i].oci);
	jsonout_end(out);
}

static void put_capabilities(struct jsonout *out)
{
	jsonout_array(out, "capabilities");
	for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; cap++) {
		char *name = cap_to_name(cap);
		for (char *c = name; c && *c; c++)
			*c = (char)toupper((unsigned char)*c);
		if (name)
			jsonout_string(out, NULL, name);
		cap_free(name);
	}
	jsonout_end(out);
}

static void put_cgroup(struct jsonout *out)
{
	jsonout_object(out, "cgroup");
	jsonout_bool(out, "v1", false);
	jsonout_bool(out, "v2", true);
	jsonout_bool(out, "systemd", false);
	jsonout_bool(out, "systemdUser", false);
	jsonout_bool(out, "rdma", true);
	jsonout_end(out);
}

#ifdef HAVE_SECCOMP
/* SCMP_ACT_NOTIFY and the flag that goes with it are refused so far. */
static bool is_notify(const char *word)
{
	return str_eq(word, "SCMP_ACT_NOTIFY") || str_eq(word, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV");
}

static void put_words(struct jsonout *out, const char *key, const char *const *words, size_t n)
{
	jsonout_array(out, key);
	for (size_t i = 0; i < n && words[i]; i++)
		if (!is_notify(words[i]))
			jsonout_string(out, NULL, words[i]);
	jsonout_end(out);
}

static void put_seccomp(struct jsonout *out)
{
	jsonout_object(out, "seccomp");
	jsonout_bool(out, "enabled", true);
	put_words(out, "actions", seccomp_action_names, SECCOMP_ACTION_COUNT);
	put_words(out, "operators", seccomp_op_names, SECCOMP_OP_COUNT);
	put_words(out, "archs", seccomp_arch_names, SIZE_MAX);
	jsonout_strings(out, "knownFlags", seccomp_flag_names);
	put_words(out, "supportedFlags", seccomp_flag_names, SIZE_MAX);
	jsonout_end(out);
}
#else
static void put_seccomp(struct jsonout *out)
{
	put_enabled(out, "seccomp", false);
}
#endif

static void put_linux(struct jsonout *out)
{
	jsonout_object(out, "linux");
	put_namespaces(out);
	put_capabilities(out);
	put_cgroup(out);
	put_seccomp(out);
	put_enabled(out, "apparmor", false);
	put_enabled(out, "selinux", false);
	put_enabled(out, "intelRdt", false);
	jsonout_object(out, "mountExtensions");
	put_enabled(out, "idmap", false);
	jsonout_end(out);
	put_enabled(out, "netDevices", false);
	jsonout_end(out);
}

static void put_mount_options(struct jsonout *out)
{
	const char *name;

	jsonout_array(out, "mountOptions");
	for (size_t i = 0; (name = mountopts_name(i)); i++)
		jsonout_string(out, NULL, name);
	jsonout_end(out);
}

static void put_hooks(struct jsonout *out)
{
	jsonout_array(out, "hooks");
	for (size_t i = 0; i < HOOK_KIND_MAX; i++)
		jsonout_string(out, NULL, hook_names[i]);
	jsonout_end(out);
}

static void put_annotations(struct jsonout *out)
{
	jsonout_object(out, "annotations");
	jsonout_string(out, "org.coracle.version", PACKAGE_VERSION);
	if (*COMMIT)
		jsonout_string(out, "org.coracle.commit", COMMIT);
	jsonout_end(out);
}

static int run_features(struct call *call, struct error *e)
{
	AUTO(jsonout) struct jsonout *out = jsonout_new(true);

	(void)call;
	jsonout_object(out, NULL);
	jsonout_string(out, "ociVersionMin", "1.0.0");
	jsonout_string(out, "ociVersionMax", OCI_VERSION);
	put_hooks(out);
	put_mount_options(out);
	put_linux(out);
	put_annotations(out);
	jsonout_end(out);
	auto_free char *text = jsonout_take(out, NULL);
	if (!text)
		return fail(e, ENOMEM, "features");
	puts(text);
	return 0;
}

const struct command cmd_features = {
	.name = "features",
	.arguments = "",
	.summary = "print what this build supports as JSON",
	.options = no_options,
	.run = run_features,
};
