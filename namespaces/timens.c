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
#include <sys/prctl.h>

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

static int write_offsets(const char *text, struct error *e)
{
	return io_write_file(AT_FDCWD, "/proc/self/timens_offsets", text, e);
}

/* The file of a process that is not dumpable belongs to the host's root, whom a user namespace does not know.
 * SETUP is in no pid namespace of the container: nobody inside can make use of the moment. */
int timens_write_offsets(const struct spec *s, struct error *e)
{
	struct error closed = { 0 };

	auto_free char *text = timens_format_offsets(s->time_offsets, s->n_time_offsets);
	if (!text)
		return fail(e, ENOMEM, "time offsets");
	int r = write_offsets(text, &closed);
	if (r == -EACCES && prctl(PR_GET_DUMPABLE) != 1 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0) {
		r = write_offsets(text, &closed);
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	}
	if (r < 0)
		*e = closed;
	return r;
}
