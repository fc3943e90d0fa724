/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pageframe.h - how pages look on the wire
 *
 * A frame is a header, runs, and contents. All numbers are little-endian.
 *
 *	 0 magic (u32)		"CPF1"
 *	 4 type (u8)		enum page_frame_type
 *	 5 codec (u8)		enum page_codec, of the contents
 *	 6 page shift (u8)	12 for 4 KiB; sender and receiver must have the same
 *	 7 flags (u8)		PAGE_FRAME_FINAL
 *	 8 image (u64)		number << 8 | PAGE_TASK or PAGE_SHMEM; 0 where there is none
 *	16 runs (u32)		16 bytes each, see struct page_run
 *	20 stored (u32)		bytes of contents as they follow
 *	24 raw (u32)		the same before compression: pages of all RUN_DATA runs
 *	28 zero (u32)
 *	32 count (u64)		PAGE_FRAME_END: pages named in the round; PAGE_FRAME_COPY: the other image
 *	40 check (u64)		of header (this field 0), runs and plain contents (pagehash.h)
 *	48 runs, contents
 *
 * The parser is given a stranger's bytes: everything is judged against limits before it is used or memory is
 * taken. Fuzzed by tests/fuzz/fuzz_pageframe.c. */
#ifndef CORACLE_PAGEFRAME_H
#define CORACLE_PAGEFRAME_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

#define PAGE_FRAME_HEADER   48
#define PAGE_RUN_SIZE	    16
#define PAGE_FRAME_RUNS	    1024U	 /* at most, in a frame */
#define PAGE_FRAME_CONTENTS (256U << 10) /* at most, plain; stored contents are never longer */
#define PAGE_FRAME_MAX	    (PAGE_FRAME_HEADER + PAGE_FRAME_RUNS * PAGE_RUN_SIZE + PAGE_FRAME_CONTENTS)

enum page_kind { PAGE_TASK = 1, PAGE_SHMEM = 2 }; /* CRIU's numbers */

static inline uint64_t page_image(enum page_kind kind, uint64_t number)
{
	return number << 8 | kind;
}

enum page_codec { PAGE_CODEC_NONE, PAGE_CODEC_LZ4, PAGE_CODEC_ZSTD, PAGE_CODEC_MAX };
extern const char *const page_codec_names[PAGE_CODEC_MAX]; /* "none", "lz4", "zstd" */

/* CRIU's flags of a pagemap entry. */
enum page_flag { PAGE_PARENT = 1, PAGE_LAZY = 2, PAGE_PRESENT = 4 };

enum page_frame_type {
	PAGE_FRAME_OPEN = 1, /* this image exists */
	PAGE_FRAME_PAGES,    /* runs of it */
	PAGE_FRAME_COPY,     /* runs in pairs: destination, then source in the image `count`; no contents */
	PAGE_FRAME_FORGET,   /* this image's process has ended */
	PAGE_FRAME_BEGIN,    /* of a round */
	PAGE_FRAME_END,	     /* of a round */
	PAGE_FRAME_WANT,     /* post-copy, from destination to source: send this next */
	PAGE_FRAME_ALL,	     /* post-copy, from source to destination: nothing is owed any more */
	PAGE_FRAME_MAX_TYPE
};
#define PAGE_FRAME_FINAL 1

enum page_run_kind {
	PAGE_RUN_DATA,	/* contents are in this frame */
	PAGE_RUN_ZERO,	/* zeroes */
	PAGE_RUN_SAME,	/* you have it (of a round before) */
	PAGE_RUN_LATER, /* post-copy: exists, contents will come */
	PAGE_RUN_MAX
};

/* 0 vaddr (u64), the low 12 bits of which are kind (bits 0 to 3) and flags (4 to 7)   8 pages (u64) */
struct page_run {
	uint64_t vaddr;
	uint64_t pages;
	enum page_run_kind kind;
	uint32_t flags; /* PAGE_LAZY; PAGE_PARENT with PAGE_RUN_SAME: as lazy as it was */
};

/* User addresses end far below, on all that Linux runs on. */
#define PAGE_ADDRESSES (1ULL << 56)

struct page_frame {
	enum page_frame_type type;
	enum page_codec codec;
	uint8_t page_shift;
	uint8_t flags;
	uint64_t image;
	uint32_t runs, stored, raw;
	uint64_t count;
	uint64_t check;
};

/* Judge a header; *ret_size is the whole frame's size, at most PAGE_FRAME_MAX. -EPROTO names what is wrong.
 */
int page_frame_parse(const uint8_t header[static PAGE_FRAME_HEADER], struct page_frame *ret, size_t *ret_size,
		     struct error *e);
void page_frame_put(const struct page_frame *f, uint8_t ret[static PAGE_FRAME_HEADER]);
/* Run `i` of a frame's body. -EPROTO: beyond the address space, no pages, unaligned, or unknown. */
int page_run_parse(const struct page_frame *f, const uint8_t *runs, uint32_t i, struct page_run *ret,
		   struct error *e);
void page_run_put(const struct page_run *r, uint8_t *runs, uint32_t i);
/* The checksum of a frame whose `check` is 0. */
uint64_t page_frame_check(const struct page_frame *f, const void *runs, const void *contents);

/* Post-copy, from destination to source: `n` pages from `vaddr` on are wanted next. */
#define PAGE_WANT_SIZE (PAGE_FRAME_HEADER + PAGE_RUN_SIZE)
void page_want_put(uint64_t image, uint64_t vaddr, uint64_t n, uint8_t page_shift,
		   uint8_t ret[static PAGE_WANT_SIZE]);
int page_want_parse(const uint8_t data[static PAGE_WANT_SIZE], uint64_t *ret_image, uint64_t *ret_vaddr,
		    uint64_t *ret_n, struct error *e);

/* Largest stored size of contents is their plain size: what does not shrink is stored as it is. Returns the
 * stored size and changes *codec to PAGE_CODEC_NONE where it has to. `out` has room for `size`. */
struct page_packer;
int page_packer_new(enum page_codec codec, int level, struct page_packer **ret, struct error *e);
void page_packer_free(struct page_packer *p);
size_t page_pack(struct page_packer *p, const void *data, size_t size, void *out, enum page_codec *ret_codec);
/* Exactly `raw` bytes into out, or -EPROTO. `out` has room for raw. Not for PAGE_CODEC_NONE. */
int page_unpack(struct page_packer *p, enum page_codec codec, const void *data, size_t size, void *out,
		size_t raw, struct error *e);

#endif
