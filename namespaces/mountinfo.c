/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mountinfo.c - read /proc/PID/mountinfo; proc(5) tells its fields */
#include "namespaces/mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define MAX_SIZE (64 << 20)

static int octal(const char *p)
{
	int n = 0;

	for (int i = 0; i < 3; i++) {
		if (p[i] < '0' || p[i] > '7')
			return -1;
		n = n * 8 + (p[i] - '0');
	}
	return n;
}

/* Blanks, newlines and backslashes are written as three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		int c = *s == '\\' ? octal(s + 1) : -1;
		*to++ = c < 0 ? *s : (char)c;
		s += c < 0 ? 1 : 4;
	}
	*to = '\0';
}

int mountinfo_parse(char *line, struct mountinfo *ret)
{
	char *save = NULL, *fields[6], *type = strstr(line, " - ");

	if (!type)
		return -EINVAL;
	*type = '\0';
	type += strlen(" - ");
	type[strcspn(type, " \n")] = '\0';
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		fields[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!fields[i])
			return -EINVAL;
	}
	unescape(fields[3]);
	unescape(fields[4]);
	*ret = (struct mountinfo){
		.device = fields[2], .root = fields[3], .at = fields[4], .options = fields[5], .type = type
	};
	if (str_to_int(fields[0], &ret->id) < 0 || str_to_int(fields[1], &ret->parent) < 0)
		return -EINVAL;
	return 0;
}

int mountinfo_each(int (*f)(const struct mountinfo *m, void *data, struct error *e), void *data,
		   struct error *e)
{
	return mountinfo_each_in("/proc/self/mountinfo", f, data, e);
}

int mountinfo_each_in(const char *path, int (*f)(const struct mountinfo *m, void *data, struct error *e),
		      void *data, struct error *e)
{
	auto_free char *text = NULL;
	struct mountinfo m;

	/* Read whole first: what f does changes the list. */
	int r = io_read_file(AT_FDCWD, path, MAX_SIZE, &text, NULL, e);
	for (char *line = text, *next; r == 0 && line && *line; line = next) {
		char *end = strchr(line, '\n');
		next = end ? end + 1 : line + strlen(line);
		if (end)
			*end = '\0';
		if (mountinfo_parse(line, &m) == 0)
			r = f(&m, data, e);
	}
	return r;
}
