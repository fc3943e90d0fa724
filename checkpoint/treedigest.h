/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treedigest.h - one name for all that a tree of files holds
 *
 * Two trees have the same digest if a container that runs on them could not tell them apart but by times,
 *inode numbers and link counts. Meant for the lower layers of an overlay: the destination has the base, or it
 *has not.
 *
 * BLAKE2b-256 throughout, integers little-endian, a Merkle tree over directories:
 *	content	= H("coracle-content-1" size, digest of each block of 1 MiB; a block of zeros has the digest
 *0…0) object	= H("coracle-object-1" mode, uid, gid, rdev, number of attributes, each attribute sorted by
 *name (length, name, length, value), then: content of a file; length and target of a link; of a directory the
 *		    number of its names and, sorted bytewise, each as length, name, digest of the object)
 * mode is st_mode (type and permissions), rdev 0 but for devices. Attributes are those that tree.h carries.
 * Other file systems that are mounted inside are not looked into. */
#ifndef CORACLE_TREEDIGEST_H
#define CORACLE_TREEDIGEST_H

#include "runtime/base/error.h"
#include "runtime/base/hash.h"

/* Digest of the directory `root` (borrowed). `cache` is a directory of ours (or -1: none) in which the
 * digests of files' contents are kept by inode, size and change time, so that a second look reads no file
 * that has not changed; it is written anew at the end. A cache that is damaged, foreign or not a regular file
 * of ours is not used. */
int tree_digest(int root, const char *name, int cache, uint8_t ret[static HASH_SIZE], struct error *e);

#endif
