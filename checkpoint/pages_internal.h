/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages_internal.h - what pages.c and pagelater.c share: the sender's inside */
#ifndef CORACLE_PAGES_INTERNAL_H
#define CORACLE_PAGES_INTERNAL_H

#include "checkpoint/pagedup.h"
#include "checkpoint/pagehash.h"
#include "checkpoint/pages.h"
#include "checkpoint/pagetable.h"

struct sender_image {
	uint64_t image;
	struct page_table ledger; /* struct page_hash: what the destination has; a == 0: nothing */
	struct page_table owed;	  /* uint8_t: flags of a page that post-copy promised, plus 1 */
	uint64_t owed_pages, cursor;
	int mem;      /* its process's memory, post-copy; -1 */
	bool opened;  /* in this round */
	bool known;   /* pages of it were sent in an earlier round */
	bool touched; /* … in this one */
};

/* A frame in the making. */
struct frame_builder {
	struct page_frame frame;
	struct page_run run;	  /* the last one, not put into `runs` yet; pages 0: none */
	struct page_run source;	  /* PAGE_FRAME_COPY: its source */
	uint64_t lowest, highest; /* addresses in it */
	uint32_t fresh;		  /* pages with contents: the dup table learns of them when they are gone */
	struct {
		struct page_hash hash;
		uint64_t page;
	} freshly[PAGE_FRAME_CONTENTS >> 12];
	uint8_t *runs, *contents;
};

struct page_sender {
	struct page_sender_options options;
	struct page_sink sink;
	struct page_stats stats;
	struct page_packer *packer;
	struct page_key key;
	struct page_dup dup;
	struct sender_image *image;
	size_t images, room, current;
	struct frame_builder pages, copies;
	uint8_t *packed;
	size_t page_size;
	uint8_t page_shift;
	bool in_round, final, postpone;
	uint64_t named;	  /* pages in this round's frames */
	uint64_t paid_ns; /* CLOCK_MONOTONIC until which the bandwidth is used up */
	uint64_t owed;	  /* pages, of all images */
	size_t owed_image;
};

/* The image's entry, made if it is not there; NULL: lack of memory. */
struct sender_image *sender_image(struct page_sender *s, uint64_t image);
/* Contents of one page that is neither zero nor known, into the frame. */
int sender_add_contents(struct page_sender *s, struct sender_image *im, uint64_t vaddr, uint32_t flags,
			const void *data, struct page_hash h, struct error *e);
int sender_add_run(struct page_sender *s, struct sender_image *im, const struct page_run *r, struct error *e);
/* A frame without runs and contents. */
int sender_send_bare(struct page_sender *s, const struct page_frame *f, struct error *e);

#endif
