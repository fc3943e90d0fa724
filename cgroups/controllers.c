/* SPDX-License-Identifier: GPL-2.0-or-later */
/* controllers.c - which controllers a group has, and enabling those that a config needs
 *
 * In RUNTIME. A group has the controllers that its parent's cgroup.subtree_control hands down. Only what is
 * needed is enabled, from the nearest ancestor that has it downwards, and nothing is read or written where
 * nothing is needed. What was enabled stays so when the container goes: others may use it by then. */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define MAX_DEPTH 64

const char *const controller_names[CONTROLLER_MAX] = {
	[CONTROLLER_CPU] = "cpu",	  [CONTROLLER_CPUSET] = "cpuset", [CONTROLLER_DMEM] = "dmem",
	[CONTROLLER_HUGETLB] = "hugetlb", [CONTROLLER_IO] = "io",	  [CONTROLLER_MEMORY] = "memory",
	[CONTROLLER_MISC] = "misc",	  [CONTROLLER_PIDS] = "pids",	  [CONTROLLER_RDMA] = "rdma",
};

int controller_find(const char *name, size_t size)
{
	if (size == strlen("cgroup") && memcmp(name, "cgroup", size) == 0)
		return CONTROLLER_CORE;
	for (int c = 0; c < CONTROLLER_MAX; c++)
		if (strlen(controller_names[c]) == size && memcmp(controller_names[c], name, size) == 0)
			return c;
	return -1;
}

unsigned int controllers_parse(const char *text)
{
	unsigned int have = 0;

	for (const char *word = text; *word;) {
		word += strspn(word, " \n");
		size_t size = strcspn(word, " \n");
		int c = controller_find(word, size);
		if (c >= 0 && c < CONTROLLER_MAX)
			have |= 1U << c;
		word += size;
	}
	return have;
}

int cgroup_controllers(int root, char *buf, size_t size, struct error *e)
{
	ssize_t n = io_read_small(root, "cgroup.controllers", buf, size, e);
	return n < 0 ? (int)n : 0;
}

int controllers_read(int group, unsigned int *ret, struct error *e)
{
	char text[512];

	int r = cgroup_controllers(group, text, sizeof(text), e);
	if (r == 0)
		*ret = controllers_parse(text);
	return r;
}

/* The group above, or -EXDEV where the hierarchy (or what we see of it) ends. */
static int open_parent(int group)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_XDEV };
	int fd = sys_openat2(group, "..", &how);
	return fd < 0 ? -errno : fd;
}

static int refuse_missing(unsigned int missing, const char *keys[CONTROLLER_MAX], struct error *e)
{
	int c = __builtin_ctz(missing);

	return refuse(e, ENOTSUP,
		      "linux.resources.%s: cannot be set, the %s controller is not available in the unified "
		      "cgroup hierarchy (is it bound to cgroup v1, or not delegated to us?)",
		      keys[c], controller_names[c]);
}

/* Hand `wanted` down from this group to those below it, in one write. */
static int hand_down(int group, unsigned int wanted, struct error *e)
{
	char text[CONTROLLER_MAX * 10];
	size_t used = 0;

	for (int c = 0; c < CONTROLLER_MAX; c++)
		if (wanted & 1U << c)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s+%s", used ? " " : "",
						 controller_names[c]);
	int r = io_write_file(group, "cgroup.subtree_control", text, e);
	if (r == -EBUSY)
		return refuse(
			e, EBUSY,
			"cannot enable \"%s\" for the groups below a cgroup that holds processes itself",
			text);
	return r;
}

static int enable(int group, unsigned int need, const char *keys[CONTROLLER_MAX], int depth, struct error *e)
{
	unsigned int have;

	int r = controllers_read(group, &have, e);
	if (r < 0)
		return r;
	unsigned int missing = need & ~have;
	if (!missing)
		return 0;
	auto_close int parent = depth < MAX_DEPTH ? open_parent(group) : -ELOOP;
	if (parent == -EXDEV)
		return refuse_missing(missing, keys, e);
	if (parent < 0)
		return fail(e, -parent, "open the cgroup above");
	r = enable(parent, missing, keys, depth + 1, e);
	return r < 0 ? r : hand_down(parent, missing, e);
}

/* The first line tells, and ends it. */
static int note_key(void *context, const struct knob_line *line, struct error *e)
{
	*(const char **)context = line->key;
	return refuse(e, ECANCELED, "%s", line->key);
}

bool cgroup_asks(const struct spec_resources *r, const char **ret_key)
{
	const struct knobs_now now = { .memory_limit = -1, .cpu_quota = "max" };
	struct error ignored;

	*ret_key = NULL;
	knobs_format(r, &now, note_key, ret_key, &ignored);
	return *ret_key;
}

int cgroup_enable(int group, const struct spec_resources *r, struct error *e)
{
	const char *keys[CONTROLLER_MAX] = { 0 };
	unsigned int need;

	int err = knobs_need(r, &need, keys, e);
	if (err < 0)
		return err;
	return need ? enable(group, need, keys, 0, e) : 0;
}

int cgroup_delegate(int group, uid_t uid, struct error *e)
{
	char text[1024], *rest = text;
	struct error ignored;

	if (io_read_small(AT_FDCWD, "/sys/kernel/cgroup/delegate", text, sizeof(text), &ignored) < 0)
		strcpy(text, "cgroup.procs cgroup.subtree_control cgroup.threads");
	if (fchown(group, uid, (gid_t)-1) < 0)
		return fail(e, errno, "give the cgroup to user %u", uid);
	for (char *name; (name = strsep(&rest, " \n"));) {
		if (!*name || strchr(name, '/'))
			continue;
		/* The list is of all controllers' files; a group has those of its own. */
		if (fchownat(group, name, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return fail(e, errno, "give %s of the cgroup to user %u", name, uid);
	}
	return 0;
}
