/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_run.c - coracle run: of a bundle as engines call it, or of a tree of files as people do
 *
 * The second form makes the text of a config.json (specs/default.h) and goes on as the first. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/str.h"
#include "runtime/commands.h"
#include "runtime/life.h"
#include "runtime/rootless.h"
#include "runtime/users.h"
#include "specs/default.h"

/* The options of the second form. */
struct tree_options {
	const char *rootfs, *cpus, *hostname, *user, *workdir;
	int64_t memory, pids; /* 0: not given */
	struct opt_list env, mounts, volumes, cap_add, cap_drop;
	bool read_only, tty, system;
};

struct run_options {
	struct create_options create;
	struct tree_options tree;
};

#define AT(field) offsetof(struct tree_options, field)

static const struct opt tree_rows[] = {
	{ "rootfs", 0, OPT_STRING, AT(rootfs), "DIR", "make the config: this tree is the container's root" },
	{ "memory", 'm', OPT_BYTES, AT(memory), "SIZE", "limit of memory, such as 512M" },
	{ "cpus", 0, OPT_STRING, AT(cpus), "N", "limit of processors, such as 1.5" },
	{ "pids", 0, OPT_I64, AT(pids), "N", "limit of processes and threads" },
	{ "env", 'e', OPT_LIST, AT(env), "KEY=VALUE", "set a variable" },
	{ "volume", 'v', OPT_LIST, AT(volumes), "SOURCE:DESTINATION[:OPTIONS]",
	  "show a file or directory of the host inside" },
	{ "mount", 0, OPT_LIST, AT(mounts), "KEY=VALUE,...", "mount something (type, src, dst; options)" },
	{ "hostname", 0, OPT_STRING, AT(hostname), "NAME",
	  "host name inside (default: the container's name)" },
	{ "read-only", 0, OPT_FLAG, AT(read_only), NULL, "the root cannot be written to" },
	{ "user", 'u', OPT_STRING, AT(user), "USER[:GROUP]",
	  "run as this user: numbers, or names known inside" },
	{ "workdir", 'w', OPT_STRING, AT(workdir), "DIR", "the working directory" },
	{ "cap-add", 0, OPT_LIST, AT(cap_add), "CAPABILITY", "add to the default capabilities" },
	{ "cap-drop", 0, OPT_LIST, AT(cap_drop), "CAPABILITY", "take from them; all: drop every one" },
	{ "system", 0, OPT_FLAG, AT(system), NULL,
	  "a whole system: COMMAND is its init (default: /sbin/init)" },
	{ "tty", 't', OPT_FLAG, AT(tty), NULL, "give the program a terminal" },
	{ .kind = OPT_END },
};

#define RUN(field) offsetof(struct run_options, create.field)

static const struct opt run_table[] = {
	{ .kind = OPT_TABLE, .table = create_rows, .offset = offsetof(struct run_options, create) },
	{ "detach", 'd', OPT_FLAG, RUN(detach), NULL, "do not wait for the program" },
	{ "keep", 0, OPT_FLAG, RUN(keep), NULL, "keep the container when its program has ended" },
	{ "no-subreaper", 0, OPT_FLAG, RUN(no_subreaper), NULL, "do not adopt orphans" },
	{ .kind = OPT_TABLE, .table = tree_rows, .offset = offsetof(struct run_options, tree) },
	{ .kind = OPT_END },
};

/* ---- the form of engines ---- */

static int check_bundle_form(const struct run_options *o, char **command, struct error *e)
{
	const struct opt *given = options_first_given(tree_rows, &o->tree);

	if (given)
		return usage(e, "run: option --%s goes with --rootfs", given->name);
	if (*command)
		return usage(e,
			     "run: unexpected argument %s: a command goes with --rootfs, options stand "
			     "before the name",
			     *command);
	return 0;
}

/* ---- the form of people ---- */

static int check_tree_form(const struct run_options *o, char **command, struct error *e)
{
	if (o->create.bundle || o->create.config)
		return usage(e, "run: --%s and --rootfs exclude each other",
			     o->create.bundle ? "bundle" : "config");
	if (!*command && !o->tree.system)
		return usage(e, "run: which command? coracle run --rootfs DIR NAME COMMAND");
	if (o->tree.memory < 0 || o->tree.pids < 0)
		return usage(e, "run: a limit cannot be negative: leave the option out for none");
	if (o->tree.workdir && o->tree.workdir[0] != '/')
		return usage(e, "run: option --workdir: `%s` is not an absolute path", o->tree.workdir);
	return 0;
}

/* Volumes, then mounts: the parser knows one from the other. */
static int parse_mounts(struct arena *a, const struct tree_options *t, struct default_options *d,
			struct error *e)
{
	const struct opt_list *const lists[] = { &t->volumes, &t->mounts };

	struct spec_mount *mounts = arena_calloc(a, t->volumes.n + t->mounts.n + 1, sizeof(*mounts));
	if (!mounts)
		return fail(e, ENOMEM, "mounts");
	for (size_t k = 0; k < COUNT_OF(lists); k++)
		for (size_t i = 0; i < lists[k]->n; i++) {
			int r = default_parse_mount(a, lists[k]->v[i], &mounts[d->n_mounts], e);
			if (r < 0)
				return r;
			d->n_mounts++;
		}
	d->mounts = mounts;
	return 0;
}

/* The options whose values are more than text. */
static int parse_values(struct arena *a, const struct tree_options *t, const char *rootfs,
			struct default_options *d, struct error *e)
{
	int r = parse_mounts(a, t, d, e);
	if (r == 0 && t->user)
		r = user_parse(rootfs, t->user, &d->uid, &d->gid, e);
	if (r == 0 && t->cpus)
		r = default_parse_cpus(t->cpus, &d->cpu_quota, &d->cpu_period, e);
	if (r == 0)
		r = default_change_caps(&d->caps, t->cap_add.v, t->cap_drop.v, e);
	return r;
}

static int find_maps(struct arena *a, struct default_options *d, struct error *e)
{
	struct rootless_maps maps;

	int r = rootless_find_maps(a, &maps, e);
	if (r < 0)
		return r;
	d->uid_maps = maps.uids;
	d->n_uid_maps = maps.n_uids;
	d->gid_maps = maps.gids;
	d->n_gid_maps = maps.n_gids;
	return 0;
}

static int make_config(const struct run_options *o, const char *name, char **command, char **ret,
		       struct error *e)
{
	const struct tree_options *t = &o->tree;
	struct default_options d;

	AUTO(arena) struct arena *a = arena_new();
	if (!a)
		return fail(e, ENOMEM, "config");
	auto_free char *rootfs = realpath(t->rootfs, NULL);
	if (!rootfs)
		return fail(e, errno, "root tree %s", t->rootfs);
	default_options_init(&d);
	d.rootfs = rootfs;
	d.root_readonly = t->read_only;
	d.terminal = t->tty;
	d.args = *command ? command : NULL;
	d.system = t->system;
	d.env = t->env.v;
	d.cwd = t->workdir;
	/* The kernel takes 64 bytes; a longer name makes no hostname. */
	d.hostname = t->hostname || strlen(name) > 64 ? t->hostname : name;
	if (t->memory)
		d.memory_limit = t->memory;
	if (t->pids)
		d.pids_limit = t->pids;
	d.rootless = geteuid() != 0;
	/* A user's system has every right over what is his own: its services sandbox themselves. */
	if (d.rootless && d.system)
		d.caps = DEFAULT_ALL_CAPS;
	int r = d.rootless ? find_maps(a, &d, e) : 0;
	if (r == 0)
		r = parse_values(a, t, rootfs, &d, e);
	return r < 0 ? r : default_config(&d, ret, e);
}

static int run_run(struct call *call, struct error *e)
{
	struct run_options *o = call->options;
	char **command = call_command(call);
	auto_free char *config = NULL;

	o->create.globals = call->globals;
	o->create.id = call->args[0];
	o->create.run = true;
	int r = o->tree.rootfs ? check_tree_form(o, command, e) : check_bundle_form(o, command, e);
	if (r == 0 && o->tree.rootfs)
		r = make_config(o, call->args[0], command, &config, e);
	if (r < 0)
		return r;
	o->create.config_text = config;
	return life_create(&o->create, &call->exit_code, e);
}

const struct command cmd_run = {
	.name = "run",
	.arguments = "ID | --rootfs DIR NAME [--] COMMAND [ARGUMENT...]",
	.summary = "make a container, run its program, wait for it, remove it",
	.details =
		"Leaves with the exit code of the program, 128 and the signal's number if a signal ended it.",
	.options = run_table,
	.options_size = sizeof(struct run_options),
	.min_args = 1,
	.max_args = ANY_ARGS,
	.in_order = true,
	.makes_group = true,
	.enters = true,
	.run = run_run,
};
