/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.h - configs written with single quotes, for tests that are full of them */
#ifndef CORACLE_TEST_CONFIG_H
#define CORACLE_TEST_CONFIG_H

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"
#include "specs/spec.h"

/* The least config, with more keys. */
#define CONFIG(more)	"{'ociVersion':'1.2.0','root':{'path':'rootfs'}" more "}"
#define LINUX(more)	CONFIG(",'linux':{" more "}")
#define RESOURCES(more) LINUX("'resources':{" more "}")
#define SECCOMP(more)	LINUX("'seccomp':{'defaultAction':'SCMP_ACT_ERRNO'" more "}")
#define PROCESS(more)	CONFIG(",'process':{'args':['a'],'cwd':'/'" more "}")

static inline char *with_quotes(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	return copy;
}

static inline struct spec *parse_config(const char *text)
{
	auto_free char *json = with_quotes(text);
	struct error e = { 0 };
	struct spec *s = NULL;

	if (spec_parse(json, strlen(json), &s, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	assert_non_null(s);
	return s;
}

/* The config is refused, with this message. */
static inline void expect_refusal(const char *text, const char *message)
{
	auto_free char *json = with_quotes(text);
	struct error e = { 0 };
	AUTO(spec) struct spec *s = NULL;

	if (spec_parse(json, strlen(json), &s, &e) == 0)
		fail_msg("accepted: %s", text);
	assert_null(s);
	assert_true(e.code > 0);
	assert_string_equal(e.msg, message);
}

struct refusal {
	const char *config, *message;
};

#define EXPECT_REFUSALS(rows)                       \
	for (size_t i = 0; i < COUNT_OF(rows); i++) \
	expect_refusal((rows)[i].config, (rows)[i].message)

#endif
