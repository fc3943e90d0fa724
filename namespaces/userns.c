/* SPDX-License-Identifier: GPL-2.0-or-later */
/* userns.c - id maps of a user namespace
 *
 * The kernel takes a map once, in one write of less than a page, from a process that holds CAP_SETUID or
 * CAP_SETGID in the parent namespace, or from the namespace's maker for a single line that maps its own id;
 * the gid map of the latter only after setgroups(2) was denied for good (else a group that denies could be
 * left). See user_namespaces(7). */
#include "namespaces/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "namespaces/plan.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/proc.h"
#include "runtime/base/spawn.h"
#include "runtime/base/str.h"

#define MAP_LINE_SIZE	  (3 * sizeof("4294967295"))
#define MAP_TEXT_MAX	  4095 /* the kernel: less than a page */
#define HELPER_TIMEOUT_MS 10000

char *userns_format_map(const struct spec_id_map *map, size_t count)
{
	char *text = malloc(count * MAP_LINE_SIZE + 1);
	char *p = text;

	if (!text)
		return NULL;
	*p = '\0';
	for (size_t i = 0; i < count; i++)
		p += sprintf(p, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", map[i].container, map[i].host,
			     map[i].size);
	return text;
}

char **userns_helper_args(const char *program, pid_t pid, const struct spec_id_map *map, size_t count)
{
	size_t n = 2 + 3 * count, at = 0;
	char **args = malloc((n + 1) * sizeof(*args) + strlen(program) + 1 + (n - 1) * sizeof("4294967295"));

	if (!args)
		return NULL;
	char *text = (char *)(args + n + 1);
	args[at++] = text;
	text += sprintf(text, "%s", program) + 1;
	args[at++] = text;
	text += sprintf(text, "%d", (int)pid) + 1;
	for (size_t i = 0; i < count; i++) {
		const uint32_t numbers[] = { map[i].container, map[i].host, map[i].size };
		for (size_t k = 0; k < COUNT_OF(numbers); k++) {
			args[at++] = text;
			text += sprintf(text, "%" PRIu32, numbers[k]) + 1;
		}
	}
	args[at] = NULL;
	return args;
}

static bool is_single_own(const struct spec_id_map *map, size_t count, uint32_t own)
{
	return count == 1 && map[0].host == own && map[0].size == 1;
}

static bool denies_setgroups(const struct spec_id_map *gids, size_t n_gids)
{
	return geteuid() != 0 && is_single_own(gids, n_gids, getegid());
}

bool userns_denies_setgroups(const struct spec *s)
{
	return denies_setgroups(s->gid_mappings, s->n_gid_mappings);
}

bool userns_of_denies_setgroups(pid_t pid)
{
	char path[64], text[16];
	struct error ignored;

	snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
	return io_read_small(AT_FDCWD, path, text, sizeof(text), &ignored) > 0 && str_eq(text, "deny");
}

/* A helper that root alone can have put there. */
static bool is_trusted_program(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 && !(st.st_mode & 022) &&
	       (st.st_mode & 0111);
}

static int run_helper(const char *name, pid_t pid, const struct spec_id_map *map, size_t count,
		      struct error *e)
{
	static const char *const dirs[] = { "/usr/bin", "/usr/sbin", "/bin", "/run/wrappers/bin" };
	char path[64];

	for (size_t i = 0; i < COUNT_OF(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		if (!is_trusted_program(path))
			continue;
		auto_free char **args = userns_helper_args(path, pid, map, count);
		if (!args)
			return fail(e, ENOMEM, "%s", name);
		struct spawn helper = { .path = path, .argv = args, .timeout_ms = HELPER_TIMEOUT_MS };
		return spawn_run(&helper, NULL, e);
	}
	return refuse(e, ENOENT, "%s is not installed: without it only one's own id can be mapped", name);
}

/* One of the two maps of the process; `own` is the id that its maker may map by itself. */
static int write_map(pid_t pid, const char *file, const char *helper, const struct spec_id_map *map,
		     size_t count, uint32_t own, struct error *e)
{
	char path[64];

	if (geteuid() != 0 && !is_single_own(map, count, own))
		return run_helper(helper, pid, map, count, e);
	auto_free char *text = userns_format_map(map, count);
	if (!text)
		return fail(e, ENOMEM, "%s", file);
	if (strlen(text) > MAP_TEXT_MAX)
		return refuse(e, E2BIG, "%s: %zu bytes of mappings, the kernel takes %d", file, strlen(text),
			      MAP_TEXT_MAX);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return io_write_file(AT_FDCWD, path, text, e);
}

static int write_maps(pid_t pid, const struct spec_id_map *uids, size_t n_uids,
		      const struct spec_id_map *gids, size_t n_gids, struct error *e)
{
	char path[64];
	int r;

	if (denies_setgroups(gids, n_gids)) {
		snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
		r = io_write_file(AT_FDCWD, path, "deny", e);
		if (r < 0)
			return r;
	}
	r = write_map(pid, "gid_map", "newgidmap", gids, n_gids, getegid(), e);
	if (r < 0)
		return r;
	return write_map(pid, "uid_map", "newuidmap", uids, n_uids, geteuid(), e);
}

int userns_write_maps(pid_t pid, const struct spec *s, struct error *e)
{
	if (!s->n_uid_mappings || !s->n_gid_mappings)
		return refuse(e, EINVAL,
			      "a new user namespace needs linux.uidMappings and linux.gidMappings");
	return write_maps(pid, s->uid_mappings, s->n_uid_mappings, s->gid_mappings, s->n_gid_mappings, e);
}

int userns_make(const struct spec_id_map *uids, size_t n_uids, const struct spec_id_map *gids, size_t n_gids,
		struct error *e)
{
	char path[64];
	int fd = -1;

	/* It ends with us, whatever happens: it is killed below, and does nothing but wait for that. */
	pid_t child = (pid_t)syscall(SYS_clone, (unsigned long)CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL,
				     NULL);
	if (child < 0)
		return fail(e, errno, "make a user namespace for a mapping");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	int r = write_maps(child, uids, n_uids, gids, n_gids, e);
	if (r == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? fail(e, errno, "open %s", path) : 0;
	}
	proc_end(&child);
	return r < 0 ? prefix(e, "a mapping of ids") : fd;
}

static int explain_unmapped(const char *what, int errnum, struct error *e)
{
	if (errnum == EINVAL)
		return refuse(e, EINVAL, "the user namespace does not map %s 0", what);
	return fail(e, errnum, "become %s 0 of the user namespace", what);
}

int userns_become_root(struct error *e)
{
	int r = ns_hide_self(e);
	if (r < 0)
		return r;
	if (setresgid(0, 0, 0) < 0)
		return explain_unmapped("gid", errno, e);
	if (setresuid(0, 0, 0) < 0)
		return explain_unmapped("uid", errno, e);
	return 0;
}
