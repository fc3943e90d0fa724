/* SPDX-License-Identifier: GPL-2.0-or-later */
/* track.c - memory tracking: what is possible here, which way is taken, one round of it */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/track.h"
#include "checkpoint/wp_internal.h"

const char *const track_names[TRACK_MAX] = { "auto", "criu", "wp", "none" };

struct tracker {
	enum track_mode mode;
	struct track_source source;
	struct wp_tracker *wp;
};

/* Bit 55 of the entry of a page that was just written. */
static const char *soft_dirty_why_not(void)
{
	auto_close int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	volatile char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t entry = 0;
	bool seen;

	if (fd < 0 || page == MAP_FAILED)
		return "/proc/self/pagemap cannot be read";
	page[0] = 1;
	seen = pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)page / size * sizeof(entry))) ==
		       sizeof(entry) &&
	       entry >> 55 & 1;
	munmap((void *)(uintptr_t)page, size);
	return seen ? NULL : "the kernel has no soft-dirty bits (CONFIG_MEM_SOFT_DIRTY)";
}

void track_probe(struct track_support *ret)
{
	*ret = (struct track_support){ 0 };
	ret->why_not[TRACK_CRIU] = soft_dirty_why_not();
	ret->why_not[TRACK_WP] = wp_why_not();
}

int track_choose(enum track_mode wanted, const struct track_support *have, enum track_mode *ret,
		 struct error *e)
{
	if (wanted == TRACK_AUTO) {
		*ret = !have->why_not[TRACK_WP]	    ? TRACK_WP
		       : !have->why_not[TRACK_CRIU] ? TRACK_CRIU
						    : TRACK_NONE;
		return 0;
	}
	if (have->why_not[wanted])
		return refuse(e, EOPNOTSUPP, "memory tracking by %s: %s", track_names[wanted],
			      have->why_not[wanted]);
	*ret = wanted;
	return 0;
}

int tracker_new(enum track_mode mode, const struct track_source *source, struct tracker **ret,
		struct error *e)
{
	AUTO(tracker) struct tracker *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t)
		return fail(e, ENOMEM, "track memory");
	t->mode = mode;
	t->source = *source;
	if (mode == TRACK_WP)
		r = wp_tracker_new(source, &t->wp, e);
	if (r < 0)
		return r;
	*ret = take_ptr(t);
	return 0;
}

void tracker_free(struct tracker *t)
{
	if (!t)
		return;
	wp_tracker_free(t->wp);
	free(t);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* CRIU says nothing of processes; what it passed on is what was dirty. */
static int predump_round(struct tracker *t, struct page_sender *s, struct track_round_stats *ret,
			 struct error *e)
{
	struct page_stats before, after;
	int r;

	page_sender_stats(s, &before);
	r = t->source.predump(t->source.arg, s, e);
	page_sender_stats(s, &after);
	/* what CRIU said to be as before is not dirty */
	ret->sent = after.sent - before.sent;
	ret->dirty = (after.seen - before.seen) - (after.parent - before.parent);
	return r;
}

int tracker_round(struct tracker *t, struct page_sender *s, int stop, struct track_round_stats *ret,
		  struct error *e)
{
	uint64_t begun = now_us();
	int r = 0;

	*ret = (struct track_round_stats){ 0 };
	if (t->mode == TRACK_WP)
		r = wp_tracker_round(t->wp, s, stop, ret, e);
	else if (t->mode == TRACK_CRIU)
		r = predump_round(t, s, ret, e);
	ret->duration_us = now_us() - begun;
	return r;
}

int tracker_count(struct tracker *t, uint64_t *ret_pages, struct error *e)
{
	*ret_pages = 0;
	return t->mode == TRACK_WP ? wp_tracker_count(t->wp, ret_pages, e) : 0;
}
