/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_delete.c - coracle delete: the story is delete.c */
#include "runtime/commands.h"
#include "runtime/life.h"

struct delete_options {
	bool force, regex;
};

static const struct opt delete_table[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct delete_options, force), NULL,
	  "kill it if it runs; no error if it does not exist" },
	{ "regex", 0, OPT_FLAG, offsetof(struct delete_options, regex), NULL,
	  "ID is a regular expression: all containers that match" },
	{ .kind = OPT_END },
};

/* All of them are tried; the first failure is told. */
static int delete_matching(const struct call *call, const struct delete_options *o, struct error *e)
{
	char **ids = NULL;
	struct error later;

	int r = container_ids_matching(call->globals, call->args[0], &ids, e);
	for (size_t i = 0; ids && ids[i]; i++) {
		int one = life_delete(call->globals, ids[i], o->force, r < 0 ? &later : e);
		r = r < 0 ? r : one;
	}
	container_ids_free(ids);
	return r;
}

static int run_delete(struct call *call, struct error *e)
{
	const struct delete_options *o = call->options;

	return o->regex ? delete_matching(call, o, e)
			: life_delete(call->globals, call->args[0], o->force, e);
}

const struct command cmd_delete = {
	.name = "delete",
	.arguments = "ID",
	.summary = "remove a stopped container and all that was made for it",
	.options = delete_table,
	.options_size = sizeof(struct delete_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_delete,
};
