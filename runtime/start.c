/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.c - let a created container run
 *
 * INIT waits on the FIFO "start"; one byte lets it go. It answers through the FIFO "started": an error, or
 * the end of file that comes when the program is executed. Spec: runtime.md, "Start". */
#include "runtime/life.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/stored_config.h"
#include "runtime/notify.h"

static int check_status(const struct container *c, struct error *e)
{
	enum status status = container_status(c);

	if (status != STATUS_CREATED)
		return refuse(e, EINVAL, "cannot start container `%s`: it is %s, not created", c->id,
			      status_names[status]);
	if (c->state->no_process)
		return refuse(e, EINVAL, "cannot start container `%s`: its config.json has no process",
			      c->id);
	return 0;
}

static int read_answer(int fd, struct error *e)
{
	struct error answer = { 0 };
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return fail(e, errno, "poll");
	ssize_t n = read(fd, &answer, sizeof(answer));
	if (n <= 0)
		return 0; /* the end: the program has been executed */
	if ((size_t)n != sizeof(answer) || answer.code <= 0 || answer.code > 4095)
		return refuse(e, EPROTO, "the answer of the container's init is not understood");
	answer.msg[sizeof(answer.msg) - 1] = '\0';
	str_make_printable(answer.msg);
	*e = answer;
	return -e->code;
}

static int let_go(const struct container *c, struct error *e)
{
	auto_close int start = openat(c->dir, "start", O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (start < 0)
		return fail(e, errno, "open the start FIFO");
	/* Opened before INIT goes on, so that its end of file cannot be missed. */
	auto_close int started = openat(c->dir, "started", O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (started < 0)
		return fail(e, errno, "open the started FIFO");
	int r = io_write_all(start, "", 1, e);
	if (r < 0)
		return r;
	r = read_answer(started, e);
	if (r == 0) {
		unlinkat(c->dir, "start", 0);
		unlinkat(c->dir, "started", 0);
	}
	return r;
}

static int run_poststart(struct container *c, struct error *e)
{
	AUTO(spec) struct spec *s = NULL;

	if (!(c->state->hooks & 1U << HOOK_POSTSTART))
		return 0;
	int r = config_load(c, &s, e);
	if (r == 0)
		r = hooks_run(s, HOOK_POSTSTART, c->state, STATUS_RUNNING, e);
	if (r < 0) {
		/* Since runtime-spec 1.3 a failing poststart hook stops the container. */
		struct error ignored;
		life_kill_all(c, &ignored);
	}
	return r;
}

int life_start(const struct globals *g, const char *id, struct error *e)
{
	AUTO(container) struct container *c = NULL;
	struct notify notify = { .sock = -1, .tree = -1 };

	int r = container_open(g, id, true, &c, e);
	if (r < 0)
		return r;
	r = check_status(c, e);
	/* Before it goes on: it may be gone when we come to wait for it. */
	auto_close int pidfd = r == 0 ? container_pidfd(c, e) : -1;
	if (r == 0 && pidfd < 0)
		r = pidfd;
	if (r == 0)
		r = notify_reopen(&notify, c, e);
	if (r == 0)
		r = let_go(c, e);
	if (r == 0)
		r = run_poststart(c, e);
	if (r == 0) {
		container_unlock(c);
		r = notify_wait_ready(&notify, c->state->pid, pidfd, e);
	}
	notify_done(&notify);
	return r;
}
