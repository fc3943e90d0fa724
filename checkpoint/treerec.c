/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treerec.c - the records inside the frames of tree.h, put and got
 *
 * Pure but for the sink. The getters never read beyond what was given: a short read sets `bad`, gives zeros, and stays
 * bad, so that a record is read whole and judged once. */
#include "checkpoint/treerec.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "runtime/base/str.h"

/* ---- putting ---- */

int tree_flush(struct tree_writer *w, struct error *e)
{
	size_t size = w->used;

	if (!size)
		return 0;
	w->used = 0;
	w->frames++;
	w->bytes += size;
	return w->sink(w->arg, w->buf, size, e);
}

int tree_put(struct tree_writer *w, enum tree_record type, size_t room, struct error *e)
{
	assert(room + TREE_RECORD_HEAD <= sizeof(w->buf));
	if (w->used + TREE_RECORD_HEAD + room > sizeof(w->buf)) {
		int r = tree_flush(w, e);
		if (r < 0)
			return r;
	}
	w->record = w->used;
	w->buf[w->used] = (uint8_t)type;
	w->used += TREE_RECORD_HEAD;
	return 0;
}

static void put_little(uint8_t *at, uint64_t x, int size)
{
	for (int i = 0; i < size; i++)
		at[i] = (uint8_t)(x >> (8 * i));
}

void tree_put_u8(struct tree_writer *w, uint8_t x)
{
	w->buf[w->used++] = x;
}

void tree_put_u16(struct tree_writer *w, uint16_t x)
{
	put_little(w->buf + w->used, x, 2);
	w->used += 2;
}

void tree_put_u32(struct tree_writer *w, uint32_t x)
{
	put_little(w->buf + w->used, x, 4);
	w->used += 4;
}

void tree_put_u64(struct tree_writer *w, uint64_t x)
{
	put_little(w->buf + w->used, x, 8);
	w->used += 8;
}

void tree_put_bytes(struct tree_writer *w, const void *data, size_t size)
{
	if (size)
		memcpy(w->buf + w->used, data, size);
	w->used += size;
}

void tree_put_path(struct tree_writer *w, const char *path)
{
	size_t size = strlen(path);

	tree_put_u16(w, (uint16_t)size);
	tree_put_bytes(w, path, size);
}

static void put_time(struct tree_writer *w, struct timespec t)
{
	tree_put_u64(w, (uint64_t)t.tv_sec);
	tree_put_u32(w, (uint32_t)t.tv_nsec);
}

void tree_put_meta(struct tree_writer *w, const struct tree_meta *m)
{
	tree_put_u32(w, m->mode);
	tree_put_u32(w, m->uid);
	tree_put_u32(w, m->gid);
	tree_put_u32(w, m->major);
	tree_put_u32(w, m->minor);
	put_time(w, m->atime);
	put_time(w, m->mtime);
}

void tree_put_done(struct tree_writer *w)
{
	put_little(w->buf + w->record + 1, w->used - w->record - TREE_RECORD_HEAD, 4);
}

void tree_meta_of(const struct stat *st, struct tree_meta *ret)
{
	bool device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);

	*ret = (struct tree_meta){ .mode = st->st_mode,
				   .uid = st->st_uid,
				   .gid = st->st_gid,
				   .major = device ? major(st->st_rdev) : 0,
				   .minor = device ? minor(st->st_rdev) : 0,
				   .atime = st->st_atim,
				   .mtime = st->st_mtim };
}

/* ---- getting ---- */

const uint8_t *tree_get_bytes(struct tree_reader *r, size_t size)
{
	const uint8_t *at = r->at;

	if (r->bad || (size_t)(r->end - r->at) < size) {
		r->bad = true;
		return NULL;
	}
	r->at += size;
	return at;
}

static uint64_t get_little(struct tree_reader *r, int size)
{
	const uint8_t *at = tree_get_bytes(r, (size_t)size);
	uint64_t x = 0;

	for (int i = size - 1; at && i >= 0; i--)
		x = x << 8 | at[i];
	return x;
}

uint8_t tree_get_u8(struct tree_reader *r)
{
	return (uint8_t)get_little(r, 1);
}

uint16_t tree_get_u16(struct tree_reader *r)
{
	return (uint16_t)get_little(r, 2);
}

uint32_t tree_get_u32(struct tree_reader *r)
{
	return (uint32_t)get_little(r, 4);
}

uint64_t tree_get_u64(struct tree_reader *r)
{
	return get_little(r, 8);
}

static bool is_component(const char *name, size_t size)
{
	if (size == 0 || size > NAME_MAX)
		return false;
	if (name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.')))
		return false;
	return memchr(name, '\0', size) == NULL;
}

bool tree_path_is_good(const char *path, size_t size)
{
	if (size == 0 || size > TREE_PATH_MAX)
		return false;
	for (const char *end = path + size;;) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		if (!is_component(path, (size_t)((slash ? slash : end) - path)))
			return false;
		if (!slash)
			return true;
		path = slash + 1;
	}
}

void tree_get_path(struct tree_reader *r, bool root, char buf[static TREE_PATH_MAX + 1])
{
	size_t size = tree_get_u16(r);
	const char *path = (const char *)tree_get_bytes(r, size);

	buf[0] = '\0';
	if (!path || (size == 0 && root))
		return;
	if (!tree_path_is_good(path, size)) {
		r->bad = true;
		return;
	}
	memcpy(buf, path, size);
	buf[size] = '\0';
}

static struct timespec get_time(struct tree_reader *r)
{
	struct timespec t = { .tv_sec = (time_t)tree_get_u64(r), .tv_nsec = tree_get_u32(r) };

	/* utimensat reads some values beyond a second as orders. */
	if (t.tv_nsec > 999999999)
		r->bad = true;
	return t;
}

void tree_get_meta(struct tree_reader *r, struct tree_meta *ret)
{
	ret->mode = tree_get_u32(r);
	ret->uid = tree_get_u32(r);
	ret->gid = tree_get_u32(r);
	ret->major = tree_get_u32(r);
	ret->minor = tree_get_u32(r);
	ret->atime = get_time(r);
	ret->mtime = get_time(r);
	/* chown reads -1 as "leave it". */
	if (ret->mode & ~(uint32_t)(S_IFMT | 07777) || ret->uid == UINT32_MAX || ret->gid == UINT32_MAX ||
	    ret->major > 0xfff || ret->minor > 0xfffff)
		r->bad = true;
}

void tree_get_attr(struct tree_reader *r, struct tree_attr *ret)
{
	ret->name_size = tree_get_u8(r);
	ret->name = (const char *)tree_get_bytes(r, ret->name_size);
	ret->value_size = tree_get_u32(r);
	ret->value = tree_get_bytes(r, ret->value_size);
}

/* What begins with one of the first is carried, unless it is one of the second: those of overlayfs that mean an inode or a
 * device of the source. */
static const char *const carried[] = { "user.", "trusted.", "security.capability", "system.posix_acl_access",
				       "system.posix_acl_default" };
static const char *const left_out[] = {
	"trusted.overlay.origin", "trusted.overlay.impure", "trusted.overlay.nlink", "trusted.overlay.upper",
	"trusted.overlay.uuid",	  "user.overlay.origin",    "user.overlay.impure",   "user.overlay.nlink",
	"user.overlay.upper",	  "user.overlay.uuid",
};

bool tree_attr_is_carried(const char *name, size_t size)
{
	for (size_t i = 0; i < COUNT_OF(left_out); i++)
		if (strlen(left_out[i]) == size && memcmp(name, left_out[i], size) == 0)
			return false;
	for (size_t i = 0; i < COUNT_OF(carried); i++) {
		size_t start = strlen(carried[i]);
		bool family = str_ends(carried[i], ".");
		if ((family ? size > start : size == start) && memcmp(name, carried[i], start) == 0)
			return memchr(name, '\0', size) == NULL;
	}
	return false;
}

/* Sorted strictly ascending: that is how the sender puts them, and none can come twice. */
static bool attr_follows(const struct tree_attr *a, const struct tree_attr *last)
{
	if (!last->name)
		return true;
	size_t common = a->name_size < last->name_size ? a->name_size : last->name_size;
	int c = memcmp(a->name, last->name, common);
	return c > 0 || (c == 0 && a->name_size > last->name_size);
}

struct tree_reader tree_get_attrs(struct tree_reader *r, uint16_t *ret_count)
{
	struct tree_attr last = { 0 };
	uint16_t count = tree_get_u16(r);
	struct tree_reader list = *r;

	for (uint16_t i = 0; i < count && !r->bad; i++) {
		struct tree_attr a;
		tree_get_attr(r, &a);
		if (r->bad || a.value_size > TREE_VALUE_MAX || !tree_attr_is_carried(a.name, a.name_size) ||
		    !attr_follows(&a, &last))
			r->bad = true;
		last = a;
	}
	if (count > TREE_ATTR_COUNT)
		r->bad = true;
	list.end = r->at;
	*ret_count = r->bad ? 0 : count;
	return list;
}

int tree_next(struct tree_reader *frame, enum tree_record *ret_type, struct tree_reader *ret)
{
	if (frame->at == frame->end)
		return 0;
	unsigned int type = tree_get_u8(frame);
	size_t size = tree_get_u32(frame);
	const uint8_t *at = tree_get_bytes(frame, size);
	if (!at || type < TREE_BEGIN || type >= TREE_RECORD_MAX)
		return -EBADMSG;
	*ret_type = (enum tree_record)type;
	*ret = (struct tree_reader){ .at = at, .end = at + size };
	return 1;
}
