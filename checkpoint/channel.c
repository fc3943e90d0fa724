/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.c - the story's side of a channel: begin, open streams, end */
#include "checkpoint/channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/proc.h"

#define STREAM_BUFFER (1 << 20)

/* The carrier holds nothing of ours but what it needs: a lock of the story's would outlive it, a handle of
 * the container would be in the hands of whoever broke it. */
__attribute__((noreturn)) static void become_carrier(struct transport *t, struct channel_counters *counters,
						     const struct channel_options *o, int control)
{
	struct carrier_start start = {
		.transport = t, .counters = counters, .options = *o, .control = control
	};
	/* TLS keeps the number of its socket: numbers stay. */
	const int keep[] = { control, t->in, t->out };
	fd_close_all_but(keep, 3);
	carrier_main(&start);
}

static struct channel *channel_new(const struct transport *t)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->control = c->messages = -1;
	c->peer = strdup(t->peer);
	c->counters = mmap(NULL, sizeof(*c->counters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			   0);
	if (c->counters == MAP_FAILED)
		c->counters = NULL;
	if (!c->peer || !c->counters) {
		channel_free(c);
		return NULL;
	}
	return c;
}

/* The carrier says one byte when it has been greeted; it is gone when it failed before. */
static int wait_for_greeting(struct channel *c, struct error *e)
{
	char byte;

	int r = interrupt_wait(c->control, -1, -1, e);
	if (r < 0)
		return r;
	if (recv(c->control, &byte, 1, 0) != 1)
		return channel_failure(c, "the connection ended before a greeting", e);
	return 0;
}

static int start_carrier(struct channel *c, struct transport *t, const struct channel_options *o,
			 struct error *e)
{
	int ends[2];

	int r = fd_socketpair(ends, e);
	if (r < 0)
		return r;
	c->counters->bandwidth = o->bandwidth;
	c->control = ends[0];
	c->carrier = fork();
	if (c->carrier == 0) {
		close(ends[0]);
		become_carrier(t, c->counters, o, ends[1]);
	}
	int saved = errno;
	close(ends[1]);
	return c->carrier < 0 ? fail(e, saved, "fork") : 0;
}

int channel_start(struct transport *t, const struct channel_options *o, struct channel **ret, struct error *e)
{
	AUTO(transport) struct transport *owned = t;
	AUTO(channel) struct channel *c = channel_new(t);

	if (!c)
		return fail(e, ENOMEM, "channel to %s", t->peer);
	int r = start_carrier(c, owned, o, e);
	if (r < 0)
		return r;
	c->helper = owned->helper;
	owned->helper = 0;
	r = channel_stream(c, STREAM_CONTROL, &c->messages, e);
	if (r == 0)
		r = wait_for_greeting(c, e);
	if (r < 0)
		return r;
	*ret = take_ptr(c);
	return 0;
}

static void close_ends(struct channel *c)
{
	replace_fd(&c->messages, -1);
	replace_fd(&c->control, -1);
}

void channel_cut(struct channel *c)
{
	if (!c)
		return;
	proc_end(&c->carrier); /* its ends close with it: whoever reads ours sees it at once */
}

void channel_free(struct channel *c)
{
	const struct carrier_request end = { .stream = -1 };
	struct error ignored;
	int status;

	if (!c)
		return;
	if (c->carrier > 0) {
		(void)fd_send(c->control, &end, sizeof(end), -1, &ignored);
		close_ends(c);
		(void)proc_wait(c->carrier, &status, &ignored);
	}
	close_ends(c);
	proc_end(&c->helper);
	if (c->counters)
		munmap(c->counters, sizeof(*c->counters));
	free(c->peer);
	free(c);
}

void channel_leave(struct channel *c)
{
	close_ends(c);
}

int channel_stream(struct channel *c, unsigned int number, int *ret_fd, struct error *e)
{
	const struct carrier_request open = { .stream = (int32_t)number };
	const int size = STREAM_BUFFER;
	int ends[2];

	if (number >= WIRE_STREAMS)
		return refuse(e, EINVAL, "stream %u: there are %u", number, WIRE_STREAMS);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail(e, errno, "stream %u", number);
	for (int i = 0; i < 2; i++) /* past net.core.wmem_max where we may */
		if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			(void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	int r = fd_send(c->control, &open, sizeof(open), ends[1], e);
	close(ends[1]);
	if (r < 0) {
		close(ends[0]);
		return channel_failure(c, e->msg, e);
	}
	*ret_fd = ends[0];
	return 0;
}

void channel_end_stream(int *fd)
{
	if (*fd >= 0)
		shutdown(*fd, SHUT_WR);
	replace_fd(fd, -1);
}

int channel_failure(const struct channel *c, const char *otherwise, struct error *e)
{
	int ended = __atomic_load_n(&c->counters->ended, __ATOMIC_ACQUIRE);

	if (ended == 2) {
		struct error copy = c->counters->error;
		return refuse(e, copy.code, "%s: %s", c->peer, copy.msg);
	}
	char text[sizeof(e->msg)];
	snprintf(text, sizeof(text), "%s", ended == 1 ? "the other side ended the connection" : otherwise);
	return refuse(e, ECONNRESET, "%s: %s", c->peer, text);
}
