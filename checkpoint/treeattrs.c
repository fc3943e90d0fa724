/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treeattrs.c - the extended attributes of an object, as they go into its record: sorted, those that are carried */
#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "checkpoint/treesend.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

/* An object by its handle, or by a name that is not followed, through the handle of its directory. */
struct object {
	int fd;
	char path[FD_PATH_SIZE + 1 + 256];
};

static ssize_t list_names(const struct object *o, char *list, size_t size)
{
	return o->fd >= 0 ? flistxattr(o->fd, list, size) : llistxattr(o->path, list, size);
}

static ssize_t get_value(const struct object *o, const char *name, void *value, size_t size)
{
	return o->fd >= 0 ? fgetxattr(o->fd, name, value, size) : lgetxattr(o->path, name, value, size);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Cut the kernel's list into its names, keep those that are carried, sort them. */
static int sort_names(char *list, size_t size, char **names)
{
	int count = 0;

	for (char *at = list; at < list + size; at += strlen(at) + 1)
		if (tree_attr_is_carried(at, strlen(at))) {
			if (count == TREE_ATTR_COUNT)
				return -E2BIG;
			names[count++] = at;
		}
	/* cppcheck-suppress uninitvar */
	qsort(names, (size_t)count, sizeof(*names), compare_names);
	return count;
}

static void put_count(struct tree_attrs *a, int count)
{
	a->bytes[0] = (uint8_t)count;
	a->bytes[1] = (uint8_t)(count >> 8);
}

/* Append one; 0 if it has vanished meanwhile. */
static int append_attr(struct tree_attrs *a, const struct object *o, const char *name)
{
	size_t name_size = strlen(name), head = 1 + name_size + 4;
	uint8_t *at = a->bytes + a->size;

	if (sizeof(a->bytes) - a->size < head)
		return -E2BIG;
	size_t room = sizeof(a->bytes) - a->size - head;
	ssize_t n = get_value(o, name, at + head, room);
	if (n < 0)
		return errno == ENODATA ? 0 : errno == ERANGE ? -E2BIG : -errno;
	if (room == 0 && n > 0) /* a size of 0 asks for the size */
		return -E2BIG;
	at[0] = (uint8_t)name_size;
	memcpy(at + 1, name, name_size); /* NOLINT(bugprone-not-null-terminated-result): it is counted */
	for (int i = 0; i < 4; i++)
		at[1 + name_size + (size_t)i] = (uint8_t)((size_t)n >> (8 * i));
	a->size += head + (size_t)n;
	return 1;
}

static int read_listed(struct tree_attrs *a, const struct object *o, char *list, size_t size)
{
	char *names[TREE_ATTR_COUNT];
	int count = sort_names(list, size, names), put = 0;

	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		int r = append_attr(a, o, names[i]);
		if (r < 0)
			return r;
		put += r;
	}
	put_count(a, put);
	return 0;
}

int tree_read_attrs(struct tree_attrs *a, int fd, int dir, const char *name, bool live,
		    const struct tree_place *place, const char *path, struct error *e)
{
	struct object o = { .fd = fd };
	char small[1024];
	auto_free char *big = NULL;
	char *list = small;

	put_count(a, 0);
	a->size = 2;
	if (fd < 0)
		snprintf(o.path, sizeof(o.path), "/proc/self/fd/%d/%s", dir, name);
	ssize_t n = list_names(&o, small, sizeof(small));
	if (n < 0 && errno == ERANGE) {
		list = big = malloc(XATTR_LIST_MAX);
		if (!big)
			return fail(e, ENOMEM, "%s/%s", place->name, path);
		n = list_names(&o, big, XATTR_LIST_MAX);
	}
	if (n < 0 && (errno == EOPNOTSUPP || (live && errno == ENOENT)))
		return 0;
	if (n < 0)
		return fail(e, errno, "list attributes of %s/%s", place->name, path);
	if (n == 0)
		return 0;
	int r = read_listed(a, &o, list, (size_t)n);
	if (r == -E2BIG)
		return refuse(e, E2BIG, "%s/%s: more than %zu bytes or %d of extended attributes",
			      place->name, path, TREE_ATTRS_MAX, TREE_ATTR_COUNT);
	if (r < 0)
		return fail(e, -r, "read attributes of %s/%s", place->name, path);
	return 0;
}
