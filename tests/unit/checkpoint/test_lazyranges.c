/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_lazyranges.c - ranges that are cut and moved, beside a plain table of pages; lines of /proc/PID/maps; duplicates */
#include <errno.h>
#include <string.h>

#include "checkpoint/lazyranges.h"
#include "checkpoint/pagedup.h"
#include "checkpoint/wp_internal.h"
#include "tests/unit/unit.h"

#define SPACE 400

static uint64_t seed = 42;

static uint32_t pick(uint32_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % n;
}

/* image address + 1 of each address, 0: none */
static void compare(const struct lazy_ranges *l, const uint64_t model[SPACE])
{
	uint64_t last = 0;

	for (size_t i = 0; i < l->n; i++) {
		assert_true(l->range[i].start < l->range[i].end);
		assert_true(l->range[i].start >= last);
		last = l->range[i].end;
	}
	for (uint64_t at = 0; at < SPACE; at++) {
		const struct lazy_range *r = lazy_ranges_find(l, at);

		assert_int_equal(model[at], r ? r->image + (at - r->start) + 1 : 0);
	}
}

static void test_cut_and_move_like_a_table(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		struct lazy_ranges l = { 0 }, copy;
		uint64_t model[SPACE] = { 0 }, other[SPACE];

		for (uint64_t at = 0; at + 30 < SPACE; at += 10 + pick(40)) {
			struct lazy_range r = { at, at + 1 + pick(10), 1000 + at * 3, pick(2) };
			assert_int_equal(lazy_ranges_append(&l, &r), 0);
			for (uint64_t a = r.start; a < r.end; a++)
				model[a] = r.image + (a - r.start) + 1;
		}
		for (int step = 0; step < 20; step++) {
			uint64_t from = pick(SPACE / 2), size = 1 + pick(60), to;

			do
				to = pick(SPACE - 60);
			while (to < from + size && from < to + size);
			if (pick(2)) {
				assert_int_equal(lazy_ranges_cut(&l, from, from + size), 0);
				memset(model + from, 0, size * sizeof(*model));
			} else {
				assert_int_equal(lazy_ranges_move(&l, from, to, size), 0);
				memcpy(other, model + from, size * sizeof(*model));
				memset(model + from, 0, size * sizeof(*model));
				memcpy(model + to, other, size * sizeof(*model));
			}
			compare(&l, model);
		}
		assert_int_equal(lazy_ranges_copy(&l, &copy), 0);
		lazy_ranges_done(&l);
		compare(&copy, model);
		lazy_ranges_done(&copy);
	}
}

static void test_neighbours_become_one(void **state)
{
	struct lazy_ranges l = { 0 };
	const struct lazy_range a = { 10, 20, 110, false }, b = { 20, 30, 120, false },
				hot = { 30, 40, 130, true }, elsewhere = { 40, 50, 999, true };

	(void)state;
	lazy_ranges_append(&l, &a);
	lazy_ranges_append(&l, &b);
	assert_int_equal(l.n, 1);
	lazy_ranges_append(&l, &hot);
	lazy_ranges_append(&l, &elsewhere);
	assert_int_equal(l.n, 3);
	assert_int_equal(lazy_ranges_above(&l, 29), 0);
	assert_int_equal(lazy_ranges_above(&l, 30), 1);
	assert_int_equal(lazy_ranges_above(&l, 50), 3);
	assert_null(lazy_ranges_find(&l, 50));
	lazy_ranges_done(&l);
}

static void test_maps_are_read(void **state)
{
	static const struct {
		const char *line;
		enum wp_kind kind;
		uint64_t inode, offset;
	} lines[] = {
		{ "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n", WP_PRIVATE, 0, 0 },
		{ "7f0000000000-7f0000001000 rw-p 00000000 00:00 0                          [heap]\n",
		  WP_PRIVATE, 0, 0 },
		{ "7f0000000000-7f0000001000 r--p 00003000 fe:01 123                        /bin/x y\n",
		  WP_PRIVATE, 123, 0x3000 },
		{ "7f0000000000-7f0000001000 rw-s 00002000 00:01 77                         /dev/zero "
		  "(deleted)\n",
		  WP_SHARED, 77, 0x2000 },
		{ "7f0000000000-7f0000001000 rw-s 00000000 00:01 3                          /SYSV00000000 "
		  "(deleted)\n",
		  WP_SHARED, 3, 0 },
		{ "7f0000000000-7f0000001000 rw-s 00000000 00:01 5                          /memfd:x "
		  "(deleted)\n",
		  WP_SHARED, 5, 0 },
		{ "7f0000000000-7f0000001000 rw-s 00000000 fe:01 5                          /var/lib/file\n",
		  WP_SKIP, 5, 0 },
		{ "7f0000000000-7f0000001000 r--p 00000000 00:00 0                          [vvar]\n",
		  WP_SKIP, 0, 0 },
		{ "7f0000000000-7f0000001000 r--p 00000000 00:00 0                          [vvar_vclock]\n",
		  WP_SKIP, 0, 0 },
		{ "7f0000000000-7f0000001000 r-xp 00000000 00:00 0                          [vdso]\n",
		  WP_SKIP, 0, 0 },
		{ "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n",
		  WP_SKIP, 0, 0 },
	};
	struct wp_mapping m;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(wp_mapping_parse(lines[i].line, &m), 0);
		if (m.kind != lines[i].kind || m.inode != lines[i].inode || m.offset != lines[i].offset)
			fail_msg("%s", lines[i].line);
		assert_true(m.end > m.start);
	}
	assert_int_equal(wp_mapping_parse("", &m), -EINVAL);
	assert_int_equal(wp_mapping_parse("nonsense\n", &m), -EINVAL);
	assert_int_equal(wp_mapping_parse("2000-1000 rw-p 0 00:00 0 \n", &m), -EINVAL);
}

static void test_duplicates_are_remembered(void **state)
{
	struct page_dup d = { 0 };
	uint32_t image, found = 0;
	uint64_t page;
	const uint32_t n = 200000;

	(void)state;
	for (uint32_t i = 0; i < n; i++) {
		struct page_hash h = { i * 0x9e3779b97f4a7c15ULL | 1ULL << 63, i * 0xd6e8feb86659fd93ULL };
		assert_int_equal(page_dup_get(&d, h, &image, &page), -1);
		page_dup_put(&d, h, i % 7, (uint64_t)i << 20);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct page_hash h = { i * 0x9e3779b97f4a7c15ULL | 1ULL << 63, i * 0xd6e8feb86659fd93ULL };
		if (page_dup_get(&d, h, &image, &page) < 0)
			continue;
		assert_int_equal(image, i % 7);
		assert_int_equal(page, (uint64_t)i << 20);
		found++;
	}
	/* forgetful, but not much */
	assert_true(found > n / 10 * 9);
	assert_true(d.size <= PAGE_DUP_MAX);
	page_dup_done(&d);
}

static void test_tracking_is_chosen(void **state)
{
	struct track_support all = { { 0 } }, none = { { NULL, "no soft-dirty", "no wp", NULL } },
			     soft = { { NULL, NULL, "no wp", NULL } };
	enum track_mode mode;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(track_choose(TRACK_AUTO, &all, &mode, &e), 0);
	assert_int_equal(mode, TRACK_WP);
	assert_int_equal(track_choose(TRACK_AUTO, &soft, &mode, &e), 0);
	assert_int_equal(mode, TRACK_CRIU);
	assert_int_equal(track_choose(TRACK_AUTO, &none, &mode, &e), 0);
	assert_int_equal(mode, TRACK_NONE);
	assert_int_equal(track_choose(TRACK_NONE, &all, &mode, &e), 0);
	assert_int_equal(mode, TRACK_NONE);
	assert_int_equal(track_choose(TRACK_WP, &none, &mode, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.msg, "no wp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_and_move_like_a_table),
		cmocka_unit_test(test_neighbours_become_one),
		cmocka_unit_test(test_maps_are_read),
		cmocka_unit_test(test_duplicates_are_remembered),
		cmocka_unit_test(test_tracking_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
