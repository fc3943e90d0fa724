/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pageserver.c - CRIU's page server protocol, the serving side
 *
 * CRIU (criu/page-xfer.c) sends records in the machine's byte order: command (u32, flags in its upper half), number of
 * pages, address (u64), image (u64: number << 8 | kind). Up to 4.1 the number of pages is a u32 and a record has 24
 * bytes; since 4.2 it is a u64, after 4 bytes of padding, and a record has 32. The first record of a connection tells: it names
 * an image and no pages, so its third eight bytes are the image or an address of zero.
 * It waits for an answer after OPEN2 (one byte: are there earlier pages of it?), PARENT (the same in four
 * bytes) and CLOSE (four bytes: 0). ADD_F with PRESENT among its flags is followed by the pages.
 * CRIU is trusted more than the container, but it has had the container's memory in its hands: so every
 * record is judged. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checkpoint/pages.h"

enum { PS_OPEN2 = 4, PS_PARENT = 5, PS_ADD_F = 6, PS_CLOSE = 0x1023, PS_FORCE_CLOSE = 0x1024 };

#define STEP_MAX (16U << 20) /* bytes that one step takes before the caller's loop has its turn */

struct record {
	uint32_t cmd, padding;
	uint64_t pages, vaddr, image;
};

struct record_4_1 {
	uint32_t cmd, pages;
	uint64_t vaddr, image;
};

struct page_server {
	struct page_sender *sender;
	int fd;
	bool has_parent, done;
	union {
		struct record new;
		struct record_4_1 old;
	} raw;
	size_t record_size; /* 0: not known yet */
	struct record record;
	size_t have;	/* bytes of the record, or of the buffer */
	uint64_t left;	/* bytes of contents still to come for the record */
	uint64_t vaddr; /* where they belong */
	uint32_t flags;
	size_t page_size;
	uint8_t *buffer;
};

int page_server_pair(int ret[2], struct error *e)
{
	const int size = 4 << 20;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret) < 0)
		return fail(e, errno, "socketpair");
	/* a unix socket's room is its sender's; beyond the system's limit only by force */
	if (setsockopt(ret[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(ret[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

int page_server_new(struct page_sender *s, int fd, bool has_parent, struct page_server **ret, struct error *e)
{
	struct page_server *ps = calloc(1, sizeof(*ps));

	if (!ps || !(ps->buffer = aligned_alloc(4096, PAGE_FRAME_CONTENTS))) {
		page_server_free(ps);
		return fail(e, ENOMEM, "serve CRIU's pages");
	}
	ps->sender = s;
	ps->fd = fd;
	ps->has_parent = has_parent;
	ps->page_size = (size_t)sysconf(_SC_PAGESIZE);
	*ret = ps;
	return 0;
}

void page_server_free(struct page_server *ps)
{
	if (!ps)
		return;
	free(ps->buffer);
	free(ps);
}

static int answer(const struct page_server *ps, const void *data, size_t size, struct error *e)
{
	if (send(ps->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
		return fail(e, errno, "answer CRIU's pages");
	return 0;
}

static bool is_image(uint64_t image)
{
	return (image & 0xff) == PAGE_TASK || (image & 0xff) == PAGE_SHMEM;
}

static int serve_open(struct page_server *ps, bool long_answer, struct error *e)
{
	int32_t known = ps->has_parent && page_sender_knows(ps->sender, ps->record.image);
	int8_t byte = (int8_t)known;
	int r = 0;

	if (!is_image(ps->record.image))
		return refuse(e, EPROTO, "CRIU's pages: no such kind of image: %#" PRIx64, ps->record.image);
	if (!long_answer)
		r = page_sender_open(ps->sender, ps->record.image, e);
	if (r < 0)
		return r;
	return long_answer ? answer(ps, &known, sizeof(known), e) : answer(ps, &byte, sizeof(byte), e);
}

static int serve_add(struct page_server *ps, uint32_t flags, struct error *e)
{
	const struct record *c = &ps->record;

	if (!is_image(c->image))
		return refuse(e, EPROTO, "CRIU's pages: no such kind of image: %#" PRIx64, c->image);
	if (c->vaddr % ps->page_size || c->vaddr >= PAGE_ADDRESSES || !c->pages ||
	    c->pages > (PAGE_ADDRESSES - c->vaddr) / ps->page_size)
		return refuse(e, EPROTO, "CRIU's pages: %" PRIu64 " from %#" PRIx64 " on are no memory",
			      c->pages, c->vaddr);
	switch (flags & (PAGE_PARENT | PAGE_PRESENT)) {
	case PAGE_PRESENT:
		ps->left = c->pages * ps->page_size;
		ps->vaddr = c->vaddr;
		ps->flags = flags;
		return 0;
	case PAGE_PARENT:
		return page_sender_add_parent(ps->sender, c->image, c->vaddr, c->pages, e);
	default:
		return refuse(e, EPROTO, "CRIU's pages: flags %#x are not for this server", flags);
	}
}

static int serve_close(struct page_server *ps, struct error *e)
{
	int32_t status = 0;
	int r = page_sender_flush(ps->sender, e);

	if (r == 0)
		r = answer(ps, &status, sizeof(status), e);
	ps->done = r == 0;
	return r;
}

static int serve_record(struct page_server *ps, struct error *e)
{
	uint32_t flags = ps->record.cmd >> 16;

	switch (ps->record.cmd & 0xffff) {
	case PS_OPEN2:
		return serve_open(ps, false, e);
	case PS_PARENT:
		return serve_open(ps, true, e);
	case PS_ADD_F:
		if (flags & ~(uint32_t)(PAGE_PARENT | PAGE_LAZY | PAGE_PRESENT))
			break;
		return serve_add(ps, flags, e);
	case PS_CLOSE:
	case PS_FORCE_CLOSE:
		return serve_close(ps, e);
	default:
		break;
	}
	return refuse(e, EPROTO, "CRIU's pages: unknown command %#x", ps->record.cmd);
}

/* The buffer's whole pages go to the sender; a part of a page stays. */
static int pass_pages(struct page_server *ps, struct error *e)
{
	size_t whole = ps->have / ps->page_size * ps->page_size;
	int r;

	if (!whole)
		return 0;
	r = page_sender_add(ps->sender, ps->record.image, ps->vaddr, whole / ps->page_size, ps->flags,
			    ps->buffer, e);
	ps->vaddr += whole;
	ps->left -= whole;
	ps->have -= whole;
	memmove(ps->buffer, ps->buffer + whole, ps->have);
	return r;
}

/* Bytes read; 0: nothing there now. */
static ssize_t take(struct page_server *ps, void *at, size_t size, struct error *e)
{
	ssize_t n = recv(ps->fd, at, size, MSG_DONTWAIT);

	if (n > 0)
		return n;
	if (n == 0)
		return refuse(e, EPIPE, "CRIU's pages: the connection ended early");
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	return fail(e, errno, "CRIU's pages");
}

/* What a record's first 24 bytes say of its size. Of a close that comes first (there are no pages at all) the rest is
 * not waited for: nothing follows it. */
static size_t judge_size(const struct page_server *ps)
{
	uint32_t cmd = ps->raw.old.cmd & 0xffff;

	if (cmd == PS_CLOSE || cmd == PS_FORCE_CLOSE || ps->raw.old.image)
		return sizeof(struct record_4_1);
	return sizeof(struct record);
}

static ssize_t take_record(struct page_server *ps, struct error *e)
{
	size_t want = ps->record_size ? ps->record_size : sizeof(struct record_4_1);
	ssize_t n = take(ps, (uint8_t *)&ps->raw + ps->have, want - ps->have, e);
	int r;

	if (n <= 0)
		return n;
	ps->have += (size_t)n;
	if (ps->have < want)
		return n;
	if (!ps->record_size) {
		uint32_t cmd = ps->raw.old.cmd;

		if (cmd != PS_OPEN2 && cmd != PS_PARENT && cmd != PS_CLOSE && cmd != PS_FORCE_CLOSE)
			return refuse(e, EPROTO, "CRIU's pages: begins with command %#x", cmd);
		ps->record_size = judge_size(ps);
		if (ps->have < ps->record_size)
			return n;
	}
	ps->have = 0;
	ps->record = ps->raw.new;
	if (ps->record_size == sizeof(struct record_4_1))
		ps->record = (struct record){ ps->raw.old.cmd, 0, ps->raw.old.pages, ps->raw.old.vaddr,
					      ps->raw.old.image };
	r = serve_record(ps, e);
	return r < 0 ? r : n;
}

/* The buffer is filled as far as it goes before it is passed on: small pieces cost more. */
static ssize_t take_contents(struct page_server *ps, struct error *e)
{
	size_t room = ps->left < PAGE_FRAME_CONTENTS ? (size_t)ps->left : PAGE_FRAME_CONTENTS;
	ssize_t n = take(ps, ps->buffer + ps->have, room - ps->have, e);
	int r = 0;

	if (n < 0)
		return n;
	ps->have += (size_t)n;
	if (ps->have == room || n == 0)
		r = pass_pages(ps, e);
	return r < 0 ? r : n;
}

int page_server_step(struct page_server *ps, struct error *e)
{
	size_t taken = 0;

	while (!ps->done && taken < STEP_MAX) {
		ssize_t n = ps->left ? take_contents(ps, e) : take_record(ps, e);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		taken += (size_t)n;
	}
	return ps->done;
}

int page_server_run(struct page_server *ps, int stop, struct error *e)
{
	for (;;) {
		struct pollfd p[2] = { { ps->fd, POLLIN, 0 }, { stop, POLLIN, 0 } };
		int r = page_server_step(ps, e);

		if (r)
			return r < 0 ? r : 0;
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return fail(e, errno, "poll for CRIU's pages");
		if (p[1].revents)
			return refuse(e, ECANCELED, "cancelled");
	}
}
