/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.c - greetings, frames and messages as bytes: one table says what each kind may be */
#include "checkpoint/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char magic[16] = "CORACLE-MIGRATE\n"; /* all sixteen bytes, no NUL */

const char *const wire_codec_names[WIRE_CODEC_MAX] = { "none", "zstd", "lz4" };

static const struct {
	const char *name;
	uint32_t min, max;
	bool compressed; /* may be */
} kinds[WIRE_KIND_MAX] = {
	[WIRE_DATA] = { "data", 1, WIRE_PAYLOAD_MAX, true },
	[WIRE_FIN] = { "end of stream", 0, 0, false },
	[WIRE_CREDIT] = { "credit", 4, 4, false },
	[WIRE_PING] = { "ping", 8, 8, false },
	[WIRE_PONG] = { "pong", 24, 24, false },
	[WIRE_BYE] = { "end", 0, 400, false },
};

const char *const wire_message_names[MESSAGE_MAX] = {
	NULL, "hello", "claim", "answer", "stage", "round", "grant", "running", "abort", "resolve", "verdict",
};

static const uint32_t message_limits[MESSAGE_MAX] = {
	[MESSAGE_HELLO] = 16U << 10,  [MESSAGE_CLAIM] = 12U << 20, [MESSAGE_ANSWER] = 64U << 10,
	[MESSAGE_STAGE] = 4U << 10,   [MESSAGE_ROUND] = 4U << 10,  [MESSAGE_GRANT] = 1U << 10,
	[MESSAGE_RUNNING] = 4U << 10, [MESSAGE_ABORT] = 4U << 10,  [MESSAGE_RESOLVE] = 1U << 10,
	[MESSAGE_VERDICT] = 1U << 10,
};

void wire_put_u16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)v;
	at[1] = (uint8_t)(v >> 8);
}

void wire_put_u32(uint8_t *at, uint32_t v)
{
	wire_put_u16(at, (uint16_t)v);
	wire_put_u16(at + 2, (uint16_t)(v >> 16));
}

void wire_put_u64(uint8_t *at, uint64_t v)
{
	wire_put_u32(at, (uint32_t)v);
	wire_put_u32(at + 4, (uint32_t)(v >> 32));
}

uint16_t wire_get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t wire_get_u32(const uint8_t *at)
{
	return wire_get_u16(at) | (uint32_t)wire_get_u16(at + 2) << 16;
}

uint64_t wire_get_u64(const uint8_t *at)
{
	return wire_get_u32(at) | (uint64_t)wire_get_u32(at + 4) << 32;
}

/* ---- greeting: 0 magic, 16 version, 18 oldest, 20 codecs, 24 zero, 28 sum ---- */

void wire_put_greeting(const struct wire_greeting *g, uint8_t ret[static WIRE_GREETING_SIZE])
{
	memset(ret, 0, WIRE_GREETING_SIZE);
	memcpy(ret, magic, sizeof(magic));
	wire_put_u16(ret + 16, g->version);
	wire_put_u16(ret + 18, g->oldest);
	wire_put_u32(ret + 20, g->codecs);
	wire_put_u32(ret + 28, wire_crc(0, ret, 28));
}

int wire_get_greeting(const uint8_t data[static WIRE_GREETING_SIZE], struct wire_greeting *ret,
		      struct error *e)
{
	if (memcmp(data, magic, sizeof(magic)) != 0)
		return refuse(e, EPROTO, "the other side does not speak coracle's migration protocol");
	if (wire_get_u32(data + 28) != wire_crc(0, data, 28))
		return refuse(e, EPROTO, "the other side's greeting is damaged");
	struct wire_greeting g = { wire_get_u16(data + 16), wire_get_u16(data + 18),
				   wire_get_u32(data + 20) };
	if (g.oldest > WIRE_VERSION || g.version < WIRE_OLDEST || g.oldest > g.version)
		return refuse(e, EPROTONOSUPPORT,
			      "the other side speaks versions %u to %u of the migration protocol, "
			      "this one %u to %u: install the same version of coracle on both",
			      g.oldest, g.version, WIRE_OLDEST, WIRE_VERSION);
	*ret = g;
	return 0;
}

/* ---- frames ---- */

void wire_put_frame(const struct wire_frame *f, const void *payload, uint8_t ret[static WIRE_HEADER_SIZE])
{
	ret[0] = (uint8_t)f->kind;
	ret[1] = f->stream;
	ret[2] = (uint8_t)f->codec;
	ret[3] = 0;
	wire_put_u32(ret + 4, f->length);
	wire_put_u32(ret + 8, f->plain);
	wire_put_u32(ret + 12, wire_crc(wire_crc(0, ret, 12), payload, f->length));
}

int wire_get_frame(const uint8_t h[static WIRE_HEADER_SIZE], struct wire_frame *ret, struct error *e)
{
	struct wire_frame f = { .kind = h[0],
				.stream = h[1],
				.codec = h[2],
				.length = wire_get_u32(h + 4),
				.plain = wire_get_u32(h + 8),
				.sum = wire_get_u32(h + 12) };

	if (h[0] >= WIRE_KIND_MAX || h[3] != 0)
		return refuse(e, EPROTO, "a frame of an unknown kind (%u) came in", h[0]);
	const char *name = kinds[f.kind].name;
	if (f.plain < kinds[f.kind].min || f.plain > kinds[f.kind].max)
		return refuse(e, EPROTO, "a frame (%s) of %u bytes came in, %u to %u are allowed", name,
			      f.plain, kinds[f.kind].min, kinds[f.kind].max);
	if (h[2] >= WIRE_CODEC_MAX || (f.codec != WIRE_PLAIN && !kinds[f.kind].compressed))
		return refuse(e, EPROTO, "a frame (%s) in an unknown compression (%u) came in", name, h[2]);
	/* What is compressed must have become smaller: the sender sends it plain otherwise. */
	if (f.codec == WIRE_PLAIN ? f.length != f.plain : f.length == 0 || f.length >= f.plain)
		return refuse(e, EPROTO, "a frame (%s) of %u bytes says that it holds %u", name, f.length,
			      f.plain);
	*ret = f;
	return 0;
}

int wire_check_payload(const uint8_t header[static WIRE_HEADER_SIZE], const struct wire_frame *f,
		       const void *payload, struct error *e)
{
	if (wire_crc(wire_crc(0, header, 12), payload, f->length) != f->sum)
		return refuse(e, EBADMSG, "a frame (%s) was damaged on the way: its checksum is wrong",
			      kinds[f->kind].name);
	return 0;
}

/* ---- messages ---- */

void wire_put_message(enum wire_message type, const void *body, uint32_t length,
		      uint8_t ret[static WIRE_MESSAGE_HEADER])
{
	wire_put_u16(ret, (uint16_t)type);
	wire_put_u16(ret + 2, 0);
	wire_put_u32(ret + 4, length);
	wire_put_u32(ret + 8, wire_crc(wire_crc(0, ret, 8), body, length));
}

int wire_get_message(const uint8_t h[static WIRE_MESSAGE_HEADER], enum wire_message *ret,
		     uint32_t *ret_length, struct error *e)
{
	unsigned int type = wire_get_u16(h);
	uint32_t length = wire_get_u32(h + 4);

	if (type == 0 || type >= MESSAGE_MAX || wire_get_u16(h + 2) != 0)
		return refuse(e, EPROTO, "an unknown message (%u) came in", type);
	if (length > message_limits[type])
		return refuse(e, EPROTO, "a message (%s) of %u bytes came in, at most %u are allowed",
			      wire_message_names[type], length, message_limits[type]);
	*ret = type;
	*ret_length = length;
	return 0;
}

int wire_check_message(const uint8_t header[static WIRE_MESSAGE_HEADER], const void *body, uint32_t length,
		       struct error *e)
{
	if (wire_crc(wire_crc(0, header, 8), body, length) != wire_get_u32(header + 8))
		return refuse(e, EBADMSG, "a message was damaged on the way: its checksum is wrong");
	return 0;
}
