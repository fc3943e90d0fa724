/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treeset.h - a table from bytes (a file handle, a path) to a value of fixed size */
#ifndef CORACLE_TREESET_H
#define CORACLE_TREESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct tree_set;

struct tree_set *tree_set_new(size_t value_size);
void tree_set_free(struct tree_set *s);
DEFINE_AUTO(tree_set, struct tree_set)

/* The value of a key, aligned for any type and zeroed when new; NULL when memory is short. Stays where it is until removed. */
void *tree_set_put(struct tree_set *s, const void *key, size_t size, bool *ret_new);

/* The value of a key, or NULL. */
void *tree_set_find(const struct tree_set *s, const void *key, size_t size);

size_t tree_set_count(const struct tree_set *s);
void tree_set_clear(struct tree_set *s);

/* Call `visit` for each; the key has a NUL behind it. Where it returns 1 the key is removed; negative ends it. */
int tree_set_each(struct tree_set *s, int (*visit)(void *arg, const uint8_t *key, size_t size, void *value),
		  void *arg);

#endif
