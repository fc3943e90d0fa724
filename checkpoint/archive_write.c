/* SPDX-License-Identifier: GPL-2.0-or-later */
/* archive_write.c - files into one stream: the stream itself, and single files */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <zstd.h>

#include "checkpoint/archive.h"
#include "checkpoint/archive_parts.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "specs/jsonout.h"

#define PIECE (256U << 10)

struct archive_writer {
	int fd;
	ZSTD_CCtx *z;
	bool slow; /* fd is no file */
	void *packed;
	size_t room;
	struct sha256 sum;
	struct archive_watch watch;
	uint64_t content, written;
	uint8_t piece[PIECE];
};

int archive_writer_new(int fd, int level, const struct archive_watch *watch, struct archive_writer **ret,
		       struct error *e)
{
	AUTO(archive_writer) struct archive_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return fail(e, ENOMEM, "write an archive");
	struct stat st;
	w->fd = fd;
	w->slow = fstat(fd, &st) == 0 && !S_ISREG(st.st_mode);
	w->room = ZSTD_CStreamOutSize();
	w->packed = malloc(w->room);
	w->z = ZSTD_createCCtx();
	if (!w->packed || !w->z)
		return fail(e, ENOMEM, "write an archive");
	ZSTD_CCtx_setParameter(w->z, ZSTD_c_compressionLevel, level ? level : 1);
	ZSTD_CCtx_setParameter(w->z, ZSTD_c_checksumFlag, 1);
	/* A thread compresses while we read, where the library has threads. */
	ZSTD_CCtx_setParameter(w->z, ZSTD_c_nbWorkers, 1);
	sha256_init(&w->sum);
	if (watch)
		w->watch = *watch;
	*ret = take_ptr(w);
	return 0;
}

void archive_writer_free(struct archive_writer *w)
{
	if (!w)
		return;
	ZSTD_freeCCtx(w->z);
	free(w->packed);
	free(w);
}

/* Into a pipe or socket only as much as it takes at once (a pipe says "writable" when it has room for a page):
 * whoever does not read does not keep a signal from ending us. */
static int write_slowly(int fd, const char *data, size_t size, struct error *e)
{
	enum { AT_ONCE = 4096 };

	while (size) {
		struct pollfd p[] = { { .fd = fd, .events = POLLOUT },
				      { .fd = interrupt_fd(), .events = POLLIN } };
		int r = poll(p, 2, -1) < 0 && errno != EINTR ? fail(e, errno, "poll") : interrupt_pending(e);
		if (r < 0)
			return r;
		if (!p[0].revents)
			continue;
		ssize_t n = write(fd, data, size < AT_ONCE ? size : AT_ONCE);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return fail(e, errno, "write");
		data += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int write_out(struct archive_writer *w, size_t size, struct error *e)
{
	int r = w->slow ? write_slowly(w->fd, w->packed, size, e) : io_write_all(w->fd, w->packed, size, e);

	w->written += size;
	return r < 0 ? prefix(e, "the archive") : 0;
}

static int squeeze(struct archive_writer *w, const void *data, size_t size, ZSTD_EndDirective how,
		   struct error *e)
{
	ZSTD_inBuffer in = { data, size, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { w->packed, w->room, 0 };
		left = ZSTD_compressStream2(w->z, &out, &in, how);
		if (ZSTD_isError(left))
			return refuse(e, EIO, "compress: %s", ZSTD_getErrorName(left));
		int r = write_out(w, out.pos, e);
		if (r < 0)
			return r;
	} while (in.pos < in.size || (how == ZSTD_e_end && left));
	return 0;
}

int archive_put_plain(struct archive_writer *w, const void *data, size_t size, struct error *e)
{
	sha256_add(&w->sum, data, size);
	return squeeze(w, data, size, ZSTD_e_continue, e);
}

static int put_padding(struct archive_writer *w, uint64_t size, struct error *e)
{
	static const char zeros[PAX_BLOCK];

	return archive_put_plain(w, zeros, (size_t)(pax_padded(size) - size), e);
}

int archive_put_entry(struct archive_writer *w, const struct pax_entry *x, struct error *e)
{
	struct pax_bytes head = { 0 };

	int r = pax_write(&head, x);
	r = r < 0 ? fail(e, -r, "describe %s", x->path) : archive_put_plain(w, head.p, head.size, e);
	pax_bytes_done(&head);
	return r;
}

static int told(struct archive_writer *w, size_t size, struct error *e)
{
	w->content += size;
	int r = interrupt_pending(e);
	return r < 0 || !w->watch.tell ? r : w->watch.tell(w->watch.arg, w->content, e);
}

/* One piece of a file. A file that is shorter than it was is an error: it must stand still. */
static int put_piece(struct archive_writer *w, int fd, struct pax_piece p, const char *name, struct error *e)
{
	while (p.size) {
		size_t want = p.size < PIECE ? (size_t)p.size : PIECE;
		ssize_t n = pread(fd, w->piece, want, (off_t)p.offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(e, errno, "read %s", name);
		if (n == 0)
			return refuse(e, EAGAIN, "%s became shorter while it was read", name);
		int r = archive_put_plain(w, w->piece, (size_t)n, e);
		if (r == 0)
			r = told(w, (size_t)n, e);
		if (r < 0)
			return r;
		p.offset += (uint64_t)n;
		p.size -= (uint64_t)n;
	}
	return 0;
}

/* ---- holes ---- */

static int add_piece(struct archive_pieces *list, uint64_t offset, uint64_t size)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 16;
		struct pax_piece *grown = realloc(list->v, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->v = grown;
		list->room = room;
	}
	list->v[list->n++] = (struct pax_piece){ offset, size };
	list->bytes += size;
	return 0;
}

int archive_pieces_of(int fd, const struct stat *st, struct archive_pieces *ret, struct error *e)
{
	struct archive_pieces list = { 0 };
	off_t size = st->st_size, at = 0;
	int r = 0;

	list.sparse = st->st_size > 0 && st->st_blocks < st->st_size / 512;
	while (list.sparse && r == 0 && at < size) {
		off_t data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		off_t end = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (end < 0 || list.n == PAX_MAX_HOLES) {
			/* A file system that does not tell: it has none. */
			list.n = 0;
			list.bytes = 0;
			list.sparse = false;
			break;
		}
		end = end < size ? end : size;
		r = data < end ? add_piece(&list, (uint64_t)data, (uint64_t)(end - data)) : 0;
		at = end;
	}
	if (r == 0 && !list.sparse)
		r = add_piece(&list, 0, (uint64_t)size);
	if (r < 0) {
		free(list.v);
		return fail(e, ENOMEM, "look for holes");
	}
	*ret = list;
	return 0;
}

static int put_pieces(struct archive_writer *w, struct pax_entry *x, int fd,
		      const struct archive_pieces *list, const char *name, struct error *e)
{
	struct pax_bytes map = { 0 };
	int r = 0;

	x->size = list->bytes;
	x->sparse = list->sparse;
	if (list->sparse) {
		r = pax_write_map(&map, list->v, list->n);
		if (r < 0)
			fail(e, ENOMEM, "describe %s", name);
		x->real_size = list->real_size;
		x->size += map.size;
	}
	if (r == 0)
		r = archive_put_entry(w, x, e);
	if (r == 0)
		r = archive_put_plain(w, map.p, map.size, e);
	for (size_t i = 0; r == 0 && i < list->n; i++)
		r = put_piece(w, fd, list->v[i], name, e);
	pax_bytes_done(&map);
	return r < 0 ? r : put_padding(w, list->bytes, e);
}

/* `x` has everything but what its contents are. */
int archive_put_contents(struct archive_writer *w, struct pax_entry *x, int fd, const char *name,
			 struct error *e)
{
	struct archive_pieces list;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse(e, EINVAL, "%s: not a regular file", name);
	int r = archive_pieces_of(fd, &st, &list, e);
	if (r < 0)
		return prefix(e, "%s", name);
	list.real_size = (uint64_t)st.st_size;
	r = put_pieces(w, x, fd, &list, name, e);
	free(list.v);
	return r;
}

/* ---- single files ---- */

static int own_entry(struct pax_entry *x, enum pax_type type, const char *path, uint32_t mode,
		     struct error *e)
{
	*x = (struct pax_entry){ .type = type, .mode = mode };
	x->path = strdup(path);
	return x->path ? 0 : fail(e, ENOMEM, "write an archive");
}

int archive_put_bytes(struct archive_writer *w, const char *path, const void *data, size_t size,
		      struct error *e)
{
	struct pax_entry x;

	int r = own_entry(&x, PAX_FILE, path, 0600, e);
	if (r < 0)
		return r;
	x.size = size;
	r = archive_put_entry(w, &x, e);
	if (r == 0)
		r = archive_put_plain(w, data, size, e);
	if (r == 0)
		r = put_padding(w, size, e);
	pax_entry_done(&x);
	return r;
}

int archive_put_dir(struct archive_writer *w, const char *path, struct error *e)
{
	struct pax_entry x;

	int r = own_entry(&x, PAX_DIR, path, 0700, e);
	if (r == 0)
		r = archive_put_entry(w, &x, e);
	pax_entry_done(&x);
	return r;
}

int archive_put_file(struct archive_writer *w, const char *path, int fd, struct error *e)
{
	struct pax_entry x;

	int r = own_entry(&x, PAX_FILE, path, 0600, e);
	if (r == 0)
		r = archive_put_contents(w, &x, fd, path, e);
	pax_entry_done(&x);
	return r;
}

/* ---- the end ---- */

void archive_mac(const struct manifest_key *key, const uint8_t digest[static SHA256_SIZE],
		 char ret[static SHA256_HEX_SIZE])
{
	static const char what[] = "coracle export 1"; /* no other MAC of this key is one of an export */
	uint8_t text[sizeof(what) + SHA256_SIZE], mac[SHA256_SIZE];

	memcpy(text, what, sizeof(what));
	memcpy(text + sizeof(what), digest, SHA256_SIZE);
	hmac_sha256(key->bytes, key->size, text, sizeof(text), mac);
	sha256_hex(mac, ret);
}

int archive_write_end(struct archive_writer *w, const struct manifest_key *key, uint64_t *ret_packed,
		      struct error *e)
{
	static const char zeros[2 * PAX_BLOCK];
	char hex[SHA256_HEX_SIZE], mac[SHA256_HEX_SIZE] = "";
	uint8_t digest[SHA256_SIZE];
	struct sha256 sum = w->sum;
	size_t size = 0;

	sha256_end(&sum, digest);
	sha256_hex(digest, hex);
	if (key)
		archive_mac(key, digest, mac);
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);
	jsonout_object(o, NULL);
	jsonout_string(o, "sha256", hex);
	jsonout_string(o, "mac", mac);
	jsonout_end(o);
	jsonout_newline(o);
	auto_free char *text = jsonout_take(o, &size);
	if (!text)
		return fail(e, ENOMEM, "write an archive");
	int r = archive_put_bytes(w, ARCHIVE_END, text, size, e);
	if (r == 0)
		r = archive_put_plain(w, zeros, sizeof(zeros), e);
	if (r == 0)
		r = squeeze(w, NULL, 0, ZSTD_e_end, e);
	if (r == 0 && ret_packed)
		*ret_packed = w->written;
	return r;
}
