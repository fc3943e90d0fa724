/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arena.h - memory with one owner and one end
 *
 * A parsed document is hundreds of small objects that live and die together: they are taken from one
 * arena and freed at once. An arena never shrinks and never moves what it gave out. */
#ifndef CORACLE_ARENA_H
#define CORACLE_ARENA_H

#include <stddef.h>

#include "runtime/base/cleanup.h"

struct arena;

/* NULL when memory is short. */
struct arena *arena_new(void);

/* The same, when about `expected` bytes will be taken: they come in one piece whose pages are made present by
 * one system call. A page fault each costs many times more (on a virtual machine 13 µs against 1). */
struct arena *arena_new_sized(size_t expected);
void arena_free(struct arena *a);
DEFINE_AUTO(arena, struct arena)

/* Zeroed memory, aligned for any type; NULL when memory is short or the size overflows. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_calloc(struct arena *a, size_t count, size_t size);

/* Copies; the second takes `len` bytes and adds the NUL. NULL when memory is short (or s is NULL). */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
