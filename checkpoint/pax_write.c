/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pax_write.c - an entry to its headers */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/pax.h"
#include "checkpoint/pax_layout.h"
#include "runtime/base/str.h"
#include "specs/json.h"

void pax_entry_done(struct pax_entry *x)
{
	for (size_t i = 0; i < x->n_xattrs; i++) {
		free(x->xattrs[i].name);
		free(x->xattrs[i].value);
	}
	free(x->xattrs);
	free(x->path);
	free(x->link);
	memset(x, 0, sizeof(*x));
}

int pax_add_xattr(struct pax_entry *x, const char *name, const void *value, size_t size)
{
	if (x->n_xattrs == PAX_MAX_XATTRS)
		return -E2BIG;
	struct pax_xattr *grown = realloc(x->xattrs, (x->n_xattrs + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	x->xattrs = grown;
	struct pax_xattr *a = &x->xattrs[x->n_xattrs];
	*a = (struct pax_xattr){ strdup(name), malloc(size ? size : 1), size };
	if (!a->name || !a->value) {
		free(a->name);
		free(a->value);
		return -ENOMEM;
	}
	if (size)
		memcpy(a->value, value, size);
	x->n_xattrs++;
	return 0;
}

int pax_append(struct pax_bytes *b, const void *data, size_t size)
{
	if (size > b->room - b->size) {
		size_t room = b->room ? b->room : 4096;
		while (room < b->size + size)
			room *= 2;
		char *grown = realloc(b->p, room);
		if (!grown)
			return -ENOMEM;
		b->p = grown;
		b->room = room;
	}
	if (size)
		memcpy(b->p + b->size, data, size);
	b->size += size;
	return 0;
}

static int pad(struct pax_bytes *b, size_t from)
{
	static const char zeros[PAX_BLOCK];
	size_t size = b->size - from;

	return pax_append(b, zeros, (size_t)pax_padded(size) - size);
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static int append_record(struct pax_bytes *b, const char *key, const void *value, size_t size)
{
	size_t rest = strlen(key) + size + 3, length = rest + 1;
	char number[24];

	for (size_t digits = 1;; digits++) {
		length = rest + digits;
		if ((size_t)snprintf(number, sizeof(number), "%zu", length) == digits)
			break;
	}
	int r = pax_append(b, number, strlen(number));
	if (r == 0)
		r = pax_append(b, " ", 1);
	if (r == 0)
		r = pax_append(b, key, strlen(key));
	if (r == 0)
		r = pax_append(b, "=", 1);
	if (r == 0)
		r = pax_append(b, value, size);
	return r < 0 ? r : pax_append(b, "\n", 1);
}

static int append_number(struct pax_bytes *b, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return append_record(b, key, text, strlen(text));
}

static bool is_utf8(const char *s)
{
	for (size_t left = strlen(s), n; left; left -= n, s += n) {
		n = json_utf8_length(s, left);
		if (!n)
			return false;
	}
	return true;
}

static bool fits(const char *s, size_t size)
{
	return strlen(s) <= size;
}

static int append_mtime(struct pax_bytes *b, const struct pax_entry *x)
{
	char text[40];
	int64_t seconds = x->mtime;
	uint32_t nanos = x->mtime_ns;

	/* Decimal, not floor and fraction: half a second before 1970 is -0.5. */
	bool negative = seconds < 0;
	if (negative && nanos) {
		seconds++;
		nanos = 1000000000 - nanos;
	}
	uint64_t whole = negative ? (uint64_t)-seconds : (uint64_t)seconds;
	snprintf(text, sizeof(text), "%s%" PRIu64 ".%09" PRIu32, negative ? "-" : "", whole, nanos);
	return append_record(b, "mtime", text, strlen(text));
}

static int append_names(struct pax_bytes *b, const struct pax_entry *x)
{
	int r = 0;

	if (!is_utf8(x->path) || (x->link && !is_utf8(x->link)))
		r = append_record(b, "hdrcharset", "BINARY", 6);
	if (r == 0 && x->sparse)
		r = append_record(b, "GNU.sparse.name", x->path, strlen(x->path));
	else if (r == 0 && !fits(x->path, sizeof(((struct ustar *)0)->name)))
		r = append_record(b, "path", x->path, strlen(x->path));
	if (r == 0 && x->link && !fits(x->link, sizeof(((struct ustar *)0)->linkname)))
		r = append_record(b, "linkpath", x->link, strlen(x->link));
	return r;
}

static int append_records(struct pax_bytes *b, const struct pax_entry *x)
{
	char key[300];
	int r = append_names(b, x);

	if (r == 0)
		r = append_mtime(b, x);
	if (r == 0 && x->size > OCTAL_MAX_11)
		r = append_number(b, "size", x->size);
	if (r == 0 && x->uid > OCTAL_MAX_7)
		r = append_number(b, "uid", x->uid);
	if (r == 0 && x->gid > OCTAL_MAX_7)
		r = append_number(b, "gid", x->gid);
	if (r == 0 && x->sparse) {
		r = append_record(b, "GNU.sparse.major", "1", 1);
		if (r == 0)
			r = append_record(b, "GNU.sparse.minor", "0", 1);
		if (r == 0)
			r = append_number(b, "GNU.sparse.realsize", x->real_size);
	}
	for (size_t i = 0; r == 0 && i < x->n_xattrs; i++) {
		if (str_format(key, sizeof(key), XATTR_KEY "%s", x->xattrs[i].name) < 0)
			return -EINVAL;
		r = append_record(b, key, x->xattrs[i].value, x->xattrs[i].size);
	}
	return r;
}

/* A number as octal digits and a NUL; what does not fit stands in a record, and 0 here. */
static void put_octal(char *field, size_t size, uint64_t value)
{
	uint64_t max = (UINT64_C(1) << (3 * (size - 1))) - 1;
	char text[24];

	snprintf(text, sizeof(text), "%0*" PRIo64, (int)size - 1, value > max ? 0 : value);
	memcpy(field, text, size - 1);
}

static void put_text(char *field, size_t size, const char *text)
{
	size_t n = strlen(text);

	memcpy(field, text, n < size ? n : size);
}

static int append_block(struct pax_bytes *b, char type, const char *path, const char *link, uint64_t size,
			const struct pax_entry *x)
{
	struct ustar u = { 0 };
	unsigned int sum = 0;

	put_text(u.name, sizeof(u.name), path);
	put_octal(u.mode, sizeof(u.mode), x->mode & 07777);
	put_octal(u.uid, sizeof(u.uid), x->uid);
	put_octal(u.gid, sizeof(u.gid), x->gid);
	put_octal(u.size, sizeof(u.size), size);
	put_octal(u.mtime, sizeof(u.mtime), x->mtime < 0 ? 0 : (uint64_t)x->mtime);
	u.typeflag = type;
	put_text(u.linkname, sizeof(u.linkname), link ? link : "");
	memcpy(u.magic,
	       "ustar\0"
	       "00",
	       8);
	put_octal(u.devmajor, sizeof(u.devmajor), x->major);
	put_octal(u.devminor, sizeof(u.devminor), x->minor);
	memset(u.chksum, ' ', sizeof(u.chksum));
	for (size_t i = 0; i < sizeof(u); i++)
		sum += ((const uint8_t *)&u)[i];
	snprintf(u.chksum, 7, "%06o", sum);
	u.chksum[7] = ' ';
	return pax_append(b, &u, sizeof(u));
}

int pax_write(struct pax_bytes *b, const struct pax_entry *x)
{
	struct pax_bytes records = { 0 };

	if (x->type != PAX_FILE && x->size)
		return -EINVAL;
	int r = append_records(&records, x);
	if (r == 0)
		r = append_block(b, 'x', "PaxHeaders/entry", NULL, records.size,
				 &(struct pax_entry){ .mode = 0600 });
	size_t from = b->size;
	if (r == 0)
		r = pax_append(b, records.p, records.size);
	if (r == 0)
		r = pad(b, from);
	pax_bytes_done(&records);
	return r < 0 ? r : append_block(b, (char)x->type, x->path, x->link, x->size, x);
}

int pax_write_map(struct pax_bytes *b, const struct pax_piece *pieces, size_t n)
{
	size_t from = b->size;
	char text[64];

	snprintf(text, sizeof(text), "%zu\n", n);
	int r = pax_append(b, text, strlen(text));
	for (size_t i = 0; r == 0 && i < n; i++) {
		snprintf(text, sizeof(text), "%" PRIu64 "\n%" PRIu64 "\n", pieces[i].offset, pieces[i].size);
		r = pax_append(b, text, strlen(text));
	}
	return r < 0 ? r : pad(b, from);
}
