/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysctl.c - settings below /proc/sys/net: the files that a process sees are those of the namespace it is in
 */
#include "netns/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "netns/link.h"
#include "netns/open.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

#define PATH_ROOM 256

static int make_path(const char *key, const char *link, char path[static PATH_ROOM], struct error *e)
{
	const char *hole = strstr(key, "%s");

	if (!hole != !link || strstr(key, "..") || (link && !link_name_is_valid(link)))
		return refuse(e, EINVAL, "setting net/%s: no such key", key);
	int head = hole ? (int)(hole - key) : (int)strlen(key);
	return str_format(path, PATH_ROOM, "/proc/sys/net/%.*s%s%s", head, key, link ? link : "",
			  hole ? hole + 2 : "") < 0
		       ? refuse(e, ENAMETOOLONG, "setting net/%s", key)
		       : 0;
}

/* In the namespace: compare, and write what differs. */
static int ensure_here(const char *path, const char *value, bool *ret_changed, struct error *e)
{
	char now[128];

	ssize_t n = io_read_small(AT_FDCWD, path, now, sizeof(now), e);
	if (n < 0)
		return (int)n;
	*ret_changed = !str_eq(now, value);
	return *ret_changed ? io_write_file(AT_FDCWD, path, value, e) : 0;
}

int net_sysctl_ensure(int netns, const char *key, const char *link, const char *value, bool *ret_changed,
		      struct error *e)
{
	char path[PATH_ROOM];
	bool changed = false;
	int home;

	int r = make_path(key, link, path, e);
	if (r < 0 || (r = netns_visit(netns, &home, e)) < 0)
		return r;
	r = ensure_here(path, value, &changed, e);
	int back = netns_leave(home, e);
	if (r < 0 || back < 0)
		return r < 0 ? r : back;
	if (ret_changed)
		*ret_changed = changed;
	return 0;
}

int net_sysctl_read(int netns, const char *key, const char *link, char *buf, size_t size, struct error *e)
{
	char path[PATH_ROOM];
	int home;

	int r = make_path(key, link, path, e);
	if (r < 0 || (r = netns_visit(netns, &home, e)) < 0)
		return r;
	ssize_t n = io_read_small(AT_FDCWD, path, buf, size, e);
	int back = netns_leave(home, e);
	return n < 0 ? (int)n : back;
}
