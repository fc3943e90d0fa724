/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timens.c - clock offsets of a new time namespace
 *
 * In SETUP, between unshare(CLONE_NEWTIME) and the clone of INIT: the first process that enters freezes the
 * offsets. See time_namespaces(7). */
#include "namespaces/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"

char *timens_format_offsets(const struct spec_time_offset *offsets, size_t count)
{
	size_t room = 1;

	for (size_t i = 0; i < count; i++)
		room += strlen(offsets[i].clock) + sizeof(" -9223372036854775808 4294967295\n");
	char *text = malloc(room);
	if (!text)
		return NULL;
	char *p = text;
	*p = '\0';
	for (size_t i = 0; i < count; i++)
		p += sprintf(p, "%s %" PRId64 " %" PRIu32 "\n", offsets[i].clock, offsets[i].secs,
			     offsets[i].nanosecs);
	return text;
}

int timens_write_offsets(const struct spec *s, struct error *e)
{
	auto_free char *text = timens_format_offsets(s->time_offsets, s->n_time_offsets);
	if (!text)
		return fail(e, ENOMEM, "time offsets");
	return io_write_file(AT_FDCWD, "/proc/self/timens_offsets", text, e);
}
