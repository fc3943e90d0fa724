/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_restore.c - coracle restore: options only; the story is restore.c */
#include "runtime/commands.h"
#include "runtime/export.h"
#include "runtime/image_options.h"
#include "runtime/node.h"
#include "runtime/storage.h"

struct restore_command {
	struct restore_options restore;
	struct import_options import;
};

#define IMPORT_AT(field) offsetof(struct restore_command, import.field)
#define AT(field)	 offsetof(struct restore_command, restore.field)
static const struct opt restore_options_table[] = {
	{ "import", 0, OPT_STRING, IMPORT_AT(file), "FILE",
	  "out of a file of checkpoint --export (-: stdin), on any node" },
	{ "name", 0, OPT_STRING, IMPORT_AT(name), "ID",
	  "with --import: the container's name (default: as it was)" },
	{ "private", 0, OPT_FLAG, IMPORT_AT(private), NULL,
	  "with --import: share no files with other containers out of the same file" },
	{ "base", 0, OPT_LIST, IMPORT_AT(bases), "DIR",
	  "with --import: a directory that the file's layer may stand on" },
	{ "storage", 0, OPT_STRING, IMPORT_AT(storage), "DIR",
	  "with --import: where its files live (default: " STORAGE_DEFAULT ")" },
	{ "progress", 0, OPT_STRING, IMPORT_AT(progress), "HOW", "with --import: bar, json or none" },
	{ NULL, 0, OPT_TABLE, AT(image), NULL, NULL, image_rows },
	{ "bundle", 'b', OPT_STRING, AT(bundle), "DIR", "the bundle (default: the working directory)" },
	{ "detach", 'd', OPT_FLAG, AT(detach), NULL, "return when the container runs" },
	{ "pid-file", 0, OPT_STRING, AT(pid_file), "FILE", "write the container's pid there" },
	{ "console-socket", 0, OPT_STRING, AT(console_socket), "PATH",
	  "unix socket that is sent the terminal's master end" },
	{ "no-subreaper", 0, OPT_FLAG, AT(no_subreaper), NULL, "do not reap the container's orphans" },
	{ "no-pivot", 0, OPT_FLAG, AT(no_pivot), NULL, "taken for compatibility: CRIU restores the root" },
	{ "keep", 0, OPT_FLAG, AT(keep), NULL, "keep the stopped container when it has ended" },
	{ "trust", 0, OPT_STRING, AT(image.trust), "WORD",
	  "which images are taken: manifest (default), signed, any (also those of other tools)" },
	{ "raised", 0, OPT_FLAG, AT(image.raised), NULL,
	  "take rights that set-user-ID programs or exec gave, up to the config's bounding set" },
	{ "switch", 0, OPT_LIST, AT(switches), "NAME[:KEY=VALUE,...]",
	  "connect to this virtual switch instead of what the images say (ip, mac, ifname, rate)" },
	{ "publish", 'p', OPT_LIST, AT(published), "[ADDRESS:]HOSTPORT:PORT[/PROTOCOL]",
	  "with --switch: make a port of it one of the host's" },
	{ "dns", 0, OPT_LIST, AT(dns), "ADDRESS", "with --switch: ask this name server" },
	{ "lsm-profile", 0, OPT_STRING, AT(lsm_profile), "TYPE:NAME",
	  "apparmor:NAME or selinux:LABEL instead of the images'" },
	{ "lsm-mount-context", 0, OPT_STRING, AT(lsm_mount_context), "LABEL", "SELinux label of the mounts" },
	{ .kind = OPT_END },
};

static int run_restore(struct call *call, struct error *e)
{
	struct restore_command *o = call->options;

	o->restore.globals = call->globals;
	if (!o->import.file && !call->n_args)
		return usage(e, "restore: missing argument; usage: coracle restore [OPTION...] ID");
	if (!o->import.file) {
		o->restore.id = call->args[0];
		return life_restore(&o->restore, &call->exit_code, e);
	}
	if (call->n_args && o->import.name)
		return usage(e, "restore: --name and an ID: the one or the other");
	if (call->n_args)
		o->import.name = call->args[0];
	return life_import(&o->import, &o->restore, &call->exit_code, e);
}

const struct command cmd_restore = {
	.name = "restore",
	.arguments = "[ID]",
	.summary = SUMMARY_RESTORE,
	.options = restore_options_table,
	.options_size = sizeof(struct restore_command),
	.min_args = 0,
	.max_args = 1,
	.node = true,
	.run = run_restore,
};
