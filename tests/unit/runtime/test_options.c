/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_options.c - the option parser: every form it takes, every error it names */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/options.h"

struct inner {
	const char *path;
	bool quiet;
};

struct outer {
	bool detach, tty;
	const char *bundle;
	int fds, interval;
	int64_t number, memory;
	struct opt_list env;
	struct opt_ids gids;
	struct inner inner;
};

static const struct opt inner_table[] = {
	{ "path", 'p', OPT_STRING, offsetof(struct inner, path), "PATH", "a path" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct inner, quiet), NULL, "say less" },
	{ .kind = OPT_END },
};

#define AT(field) offsetof(struct outer, field)
static const struct opt table[] = {
	{ "detach", 'd', OPT_FLAG, AT(detach), NULL, "do not wait" },
	{ "tty", 't', OPT_FLAG, AT(tty), NULL, "a terminal" },
	{ "bundle", 'b', OPT_STRING, AT(bundle), "DIR", "a directory" },
	{ "preserve-fds", 0, OPT_INT, AT(fds), "N", "descriptors" },
	{ "interval", 0, OPT_DURATION, AT(interval), "TIME", "a time" },
	{ "number", 0, OPT_I64, AT(number), "N", "a number" },
	{ "memory", 'm', OPT_BYTES, AT(memory), "SIZE", "bytes" },
	{ "env", 'e', OPT_LIST, AT(env), "KEY=VALUE", "a variable" },
	{ "gids", 'g', OPT_IDS, AT(gids), "GID,...", "groups" },
	{ "criu", 0, OPT_IGNORED_VALUE, 0, "PATH", NULL },
	{ "no-subreaper", 0, OPT_IGNORED_FLAG, 0, NULL, NULL },
	{ "rdt", 0, OPT_REFUSED, 0, NULL, "is not supported" },
	{ .kind = OPT_TABLE, .table = inner_table, .offset = AT(inner) },
	{ .kind = OPT_END },
};

/* The words of a command line, copied: parsing moves them. */
struct line {
	struct outer o;
	char text[256];
	char *argv[32];
	bool help;
	struct error e;
};

static int parse(struct line *l, const char *words, bool in_order)
{
	size_t n = 0;

	memset(l, 0, sizeof(*l));
	snprintf(l->text, sizeof(l->text), "%s", words);
	for (char *rest = l->text, *word; (word = strsep(&rest, " "));)
		if (*word)
			l->argv[n++] = word;
	return options_parse(table, &l->o, l->argv, in_order, &l->help, &l->e);
}

static void test_every_form_of_a_value(void **state)
{
	static const char *const forms[] = { "--bundle dir x", "--bundle=dir x", "-bundle dir x",
					     "-bundle=dir x",  "-b dir x",	 "-bdir x",
					     "x --bundle dir", "-tdb dir x" };
	struct line l;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		assert_int_equal(parse(&l, forms[i], false), 0);
		assert_string_equal(l.o.bundle, "dir");
		assert_string_equal(l.argv[0], "x");
		assert_null(l.argv[1]);
	}
}

static void test_flags_and_bundled_letters(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "-dt", false), 0);
	assert_true(l.o.detach && l.o.tty);
	assert_int_equal(parse(&l, "-detach --tty=true", false), 0);
	assert_true(l.o.detach && l.o.tty);
	assert_int_equal(parse(&l, "--tty --tty=false", false), 0);
	assert_false(l.o.tty);
	assert_int_equal(parse(&l, "--tty=maybe", false), -USAGE_ERROR);
	assert_non_null(strstr(l.e.msg, "maybe"));
}

static void test_a_value_may_begin_with_a_dash(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "--number -1 --memory -1 - --bundle -", false), 0);
	assert_true(l.o.number == -1 && l.o.memory == -1);
	assert_string_equal(l.o.bundle, "-");
	assert_string_equal(l.argv[0], "-");
}

static void test_numbers_sizes_and_times(void **state)
{
	static const struct {
		const char *words;
		int ms;
	} times[] = {
		{ "--interval 5", 5000 },    { "--interval 5s", 5000 },	    { "--interval 500ms", 500 },
		{ "--interval 2m", 120000 }, { "--interval 1m30s", 90000 }, { "--interval 1h", 3600000 }
	};
	static const char *const bad[] = {
		"--interval x",	       "--interval 5d",	    "--interval 5s5",
		"--interval -1",       "--interval 1.5",    "--interval s",
		"--interval=",	       "--preserve-fds -1", "--number 1x",
		"--memory 12Q",	       "--memory -2",	    "--gids 1,,2",
		"--gids 1,x",	       "--gids -1",	    "--preserve-fds 4294967296",
		"--interval 99999999h"
	};
	struct line l;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(times); i++) {
		assert_int_equal(parse(&l, times[i].words, false), 0);
		assert_int_equal(l.o.interval, times[i].ms);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(parse(&l, bad[i], false), -USAGE_ERROR);
		options_done(table, &l.o);
	}
	assert_int_equal(parse(&l, "--preserve-fds 3 -m 2M", false), 0);
	assert_int_equal(l.o.fds, 3);
	assert_true(l.o.memory == 2 << 20);
}

static void test_lists_grow(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "-e A=1 --env=B=2 -eC=3 -g 5,6 --gids 7", false), 0);
	assert_int_equal(l.o.env.n, 3);
	assert_string_equal(l.o.env.v[0], "A=1");
	assert_string_equal(l.o.env.v[1], "B=2");
	assert_string_equal(l.o.env.v[2], "C=3");
	assert_null(l.o.env.v[3]);
	assert_int_equal(l.o.gids.n, 3);
	assert_int_equal(l.o.gids.v[2], 7);
	options_done(table, &l.o);
}

static void test_two_dashes_end_the_options(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "-d -- -t --bundle", false), 0);
	assert_true(l.o.detach);
	assert_false(l.o.tty);
	assert_string_equal(l.argv[0], "-t");
	assert_string_equal(l.argv[1], "--bundle");
}

static void test_in_order_leaves_what_follows_alone(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "-d ID -t -- --unknown", true), 0);
	assert_true(l.o.detach);
	assert_false(l.o.tty);
	assert_string_equal(l.argv[0], "ID");
	assert_string_equal(l.argv[1], "-t");
	assert_string_equal(l.argv[2], "--");
	assert_string_equal(l.argv[3], "--unknown");
	assert_null(l.argv[4]);
}

static void test_errors_name_the_word(void **state)
{
	static const struct {
		const char *words, *part;
	} cases[] = {
		{ "--frob", "unknown option --frob" },
		{ "--frob=1", "unknown option --frob" },
		{ "-frob", "unknown option -frob" },
		{ "-x", "unknown option -x" },
		{ "-dx", "unknown option -dx" },
		{ "-p", "requires an argument" },
		{ "--bundle", "--bundle requires an argument" },
		{ "-bundle", "flag needs an argument" },
		{ "--number five", "`five` is not a number" },
		{ "--rdt", "--rdt: is not supported" },
	};
	struct line l;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(parse(&l, cases[i].words, false), -USAGE_ERROR);
		assert_non_null(strstr(l.e.msg, cases[i].part));
	}
}

static void test_compatibility_options_have_no_effect(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "-no-subreaper --criu /bin/criu x", false), 0);
	assert_string_equal(l.argv[0], "x");
}

static void test_included_tables_fill_their_structure(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "-dq --path=p", false), 0);
	assert_true(l.o.inner.quiet && l.o.detach);
	assert_string_equal(l.o.inner.path, "p");
}

static void test_help_is_seen_and_printed_from_the_table(void **state)
{
	static const char *const forms[] = { "-h", "--help", "-help", "--frobless --help", "-dh" };
	char text[4096] = "";
	struct line l;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(forms); i++)
		if (i != 3) {
			assert_int_equal(parse(&l, forms[i], false), 0);
			assert_true(l.help);
		}
	assert_int_equal(parse(&l, forms[3], false), -USAGE_ERROR);

	FILE *out = fmemopen(text, sizeof(text), "w");
	options_help(table, out);
	fclose(out);
	assert_non_null(strstr(text, "-b, --bundle DIR"));
	assert_non_null(strstr(text, "    --preserve-fds N"));
	assert_non_null(strstr(text, "-q, --quiet"));
	assert_non_null(strstr(text, "-h, --help"));
	assert_null(strstr(text, "criu"));
	assert_null(strstr(text, "no-subreaper"));
	assert_null(strstr(text, "rdt"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form_of_a_value),
		cmocka_unit_test(test_flags_and_bundled_letters),
		cmocka_unit_test(test_a_value_may_begin_with_a_dash),
		cmocka_unit_test(test_numbers_sizes_and_times),
		cmocka_unit_test(test_lists_grow),
		cmocka_unit_test(test_two_dashes_end_the_options),
		cmocka_unit_test(test_in_order_leaves_what_follows_alone),
		cmocka_unit_test(test_errors_name_the_word),
		cmocka_unit_test(test_compatibility_options_have_no_effect),
		cmocka_unit_test(test_included_tables_fill_their_structure),
		cmocka_unit_test(test_help_is_seen_and_printed_from_the_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
