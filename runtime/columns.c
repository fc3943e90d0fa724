/* SPDX-License-Identifier: GPL-2.0-or-later */
/* columns.c - a table for people */
#include "runtime/columns.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

struct columns {
	char **cells;
	size_t n, room, per_row;
	bool lost;
};

struct columns *columns_new(const char *const *titles)
{
	struct columns *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	while (titles[c->per_row] && c->per_row < COLUMNS_MAX)
		c->per_row++;
	for (size_t i = 0; i < c->per_row; i++)
		columns_add(c, titles[i]);
	return c;
}

void columns_free(struct columns *c)
{
	for (size_t i = 0; c && i < c->n; i++)
		free(c->cells[i]);
	if (c)
		free(c->cells);
	free(c);
}

static bool grow(struct columns *c)
{
	size_t room = c->room ? 2 * c->room : 64;
	char **cells = realloc(c->cells, room * sizeof(*cells));

	if (!cells)
		return false;
	c->cells = cells;
	c->room = room;
	return true;
}

void columns_add(struct columns *c, const char *text)
{
	if (!c)
		return;
	char *copy = strdup(text && *text ? text : "-");
	if (!copy || (c->n == c->room && !grow(c))) {
		free(copy);
		c->lost = true;
		return;
	}
	c->cells[c->n++] = copy;
}

void columns_addf(struct columns *c, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	columns_add(c, text);
}

int columns_write(const struct columns *c, FILE *out)
{
	size_t width[COLUMNS_MAX] = { 0 };

	if (!c || c->lost)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++) {
		size_t n = strlen(c->cells[i]);
		if (width[i % c->per_row] < n)
			width[i % c->per_row] = n;
	}
	for (size_t i = 0; i < c->n; i++) {
		size_t column = i % c->per_row;
		if (column == c->per_row - 1)
			fprintf(out, "%s\n", c->cells[i]);
		else
			fprintf(out, "%-*s  ", (int)width[column], c->cells[i]);
	}
	return 0;
}
