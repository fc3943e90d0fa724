/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_wire.c - any bytes from the other node: what the carrier makes of them, and what the story reads of the control stream
 *
 * The carrier's own functions, with a connection that is never there. The first byte chooses: the rest is taken as it is, or as
 * frames whose checksums are made right (a fuzzer finds no CRC): kind, stream, codec, length (u16), plain length (u16, of
 * compressed ones), payload. What arrives on the control stream is cut into messages, whose checksums are made right, too, if
 * the first byte says so. No stream holds more than its window. */
#include "checkpoint/carrier.c"

#include <assert.h>

#include "tests/fuzz/fuzz.h"

static struct carrier *carrier;
static struct channel_counters counters;
static int peers[WIRE_STREAMS]; /* the story's ends of streams 0 to 2 */

static void open_streams(void)
{
	carrier = calloc(1, sizeof(*carrier));
	if (!carrier)
		abort();
	carrier->counters = &counters;
	for (unsigned int i = 0; i < WIRE_STREAMS; i++)
		carrier->lanes[i].fd = -1;
	for (unsigned int i = 0; i < 3; i++) {
		int ends[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
			abort();
		carrier->lanes[i] = (struct lane){
			.fd = ends[0], .opened = true, .reading = true, .promised = CHANNEL_WINDOW
		};
		peers[i] = ends[1];
	}
}

static void close_streams(void)
{
	for (unsigned int i = 0; i < WIRE_STREAMS; i++) {
		assert(carrier->lanes[i].queued <= CHANNEL_WINDOW &&
		       carrier->lanes[i].credit <= CHANNEL_WINDOW);
		cleanup_close(&carrier->lanes[i].fd);
		free(carrier->lanes[i].queue);
	}
	for (unsigned int i = 0; i < 3; i++)
		close(peers[i]);
	free(carrier);
}

static int take_raw(const uint8_t *data, size_t size, struct error *e)
{
	while (size) {
		size_t n = BUFFER_SIZE - carrier->in_used < size ? BUFFER_SIZE - carrier->in_used : size;
		memcpy(carrier->in + carrier->in_used, data, n);
		carrier->in_used += n;
		data += n;
		size -= n;
		int r = take_frames(carrier, e);
		if (r < 0)
			return r;
		assert(carrier->draining || carrier->in_used < WIRE_HEADER_SIZE + WIRE_PAYLOAD_MAX);
		if (carrier->draining)
			return 0;
	}
	return 0;
}

static int take_framed(const uint8_t *data, size_t size, struct error *e)
{
	static uint8_t whole[WIRE_HEADER_SIZE + UINT16_MAX];

	while (size >= 7) {
		struct wire_frame f = { .kind = data[0], .stream = data[1], .codec = data[2] };
		f.length = wire_get_u16(data + 3);
		f.plain = f.codec == WIRE_PLAIN ? f.length : wire_get_u16(data + 5);
		data += 7;
		size -= 7;
		if (f.length > size)
			f.length = (uint32_t)size;
		if (f.codec == WIRE_PLAIN)
			f.plain = f.length;
		wire_put_frame(&f, data, whole);
		memcpy(whole + WIRE_HEADER_SIZE, data, f.length);
		int r = take_raw(whole, WIRE_HEADER_SIZE + f.length, e);
		if (r < 0 || carrier->draining)
			return r;
		data += f.length;
		size -= f.length;
	}
	return 0;
}

/* What the story would read of the control stream. */
static void read_messages(bool mend)
{
	static uint8_t text[CHANNEL_WINDOW];
	struct error e = { 0 };

	ssize_t n = recv(peers[STREAM_CONTROL], text, sizeof(text), MSG_DONTWAIT);
	for (uint8_t *at = text, *end = text + (n > 0 ? n : 0); end - at >= WIRE_MESSAGE_HEADER;) {
		enum wire_message type;
		uint32_t length;
		if (wire_get_message(at, &type, &length, &e) < 0)
			return;
		assert(type > 0 && type < MESSAGE_MAX);
		if ((size_t)(end - at) - WIRE_MESSAGE_HEADER < length)
			return;
		uint8_t *body = at + WIRE_MESSAGE_HEADER;
		if (mend)
			wire_put_message(type, body, length, at);
		if (wire_check_message(at, body, length, &e) < 0) {
			assert(!mend);
			return;
		}
		at = body + length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_greeting greeting;
	struct error e = { 0 };

	if (size >= WIRE_GREETING_SIZE)
		(void)wire_get_greeting(data, &greeting, &e);
	if (size == 0)
		return 0;
	e = (struct error){ 0 };
	open_streams();
	int r = data[0] & 1 ? take_framed(data + 1, size - 1, &e) : take_raw(data + 1, size - 1, &e);
	assert((r < 0) == (e.code != 0));
	read_messages(data[0] & 2);
	close_streams();
	return 0;
}
