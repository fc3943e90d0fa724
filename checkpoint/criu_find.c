/* SPDX-License-Identifier: GPL-2.0-or-later */
/* criu_find.c - which CRIU is used
 *
 * One that was named is used or refused, never passed over in silence. Else a private one (it was brought
 * because the system's does not serve this kernel) comes before the system's. */
#include "checkpoint/criu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/str.h"

static const char *const places[] = {
	"/usr/local/lib/coracle/criu/bin/criu", /* made by quickstart */
	"/opt/coracle/criu/bin/criu",
	"/usr/local/sbin/criu",
	"/usr/local/bin/criu",
	"/usr/sbin/criu",
	"/usr/bin/criu",
	"/sbin/criu",
};

/* It will be executed as root: nobody else may have a say in what it is. */
static int check(const char *path, struct error *e)
{
	struct stat st;

	if (*path != '/')
		return refuse(e, EINVAL, "CRIU: \"%s\" is not an absolute path", path);
	if (stat(path, &st) < 0)
		return fail(e, errno, "CRIU: %s", path);
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return refuse(e, EACCES, "CRIU: %s is no program", path);
	if (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH))
		return refuse(e, EPERM, "CRIU: %s can be changed by others than root: it is not executed",
			      path);
	return 0;
}

int criu_find(const char *given, char **ret, struct error *e)
{
	const char *named = given && *given ? given : getenv("CORACLE_CRIU");
	const char *found = NULL;
	struct error ignored;

	if (named && *named) {
		int r = check(named, e);
		if (r < 0)
			return r;
		found = named;
	}
	for (size_t i = 0; !found && i < COUNT_OF(places); i++)
		if (check(places[i], &ignored) == 0)
			found = places[i];
	if (!found)
		return refuse(
			e, ENOENT,
			"no CRIU is installed: checkpoint, restore and migration need version 3.17 or later "
			"(Debian: criu), or --criu PATH");
	*ret = strdup(found);
	return *ret ? 0 : fail(e, ENOMEM, "CRIU");
}
