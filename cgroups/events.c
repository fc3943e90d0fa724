/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.c - cgroup.events: is the group populated, is it frozen, and waiting for the change
 *
 * The kernel wakes poll(POLLPRI) on the file at every change. The state is read again after each wake: a
 * change and its opposite may come as one. */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

int group_open_file(int group, const char *name, int flags, struct error *e)
{
	int fd = openat(group, name, flags | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fail(e, errno, "open %s", name);
	return fd;
}

int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct cgroup_events events_parse(const char *text)
{
	struct cgroup_events ev = { 0 };

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (str_starts(line, "populated 1"))
			ev.populated = true;
		else if (str_starts(line, "frozen 1"))
			ev.frozen = true;
	}
	return ev;
}

static int read_open_events(int fd, struct cgroup_events *ret, struct error *e)
{
	char text[256];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return fail(e, errno, "read cgroup.events");
	text[n] = '\0';
	*ret = events_parse(text);
	return 0;
}

int events_read(int group, struct cgroup_events *ret, struct error *e)
{
	auto_close int fd = group_open_file(group, "cgroup.events", O_RDONLY, e);
	if (fd < 0)
		return fd;
	return read_open_events(fd, ret, e);
}

int events_wait(int group, size_t offset, bool want, int timeout_ms, struct error *e)
{
	int64_t end = now_ms() + timeout_ms;
	struct cgroup_events ev;

	auto_close int fd = group_open_file(group, "cgroup.events", O_RDONLY, e);
	if (fd < 0)
		return fd;
	for (;;) {
		int r = read_open_events(fd, &ev, e);
		if (r < 0)
			return r;
		if (*((const bool *)&ev + offset / sizeof(bool)) == want)
			return 1;
		int64_t left = timeout_ms < 0 ? -1 : end - now_ms();
		if (timeout_ms >= 0 && left <= 0)
			return 0;
		struct pollfd p = { .fd = fd, .events = POLLPRI };
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return fail(e, errno, "poll cgroup.events");
	}
}
