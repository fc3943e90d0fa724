/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arena.c - bump allocation in blocks that are freed together */
#include "runtime/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCK_SIZE 16384
#define ALIGNMENT  16
#define PAGE	   4096	      /* where pages are larger, the kernel rounds up */
#define LARGEST	   (1U << 20) /* more is left to page faults: an estimate may be wrong */

struct block {
	struct block *next;
	size_t used, size;
	size_t mapped; /* bytes of its own mapping; 0: from malloc */
	_Alignas(ALIGNMENT) unsigned char data[];
};

struct arena {
	struct block *first;
};

static struct block *block_new(size_t size)
{
	if (size > SIZE_MAX - sizeof(struct block))
		return NULL;
	struct block *b = calloc(1, sizeof(*b) + size);
	if (b)
		b->size = size;
	return b;
}

struct arena *arena_new(void)
{
	struct arena *a = calloc(1, sizeof(*a));
	return a;
}

struct arena *arena_new_sized(size_t expected)
{
	struct arena *a = arena_new();
	size_t size = expected < LARGEST ? expected : LARGEST;

	if (!a)
		return NULL;
	size = (size + sizeof(struct block) + PAGE - 1) & ~(size_t)(PAGE - 1);
	struct block *b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
			       -1, 0);
	if (b == MAP_FAILED)
		return a;
	b->size = size - sizeof(*b);
	b->mapped = size;
	a->first = b;
	return a;
}

static void block_free(struct block *b)
{
	if (b->mapped)
		munmap(b, b->mapped);
	else
		free(b);
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	while (a->first) {
		struct block *next = a->first->next;
		block_free(a->first);
		a->first = next;
	}
	free(a);
}

void *arena_alloc(struct arena *a, size_t size)
{
	if (size > SIZE_MAX - ALIGNMENT)
		return NULL;
	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	struct block *b = a->first;
	if (!b || b->size - b->used < size) {
		b = block_new(size > BLOCK_SIZE ? size : BLOCK_SIZE);
		if (!b)
			return NULL;
		b->next = a->first;
		a->first = b;
	}
	void *p = b->data + b->used;
	b->used += size;
	return p;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		return NULL;
	return arena_alloc(a, count * size);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	if (!s || len == SIZE_MAX)
		return NULL;
	char *copy = arena_alloc(a, len + 1);
	if (copy)
		memcpy(copy, s, len);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	char *text = arena_alloc(a, (size_t)n + 1);
	if (!text)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return text;
}
