/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_control.c - a migration under way answers questions: --status, --cancel, --set
 *
 * A socket in the container's directory (0600 in a directory that is ours alone). A question is one line, the
 * answer one line of JSON. It is looked at wherever the story comes by; while CRIU works it is not, which is
 * short. After the grant nothing can be cancelled. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/migrate_source.h"

#define SOCKET_NAME "migrate.sock"
enum { ANSWER_MS = 2000, ANSWER_LIMIT = 1 << 20 };

int control_open(struct migration *m, struct error *e)
{
	struct source *s = m->source;
	struct container *c = dump_container(s->dump);

	if (unlinkat(c->dir, SOCKET_NAME, 0) < 0 && errno != ENOENT)
		return fail(e, errno, "remove an earlier " SOCKET_NAME);
	mode_t mask = umask(0177);
	s->control = fd_unix_listen(c->dir, SOCKET_NAME, SOCK_STREAM | SOCK_NONBLOCK, e);
	umask(mask);
	return s->control < 0 ? s->control : 0;
}

void control_close(struct source *s)
{
	if (s->control < 0)
		return;
	replace_fd(&s->control, -1);
	struct container *c = s->dump ? dump_container(s->dump) : NULL;
	if (c && unlinkat(c->dir, SOCKET_NAME, 0) < 0)
		return; /* the directory is gone, and it with it */
}

static int set_limit(struct migration *m, const char *value)
{
	uint32_t ms;

	if (str_to_u32(value, &ms) < 0)
		return -EINVAL;
	m->source->policy.downtime_limit_ms = ms;
	m->source->progress.downtime_limit_us = (uint64_t)ms * 1000;
	return 0;
}

static int set_bandwidth(struct migration *m, const char *value)
{
	int64_t rate;

	if (str_to_bytes(value, &rate) < 0 || rate < 0)
		return -EINVAL;
	m->source->policy.bandwidth = (uint64_t)rate;
	__atomic_store_n(&m->channel->counters->bandwidth, rate, __ATOMIC_RELAXED);
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct migration *m, const char *value);
} settings[] = { { "downtime-limit=", set_limit }, { "bandwidth=", set_bandwidth } };

static const char *set(struct migration *m, const char *assignment)
{
	for (size_t i = 0; i < COUNT_OF(settings); i++)
		if (str_starts(assignment, settings[i].name))
			return settings[i].set(m, assignment + strlen(settings[i].name)) == 0
				       ? "{\"done\":true}"
				       : "{\"error\":\"not a value\"}";
	return "{\"error\":\"only downtime-limit=MS and bandwidth=BYTES can be set\"}";
}

static char *answer(struct migration *m, char *question)
{
	struct source *s = m->source;

	question[strcspn(question, "\n")] = '\0';
	if (str_eq(question, "status")) {
		s->progress.wire_out = m->channel->counters->wire_out;
		return progress_json(&s->progress, true);
	}
	if (str_eq(question, "cancel")) {
		s->cancelled = !m->granted;
		return strdup(m->granted ? "{\"error\":\"granted: too late\"}" : "{\"done\":true}");
	}
	if (str_starts(question, "set "))
		return strdup(set(m, question + 4));
	return strdup("{\"error\":\"unknown question\"}");
}

static void serve_one(struct migration *m, int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char question[256];
	struct error ignored;

	if (poll(&p, 1, 100) <= 0)
		return;
	ssize_t n = recv(sock, question, sizeof(question) - 1, MSG_DONTWAIT);
	if (n <= 0)
		return;
	question[n] = '\0';
	auto_free char *text = answer(m, question);
	if (text)
		(void)io_write_all(sock, text, strlen(text), &ignored);
}

int control_serve(struct migration *m, struct error *e)
{
	struct source *s = m->source;

	while (s->control >= 0) {
		auto_close int sock = accept4(s->control, NULL, NULL, SOCK_CLOEXEC);
		if (sock < 0)
			break;
		serve_one(m, sock);
	}
	s->progress.wire_out = m->channel->counters->wire_out;
	if (s->cancelled && !m->granted)
		return refuse(e, ECANCELED, "cancelled");
	return interrupt_pending(e);
}

/* Room in the stream, or something else that wants to be looked at. */
static int wait_for_room(struct migration *m, int fd, bool quiet, struct error *e)
{
	struct pollfd p[3] = { { .fd = fd, .events = POLLOUT },
			       { .fd = quiet ? -1 : m->source->control, .events = POLLIN },
			       { .fd = quiet ? -1 : interrupt_fd(), .events = POLLIN } };

	if (poll(p, COUNT_OF(p), -1) < 0 && errno != EINTR)
		return fail(e, errno, "poll");
	return quiet ? 0 : control_serve(m, e);
}

int source_write(struct migration *m, int fd, struct iovec *pieces, int n, bool quiet, struct error *e)
{
	for (int first = 0; first < n;) {
		struct msghdr h = { .msg_iov = pieces + first, .msg_iovlen = (size_t)(n - first) };
		ssize_t done = sendmsg(fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (done < 0 && errno == EAGAIN) {
			int r = wait_for_room(m, fd, quiet, e);
			if (r < 0)
				return r;
			continue;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return channel_failure(m->channel, strerror(errno), e);
		for (; first < n && (size_t)done >= pieces[first].iov_len; first++)
			done -= (ssize_t)pieces[first].iov_len;
		if (first < n) {
			pieces[first].iov_base = (char *)pieces[first].iov_base + done;
			pieces[first].iov_len -= (size_t)done;
		}
	}
	return 0;
}

int control_ask(const struct migrate_options *o, const char *question, char **ret, struct error *e)
{
	AUTO(container) struct container *c = NULL;
	struct error none;

	int r = container_open(o->globals, o->id, false, &c, e);
	if (r < 0)
		return r;
	auto_close int sock = fd_unix_connect(c->dir, SOCKET_NAME, SOCK_STREAM, &none);
	if (sock < 0)
		return refuse(e, ESRCH, "no migration of `%s` is under way here", o->id);
	r = io_write_all(sock, question, strlen(question), e);
	if (r == 0)
		r = interrupt_wait(sock, -1, ANSWER_MS, e) < 0 ? -ETIMEDOUT : 0;
	if (r == 0)
		r = io_read_fd(sock, ANSWER_LIMIT, ret, NULL, e);
	return r < 0 ? prefix(e, "the migration of `%s`", o->id) : 0;
}
