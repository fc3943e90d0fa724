/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_wire.c - greetings, frames and messages as bytes, and what a stranger may not send */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/wire.h"
#include "runtime/base/str.h"

static void test_crc_is_castagnolis(void **state)
{
	uint8_t zeros[32] = { 0 }, text[70000];

	(void)state;
	assert_int_equal(wire_crc(0, "123456789", 9), 0xE3069283);	 /* the known check value */
	assert_int_equal(wire_crc(0, zeros, sizeof(zeros)), 0x8A9136AA); /* RFC 3720, B.4 */
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 251);
	uint32_t whole = wire_crc(0, text, sizeof(text));
	for (size_t cut = 0; cut < 20; cut++) /* in pieces, at odd places */
		assert_int_equal(wire_crc(wire_crc(0, text, cut), text + cut, sizeof(text) - cut), whole);
}

static void test_greeting_travels(void **state)
{
	const struct wire_greeting g = { WIRE_VERSION, WIRE_OLDEST, 5 };
	struct wire_greeting got;
	uint8_t data[WIRE_GREETING_SIZE];
	struct error e;

	(void)state;
	wire_put_greeting(&g, data);
	assert_int_equal(wire_get_greeting(data, &got, &e), 0);
	assert_int_equal(got.codecs, 5);
	for (size_t i = 0; i < sizeof(data); i++) { /* no byte of it may differ */
		data[i] ^= 1;
		assert_true(wire_get_greeting(data, &got, &e) < 0);
		data[i] ^= 1;
	}
}

static void test_versions_must_overlap(void **state)
{
	static const struct {
		uint16_t version, oldest;
		int expected;
	} cases[] = {
		{ WIRE_VERSION + 5, WIRE_VERSION, 0 },
		{ WIRE_VERSION + 5, WIRE_VERSION + 1, -EPROTONOSUPPORT },
		{ 0, 0, -EPROTONOSUPPORT },
		{ WIRE_VERSION, WIRE_VERSION + 1, -EPROTONOSUPPORT },
	};
	struct wire_greeting got;
	struct error e;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct wire_greeting g = { cases[i].version, cases[i].oldest, 1 };
		uint8_t data[WIRE_GREETING_SIZE];
		wire_put_greeting(&g, data);
		assert_int_equal(wire_get_greeting(data, &got, &e), cases[i].expected);
	}
}

static void test_frame_travels(void **state)
{
	const struct wire_frame f = { WIRE_DATA, 9, WIRE_ZSTD, 5, 4096, 0 };
	uint8_t header[WIRE_HEADER_SIZE];
	struct wire_frame got;
	struct error e;

	(void)state;
	wire_put_frame(&f, "hello", header);
	assert_int_equal(wire_get_frame(header, &got, &e), 0);
	assert_int_equal(got.stream, 9);
	assert_int_equal(got.codec, WIRE_ZSTD);
	assert_int_equal(got.plain, 4096);
	assert_int_equal(wire_check_payload(header, &got, "hello", &e), 0);
	assert_int_equal(wire_check_payload(header, &got, "hellp", &e), -EBADMSG);
	header[1]++; /* another stream: the sum covers the header, too */
	assert_int_equal(wire_get_frame(header, &got, &e), 0);
	assert_int_equal(wire_check_payload(header, &got, "hello", &e), -EBADMSG);
}

static void test_impossible_frames_are_refused(void **state)
{
	static const struct wire_frame cases[] = {
		{ WIRE_KIND_MAX, 0, WIRE_PLAIN, 0, 0, 0 },
		{ WIRE_DATA, 0, WIRE_PLAIN, 0, 0, 0 },
		{ WIRE_DATA, 0, WIRE_PLAIN, 4, 5, 0 },
		{ WIRE_DATA, 0, WIRE_PLAIN, 5, 4, 0 },
		{ WIRE_DATA, 0, WIRE_ZSTD, 5, 5, 0 },
		{ WIRE_DATA, 0, WIRE_ZSTD, 0, 5, 0 },
		{ WIRE_DATA, 0, WIRE_ZSTD, 5, WIRE_PAYLOAD_MAX + 1, 0 },
		{ WIRE_DATA, 0, WIRE_CODEC_MAX, 4, 5, 0 },
		{ WIRE_FIN, 0, WIRE_PLAIN, 1, 1, 0 },
		{ WIRE_CREDIT, 0, WIRE_PLAIN, 3, 3, 0 },
		{ WIRE_CREDIT, 0, WIRE_LZ4, 3, 4, 0 },
		{ WIRE_PING, 0, WIRE_PLAIN, 9, 9, 0 },
		{ WIRE_BYE, 0, WIRE_PLAIN, 401, 401, 0 },
	};
	static const uint8_t payload[WIRE_PAYLOAD_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t header[WIRE_HEADER_SIZE];
		struct wire_frame got;
		struct error e;
		wire_put_frame(&cases[i], payload, header);
		assert_int_equal(wire_get_frame(header, &got, &e), -EPROTO);
	}
}

static void test_messages_have_limits(void **state)
{
	uint8_t header[WIRE_MESSAGE_HEADER];
	enum wire_message type;
	uint32_t length;
	struct error e;

	(void)state;
	for (int t = 1; t < MESSAGE_MAX; t++) {
		assert_non_null(wire_message_names[t]);
		wire_put_message(t, "{}", 2, header);
		assert_int_equal(wire_get_message(header, &type, &length, &e), 0);
		assert_int_equal(type, t);
		assert_int_equal(wire_check_message(header, "{}", length, &e), 0);
		assert_int_equal(wire_check_message(header, "{x", length, &e), -EBADMSG);
		wire_put_u32(header + 4, 0xffffffff);
		assert_int_equal(wire_get_message(header, &type, &length, &e), -EPROTO);
	}
	wire_put_message(MESSAGE_MAX, NULL, 0, header);
	assert_int_equal(wire_get_message(header, &type, &length, &e), -EPROTO);
	wire_put_message(0, NULL, 0, header);
	assert_int_equal(wire_get_message(header, &type, &length, &e), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc_is_castagnolis),
		cmocka_unit_test(test_greeting_travels),
		cmocka_unit_test(test_versions_must_overlap),
		cmocka_unit_test(test_frame_travels),
		cmocka_unit_test(test_impossible_frames_are_refused),
		cmocka_unit_test(test_messages_have_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
