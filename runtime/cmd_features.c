/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_features.c - coracle features: what this build can do (specs/features.h)
 *
 * Engines run it at their start and read stdout and stderr together: nothing but the JSON may be said. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "namespaces/mountopts.h"
#include "namespaces/seccomp.h"
#include "runtime/base/str.h"
#include "runtime/commands.h"
#include "runtime/node.h"
#include "specs/features.h"
#include "specs/seccomp.h"

enum { MAX_MOUNT_OPTIONS = 128, MAX_ARCHS = 32 };

static const struct {
	const char *name;
	unsigned long bit;
} flags[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	/* The kernel takes it together with this one only. */
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
	  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | SECCOMP_FILTER_FLAG_NEW_LISTENER },
};

/* The kernel looks at the flags first: without a program a flag that it knows gives EFAULT, not EINVAL. */
static bool kernel_knows(unsigned long flag)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT;
}

#ifdef HAVE_SECCOMP
static void add_seccomp(struct features *f, const char *archs[static MAX_ARCHS + 1], char version[static 32])
{
	size_t n = 0;

	f->seccomp = true;
	for (size_t i = 0; seccomp_arch_names[i] && n < MAX_ARCHS; i++)
		if (seccomp_has_arch(seccomp_arch_names[i]))
			archs[n++] = seccomp_arch_names[i];
	f->seccomp_archs = archs;
	if (seccomp_library_version(version, 32) > 0)
		f->libseccomp_version = version;
}
#endif

static int run_features(struct call *call, struct error *e)
{
	const char *mount_options[MAX_MOUNT_OPTIONS + 1] = { NULL };
	const char *seccomp_flags[COUNT_OF(flags) + 1] = { NULL };
	struct features f = { .mount_options = mount_options, .seccomp_flags = seccomp_flags, .rdma = true };
	struct error absent;
	char path[4096];
	size_t n = 0;

	(void)call;
#ifdef HAVE_SECCOMP
	const char *archs[MAX_ARCHS + 1] = { NULL };
	char version[32];
	add_seccomp(&f, archs, version);
#endif
	f.checkpoint = f.systemd = program_is_node || node_path(path, sizeof(path), &absent) == 0;
	for (size_t i = 0; i < MAX_MOUNT_OPTIONS && (mount_options[i] = mountopts_name(i)); i++)
		;
	for (size_t i = 0; i < COUNT_OF(flags); i++)
		if (kernel_knows(flags[i].bit))
			seccomp_flags[n++] = flags[i].name;
	auto_free char *text = features_to_json(&f);
	if (!text)
		return fail(e, ENOMEM, "features");
	fputs(text, stdout);
	return 0;
}

const struct command cmd_features = {
	.name = "features",
	.arguments = "",
	.summary = "print what this build supports as JSON",
	.options = no_options,
	.run = run_features,
};
