/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_pageframe.c - any bytes as frames of memory pages, as a destination takes them from a stranger
 *
 * First the bytes as they are; then with magic, page size and checksum of each frame put right, or no input would
 * ever get behind those. Whatever comes, the store stays within its limit. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/pagestore.h"
#include "tests/fuzz/fuzz.h"

#define LIMIT (2U << 20)

static struct page_store *fresh(void)
{
	struct page_store *s = NULL;
	struct error e = { 0 };

	if (page_store_new(LIMIT, &s, &e) < 0)
		abort();
	return s;
}

static void judge(struct page_store *s, int r, const struct error *e)
{
	struct page_store_stats stats;

	assert((r < 0) == (e->msg[0] != '\0'));
	page_store_stats(s, &stats);
	assert(stats.content_bytes + stats.index_bytes <= LIMIT);
	page_store_free(s);
}

/* The next frame of `data` made valid on the outside, and fed. Returns the bytes used, 0 at the end. */
static size_t feed_repaired(struct page_store *s, const uint8_t *data, size_t size, int *ret, struct error *e)
{
	static uint8_t copy[PAGE_FRAME_MAX];
	struct page_frame f;
	struct error ignored;
	size_t want;

	if (size < PAGE_FRAME_HEADER)
		return 0;
	memcpy(copy, data, PAGE_FRAME_HEADER);
	memcpy(copy, "CPF1", 4);
	copy[6] = 12;
	memset(copy + 28, 0, 4);
	if (page_frame_parse(copy, &f, &want, &ignored) < 0 || want > size)
		return 0;
	memcpy(copy + PAGE_FRAME_HEADER, data + PAGE_FRAME_HEADER, want - PAGE_FRAME_HEADER);
	const uint8_t *runs = copy + PAGE_FRAME_HEADER, *contents = runs + (size_t)f.runs * PAGE_RUN_SIZE;
	if (f.codec == PAGE_CODEC_NONE)
		f.check = page_frame_check(&f, runs, contents);
	page_frame_put(&f, copy);
	*ret = page_store_feed(s, copy, want, e);
	return want;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = { 0 };
	struct page_store *s = fresh();
	size_t half = size / 2;
	int r = page_store_feed(s, data, half, &e);

	if (r == 0)
		r = page_store_feed(s, data + half, size - half, &e);
	judge(s, r, &e);

	e = (struct error){ 0 };
	s = fresh();
	r = 0;
	for (size_t at = 0, n = 1; r == 0 && n; at += n)
		n = feed_repaired(s, data + at, size - at, &r, &e);
	judge(s, r, &e);
	return 0;
}
