/* SPDX-License-Identifier: GPL-2.0-or-later */
/* carrier.c - the process that carries streams over one connection
 *
 * Forked by the story, without rights and without any descriptor of its own but the connection and the
 * streams that it is handed. One poll loop: what comes in is judged (wire.c), unpacked and put into the
 * stream's socket, or queued within the stream's window; what streams have to say goes out within the credit
 * that the other side gave and below the bandwidth's cap, the control stream first. It ends when the story
 * says so (or is gone), when the other side says so, or with an error that it leaves in the shared counters.
 *
 * Memory: a window for each open stream, and two frames in each direction. */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checkpoint/channel.h"
#include "checkpoint/tls.h"
#include "runtime/base/fd.h"

#define CHUNK	     (128U << 10) /* of a stream into a frame: bounds how long a message waits */
#define BUFFER_SIZE  (2 * (WIRE_PAYLOAD_MAX + WIRE_HEADER_SIZE))
#define SMALL_FRAMES 4096 /* kept free for frames that are not data */
#define NOBODY	     65534

struct lane {
	int fd;		   /* the story's socket; -1: not open (yet) */
	bool opened;	   /* was, once */
	bool reading;	   /* the story has not ended its side */
	bool ended;	   /* the other side has */
	uint32_t credit;   /* what we may send */
	uint32_t promised; /* what the other side may send */
	uint32_t consumed; /* delivered, not promised again yet */
	uint8_t *queue;	   /* came in, not delivered */
	uint32_t first, queued;
};

struct carrier {
	const struct carrier_start *start;
	struct transport *t;
	struct channel_counters *counters;
	enum wire_codec codec;
	struct lane lanes[WIRE_STREAMS];
	uint8_t in[BUFFER_SIZE], out[BUFFER_SIZE];
	size_t in_used, out_first, out_used;
	uint8_t scratch[WIRE_PAYLOAD_MAX];
	int64_t tokens; /* bytes that may go out now; below 0: wait */
	int64_t filled_ns, heard_ns, pinged_ns;
	unsigned int first_pings;
	unsigned int turn;
	bool ending; /* the story has said so: flush, say so, go */
	int64_t ending_ns;
	bool said_bye;
	bool draining; /* the other side has ended: deliver what is queued, go */
};

static void finish(struct carrier *c, int how, const struct error *why)
{
	if (why)
		c->counters->error = *why;
	__atomic_store_n(&c->counters->ended, how, __ATOMIC_RELEASE);
	_exit(how == 2);
}

static void broken(struct carrier *c, const struct error *why)
{
	finish(c, 2, why);
}

/* ---- the connection ---- */

static ssize_t wire_read(struct carrier *c, void *data, size_t size)
{
	return c->t->tls ? tls_read(c->t->tls, data, size) : read(c->t->in, data, size);
}

static ssize_t wire_write(struct carrier *c, const void *data, size_t size)
{
	return c->t->tls ? tls_write(c->t->tls, data, size) : write(c->t->out, data, size);
}

static int connection_error(struct carrier *c, const char *what, struct error *e)
{
	if (c->t->tls && errno == EPROTO)
		return refuse(e, EPROTO, "TLS: %s", tls_reason(c->t->tls));
	return fail(e, errno, "%s", what);
}

static int wait_for(int fd, short events, int64_t until_ns, struct error *e)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = (until_ns - clock_monotonic_ns()) / 1000000;

	int n = left > 0 ? poll(&p, 1, (int)left) : 0;
	return n == 0 ? refuse(e, ETIMEDOUT, "no answer in time") : 0;
}

/* Both sides talk first, so nobody waits for the other to begin. */
static int greet(struct carrier *c, int timeout_ms, struct error *e)
{
	const struct wire_greeting mine = { WIRE_VERSION, WIRE_OLDEST, codecs_available() };
	int64_t until = clock_monotonic_ns() + timeout_ms * 1000000LL;
	uint8_t data[WIRE_GREETING_SIZE];
	struct wire_greeting theirs;

	wire_put_greeting(&mine, data);
	for (size_t n = 0; n < sizeof(data);) {
		ssize_t r = wire_write(c, data + n, sizeof(data) - n);
		if (r < 0 && errno != EAGAIN)
			return connection_error(c, "write", e);
		if (r < 0 && wait_for(c->t->out, POLLOUT, until, e) < 0)
			return -ETIMEDOUT;
		n += r > 0 ? (size_t)r : 0;
	}
	for (size_t n = 0; n < sizeof(data);) {
		ssize_t r = wire_read(c, data + n, sizeof(data) - n);
		if (r == 0)
			return refuse(e, ECONNRESET, "the connection was closed before a greeting");
		if (r < 0 && errno != EAGAIN)
			return connection_error(c, "read", e);
		if (r < 0 && wait_for(c->t->in, POLLIN, until, e) < 0)
			return -ETIMEDOUT;
		n += r > 0 ? (size_t)r : 0;
	}
	int r = wire_get_greeting(data, &theirs, e);
	if (r == 0 && theirs.codecs & 1U << c->start->options.codec)
		c->codec = c->start->options.codec;
	return r;
}

/* ---- out ---- */

static size_t out_room(struct carrier *c)
{
	if (c->out_first && (c->out_used == 0 || BUFFER_SIZE - c->out_first - c->out_used < CHUNK * 2)) {
		memmove(c->out, c->out + c->out_first, c->out_used);
		c->out_first = 0;
	}
	return BUFFER_SIZE - c->out_first - c->out_used;
}

/* False: no room now. */
static bool put_small(struct carrier *c, enum wire_kind kind, unsigned int stream, const void *payload,
		      uint32_t length)
{
	const struct wire_frame f = {
		.kind = kind, .stream = (uint8_t)stream, .length = length, .plain = length
	};

	if (out_room(c) < WIRE_HEADER_SIZE + length)
		return false;
	uint8_t *at = c->out + c->out_first + c->out_used;
	wire_put_frame(&f, payload, at);
	if (length)
		memcpy(at + WIRE_HEADER_SIZE, payload, length);
	c->out_used += WIRE_HEADER_SIZE + length;
	return true;
}

static void ping(struct carrier *c)
{
	uint8_t stamp[8];

	wire_put_u64(stamp, (uint64_t)clock_realtime_ns());
	if (put_small(c, WIRE_PING, 0, stamp, sizeof(stamp)))
		c->pinged_ns = clock_monotonic_ns();
}

/* Credit goes back in lumps, and whenever the window would run dry. */
static void give_credit(struct carrier *c)
{
	for (unsigned int i = 0; i < WIRE_STREAMS; i++) {
		struct lane *l = &c->lanes[i];
		if (l->fd < 0 || l->ended || l->consumed < CHANNEL_WINDOW / 4)
			continue;
		uint8_t data[4];
		wire_put_u32(data, l->consumed);
		if (!put_small(c, WIRE_CREDIT, i, data, sizeof(data)))
			return;
		l->promised += l->consumed;
		l->consumed = 0;
	}
}

static void fill_tokens(struct carrier *c)
{
	int64_t rate = __atomic_load_n(&c->counters->bandwidth, __ATOMIC_RELAXED);
	int64_t now = clock_monotonic_ns();
	double gained = (double)rate * (double)(now - c->filled_ns) / 1e9;

	c->filled_ns = now;
	int64_t most = rate / 20 > (int64_t)CHUNK ? rate / 20 : (int64_t)CHUNK; /* bursts of 50 ms */
	c->tokens = (double)c->tokens + gained > (double)most ? most : c->tokens + (int64_t)gained;
	if (rate == 0)
		c->tokens = most;
}

static bool may_send(const struct carrier *c, unsigned int stream)
{
	const struct lane *l = &c->lanes[stream];

	return l->fd >= 0 && l->reading && l->credit && (stream == STREAM_CONTROL || c->tokens > 0);
}

static void close_lane(struct lane *l)
{
	close(l->fd);
	l->fd = -1;
	free(l->queue);
	l->queue = NULL;
}

static void close_if_done(struct lane *l)
{
	if (l->fd >= 0 && !l->reading && l->ended && l->queued == 0)
		close_lane(l);
}

/* What the stream has to say, into a frame; 0: nothing now. */
static int produce(struct carrier *c, unsigned int stream)
{
	struct lane *l = &c->lanes[stream];
	uint32_t most = l->credit < CHUNK ? l->credit : CHUNK;

	if (out_room(c) < WIRE_HEADER_SIZE + CHUNK + SMALL_FRAMES)
		return 0;
	uint8_t *at = c->out + c->out_first + c->out_used, *payload = at + WIRE_HEADER_SIZE;
	bool pack = c->codec != WIRE_PLAIN && stream != STREAM_CONTROL;
	ssize_t n = recv(l->fd, pack ? c->scratch : payload, most, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) { /* the end, or the story's socket is gone: an end, too */
		l->reading = false;
		(void)put_small(c, WIRE_FIN, stream, NULL, 0);
		close_if_done(l);
		return 1;
	}
	struct wire_frame f = { .kind = WIRE_DATA, .stream = (uint8_t)stream, .plain = (uint32_t)n };
	size_t packed = pack ? codec_compress(c->codec, c->scratch, (size_t)n, payload, CHUNK) : 0;
	if (pack && !packed)
		memcpy(payload, c->scratch, (size_t)n);
	f.codec = packed ? c->codec : WIRE_PLAIN;
	f.length = packed ? (uint32_t)packed : f.plain;
	wire_put_frame(&f, payload, at);
	c->out_used += WIRE_HEADER_SIZE + f.length;
	l->credit -= f.plain;
	c->counters->out[stream] += f.plain;
	if (stream != STREAM_CONTROL)
		c->tokens -= f.length;
	return 1;
}

/* Messages first, the others in turn. */
static void produce_all(struct carrier *c)
{
	while (may_send(c, STREAM_CONTROL) && produce(c, STREAM_CONTROL))
		;
	for (unsigned int k = 1; k <= WIRE_STREAMS; k++) {
		unsigned int i = (c->turn + k) % WIRE_STREAMS;
		if (i != STREAM_CONTROL && may_send(c, i) && produce(c, i)) {
			c->turn = i;
			k = 0;
		}
		if (out_room(c) < WIRE_HEADER_SIZE + CHUNK + SMALL_FRAMES)
			return;
	}
}

static int flush_out(struct carrier *c, struct error *e)
{
	while (c->out_used) {
		ssize_t n = wire_write(c, c->out + c->out_first, c->out_used);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return connection_error(c, "write", e);
		c->out_first += (size_t)n;
		c->out_used -= (size_t)n;
		c->counters->wire_out += (uint64_t)n;
	}
	c->out_first = 0;
	return 0;
}

/* ---- in ---- */

/* As much of the queue as the story takes. */
static void deliver(struct lane *l)
{
	while (l->queued) {
		uint32_t part = CHANNEL_WINDOW - l->first < l->queued ? CHANNEL_WINDOW - l->first : l->queued;
		ssize_t n = send(l->fd, l->queue + l->first, part, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) /* the story does not want it */
			n = l->queued;
		l->first = (l->first + (uint32_t)n) % CHANNEL_WINDOW;
		l->queued -= (uint32_t)n;
		l->consumed += (uint32_t)n;
	}
	if (l->ended)
		shutdown(l->fd, SHUT_WR);
}

static int take_data(struct carrier *c, unsigned int stream, const uint8_t *data, uint32_t size,
		     struct error *e)
{
	struct lane *l = &c->lanes[stream];

	if (l->fd < 0 || l->ended || size > l->promised)
		return refuse(e, EPROTO, "the other side sent more of stream %u than it may", stream);
	l->promised -= size;
	c->counters->in[stream] += size;
	if (!l->queued) {
		ssize_t n = send(l->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			n = size; /* the story does not want it */
		if (n > 0) {
			l->consumed += (uint32_t)n;
			data += n;
			size -= (uint32_t)n;
		}
	}
	if (!size)
		return 0;
	if (!l->queue) {
		l->queue = malloc(CHANNEL_WINDOW);
		l->first = 0;
		if (!l->queue)
			return fail(e, ENOMEM, "stream %u", stream);
	}
	for (uint32_t done = 0; done < size;) { /* the window bounds the queue: it cannot overflow */
		uint32_t at = (l->first + l->queued) % CHANNEL_WINDOW;
		uint32_t part = CHANNEL_WINDOW - at < size - done ? CHANNEL_WINDOW - at : size - done;
		memcpy(l->queue + at, data + done, part);
		l->queued += part;
		done += part;
	}
	return 0;
}

static int take_credit(struct carrier *c, unsigned int stream, uint32_t more, struct error *e)
{
	struct lane *l = &c->lanes[stream];

	if (more == 0 || more > CHANNEL_WINDOW - l->credit)
		return refuse(e, EPROTO, "the other side gave an impossible credit for stream %u", stream);
	l->credit += more;
	return 0;
}

static int take_end(struct carrier *c, unsigned int stream, struct error *e)
{
	struct lane *l = &c->lanes[stream];

	if (l->fd < 0 || l->ended)
		return refuse(e, EPROTO, "the other side ended stream %u, which is not open", stream);
	l->ended = true;
	if (!l->queued)
		shutdown(l->fd, SHUT_WR);
	close_if_done(l);
	return 0;
}

static void answer_ping(struct carrier *c, const uint8_t *payload)
{
	uint8_t times[24];
	int64_t now = clock_realtime_ns();

	memcpy(times, payload, 8);
	wire_put_u64(times + 8, (uint64_t)now);
	wire_put_u64(times + 16, (uint64_t)clock_realtime_ns());
	(void)put_small(c, WIRE_PONG, 0, times, sizeof(times)); /* no room: the next one is answered */
}

static void take_pong(struct carrier *c, const uint8_t *p)
{
	const struct clock_trip trip = { (int64_t)wire_get_u64(p), (int64_t)wire_get_u64(p + 8),
					 (int64_t)wire_get_u64(p + 16), clock_realtime_ns() };

	(void)clock_add(&c->counters->clock, &trip);
	if (c->first_pings && --c->first_pings)
		ping(c);
}

static int take_frame(struct carrier *c, const struct wire_frame *f, const uint8_t *payload, struct error *e)
{
	switch (f->kind) {
	case WIRE_DATA:
		if (f->codec != WIRE_PLAIN) {
			if (codec_expand(f->codec, payload, f->length, c->scratch, f->plain) < 0)
				return refuse(e, EBADMSG, "a frame that was compressed with %s is damaged",
					      wire_codec_names[f->codec]);
			payload = c->scratch;
		}
		return take_data(c, f->stream, payload, f->plain, e);
	case WIRE_FIN:
		return take_end(c, f->stream, e);
	case WIRE_CREDIT:
		return take_credit(c, f->stream, wire_get_u32(payload), e);
	case WIRE_PING:
		answer_ping(c, payload);
		return 0;
	case WIRE_PONG:
		take_pong(c, payload);
		return 0;
	case WIRE_BYE:
		c->draining = true;
		return 0;
	case WIRE_KIND_MAX:
		break;
	}
	return refuse(e, EPROTO, "unknown frame");
}

/* All whole frames of the buffer. */
static int take_frames(struct carrier *c, struct error *e)
{
	size_t at = 0;

	while (!c->draining && c->in_used - at >= WIRE_HEADER_SIZE) {
		struct wire_frame f;
		int r = wire_get_frame(c->in + at, &f, e);
		if (r < 0)
			return r;
		if (c->in_used - at < WIRE_HEADER_SIZE + f.length)
			break;
		const uint8_t *payload = c->in + at + WIRE_HEADER_SIZE;
		r = wire_check_payload(c->in + at, &f, payload, e);
		if (r == 0)
			r = take_frame(c, &f, payload, e);
		if (r < 0)
			return r;
		at += WIRE_HEADER_SIZE + f.length;
	}
	memmove(c->in, c->in + at, c->in_used - at);
	c->in_used -= at;
	return 0;
}

static int take_in(struct carrier *c, struct error *e)
{
	while (!c->draining) {
		ssize_t n = wire_read(c, c->in + c->in_used, BUFFER_SIZE - c->in_used);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return connection_error(c, "read", e);
		if (n == 0)
			return refuse(e, ECONNRESET, "the connection broke");
		c->heard_ns = clock_monotonic_ns();
		c->in_used += (size_t)n;
		c->counters->wire_in += (uint64_t)n;
		int r = take_frames(c, e);
		if (r < 0)
			return r;
		if (n < (ssize_t)CHUNK)
			return 0; /* others want their turn */
	}
	return 0;
}

/* ---- the story's requests ---- */

static int open_lane(struct carrier *c, int stream, int fd, struct error *e)
{
	struct lane *l = &c->lanes[stream];
	unsigned int open = 0;
	uint8_t data[4];

	for (unsigned int i = 0; i < WIRE_STREAMS; i++)
		open += c->lanes[i].fd >= 0;
	if (l->opened || open >= CHANNEL_OPEN_MAX) {
		close(fd);
		return refuse(e, EBUSY, "stream %d: used before, or too many are open", stream);
	}
	l->opened = l->reading = true;
	l->fd = fd;
	l->consumed = CHANNEL_WINDOW; /* given as the first credit */
	wire_put_u32(data, l->consumed);
	if (put_small(c, WIRE_CREDIT, (unsigned int)stream, data, sizeof(data))) {
		l->promised = l->consumed;
		l->consumed = 0;
	} /* else give_credit() does it */
	return 0;
}

static int take_requests(struct carrier *c, struct error *e)
{
	for (;;) {
		struct carrier_request r;
		struct error got;
		int fd = -1;

		struct pollfd p = { .fd = c->start->control, .events = POLLIN };
		if (poll(&p, 1, 0) <= 0)
			return 0;
		ssize_t n = fd_receive(c->start->control, &r, sizeof(r), &fd, &got);
		if (n != sizeof(r)) /* the story is gone: without a word to the other side, too */
			finish(c, 1, NULL);
		if (r.stream < 0) {
			c->ending = true;
			c->ending_ns = clock_monotonic_ns();
			return 0;
		}
		int done = open_lane(c, r.stream, fd, e);
		if (done < 0)
			return done;
	}
}

/* ---- the loop ---- */

static bool all_sent(struct carrier *c)
{
	for (unsigned int i = 0; i < WIRE_STREAMS; i++) {
		struct lane *l = &c->lanes[i];
		if (l->fd >= 0 && l->reading) {
			char byte;
			if (recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
				return false;
		}
	}
	return true;
}

static bool all_delivered(const struct carrier *c)
{
	for (unsigned int i = 0; i < WIRE_STREAMS; i++)
		if (c->lanes[i].fd >= 0 && c->lanes[i].queued)
			return false;
	return true;
}

static void check_end(struct carrier *c)
{
	if (c->draining && all_delivered(c))
		finish(c, 1, NULL);
	if (c->draining && c->ending)
		finish(c, 1, NULL);
	if (c->ending && !c->said_bye && all_sent(c))
		c->said_bye = put_small(c, WIRE_BYE, 0, NULL, 0);
	if (c->said_bye && c->out_used == 0)
		finish(c, 1, NULL);
	/* The other side never took what is left. */
	if (c->ending && clock_monotonic_ns() - c->ending_ns > c->start->options.timeout_ms * 1000000LL)
		finish(c, 1, NULL);
}

static int next_timeout(struct carrier *c, int64_t limit_ns)
{
	int64_t now = clock_monotonic_ns(), rate = c->counters->bandwidth;
	int64_t next = c->pinged_ns + limit_ns / 4;

	if (rate > 0 && c->tokens <= 0) {
		int64_t full = now + (1 - c->tokens) * 1000000000 / rate;
		if (full < next)
			next = full;
	}
	return next > now ? (int)((next - now) / 1000000 + 1) : 0;
}

static int keep_alive(struct carrier *c, int64_t limit_ns, struct error *e)
{
	int64_t now = clock_monotonic_ns();

	if (c->draining)
		return 0;
	if (now - c->heard_ns > limit_ns)
		return refuse(e, ETIMEDOUT, "no word from the other side for %lld ms",
			      (long long)(limit_ns / 1000000));
	if (now - c->pinged_ns >= limit_ns / 4)
		ping(c);
	return 0;
}

static void poll_once(struct carrier *c, int64_t limit_ns, bool *ret_in)
{
	struct pollfd p[3 + CHANNEL_OPEN_MAX];
	unsigned int lane_of[CHANNEL_OPEN_MAX], n = 3;
	bool room = out_room(c) >= WIRE_HEADER_SIZE + CHUNK + SMALL_FRAMES;

	p[0] = (struct pollfd){ .fd = c->ending ? -1 : c->start->control, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = c->draining ? -1 : c->t->in, .events = POLLIN };
	p[2] = (struct pollfd){ .fd = c->out_used && !c->draining ? c->t->out : -1, .events = POLLOUT };
	for (unsigned int i = 0; i < WIRE_STREAMS && n < 3 + CHANNEL_OPEN_MAX; i++) {
		const struct lane *l = &c->lanes[i];
		if (l->fd < 0)
			continue;
		short events = (room && may_send(c, i) ? POLLIN : 0) | (l->queued ? POLLOUT : 0);
		if (!events)
			continue; /* poll would report a hang-up again and again */
		lane_of[n - 3] = i;
		p[n++] = (struct pollfd){ .fd = l->fd, .events = events };
	}
	if (poll(p, n, next_timeout(c, limit_ns)) < 0)
		return;
	*ret_in = p[1].revents;
	for (unsigned int k = 3; k < n; k++)
		if (p[k].revents & (POLLOUT | POLLERR | POLLHUP)) {
			struct lane *l = &c->lanes[lane_of[k - 3]];
			deliver(l);
			close_if_done(l);
		}
}

static int carry(struct carrier *c, struct error *e)
{
	int64_t limit_ns = c->start->options.timeout_ms * 1000000LL;
	int r = 0;

	c->heard_ns = c->filled_ns = clock_monotonic_ns();
	c->first_pings = CHANNEL_FIRST_PINGS;
	ping(c);
	while (r == 0) {
		bool in = false;
		fill_tokens(c);
		poll_once(c, limit_ns, &in);
		if (!c->ending)
			r = take_requests(c, e);
		if (r == 0 && in)
			r = take_in(c, e);
		if (r == 0)
			r = keep_alive(c, limit_ns, e);
		if (r < 0)
			break;
		give_credit(c);
		produce_all(c);
		if (!c->draining)
			r = flush_out(c, e);
		check_end(c);
	}
	return r;
}

/* What came in before the connection broke is the story's: wait until it has it, or does not want it. */
static void deliver_rest(struct carrier *c)
{
	c->draining = true;
	while (!all_delivered(c) && !c->ending) {
		bool in;
		struct error ignored;
		poll_once(c, c->start->options.timeout_ms * 1000000LL, &in);
		if (take_requests(c, &ignored) < 0)
			return;
	}
}

static void drop_rights(void)
{
	signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (geteuid() != 0)
		return;
	/* In a user namespace that has no such id they fail: then there is no more to drop than the namespace
	 * gives. */
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return;
}

void carrier_main(const struct carrier_start *s)
{
	struct carrier *c = calloc(1, sizeof(*c));
	struct error e = { 0 };

	if (!c)
		_exit(1);
	c->start = s;
	c->t = s->transport;
	c->counters = s->counters;
	for (unsigned int i = 0; i < WIRE_STREAMS; i++)
		c->lanes[i].fd = -1;
	drop_rights();
	int timeout_ms = s->options.timeout_ms ? s->options.timeout_ms : CHANNEL_TIMEOUT_MS;
	((struct carrier_start *)s)->options.timeout_ms = timeout_ms;
	int r = c->t->tls ? tls_handshake(c->t->tls, timeout_ms, &e) : 0;
	if (r == 0)
		r = greet(c, timeout_ms, &e);
	if (r == 0 && send(s->control, "", 1, MSG_NOSIGNAL) == 1) {
		carry(c, &e);
		deliver_rest(c);
	}
	broken(c, &e);
	_exit(1);
}
