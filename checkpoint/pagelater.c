/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pagelater.c - post-copy, the source's side: what was promised is read from the stopped processes and sent
 *
 * After the final round. The processes stay stopped (CRIU's post-dump callback has not returned), so what is
 * read is what was there at the freeze. What the destination asks for goes first, with the pages around it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/pages_internal.h"

#define PAGE_SIZE_MAX 65536
#define AROUND	      16 /* pages sent along with one that is wanted: what is touched next is mostly near */

int page_sender_postpone(struct page_sender *s, struct error *e)
{
	int r = page_sender_flush(s, e);

	s->postpone = r == 0;
	return r;
}

int page_sender_add_source(struct page_sender *s, uint64_t image, int mem, struct error *e)
{
	int r = page_sender_flush(s, e);
	struct sender_image *im = r < 0 ? NULL : sender_image(s, image);

	if (r < 0)
		return r;
	if (!im)
		return fail(e, ENOMEM, "keep the sources of pages");
	replace_fd(&im->mem, mem);
	return 0;
}

/* One promised page: read, and on its way. */
static int keep_promise(struct page_sender *s, struct sender_image *im, uint64_t page, uint8_t *owed,
			struct error *e)
{
	uint64_t vaddr = page << s->page_shift, n;
	uint64_t data[PAGE_SIZE_MAX / 8] __attribute__((aligned(64)));
	uint32_t flags = *owed - 1U;
	struct page_hash *known = page_table_make(&im->ledger, page, 1, &n);
	ssize_t got;

	if (!known)
		return fail(e, ENOMEM, "keep the ledger of pages");
	if (im->mem < 0)
		return refuse(e, ESRCH, "image %" PRIu64 ": nobody has its memory", im->image >> 8);
	got = pread(im->mem, data, s->page_size, (off_t)vaddr);
	if (got != (ssize_t)s->page_size)
		return fail(e, got < 0 ? errno : EIO, "read page %#" PRIx64 " of image %" PRIu64, vaddr,
			    im->image >> 8);
	*owed = 0;
	im->owed_pages--;
	s->owed--;
	*known = page_hash(&s->key, data, s->page_size);
	return sender_add_contents(s, im, vaddr, flags, data, *known, e);
}

static int keep_promises(struct page_sender *s, struct sender_image *im, uint64_t page, uint64_t n,
			 uint64_t *ret_kept, struct error *e)
{
	*ret_kept = 0;
	s->pages.frame.image = im->image;
	while (n) {
		uint64_t here;
		uint8_t *owed = page_table_find(&im->owed, page, n, &here);

		for (uint64_t i = 0; owed && i < here; i++) {
			if (!owed[i])
				continue;
			int r = keep_promise(s, im, page + i, &owed[i], e);
			if (r < 0)
				return r;
			(*ret_kept)++;
		}
		n -= here;
		page += here;
	}
	return 0;
}

int page_sender_push_wanted(struct page_sender *s, uint64_t image, uint64_t vaddr, uint64_t n,
			    struct error *e)
{
	struct sender_image *im;
	uint64_t kept, page = vaddr >> s->page_shift;
	int r = page_sender_flush(s, e);

	if (r < 0)
		return r;
	im = sender_image(s, image);
	if (!im)
		return fail(e, ENOMEM, "keep the sources of pages");
	/* a stranger asks: never more than a frame at once, and only what is owed is ever looked at */
	n = n < AROUND				       ? AROUND
	    : n > PAGE_FRAME_CONTENTS >> s->page_shift ? PAGE_FRAME_CONTENTS >> s->page_shift
						       : n;
	r = keep_promises(s, im, page, n, &kept, e);
	return r < 0 ? r : page_sender_flush(s, e);
}

/* The next chunk of an image with promises; a chunk is 2 MiB of 4 KiB pages. */
static int push_chunks(struct page_sender *s, struct sender_image *im, uint64_t pages, uint64_t *ret_kept,
		       struct error *e)
{
	auto_free struct page_chunk **chunk = page_table_sorted(&im->owed);
	size_t i = 0;

	*ret_kept = 0;
	if (!chunk)
		return fail(e, ENOMEM, "send promised pages");
	while (i < im->owed.chunks && chunk[i]->number < im->cursor)
		i++;
	for (; i < im->owed.chunks && *ret_kept < pages; i++) {
		uint64_t kept;
		int r = keep_promises(s, im, chunk[i]->number * PAGE_CHUNK, PAGE_CHUNK, &kept, e);
		if (r < 0)
			return r;
		*ret_kept += kept;
		im->cursor = chunk[i]->number + 1;
	}
	return 0;
}

int64_t page_sender_push(struct page_sender *s, uint64_t pages, struct error *e)
{
	struct page_frame all = { .type = PAGE_FRAME_ALL };
	uint64_t done = 0;
	int r = 0;

	if (!s->postpone)
		return 0;
	for (; s->owed && done < pages && s->owed_image < s->images; s->owed_image++) {
		uint64_t kept = 0;

		r = page_sender_flush(s, e);
		s->current = s->owed_image;
		if (r == 0 && s->image[s->current].owed_pages)
			r = push_chunks(s, &s->image[s->current], pages - done, &kept, e);
		if (r < 0)
			return r;
		done += kept;
		if (s->image[s->current].owed_pages)
			break;
	}
	r = page_sender_flush(s, e);
	if (r == 0 && !s->owed) {
		s->postpone = false;
		r = sender_send_bare(s, &all, e);
	}
	return r < 0 ? r : (int64_t)s->owed;
}
