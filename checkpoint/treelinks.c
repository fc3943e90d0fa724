/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treelinks.c - which names at the destination are one file: one set of records, found by path and by inode */
#include "checkpoint/treelinks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/treewalk.h"

struct link {
	struct link *next_path, *next_inode; /* in their buckets */
	struct tree_inode inode;
	uint64_t hash;
	char path[];
};

struct tree_links {
	struct link **paths, **inodes; /* as many buckets each, a power of two */
	size_t buckets, count;
};

static uint64_t hash_path(const char *path)
{
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a: spoilt by nobody but the container itself */

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 0x100000001b3;
	return h ^ h >> 29;
}

static uint64_t hash_inode(struct tree_inode i)
{
	uint64_t h = ((uint64_t)i.ino ^ (uint64_t)i.dev << 40) * 0x9e3779b97f4a7c15;

	return h ^ h >> 32;
}

static bool same_inode(struct tree_inode a, struct tree_inode b)
{
	return a.ino == b.ino && a.dev == b.dev;
}

static void insert(struct tree_links *l, struct link *k)
{
	struct link **p = &l->paths[k->hash & (l->buckets - 1)];
	struct link **i = &l->inodes[hash_inode(k->inode) & (l->buckets - 1)];

	k->next_path = *p;
	*p = k;
	k->next_inode = *i;
	*i = k;
}

static int grow(struct tree_links *l)
{
	size_t old_buckets = l->buckets, buckets = old_buckets ? 2 * old_buckets : 64;
	struct link **old = l->paths;
	struct link **paths = calloc(buckets, sizeof(*paths)), **inodes = calloc(buckets, sizeof(*inodes));

	if (!paths || !inodes) {
		free(paths);
		free(inodes);
		return -ENOMEM;
	}
	free(l->inodes);
	l->paths = paths;
	l->inodes = inodes;
	l->buckets = buckets;
	for (size_t b = 0; b < old_buckets; b++)
		for (struct link *k = old[b], *next; k; k = next) {
			next = k->next_path;
			insert(l, k);
		}
	free(old);
	return 0;
}

struct tree_links *tree_links_new(void)
{
	struct tree_links *l = calloc(1, sizeof(*l));

	if (l && grow(l) < 0) {
		free(l);
		return NULL;
	}
	return l;
}

void tree_links_clear(struct tree_links *l)
{
	for (size_t b = 0; b < l->buckets; b++) {
		for (struct link *k = l->paths[b], *next; k; k = next) {
			next = k->next_path;
			free(k);
		}
		l->paths[b] = l->inodes[b] = NULL;
	}
	l->count = 0;
}

void tree_links_free(struct tree_links *l)
{
	if (!l)
		return;
	tree_links_clear(l);
	free(l->paths);
	free(l->inodes);
	free(l);
}

static struct link *find(const struct tree_links *l, const char *path, uint64_t hash)
{
	for (struct link *k = l->paths[hash & (l->buckets - 1)]; k; k = k->next_path)
		if (k->hash == hash && strcmp(k->path, path) == 0)
			return k;
	return NULL;
}

static void unlink_from_inode(struct tree_links *l, struct link *gone)
{
	struct link **at = &l->inodes[hash_inode(gone->inode) & (l->buckets - 1)];

	while (*at != gone)
		at = &(*at)->next_inode;
	*at = gone->next_inode;
}

static void drop(struct tree_links *l, struct link *gone)
{
	struct link **at = &l->paths[gone->hash & (l->buckets - 1)];

	while (*at != gone)
		at = &(*at)->next_path;
	*at = gone->next_path;
	unlink_from_inode(l, gone);
	free(gone);
	l->count--;
}

int tree_links_add(struct tree_links *l, const char *path, struct tree_inode inode)
{
	uint64_t hash = hash_path(path);
	struct link *k = find(l, path, hash);
	size_t size = strlen(path) + 1;

	if (k && same_inode(k->inode, inode))
		return 0;
	if (k)
		drop(l, k);
	if (l->count >= l->buckets && grow(l) < 0)
		return -ENOMEM;
	k = malloc(sizeof(*k) + size);
	if (!k)
		return -ENOMEM;
	k->inode = inode;
	k->hash = hash;
	memcpy(k->path, path, size);
	insert(l, k);
	l->count++;
	return 0;
}

void tree_links_remove(struct tree_links *l, const char *path)
{
	struct link *k = find(l, path, hash_path(path));

	if (k)
		drop(l, k);
}

void tree_links_remove_below(struct tree_links *l, const char *path)
{
	if (!l->count)
		return;
	for (size_t b = 0; b < l->buckets; b++)
		for (struct link *k = l->paths[b], *next; k; k = next) {
			next = k->next_path;
			if (tree_is_below(k->path, path))
				drop(l, k);
		}
}

bool tree_links_find(const struct tree_links *l, const char *path, struct tree_inode *ret)
{
	struct link *k = l->count ? find(l, path, hash_path(path)) : NULL;

	if (k)
		*ret = k->inode;
	return k != NULL;
}

const char *tree_links_other(const struct tree_links *l, struct tree_inode inode, const char *but)
{
	for (struct link *k = l->inodes[hash_inode(inode) & (l->buckets - 1)]; k; k = k->next_inode)
		if (same_inode(k->inode, inode) && (!but || strcmp(k->path, but) != 0))
			return k->path;
	return NULL;
}

size_t tree_links_count(const struct tree_links *l, struct tree_inode inode)
{
	size_t n = 0;

	for (struct link *k = l->inodes[hash_inode(inode) & (l->buckets - 1)]; k; k = k->next_inode)
		n += same_inode(k->inode, inode);
	return n;
}
