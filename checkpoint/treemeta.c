/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treemeta.c - the receiver: owner, mode, attributes and times of an object, and how its failures read */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "checkpoint/treereceive.h"
#include "runtime/base/str.h"

const char *tree_shown(const char *path, char buf[static 256])
{
	snprintf(buf, 256, "%.250s", path);
	str_make_printable(buf);
	return buf;
}

int tree_failed(const struct tree_receiver *r, int errnum, const char *what, const char *path,
		struct error *e)
{
	char buf[256];

	if (errnum == ENOSPC || errnum == EDQUOT)
		return fail(e, errnum, "%s: %s %s after %" PRIu64 " bytes in %" PRIu64 " objects",
			    r->place.name, what, tree_shown(path, buf), r->counts.data, r->made);
	return fail(e, errnum, "%s: %s %s", r->place.name, what, tree_shown(path, buf));
}

/* ---- owner, mode, attributes, times ---- */

struct tree_object tree_object_of(int fd, int dir, const char *name, const char *path)
{
	struct tree_object o = { .fd = fd, .dir = dir, .name = name, .path = path };

	if (fd < 0)
		snprintf(o.proc, sizeof(o.proc), "/proc/self/fd/%d/%s", dir, name);
	return o;
}

static int set_attr(const struct tree_object *o, const char *name, const struct tree_attr *a)
{
	int n = o->fd >= 0 ? fsetxattr(o->fd, name, a->value, a->value_size, 0)
			   : lsetxattr(o->proc, name, a->value, a->value_size, 0);

	return n < 0 ? -errno : 0;
}

static bool is_listed(struct tree_reader list, uint16_t count, const char *name)
{
	for (uint16_t i = 0; i < count; i++) {
		struct tree_attr a;
		tree_get_attr(&list, &a);
		if (strlen(name) == a.name_size && memcmp(a.name, name, a.name_size) == 0)
			return true;
	}
	return false;
}

/* Remove those that are there and not listed: of an older version, or inherited from the directory. */
static int drop_attrs(struct tree_receiver *r, const struct tree_object *o, struct tree_reader list,
		      uint16_t count, struct error *e)
{
	char small[1024];
	auto_free char *big = NULL;
	char *names = small;

	ssize_t n = o->fd >= 0 ? flistxattr(o->fd, small, sizeof(small))
			       : llistxattr(o->proc, small, sizeof(small));
	if (n < 0 && errno == ERANGE) {
		names = big = malloc(XATTR_LIST_MAX);
		if (!big)
			return fail(e, ENOMEM, "%s", r->place.name);
		n = o->fd >= 0 ? flistxattr(o->fd, big, XATTR_LIST_MAX)
			       : llistxattr(o->proc, big, XATTR_LIST_MAX);
	}
	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : tree_failed(r, errno, "list attributes of", o->path, e);
	for (const char *at = names; at < names + n; at += strlen(at) + 1) {
		if (!tree_attr_is_carried(at, strlen(at)) || is_listed(list, count, at))
			continue;
		int gone = o->fd >= 0 ? fremovexattr(o->fd, at) : lremovexattr(o->proc, at);
		if (gone < 0 && errno != ENODATA)
			return tree_failed(r, errno, "remove an attribute of", o->path, e);
	}
	return 0;
}

static int set_attrs(struct tree_receiver *r, const struct tree_object *o, struct tree_reader list,
		     uint16_t count, struct error *e)
{
	int n = drop_attrs(r, o, list, count, e);

	for (uint16_t i = 0; i < count && n == 0; i++) {
		struct tree_attr a;
		char name[UINT8_MAX + 1], what[UINT8_MAX + 32];
		tree_get_attr(&list, &a);
		memcpy(name, a.name, a.name_size);
		name[a.name_size] = '\0';
		n = set_attr(o, name, &a);
		if (n < 0) {
			snprintf(what, sizeof(what), "set attribute %s of", name);
			str_make_printable(what);
			n = tree_failed(r, -n, what, o->path, e);
		}
	}
	return n;
}

int tree_set_meta(struct tree_receiver *r, const struct tree_object *o, const struct tree_meta *m,
		  struct tree_reader attrs, uint16_t attr_count, struct error *e)
{
	const struct timespec times[2] = { m->atime, m->mtime };
	int n = o->fd >= 0 ? fchown(o->fd, m->uid, m->gid)
			   : fchownat(o->dir, o->name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW);

	if (n < 0)
		return tree_failed(r, errno, "set owner of", o->path, e);
	if (!S_ISLNK(m->mode)) {
		n = o->fd >= 0 ? fchmod(o->fd, m->mode & 07777) : chmod(o->proc, m->mode & 07777);
		if (n < 0)
			return tree_failed(r, errno, "set mode of", o->path, e);
	}
	n = set_attrs(r, o, attrs, attr_count, e);
	if (n < 0)
		return n;
	n = o->fd >= 0 ? futimens(o->fd, times) : utimensat(o->dir, o->name, times, AT_SYMLINK_NOFOLLOW);
	return n < 0 ? tree_failed(r, errno, "set times of", o->path, e) : 0;
}
