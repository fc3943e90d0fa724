/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pageframe.c - frames of pages to bytes and back (pure) */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "checkpoint/pageframe.h"
#include "checkpoint/pagehash.h"
#include "runtime/base/str.h"

#define MAGIC	   0x31465043U /* "CPF1" */
#define SHIFT_MIN  12
#define SHIFT_MAX  16
#define IMAGE_KIND 0xff

const char *const page_codec_names[PAGE_CODEC_MAX] = { "none", "lz4", "zstd" };

static void put32(uint8_t *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
}

static void put64(uint8_t *at, uint64_t v)
{
	v = htole64(v);
	memcpy(at, &v, sizeof(v));
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

void page_frame_put(const struct page_frame *f, uint8_t ret[static PAGE_FRAME_HEADER])
{
	put32(ret, MAGIC);
	ret[4] = (uint8_t)f->type;
	ret[5] = (uint8_t)f->codec;
	ret[6] = f->page_shift;
	ret[7] = f->flags;
	put64(ret + 8, f->image);
	put32(ret + 16, f->runs);
	put32(ret + 20, f->stored);
	put32(ret + 24, f->raw);
	put32(ret + 28, 0);
	put64(ret + 32, f->count);
	put64(ret + 40, f->check);
}

static bool is_image(uint64_t image)
{
	return (image & IMAGE_KIND) == PAGE_TASK || (image & IMAGE_KIND) == PAGE_SHMEM;
}

/* What each type of frame may have. */
static const struct {
	bool image, runs, contents, final, other;
} may[PAGE_FRAME_MAX_TYPE] = {
	[PAGE_FRAME_OPEN] = { .image = true },
	[PAGE_FRAME_PAGES] = { .image = true, .runs = true, .contents = true },
	[PAGE_FRAME_COPY] = { .image = true, .runs = true, .other = true },
	[PAGE_FRAME_FORGET] = { .image = true },
	[PAGE_FRAME_BEGIN] = { .final = true },
	[PAGE_FRAME_END] = { .final = true },
	[PAGE_FRAME_WANT] = { .image = true, .runs = true },
	[PAGE_FRAME_ALL] = { .image = false },
};

static const char *wrong_header(const uint8_t *h, const struct page_frame *f)
{
	if (get32(h) != MAGIC)
		return "no frame begins here";
	if (f->type < PAGE_FRAME_OPEN || f->type >= PAGE_FRAME_MAX_TYPE)
		return "unknown type";
	if (f->page_shift < SHIFT_MIN || f->page_shift > SHIFT_MAX)
		return "impossible page size";
	if (f->codec >= PAGE_CODEC_MAX || get32(h + 28) != 0)
		return "unknown codec, or bits that must be zero";
	if (f->flags & ~(may[f->type].final ? PAGE_FRAME_FINAL : 0))
		return "flags that its type does not have";
	if (may[f->type].image ? !is_image(f->image) : f->image != 0)
		return "not the number of an image";
	if (may[f->type].other && !is_image(f->count))
		return "not the number of another image";
	if (f->runs > PAGE_FRAME_RUNS || (f->runs > 0) != may[f->type].runs)
		return "too many runs, or none";
	if (f->type == PAGE_FRAME_COPY && f->runs % 2)
		return "an odd number of runs";
	if (f->raw > PAGE_FRAME_CONTENTS || f->raw % (1U << f->page_shift) ||
	    (f->raw && !may[f->type].contents))
		return "contents that are too long";
	if (f->codec == PAGE_CODEC_NONE ? f->stored != f->raw : f->stored >= f->raw || f->stored == 0)
		return "contents longer than they should be";
	return NULL;
}

int page_frame_parse(const uint8_t header[static PAGE_FRAME_HEADER], struct page_frame *ret, size_t *ret_size,
		     struct error *e)
{
	struct page_frame f = {
		.type = header[4],
		.codec = header[5],
		.page_shift = header[6],
		.flags = header[7],
		.image = get64(header + 8),
		.runs = get32(header + 16),
		.stored = get32(header + 20),
		.raw = get32(header + 24),
		.count = get64(header + 32),
		.check = get64(header + 40),
	};
	const char *wrong = wrong_header(header, &f);

	if (wrong)
		return refuse(e, EPROTO, "frame of memory pages: %s", wrong);
	*ret = f;
	*ret_size = PAGE_FRAME_HEADER + (size_t)f.runs * PAGE_RUN_SIZE + f.stored;
	return 0;
}

void page_run_put(const struct page_run *r, uint8_t *runs, uint32_t i)
{
	put64(runs + (size_t)i * PAGE_RUN_SIZE, r->vaddr | (uint64_t)r->flags << 4 | r->kind);
	put64(runs + (size_t)i * PAGE_RUN_SIZE + 8, r->pages);
}

int page_run_parse(const struct page_frame *f, const uint8_t *runs, uint32_t i, struct page_run *ret,
		   struct error *e)
{
	uint64_t first = get64(runs + (size_t)i * PAGE_RUN_SIZE);
	uint64_t page = 1ULL << f->page_shift;
	struct page_run r = {
		.vaddr = first & ~0xfffULL,
		.pages = get64(runs + (size_t)i * PAGE_RUN_SIZE + 8),
		.kind = first & 0xf,
		.flags = first >> 4 & 0xff,
	};

	if (r.kind >= PAGE_RUN_MAX ||
	    (r.flags & ~(uint32_t)(r.kind == PAGE_RUN_SAME ? PAGE_LAZY | PAGE_PARENT : PAGE_LAZY)))
		return refuse(e, EPROTO, "frame of memory pages: run %u is of an unknown kind", i);
	if (r.vaddr % page || r.vaddr >= PAGE_ADDRESSES || r.pages == 0 ||
	    r.pages > (PAGE_ADDRESSES - r.vaddr) >> f->page_shift)
		return refuse(e, EPROTO,
			      "frame of memory pages: run %u, %#" PRIx64 " and %" PRIu64
			      " pages, is no memory",
			      i, r.vaddr, r.pages);
	*ret = r;
	return 0;
}

uint64_t page_frame_check(const struct page_frame *f, const void *runs, const void *contents)
{
	uint8_t header[PAGE_FRAME_HEADER];
	struct page_frame plain = *f;
	uint64_t sum;

	plain.check = 0;
	page_frame_put(&plain, header);
	sum = page_sum(0, header, sizeof(header));
	sum = page_sum(sum, runs, (size_t)f->runs * PAGE_RUN_SIZE);
	return page_sum(sum, contents, f->raw);
}

void page_want_put(uint64_t image, uint64_t vaddr, uint64_t n, uint8_t page_shift,
		   uint8_t ret[static PAGE_WANT_SIZE])
{
	struct page_frame f = {
		.type = PAGE_FRAME_WANT, .page_shift = page_shift, .image = image, .runs = 1
	};
	const struct page_run r = { vaddr, n, PAGE_RUN_DATA, 0 };

	page_run_put(&r, ret + PAGE_FRAME_HEADER, 0);
	f.check = page_frame_check(&f, ret + PAGE_FRAME_HEADER, NULL);
	page_frame_put(&f, ret);
}

int page_want_parse(const uint8_t data[static PAGE_WANT_SIZE], uint64_t *ret_image, uint64_t *ret_vaddr,
		    uint64_t *ret_n, struct error *e)
{
	struct page_frame f;
	struct page_run run;
	size_t size;
	int r = page_frame_parse(data, &f, &size, e);

	if (r == 0 && (f.type != PAGE_FRAME_WANT || size != PAGE_WANT_SIZE ||
		       page_frame_check(&f, data + PAGE_FRAME_HEADER, NULL) != f.check))
		r = refuse(e, EPROTO, "frame of memory pages: not a request for pages");
	if (r == 0)
		r = page_run_parse(&f, data + PAGE_FRAME_HEADER, 0, &run, e);
	if (r < 0)
		return r;
	*ret_image = f.image;
	*ret_vaddr = run.vaddr;
	*ret_n = run.pages;
	return 0;
}
