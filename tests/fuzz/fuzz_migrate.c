/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_migrate.c - what a stranger can send to `coracle receive`: the greeting, frames, messages and their bodies
 *
 * The first byte chooses the reader; the rest is what came in. Each must refuse or understand, and nothing else. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/channel.h"
#include "runtime/migrate.h"
#include "tests/fuzz/fuzz.h"

static void read_frames(const uint8_t *data, size_t size)
{
	static uint8_t plain[WIRE_PAYLOAD_MAX];
	struct wire_frame f;
	struct error e;

	while (size >= WIRE_HEADER_SIZE && wire_get_frame(data, &f, &e) == 0) {
		assert(f.plain <= WIRE_PAYLOAD_MAX && f.length <= f.plain);
		if (f.length > size - WIRE_HEADER_SIZE)
			return;
		/* the checksum is not asked: what is behind it must hold by itself */
		if (f.codec != WIRE_PLAIN)
			(void)codec_expand(f.codec, data + WIRE_HEADER_SIZE, f.length, plain, f.plain);
		data += WIRE_HEADER_SIZE + f.length;
		size -= WIRE_HEADER_SIZE + f.length;
	}
}

static void read_claim(struct arena *a, const char *text, size_t size)
{
	char *shared[] = { (char *)"/srv", NULL };
	const struct config_policy policy = { .bundle = "/var/lib/coracle/containers/x", .shared = shared };
	struct obstacles *o = arena_calloc(a, 1, sizeof(*o));
	struct claim c = { 0 };
	struct error e;
	char *config = NULL;

	if (!o || claim_read(a, text, size, &c, &e) < 0)
		return;
	assert(journal_check_name(c.migration) && !strchr(c.name, '/'));
	if (config_rewrite(c.config, strlen(c.config), &c, &policy, &config, o, &e) == 0 && o->n == 0)
		assert(config);
	free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena *a = arena_new();
	struct wire_greeting greeting;
	enum wire_message type;
	struct hello hello = { 0 };
	struct obstacles *o;
	struct error e;
	uint32_t length;

	if (!a || size < 1)
		return 0;
	char *text = arena_strndup(a, (const char *)data + 1, size - 1);
	o = arena_calloc(a, 1, sizeof(*o));
	if (!text || !o)
		return 0;
	size_t n = size - 1;
	switch (data[0]) {
	case 'g':
		if (n >= WIRE_GREETING_SIZE)
			(void)wire_get_greeting(data + 1, &greeting, &e);
		break;
	case 'f':
		read_frames(data + 1, n);
		break;
	case 'm':
		if (n >= WIRE_MESSAGE_HEADER && wire_get_message(data + 1, &type, &length, &e) == 0)
			assert(type < MESSAGE_MAX && length <= 16U << 20);
		break;
	case 'h':
		if (hello_read(a, text, strlen(text), &hello, &e) == 0)
			hello_compare(&hello, &hello, o);
		break;
	case 'c':
		read_claim(a, text, strlen(text));
		break;
	case 'a':
		(void)obstacles_read(text, strlen(text), "claim", o, &e);
		break;
	}
	return 0;
}
