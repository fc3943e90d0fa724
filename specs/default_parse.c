/* SPDX-License-Identifier: GPL-2.0-or-later */
/* default_parse.c - what people type after --mount and --cpus (pure) */
#include "specs/default.h"

#include <ctype.h>

#include <errno.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/str.h"

#define MAX_OPTIONS 32

/* ---- mounts ---- */

struct typed_mount {
	struct arena *arena;
	const char *type, *source, *destination, *propagation;
	const char *options[MAX_OPTIONS + 8]; /* room for those that are added at the end */
	size_t n_options;
};

static int add_option(struct typed_mount *m, const char *option, struct error *e)
{
	if (!option)
		return fail(e, ENOMEM, "mount");
	if (m->n_options == MAX_OPTIONS)
		return refuse(e, EINVAL, "too many options");
	m->options[m->n_options++] = option;
	return 0;
}

static bool is_bind(const struct typed_mount *m)
{
	return !m->type || str_eq(m->type, "bind");
}

/* "ro" of a bind means all of it: what is mounted below as well. */
static int add_word(struct typed_mount *m, const char *word, struct error *e)
{
	if (!*word)
		return refuse(e, EINVAL, "an option is empty");
	if (str_eq(word, "readonly"))
		word = "ro";
	return add_option(m, word, e);
}

static int set_once(const char **field, const char *key, const char *value, struct error *e)
{
	if (*field)
		return refuse(e, EINVAL, "%s is given twice", key);
	if (!*value)
		return refuse(e, EINVAL, "%s is empty", key);
	*field = value;
	return 0;
}

static bool is_one_of(const char *word, const char *const *list)
{
	return strv_has((char *const *)list, word);
}

/* One "key=value" or word of the long form. */
static int read_part(struct typed_mount *m, char *part, struct error *e)
{
	static const char *const sources[] = { "src", "source", NULL };
	static const char *const destinations[] = { "dst", "destination", "target", NULL };

	char *value = strchr(part, '=');
	if (!value)
		return add_word(m, part, e);
	*value++ = '\0';
	if (str_eq(part, "type"))
		return set_once(&m->type, part, value, e);
	if (is_one_of(part, sources))
		return set_once(&m->source, part, value, e);
	if (is_one_of(part, destinations))
		return set_once(&m->destination, part, value, e);
	if (str_eq(part, "bind-propagation"))
		return set_once(&m->propagation, part, value, e);
	if (str_eq(part, "tmpfs-size"))
		return add_option(m, arena_printf(m->arena, "size=%s", value), e);
	if (str_eq(part, "tmpfs-mode"))
		return add_option(m, arena_printf(m->arena, "mode=%s", value), e);
	if (str_eq(part, "ro") || str_eq(part, "readonly")) {
		if (str_eq(value, "false") || str_eq(value, "0"))
			return 0;
		if (str_eq(value, "true") || str_eq(value, "1"))
			return add_option(m, "ro", e);
		return refuse(e, EINVAL, "%s is true or false, not \"%.60s\"", part, value);
	}
	return refuse(e, EINVAL, "unknown key \"%.60s\"", part);
}

static int read_long(struct typed_mount *m, char *text, struct error *e)
{
	while (text) {
		char *part = strsep(&text, ",");
		int r = read_part(m, part, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* SRC:DST[:option,…] */
static int read_short(struct typed_mount *m, char *text, struct error *e)
{
	m->source = strsep(&text, ":");
	m->destination = strsep(&text, ":");
	while (text) {
		int r = add_word(m, strsep(&text, ","), e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check(struct typed_mount *m, struct error *e)
{
	if (m->type && !is_bind(m) && !str_eq(m->type, "tmpfs"))
		return refuse(e, EINVAL, "the type is bind or tmpfs, not \"%.60s\"", m->type);
	if (!m->destination || m->destination[0] != '/')
		return refuse(e, EINVAL, "the destination is not an absolute path");
	if (is_bind(m) && (!m->source || m->source[0] != '/'))
		return refuse(e, EINVAL, "the source is not an absolute path");
	if (!is_bind(m) && (m->source || m->propagation))
		return refuse(e, EINVAL, "a tmpfs has no source and no bind-propagation");
	return 0;
}

/* What a mount has that its options do not speak of. */
static void add_defaults(struct typed_mount *m)
{
	if (!is_bind(m)) {
		m->options[m->n_options++] = "nosuid";
		m->options[m->n_options++] = "nodev";
		return;
	}
	for (size_t i = 0; i < m->n_options; i++)
		if (str_eq(m->options[i], "ro"))
			m->options[i] = "rro";
	m->options[m->n_options++] = "rbind";
	m->options[m->n_options++] = m->propagation ? m->propagation : "rprivate";
}

static int parse_mount(struct typed_mount *m, const char *text, struct error *e)
{
	char *copy = arena_strdup(m->arena, text);
	if (!copy)
		return fail(e, ENOMEM, "mount");
	int r = strchr(text, '=') && text[0] != '/' ? read_long(m, copy, e) : read_short(m, copy, e);
	return r < 0 ? r : check(m, e);
}

int default_parse_mount(struct arena *a, const char *text, struct spec_mount *ret, struct error *e)
{
	struct typed_mount *m = arena_alloc(a, sizeof(*m));

	if (!m)
		return fail(e, ENOMEM, "--mount");
	m->arena = a;
	int r = parse_mount(m, text, e);
	if (r < 0)
		return prefix(e, "--mount \"%.100s\"", text);
	add_defaults(m);
	*ret = (struct spec_mount){
		.destination = m->destination,
		.type = is_bind(m) ? "bind" : "tmpfs",
		.source = is_bind(m) ? m->source : "tmpfs",
		.options = (char **)m->options,
	};
	return 0;
}

/* ---- CPUs ---- */

#define CPU_PERIOD 100000
#define MIN_QUOTA  1000 /* the kernel's, 1 ms */

int default_parse_cpus(const char *text, int64_t *ret_quota, int64_t *ret_period, struct error *e)
{
	int64_t quota = 0, scale = CPU_PERIOD;
	const char *c = text;

	for (; isdigit((unsigned char)*c) && quota < INT64_C(1000000000); c++)
		quota = quota * 10 + (*c - '0') * scale;
	if (*c == '.' && c != text)
		for (c++; isdigit((unsigned char)*c) && scale > 1; c++) {
			scale /= 10;
			quota += (*c - '0') * scale;
		}
	if (c == text || *c || c[-1] == '.')
		return refuse(e, EINVAL, "--cpus: \"%.60s\" is not a number of CPUs such as 1.5", text);
	if (quota < MIN_QUOTA)
		return refuse(e, ERANGE, "--cpus: %.60s is less than 0.01", text);
	*ret_quota = quota;
	*ret_period = CPU_PERIOD;
	return 0;
}
