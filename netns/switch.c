/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switch.c - switches as directories: opened, locked, listed */
#include "netns/switch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "netns/link.h"
#include "netns/switch_parts.h"
#include "runtime/base/str.h"

/* ---- one switch ---- */

void switch_free(struct sw *s)
{
	if (!s)
		return;
	switchconf_free(s->conf);
	cleanup_close(&s->dir);
	cleanup_close(&s->leases);
	nl_free(s->route);
	nl_free(s->nft);
	free(s);
}

int switch_lock_dir(struct sw *s, enum switch_lock lock, const char *name, struct error *e)
{
	struct stat st;

	while (flock(s->dir, lock == SWITCH_EXCLUSIVE ? LOCK_EX : LOCK_SH) < 0)
		if (errno != EINTR)
			return fail(e, errno, "lock switch %s", name);
	/* Removed while we waited. */
	if (fstat(s->dir, &st) < 0 || st.st_nlink == 0)
		return refuse(e, ENOENT, "switch `%s` does not exist", name);
	return 0;
}

struct sw *switch_new(const struct switch_place *p)
{
	struct sw *s = calloc(1, sizeof(*s));

	if (s) {
		s->place = p;
		s->dir = s->leases = -1;
	}
	return s;
}

int switch_open(const struct switch_place *p, const char *name, enum switch_lock lock, struct sw **ret,
		struct error *e)
{
	AUTO(switch) struct sw *s = switch_new(p);

	if (!s)
		return fail(e, ENOMEM, "switch %s", name);
	int r = switch_check_name(name, e);
	if (r < 0)
		return r;
	s->dir = openat(p->switches, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dir < 0 && errno == ENOENT)
		return refuse(e, ENOENT, "switch `%s` does not exist", name);
	if (s->dir < 0)
		return fail(e, errno, "open switch %s", name);
	r = switch_lock_dir(s, lock, name, e);
	if (r < 0)
		return r;
	r = switchconf_read(s->dir, &s->conf, e);
	if (r == -ENOENT) /* half made: its maker died */
		return refuse(e, ENOENT, "switch `%s` does not exist", name);
	if (r < 0)
		return prefix(e, "switch %s", name);
	s->leases = openat(s->dir, "leases", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->leases < 0)
		return fail(e, errno, "leases of switch %s", name);
	*ret = take_ptr(s);
	return 0;
}

int switch_route(struct sw *s, struct error *e)
{
	return s->route ? 0 : nl_open(NETLINK_ROUTE, -1, &s->route, e);
}

int switch_nft(struct sw *s, struct error *e)
{
	return s->nft ? 0 : nl_open(NETLINK_NETFILTER, -1, &s->nft, e);
}

/* ---- all of them ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int switch_names(const struct switch_place *p, char ***ret, struct error *e)
{
	auto_close int own = openat(p->switches, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	size_t n = 0;
	struct error ignored;

	if (!dir)
		return fail(e, errno, "list switches");
	take_fd(&own);
	char **names = calloc(1, sizeof(*names));
	for (struct dirent *d; names && (d = readdir(dir));) {
		if (d->d_name[0] == '.' || switch_check_name(d->d_name, &ignored) < 0)
			continue;
		char **grown = realloc(names, (n + 2) * sizeof(*names));
		if (!grown)
			break;
		names = grown;
		names[n] = strdup(d->d_name);
		n += names[n] != NULL;
		names[n] = NULL;
	}
	closedir(dir);
	if (!names)
		return fail(e, ENOMEM, "list switches");
	qsort(names, n, sizeof(*names), by_name);
	*ret = names;
	return 0;
}
