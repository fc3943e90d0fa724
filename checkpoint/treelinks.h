/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treelinks.h - which names at the destination are one file
 *
 * The sender's picture of the hard links that the receiver has made: every path of every file that had several links when it
 * was sent. About 100 bytes for each. */
#ifndef CORACLE_TREELINKS_H
#define CORACLE_TREELINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/cleanup.h"

struct tree_links;

struct tree_inode {
	dev_t dev;
	ino_t ino;
};

struct tree_links *tree_links_new(void);
void tree_links_free(struct tree_links *l);
DEFINE_AUTO(tree_links, struct tree_links)

/* `path` is a name of the inode from now on (and of no other). -ENOMEM. */
int tree_links_add(struct tree_links *l, const char *path, struct tree_inode inode);

/* Forget a path; the second with all below it; the third everything. */
void tree_links_remove(struct tree_links *l, const char *path);
void tree_links_remove_below(struct tree_links *l, const char *path);
void tree_links_clear(struct tree_links *l);

/* True and the inode if the path is known. */
bool tree_links_find(const struct tree_links *l, const char *path, struct tree_inode *ret);

/* A known path of the inode that is not `but` (may be NULL); NULL if there is none. Valid until it is removed. */
const char *tree_links_other(const struct tree_links *l, struct tree_inode inode, const char *but);

/* How many paths of it are known. */
size_t tree_links_count(const struct tree_links *l, struct tree_inode inode);

#endif
