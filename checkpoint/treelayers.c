/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treelayers.c - what an overlay file system consists of, from the kernel's list of mounts
 *
 * mountinfo writes blanks, commas, newlines and backslashes of an option as octal numbers. What is then left is the text
 * that was given to mount(2), in which a backslash makes the next byte an ordinary one and a colon parts lower layers (two: what
 * follows has data only); layers that were given one by one (lowerdir+, datadir+; Linux 6.7) are plain. proc(5),
 * Documentation/filesystems/overlayfs.rst. */
#include "checkpoint/treelayers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

#define MOUNTINFO_MAX ((size_t)64 * 1024 * 1024)
#define OVERLAY_MAGIC 0x794c7630
#define LAYERS_MAX    512 /* the kernel's own limit is 500 */

/* ---- the two ways of writing, undone in place ---- */

static void undo_octal(char *text)
{
	char *to = text;

	for (const char *at = text; *at;) {
		bool octal = at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
			     at[3] >= '0' && at[3] <= '7';
		*to++ = octal ? (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0')) : *at;
		at += octal ? 4 : 1;
	}
	*to = '\0';
}

static void undo_backslash(char *text)
{
	char *to = text;

	for (const char *at = text; *at; at++) {
		if (at[0] == '\\' && at[1])
			at++;
		*to++ = *at;
	}
	*to = '\0';
}

/* ---- options ---- */

struct parsing {
	struct arena *a;
	struct tree_layers *l;
	char *upper, *work, *lower; /* as written */
	bool one_by_one;
};

static int add_lower(struct parsing *p, const char *path)
{
	if (p->l->lower_count == LAYERS_MAX)
		return -E2BIG;
	p->l->lower[p->l->lower_count++] = path;
	return 0;
}

static int take_option(struct parsing *p, char *option)
{
	char *value = option, *key = strsep(&value, "=");

	if (!value)
		return 0;
	undo_octal(value);
	if (str_eq(key, "upperdir"))
		p->upper = value;
	else if (str_eq(key, "workdir"))
		p->work = value;
	else if (str_eq(key, "lowerdir"))
		p->lower = value;
	else if (str_eq(key, "lowerdir+") || str_eq(key, "datadir+")) {
		p->one_by_one = true;
		p->l->data_only |= key[0] == 'd';
		return add_lower(p, value);
	}
	return 0;
}

/* "a:b\:c::d": cut at colons without a backslash before them. */
static int split_lower(struct parsing *p, char *text)
{
	char *start = text;

	for (char *at = text;; at++) {
		if (at[0] == '\\' && at[1]) {
			at++;
			continue;
		}
		if (*at && *at != ':')
			continue;
		bool last = !*at;
		*at = '\0';
		if (*start) {
			undo_backslash(start);
			int r = add_lower(p, start);
			if (r < 0)
				return r;
		} else {
			p->l->data_only = true;
		}
		if (last)
			return 0;
		start = at + 1;
	}
}

static int check_absolute(const char *path, struct error *e)
{
	if (path && path[0] != '/')
		return refuse(e, EINVAL, "overlay layer %s is a relative path: mount it with absolute ones",
			      path);
	return 0;
}

static int take_options(struct parsing *p, char *options, struct error *e)
{
	int r = 0;

	for (char *option; r == 0 && (option = strsep(&options, ","));)
		r = take_option(p, option);
	if (r == 0 && p->lower)
		r = split_lower(p, p->lower);
	if (r < 0)
		return fail(e, -r, "overlay layers");
	if (p->upper && !p->one_by_one)
		undo_backslash(p->upper);
	if (p->work && !p->one_by_one)
		undo_backslash(p->work);
	p->l->upper = p->upper;
	p->l->work = p->work;
	r = check_absolute(p->upper, e);
	for (size_t i = 0; r == 0 && i < p->l->lower_count; i++)
		r = check_absolute(p->l->lower[i], e);
	return r;
}

/* A line is "ID parent major:minor root at options [tags] - type source options". */
static char *find_line(char *text, int mount_id)
{
	for (char *line; (line = strsep(&text, "\n"));) {
		uint32_t id;
		char *rest = line, *word = strsep(&rest, " ");
		if (str_to_u32(word, &id) == 0 && id == (uint32_t)mount_id)
			return rest;
	}
	return NULL;
}

int tree_layers_parse(const char *mountinfo, int mount_id, struct arena *a, struct tree_layers *ret,
		      struct error *e)
{
	struct tree_layers l = { .lower = arena_calloc(a, LAYERS_MAX, sizeof(*l.lower)) };
	struct parsing p = { .a = a, .l = &l };
	char *text = arena_strdup(a, mountinfo);

	if (!text || !l.lower)
		return fail(e, ENOMEM, "overlay layers");
	char *line = find_line(text, mount_id);
	char *back = line ? strstr(line, " - ") : NULL;
	if (!back)
		return refuse(e, ENOENT, "mount %d is not in mountinfo", mount_id);
	back += 3;
	char *type = strsep(&back, " ");
	if (!back || !str_eq(type, "overlay"))
		return 0;
	strsep(&back, " ");
	if (!back)
		return 0;
	int r = take_options(&p, back, e);
	if (r < 0)
		return r;
	*ret = l;
	return 1;
}

int tree_layers_of(int dir, const char *name, struct arena *a, struct tree_layers *ret, struct error *e)
{
	auto_free char *mountinfo = NULL;
	struct statx st;

	if (!path_is_on(dir, OVERLAY_MAGIC))
		return 0;
	if (statx(dir, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
		return fail(e, errno ? errno : ENOSYS, "mount of %s", name);
	int r = io_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &mountinfo, NULL, e);
	if (r < 0)
		return r;
	r = tree_layers_parse(mountinfo, (int)st.stx_mnt_id, a, ret, e);
	return r < 0 ? prefix(e, "%s", name) : r;
}
