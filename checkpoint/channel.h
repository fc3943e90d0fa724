/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.h - several streams of bytes to another node, over one connection
 *
 * A channel is a process of its own, the carrier (carrier.c): it alone reads and writes the connection. It
 *has dropped its rights and holds nothing else of ours, for what it parses is a stranger's. The story gets
 *plain sockets from it, one for each stream, so whoever copies files or pages reads and writes a descriptor
 *and knows nothing of frames, TLS or ssh; the end of a stream in one direction is shutdown(SHUT_WR) here and
 *an end of file there.
 *
 *	story ─ control ─┐                                              ┌─ control ─ story
 *	tree  ─ stream ──┤ carrier ── greeting, frames ── carrier       ├─ stream ── tree
 *	pages ─ stream ──┘    (one connection: ssh, TLS, a socket)      └─ stream ── pages
 *
 * Both sides open a stream under the same number; a number is used once. A sender may send only what the
 * receiver has given credit for (CHANNEL_WINDOW bytes a stream, given when it is opened): a reader that is
 *slow holds up its own stream and no other, and memory is bounded whatever the peer does. Messages go first.
 * Pings tell that the other side lives, and how far its clock is off. */
#ifndef CORACLE_CHANNEL_H
#define CORACLE_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint/clock.h"
#include "checkpoint/transport.h"
#include "checkpoint/wire.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

#define CHANNEL_WINDOW	    (2U << 20) /* bytes of a stream that are under way at most */
#define CHANNEL_OPEN_MAX    16	       /* streams open at a time: bounds the carrier's memory */
#define CHANNEL_TIMEOUT_MS  10000      /* without a word from the other side: it is gone */
#define CHANNEL_FIRST_PINGS 8

/* Streams by number: one of control, then what the stages open in their order. */
enum { STREAM_CONTROL = WIRE_CONTROL, STREAM_FILES = 1, STREAM_IMAGES = 2, STREAM_MEMORY = 16 };

/* Shared with the carrier; read at any time, by __atomic loads where it matters. */
struct channel_counters {
	uint64_t wire_out, wire_in;		      /* bytes on the connection */
	uint64_t out[WIRE_STREAMS], in[WIRE_STREAMS]; /* bytes of each stream, plain */
	int64_t bandwidth; /* bytes per second for everything but control; 0: no cap. May be written */
	struct clock_estimate clock;
	int ended; /* 0 lives, 1 ended as meant, 2 failed: `error` says why */
	struct error error;
};

struct channel_options {
	int64_t bandwidth;     /* bytes per second; 0: no cap */
	enum wire_codec codec; /* for all streams but control, if the other side can read it */
	int timeout_ms;	       /* 0: CHANNEL_TIMEOUT_MS */
};

struct channel {
	pid_t carrier;
	int control;  /* of the carrier: requests, one descriptor each */
	int messages; /* the stream STREAM_CONTROL, see message.h */
	char *peer;
	struct channel_counters *counters;
	pid_t helper; /* ssh, when there is one: ended after the carrier */
};

/* Greet the other side and begin to carry. Takes the transport, in any case. Returns when the greeting came,
 * or the TLS handshake or the greeting failed. */
int channel_start(struct transport *t, const struct channel_options *o, struct channel **ret,
		  struct error *e);

/* End as meant: what was written before goes out first (bounded by the time-out). */
void channel_free(struct channel *c);
DEFINE_AUTO(channel, struct channel)

/* End at once, without a word: as if the cable were cut (a story that failed in an unknown state, tests). */
void channel_cut(struct channel *c);

/* In a child of the story that goes on without it: our copies of the ends are closed. */
void channel_leave(struct channel *c);

/* Open a stream. *ret_fd is a connected, blocking socket of ours. */
int channel_stream(struct channel *c, unsigned int number, int *ret_fd, struct error *e);

/* The end of a stream in our direction, whoever else holds a copy of the socket; *fd becomes -1. */
void channel_end_stream(int *fd);

/* Why the channel ended, as an error; when it did not: `otherwise`. */
int channel_failure(const struct channel *c, const char *otherwise, struct error *e);

/* ---- for carrier.c ---- */
struct carrier_start {
	struct transport *transport;
	struct channel_counters *counters;
	struct channel_options options;
	int control;
};

/* Never returns. */
void carrier_main(const struct carrier_start *s) __attribute__((noreturn));

struct carrier_request {
	int32_t stream; /* ≥ 0: open, the descriptor comes along; -1: end as meant */
};

/* ---- compress.c ---- */

/* 1 << codec for each that this build has. */
uint32_t codecs_available(void);
/* Compress into `to` (at most `room` bytes). Returns the size, 0 if it does not get smaller than `size`. */
size_t codec_compress(enum wire_codec codec, const void *from, size_t size, void *to, size_t room);
/* Exactly `plain` bytes come out, or -EBADMSG. */
int codec_expand(enum wire_codec codec, const void *from, size_t size, void *to, size_t plain);

#endif
