/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switch_place.c - where switches are */
#include "netns/switch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "runtime/base/str.h"

#define DEFAULT_SWITCHES "/var/lib/coracle/switches"
#define DEFAULT_HOSTS	 "/run/coracle-switches"

/* Make a directory with its parents; the last one with this mode. */
static int make_path(const char *path, mode_t mode, struct error *e)
{
	char part[PATH_MAX];

	if (str_format(part, sizeof(part), "%s", path) < 0)
		return fail(e, ENAMETOOLONG, "directory %.100s", path);
	for (char *slash = part + 1; *part && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return fail(e, errno, "make directory %s", part);
		*slash = '/';
	}
	if (mkdir(part, mode) < 0 && errno != EEXIST)
		return fail(e, errno, "make directory %s", part);
	return 0;
}

static int open_place(const char *path, mode_t mode, bool make, int *ret, struct error *e)
{
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret < 0 && errno == ENOENT && make) {
		int r = make_path(path, mode, e);
		if (r < 0)
			return r;
		*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return *ret < 0 ? fail(e, errno, "open directory %s", path) : 0;
}

int switch_place_open(const char *dir, bool make, struct switch_place *ret, struct error *e)
{
	struct switch_place p = SWITCH_PLACE_INIT;

	int r = dir ? str_format(p.hosts_path, sizeof(p.hosts_path), "%s/.hosts", dir)
		    : str_format(p.hosts_path, sizeof(p.hosts_path), DEFAULT_HOSTS);
	if (r < 0)
		return fail(e, -r, "directory %.100s", dir);
	if (p.hosts_path[0] != '/')
		return refuse(e, EINVAL, "the switches' directory `%.100s` is not an absolute path", dir);
	r = open_place(dir ? dir : DEFAULT_SWITCHES, 0700, make, &p.switches, e);
	/* Containers' users must be able to look at their hosts file through the mount: the mount is of the
	 * file, so the directory's mode does not matter to them. */
	if (r == 0)
		r = open_place(p.hosts_path, 0700, true, &p.hosts, e);
	if (r < 0) {
		switch_place_done(&p);
		return r;
	}
	*ret = p;
	return 0;
}

void switch_place_done(struct switch_place *p)
{
	replace_fd(&p->switches, -1);
	replace_fd(&p->hosts, -1);
}
