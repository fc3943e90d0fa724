/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages.c - the sender of memory pages: ledger, zeroes, duplicates, frames, bandwidth
 *
 * Two frames are in the making at a time: one of runs with contents, one of copies ("equal to that page of yours"). Copies
 * always go first, so what they refer to is what was sent before both: a page becomes known to the table of
 * duplicates when its frame has gone, and a copy onto a page of the other frame in the making sends that first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/pages_internal.h"

static const struct page_hash nothing = { 0, 0 };
static const struct page_hash zeroes = { 1, 0 }; /* page_hash() never gives this */

enum page_codec pages_default_codec(void)
{
	return PAGE_CODEC_LZ4;
}

/* ---- the sender as such ---- */

static void builder_done(struct frame_builder *b)
{
	free(b->runs);
	free(b->contents);
}

static int builder_init(struct frame_builder *b, enum page_frame_type type, bool contents)
{
	b->frame.type = type;
	b->runs = malloc((size_t)PAGE_FRAME_RUNS * PAGE_RUN_SIZE);
	b->contents = contents ? aligned_alloc(64, PAGE_FRAME_CONTENTS) : NULL;
	return b->runs && (b->contents || !contents) ? 0 : -1;
}

int page_sender_new(const struct page_sender_options *o, const struct page_sink *sink,
		    struct page_sender **ret, struct error *e)
{
	AUTO(page_sender) struct page_sender *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return fail(e, ENOMEM, "send pages");
	s->options = *o;
	s->sink = *sink;
	s->page_size = (size_t)sysconf(_SC_PAGESIZE);
	s->page_shift = (uint8_t)__builtin_ctzl(s->page_size);
	s->packed = malloc(PAGE_FRAME_CONTENTS);
	if (!s->packed || builder_init(&s->pages, PAGE_FRAME_PAGES, true) < 0 ||
	    builder_init(&s->copies, PAGE_FRAME_COPY, false) < 0)
		return fail(e, ENOMEM, "send pages");
	r = page_packer_new(o->codec, o->level, &s->packer, e);
	if (r == 0)
		r = page_key_make(&s->key, e);
	if (r < 0)
		return r;
	*ret = take_ptr(s);
	return 0;
}

void page_sender_free(struct page_sender *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->images; i++) {
		page_table_done(&s->image[i].ledger);
		page_table_done(&s->image[i].owed);
		cleanup_close(&s->image[i].mem);
	}
	free(s->image);
	page_dup_done(&s->dup);
	builder_done(&s->pages);
	builder_done(&s->copies);
	free(s->packed);
	page_packer_free(s->packer);
	explicit_bzero(&s->key, sizeof(s->key));
	free(s);
}

void page_sender_stats(const struct page_sender *s, struct page_stats *ret)
{
	*ret = s->stats;
	ret->ledger_bytes = s->dup.size * sizeof(struct page_dup_entry) + s->room * sizeof(*s->image);
	for (size_t i = 0; i < s->images; i++)
		ret->ledger_bytes += s->image[i].ledger.bytes + s->image[i].owed.bytes;
}

void page_sender_set_bandwidth(struct page_sender *s, uint64_t bytes_per_second)
{
	s->options.bandwidth = bytes_per_second;
	s->paid_ns = 0;
}

struct sender_image *sender_image(struct page_sender *s, uint64_t image)
{
	if (s->current < s->images && s->image[s->current].image == image)
		return &s->image[s->current];
	for (size_t i = 0; i < s->images; i++) {
		if (s->image[i].image == image) {
			s->current = i;
			return &s->image[i];
		}
	}
	if (s->images == s->room) {
		size_t room = s->room ? 2 * s->room : 16;
		void *more = reallocarray(s->image, room, sizeof(*s->image));
		if (!more)
			return NULL;
		s->image = more;
		s->room = room;
	}
	s->current = s->images++;
	s->image[s->current] = (struct sender_image){ .image = image, .mem = -1 };
	page_table_init(&s->image[s->current].ledger, sizeof(struct page_hash));
	page_table_init(&s->image[s->current].owed, 1);
	return &s->image[s->current];
}

static int no_memory(struct error *e)
{
	return fail(e, ENOMEM, "keep the ledger of pages");
}

/* ---- frames go out ---- */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Wait until what was sent before is paid for. A pause is not made up for by a burst of more than a tenth of
 * a second's worth. */
static void pace(struct page_sender *s, size_t bytes)
{
	const uint64_t burst = 100000000;
	uint64_t now;

	if (!s->options.bandwidth)
		return;
	now = now_ns();
	if (s->paid_ns + burst < now)
		s->paid_ns = now - burst;
	if (s->paid_ns > now) {
		struct timespec t = { (time_t)(s->paid_ns / 1000000000), (long)(s->paid_ns % 1000000000) };
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
			;
	}
	s->paid_ns += (uint64_t)((unsigned __int128)bytes * 1000000000 / s->options.bandwidth);
}

static int send_frame(struct page_sender *s, struct page_frame *f, const uint8_t *runs,
		      const uint8_t *contents, struct error *e)
{
	uint8_t header[PAGE_FRAME_HEADER];
	struct iovec piece[3] = { { header, sizeof(header) } };
	int n = 1, r;

	f->page_shift = s->page_shift;
	f->codec = PAGE_CODEC_NONE;
	f->stored = f->raw;
	if (f->raw) {
		f->stored = (uint32_t)page_pack(s->packer, contents, f->raw, s->packed, &f->codec);
		if (f->codec != PAGE_CODEC_NONE)
			piece[2].iov_base = s->packed;
		else
			piece[2].iov_base = (void *)(uintptr_t)contents;
		piece[2].iov_len = f->stored;
	}
	f->check = page_frame_check(f, runs, contents);
	page_frame_put(f, header);
	if (f->runs) {
		piece[1] = (struct iovec){ (void *)(uintptr_t)runs, (size_t)f->runs * PAGE_RUN_SIZE };
		n = f->raw ? 3 : 2;
	}
	size_t size = sizeof(header) + (size_t)f->runs * PAGE_RUN_SIZE + f->stored;
	pace(s, size);
	s->stats.wire_bytes += size;
	s->stats.raw_bytes += f->raw;
	r = s->sink.send(s->sink.arg, piece, n, e);
	return r < 0 ? r : 0;
}

int sender_send_bare(struct page_sender *s, const struct page_frame *f, struct error *e)
{
	struct page_frame own = *f;

	return send_frame(s, &own, NULL, NULL, e);
}

/* The run in the making becomes part of the frame. */
static void close_run(struct frame_builder *b)
{
	if (!b->run.pages)
		return;
	page_run_put(&b->run, b->runs, b->frame.runs++);
	if (b->frame.type == PAGE_FRAME_COPY)
		page_run_put(&b->source, b->runs, b->frame.runs++);
	b->run.pages = 0;
}

static int flush_builder(struct page_sender *s, struct frame_builder *b, struct error *e)
{
	int r;

	close_run(b);
	if (!b->frame.runs)
		return 0;
	r = send_frame(s, &b->frame, b->runs, b->contents, e);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < b->fresh; i++)
		page_dup_put(&s->dup, b->freshly[i].hash, (uint32_t)s->current, b->freshly[i].page);
	b->fresh = 0;
	b->frame.runs = 0;
	b->frame.raw = 0;
	b->lowest = UINT64_MAX;
	b->highest = 0;
	return 0;
}

/* `current` is the image of both frames in the making: who changes it flushes first (select_image()). */
int page_sender_flush(struct page_sender *s, struct error *e)
{
	int r = flush_builder(s, &s->copies, e);

	return r < 0 ? r : flush_builder(s, &s->pages, e);
}

static int select_image(struct page_sender *s, uint64_t image, struct sender_image **ret, struct error *e)
{
	if (!s->images || s->image[s->current].image != image) {
		int r = page_sender_flush(s, e);
		if (r < 0)
			return r;
	}
	*ret = sender_image(s, image);
	if (!*ret)
		return no_memory(e);
	s->pages.frame.image = image;
	s->copies.frame.image = image;
	return 0;
}

/* ---- pages into frames ---- */

static bool continues(const struct page_run *last, const struct page_run *r, uint8_t shift)
{
	return last->pages && last->kind == r->kind && last->flags == r->flags &&
	       last->vaddr + (last->pages << shift) == r->vaddr;
}

static int add_run_to(struct page_sender *s, struct frame_builder *b, const struct page_run *r,
		      const struct page_run *source, struct error *e)
{
	s->named += r->pages;
	if (continues(&b->run, r, s->page_shift) &&
	    (!source || continues(&b->source, source, s->page_shift))) {
		b->run.pages += r->pages;
		b->source.pages += r->pages;
	} else {
		close_run(b);
		if (b->frame.runs + 2 > PAGE_FRAME_RUNS) {
			int ret = page_sender_flush(s, e);
			if (ret < 0)
				return ret;
		}
		b->run = *r;
		if (source)
			b->source = *source;
	}
	if (r->vaddr < b->lowest)
		b->lowest = r->vaddr;
	if (r->vaddr + (r->pages << s->page_shift) > b->highest)
		b->highest = r->vaddr + (r->pages << s->page_shift);
	return 0;
}

int sender_add_run(struct page_sender *s, struct sender_image *im, const struct page_run *r, struct error *e)
{
	im->touched = true;
	return add_run_to(s, &s->pages, r, NULL, e);
}

int sender_add_contents(struct page_sender *s, struct sender_image *im, uint64_t vaddr, uint32_t flags,
			const void *data, struct page_hash h, struct error *e)
{
	struct frame_builder *b = &s->pages;
	struct page_run r = { vaddr, 1, PAGE_RUN_DATA, flags };
	int ret = 0;

	if (b->frame.raw + s->page_size > PAGE_FRAME_CONTENTS)
		ret = page_sender_flush(s, e);
	if (ret == 0)
		ret = sender_add_run(s, im, &r, e);
	if (ret < 0)
		return ret;
	memcpy(b->contents + b->frame.raw, data, s->page_size);
	b->frame.raw += (uint32_t)s->page_size;
	b->freshly[b->fresh].hash = h;
	b->freshly[b->fresh++].page = vaddr >> s->page_shift;
	s->stats.sent++;
	return 0;
}

/* Perhaps in the frame of contents that is in the making. */
static bool is_pending(const struct page_sender *s, uint64_t vaddr)
{
	return vaddr >= s->pages.lowest && vaddr < s->pages.highest;
}

/* True if another page of the destination's has these contents, and was told to take them from there. */
static int add_copy(struct page_sender *s, uint64_t vaddr, uint32_t flags, struct page_hash h, bool *ret_done,
		    struct error *e)
{
	uint32_t other;
	uint64_t page, n;
	int r;

	*ret_done = false;
	if (page_dup_get(&s->dup, h, &other, &page) < 0 || other >= s->images)
		return 0;
	const struct page_hash *known = page_table_find(&s->image[other].ledger, page, 1, &n);
	if (!known || !page_hash_eq(*known, h))
		return 0;
	if (s->copies.frame.count != s->image[other].image) {
		r = flush_builder(s, &s->copies, e);
		if (r < 0)
			return r;
		s->copies.frame.count = s->image[other].image;
	}
	/* copies go first: what they are of, or onto, must not wait in the other frame */
	if (is_pending(s, vaddr) || (other == s->current && is_pending(s, page << s->page_shift))) {
		r = page_sender_flush(s, e);
		if (r < 0)
			return r;
	}
	struct page_run to = { vaddr, 1, PAGE_RUN_DATA, flags };
	struct page_run from = { page << s->page_shift, 1, PAGE_RUN_DATA, 0 };
	*ret_done = true;
	s->stats.duplicate++;
	return add_run_to(s, &s->copies, &to, &from, e);
}

static int promise(struct page_sender *s, struct sender_image *im, uint64_t vaddr, uint32_t flags,
		   struct error *e)
{
	struct page_run r = { vaddr, 1, PAGE_RUN_LATER, flags };
	uint64_t n;
	uint8_t *owed = page_table_make(&im->owed, vaddr >> s->page_shift, 1, &n);

	if (!owed)
		return no_memory(e);
	if (!*owed) {
		im->owed_pages++;
		s->owed++;
	}
	*owed = (uint8_t)(flags + 1);
	s->stats.later++;
	return sender_add_run(s, im, &r, e);
}

/* One page against what the destination has of it. */
static int add_page(struct page_sender *s, struct sender_image *im, uint64_t vaddr, uint32_t flags,
		    struct page_hash *known, const void *data, struct error *e)
{
	bool is_zero = page_is_zero(data, s->page_size), done;
	struct page_hash h = is_zero ? zeroes : page_hash(&s->key, data, s->page_size);
	struct page_run r = { vaddr, 1, is_zero ? PAGE_RUN_ZERO : PAGE_RUN_SAME, flags };
	int ret;

	if (page_hash_eq(*known, h) || is_zero) {
		s->stats.zero += is_zero;
		s->stats.same += !is_zero;
		/* a page that is as it was need not be named before the final round */
		if (page_hash_eq(*known, h) && !s->final)
			return 0;
		*known = h;
		return sender_add_run(s, im, &r, e);
	}
	*known = nothing;
	ret = add_copy(s, vaddr, flags, h, &done, e);
	if (ret < 0)
		return ret;
	im->touched = true;
	if (!done && s->postpone && (flags & PAGE_LAZY) && (im->image & 0xff) == PAGE_TASK)
		return promise(s, im, vaddr, flags, e);
	*known = h;
	return done ? 0 : sender_add_contents(s, im, vaddr, flags, data, h, e);
}

static int check_range(const struct page_sender *s, uint64_t vaddr, uint64_t n, struct error *e)
{
	if (!s->in_round)
		return refuse(e, EINVAL, "pages outside of a round");
	if (vaddr % s->page_size || vaddr >= PAGE_ADDRESSES || n > (PAGE_ADDRESSES - vaddr) >> s->page_shift)
		return refuse(e, EPROTO, "%" PRIu64 " pages from %#" PRIx64 " on are no memory", n, vaddr);
	return 0;
}

int page_sender_add(struct page_sender *s, uint64_t image, uint64_t vaddr, uint64_t n, uint32_t flags,
		    const void *data, struct error *e)
{
	struct sender_image *im;
	const uint8_t *at = data;
	int r = check_range(s, vaddr, n, e);

	if (r == 0)
		r = select_image(s, image, &im, e);
	if (r < 0)
		return r;
	s->stats.seen += n;
	while (n) {
		uint64_t here;
		struct page_hash *known = page_table_make(&im->ledger, vaddr >> s->page_shift, n, &here);

		if (!known)
			return no_memory(e);
		n -= here;
		for (; here; here--, known++, vaddr += s->page_size, at += s->page_size) {
			r = add_page(s, im, vaddr, flags & PAGE_LAZY, known, at, e);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int page_sender_add_parent(struct page_sender *s, uint64_t image, uint64_t vaddr, uint64_t n, struct error *e)
{
	struct sender_image *im;
	int r = check_range(s, vaddr, n, e);

	if (r == 0)
		r = select_image(s, image, &im, e);
	if (r < 0)
		return r;
	s->stats.seen += n;
	s->stats.same += n;
	s->stats.parent += n;
	while (n) {
		uint64_t here;
		const struct page_hash *known = page_table_find(&im->ledger, vaddr >> s->page_shift, n,
								&here);
		/* CRIU does not say again whether they are lazy */
		struct page_run run = { vaddr, here, PAGE_RUN_SAME, PAGE_PARENT };

		for (uint64_t i = 0; i < here; i++)
			if (!known || !known[i].a)
				return refuse(e, ENODATA,
					      "image %" PRIu64 ": page %#" PRIx64
					      " is said to have been sent before: it was not",
					      image >> 8, vaddr + (i << s->page_shift));
		if (s->final) {
			r = sender_add_run(s, im, &run, e);
			if (r < 0)
				return r;
		}
		n -= here;
		vaddr += here << s->page_shift;
	}
	return 0;
}

/* ---- rounds ---- */

int page_sender_begin(struct page_sender *s, bool final, struct error *e)
{
	struct page_frame f = { .type = PAGE_FRAME_BEGIN, .flags = final ? PAGE_FRAME_FINAL : 0 };

	s->in_round = true;
	s->final = final;
	s->named = 0;
	s->pages.lowest = s->copies.lowest = UINT64_MAX;
	for (size_t i = 0; i < s->images; i++) {
		s->image[i].known |= s->image[i].touched;
		s->image[i].touched = s->image[i].opened = false;
	}
	return sender_send_bare(s, &f, e);
}

int page_sender_end(struct page_sender *s, struct error *e)
{
	struct page_frame f = { .type = PAGE_FRAME_END, .flags = s->final ? PAGE_FRAME_FINAL : 0 };
	int r = page_sender_flush(s, e);

	if (r < 0)
		return r;
	f.count = s->named;
	s->in_round = false;
	return sender_send_bare(s, &f, e);
}

int page_sender_open(struct page_sender *s, uint64_t image, struct error *e)
{
	struct page_frame f = { .type = PAGE_FRAME_OPEN, .image = image };
	struct sender_image *im;
	int r = select_image(s, image, &im, e);

	if (r < 0 || im->opened)
		return r;
	im->opened = true;
	return sender_send_bare(s, &f, e);
}

bool page_sender_knows(const struct page_sender *s, uint64_t image)
{
	for (size_t i = 0; i < s->images; i++)
		if (s->image[i].image == image)
			return s->image[i].known;
	return false;
}

int page_sender_forget(struct page_sender *s, uint64_t image, struct error *e)
{
	struct page_frame f = { .type = PAGE_FRAME_FORGET, .image = image };
	struct sender_image *im;
	int r = select_image(s, image, &im, e);

	if (r == 0)
		r = page_sender_flush(s, e);
	if (r < 0)
		return r;
	page_table_done(&im->ledger);
	im->known = im->touched = im->opened = false;
	return sender_send_bare(s, &f, e);
}
