/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pagestore.h - memory pages arrive at a node and wait for their processes
 *
 * The store takes page frames from the source (a stranger: nothing of them is believed), keeps the pages in
 * memory (one memfd, no disk), newest round last, and gives them to CRIU in one of two ways:
 *
 *	page_store_write_images()	pagemap-*.img and pages-*.img in a directory, which should be on a
 *tmpfs; a plain restore reads all of it while the container stands still lazy_server (lazy.h)		only
 *what must be there goes into images; the rest is given to the processes by userfaultfd straight from the
 *store
 *
 * Its memory is bounded: contents and index together never exceed `limit_bytes`; beyond it frames are refused
 *with -ENOSPC, and the message says both numbers. */
#ifndef CORACLE_PAGESTORE_H
#define CORACLE_PAGESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/pageframe.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

struct page_store;
int page_store_new(uint64_t limit_bytes, struct page_store **ret, struct error *e);
void page_store_free(struct page_store *s);
DEFINE_AUTO(page_store, struct page_store)

/* Any piece of the source's byte stream of frames, cut anywhere. After an error the store is only good for
 * page_store_free(). */
int page_store_feed(struct page_store *s, const void *data, size_t size, struct error *e);
/* True between frames: the stream may end here. */
bool page_store_is_whole(const struct page_store *s);
/* True when the end of the final round has come, and what it named is all there (but what post-copy owes). */
bool page_store_is_final(const struct page_store *s);

struct page_store_stats {
	uint64_t rounds; /* ended */
	uint64_t images;
	uint64_t pages;		/* with contents */
	uint64_t owed;		/* post-copy: named, contents not here yet */
	uint64_t content_bytes; /* memory that contents take */
	uint64_t index_bytes;	/* memory that the index takes */
	uint64_t limit_bytes;
	uint64_t lazy_bytes;  /* after the final round: what a lazy restore need not read before it runs */
	uint64_t eager_bytes; /* … and what it must */
};
void page_store_stats(const struct page_store *s, struct page_store_stats *ret);

enum page_images {
	PAGE_IMAGES_PLAIN, /* everything: for `criu restore` alone. -EAGAIN while pages are owed */
	PAGE_IMAGES_LAZY, /* lazy pages are named only, and a lazy_server serves them; with a directory `parent` */
};
/* After the final round: pagemap-N.img, pagemap-shmem-N.img and pages-N.img into the directory `dir`, where
 * CRIU's other images are. Nothing may be there under these names. *ret_bytes (may be NULL): contents
 * written. */
int page_store_write_images(struct page_store *s, int dir, enum page_images how, uint64_t *ret_bytes,
			    struct error *e);

/* Whether a lazy restore is worth it for this store: above PAGE_LAZY_WORTH bytes of lazy memory (measured,
 * see tests/bench/README.md). */
#define PAGE_LAZY_WORTH (16ULL << 20)
bool page_store_is_lazy_worth(const struct page_store *s);

#endif
