/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - option tables: parse and print */
#include "runtime/options.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"

int usage(struct error *e, const char *fmt, ...)
{
	va_list ap;

	e->code = USAGE_ERROR;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return -USAGE_ERROR;
}

/* ---- one setter per kind: 0 or a negative errno ---- */

static int set_flag(void *field, char *value)
{
	static const char *const yes[] = { "true", "1", "t", "yes" }, *const no[] = { "false", "0", "f",
										      "no" };

	for (size_t i = 0; value && i < COUNT_OF(no); i++)
		if (str_eq(value, no[i])) {
			*(bool *)field = false;
			return 0;
		}
	for (size_t i = 0; value && i < COUNT_OF(yes); i++)
		if (str_eq(value, yes[i]))
			value = NULL;
	if (value)
		return -EINVAL;
	*(bool *)field = true;
	return 0;
}

static int set_string(void *field, char *value)
{
	*(const char **)field = value;
	return 0;
}

static int set_int(void *field, char *value)
{
	int number;
	int r = str_to_int(value, &number);
	if (r < 0)
		return r;
	if (number < 0)
		return -ERANGE;
	*(int *)field = number;
	return 0;
}

static int set_i64(void *field, char *value)
{
	return str_to_i64(value, field);
}

static int set_bytes(void *field, char *value)
{
	if (str_eq(value, "-1")) {
		*(int64_t *)field = -1;
		return 0;
	}
	return str_to_bytes(value, field);
}

static const struct {
	const char *unit;
	uint64_t ms;
} duration_units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };

/* The milliseconds of a unit at the head of the text; *end is moved behind it. 0: no such unit. */
static uint64_t take_unit(char **end)
{
	size_t len = strcspn(*end, "0123456789");
	for (size_t i = 0; i < COUNT_OF(duration_units); i++)
		if (strlen(duration_units[i].unit) == len && str_starts(*end, duration_units[i].unit)) {
			*end += len;
			return duration_units[i].ms;
		}
	return 0;
}

static int set_duration(void *field, char *value)
{
	uint64_t total = 0, number;

	for (char *p = value; *p || p == value;) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		number = strtoull(p, &p, 10);
		uint64_t unit = *p || total ? take_unit(&p) : 1000;
		if (unit == 0)
			return -EINVAL;
		if (number > INT_MAX || (total += number * unit) > INT_MAX)
			return -ERANGE;
	}
	*(int *)field = (int)total;
	return 0;
}

static int set_list(void *field, char *value)
{
	struct opt_list *list = field;

	char **v = realloc(list->v, (list->n + 2) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	list->v = v;
	v[list->n++] = value;
	v[list->n] = NULL;
	return 0;
}

static int set_ids(void *field, char *value)
{
	struct opt_ids *ids = field;
	char *rest = value;

	for (char *word; (word = strsep(&rest, ","));) {
		uint32_t *v = realloc(ids->v, (ids->n + 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		ids->v = v;
		int r = str_to_u32(word, &v[ids->n]);
		if (r < 0)
			return r;
		ids->n++;
	}
	return 0;
}

static int set_nothing(void *field, char *value)
{
	(void)field;
	(void)value;
	return 0;
}

static const struct {
	bool value, shown;
	size_t size;
	int (*set)(void *field, char *value);
	const char *expected;
} kinds[OPT_KIND_MAX] = {
	[OPT_FLAG] = { false, true, sizeof(bool), set_flag, "true or false" },
	[OPT_STRING] = { true, true, sizeof(const char *), set_string, "text" },
	[OPT_INT] = { true, true, sizeof(int), set_int, "a number" },
	[OPT_I64] = { true, true, sizeof(int64_t), set_i64, "a number" },
	[OPT_BYTES] = { true, true, sizeof(int64_t), set_bytes, "a size such as 512M, or -1" },
	[OPT_DURATION] = { true, true, sizeof(int), set_duration, "a time such as 5s or 500ms" },
	[OPT_LIST] = { true, true, sizeof(struct opt_list), set_list, "text" },
	[OPT_IDS] = { true, true, sizeof(struct opt_ids), set_ids, "a list of numbers" },
	[OPT_IGNORED_FLAG] = { false, false, 0, set_nothing, NULL },
	[OPT_IGNORED_VALUE] = { true, false, 0, set_nothing, NULL },
	[OPT_REFUSED] = { false, false, 0, set_nothing, NULL },
};

bool opt_takes_value(enum opt_kind kind)
{
	return kinds[kind].value;
}

bool opt_is_shown(enum opt_kind kind)
{
	return kinds[kind].shown;
}

/* ---- look-up ---- */

/* A row, and where the structure of its table begins. */
struct found {
	const struct opt *row;
	char *base;
};

static bool find_long(const struct opt *table, char *base, const char *name, size_t len, struct found *ret)
{
	for (const struct opt *o = table; o->kind != OPT_END; o++) {
		if (o->kind == OPT_TABLE) {
			if (find_long(o->table, base + o->offset, name, len, ret))
				return true;
		} else if (strncmp(o->name, name, len) == 0 && o->name[len] == '\0') {
			*ret = (struct found){ o, base };
			return true;
		}
	}
	return false;
}

static bool find_letter(const struct opt *table, char *base, char letter, struct found *ret)
{
	for (const struct opt *o = table; o->kind != OPT_END; o++) {
		if (o->kind == OPT_TABLE) {
			if (find_letter(o->table, base + o->offset, letter, ret))
				return true;
		} else if (o->letter == letter) {
			*ret = (struct found){ o, base };
			return true;
		}
	}
	return false;
}

/* ---- parsing ---- */

struct parser {
	const struct opt *table;
	char *options;
	char **next; /* the words not yet read */
	bool help;
};

static int set(const struct found *f, char *value, struct error *e)
{
	const struct opt *o = f->row;

	if (o->kind == OPT_REFUSED)
		return usage(e, "option --%s: %s", o->name, o->help);
	int r = kinds[o->kind].set(f->base + o->offset, value);
	if (r == -ENOMEM)
		return fail(e, ENOMEM, "option --%s", o->name);
	if (r == -ERANGE)
		return usage(e, "option --%s: `%s` is out of range", o->name, value);
	if (r < 0)
		return usage(e, "option --%s: `%s` is not %s", o->name, value, kinds[o->kind].expected);
	return 0;
}

/* Give the row its value: what stands behind the "=" (or NULL), else the next word. Engines look for the
 * words "requires an argument" and "flag needs an argument" to learn whether an option is known. */
static int set_with_value(struct parser *p, const struct found *f, char *value, struct error *e)
{
	if (!kinds[f->row->kind].value || value)
		return set(f, value, e);
	if (!*p->next)
		return usage(e, "option --%s requires an argument (flag needs an argument: --%s)",
			     f->row->name, f->row->name);
	return set(f, *p->next++, e);
}

/* "-abc": letters of flags; the last may take a value, "-bVALUE" or "-b VALUE". */
static int parse_letters(struct parser *p, const char *word, char *letters, struct error *e)
{
	struct found f;

	for (char *c = letters; *c; c++) {
		if (*c == 'h') {
			p->help = true;
			return 0;
		}
		if (!find_letter(p->table, p->options, *c, &f))
			return usage(e, "unknown option %s", word);
		if (kinds[f.row->kind].value)
			return set_with_value(p, &f, c[1] ? c + 1 : NULL, e);
		int r = set(&f, NULL, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_option(struct parser *p, char *word, struct error *e)
{
	bool two_dashes = word[1] == '-';
	char *name = word + 1 + two_dashes;
	size_t len = strcspn(name, "=");
	char *value = name[len] ? name + len + 1 : NULL;
	struct found f;

	if (len == 4 && str_starts(name, "help")) {
		p->help = true;
		return 0;
	}
	/* A single letter behind one dash is a letter, whatever the long names are. */
	if ((two_dashes || len > 1) && find_long(p->table, p->options, name, len, &f))
		return set_with_value(p, &f, value, e);
	if (two_dashes)
		return usage(e, "unknown option --%.*s", (int)len, name);
	return parse_letters(p, word, name, e);
}

int options_parse(const struct opt *table, void *options, char **argv, bool in_order, bool *ret_help,
		  struct error *e)
{
	struct parser p = { .table = table, .options = options, .next = argv };
	char **arg = argv;
	bool ended = false;

	while (*p.next && !p.help) {
		char *word = *p.next++;
		if (ended || word[0] != '-' || word[1] == '\0') {
			*arg++ = word;
			ended |= in_order;
		} else if (str_eq(word, "--")) {
			ended = true;
		} else {
			int r = parse_option(&p, word, e);
			if (r < 0)
				return r;
		}
	}
	*arg = NULL;
	*ret_help = p.help;
	return 0;
}

void options_done(const struct opt *table, void *options)
{
	for (const struct opt *o = table; o->kind != OPT_END; o++) {
		char *field = (char *)options + o->offset;
		if (o->kind == OPT_TABLE)
			options_done(o->table, field);
		else if (o->kind == OPT_LIST)
			free(((struct opt_list *)(void *)field)->v);
		else if (o->kind == OPT_IDS)
			free(((struct opt_ids *)(void *)field)->v);
	}
}

static bool is_given(const struct opt *o, const char *field)
{
	for (size_t i = 0; i < kinds[o->kind].size; i++)
		if (field[i])
			return true;
	return false;
}

const struct opt *options_first_given(const struct opt *table, const void *options)
{
	for (const struct opt *o = table; o->kind != OPT_END; o++) {
		const char *field = (const char *)options + o->offset;
		const struct opt *below = o->kind == OPT_TABLE ? options_first_given(o->table, field) : NULL;
		if (below || is_given(o, field))
			return below ? below : o;
	}
	return NULL;
}

int options_walk(const struct opt *table, int (*each)(const struct opt *o, void *arg), void *arg)
{
	int r = 0;

	for (const struct opt *o = table; r == 0 && o->kind != OPT_END; o++)
		r = o->kind == OPT_TABLE ? options_walk(o->table, each, arg) : each(o, arg);
	return r;
}

/* ---- help ---- */

#define HELP_COLUMN 34

static int help_line(const struct opt *o, void *arg)
{
	FILE *out = arg;
	char left[80];

	if (!kinds[o->kind].shown)
		return 0;
	snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		 o->letter ? "," : " ", o->name, o->metavar ? " " : "", o->metavar ? o->metavar : "");
	if (strlen(left) >= HELP_COLUMN)
		fprintf(out, "%s\n%*s%s\n", left, HELP_COLUMN, "", o->help);
	else
		fprintf(out, "%-*s%s\n", HELP_COLUMN, left, o->help);
	return 0;
}

void options_help(const struct opt *table, FILE *out)
{
	options_walk(table, help_line, out);
	fprintf(out, "  -h, --help%*sprint this help\n", HELP_COLUMN - 12, "");
}
