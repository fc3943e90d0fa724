/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treeset.c - a table from bytes to a value of fixed size: buckets that double */
#include "checkpoint/treeset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	struct slot *next;
	uint64_t hash;
	uint8_t *key; /* behind the value */
	size_t key_size;
	max_align_t value[];
};

struct tree_set {
	struct slot **buckets;
	size_t bucket_count, count, value_size;
};

static uint64_t hash_of(const uint8_t *p, size_t size)
{
	uint64_t h = 0xcbf29ce484222325 ^ size;

	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h ^ h >> 31;
}

struct tree_set *tree_set_new(size_t value_size)
{
	struct tree_set *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->value_size = (value_size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	s->bucket_count = 64;
	s->buckets = calloc(s->bucket_count, sizeof(struct slot *));
	if (!s->buckets) {
		free(s);
		return NULL;
	}
	return s;
}

void tree_set_clear(struct tree_set *s)
{
	for (size_t i = 0; i < s->bucket_count; i++) {
		for (struct slot *k = s->buckets[i], *next; k; k = next) {
			next = k->next;
			free(k);
		}
		s->buckets[i] = NULL;
	}
	s->count = 0;
}

void tree_set_free(struct tree_set *s)
{
	if (!s)
		return;
	tree_set_clear(s);
	free(s->buckets);
	free(s);
}

static struct slot *find(const struct tree_set *s, const void *key, size_t size, uint64_t hash)
{
	for (struct slot *k = s->buckets[hash & (s->bucket_count - 1)]; k; k = k->next)
		if (k->hash == hash && k->key_size == size && memcmp(k->key, key, size) == 0)
			return k;
	return NULL;
}

void *tree_set_find(const struct tree_set *s, const void *key, size_t size)
{
	struct slot *k = find(s, key, size, hash_of(key, size));

	return k ? k->value : NULL;
}

static void insert(struct tree_set *s, struct slot *k)
{
	struct slot **at = &s->buckets[k->hash & (s->bucket_count - 1)];

	k->next = *at;
	*at = k;
}

/* Twice the buckets; a table that cannot grow only gets slower. */
static void grow(struct tree_set *s)
{
	size_t old_count = s->bucket_count;
	struct slot **old = s->buckets, **buckets = calloc(2 * old_count, sizeof(struct slot *));

	if (!buckets)
		return;
	s->buckets = buckets;
	s->bucket_count = 2 * old_count;
	for (size_t i = 0; i < old_count; i++)
		for (struct slot *k = old[i], *next; k; k = next) {
			next = k->next;
			insert(s, k);
		}
	free(old);
}

void *tree_set_put(struct tree_set *s, const void *key, size_t size, bool *ret_new)
{
	uint64_t hash = hash_of(key, size);
	struct slot *k = find(s, key, size, hash);

	*ret_new = !k;
	if (k)
		return k->value;
	if (s->count >= s->bucket_count)
		grow(s);
	k = calloc(1, sizeof(*k) + s->value_size + size + 1);
	if (!k)
		return NULL;
	k->hash = hash;
	k->key = (uint8_t *)k->value + s->value_size;
	k->key_size = size;
	memcpy(k->key, key, size);
	insert(s, k);
	s->count++;
	return k->value;
}

size_t tree_set_count(const struct tree_set *s)
{
	return s->count;
}

int tree_set_each(struct tree_set *s, int (*visit)(void *arg, const uint8_t *key, size_t size, void *value),
		  void *arg)
{
	for (size_t i = 0; i < s->bucket_count; i++)
		for (struct slot **at = &s->buckets[i]; *at;) {
			struct slot *k = *at;
			int r = visit(arg, k->key, k->key_size, k->value);
			if (r < 0)
				return r;
			if (r == 0) {
				at = &k->next;
				continue;
			}
			*at = k->next;
			free(k);
			s->count--;
		}
	return 0;
}
