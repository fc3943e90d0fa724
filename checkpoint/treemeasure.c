/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treemeasure.c - the sender: a look beforehand, how much there is and whether all of it can be read */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "checkpoint/treesend.h"

struct measuring {
	struct tree_sender *s;
	struct tree_links *seen;
	struct tree_size size;
};

static int measure_met(void *arg, const struct tree_entry *t, struct error *e)
{
	struct measuring *m = arg;
	struct stat st;

	if (fstatat(t->dir, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(e, errno, "look at %s/%s", m->s->place.name, t->path);
	if (st.st_nlink > 1) {
		if (tree_links_other(m->seen, (struct tree_inode){ st.st_dev, st.st_ino }, NULL))
			return 0;
		if (tree_links_add(m->seen, t->path, (struct tree_inode){ st.st_dev, st.st_ino }) < 0)
			return fail(e, ENOMEM, "%s", m->s->place.name);
	}
	m->size.entries++;
	m->size.bytes += (uint64_t)st.st_blocks * 512;
	if (!S_ISREG(st.st_mode))
		return 0;
	auto_close int fd = tree_open_file(t->dir, t->name, &st);
	if (fd < 0 && fd != -ENOENT && fd != -EAGAIN && fd != -ELOOP && fd != -ENXIO)
		return fail(e, -fd, "open %s/%s", m->s->place.name, t->path);
	return 0;
}

static int measure_left(void *arg, const char *path, int dir, struct error *e)
{
	struct measuring *m = arg;
	struct stat st;

	if (fstat(dir, &st) < 0)
		return fail(e, errno, "look at %s/%s", m->s->place.name, path);
	m->size.entries++;
	m->size.bytes += (uint64_t)st.st_blocks * 512;
	return 0;
}

int tree_measure(struct tree_sender *s, struct tree_size *ret, struct error *e)
{
	struct tree_visitor v = { .entry = measure_met, .leave = measure_left, .live = true };
	AUTO(tree_links) struct tree_links *seen = tree_links_new();

	if (!seen)
		return fail(e, ENOMEM, "%s", s->place.name);
	struct measuring m = { .s = s, .seen = seen };
	int r = tree_walk(&s->place, "", &v, &m, e);
	if (r < 0)
		return r;
	s->measured = *ret = m.size;
	return 0;
}
