/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treeblocks.h - what the destination has of a file, block by block
 *
 * Files that are written again and again are sent whole once more and then by the blocks that changed: their hashes are kept
 * here (pagehash.h: no content can fool them), 16 bytes for 16 KiB, at most 64 MiB of hashes in all (64 GiB of such
 * files; what is beyond is sent whole each time). */
#ifndef CORACLE_TREEBLOCKS_H
#define CORACLE_TREEBLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/treelinks.h"

#define TREE_BLOCK ((size_t)16 * 1024)
#define TREE_PAGE  ((size_t)4096) /* granule of holes */

struct tree_blocks;
struct tree_map; /* of one file */

struct tree_blocks *tree_blocks_new(void);
void tree_blocks_free(struct tree_blocks *b);
DEFINE_AUTO(tree_blocks, struct tree_blocks)

/* The map of an inode, or NULL. */
struct tree_map *tree_blocks_find(const struct tree_blocks *b, struct tree_inode inode);

/* The same, made if there is none, and fit for a file of `size` bytes: what is new or was cut off counts as never sent. NULL
 * (and no map) if there is no room. */
struct tree_map *tree_blocks_fit(struct tree_blocks *b, struct tree_inode inode, uint64_t size);
void tree_blocks_drop(struct tree_blocks *b, struct tree_inode inode);
void tree_blocks_clear(struct tree_blocks *b);

/* Block `index` holds this now: TREE_BLOCK bytes aligned to 8, with zeros behind the end of the file. True if the
 * destination has something else. */
bool tree_map_set(struct tree_map *m, uint64_t index, const void *block);

/* The block is a hole now. */
bool tree_map_set_hole(struct tree_map *m, uint64_t index);

/* True if a page of zeros, of TREE_PAGE bytes aligned to 8. */
bool tree_page_is_zero(const void *page);

#endif
