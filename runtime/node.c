/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node.c - find coracle-node, become it */
#include "runtime/node.h"

#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/str.h"
#include "runtime/seal.h"

#define NODE_PROGRAM "coracle-node"

static bool beside_us(char *buf, size_t size)
{
	const char *own = seal_own_path();
	const char *slash = strrchr(own, '/');

	return slash && slash != own &&
	       str_format(buf, size, "%.*s/" NODE_PROGRAM, (int)(slash - own), own) >= 0 &&
	       access(buf, X_OK) == 0;
}

int node_path(char *buf, size_t size, struct error *e)
{
	if (beside_us(buf, size))
		return 0;
	if (str_format(buf, size, "%s", NODE_DIR "/" NODE_PROGRAM) >= 0 && access(buf, X_OK) == 0)
		return 0;
	return refuse(e, ENOENT,
		      NODE_PROGRAM " is neither beside %s nor in " NODE_DIR ": install it, for this needs it",
		      *seal_own_path() ? seal_own_path() : "coracle");
}

int node_execute(char *const argv[], struct error *e)
{
	char path[4096];

	int r = node_path(path, sizeof(path), e);
	if (r < 0)
		return r;
	execv(path, argv);
	return fail(e, errno, "execute %s", path);
}

static char **own_words;

void node_remember(char **words)
{
	own_words = words;
}

int node_continue(struct error *e)
{
	return own_words ? node_execute(own_words, e) : refuse(e, ENOTSUP, "this takes coracle-node");
}
