/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.c - the error value: record, refuse, prefix. No allocation: failing must not fail. */
#include "runtime/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int positive(int errnum)
{
	if (errnum == 0)
		return EINVAL;
	return errnum < 0 ? -errnum : errnum;
}

int fail(struct error *e, int errnum, const char *fmt, ...)
{
	va_list ap;

	e->code = positive(errnum);
	va_start(ap, fmt);
	int n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->msg))
		snprintf(e->msg + n, sizeof(e->msg) - (size_t)n, ": %s", strerror(e->code));
	return -e->code;
}

int refuse(struct error *e, int errnum, const char *fmt, ...)
{
	va_list ap;

	e->code = positive(errnum);
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return -e->code;
}

int prefix(struct error *e, const char *fmt, ...)
{
	char joined[2 * sizeof(e->msg) + 4];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(joined, sizeof(e->msg), fmt, ap);
	va_end(ap);
	size_t front = n < 0 ? 0 : strnlen(joined, sizeof(e->msg) - 1);
	snprintf(joined + front, sizeof(joined) - front, ": %s", e->msg);
	memcpy(e->msg, joined, sizeof(e->msg) - 1);
	e->msg[sizeof(e->msg) - 1] = '\0';
	return -positive(e->code);
}
