/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lazyranges.c - a sorted vector: events that split it are few, walks are many */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/lazyranges.h"

void lazy_ranges_done(struct lazy_ranges *l)
{
	free(l->range);
	*l = (struct lazy_ranges){ 0 };
}

static int make_room(struct lazy_ranges *l, size_t more)
{
	size_t room = l->room ? l->room : 16;

	if (l->n + more <= l->room)
		return 0;
	while (room < l->n + more)
		room *= 2;
	void *p = reallocarray(l->range, room, sizeof(*l->range));
	if (!p)
		return -ENOMEM;
	l->range = p;
	l->room = room;
	return 0;
}

static int insert(struct lazy_ranges *l, size_t at, const struct lazy_range *r)
{
	struct lazy_range copy = *r;

	if (make_room(l, 1) < 0)
		return -ENOMEM;
	memmove(&l->range[at + 1], &l->range[at], (l->n - at) * sizeof(*l->range));
	l->range[at] = copy;
	l->n++;
	return 0;
}

int lazy_ranges_append(struct lazy_ranges *l, const struct lazy_range *r)
{
	struct lazy_range *last = l->n ? &l->range[l->n - 1] : NULL;

	if (last && last->end == r->start && last->hot == r->hot &&
	    last->image + (last->end - last->start) == r->image) {
		last->end = r->end;
		return 0;
	}
	return insert(l, l->n, r);
}

int lazy_ranges_copy(const struct lazy_ranges *from, struct lazy_ranges *to)
{
	*to = (struct lazy_ranges){ 0 };
	if (make_room(to, from->n) < 0)
		return -ENOMEM;
	if (from->n)
		memcpy(to->range, from->range, from->n * sizeof(*to->range));
	to->n = from->n;
	return 0;
}

size_t lazy_ranges_above(const struct lazy_ranges *l, uint64_t at)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		if (l->range[mid].end <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct lazy_range *lazy_ranges_find(const struct lazy_ranges *l, uint64_t at)
{
	size_t i = lazy_ranges_above(l, at);

	return i < l->n && l->range[i].start <= at ? &l->range[i] : NULL;
}

/* Make `at` a border between ranges. */
static int split(struct lazy_ranges *l, uint64_t at)
{
	size_t i = lazy_ranges_above(l, at);
	struct lazy_range tail;

	if (i == l->n || l->range[i].start >= at)
		return 0;
	tail = l->range[i];
	tail.image += at - tail.start;
	tail.start = at;
	l->range[i].end = at;
	return insert(l, i + 1, &tail);
}

int lazy_ranges_cut(struct lazy_ranges *l, uint64_t start, uint64_t end)
{
	if (start >= end)
		return 0;
	if (split(l, start) < 0 || split(l, end) < 0)
		return -ENOMEM;
	size_t i = lazy_ranges_above(l, start), k = i;
	while (k < l->n && l->range[k].end <= end)
		k++;
	memmove(&l->range[i], &l->range[k], (l->n - k) * sizeof(*l->range));
	l->n -= k - i;
	return 0;
}

int lazy_ranges_move(struct lazy_ranges *l, uint64_t from, uint64_t to, uint64_t size)
{
	struct lazy_ranges moved = { 0 };
	int r = 0;

	if (split(l, from) < 0 || split(l, from + size) < 0)
		return -ENOMEM;
	for (size_t i = lazy_ranges_above(l, from); i < l->n && l->range[i].end <= from + size && r == 0;
	     i++) {
		struct lazy_range m = l->range[i];
		m.start = m.start - from + to;
		m.end = m.end - from + to;
		r = lazy_ranges_append(&moved, &m);
	}
	if (r == 0)
		r = lazy_ranges_cut(l, from, from + size);
	if (r == 0)
		r = lazy_ranges_cut(l, to, to + size);
	for (size_t i = 0; i < moved.n && r == 0; i++)
		r = insert(l, lazy_ranges_above(l, moved.range[i].start), &moved.range[i]);
	lazy_ranges_done(&moved);
	return r;
}
