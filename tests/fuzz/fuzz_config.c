/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_config.c - any bytes as config.json: parsed or refused, never more */
#include <assert.h>
#include <stdbool.h>

#include "specs/spec.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(spec) struct spec *s = NULL;
	struct error e = { 0 };
	bool parsed = spec_parse((const char *)data, size, &s, &e) == 0;

	assert(parsed == (s != NULL));
	assert(parsed == (e.msg[0] == '\0'));
	return 0;
}
