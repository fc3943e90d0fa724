/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply.c - write the lines of knobs.c into the files of a group
 *
 * In RUNTIME. A new group's files are not read at all; for an update only those that the arithmetic needs. */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

struct target {
	int group;
	bool fresh;
	bool late; /* write what a fresh group gets when its first process is there, and only that */
};

/* A limit below what it takes to set the container up must wait until that is done: the processes that are
 * there already stay, however low it is. */
static bool is_late(const struct knob_line *line)
{
	return str_eq(line->file, "pids.max");
}

/* A limit's file is not there: because its controller is not, or because this kernel has no such file. */
static int explain_missing(int group, const struct knob_line *line, struct error *e)
{
	unsigned int have = 0;
	struct error ignored;

	controllers_read(group, &have, &ignored);
	if (line->controller != CONTROLLER_CORE && !(have & 1U << line->controller))
		return refuse(e, ENOTSUP,
			      "linux.resources.%s: cannot be set, the %s controller is not available in the "
			      "cgroup (no %s)",
			      line->key, controller_names[line->controller], line->file);
	return refuse(e, ENOTSUP, "linux.resources.%s: cannot be set, this kernel's cgroups have no %s",
		      line->key, line->file);
}

static int write_once(int fd, const char *text)
{
	ssize_t n;

	do
		n = write(fd, text, strlen(text));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == strlen(text) ? 0 : -EIO;
}

static int write_line(void *context, const struct knob_line *line, struct error *e)
{
	const struct target *t = context;
	struct error opening;

	if (t->fresh && (line->rank == KNOB_DEFAULT || is_late(line) != t->late))
		return 0;
	auto_close int fd = path_beneath(t->group, line->file, O_WRONLY, false, &opening);
	if (fd == -ENOENT && line->rank != KNOB_MUST)
		return 0;
	int r = fd < 0 ? fd : write_once(fd, line->text);
	if (r == 0 || line->tried)
		return r;
	if (fd == -ENOENT)
		return explain_missing(t->group, line, e);
	if (fd < 0)
		return refuse(e, -fd, "linux.resources.%s: %s", line->key, opening.msg);
	return fail(e, -r, "linux.resources.%s: write \"%.100s\" to %s", line->key, line->text, line->file);
}

/* The first word of a file, which may be missing: then *ret is left alone. */
static int read_word(int group, const char *file, char *ret, size_t size, struct error *e)
{
	char text[64];

	ssize_t n = io_read_small(group, file, text, sizeof(text), e);
	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return (int)n;
	text[strcspn(text, " \n")] = '\0';
	return str_format(ret, size, "%s", text) < 0 ? refuse(e, ERANGE, "%s: \"%s\"", file, text) : 0;
}

static int read_limit(int group, const char *file, int64_t *ret, struct error *e)
{
	char text[32] = "";

	int r = read_word(group, file, text, sizeof(text), e);
	if (r == 0 && *text && !str_eq(text, "max") && str_to_i64(text, ret) < 0)
		r = refuse(e, EINVAL, "%s: \"%s\" is not a number", file, text);
	return r;
}

static int read_now(const struct target *t, const struct spec_resources *r, struct knobs_now *now,
		    struct error *e)
{
	int err = 0;

	*now = (struct knobs_now){ .memory_limit = -1, .cpu_quota = "max" };
	if (t->fresh)
		return 0;
	if (r->memory_swap > 0)
		err = read_limit(t->group, "memory.max", &now->memory_limit, e);
	if (err == 0 && r->cpu_period > 0 && r->cpu_quota == NUM_UNSET)
		err = read_word(t->group, "cpu.max", now->cpu_quota, sizeof(now->cpu_quota), e);
	return err;
}

/* memory.checkBeforeUpdate: rather an error than an update that ends in the OOM killer. */
static int check_memory_usage(int group, const struct spec_resources *r, struct error *e)
{
	int64_t usage = -1;

	if (r->memory_limit <= 0 && r->memory_swap <= 0)
		return 0;
	int err = read_limit(group, "memory.current", &usage, e);
	if (err < 0)
		return err;
	const struct {
		const char *key;
		int64_t limit;
	} rows[] = { { "limit", r->memory_limit }, { "swap", r->memory_swap } };
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].limit > 0 && rows[i].limit <= usage)
			return refuse(e, EBUSY,
				      "linux.resources.memory.%s: %" PRId64 " is not above the %" PRId64
				      " bytes in use (checkBeforeUpdate)",
				      rows[i].key, rows[i].limit, usage);
	return 0;
}

int cgroup_apply(int group, const struct spec_resources *r, bool fresh, struct error *e)
{
	struct target t = { .group = group, .fresh = fresh };
	struct knobs_now now;

	int err = read_now(&t, r, &now, e);
	if (err == 0 && !fresh && r->memory_check_before_update)
		err = check_memory_usage(group, r, e);
	return err < 0 ? err : knobs_format(r, &now, write_line, &t, e);
}

int cgroup_apply_late(int group, const struct spec_resources *r, struct error *e)
{
	struct target t = { .group = group, .fresh = true, .late = true };
	const struct knobs_now now = { .memory_limit = -1, .cpu_quota = "max" };

	return knobs_format(r, &now, write_line, &t, e);
}
