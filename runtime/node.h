/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node.h - two programs out of one source: coracle and coracle-node
 *
 * coracle is what engines start for each step of a container's life: it lives for milliseconds and is one
 * static binary. What concerns the node as a whole (its switches, checkpoints, moves to another node) needs
 * libraries that have no static archive or cost too much to load: that is coracle-node, which has every
 * command and every library. coracle executes it in its own place for the commands marked `node`, and starts
 * it as a helper where a step of its own needs a thing of the network (network.h).
 *
 * Found beside coracle's own file, as in a build directory, else where `make install` puts it. */
#ifndef CORACLE_NODE_H
#define CORACLE_NODE_H

#include <stddef.h>

#include "runtime/base/error.h"

/* One sentence each for both programs' help: what a command of coracle-node does. */
#define SUMMARY_SWITCH	   "make and look after virtual switches"
#define SUMMARY_CHECKPOINT "write a running container into images"
#define SUMMARY_MIGRATE	   "move a running container to another node"
#define SUMMARY_RECEIVE	   "take a running container from another node"
#define SUMMARY_RESTORE	   "make a running container out of images"

/* The path of coracle-node. -ENOENT: not installed; the error says where it was looked for. */
int node_path(char *buf, size_t size, struct error *e);

/* Become coracle-node with this command line (argv[0] stays as it is). Returns only if that failed. */
int node_execute(char *const argv[], struct error *e);

/* The same with our own command line, which main has told us: for what shows only on the way. */
void node_remember(char **words);
int node_continue(struct error *e);

#endif
