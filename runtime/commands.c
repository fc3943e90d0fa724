/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.c - look-up and help of the commands; the table itself is in table.c */
#include "runtime/commands.h"

#include <stdlib.h>

#include "runtime/base/str.h"

const struct opt no_options[] = { { .kind = OPT_END } };

const struct command *command_find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (str_eq((*c)->name, name))
			return *c;
	return NULL;
}

char **call_command(const struct call *c)
{
	char **words = c->args + 1;
	return *words && str_eq(*words, "--") ? words + 1 : words;
}

static int check_count(const struct command *c, size_t n, char **args, struct error *e)
{
	if (n < (size_t)c->min_args)
		return usage(e, "%s: missing argument; usage: coracle %s [OPTION...] %s", c->name, c->name,
			     c->arguments);
	if (c->max_args != ANY_ARGS && n > (size_t)c->max_args)
		return usage(e, "%s: unexpected argument %s", c->name, args[c->max_args]);
	return 0;
}

static int parse_and_run(const struct command *c, struct call *call, char **argv, struct error *e)
{
	bool help;

	int r = options_parse(c->options, call->options, argv, c->in_order, &help, e);
	if (r < 0)
		return prefix(e, "%s", c->name);
	if (help) {
		command_help(c, stdout);
		return 0;
	}
	call->args = argv;
	call->n_args = strv_count(argv);
	r = check_count(c, call->n_args, argv, e);
	if (r < 0)
		return r;
	r = c->run(call, e);
	return r < 0 ? r : call->exit_code;
}

int command_run(const struct command *c, const struct globals *globals, char **argv, struct error *e)
{
	struct call call = { .globals = globals };

	call.options = calloc(1, c->options_size + 1);
	if (!call.options)
		return fail(e, ENOMEM, "%s", c->name);
	if (c->init)
		c->init(call.options);
	int r = parse_and_run(c, &call, argv, e);
	options_done(c->options, call.options);
	free(call.options);
	return r;
}

void command_help(const struct command *c, FILE *out)
{
	fprintf(out, "Usage: coracle %s [OPTION...]%s%s\n\n%s\n", c->name, *c->arguments ? " " : "",
		c->arguments, c->summary);
	if (c->details)
		fprintf(out, "\n%s\n", c->details);
	fputs("\nOptions:\n", out);
	options_help(c->options, out);
}

void commands_help(const struct opt *global_options, FILE *out)
{
	fputs("Usage: coracle [GLOBAL OPTION...] COMMAND [OPTION...] [ARGUMENT...]\n\nCommands:\n", out);
	for (const struct command *const *c = commands; *c; c++)
		fprintf(out, "  %-11s%s\n", (*c)->name, (*c)->summary);
	fputs("\nGlobal options:\n", out);
	options_help(global_options, out);
	fputs("\n\"coracle COMMAND --help\" tells a command's options; coracle(8) tells more.\n", out);
}
