/* SPDX-License-Identifier: GPL-2.0-or-later */
/* archive_attrs.c - extended attributes, read and set through a handle's name in /proc, which for a link is
 * the link itself */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "checkpoint/archive_parts.h"
#include "runtime/base/str.h"

bool archive_takes_xattr(const char *name)
{
	static const char *const exact[] = {
		"security.capability",	    "system.posix_acl_access",	"system.posix_acl_default",
		"trusted.overlay.opaque",   "trusted.overlay.redirect", "trusted.overlay.metacopy",
		"trusted.overlay.whiteout", "user.overlay.opaque",	"user.overlay.whiteout",
	};
	for (size_t i = 0; i < COUNT_OF(exact); i++)
		if (str_eq(name, exact[i]))
			return true;
	return str_starts(name, "user.") && !str_starts(name, "user.overlay.");
}

static int get_one(const char *path, const char *name, struct pax_entry *x, struct error *e)
{
	char value[65536];

	ssize_t n = getxattr(path, name, value, sizeof(value));
	if (n < 0 && errno == ENODATA)
		return 0;
	if (n < 0)
		return fail(e, errno, "read attribute %s of %s", name, x->path);
	int r = pax_add_xattr(x, name, value, (size_t)n);
	return r < 0 ? fail(e, -r, "read attribute %s of %s", name, x->path) : 0;
}

int archive_get_xattrs(const char *path, struct pax_entry *x, struct error *e)
{
	char names[65536];

	ssize_t n = listxattr(path, names, sizeof(names));
	if (n < 0)
		return errno == ENOTSUP || errno == EPERM ? 0
							  : fail(e, errno, "list attributes of %s", x->path);
	int r = 0;
	for (const char *name = names; r == 0 && name < names + n; name += strlen(name) + 1)
		if (archive_takes_xattr(name))
			r = get_one(path, name, x, e);
	return r;
}

int archive_set_xattrs(const char *path, const struct pax_entry *x, struct error *e)
{
	for (size_t i = 0; i < x->n_xattrs; i++) {
		const struct pax_xattr *a = &x->xattrs[i];
		char name[64];
		str_format(name, sizeof(name), "%.60s", a->name);
		str_make_printable(name);
		if (!archive_takes_xattr(a->name))
			return refuse(e, EBADMSG, "not a file that coracle exported: an attribute %s", name);
		if (setxattr(path, a->name, a->value, a->size, 0) < 0)
			return fail(e, errno, "set attribute %s of %s", name, x->path);
	}
	return 0;
}
