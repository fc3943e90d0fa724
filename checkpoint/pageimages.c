/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pageimages.c - the store's pages as CRIU's images (see criu/pagemap.c and images/pagemap.proto)
 *
 * pagemap-N.img: two magic numbers, then records, each with its length before it (u32): a head that names pages-M.img, then
 * entries {address, number of pages, flags} in the order of addresses. pages-M.img: the pages of all entries
 * that are PRESENT, one after the other. Zero pages that a fresh mapping has anyway are left out; other zero pages are
 * holes in the file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/pagestore_internal.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

#define IMG_COMMON_MAGIC 0x54564319U
#define PAGEMAP_MAGIC	 0x56084025U

struct image_writer {
	struct page_store *store;
	const struct store_image *image;
	int dir, map, pages;
	enum page_images how;
	uint32_t number; /* of pages-M.img */
	uint8_t out[65536];
	size_t used;
	struct page_run entry; /* the pagemap's entry in the making; its flags are CRIU's */
	uint64_t at;	       /* bytes of pages-M.img so far, holes included */
	uint32_t first_slot;   /* contents that are still to be written: slots that follow each other */
	uint32_t slots;
	uint64_t slots_at; /* where in pages-M.img */
	uint64_t written;
};

static void image_writer_free(struct image_writer *w)
{
	if (!w)
		return;
	cleanup_close(&w->map);
	cleanup_close(&w->pages);
	free(w);
}
DEFINE_AUTO(image_writer, struct image_writer)

static int flush_map(struct image_writer *w, struct error *e)
{
	int r = io_write_all(w->map, w->out, w->used, e);

	w->used = 0;
	return r;
}

static size_t put_varint(uint8_t *at, uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		at[n++] = (uint8_t)(v | 0x80);
	at[n++] = (uint8_t)v;
	return n;
}

/* A message of numbers; a field is left out where its value is -1. */
static int put_record(struct image_writer *w, const int64_t *fields, size_t n, struct error *e)
{
	uint8_t message[64];
	uint32_t size = 0;

	for (size_t i = 0; i < n; i++) {
		if (fields[i] == -1)
			continue;
		message[size++] = (uint8_t)((i + 1) << 3);
		size += (uint32_t)put_varint(message + size, (uint64_t)fields[i]);
	}
	if (w->used + sizeof(size) + size > sizeof(w->out)) {
		int r = flush_map(w, e);
		if (r < 0)
			return r;
	}
	memcpy(w->out + w->used, &size, sizeof(size));
	/* cppcheck-suppress uninitvar */
	memcpy(w->out + w->used + sizeof(size), message, size);
	w->used += sizeof(size) + size;
	return 0;
}

static int open_images(struct image_writer *w, struct error *e)
{
	const uint32_t magic[2] = { IMG_COMMON_MAGIC, PAGEMAP_MAGIC };
	const int64_t head[1] = { w->number };
	const char *kind = (w->image->image & 0xff) == PAGE_SHMEM ? "shmem-" : "";
	char name[64];
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;

	str_format(name, sizeof(name), "pagemap-%s%" PRIu64 ".img", kind, w->image->image >> 8);
	w->map = openat(w->dir, name, flags, 0600);
	if (w->map < 0)
		return fail(e, errno, "create %s", name);
	str_format(name, sizeof(name), "pages-%u.img", w->number);
	w->pages = openat(w->dir, name, flags, 0600);
	if (w->pages < 0)
		return fail(e, errno, "create %s", name);
	memcpy(w->out, magic, sizeof(magic));
	w->used = sizeof(magic);
	return put_record(w, head, COUNT_OF(head), e);
}

static int flush_slots(struct image_writer *w, struct error *e)
{
	const struct page_store *s = w->store;
	const uint8_t *data = s->map + ((size_t)w->first_slot << s->page_shift);
	size_t left = (size_t)w->slots << s->page_shift;
	off_t at = (off_t)w->slots_at;

	w->written += left;
	w->slots = 0;
	while (left) {
		ssize_t n = pwrite(w->pages, data, left, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(e, n < 0 ? errno : EIO, "write pages-%u.img", w->number);
		data += n;
		left -= (size_t)n;
		at += n;
	}
	return 0;
}

static int flush_entry(struct image_writer *w, struct error *e)
{
	const struct page_run *r = &w->entry;
	const int64_t entry[5] = { (int64_t)r->vaddr, r->pages > UINT32_MAX ? 0 : (int64_t)r->pages, -1,
				   r->flags, (int64_t)r->pages };

	if (!r->pages)
		return 0;
	w->entry.pages = 0;
	return put_record(w, entry, COUNT_OF(entry), e);
}

/* The page's place in pages-M.img is the next one. */
static int put_contents(struct image_writer *w, const struct store_page *p, struct error *e)
{
	int r = 0;

	if (p->state == STORE_DATA) {
		if (w->slots && p->slot == w->first_slot + w->slots &&
		    w->at == w->slots_at + ((uint64_t)w->slots << w->store->page_shift)) {
			w->slots++;
		} else {
			r = flush_slots(w, e);
			w->first_slot = p->slot;
			w->slots = 1;
			w->slots_at = w->at;
		}
	}
	w->at += w->store->page_size;
	return r;
}

/* CRIU's flags for this page; 0: not named at all. */
static uint32_t entry_flags(const struct image_writer *w, const struct store_page *p)
{
	bool fresh_is_zero = p->lazy || (w->image->image & 0xff) == PAGE_SHMEM;

	if (p->state == STORE_ZERO && fresh_is_zero)
		return 0;
	if (p->lazy && w->how == PAGE_IMAGES_LAZY)
		return PAGE_LAZY;
	return PAGE_PRESENT;
}

static int put_page(struct image_writer *w, uint64_t vaddr, const struct store_page *p, struct error *e)
{
	uint32_t flags = entry_flags(w, p);
	int r = 0;

	if (!flags)
		return 0;
	if (w->entry.pages && w->entry.flags == flags &&
	    w->entry.vaddr + (w->entry.pages << w->store->page_shift) == vaddr) {
		w->entry.pages++;
	} else {
		r = flush_entry(w, e);
		w->entry = (struct page_run){ vaddr, 1, 0, flags };
	}
	if (r == 0 && (flags & PAGE_PRESENT))
		r = put_contents(w, p, e);
	return r;
}

static int put_all(struct image_writer *w, struct page_chunk **chunk, struct error *e)
{
	const struct page_table *index = &w->image->index;

	for (size_t i = 0; i < index->chunks; i++) {
		const struct store_page *p = page_chunk_record(index, chunk[i], 0);
		uint64_t page = chunk[i]->number * PAGE_CHUNK;

		for (size_t j = 0; j < PAGE_CHUNK; j++) {
			int r = store_has(w->store, &p[j])
					? put_page(w, (page + j) << w->store->page_shift, &p[j], e)
					: 0;
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* CRIU lets the kernel put huge pages into a mapping before userfaultfd watches it: there are no other pages than lazy ones in
 * it, it thinks, unless the images have a parent. Where there are some after all (what was said to be as before, a mapping
 * that was locked for a while), one huge page for one of them would fill two megabytes of lazy pages with zeroes,
 * for good. So there is a parent, in which nothing is: then it forbids huge pages for that time. (criu/mem.c,
 * maybe_disable_thp(); seen where huge pages are always given, as by Debian's kernels.) */
#define PARENT "parent"

static int make_parent(int dir, struct error *e)
{
	/* a source's incremental dump leaves a link of this name */
	unlinkat(dir, PARENT, 0);
	if (mkdirat(dir, PARENT, 0700) < 0)
		return fail(e, errno, "create " PARENT);
	int parent = openat(dir, PARENT, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (parent < 0)
		return fail(e, errno, "open " PARENT);
	return parent;
}

static int write_parent(const struct image_writer *w, int parent, struct error *e)
{
	AUTO(image_writer) struct image_writer *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return fail(e, ENOMEM, "write images of memory");
	*p = (struct image_writer){ .store = w->store,
				    .image = w->image,
				    .dir = parent,
				    .map = -1,
				    .pages = -1,
				    .number = w->number };
	r = open_images(p, e);
	return r < 0 ? r : flush_map(p, e);
}

static int write_image(struct image_writer *w, struct error *e)
{
	auto_free struct page_chunk **chunk = page_table_sorted(&w->image->index);
	int r = chunk ? open_images(w, e) : fail(e, ENOMEM, "write images of memory");

	if (r == 0)
		r = put_all(w, chunk, e);
	if (r == 0)
		r = flush_entry(w, e);
	if (r == 0)
		r = flush_slots(w, e);
	if (r == 0)
		r = flush_map(w, e);
	if (r == 0 && ftruncate(w->pages, (off_t)w->at) < 0)
		r = fail(e, errno, "write pages-%u.img", w->number);
	return r;
}

int page_store_write_images(struct page_store *s, int dir, enum page_images how, uint64_t *ret_bytes,
			    struct error *e)
{
	uint64_t written = 0;
	uint32_t number = 1;
	auto_close int parent = -1;

	if (!page_store_is_final(s))
		return refuse(e, EINVAL, "images of memory before the last round has come");
	if (how == PAGE_IMAGES_PLAIN && s->owed)
		return refuse(e, EAGAIN, "%" PRIu64 " pages of memory have not come yet", s->owed);
	if (how == PAGE_IMAGES_LAZY) {
		parent = make_parent(dir, e);
		if (parent < 0)
			return parent;
	}
	for (size_t i = 0; i < s->images; i++) {
		AUTO(image_writer) struct image_writer *w = NULL;
		int r = 0;

		if (s->image[i]->round != s->round)
			continue;
		w = calloc(1, sizeof(*w));
		if (!w)
			return fail(e, ENOMEM, "write images of memory");
		*w = (struct image_writer){ .store = s,
					    .image = s->image[i],
					    .dir = dir,
					    .map = -1,
					    .pages = -1,
					    .how = how,
					    .number = number };
		number++;
		r = write_image(w, e);
		if (r == 0 && parent >= 0 && (s->image[i]->image & 0xff) == PAGE_TASK)
			r = write_parent(w, parent, e);
		if (r < 0)
			return prefix(e, "image %" PRIu64, s->image[i]->image >> 8);
		written += w->written;
	}
	if (ret_bytes)
		*ret_bytes = written;
	return 0;
}
