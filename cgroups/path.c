/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path.c - where a container's group is
 *
 * In RUNTIME; pure but for reading /proc/PID/cgroup. A relative cgroupsPath, and the group of a config
 * without one, go below the parent of our own group: our own holds our own process, and a group with
 * processes cannot hand controllers down. Spec: config-linux.md, "Cgroups Path". */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

int cgroup_of_pid(pid_t pid, char **ret, struct error *e)
{
	char file[32] = "/proc/self/cgroup", text[3 * PATH_MAX];

	if (pid > 0)
		snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	ssize_t n = io_read_small(AT_FDCWD, file, text, sizeof(text), e);
	if (n < 0)
		return (int)n;
	for (char *line = text, *end; *line; line = end + (*end != '\0')) {
		end = line + strcspn(line, "\n");
		if (!str_starts(line, "0::/"))
			continue;
		*ret = strndup(line + 3, (size_t)(end - line) - 3);
		return *ret ? 0 : fail(e, ENOMEM, "read %s", file);
	}
	return refuse(e, ENOTSUP, "%s: no cgroup v2 hierarchy (no line \"0::\")", file);
}

/* How long the path of the lowest group above (or at) both is; 0: the root. */
static size_t common_length(const char *a, const char *b)
{
	size_t common = 0, i = 0;

	for (; a[i] && a[i] == b[i]; i++)
		if (a[i] == '/')
			common = i;
	if ((!a[i] || a[i] == '/') && (!b[i] || b[i] == '/'))
		common = i;
	return common;
}

int cgroup_may_enter(int root, const char *path, struct error *e)
{
	auto_free char *own = NULL;
	char procs[PATH_MAX];

	int r = cgroup_of_pid(0, &own, e);
	if (r < 0)
		return r;
	int common = (int)common_length(own, path);
	r = str_format(procs, sizeof(procs), ".%.*s/cgroup.procs", common, path);
	if (r < 0)
		return fail(e, -r, "cgroup %s", path);
	if (faccessat(root, procs, W_OK, AT_EACCESS) < 0)
		return refuse(e, EACCES, "cgroup %.*s is not delegated to user %u", common ? common : 1,
			      common ? path : "/", geteuid());
	return 0;
}

static bool has_dotdot(const char *path)
{
	for (const char *p = path; *p;) {
		p += strspn(p, "/");
		size_t size = strcspn(p, "/");
		if (size == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += size;
	}
	return false;
}

/* The parent of our own group, without a slash at the end: "" for the root. */
static int own_parent(char **ret, struct error *e)
{
	int r = cgroup_of_pid(0, ret, e);
	if (r < 0)
		return r;
	if (has_dotdot(*ret)) {
		r = refuse(e, ENOTSUP, "our own cgroup (%s) is outside of this cgroup namespace", *ret);
		free(take_ptr(*ret));
		return r;
	}
	*strrchr(*ret, '/') = '\0';
	return 0;
}

int cgroup_path(const char *cgroups_path, const char *id, char **ret, struct error *e)
{
	auto_free char *parent = NULL, *joined = NULL;
	bool given = cgroups_path && *cgroups_path;

	if (given && has_dotdot(cgroups_path))
		return refuse(e, EINVAL, "cgroupsPath: \"%s\" has a \"..\"", cgroups_path);
	if (!given || cgroups_path[0] != '/') {
		int r = own_parent(&parent, e);
		if (r < 0)
			return r;
	}
	if (asprintf(&joined, "%s/%s%s", parent ? parent : "", given ? "" : "coracle-",
		     given ? cgroups_path : id) < 0) {
		joined = NULL;
		return fail(e, ENOMEM, "cgroupsPath");
	}
	auto_free char *clean = path_clean(joined);
	if (!clean)
		return fail(e, ENOMEM, "cgroupsPath");
	if (str_eq(clean, "/"))
		return refuse(e, EINVAL, "cgroupsPath: \"%s\" is the root of all cgroups", cgroups_path);
	*ret = take_ptr(clean);
	return 0;
}
