/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treecontent.c - the sender: what a regular file holds, whole or by the blocks that the destination has not */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/treesend.h"

#define ROOM_LEAST ((size_t)16 * 1024) /* a frame with less room is sent before more content goes in */

static size_t room_for_data(const struct tree_sender *s)
{
	size_t head = TREE_RECORD_HEAD + 8, used = s->writer.used;

	return used + head < TREE_FRAME_MAX ? TREE_FRAME_MAX - used - head : 0;
}

/* Bytes [from, to) of a file straight into frames. Returns where the file really ended. */
static off_t send_range(struct tree_sender *s, int fd, const char *path, off_t from, off_t to,
			struct error *e)
{
	struct tree_writer *w = &s->writer;

	while (from < to) {
		size_t want = (size_t)(to - from), room = room_for_data(s);
		if (room < want && room < ROOM_LEAST) {
			int r = tree_flush(w, e);
			if (r < 0)
				return r;
			room = room_for_data(s);
		}
		if (want > room)
			want = room;
		int r = tree_put(w, TREE_DATA, 8 + want, e);
		if (r < 0)
			return r;
		tree_put_u64(w, (uint64_t)from);
		ssize_t n = pread(fd, w->buf + w->used, want, from);
		if (n <= 0) {
			w->used = w->record; /* the record is taken back */
			return n < 0 ? fail(e, errno, "read %s/%s", s->place.name, path) : from;
		}
		w->used += (size_t)n;
		tree_put_done(w);
		s->counts.data += (uint64_t)n;
		from += n;
	}
	return to;
}

static int send_data(struct tree_sender *s, const void *data, size_t size, off_t at, struct error *e)
{
	int r = tree_put(&s->writer, TREE_DATA, 8 + size, e);

	if (r < 0)
		return r;
	tree_put_u64(&s->writer, (uint64_t)at);
	tree_put_bytes(&s->writer, data, size);
	tree_put_done(&s->writer);
	s->counts.data += size;
	return 0;
}

static int send_hole(struct tree_sender *s, off_t at, size_t size, struct error *e)
{
	int r = tree_put(&s->writer, TREE_HOLE, 16, e);

	if (r < 0)
		return r;
	tree_put_u64(&s->writer, (uint64_t)at);
	tree_put_u64(&s->writer, size);
	tree_put_done(&s->writer);
	return 0;
}

/* What is data in [from, to)? 1 and the range, 0: none. File systems that cannot tell say it is all data. */
static int next_data(int fd, off_t from, off_t to, off_t *ret_from, off_t *ret_to)
{
	*ret_from = lseek(fd, from, SEEK_DATA);
	if (*ret_from < 0 && errno == ENXIO)
		return 0;
	if (*ret_from < 0) {
		*ret_from = from;
		*ret_to = to;
		return 1;
	}
	*ret_to = lseek(fd, *ret_from, SEEK_HOLE);
	if (*ret_to < 0 || *ret_to > to)
		*ret_to = to;
	return *ret_from < to;
}

/* The whole file, without its holes. Returns its size. */
off_t tree_send_whole(struct tree_sender *s, int fd, const char *path, const struct stat *st, struct error *e)
{
	off_t from, to;

	if (st->st_blocks >= (st->st_size + 511) / 512)
		return send_range(s, fd, path, 0, st->st_size, e);
	for (off_t at = 0; at < st->st_size && next_data(fd, at, st->st_size, &from, &to); at = to) {
		off_t end = send_range(s, fd, path, from, to, e);
		if (end != to)
			return end;
	}
	return st->st_size;
}

/* A block that differs. In a file with holes its zero pages become holes; with `patch` they are told, as something else may
 * be there. */
static int send_block(struct tree_sender *s, const uint8_t *data, off_t at, size_t size, bool sparse,
		      bool patch, struct error *e)
{
	if (!sparse)
		return send_data(s, data, size, at, e);
	for (size_t from = 0; from < size;) {
		bool zero = tree_page_is_zero(data + from);
		size_t to = from;
		while (to < size && tree_page_is_zero(data + to) == zero)
			to += TREE_PAGE;
		size_t n = (to < size ? to : size) - from;
		int r = 0;
		if (!zero)
			r = send_data(s, data + from, n, at + (off_t)from, e);
		else if (patch)
			r = send_hole(s, at + (off_t)from, n, e);
		if (r < 0)
			return r;
		from = to;
	}
	return 0;
}

/* One chunk against the map: what differs is sent. */
static int send_differing(struct tree_sender *s, struct tree_map *map, off_t at, size_t size, bool sparse,
			  bool patch, struct error *e)
{
	int r = 0;

	for (size_t done = 0; done < size && r == 0; done += TREE_BLOCK) {
		size_t n = size - done < TREE_BLOCK ? size - done : TREE_BLOCK;
		const uint8_t *data = s->chunk + done;
		if (tree_map_set(map, ((uint64_t)at + done) / TREE_BLOCK, data))
			r = send_block(s, data, at + (off_t)done, n, sparse, patch, e);
	}
	return r;
}

/* The blocks of a hole. Only at ends of chunks, so that a block is never half a hole. */
static int send_hole_blocks(struct tree_sender *s, struct tree_map *map, bool patch, off_t from, off_t to,
			    struct error *e)
{
	int r = 0;

	for (off_t at = from; at < to && r == 0; at += (off_t)TREE_BLOCK) {
		size_t n = to - at < (off_t)TREE_BLOCK ? (size_t)(to - at) : TREE_BLOCK;
		if (tree_map_set_hole(map, (uint64_t)at / TREE_BLOCK) && patch)
			r = send_hole(s, at, n, e);
	}
	return r;
}

/* A file by its blocks: those that differ from what the map says. Returns its size. */
off_t tree_send_blocks(struct tree_sender *s, int fd, const char *path, const struct stat *st,
		       struct tree_map *map, bool patch, struct error *e)
{
	bool sparse = st->st_blocks < (st->st_size + 511) / 512;

	for (off_t at = 0; at < st->st_size;) {
		off_t from = at, to;
		if (sparse && !next_data(fd, at, st->st_size, &from, &to))
			from = st->st_size;
		if (from < st->st_size)
			from -= from % (off_t)TREE_BLOCK;
		int r = send_hole_blocks(s, map, patch, at, from, e);
		if (r < 0)
			return r;
		at = from;
		if (at >= st->st_size)
			break;
		size_t want = st->st_size - at < (off_t)TREE_CHUNK ? (size_t)(st->st_size - at) : TREE_CHUNK;
		ssize_t n = pread(fd, s->chunk, want, at);
		if (n < 0)
			return fail(e, errno, "read %s/%s", s->place.name, path);
		memset(s->chunk + n, 0, TREE_CHUNK - (size_t)n);
		r = send_differing(s, map, at, (size_t)n, sparse, patch, e);
		if (r < 0)
			return r;
		at += n;
		if ((size_t)n < want)
			return at;
	}
	return st->st_size;
}
