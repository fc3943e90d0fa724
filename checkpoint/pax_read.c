/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pax_read.c - headers to an entry; every byte of them is a stranger's
 *
 * What a tar may hold and this does not take is refused by name, never skipped: an entry that one reader sees
 * and another does not is how archives lie. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/pax.h"
#include "checkpoint/pax_layout.h"
#include "runtime/base/str.h"

static int bad(struct error *e, const char *what)
{
	return refuse(e, EBADMSG, "not a file that coracle exported: %s", what);
}

/* ---- blocks ---- */

/* Octal digits, then NULs or blanks. */
static bool get_octal(const char *field, size_t size, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		value = value << 3 | (uint64_t)(field[i] - '0');
	if (i == 0)
		return false;
	for (; i < size; i++)
		if (field[i] != '\0' && field[i] != ' ')
			return false;
	*ret = value;
	return true;
}

static char *get_text(const char *field, size_t size)
{
	return strndup(field, size);
}

static bool sum_is_right(const uint8_t *block)
{
	const size_t at = offsetof(struct ustar, chksum), size = sizeof(((struct ustar *)0)->chksum);
	uint64_t want;
	unsigned int sum = 0;

	for (size_t i = 0; i < PAX_BLOCK; i++)
		sum += i >= at && i < at + size ? ' ' : block[i];
	return get_octal((const char *)block + at, size, &want) && want == sum;
}

static bool is_zero(const uint8_t *block)
{
	for (size_t i = 0; i < PAX_BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

static int fill(struct pax_entry *x, const struct ustar *u, struct error *e)
{
	uint64_t mode, uid, gid, mtime, size, major, minor;

	if (!get_octal(u->mode, sizeof(u->mode), &mode) || !get_octal(u->uid, sizeof(u->uid), &uid) ||
	    !get_octal(u->gid, sizeof(u->gid), &gid) || !get_octal(u->mtime, sizeof(u->mtime), &mtime) ||
	    !get_octal(u->size, sizeof(u->size), &size) ||
	    !get_octal(u->devmajor, sizeof(u->devmajor), &major) ||
	    !get_octal(u->devminor, sizeof(u->devminor), &minor))
		return bad(e, "a number is none");
	if (u->prefix[0])
		return bad(e, "a name in two parts");
	x->mode = (uint32_t)mode & 07777;
	x->uid = (uint32_t)uid;
	x->gid = (uint32_t)gid;
	x->mtime = (int64_t)mtime;
	x->size = size;
	x->major = (uint32_t)major;
	x->minor = (uint32_t)minor;
	x->path = get_text(u->name, sizeof(u->name));
	x->link = u->linkname[0] ? get_text(u->linkname, sizeof(u->linkname)) : NULL;
	if (!x->path || (u->linkname[0] && !x->link))
		return fail(e, ENOMEM, "read an archive");
	return PAX_ENTRY;
}

int pax_parse_block(const uint8_t block[static PAX_BLOCK], struct pax_entry *x, uint64_t *ret_size,
		    struct error *e)
{
	struct ustar u;

	memset(x, 0, sizeof(*x));
	if (is_zero(block))
		return PAX_END;
	if (!sum_is_right(block))
		return bad(e, "a header's checksum is wrong");
	memcpy(&u, block, sizeof(u));
	if (memcmp(u.magic,
		   "ustar\0"
		   "00",
		   8) != 0)
		return bad(e, "not in pax format");
	if (u.typeflag == 'x') {
		if (!get_octal(u.size, sizeof(u.size), ret_size) || *ret_size > PAX_MAX_RECORDS)
			return bad(e, "an extended header is too long");
		return PAX_RECORDS;
	}
	if (!strchr("0123456", u.typeflag) || !u.typeflag)
		return bad(e, "an entry of a kind that is not taken");
	x->type = (enum pax_type)u.typeflag;
	int r = fill(x, &u, e);
	if (r < 0)
		pax_entry_done(x);
	return r;
}

/* ---- records ---- */

static int set_text(char **field, const char *value, size_t size, struct error *e)
{
	if (size == 0 || size > PAX_MAX_PATH || memchr(value, '\0', size))
		return bad(e, "a name is empty, too long or has a NUL");
	char *copy = strndup(value, size);
	if (!copy)
		return fail(e, ENOMEM, "read an archive");
	free(*field);
	*field = copy;
	return 0;
}

static int get_number(const char *value, size_t size, uint64_t *ret, struct error *e)
{
	char text[24];

	if (size >= sizeof(text) || memchr(value, '\0', size))
		return bad(e, "a number is none");
	memcpy(text, value, size);
	text[size] = '\0';
	return str_to_u64(text, ret) < 0 ? bad(e, "a number is none") : 0;
}

static int get_id(const char *value, size_t size, uint32_t *ret, struct error *e)
{
	uint64_t n;

	int r = get_number(value, size, &n, e);
	if (r == 0 && n >= UINT32_MAX)
		r = bad(e, "an id is none");
	if (r == 0)
		*ret = (uint32_t)n;
	return r;
}

/* "-12.000000034" */
static int get_time(const char *value, size_t size, struct pax_entry *x, struct error *e)
{
	bool negative = size && value[0] == '-';
	const char *point = memchr(value, '.', size);
	size_t whole = point ? (size_t)(point - value) : size;
	uint64_t seconds;
	uint32_t nanos = 0;

	int r = get_number(value + negative, whole - negative, &seconds, e);
	if (r < 0)
		return r;
	if (seconds > INT64_MAX / 2)
		return bad(e, "a time is none");
	uint32_t unit = 100000000;
	for (size_t i = whole + 1; i < size; i++, unit /= 10) {
		if (value[i] < '0' || value[i] > '9')
			return bad(e, "a time is none");
		nanos += unit * (uint32_t)(value[i] - '0');
	}
	x->mtime = negative ? -(int64_t)seconds : (int64_t)seconds;
	x->mtime_ns = nanos;
	if (negative && nanos) {
		x->mtime--;
		x->mtime_ns = 1000000000 - nanos;
	}
	return 0;
}

static int set_xattr(struct pax_entry *x, const char *name, const char *value, size_t size, struct error *e)
{
	if (!*name || strlen(name) > 255 || size > 65536)
		return bad(e, "an extended attribute's name or size");
	for (size_t i = 0; i < x->n_xattrs; i++)
		if (str_eq(x->xattrs[i].name, name))
			return bad(e, "an extended attribute twice");
	int r = pax_add_xattr(x, name, value, size);
	return r < 0 ? fail(e, -r, "read an archive") : 0;
}

static int apply_record(struct pax_entry *x, const char *key, const char *value, size_t size, struct error *e)
{
	uint64_t n;
	int r;

	if (str_eq(key, "path") || str_eq(key, "GNU.sparse.name"))
		return set_text(&x->path, value, size, e);
	if (str_eq(key, "linkpath"))
		return set_text(&x->link, value, size, e);
	if (str_eq(key, "mtime"))
		return get_time(value, size, x, e);
	if (str_eq(key, "size"))
		return get_number(value, size, &x->size, e);
	if (str_eq(key, "uid"))
		return get_id(value, size, &x->uid, e);
	if (str_eq(key, "gid"))
		return get_id(value, size, &x->gid, e);
	if (str_eq(key, "GNU.sparse.realsize"))
		return get_number(value, size, &x->real_size, e);
	if (str_eq(key, "GNU.sparse.major") || str_eq(key, "GNU.sparse.minor")) {
		r = get_number(value, size, &n, e);
		if (r == 0 && n != (str_eq(key, "GNU.sparse.major") ? 1 : 0))
			r = bad(e, "holes in a format that is not taken");
		x->sparse = true;
		return r;
	}
	if (str_eq(key, "hdrcharset"))
		return size == 6 && memcmp(value, "BINARY", 6) == 0 ? 0 : bad(e, "a character set");
	if (str_starts(key, XATTR_KEY))
		return set_xattr(x, key + strlen(XATTR_KEY), value, size, e);
	return bad(e, "a record of a kind that is not taken");
}

/* "LENGTH KEY=VALUE\n" */
static int take_record(struct pax_entry *x, const char *p, size_t left, size_t *ret_length, struct error *e)
{
	char key[300];
	size_t length = 0, i = 0;

	for (; i < left && i < 8 && p[i] >= '0' && p[i] <= '9'; i++)
		length = length * 10 + (size_t)(p[i] - '0');
	if (i == 0 || i >= left || p[i] != ' ' || length <= i + 1 || length > left || p[length - 1] != '\n')
		return bad(e, "a record's length");
	const char *equals = memchr(p + i + 1, '=', length - i - 2);
	if (!equals)
		return bad(e, "a record without a value");
	size_t n = (size_t)(equals - (p + i + 1));
	if (n == 0 || n >= sizeof(key) || memchr(p + i + 1, '\0', n))
		return bad(e, "a record's key");
	memcpy(key, p + i + 1, n);
	key[n] = '\0';
	*ret_length = length;
	return apply_record(x, key, equals + 1, length - i - 1 - n - 2, e);
}

int pax_apply_records(struct pax_entry *x, const char *records, size_t size, struct error *e)
{
	size_t length = 0;

	for (size_t at = 0; at < size; at += length) {
		int r = take_record(x, records + at, size - at, &length, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the whole ---- */

/* Relative, and each component a name. */
static bool is_inside(const char *path)
{
	size_t n;

	if (!*path || strlen(path) > PAX_MAX_PATH)
		return false;
	for (const char *p = path;; p += n + 1) {
		n = strcspn(p, "/");
		if (n == 0 || n > NAME_MAX || (n == 1 && p[0] == '.') ||
		    (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (p[n] == '\0')
			return true;
	}
}

int pax_check(const struct pax_entry *x, struct error *e)
{
	bool is_link = x->type == PAX_HARD_LINK || x->type == PAX_SYMLINK;

	if (!is_inside(x->path)) {
		char text[96];
		str_format(text, sizeof(text), "%.80s", x->path);
		str_make_printable(text);
		return refuse(e, EBADMSG, "not a file that coracle exported: \"%s\" leads out of it", text);
	}
	if (is_link != (x->link != NULL))
		return bad(e, "a link without a target, or a target without a link");
	if (x->type == PAX_HARD_LINK && !is_inside(x->link))
		return bad(e, "a hard link that leads out of it");
	if (x->type != PAX_FILE && (x->size || x->sparse))
		return bad(e, "contents where there can be none");
	if (x->sparse ? x->real_size > INT64_MAX : x->real_size != 0)
		return bad(e, "a size");
	if (x->size > INT64_MAX)
		return bad(e, "a size");
	return 0;
}

int pax_parse_number(const char *text, size_t size, size_t *at, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = *at;

	for (; i < size && i - *at < 19 && text[i] >= '0' && text[i] <= '9'; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	if (i == *at || i >= size || text[i] != '\n')
		return -EBADMSG;
	*at = i + 1;
	*ret = value;
	return 0;
}

int pax_check_pieces(const struct pax_piece *pieces, size_t n, uint64_t real_size, uint64_t data,
		     struct error *e)
{
	uint64_t end = 0, sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (pieces[i].offset < end || pieces[i].offset > real_size ||
		    pieces[i].size > real_size - pieces[i].offset)
			return bad(e, "the map of a file's holes");
		end = pieces[i].offset + pieces[i].size;
		sum += pieces[i].size;
	}
	return sum == data ? 0 : bad(e, "the map of a file's holes");
}
