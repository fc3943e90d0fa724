/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.c - messages over the control stream
 *
 * In the story's process. The carrier hands over whole frames, but a message may be cut into several: reading
 * waits for each piece, and for Ctrl-C meanwhile, until the time is up. */
#include "checkpoint/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/interrupt.h"
#include "runtime/base/str.h"
#include "specs/jsonout.h"
#include "specs/json.h"

void message_done(struct message *m)
{
	free(m->body);
	m->body = NULL;
}

static int send_all(struct channel *c, const void *data, size_t size, struct error *e)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = send(c->messages, (const char *)data + done, size - done, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return channel_failure(c, strerror(errno), e);
		done += (size_t)n;
	}
	return 0;
}

int message_send(struct channel *c, enum wire_message type, const char *body, struct error *e)
{
	uint8_t header[WIRE_MESSAGE_HEADER];
	size_t size = body ? strlen(body) : 0;
	enum wire_message checked;
	uint32_t length;

	wire_put_message(type, body, (uint32_t)size, header);
	int r = wire_get_message(header, &checked, &length, e); /* our own limits hold for us, too */
	if (r == 0)
		r = send_all(c, header, sizeof(header), e);
	if (r == 0 && size)
		r = send_all(c, body, size, e);
	return r < 0 ? prefix(e, "send %s", wire_message_names[type]) : 0;
}

static int read_all(struct channel *c, void *data, size_t size, int64_t until_ns, struct error *e)
{
	for (size_t done = 0; done < size;) {
		int64_t left = until_ns < 0 ? -1 : (until_ns - clock_monotonic_ns()) / 1000000;
		int r = interrupt_wait(c->messages, -1, until_ns < 0 ? -1 : left > 0 ? (int)left : 0, e);
		if (r < 0)
			return r;
		ssize_t n = recv(c->messages, (char *)data + done, size - done, MSG_DONTWAIT);
		if (n == 0)
			return channel_failure(c, "the connection ended", e);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fail(e, errno, "read a message");
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int message_receive(struct channel *c, int timeout_ms, struct message *ret, struct error *e)
{
	int64_t until = timeout_ms < 0 ? -1 : clock_monotonic_ns() + timeout_ms * 1000000LL;
	uint8_t header[WIRE_MESSAGE_HEADER];
	struct message m = { 0 };

	int r = read_all(c, header, sizeof(header), until, e);
	if (r == 0)
		r = wire_get_message(header, &m.type, &m.size, e);
	if (r < 0)
		return r;
	m.body = malloc((size_t)m.size + 1);
	if (!m.body)
		return fail(e, ENOMEM, "message");
	r = read_all(c, m.body, m.size, until, e);
	if (r == 0)
		r = wire_check_message(header, m.body, m.size, e);
	if (r < 0) {
		message_done(&m);
		return r;
	}
	m.body[m.size] = '\0';
	*ret = m;
	return 0;
}

int message_peek(struct channel *c, int timeout_ms, struct error *e)
{
	int64_t until = clock_monotonic_ns() + timeout_ms * 1000000LL;
	uint8_t header[WIRE_MESSAGE_HEADER];
	enum wire_message type;
	uint32_t length;

	for (;;) { /* a header that is cut in two comes whole with the next frame */
		int64_t left = (until - clock_monotonic_ns()) / 1000000;
		int r = interrupt_wait(c->messages, -1, left > 0 ? (int)left : 0, e);
		if (r < 0)
			return r;
		ssize_t n = recv(c->messages, header, sizeof(header), MSG_PEEK | MSG_DONTWAIT);
		if (n == 0)
			return channel_failure(c, "the connection ended", e);
		if (n == (ssize_t)sizeof(header))
			break;
	}
	int r = wire_get_message(header, &type, &length, e);
	return r < 0 ? r : (int)type;
}

static int read_abort(const struct message *m, struct error *e)
{
	AUTO(arena) struct arena *a = arena_new();
	const struct json *why = NULL;
	struct json *j;
	struct error ignored;
	char text[400] = "it gave no reason";

	if (a && json_parse(a, m->body, m->size, &j, &ignored) == 0 && j->type == JSON_OBJECT)
		why = json_get(j, "why");
	if (why && why->type == JSON_STRING)
		snprintf(text, sizeof(text), "%s", why->text);
	str_make_printable(text);
	return refuse(e, ECONNABORTED, "the other side: %s", text);
}

int message_expect(struct channel *c, enum wire_message type, int timeout_ms, struct message *ret,
		   struct error *e)
{
	const char *name = type < MESSAGE_MAX ? wire_message_names[type] : "the end of the streams";
	struct message m;

	int r = message_receive(c, timeout_ms, &m, e);
	if (r < 0)
		return prefix(e, "wait for %s", name);
	if (m.type == type) {
		*ret = m;
		return 0;
	}
	if (m.type == MESSAGE_ABORT)
		r = read_abort(&m, e);
	else
		r = refuse(e, EPROTO, "the other side sent %s, expected %s", wire_message_names[m.type],
			   name);
	message_done(&m);
	return r;
}

void message_abort(struct channel *c, const struct error *why)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);
	struct error ignored;

	jsonout_object(o, NULL);
	jsonout_string(o, "why", why->msg);
	jsonout_end(o);
	auto_free char *text = jsonout_take(o, NULL);
	if (text && c)
		(void)message_send(c, MESSAGE_ABORT, text, &ignored);
}
