/* SPDX-License-Identifier: GPL-2.0-or-later */
/* archive_read.c - the stream back into entries; bounded, digested, and believed only at its end */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "checkpoint/archive.h"
#include "checkpoint/archive_parts.h"
#include "checkpoint/archive_reader.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/str.h"
#include "specs/dispatch.h"

int archive_reader_new(int fd, const struct archive_watch *watch, struct archive_reader **ret,
		       struct error *e)
{
	AUTO(archive_reader) struct archive_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return fail(e, ENOMEM, "read an archive");
	r->fd = fd;
	r->room = ZSTD_DStreamInSize();
	r->packed = malloc(r->room);
	r->z = ZSTD_createDCtx();
	r->parent = -1;
	r->max_bytes = 1 << 20; /* until more is announced: the head */
	r->max_entries = 16;
	if (!r->packed || !r->z)
		return fail(e, ENOMEM, "read an archive");
	sha256_init(&r->sum);
	if (watch)
		r->watch = *watch;
	*ret = take_ptr(r);
	return 0;
}

void archive_reader_free(struct archive_reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_dirs; i++)
		free(r->dirs[i].path);
	free(r->dirs);
	pax_entry_done(&r->x);
	cleanup_close(&r->parent);
	ZSTD_freeDCtx(r->z);
	free(r->packed);
	free(r);
}

void archive_limit(struct archive_reader *r, uint64_t bytes, uint64_t entries)
{
	r->max_bytes = bytes;
	r->max_entries = entries;
}

/* ---- the stream ---- */

/* More packed bytes; a signal ends the wait for a pipe, too. */
static int refill(struct archive_reader *r, struct error *e)
{
	if (interrupt_fd() >= 0) {
		int ready = interrupt_wait(r->fd, -1, -1, e);
		if (ready < 0)
			return ready;
	}
	ssize_t n;
	do
		n = read(r->fd, r->packed, r->room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(e, errno, "read the archive");
	if (n == 0)
		return refuse(e, EBADMSG, "the archive ends too early");
	r->in = (ZSTD_inBuffer){ r->packed, (size_t)n, 0 };
	return 0;
}

/* Exactly so many bytes of the tar stream. */
static int read_plain(struct archive_reader *r, void *data, size_t size, struct error *e)
{
	ZSTD_outBuffer out = { data, size, 0 };

	while (out.pos < out.size) {
		size_t before = out.pos, at = r->in.pos;
		size_t left = ZSTD_decompressStream(r->z, &out, &r->in);
		if (ZSTD_isError(left))
			return refuse(e, EBADMSG, "the archive is damaged, or not one: %s",
				      ZSTD_getErrorName(left));
		r->frame_ended = left == 0;
		if (r->frame_ended && out.pos < out.size)
			return refuse(e, EBADMSG, "the archive ends too early");
		if (out.pos == before && r->in.pos == at) {
			int n = refill(r, e);
			if (n < 0)
				return n;
		}
	}
	sha256_add(&r->sum, data, size);
	return 0;
}

static int told(struct archive_reader *r, size_t size, struct error *e)
{
	r->content += size;
	int n = interrupt_pending(e);
	return n < 0 || !r->watch.tell ? n : r->watch.tell(r->watch.arg, r->content, e);
}

int archive_read_piece(struct archive_reader *r, size_t limit, const uint8_t **ret, size_t *ret_size,
		       struct error *e)
{
	size_t n = sizeof(r->piece) < limit ? sizeof(r->piece) : limit;

	n = r->left < n ? (size_t)r->left : n;
	int k = read_plain(r, r->piece, n, e);
	if (k < 0)
		return k;
	r->left -= n;
	*ret = r->piece;
	*ret_size = n;
	return told(r, n, e);
}

static int skip_rest(struct archive_reader *r, struct error *e)
{
	const uint8_t *piece;
	uint8_t padding[PAX_BLOCK];
	size_t n;

	while (r->left) {
		int k = archive_read_piece(r, SIZE_MAX, &piece, &n, e);
		if (k < 0)
			return k;
	}
	n = r->padding;
	r->padding = 0;
	return read_plain(r, padding, n, e);
}

int archive_read_bytes(struct archive_reader *r, size_t limit, char **ret, size_t *ret_size, struct error *e)
{
	if (r->x.type != PAX_FILE || r->x.sparse)
		return refuse(e, EBADMSG, "%.200s: not a plain file", r->x.path);
	if (r->left > limit)
		return refuse(e, EFBIG, "%.200s: %llu bytes are too many", r->x.path,
			      (unsigned long long)r->left);
	size_t size = (size_t)r->left;
	auto_free char *text = malloc(size + 1);
	if (!text)
		return fail(e, ENOMEM, "read an archive");
	int k = read_plain(r, text, size, e);
	if (k < 0)
		return k;
	r->left = 0;
	text[size] = '\0';
	*ret_size = size;
	*ret = take_ptr(text);
	return told(r, size, e);
}

/* ---- entries ---- */

static int read_records(struct archive_reader *r, uint64_t size, char **ret, struct error *e)
{
	size_t padded = (size_t)pax_padded(size);
	auto_free char *records = malloc(padded + 1);

	if (!records)
		return fail(e, ENOMEM, "read an archive");
	int k = read_plain(r, records, padded, e);
	if (k == 0)
		*ret = take_ptr(records);
	return k;
}

static int read_head(struct archive_reader *r, struct error *e)
{
	auto_free char *records = NULL;
	uint8_t block[PAX_BLOCK];
	uint64_t size = 0;

	pax_entry_done(&r->x);
	r->before = r->sum; /* ARCHIVE_END's digest is of what stands before its own header */
	int k = read_plain(r, block, sizeof(block), e);
	if (k == 0)
		k = pax_parse_block(block, &r->x, &size, e);
	if (k != PAX_RECORDS)
		return k;
	k = read_records(r, size, &records, e);
	if (k == 0)
		k = read_plain(r, block, sizeof(block), e);
	uint64_t none;
	if (k == 0)
		k = pax_parse_block(block, &r->x, &none, e);
	if (k == PAX_RECORDS || k == PAX_END)
		return refuse(e, EBADMSG, "the archive is damaged: an extended header without its entry");
	if (k < 0)
		return k;
	k = pax_apply_records(&r->x, records, (size_t)size, e);
	return k < 0 ? k : PAX_ENTRY;
}

struct end_text {
	const char *sha256, *mac;
};
static const struct field end_fields[] = {
	{ "sha256", JSON_STRING, read_string, offsetof(struct end_text, sha256), FIELD_REQUIRED },
	{ "mac", JSON_STRING, read_string, offsetof(struct end_text, mac), FIELD_REQUIRED },
};
static const struct object end_object = OBJECT(end_fields, struct end_text, .strict = true);

static int parse_end(struct archive_reader *r, const char *text, size_t size, struct error *e)
{
	AUTO(arena) struct arena *a = arena_new();
	const struct reading in = { a, text };
	struct end_text end = { 0 };
	struct json *root = NULL;
	uint8_t want[SHA256_SIZE];

	if (!a)
		return fail(e, ENOMEM, "read an archive");
	int k = json_parse(a, text, size, &root, e);
	if (k == 0)
		k = dispatch(&in, root, &end_object, &end, e);
	if (k < 0) {
		str_make_printable(e->msg);
		return prefix(e, ARCHIVE_END);
	}
	sha256_end(&r->before, r->digest);
	if (!sha256_from_hex(end.sha256, want) || !sha256_equal(want, r->digest))
		return refuse(e, EBADMSG, "the archive is damaged: its digest is wrong");
	r->has_mac = sha256_from_hex(end.mac, r->mac);
	return 0;
}

/* The tar's second block of zeros, and the end of the compressed frame, which has a checksum. */
static int read_tail(struct archive_reader *r, struct error *e)
{
	uint8_t block[PAX_BLOCK], more;
	struct pax_entry x;
	uint64_t none;

	int k = read_plain(r, block, sizeof(block), e);
	if (k == 0)
		k = pax_parse_block(block, &x, &none, e);
	if (k > 0) {
		pax_entry_done(&x);
		return refuse(e, EBADMSG, "the archive is damaged: something stands behind its end");
	}
	while (k == 0 && !r->frame_ended) {
		ZSTD_outBuffer out = { &more, 1, 0 };
		if (r->in.pos == r->in.size)
			k = refill(r, e);
		size_t left = k == 0 ? ZSTD_decompressStream(r->z, &out, &r->in) : 0;
		if (ZSTD_isError(left) || out.pos)
			return refuse(e, EBADMSG, "the archive is damaged: its end");
		r->frame_ended = left == 0;
	}
	return k;
}

/* ARCHIVE_END has been met: its text, then nothing but the tar's end. */
static int read_end(struct archive_reader *r, struct error *e)
{
	auto_free char *text = NULL;
	size_t size = 0;

	int k = archive_read_bytes(r, 4096, &text, &size, e);
	if (k == 0) {
		struct sha256 before = r->before; /* skipping goes on with the sum */
		k = skip_rest(r, e);
		r->before = before;
	}
	if (k == 0)
		k = parse_end(r, text, size, e);
	if (k == 0)
		k = read_head(r, e);
	if (k > 0)
		return refuse(e, EBADMSG, "the archive is damaged: something stands behind its end");
	if (k == 0)
		k = read_tail(r, e);
	r->ended = k == 0;
	return k;
}

static int count(struct archive_reader *r, struct error *e)
{
	r->entries++;
	if (r->entries > r->max_entries)
		return refuse(e, EFBIG, "the archive has more than the %llu files that it announces",
			      (unsigned long long)r->max_entries);
	if (r->x.size > r->max_bytes - r->announced)
		return refuse(e, EFBIG, "the archive has more than the %llu bytes that it announces",
			      (unsigned long long)r->max_bytes);
	r->announced += r->x.size;
	return 0;
}

int archive_next(struct archive_reader *r, const struct pax_entry **ret, struct error *e)
{
	if (r->ended)
		return 0;
	int k = skip_rest(r, e);
	if (k == 0)
		k = read_head(r, e);
	if (k < 0)
		return k;
	if (k == PAX_END)
		return refuse(e, EBADMSG, "the archive ends too early: no " ARCHIVE_END);
	k = pax_check(&r->x, e);
	if (k == 0)
		k = count(r, e);
	if (k < 0)
		return k;
	r->left = r->x.size;
	r->padding = (size_t)(pax_padded(r->x.size) - r->x.size);
	if (str_eq(r->x.path, ARCHIVE_END))
		return read_end(r, e);
	*ret = &r->x;
	return 1;
}

int archive_check_mac(struct archive_reader *r, const struct manifest_key *key, struct error *e)
{
	char hex[SHA256_HEX_SIZE];
	uint8_t want[SHA256_SIZE];

	if (!r->has_mac)
		return refuse(e, EKEYREJECTED, "the archive is not signed, and this node has a key");
	archive_mac(key, r->digest, hex);
	if (!sha256_from_hex(hex, want) || !sha256_equal(want, r->mac))
		return refuse(e, EKEYREJECTED, "the archive's MAC is not one of this node's key");
	return 0;
}
