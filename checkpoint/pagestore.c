/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pagestore.c - frames from a stranger into memory
 *
 * Contents live in one memfd, page by page, in the order of their arrival; an index per image says where. A frame is
 * complete, and its checksum right, before anything of it is used; it is refused as a whole at the first run that
 * does not fit what the store knows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checkpoint/pagehash.h"
#include "checkpoint/pagestore_internal.h"
#include "runtime/base/sys.h"

#define IMAGES_MAX 65536
#define GROW	   (64ULL << 20) /* the memfd's size grows in such steps; memory is taken page by page */

int page_store_new(uint64_t limit_bytes, struct page_store **ret, struct error *e)
{
	AUTO(page_store) struct page_store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return fail(e, ENOMEM, "store pages");
	s->memory = -1;
	s->limit = limit_bytes;
	s->page_size = (size_t)sysconf(_SC_PAGESIZE);
	s->page_shift = (uint8_t)__builtin_ctzl(s->page_size);
	s->limit_slots = limit_bytes >> s->page_shift;
	if (s->limit_slots >= PAGE_NO_SLOT)
		s->limit_slots = PAGE_NO_SLOT - 1;
	s->frame = malloc(PAGE_FRAME_MAX);
	s->plain = aligned_alloc(4096, PAGE_FRAME_CONTENTS);
	if (!s->frame || !s->plain)
		return fail(e, ENOMEM, "store pages");
	r = page_packer_new(PAGE_CODEC_NONE, 0, &s->packer, e);
	if (r < 0)
		return r;
	s->memory = memfd_create("coracle-pages", MFD_CLOEXEC);
	if (s->memory < 0)
		return fail(e, errno, "memfd_create");
	/* address space for all that may come; memory is taken by what comes */
	s->mapped = s->limit_slots ? (size_t)s->limit_slots << s->page_shift : s->page_size;
	s->map = mmap(NULL, s->mapped, PROT_READ, MAP_SHARED | MAP_NORESERVE, s->memory, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return fail(e, errno, "map %zu bytes for pages", s->mapped);
	}
	*ret = take_ptr(s);
	return 0;
}

void page_store_free(struct page_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->images; i++)
		page_table_done(&s->image[i]->index);
	for (size_t i = 0; i < s->images; i++)
		free(s->image[i]);
	free(s->image);
	free(s->spare);
	if (s->map)
		munmap((void *)(uintptr_t)s->map, s->mapped);
	cleanup_close(&s->memory);
	page_packer_free(s->packer);
	free(s->frame);
	free(s->plain);
	free(s);
}

static uint64_t index_bytes(const struct page_store *s)
{
	return s->index_bytes + s->spares_room * sizeof(*s->spare) + s->images_room * sizeof(void *) +
	       s->images * sizeof(struct store_image);
}

void page_store_stats(const struct page_store *s, struct page_store_stats *ret)
{
	*ret = (struct page_store_stats){
		.rounds = s->rounds,
		.images = s->images,
		.pages = s->slots - s->spares,
		.owed = s->owed,
		.content_bytes = s->slots << s->page_shift,
		.index_bytes = index_bytes(s),
		.limit_bytes = s->limit,
		.lazy_bytes = s->lazy << s->page_shift,
		.eager_bytes = s->eager << s->page_shift,
	};
}

bool page_store_is_whole(const struct page_store *s)
{
	return s->have == 0 && !s->in_round;
}

bool page_store_is_final(const struct page_store *s)
{
	return s->is_final && !s->in_round;
}

bool page_store_is_lazy_worth(const struct page_store *s)
{
	return s->lazy << s->page_shift >= PAGE_LAZY_WORTH;
}

/* ---- memory ---- */

static int full(const struct page_store *s, struct error *e)
{
	return refuse(e, ENOSPC,
		      "the memory that comes is more than was announced: %" PRIu64 " MiB and %" PRIu64
		      " MiB of index, of %" PRIu64 " MiB",
		      (s->slots << s->page_shift) >> 20, index_bytes(s) >> 20, s->limit >> 20);
}

static bool has_room(const struct page_store *s, uint64_t more)
{
	return (s->slots << s->page_shift) + index_bytes(s) + more <= s->limit;
}

/* The index record of a page; made only within the limit. */
static int index_make(struct page_store *s, struct store_image *im, uint64_t page, uint64_t n,
		      struct store_page **ret, uint64_t *ret_n, struct error *e)
{
	struct store_page *p = page_table_find(&im->index, page, n, ret_n);

	if (!p) {
		uint64_t before = im->index.bytes;

		if (!has_room(s, page_table_chunk_bytes(&im->index)))
			return full(s, e);
		p = page_table_make(&im->index, page, n, ret_n);
		if (!p)
			return fail(e, ENOMEM, "index pages");
		s->index_bytes += im->index.bytes - before;
	}
	*ret = p;
	return 0;
}

static int slot_take(struct page_store *s, uint32_t *ret, struct error *e)
{
	if (s->spares) {
		*ret = s->spare[--s->spares];
		return 0;
	}
	if (s->slots >= s->limit_slots || !has_room(s, s->page_size))
		return full(s, e);
	uint64_t end = (s->slots + 1) << s->page_shift;
	if (end > s->memory_size) {
		uint64_t size = s->memory_size + GROW;
		if (size > s->mapped)
			size = s->mapped;
		if (ftruncate(s->memory, (off_t)size) < 0)
			return fail(e, errno, "memory for pages");
		s->memory_size = size;
	}
	*ret = (uint32_t)s->slots++;
	return 0;
}

static int slot_drop(struct page_store *s, struct store_page *p, struct error *e)
{
	if (p->state != STORE_DATA)
		return 0;
	if (s->spares == s->spares_room) {
		size_t room = s->spares_room ? 2 * s->spares_room : 1024;
		void *more = reallocarray(s->spare, room, sizeof(*s->spare));
		if (!more)
			return fail(e, ENOMEM, "index pages");
		s->spare = more;
		s->spares_room = room;
	}
	s->spare[s->spares++] = p->slot;
	p->state = STORE_NONE;
	return 0;
}

static int write_at(const struct page_store *s, uint64_t slot, const uint8_t *data, size_t size,
		    struct error *e)
{
	off_t at = (off_t)(slot << s->page_shift);

	while (size) {
		ssize_t n = pwrite(s->memory, data, size, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(e, n < 0 ? errno : EIO, "memory for pages");
		data += n;
		size -= (size_t)n;
		at += n;
	}
	return 0;
}

/* ---- images ---- */

static struct store_image *image_find(const struct page_store *s, uint64_t image)
{
	if (s->last && s->last->image == image)
		return s->last;
	size_t low = 0, high = s->images;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (s->image[mid]->image == image)
			return s->image[mid];
		if (s->image[mid]->image < image)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

struct store_image *store_image(const struct page_store *s, uint64_t image)
{
	return image_find(s, image);
}

static int image_make(struct page_store *s, uint64_t image, struct store_image **ret, struct error *e)
{
	struct store_image *im = image_find(s, image);
	size_t at = 0;

	if (!im) {
		if (s->images >= IMAGES_MAX)
			return refuse(e, EPROTO, "more than %d images of memory", IMAGES_MAX);
		if (!has_room(s, sizeof(*im) + 2 * sizeof(void *)))
			return full(s, e);
		if (s->images == s->images_room) {
			size_t room = s->images_room ? 2 * s->images_room : 16;
			void *more = reallocarray(s->image, room, sizeof(void *));
			if (!more)
				return fail(e, ENOMEM, "index pages");
			s->image = more;
			s->images_room = room;
		}
		im = calloc(1, sizeof(*im));
		if (!im)
			return fail(e, ENOMEM, "index pages");
		im->image = image;
		page_table_init(&im->index, sizeof(struct store_page));
		while (at < s->images && s->image[at]->image < image)
			at++;
		memmove(&s->image[at + 1], &s->image[at], (s->images - at) * sizeof(void *));
		s->image[at] = im;
		s->images++;
	}
	im->round = s->round;
	s->last = im;
	*ret = im;
	return 0;
}

static int image_forget(struct page_store *s, struct store_image *im, struct error *e)
{
	for (size_t i = 0; i < im->index.slots; i++) {
		struct page_chunk *c = im->index.slot[i];

		for (size_t j = 0; c && j < PAGE_CHUNK; j++) {
			int r = slot_drop(s, page_chunk_record(&im->index, c, j), e);
			if (r < 0)
				return r;
		}
	}
	s->index_bytes -= im->index.bytes;
	page_table_done(&im->index);
	im->round = 0;
	return 0;
}

/* ---- runs ---- */

static int inconsistent(const struct store_image *im, uint64_t page, const char *what, struct error *e)
{
	return refuse(e, EPROTO, "image %" PRIu64 ", page %#" PRIx64 ": %s", im->image >> 8, page, what);
}

static void name_page(struct page_store *s, struct store_page *p, uint32_t flags)
{
	p->round = s->round;
	if (!(flags & PAGE_PARENT))
		p->lazy = (flags & PAGE_LAZY) != 0;
}

static int set_state(struct page_store *s, struct store_page *p, enum store_state state, struct error *e)
{
	int r = state == STORE_DATA ? 0 : slot_drop(s, p, e);

	if (r < 0)
		return r;
	s->owed += (state == STORE_OWED) - (p->state == STORE_OWED);
	p->state = (uint8_t)state;
	return 0;
}

/* Where the contents of a page go: its own place, or a new one. */
static int place_contents(struct page_store *s, struct store_page *p, struct error *e)
{
	uint32_t slot = PAGE_NO_SLOT;
	int r;

	if (p->heat < PAGE_HEAT_MAX)
		p->heat++;
	if (p->state == STORE_DATA)
		return 0;
	r = slot_take(s, &slot, e);
	if (r < 0)
		return r;
	p->slot = slot;
	return set_state(s, p, STORE_DATA, e);
}

/* Pages whose places follow each other are written at once. */
static int store_contents(struct page_store *s, struct store_page *p, uint64_t n, const uint8_t *data,
			  struct error *e)
{
	for (uint64_t i = 0; i < n;) {
		uint64_t k = 0;
		int r = 0;

		do {
			r = place_contents(s, &p[i + k], e);
			if (r < 0)
				return r;
			k++;
		} while (i + k < n && (p[i + k].state != STORE_DATA || p[i + k].slot == p[i].slot + k) &&
			 (p[i + k].state == STORE_DATA || (!s->spares && s->slots == p[i].slot + k)));
		r = write_at(s, p[i].slot, data + (i << s->page_shift), (size_t)k << s->page_shift, e);
		if (r < 0)
			return r;
		i += k;
	}
	return 0;
}

/* What a run without contents makes of one page. */
static int store_bare(struct page_store *s, struct store_image *im, uint64_t page, const struct page_run *r,
		      struct store_page *p, struct error *e)
{
	switch (r->kind) {
	case PAGE_RUN_ZERO:
		return set_state(s, p, STORE_ZERO, e);
	case PAGE_RUN_SAME:
		if (p->state != STORE_DATA && p->state != STORE_ZERO)
			return inconsistent(im, page, "never came, but is said to be here", e);
		return 0;
	case PAGE_RUN_LATER:
		if (!s->final || !(r->flags & PAGE_LAZY) || (im->image & 0xff) != PAGE_TASK)
			return inconsistent(im, page, "cannot come later", e);
		return set_state(s, p, STORE_OWED, e);
	case PAGE_RUN_DATA:
	case PAGE_RUN_MAX:
		break;
	}
	return inconsistent(im, page, "of no kind", e);
}

/* After the final round only what is owed may come. */
static int check_owed(const struct page_store *s, const struct store_image *im, uint64_t page,
		      const struct store_page *p, uint64_t n, struct error *e)
{
	for (uint64_t i = 0; !s->in_round && i < n; i++)
		if (p[i].state != STORE_OWED)
			return inconsistent(im, page + i, "comes after the last round, and is not owed", e);
	return 0;
}

static int store_run(struct page_store *s, struct store_image *im, const struct page_run *run,
		     const uint8_t **data, struct error *e)
{
	uint64_t page = run->vaddr >> s->page_shift, n = run->pages;

	if (!s->in_round && run->kind != PAGE_RUN_DATA)
		return inconsistent(im, page, "comes outside of a round", e);
	/* each page is named once, and its index alone takes this much */
	s->named += n;
	if (s->named > s->limit / sizeof(struct store_page))
		return full(s, e);
	while (n) {
		struct store_page *p;
		uint64_t here;
		int r = index_make(s, im, page, n, &p, &here, e);

		if (r == 0)
			r = check_owed(s, im, page, p, here, e);
		if (r == 0 && run->kind == PAGE_RUN_DATA) {
			r = store_contents(s, p, here, *data, e);
			*data += here << s->page_shift;
		}
		for (uint64_t i = 0; r == 0 && i < here; i++) {
			if (run->kind != PAGE_RUN_DATA)
				r = store_bare(s, im, page + i, run, &p[i], e);
			name_page(s, &p[i], run->flags);
		}
		if (r < 0)
			return r;
		page += here;
		n -= here;
	}
	return 0;
}

static int take_pages(struct page_store *s, const struct page_frame *f, const uint8_t *runs,
		      const uint8_t *data, struct error *e)
{
	const uint8_t *at = data, *end = data + f->raw;
	struct store_image *im;
	int r = image_make(s, f->image, &im, e);

	for (uint32_t i = 0; r == 0 && i < f->runs; i++) {
		struct page_run run;

		r = page_run_parse(f, runs, i, &run, e);
		if (r < 0)
			return r;
		if (run.kind == PAGE_RUN_DATA && run.pages > (uint64_t)(end - at) >> s->page_shift)
			return refuse(e, EPROTO, "frame of memory pages: run %u has more pages than contents",
				      i);
		r = store_run(s, im, &run, &at, e);
	}
	if (r == 0 && at != end)
		return refuse(e, EPROTO, "frame of memory pages: contents without a run");
	return r;
}

static int copy_page(struct page_store *s, struct store_image *im, uint64_t page, struct store_image *other,
		     uint64_t from, uint32_t flags, struct error *e)
{
	struct store_page *p, *q;
	uint64_t n;
	int r = index_make(s, im, page, 1, &p, &n, e);

	if (r < 0)
		return r;
	q = page_table_find(&other->index, from, 1, &n);
	if (!q || q->state != STORE_DATA)
		return inconsistent(other, from, "never came, but is to be copied", e);
	if (p != q) {
		r = place_contents(s, p, e);
		if (r == 0)
			r = write_at(s, p->slot, s->map + ((size_t)q->slot << s->page_shift), s->page_size,
				     e);
	}
	name_page(s, p, flags);
	s->named++;
	return r;
}

static int take_copies(struct page_store *s, const struct page_frame *f, const uint8_t *runs, struct error *e)
{
	struct store_image *im, *other = image_find(s, f->count);
	int r;

	if (!s->in_round || !other)
		return refuse(e, EPROTO, "copies of pages of an image that is not there");
	r = image_make(s, f->image, &im, e);
	for (uint32_t i = 0; r == 0 && i < f->runs; i += 2) {
		struct page_run to, from;

		r = page_run_parse(f, runs, i, &to, e);
		if (r == 0)
			r = page_run_parse(f, runs, i + 1, &from, e);
		/* a copy takes memory, like contents do: each page is met by the limit */
		if (r == 0 &&
		    (to.pages != from.pages || to.kind != PAGE_RUN_DATA || from.kind != PAGE_RUN_DATA))
			return refuse(e, EPROTO, "copies of pages that do not match");
		for (uint64_t k = 0; r == 0 && k < to.pages; k++)
			r = copy_page(s, im, (to.vaddr >> s->page_shift) + k, other,
				      (from.vaddr >> s->page_shift) + k, to.flags, e);
	}
	return r;
}

/* ---- rounds ---- */

static int begin_round(struct page_store *s, const struct page_frame *f, struct error *e)
{
	if (s->in_round || s->round == UINT16_MAX || s->owed)
		return refuse(e, EPROTO, "a round of memory begins out of turn");
	s->in_round = true;
	s->final = f->flags & PAGE_FRAME_FINAL;
	s->is_final = false;
	s->round++;
	s->named = 0;
	return 0;
}

/* What the final round did not name is no more. */
static int settle(struct page_store *s, struct error *e)
{
	s->lazy = s->eager = 0;
	for (size_t i = 0; i < s->images; i++) {
		struct store_image *im = s->image[i];

		for (size_t j = 0; j < im->index.slots; j++) {
			struct page_chunk *c = im->index.slot[j];
			struct store_page *p = c ? page_chunk_record(&im->index, c, 0) : NULL;

			for (size_t k = 0; p && k < PAGE_CHUNK; k++) {
				if (p[k].round != s->round) {
					int r = set_state(s, &p[k], STORE_NONE, e);
					if (r < 0)
						return r;
				}
				s->lazy += p[k].state >= STORE_DATA && p[k].lazy;
				s->eager += p[k].state == STORE_DATA && !p[k].lazy;
			}
		}
	}
	return 0;
}

static int end_round(struct page_store *s, const struct page_frame *f, struct error *e)
{
	if (!s->in_round || s->final != (f->flags & PAGE_FRAME_FINAL))
		return refuse(e, EPROTO, "a round of memory ends out of turn");
	if (f->count != s->named)
		return refuse(e, EPROTO, "a round of memory has %" PRIu64 " pages, %" PRIu64 " came",
			      f->count, s->named);
	s->in_round = false;
	s->rounds++;
	if (!s->final)
		return 0;
	s->is_final = true;
	return settle(s, e);
}

static int take_bare(struct page_store *s, const struct page_frame *f, struct error *e)
{
	struct store_image *im;

	switch (f->type) {
	case PAGE_FRAME_OPEN:
	case PAGE_FRAME_FORGET:
		if (!s->in_round)
			break;
		if (f->type == PAGE_FRAME_OPEN)
			return image_make(s, f->image, &im, e);
		im = image_find(s, f->image);
		return im ? image_forget(s, im, e) : 0;
	case PAGE_FRAME_BEGIN:
		return begin_round(s, f, e);
	case PAGE_FRAME_END:
		return end_round(s, f, e);
	case PAGE_FRAME_ALL:
		if (s->owed || !s->is_final)
			break;
		return 0;
	default:
		break;
	}
	return refuse(e, EPROTO, "frame of memory pages: type %d out of turn", f->type);
}

/* ---- bytes to frames ---- */

static int take_frame(struct page_store *s, const struct page_frame *f, const uint8_t *body, struct error *e)
{
	const uint8_t *runs = body, *contents = body + (size_t)f->runs * PAGE_RUN_SIZE;
	int r;

	if (f->page_shift != s->page_shift)
		return refuse(e, EPROTO, "the source has pages of %u bytes, this machine has %zu",
			      1U << f->page_shift, s->page_size);
	if (f->codec != PAGE_CODEC_NONE) {
		r = page_unpack(s->packer, f->codec, contents, f->stored, s->plain, f->raw, e);
		if (r < 0)
			return r;
		contents = s->plain;
	}
	if (page_frame_check(f, runs, contents) != f->check)
		return refuse(e, EBADMSG, "frame of memory pages: damaged on the way");
	if (f->type == PAGE_FRAME_PAGES) {
		if (!s->in_round && !s->owed)
			return refuse(e, EPROTO, "pages out of turn");
		return take_pages(s, f, runs, contents, e);
	}
	if (f->type == PAGE_FRAME_COPY)
		return take_copies(s, f, runs, e);
	return take_bare(s, f, e);
}

/* Bytes are put together until they are a header, then until they are its frame; a frame that lies whole in
 * `data` is taken from there. */
int page_store_feed(struct page_store *s, const void *data, size_t size, struct error *e)
{
	const uint8_t *at = data;

	while (size) {
		struct page_frame f;
		size_t want = PAGE_FRAME_HEADER, n;
		bool in_place = s->have == 0 && size >= PAGE_FRAME_HEADER;
		const uint8_t *header = in_place ? at : s->frame;
		int r;

		if (in_place || s->have >= PAGE_FRAME_HEADER) {
			r = page_frame_parse(header, &f, &want, e);
			if (r < 0)
				return r;
		}
		if (in_place && size >= want) {
			r = take_frame(s, &f, at + PAGE_FRAME_HEADER, e);
			if (r < 0)
				return r;
			at += want;
			size -= want;
			continue;
		}
		n = want - s->have < size ? want - s->have : size;
		memcpy(s->frame + s->have, at, n);
		s->have += n;
		at += n;
		size -= n;
		if (s->have == PAGE_FRAME_HEADER) {
			r = page_frame_parse(s->frame, &f, &want, e);
			if (r < 0)
				return r;
		}
		if (s->have < want || s->have < PAGE_FRAME_HEADER)
			continue;
		s->have = 0;
		r = take_frame(s, &f, s->frame + PAGE_FRAME_HEADER, e);
		if (r < 0)
			return r;
	}
	return 0;
}
