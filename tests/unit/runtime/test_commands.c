/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_commands.c - the command table: every entry whole, every option in the help, no two alike */
#include "tests/unit/unit.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/commands.h"

static const char *const wanted[] = { "create", "start",  "run",    "exec", "kill",
				      "delete", "state",  "list",   "ps",   "pause",
				      "resume", "update", "events", "spec", "features" };

static void test_every_command_is_there_and_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		const struct command *c = command_find(wanted[i]);
		assert_non_null(c);
		assert_string_equal(c->name, wanted[i]);
		assert_non_null(c->run);
		assert_non_null(c->options);
		assert_true(*c->summary && islower((unsigned char)*c->summary));
		assert_true(c->max_args == ANY_ARGS || c->max_args >= c->min_args);
		assert_int_equal(c->min_args > 0,
				 strstr(c->arguments, "ID") != NULL || strstr(c->arguments, "NAME"));
	}
	assert_null(command_find("frob"));
	assert_null(command_find(""));
}

/* ---- options ---- */

struct seen {
	const char *names[64];
	size_t n;
	char letters[64];
	const char *help;
	size_t size;
};

static int check_option(const struct opt *o, void *arg)
{
	struct seen *s = arg;
	char text[64];

	assert_non_null(o->name);
	assert_true(str_eq(o->name, "help") == 0 && o->letter != 'h');
	for (size_t i = 0; i < s->n; i++)
		assert_string_not_equal(s->names[i], o->name);
	assert_true(s->n < COUNT_OF(s->names));
	s->names[s->n++] = o->name;
	if (o->letter) {
		assert_null(strchr(s->letters, o->letter));
		s->letters[strlen(s->letters)] = o->letter;
	}
	assert_int_equal(opt_takes_value(o->kind), o->metavar != NULL);
	if (!opt_is_shown(o->kind))
		return 0;
	assert_true(o->help && *o->help);
	snprintf(text, sizeof(text), "--%s%s%s", o->name, o->metavar ? " " : "",
		 o->metavar ? o->metavar : "");
	assert_non_null(strstr(s->help, text));
	return 0;
}

static void test_help_mentions_every_option_once(void **state)
{
	(void)state;
	for (const struct command *const *c = commands; *c; c++) {
		char text[8192] = "";
		struct seen s = { .help = text };
		FILE *out = fmemopen(text, sizeof(text), "w");
		command_help(*c, out);
		fclose(out);
		assert_true(strlen(text) < sizeof(text) - 1);
		assert_non_null(strstr(text, (*c)->summary));
		assert_non_null(strstr(text, (*c)->arguments));
		options_walk((*c)->options, check_option, &s);
	}
}

static void test_lines_of_help_fit_a_terminal(void **state)
{
	(void)state;
	for (const struct command *const *c = commands; *c; c++) {
		char text[8192] = "";
		FILE *out = fmemopen(text, sizeof(text), "w");
		command_help(*c, out);
		fclose(out);
		for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
			assert_true(strlen(line) <= 110);
	}
}

/* ---- arguments ---- */

static int run_line(const char *name, const char *words, struct error *e)
{
	const struct globals g = { .root = "/nonexistent" };
	char text[128], *argv[16] = { NULL };
	size_t n = 0;

	snprintf(text, sizeof(text), "%s", words);
	for (char *rest = text, *word; (word = strsep(&rest, " "));)
		if (*word)
			argv[n++] = word;
	return command_run(command_find(name), &g, argv, e);
}

static void test_wrong_command_lines_are_usage_errors(void **state)
{
	static const struct {
		const char *command, *words, *part;
	} cases[] = {
		{ "state", "", "state: missing argument" },
		{ "state", "a b", "state: unexpected argument b" },
		{ "state", "--frob a", "state: unknown option --frob" },
		{ "kill", "a TERM x", "kill: unexpected argument x" },
		{ "kill", "a FROB", "unknown signal \"FROB\"" },
		{ "list", "x", "list: unexpected argument x" },
		{ "list", "--format yaml", "`yaml`" },
		{ "list", "--format", "requires an argument" },
		{ "ps", "--format yaml a", "`yaml`" },
		{ "create", "--bundle", "flag needs an argument" },
		{ "create", "--preserve-fds x a", "`x` is not a number" },
		{ "exec", "a", "which command" },
		{ "exec", "--process p a cmd", "exclude each other" },
		{ "exec", "--env X a cmd", "`X` is not KEY=VALUE" },
		{ "exec", "--env =X a cmd", "`=X` is not KEY=VALUE" },
		{ "update", "a", "nothing to change" },
		{ "update", "--memory lots a", "`lots` is not a size" },
		{ "update", "--l3-cache-schema=x a", "not supported" },
		{ "events", "--interval 0 a", "--interval" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = { 0 };
		assert_int_equal(run_line(cases[i].command, cases[i].words, &e), -USAGE_ERROR);
		assert_non_null(strstr(e.msg, cases[i].part));
	}
}

static void test_an_absent_container_is_named(void **state)
{
	static const struct {
		const char *command, *words;
	} cases[] = {
		{ "state", "web" }, { "kill", "web" },	 { "kill", "--all web 9" },	  { "ps", "web" },
		{ "pause", "web" }, { "resume", "web" }, { "update", "--memory 1M web" }, { "events", "web" }
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = { 0 };
		assert_int_equal(run_line(cases[i].command, cases[i].words, &e), -ENOENT);
		assert_string_equal(e.msg, "container `web` does not exist");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_command_is_there_and_whole),
		cmocka_unit_test(test_help_mentions_every_option_once),
		cmocka_unit_test(test_lines_of_help_fit_a_terminal),
		cmocka_unit_test(test_wrong_command_lines_are_usage_errors),
		cmocka_unit_test(test_an_absent_container_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
