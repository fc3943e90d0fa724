/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.h - what two nodes say to each other, byte by byte
 *
 * A connection begins with a greeting each way (magic, the versions that are understood, a checksum), and
 * then carries frames:
 *
 *	0 kind (u8)   1 stream (u8)   2 codec (u8)   3 zero (u8)
 *	4 length of the payload as it follows (u32)   8 its length before compression (u32)
 *	12 CRC-32C of the first twelve bytes and the payload (u32)	16 payload
 *
 * The frames make up to 256 streams of bytes out of the one connection (checkpoint/carrier.c). The stream
 * WIRE_CONTROL is cut into messages once more:
 *
 *	0 type (u16)   2 zero (u16)   4 length (u32)   8 CRC-32C of the first eight bytes and the body (u32)
 *	12 body: a JSON object, or nothing
 *
 * Numbers are little-endian. Everything here is pure and reads a stranger's bytes: a header is judged before
 * its payload is waited for and before memory is taken. Fuzzed by tests/fuzz/fuzz_wire.c. */
#ifndef CORACLE_WIRE_H
#define CORACLE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

#define WIRE_VERSION	   1
#define WIRE_OLDEST	   1 /* the oldest version that this one can speak */
#define WIRE_GREETING_SIZE 32
#define WIRE_HEADER_SIZE   16
#define WIRE_PAYLOAD_MAX   (256U << 10) /* of a frame, plain or compressed */
#define WIRE_STREAMS	   256
#define WIRE_CONTROL	   0 /* the stream that carries messages */

struct wire_greeting {
	uint16_t version, oldest; /* newest and oldest version that the sender speaks */
	uint32_t codecs;	  /* 1 << enum wire_codec for each that it can read */
};

void wire_put_greeting(const struct wire_greeting *g, uint8_t ret[static WIRE_GREETING_SIZE]);
/* -EPROTO: not coracle, or damaged; -EPROTONOSUPPORT: no version in common. */
int wire_get_greeting(const uint8_t data[static WIRE_GREETING_SIZE], struct wire_greeting *ret,
		      struct error *e);

enum wire_kind {
	WIRE_DATA,   /* bytes of a stream */
	WIRE_FIN,    /* the stream's end in this direction */
	WIRE_CREDIT, /* the receiver of a stream takes so many bytes more (u32) */
	WIRE_PING,   /* u64 when it was sent, nanoseconds of CLOCK_REALTIME */
	WIRE_PONG,   /* the ping's time, when it came in, when this went out (3 × u64) */
	WIRE_BYE,    /* nothing follows: the end was meant. Payload: none, or a sentence that says why */
	WIRE_KIND_MAX
};

enum wire_codec { WIRE_PLAIN, WIRE_ZSTD, WIRE_LZ4, WIRE_CODEC_MAX };
extern const char *const wire_codec_names[WIRE_CODEC_MAX]; /* "none", "zstd", "lz4" */

struct wire_frame {
	enum wire_kind kind;
	uint8_t stream;
	enum wire_codec codec;
	uint32_t length; /* of the payload on the wire */
	uint32_t plain;	 /* before compression; equal to length for WIRE_PLAIN */
	uint32_t sum;
};

/* The header of a frame whose payload is `payload`, length bytes of it. */
void wire_put_frame(const struct wire_frame *f, const void *payload, uint8_t ret[static WIRE_HEADER_SIZE]);
/* Judge a header: kind, codec, lengths against the kind's limits. -EPROTO names what is wrong. */
int wire_get_frame(const uint8_t header[static WIRE_HEADER_SIZE], struct wire_frame *ret, struct error *e);
/* The payload against the frame's checksum. */
int wire_check_payload(const uint8_t header[static WIRE_HEADER_SIZE], const struct wire_frame *f,
		       const void *payload, struct error *e);

/* ---- messages of the control stream ---- */

#define WIRE_MESSAGE_HEADER 12

enum wire_message {
	MESSAGE_HELLO = 1, /* either side: what it is and can */
	MESSAGE_CLAIM,	   /* source: the container, its config, what is wanted */
	MESSAGE_ANSWER,	   /* target: obstacles, or none: the stage is done */
	MESSAGE_STAGE,	   /* source: the next stage begins */
	MESSAGE_ROUND,	   /* source: a round of memory or files begins or has ended, its figures */
	MESSAGE_GRANT,	   /* source: it is yours */
	MESSAGE_RUNNING,   /* target: it runs */
	MESSAGE_ABORT,	   /* either side, before the grant: the story ends, and why */
	MESSAGE_RESOLVE,   /* source, later: what became of this migration? */
	MESSAGE_VERDICT,   /* target: this */
	MESSAGE_MAX
};

/* A word for messages to people; "message 17" is said of others by the callers. */
extern const char *const wire_message_names[MESSAGE_MAX];

void wire_put_message(enum wire_message type, const void *body, uint32_t length,
		      uint8_t ret[static WIRE_MESSAGE_HEADER]);
/* Judge a header; *ret_length is within the type's limit. */
int wire_get_message(const uint8_t header[static WIRE_MESSAGE_HEADER], enum wire_message *ret,
		     uint32_t *ret_length, struct error *e);
int wire_check_message(const uint8_t header[static WIRE_MESSAGE_HEADER], const void *body, uint32_t length,
		       struct error *e);

/* CRC-32C (Castagnoli) of more bytes; begin with 0. By the processor's instruction where it has one. */
uint32_t wire_crc(uint32_t crc, const void *data, size_t size);

/* Little-endian numbers at any address. */
void wire_put_u16(uint8_t *at, uint16_t v);
void wire_put_u32(uint8_t *at, uint32_t v);
void wire_put_u64(uint8_t *at, uint64_t v);
uint16_t wire_get_u16(const uint8_t *at);
uint32_t wire_get_u32(const uint8_t *at);
uint64_t wire_get_u64(const uint8_t *at);

#endif
