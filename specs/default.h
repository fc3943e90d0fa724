/* SPDX-License-Identifier: GPL-2.0-or-later */
/* default.h - the config of who writes none: `coracle spec`, `coracle run --rootfs`
 *
 * One set of safe defaults: all namespaces but user and time, the capabilities that Podman's users know (all
 * of them are Docker's too), nothing inheritable or ambient, no new privileges, the default seccomp profile,
 * a read-only cgroup file system in a cgroup namespace of its own, and /proc and /sys without what tells of
 * the host or changes it.
 *
 *	struct default_options o;
 *	default_options_init(&o);
 *	o.args = …;
 *	r = default_config(&o, &text, e); */
#ifndef CORACLE_DEFAULT_H
#define CORACLE_DEFAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/error.h"
#include "specs/capability.h"
#include "specs/spec.h"

#define DEFAULT_OCI_VERSION "1.3.0"

/* Every capability there is, for default_options.caps. */
#define DEFAULT_ALL_CAPS ((UINT64_C(1) << CAPABILITY_COUNT) - 1)

struct default_options {
	const char *rootfs; /* root.path; NULL: "rootfs" */
	bool root_readonly, terminal;
	bool system; /* the program is a system's own init, as systemd: it may change its groups and has /run,
		      * /tmp and $container as it wants them; programs in it may gain privileges (su, sudo) */
	char *const *args;    /* NULL: "sh" */
	char *const *env;     /* "NAME=value", over the defaults (the last of a name counts); NULL: none */
	const char *cwd;      /* absolute; NULL: "/" */
	uint32_t uid, gid;    /* of the process, inside */
	const char *hostname; /* NULL: "coracle" */
	int64_t memory_limit, cpu_quota, cpu_period, pids_limit; /* NUM_UNSET: none */
	const struct spec_mount *mounts;			 /* behind the default ones */
	size_t n_mounts;
	uint64_t caps; /* bounding, effective and permitted set; bit CAP_CHOWN is 1 << 0 */
	bool rootless; /* with a user namespace with these maps, no resources but those asked for, the host's
			* network */
	const struct spec_id_map *uid_maps, *gid_maps;
	size_t n_uid_maps, n_gid_maps;
	/* of the machine */
	char machine[66];	   /* uname's, for the seccomp profile; "": no profile */
	uint64_t nofile_limit;	   /* the caller's hard RLIMIT_NOFILE: the container's is not above */
	unsigned int thermal_cpus; /* CPUs whose sysfs directory has thermal_throttle: masked */
};

/* Everything absent, the default capabilities, and what is of this machine. A build without seccomp asks for
 * no profile. */
void default_options_init(struct default_options *o);

/* The text of a config.json, indented, ending in a newline, freed by the caller. Pure. -EINVAL for what makes
 * no config ("--env: …"), -ENOTSUP where there is no seccomp profile for the machine. */
int default_config(const struct default_options *o, char **ret, struct error *e);

/* ---- options as people type them; errors name the option ---- */

/* --cpus "1.5", to a quota and a period in microseconds. */
int default_parse_cpus(const char *text, int64_t *ret_quota, int64_t *ret_period, struct error *e);

/* --mount, in the arena:
 *	/host/dir:/dir[:ro,noexec,…]
 *	type=bind,src=/host/dir,dst=/dir[,ro][,bind-propagation=rslave][,noexec…]
 *	type=tmpfs,dst=/dir[,tmpfs-size=64m][,tmpfs-mode=1777][,ro…]
 * Words without "=" are mount options as they are; a bind is recursive and private, and read-only ("ro") with
 * all that is mounted below. */
int default_parse_mount(struct arena *a, const char *text, struct spec_mount *ret, struct error *e);

/* --cap-add, --cap-drop: NULL-terminated lists (or NULL) of "CAP_X", "x", "all". A drop of all leaves what is
 * added; else what is dropped is gone, added or not. */
int default_change_caps(uint64_t *caps, char *const *add, char *const *drop, struct error *e);

#endif
