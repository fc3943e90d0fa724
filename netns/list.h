/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list.h - what a dump brings, as a growing array */
#ifndef CORACLE_NETNS_LIST_H
#define CORACLE_NETNS_LIST_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"

struct list {
	char *items;
	size_t count, room, size;
};
#define LIST_OF(type)                \
	{                            \
		.size = sizeof(type) \
	}

static inline int list_clear(struct list *l)
{
	l->count = 0;
	return 0;
}

static inline int list_add(struct list *l, const void *item, struct error *e)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		char *grown = realloc(l->items, room * l->size);
		if (!grown)
			return fail(e, ENOMEM, "netlink list");
		l->items = grown;
		l->room = room;
	}
	memcpy(l->items + l->size * l->count++, item, l->size);
	return 0;
}

/* Hand it over if `r` is success, else free it; returns r. */
static inline int list_end(struct list *l, int r, void **ret, size_t *ret_count)
{
	if (r < 0) {
		free(l->items);
		return r;
	}
	*ret = l->items;
	*ret_count = l->count;
	return 0;
}

#endif
