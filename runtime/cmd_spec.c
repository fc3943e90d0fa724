/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_spec.c - coracle spec: a config.json of safe defaults (specs/default.h) to start from */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/commands.h"
#include "specs/default.h"

struct spec_options {
	const char *bundle;
	bool rootless, print;
};

#define AT(field) offsetof(struct spec_options, field)

static const struct opt spec_table[] = {
	{ "bundle", 'b', OPT_STRING, AT(bundle), "DIR", "write it there (default: the working directory)" },
	{ "rootless", 0, OPT_FLAG, AT(rootless), NULL, "with a user namespace in which the caller is root" },
	{ "print", 0, OPT_FLAG, AT(print), NULL, "print it instead of writing a file" },
	{ .kind = OPT_END },
};

/* An existing file is somebody's work: never overwritten. A half-written one is removed. */
static int write_config(const char *bundle, const char *text, struct error *e)
{
	auto_close int dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(e, errno, "open bundle %s", bundle);
	auto_close int fd = openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return refuse(e, EEXIST, "%s/config.json is there already and is not overwritten", bundle);
	if (fd < 0)
		return fail(e, errno, "make %s/config.json", bundle);
	int r = io_write_all(fd, text, strlen(text), e);
	if (r < 0) {
		unlinkat(dir, "config.json", 0);
		return prefix(e, "write %s/config.json", bundle);
	}
	return 0;
}

static int run_spec(struct call *call, struct error *e)
{
	const struct spec_options *o = call->options;
	struct default_options d;
	auto_free char *text = NULL;

	if (o->print && o->bundle)
		return usage(e, "spec: --print and --bundle exclude each other");
	default_options_init(&d);
	d.terminal = true;
	d.root_readonly = true;
	d.rootless = o->rootless;
	/* One's own id alone: for every machine, and to be changed by hand. */
	const struct spec_id_map uid = { .host = geteuid(), .size = 1 },
				 gid = { .host = getegid(), .size = 1 };
	d.uid_maps = &uid;
	d.gid_maps = &gid;
	d.n_uid_maps = d.n_gid_maps = 1;
	int r = default_config(&d, &text, e);
	if (r < 0)
		return r;
	if (!o->print)
		return write_config(o->bundle ? o->bundle : ".", text, e);
	fputs(text, stdout);
	return 0;
}

const struct command cmd_spec = {
	.name = "spec",
	.arguments = "",
	.summary = "write a config.json of safe defaults to start from",
	.options = spec_table,
	.options_size = sizeof(struct spec_options),
	.run = run_spec,
};
