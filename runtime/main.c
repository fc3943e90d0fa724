/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - parse the global options, dispatch the command, print the error
 *
 * Every process of ours has one thread from here to exec: what runs between clone and exec may allocate.
 * Keep it so.
 *
 * Exit codes: what the command says (run and exec: the container's process), 1 after an error, 255 when exec
 * could not start the process, 64 for a wrong command line. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/cmd_cni.h"
#include "runtime/commands.h"
#include "runtime/network_serve.h"
#include "runtime/node.h"
#include "runtime/seal.h"
#include "specs/default.h"

struct main_options {
	struct globals globals;
	const char *log, *log_format, *log_level;
	bool version;
};

#define GLOBAL(field) offsetof(struct main_options, globals.field)
#define MAIN(field)   offsetof(struct main_options, field)

static const struct opt global_options[] = {
	{ "root", 0, OPT_STRING, GLOBAL(root), "DIR", "where containers are kept (default: /run/coracle)" },
	{ "switch-dir", 0, OPT_STRING, GLOBAL(switch_dir), "DIR",
	  "where switches are kept (default: /var/lib/coracle/switches)" },
	{ "log", 0, OPT_STRING, MAIN(log), "FILE", "append log lines to this file (default: stderr)" },
	{ "log-format", 0, OPT_STRING, MAIN(log_format), "FORMAT", "text or json" },
	{ "log-level", 0, OPT_STRING, MAIN(log_level), "LEVEL", "error, warning (default), info or debug" },
	{ "debug", 0, OPT_FLAG, GLOBAL(debug), NULL, "the same as --log-level debug" },
	{ "cgroup-manager", 0, OPT_STRING, GLOBAL(cgroup_manager), "MANAGER",
	  "cgroupfs (default), systemd or disabled" },
	{ "systemd-cgroup", 0, OPT_FLAG, GLOBAL(systemd_cgroup), NULL,
	  "the same as --cgroup-manager systemd" },
	{ "version", 'v', OPT_FLAG, MAIN(version), NULL, "print the version" },
	{ "criu", 0, OPT_IGNORED_VALUE, 0, "PATH", NULL },
	{ "rootless", 0, OPT_IGNORED_VALUE, 0, "BOOL", NULL },
	{ .kind = OPT_END },
};

/* Docker takes whatever stands around the one word "version" in all the lines; go-runc reads the lines
 * "commit: " and "spec: " behind it. */
static void print_version(void)
{
	puts("coracle version " PACKAGE_VERSION);
	if (*COMMIT)
		puts("commit: " COMMIT);
	puts("spec: " DEFAULT_OCI_VERSION);
#ifdef HAVE_SECCOMP
	fputs("+SECCOMP ", stdout);
#endif
#ifdef FAULT_INJECTION
	fputs("+FAULTS ", stdout);
#endif
	puts("+CAP +YAJL");
}

/* Root's containers are in /run; those of others, and of root in a user namespace where /run is not its
 * own (podman without root), in the user's runtime directory. */
static const char *default_root(char *buf, size_t size)
{
	const char *user_dir = getenv("XDG_RUNTIME_DIR");
	bool has_dir = user_dir && *user_dir == '/';

	if (!has_dir && geteuid() != 0)
		return str_format(buf, size, "/run/user/%u/coracle", geteuid()) < 0 ? "/run/coracle" : buf;
	if (!has_dir || (geteuid() == 0 && access("/run", W_OK) == 0))
		return "/run/coracle";
	if (str_format(buf, size, "%s/coracle", user_dir) < 0)
		return "/run/coracle";
	return buf;
}

static int check_cgroup_manager(struct globals *g, struct error *e)
{
	if (!g->cgroup_manager)
		g->cgroup_manager = "cgroupfs";
	g->systemd_cgroup |= str_eq(g->cgroup_manager, "systemd");
	if (!str_eq(g->cgroup_manager, "cgroupfs") && !str_eq(g->cgroup_manager, "systemd") &&
	    !str_eq(g->cgroup_manager, "disabled"))
		return usage(e, "option --cgroup-manager: `%s` is none of cgroupfs, systemd, disabled",
			     g->cgroup_manager);
	return 0;
}

static int open_log(const struct main_options *o, struct error *e)
{
	struct log_options log = { .path = o->log, .level = LOG_LEVEL_WARNING };

	if (o->log_level) {
		int r = log_level_parse(o->log_level, &log.level, e);
		if (r < 0)
			return usage(e, "option --log-level: `%s` is none of error, warning, info, debug",
				     o->log_level);
	}
	if (o->globals.debug)
		log.level = LOG_LEVEL_DEBUG;
	log.json = o->log_format && str_eq(o->log_format, "json");
	if (o->log_format && !log.json && !str_eq(o->log_format, "text"))
		return usage(e, "option --log-format: `%s` is neither text nor json", o->log_format);
	return log_open(&log, e);
}

/* The words of our command line, as they came: parsing moves argv. */
static char **command_line;

static int save_command_line(int argc, char **argv, struct error *e)
{
	command_line = calloc((size_t)argc + 1, sizeof(*command_line));
	if (!command_line)
		return fail(e, ENOMEM, "command line");
	memcpy(command_line, argv, (size_t)argc * sizeof(*command_line));
	node_remember(command_line);
	return 0;
}

static int run_command(const char *name, char **argv, const struct globals *g, struct error *e)
{
	const struct command *c = command_find(name);

	if (!c)
		return usage(e, "unknown command %s", name);
	int r = 0;
	if (!program_is_node && (c->node || (c->makes_group && g->systemd_cgroup)))
		r = node_execute(command_line, e);
	else if (c->enters)
		r = seal_self(command_line, e);
	if (r == 0)
		r = command_run(c, g, argv, e);
	if (r >= 0)
		return r;
	log_failure(e);
	if (r == -USAGE_ERROR)
		return EXIT_USAGE;
	return c->failure ? c->failure : EXIT_FAILED;
}

/* `coracle help [COMMAND]` and `coracle --help` */
static int print_help(const char *name, struct error *e)
{
	const struct command *c = name ? command_find(name) : NULL;

	if (name && !c)
		return usage(e, "unknown command %s", name);
	if (c && c->node && !program_is_node)
		return node_execute(command_line, e);
	if (c)
		command_help(c, stdout);
	else
		commands_help(global_options, stdout);
	return 0;
}

static int coracle(char **argv, struct error *e)
{
	struct main_options o = { .version = false };
	char root[PATH_MAX];
	bool help;

	int r = options_parse(global_options, &o, argv, true, &help, e);
	if (r < 0)
		return r;
	if (help || (argv[0] && str_eq(argv[0], "help")))
		return print_help(help ? NULL : argv[1], e);
	if (o.version) {
		print_version();
		return 0;
	}
	r = open_log(&o, e);
	if (r < 0)
		return r;
	if (!argv[0])
		return usage(e, "which command? \"coracle --help\" lists them");
	r = check_cgroup_manager(&o.globals, e);
	if (r < 0)
		return r;
	if (!o.globals.root)
		o.globals.root = default_root(root, sizeof(root));
	return run_command(argv[0], argv + 1, &o.globals, e);
}

int main(int argc, char **argv)
{
	struct error e = { .code = 0 };

	if (argc < 1)
		return EXIT_USAGE;
	int r = fd_open_stdio(&e);
#ifdef CORACLE_NODE
	if (r == 0 && network_serve_is_meant(argv))
		return network_serve(argv);
	if (r == 0 && cni_is_meant(argc))
		return cni_main();
#endif
	if (r == 0)
		r = save_command_line(argc, argv, &e);
	if (r == 0)
		r = coracle(argv + 1, &e);
	free(command_line);
	if (r < 0) {
		log_failure(&e);
		r = r == -USAGE_ERROR ? EXIT_USAGE : EXIT_FAILED;
	}
	if ((fflush(stdout) != 0 || ferror(stdout)) && r == 0) {
		e = (struct error){ .code = 0 };
		fail(&e, errno, "write to stdout");
		log_failure(&e);
		r = EXIT_FAILED;
	}
	return r;
}
