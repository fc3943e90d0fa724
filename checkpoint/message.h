/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.h - the messages of the control stream: sent, awaited, read
 *
 * A body is a JSON object; its readers use the dispatch tables (strict: a key without a row is an error). */
#ifndef CORACLE_MESSAGE_H
#define CORACLE_MESSAGE_H

#include "checkpoint/channel.h"

struct message {
	enum wire_message type;
	char *body; /* NUL-terminated; freed by message_done */
	uint32_t size;
};

void message_done(struct message *m);

/* Write it to the stream; returns when the carrier has it, not when it arrived. body NULL: none. */
int message_send(struct channel *c, enum wire_message type, const char *body, struct error *e);

/* The next one. timeout_ms -1: none; -ETIMEDOUT names what was waited for. -EINTR: Ctrl-C. When the channel
 * has ended, the error says why (channel_failure). */
int message_receive(struct channel *c, int timeout_ms, struct message *ret, struct error *e);

/* The type of the next one, which stays where it is. */
int message_peek(struct channel *c, int timeout_ms, struct error *e);

/* The next one must be `type`: anything else is -EPROTO; an abort is the other side's error, -ECONNABORTED,
 * with its sentence. MESSAGE_MAX: none is expected. */
int message_expect(struct channel *c, enum wire_message type, int timeout_ms, struct message *ret,
		   struct error *e);

/* MESSAGE_ABORT with the sentence; failures to send it are nobody's business any more. */
void message_abort(struct channel *c, const struct error *why);

#endif
