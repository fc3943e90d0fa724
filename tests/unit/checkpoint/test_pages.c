/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pages.c - pages through sender, frames and store: what comes out is what went in, whatever happens between */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/pages_internal.h"
#include "checkpoint/pagestore_internal.h"
#include "runtime/base/io.h"
#include "tests/unit/unit.h"

#define PAGE	 4096
#define IMAGES	 3
#define PAGES	 2000 /* of an image, spread over some chunks */
#define LIMIT	 (64ULL << 20)
#define BASE(im) (0x7f0000000000ULL + ((uint64_t)(im) << 32))

/* ---- a sender and a store, joined: frames are cut into pieces of odd sizes on their way ---- */

static struct error err;

struct joint {
	struct page_sender *sender;
	struct page_store *store;
	size_t piece;
	uint64_t bytes;
};

static int pass(void *arg, const struct iovec *pieces, int n, struct error *e)
{
	struct joint *j = arg;

	for (int i = 0; i < n; i++) {
		const uint8_t *at = pieces[i].iov_base;
		size_t left = pieces[i].iov_len;

		j->bytes += left;
		while (left) {
			size_t k = j->piece && j->piece < left ? j->piece : left;
			int r = page_store_feed(j->store, at, k, e);
			if (r < 0)
				return r;
			at += k;
			left -= k;
		}
	}
	return 0;
}

static void join(struct joint *j, enum page_codec codec, uint64_t limit)
{
	struct page_sender_options o = { .codec = codec };
	struct page_sink sink = { pass, j };

	assert_int_equal(page_store_new(limit, &j->store, &err), 0);
	assert_int_equal(page_sender_new(&o, &sink, &j->sender, &err), 0);
}

static void part(struct joint *j)
{
	page_sender_free(j->sender);
	page_store_free(j->store);
}

#define OK(call)                                            \
	do {                                                \
		if ((call) < 0)                             \
			fail_msg("%s: %s", #call, err.msg); \
	} while (0)

/* ---- a model of memory ---- */

static uint64_t seed = 1;

static uint32_t pick(uint32_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % n;
}

struct model {
	bool there[IMAGES][PAGES];
	uint8_t *data; /* IMAGES * PAGES pages */
};

static uint8_t *model_page(const struct model *m, int im, int page)
{
	return m->data + ((size_t)im * PAGES + (size_t)page) * PAGE;
}

static void scribble(struct model *m, int im, int page)
{
	uint8_t *at = model_page(m, im, page);

	m->there[im][page] = true;
	switch (pick(5)) {
	case 0: /* zeroes */
		memset(at, 0, PAGE);
		break;
	case 1: /* equal to another page */
		memcpy(at, model_page(m, (int)pick(IMAGES), (int)pick(PAGES)), PAGE);
		break;
	case 2: /* one byte */
		at[pick(PAGE)] ^= 0x40;
		break;
	case 3: /* text */
		for (int i = 0; i < PAGE; i++)
			at[i] = (uint8_t)('a' + pick(3));
		break;
	default:
		for (int i = 0; i < PAGE; i += 4) {
			uint32_t v = pick(UINT32_MAX);
			memcpy(at + i, &v, 4);
		}
	}
}

/* Pages of the model, some or all, in runs. */
static void send_some(struct joint *j, const struct model *m, bool all)
{
	for (int im = 0; im < IMAGES; im++) {
		OK(page_sender_open(j->sender, page_image(PAGE_TASK, (uint64_t)im + 1), &err));
		for (int page = 0; page < PAGES;) {
			int n = 1;

			if (!m->there[im][page] || (!all && pick(3) == 0)) {
				page++;
				continue;
			}
			while (page + n < PAGES && m->there[im][page + n] && n < 100)
				n++;
			OK(page_sender_add(j->sender, page_image(PAGE_TASK, (uint64_t)im + 1),
					   BASE(im) + (uint64_t)page * PAGE, (uint64_t)n,
					   PAGE_PRESENT | (page % 2 ? PAGE_LAZY : 0U),
					   model_page(m, im, page), &err));
			page += n;
		}
	}
}

static void compare(const struct joint *j, const struct model *m)
{
	static const uint8_t zero[PAGE];

	for (int im = 0; im < IMAGES; im++) {
		struct store_image *si = store_image(j->store, page_image(PAGE_TASK, (uint64_t)im + 1));

		assert_non_null(si);
		for (int page = 0; page < PAGES; page++) {
			uint64_t n;
			const struct store_page *p = page_table_find(&si->index,
								     BASE(im) / PAGE + (uint64_t)page, 1, &n);
			bool has = p && store_has(j->store, p);

			assert_int_equal(has, m->there[im][page]);
			if (!has)
				continue;
			const uint8_t *got = p->state == STORE_ZERO ? zero : store_contents_of(j->store, p);
			if (memcmp(got, model_page(m, im, page), PAGE))
				fail_msg("image %d page %d differs", im, page);
		}
	}
}

static void rounds(enum page_codec codec, size_t piece)
{
	struct joint j = { .piece = piece };
	struct model m = { .data = calloc((size_t)IMAGES * PAGES, PAGE) };

	join(&j, codec, LIMIT);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 1500; i++)
			scribble(&m, (int)pick(IMAGES), (int)pick(PAGES));
		for (int i = 0; i < 100; i++)
			m.there[pick(IMAGES)][pick(PAGES)] = false;
		OK(page_sender_begin(j.sender, round == 4, &err));
		/* the rounds before are made by a tracker that misses a third of all */
		send_some(&j, &m, round == 4);
		assert_false(page_store_is_final(j.store));
		OK(page_sender_end(j.sender, &err));
		assert_true(page_store_is_whole(j.store));
	}
	assert_true(page_store_is_final(j.store));
	compare(&j, &m);

	struct page_stats stats;
	page_sender_stats(j.sender, &stats);
	assert_int_equal(stats.wire_bytes, j.bytes);
	assert_true(stats.duplicate > 0 && stats.zero > 0 && stats.same > 0);
	part(&j);
	free(m.data);
}

static void test_rounds_arrive(void **state)
{
	(void)state;
	for (enum page_codec codec = 0; codec < PAGE_CODEC_MAX; codec++) {
		rounds(codec, 0);
		rounds(codec, 1000);
	}
	rounds(PAGE_CODEC_NONE, 7);
}

/* What is as it was costs nothing before the last round, and a few bytes in it. */
static void test_only_differences_travel(void **state)
{
	struct joint j = { 0 };
	struct model m = { .data = calloc((size_t)IMAGES * PAGES, PAGE) };
	uint64_t before;

	(void)state;
	join(&j, PAGE_CODEC_NONE, LIMIT);
	for (int im = 0; im < IMAGES; im++)
		for (int page = 0; page < PAGES; page++)
			scribble(&m, im, page);
	OK(page_sender_begin(j.sender, false, &err));
	send_some(&j, &m, true);
	OK(page_sender_end(j.sender, &err));
	before = j.bytes;
	OK(page_sender_begin(j.sender, false, &err));
	send_some(&j, &m, true);
	OK(page_sender_end(j.sender, &err));
	assert_true(j.bytes - before < 1000);
	before = j.bytes;
	model_page(&m, 1, 77)[5] ^= 1;
	OK(page_sender_begin(j.sender, true, &err));
	send_some(&j, &m, true);
	OK(page_sender_end(j.sender, &err));
	assert_true(j.bytes - before < (uint64_t)IMAGES * PAGES * 20 + 2 * PAGE);
	compare(&j, &m);
	part(&j);
	free(m.data);
}

static void test_forgotten_images_free_their_memory(void **state)
{
	struct joint j = { 0 };
	uint8_t *data = malloc(256 * PAGE);
	uint64_t image = 0;

	(void)state;
	/* 64 images of 1 MiB each in 8 MiB, since each is forgotten */
	join(&j, PAGE_CODEC_NONE, 8ULL << 20);
	for (int i = 0; i < 64; i++) {
		OK(page_sender_begin(j.sender, false, &err));
		if (image)
			OK(page_sender_forget(j.sender, image, &err));
		image = page_image(PAGE_TASK, (uint64_t)i + 1);
		for (size_t k = 0; k < 256 * PAGE; k += 4)
			*(uint32_t *)(void *)(data + k) = pick(UINT32_MAX);
		OK(page_sender_add(j.sender, image, BASE(0), 256, PAGE_LAZY, data, &err));
		OK(page_sender_end(j.sender, &err));
	}
	part(&j);
	free(data);
}

static void test_limit_is_kept(void **state)
{
	struct joint j = { 0 };
	uint8_t *data = malloc(256 * PAGE);
	struct page_store_stats stats;
	int r = 0;

	(void)state;
	join(&j, PAGE_CODEC_NONE, 4ULL << 20);
	OK(page_sender_begin(j.sender, false, &err));
	for (uint64_t i = 0; r == 0 && i < 64; i++) {
		for (size_t k = 0; k < 256 * PAGE; k += 4)
			*(uint32_t *)(void *)(data + k) = pick(UINT32_MAX);
		r = page_sender_add(j.sender, page_image(PAGE_TASK, 1), BASE(0) + (i << 20), 256, 0, data,
				    &err);
	}
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(err.msg, "of 4 MiB"));
	page_store_stats(j.store, &stats);
	assert_true(stats.content_bytes + stats.index_bytes <= stats.limit_bytes);
	part(&j);
	free(data);
}

static void test_bandwidth_is_accounted(void **state)
{
	struct joint j = { 0 };

	(void)state;
	join(&j, PAGE_CODEC_NONE, LIMIT);
	page_sender_set_bandwidth(j.sender, 1000000);
	OK(page_sender_begin(j.sender, false, &err));
	uint64_t first = j.sender->paid_ns;
	OK(page_sender_end(j.sender, &err));
	/* 48 bytes at a million a second */
	assert_int_equal(j.sender->paid_ns - first, 48000);
	part(&j);
}

/* ---- post-copy ---- */

static void test_promises_are_kept(void **state)
{
	struct joint j = { 0 };
	const size_t n = 1200;
	uint8_t *memory = NULL;
	struct page_store_stats stats;
	uint64_t image = page_image(PAGE_TASK, 9);

	(void)state;
	assert_int_equal(posix_memalign((void **)&memory, PAGE, n * PAGE), 0);
	for (size_t k = 0; k < n * PAGE; k += 4)
		*(uint32_t *)(void *)(memory + k) = pick(UINT32_MAX);
	memset(memory + 100 * PAGE, 0, 50 * PAGE);
	join(&j, PAGE_CODEC_NONE, LIMIT);
	OK(page_sender_begin(j.sender, true, &err));
	OK(page_sender_postpone(j.sender, &err));
	OK(page_sender_open(j.sender, image, &err));
	uint64_t at = (uintptr_t)memory;
	OK(page_sender_add(j.sender, image, at, n - 10, PAGE_LAZY, memory, &err));
	OK(page_sender_add(j.sender, image, at + (n - 10) * PAGE, 10, 0, memory + (n - 10) * PAGE, &err));
	OK(page_sender_end(j.sender, &err));
	page_store_stats(j.store, &stats);
	assert_int_equal(stats.owed, n - 10 - 50);
	assert_int_equal(page_store_write_images(j.store, AT_FDCWD, PAGE_IMAGES_PLAIN, NULL, &err), -EAGAIN);

	OK(page_sender_add_source(j.sender, image, open("/proc/self/mem", O_RDONLY | O_CLOEXEC), &err));
	OK(page_sender_push_wanted(j.sender, image, at + 700 * PAGE, 1, &err));
	page_store_stats(j.store, &stats);
	assert_int_equal(stats.owed, n - 10 - 50 - 16);
	int64_t left, calls = 0;
	do {
		left = page_sender_push(j.sender, 100, &err);
		assert_true(left >= 0);
		calls++;
	} while (left);
	assert_in_range(calls, 2, n / 100 + 1);
	page_store_stats(j.store, &stats);
	assert_int_equal(stats.owed, 0);
	struct store_image *si = store_image(j.store, image);
	for (size_t i = 0; i < n; i++) {
		uint64_t one;
		const struct store_page *p = page_table_find(&si->index, at / PAGE + i, 1, &one);
		assert_true(p && store_has(j.store, p));
		assert_int_equal(p->state, i >= 100 && i < 150 ? STORE_ZERO : STORE_DATA);
		if (p->state == STORE_DATA)
			assert_memory_equal(store_contents_of(j.store, p), memory + i * PAGE, PAGE);
	}
	part(&j);
	free(memory);
}

static void test_wants_are_understood(void **state)
{
	uint8_t data[PAGE_WANT_SIZE];
	uint64_t image, vaddr, n;

	(void)state;
	page_want_put(page_image(PAGE_TASK, 3), 0x7000, 9, 12, data);
	OK(page_want_parse(data, &image, &vaddr, &n, &err));
	assert_int_equal(image, 0x301);
	assert_int_equal(vaddr, 0x7000);
	assert_int_equal(n, 9);
	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] ^= 1;
		assert_int_equal(page_want_parse(data, &image, &vaddr, &n, &err), -EPROTO);
		data[i] ^= 1;
	}
}

/* ---- CRIU's protocol ---- */

struct record {
	uint32_t cmd, padding;
	uint64_t pages, vaddr, image;
};

static void say(int fd, uint32_t cmd, uint64_t image, uint64_t vaddr, uint64_t pages)
{
	struct record r = { cmd, 0, pages, vaddr, image };

	assert_int_equal(write(fd, &r, sizeof(r)), sizeof(r));
}

#define ADD(flags) (6U | (uint32_t)(flags) << 16)

/* What CRIU would say, and what the server makes of it; *ret_answer gets up to 64 bytes of answers. */
static int serve(struct joint *j, int *pair, bool has_parent, char *answers, ssize_t *ret_n, struct error *e)
{
	AUTO(page_server) struct page_server *ps = NULL;
	int r = page_server_new(j->sender, pair[0], has_parent, &ps, e);

	assert_int_equal(r, 0);
	do
		r = page_server_step(ps, e);
	while (r == 0 && recv(pair[0], &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) >= 0);
	*ret_n = recv(pair[1], answers, 64, MSG_DONTWAIT);
	return r;
}

static void test_criu_is_served(void **state)
{
	struct joint j = { 0 };
	int pair[2];
	char answers[64], data[3 * PAGE];
	ssize_t n;
	uint64_t image = page_image(PAGE_TASK, 7);

	(void)state;
	memset(data, 'x', sizeof(data));
	join(&j, PAGE_CODEC_LZ4, LIMIT);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	OK(page_sender_begin(j.sender, false, &err));
	say(pair[1], 5, image, 0, 0);
	say(pair[1], 4, image, 0, 0);
	say(pair[1], ADD(PAGE_PRESENT | PAGE_LAZY), image, 0x10000, 3);
	assert_int_equal(write(pair[1], data, sizeof(data)), sizeof(data));
	say(pair[1], 0x1024, 0, 0, 0);
	assert_int_equal(serve(&j, pair, true, answers, &n, &err), 1);
	assert_int_equal(n, 4 + 1 + 4);
	assert_memory_equal(answers, "\0\0\0\0\0\0\0\0", 9);
	OK(page_sender_end(j.sender, &err));

	/* the second round: there is a parent now, and the last one may refer to it */
	OK(page_sender_begin(j.sender, true, &err));
	say(pair[1], 4, image, 0, 0);
	say(pair[1], ADD(PAGE_PARENT), image, 0x10000, 2);
	say(pair[1], ADD(PAGE_PRESENT), image, 0x12000, 1);
	assert_int_equal(write(pair[1], data, PAGE), PAGE);
	say(pair[1], 0x1023, 0, 0, 0);
	assert_int_equal(serve(&j, pair, true, answers, &n, &err), 1);
	assert_int_equal(n, 1 + 4);
	assert_int_equal(answers[0], 1);
	OK(page_sender_end(j.sender, &err));
	assert_true(page_store_is_final(j.store));
	close(pair[0]);
	close(pair[1]);
	part(&j);
}

/* Up to CRIU 4.1 records are shorter. */
static void test_older_criu_is_served(void **state)
{
	struct old {
		uint32_t cmd, pages;
		uint64_t vaddr, image;
	} said[] = { { 4, 0, 0, 0x701 }, { ADD(4), 1, 0x10000, 0x701 } }, last = { 0x1024, 0, 0, 0 };
	struct joint j = { 0 };
	int pair[2];
	char answers[64], data[PAGE];
	ssize_t n;

	(void)state;
	memset(data, 'x', sizeof(data));
	for (int pages = 0; pages < 2; pages++) {
		join(&j, PAGE_CODEC_NONE, LIMIT);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		OK(page_sender_begin(j.sender, true, &err));
		if (pages) {
			assert_int_equal(write(pair[1], said, sizeof(said)), sizeof(said));
			assert_int_equal(write(pair[1], data, sizeof(data)), sizeof(data));
		}
		assert_int_equal(write(pair[1], &last, sizeof(last)), sizeof(last));
		assert_int_equal(serve(&j, pair, false, answers, &n, &err), 1);
		assert_int_equal(n, pages ? 1 + 4 : 4);
		OK(page_sender_end(j.sender, &err));
		assert_int_equal(j.store->slots, pages);
		close(pair[0]);
		close(pair[1]);
		part(&j);
	}
}

static void test_criu_is_not_believed(void **state)
{
	static const struct {
		struct record r;
		int error;
	} bad[] = {
		{ { .cmd = 99 }, -EPROTO },
		{ { .cmd = 7, .image = 0x701, .pages = 1 }, -EPROTO },
		{ { .cmd = 4, .image = 0x709 }, -EPROTO },
		{ { .cmd = ADD(4), .image = 0x709, .pages = 1 }, -EPROTO },
		{ { .cmd = ADD(8), .image = 0x701, .pages = 1 }, -EPROTO },
		{ { .cmd = ADD(2), .image = 0x701, .pages = 1 }, -EPROTO },
		{ { .cmd = ADD(5), .image = 0x701, .pages = 1 }, -EPROTO },
		{ { .cmd = ADD(4), .image = 0x701, .pages = 0 }, -EPROTO },
		{ { .cmd = ADD(4), .image = 0x701, .pages = 1, .vaddr = 1 }, -EPROTO },
		{ { .cmd = ADD(4), .image = 0x701, .pages = 1, .vaddr = 1ULL << 60 }, -EPROTO },
		{ { .cmd = ADD(4), .image = 0x701, .pages = UINT64_MAX, .vaddr = 0x1000 }, -EPROTO },
		{ { .cmd = ADD(1), .image = 0x701, .pages = 1, .vaddr = 0x1000 }, -ENODATA },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct joint j = { 0 };
		char answers[64];
		ssize_t n;
		int pair[2];

		join(&j, PAGE_CODEC_NONE, LIMIT);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		OK(page_sender_begin(j.sender, false, &err));
		say(pair[1], 4, 0x701, 0, 0);
		assert_int_equal(write(pair[1], &bad[i].r, sizeof(bad[i].r)), sizeof(bad[i].r));
		if (serve(&j, pair, true, answers, &n, &err) != bad[i].error)
			fail_msg("case %zu: %s", i, err.msg);
		close(pair[0]);
		close(pair[1]);
		part(&j);
	}
}

static void test_criu_that_ends_early_is_told(void **state)
{
	struct joint j = { 0 };
	char answers[64];
	ssize_t n;
	int pair[2];

	(void)state;
	join(&j, PAGE_CODEC_NONE, LIMIT);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	OK(page_sender_begin(j.sender, false, &err));
	say(pair[1], 4, 0x701, 0, 0);
	say(pair[1], ADD(4), 0x701, 0x1000, 1);
	shutdown(pair[1], SHUT_WR);
	assert_int_equal(serve(&j, pair, true, answers, &n, &err), -EPIPE);
	close(pair[0]);
	close(pair[1]);
	part(&j);
}

/* ---- a stranger's frames ---- */

static int feed_frame(struct page_store *s, struct page_frame f, const struct page_run *runs,
		      const void *contents, struct error *e)
{
	uint8_t header[PAGE_FRAME_HEADER], body[64 * PAGE_RUN_SIZE];
	int r;

	f.page_shift = f.page_shift ? f.page_shift : 12;
	for (uint32_t i = 0; i < f.runs; i++)
		page_run_put(&runs[i], body, i);
	f.check = f.check ? f.check : page_frame_check(&f, body, contents);
	page_frame_put(&f, header);
	r = page_store_feed(s, header, sizeof(header), e);
	if (r == 0)
		r = page_store_feed(s, body, (size_t)f.runs * PAGE_RUN_SIZE, e);
	return r < 0 ? r : page_store_feed(s, contents, f.stored, e);
}

static void test_strangers_are_refused(void **state)
{
	static uint8_t page[PAGE] = { 1 };
	const struct page_frame begin = { .type = PAGE_FRAME_BEGIN, .flags = PAGE_FRAME_FINAL };
	const struct page_frame pages = { .type = PAGE_FRAME_PAGES, .image = 0x101, .runs = 1 };
	const struct page_frame full = {
		.type = PAGE_FRAME_PAGES, .image = 0x101, .runs = 1, .stored = PAGE, .raw = PAGE
	};
	const struct {
		struct page_frame f;
		struct page_run run[2];
		int error;
	} bad[] = {
		{ { .type = 77 }, { { 0 } }, -EPROTO },
		{ { .type = PAGE_FRAME_BEGIN }, { { 0 } }, -EPROTO },
		{ { .type = PAGE_FRAME_END }, { { 0 } }, -EPROTO },
		{ { .type = PAGE_FRAME_END, .flags = 1, .count = 3 }, { { 0 } }, -EPROTO },
		{ { .type = PAGE_FRAME_ALL }, { { 0 } }, -EPROTO },
		{ { .type = PAGE_FRAME_WANT, .image = 0x101, .runs = 1 }, { { 0x1000, 1, 0, 0 } }, -EPROTO },
		{ { .type = PAGE_FRAME_OPEN, .image = 0x103 }, { { 0 } }, -EPROTO },
		{ { .type = PAGE_FRAME_OPEN, .image = 0x101, .page_shift = 13 }, { { 0 } }, -EPROTO },
		{ { .type = PAGE_FRAME_OPEN, .image = 0x101, .check = 5 }, { { 0 } }, -EBADMSG },
		{ full, { { 0x1000, 2, PAGE_RUN_DATA, 0 } }, -EPROTO },
		{ full, { { 0x1000, 1, PAGE_RUN_ZERO, 0 } }, -EPROTO },
		{ full, { { 1ULL << 60, 1, PAGE_RUN_DATA, 0 } }, -EPROTO },
		{ full, { { 0x1000, 0, PAGE_RUN_DATA, 0 } }, -EPROTO },
		{ full, { { 0x1000, 1, 9, 0 } }, -EPROTO },
		{ full, { { 0x1000, 1, PAGE_RUN_DATA, PAGE_PRESENT } }, -EPROTO },
		{ pages, { { 0x1000, 1, PAGE_RUN_SAME, 0 } }, -EPROTO },
		{ pages, { { 0x1000, 1, PAGE_RUN_LATER, 0 } }, -EPROTO },
		{ pages, { { 0x1000, 1ULL << 40, PAGE_RUN_ZERO, 0 } }, -ENOSPC },
		{ { .type = PAGE_FRAME_COPY, .image = 0x101, .count = 0x201, .runs = 2 },
		  { { 0x1000, 1, 0, 0 }, { 0x1000, 1, 0, 0 } },
		  -EPROTO },
		{ { .type = PAGE_FRAME_COPY, .image = 0x101, .count = 0x101, .runs = 2 },
		  { { 0x1000, 1, 0, 0 }, { 0x1000, 1, 0, 0 } },
		  -EPROTO },
		{ { .type = PAGE_FRAME_PAGES,
		    .image = 0x101,
		    .runs = 1,
		    .codec = PAGE_CODEC_LZ4,
		    .stored = 100,
		    .raw = PAGE },
		  { { 0x1000, 1, PAGE_RUN_DATA, 0 } },
		  -EPROTO },
		{ { .type = PAGE_FRAME_PAGES,
		    .image = 0x101,
		    .runs = 1,
		    .codec = PAGE_CODEC_ZSTD,
		    .stored = 100,
		    .raw = PAGE },
		  { { 0x1000, 1, PAGE_RUN_DATA, 0 } },
		  -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct page_store *s;

		assert_int_equal(page_store_new(1 << 20, &s, &err), 0);
		assert_int_equal(feed_frame(s, begin, NULL, NULL, &err), 0);
		int r = feed_frame(s, (struct page_frame)bad[i].f, bad[i].run, page, &err);
		if (r != bad[i].error)
			fail_msg("case %zu: %d %s", i, r, err.msg);
		assert_true(err.msg[0]);
		page_store_free(s);
	}
}

/* ---- the hash ---- */

static void test_hash_tells_pages_apart(void **state)
{
	struct page_key k, other;
	uint64_t page[PAGE / 8] = { 0 };

	(void)state;
	assert_int_equal(page_key_make(&k, &err), 0);
	assert_int_equal(page_key_make(&other, &err), 0);
	struct page_hash zero = page_hash(&k, page, PAGE);
	assert_false(page_hash_eq(zero, page_hash(&other, page, PAGE)));
	for (size_t bit = 0; bit < (size_t)PAGE * 8; bit++) {
		page[bit / 64] ^= 1ULL << bit % 64;
		assert_false(page_is_zero(page, PAGE));
		assert_false(page_hash_eq(zero, page_hash(&k, page, PAGE)));
		page[bit / 64] = 0;
	}
	assert_true(page_is_zero(page, PAGE));
	/* words exchanged, halves of pairs exchanged */
	page[0] = 1;
	struct page_hash a = page_hash(&k, page, PAGE);
	page[0] = 0;
	page[1] = 1;
	struct page_hash b = page_hash(&k, page, PAGE);
	page[1] = 0;
	page[2] = 1;
	struct page_hash c = page_hash(&k, page, PAGE);
	assert_false(page_hash_eq(a, b) || page_hash_eq(b, c) || page_hash_eq(a, c));
	uint64_t large[4 * PAGE / 8] = { [PAGE / 8] = 1 }, moved[4 * PAGE / 8] = { [2 * PAGE / 8] = 1 };
	assert_false(page_hash_eq(page_hash(&k, large, sizeof(large)), page_hash(&k, moved, sizeof(moved))));
}

static void test_checksum_tells_frames_apart(void **state)
{
	uint8_t data[300] = { 0 };
	uint64_t seen[301];

	(void)state;
	for (size_t n = 0; n <= sizeof(data); n++) {
		seen[n] = page_sum(0, data, n);
		for (size_t i = 0; i < n; i++)
			assert_int_not_equal(seen[n], seen[i]);
	}
	for (size_t bit = 0; bit < sizeof(data) * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_not_equal(page_sum(0, data, sizeof(data)), seen[sizeof(data)]);
		data[bit / 8] = 0;
	}
}

/* ---- images ---- */

static void test_images_are_criu_s(void **state)
{
	static const uint8_t expected_lazy[] = {
		0x19, 0x43, 0x56, 0x54, 0x25, 0x40, 0x08, 0x56, /* both magic numbers */
		2,    0,    0,	  0,	0x08, 1,		/* pages-1.img */
		10,   0,    0,	  0,	0x08, 0x80, 0x80, 0x04,
		0x10, 1,    0x20, 4,	0x28, 1, /* 0x10000, 1, PRESENT */
		10,   0,    0,	  0,	0x08, 0x80, 0xa0, 0x04,
		0x10, 2,    0x20, 2,	0x28, 2, /* 0x11000, 2, LAZY */
		10,   0,    0,	  0,	0x08, 0x80, 0x80, 0x05,
		0x10, 2,    0x20, 4,	0x28, 2, /* 0x14000, 2, PRESENT */
	};
	struct joint j = { 0 };
	uint8_t data[6 * PAGE], zero[PAGE] = { 0 };
	char top[] = "/tmp/coracle-pages-XXXXXX", *text;
	uint64_t image = page_image(PAGE_TASK, 5), bytes;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i += 4)
		*(uint32_t *)(void *)(data + i) = pick(UINT32_MAX);
	join(&j, PAGE_CODEC_NONE, LIMIT);
	OK(page_sender_begin(j.sender, true, &err));
	OK(page_sender_open(j.sender, image, &err));
	OK(page_sender_open(j.sender, page_image(PAGE_SHMEM, 66), &err));
	/* out of order on purpose */
	OK(page_sender_add(j.sender, image, 0x15000, 1, 0, zero, &err));
	OK(page_sender_add(j.sender, image, 0x14000, 1, 0, data + 4 * PAGE, &err));
	OK(page_sender_add(j.sender, image, 0x13000, 1, PAGE_LAZY, zero, &err));
	OK(page_sender_add(j.sender, image, 0x11000, 2, PAGE_LAZY, data + PAGE, &err));
	OK(page_sender_add(j.sender, image, 0x10000, 1, 0, data, &err));
	OK(page_sender_end(j.sender, &err));
	assert_non_null(mkdtemp(top));
	int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	OK(page_store_write_images(j.store, dir, PAGE_IMAGES_LAZY, &bytes, &err));
	assert_int_equal(bytes, 2 * PAGE);
	OK(io_read_file(dir, "pagemap-5.img", 4096, &text, &size, &err));
	assert_int_equal(size, sizeof(expected_lazy));
	assert_memory_equal(text, expected_lazy, size);
	free(text);
	OK(io_read_file(dir, "pages-1.img", 1 << 20, &text, &size, &err));
	assert_int_equal(size, 3 * PAGE);
	assert_memory_equal(text, data, PAGE);
	assert_memory_equal(text + PAGE, data + 4 * PAGE, PAGE);
	assert_memory_equal(text + 2 * PAGE, zero, PAGE);
	free(text);
	OK(io_read_file(dir, "pagemap-shmem-66.img", 4096, &text, &size, &err));
	assert_int_equal(size, 14);
	free(text);
	/* names that are taken are not written over */
	assert_int_equal(page_store_write_images(j.store, dir, PAGE_IMAGES_LAZY, NULL, &err), -EEXIST);
	/* the empty parent */
	OK(io_read_file(dir, "parent/pagemap-5.img", 4096, &text, &size, &err));
	assert_int_equal(size, 14);
	free(text);
	assert_int_equal(faccessat(dir, "parent/pagemap-shmem-66.img", F_OK, 0), -1);
	assert_int_equal(unlinkat(dir, "parent/pagemap-5.img", 0), 0);
	assert_int_equal(unlinkat(dir, "parent/pages-1.img", 0), 0);
	assert_int_equal(unlinkat(dir, "parent", AT_REMOVEDIR), 0);
	const char *names[] = { "pagemap-5.img", "pages-1.img", "pagemap-shmem-66.img", "pages-2.img" };
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(unlinkat(dir, names[i], 0), 0);
	/* plain: all pages are in the file, but for zeroes that are there anyway */
	OK(page_store_write_images(j.store, dir, PAGE_IMAGES_PLAIN, &bytes, &err));
	assert_int_equal(bytes, 4 * PAGE);
	OK(io_read_file(dir, "pages-1.img", 1 << 20, &text, &size, &err));
	assert_int_equal(size, 5 * PAGE);
	assert_memory_equal(text, data, 3 * PAGE);
	assert_memory_equal(text + 3 * PAGE, data + 4 * PAGE, PAGE);
	free(text);
	for (size_t i = 0; i < 4; i++)
		unlinkat(dir, names[i], 0);
	close(dir);
	rmdir(top);
	part(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_tells_pages_apart),
		cmocka_unit_test(test_checksum_tells_frames_apart),
		cmocka_unit_test(test_rounds_arrive),
		cmocka_unit_test(test_only_differences_travel),
		cmocka_unit_test(test_forgotten_images_free_their_memory),
		cmocka_unit_test(test_limit_is_kept),
		cmocka_unit_test(test_bandwidth_is_accounted),
		cmocka_unit_test(test_promises_are_kept),
		cmocka_unit_test(test_wants_are_understood),
		cmocka_unit_test(test_criu_is_served),
		cmocka_unit_test(test_older_criu_is_served),
		cmocka_unit_test(test_criu_is_not_believed),
		cmocka_unit_test(test_criu_that_ends_early_is_told),
		cmocka_unit_test(test_strangers_are_refused),
		cmocka_unit_test(test_images_are_criu_s),
	};

	if (sysconf(_SC_PAGESIZE) != PAGE)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
