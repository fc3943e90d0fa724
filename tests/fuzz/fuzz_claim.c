/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_claim.c - any text as the body of a message: hello, claim (and the config that is made of it), obstacles
 *
 * The first byte chooses the reader. A config that is made for this node has only paths of this node. */
#include <assert.h>
#include <string.h>

#include "runtime/migrate.h"
#include "tests/fuzz/fuzz.h"

static void read_claim(struct arena *a, const char *text, size_t size)
{
	static char shared_path[] = "/shared";
	char *const shared[] = { shared_path, NULL };
	const struct config_policy policy = { .bundle = "/here/bundle", .shared = shared };
	struct obstacles *o = calloc(1, sizeof(*o));
	struct error e = { 0 };
	struct claim c = { 0 };
	char *config = NULL;

	if (o && claim_read(a, text, size, &c, &e) == 0) {
		assert(c.migration && c.name && c.config && journal_check_name(c.migration));
		assert(!strchr(c.name, '/'));
		int r = config_rewrite(c.config, strlen(c.config), &c, &policy, &config, o, &e);
		if (r == 0 && o->n == 0 && config)
			(void)check_config(config, o, &e);
	} else {
		assert(e.code);
	}
	free(config);
	free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena *a = arena_new();
	struct error e = { 0 };
	struct hello hello = { 0 };

	if (!a || size == 0)
		return 0;
	/* As a message's body comes: NUL-terminated behind its size. */
	char *text = arena_strndup(a, (const char *)data + 1, size - 1);
	if (!text)
		return 0;
	size = strlen(text);
	switch (data[0] % 3) {
	case 0:
		read_claim(a, text, size);
		break;
	case 1:
		(void)hello_read(a, text, size, &hello, &e);
		break;
	default: {
		struct obstacles *o = arena_calloc(a, 1, sizeof(*o));
		if (o && obstacles_read(text, size, "claim", o, &e) == 0)
			assert(o->n <= OBSTACLES_MAX);
	}
	}
	return 0;
}
