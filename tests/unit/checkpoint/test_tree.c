/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_tree.c - the parts of the copy of file trees that depend on data alone: paths, attributes, records, links, blocks, changes,
 * layers */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint/treelayers.h"
#include "checkpoint/treetrack_internal.h"
#include "runtime/base/str.h"
#include "tests/unit/unit.h"

/* ---- names ---- */

static void test_paths_stay_below_the_root(void **state)
{
	static const char *const good[] = { "a", "a/b", "...", ".a", "a./b..", "\xff/\n", "a b" };
	static const char *const bad[] = { "",	 "/",	"/a",	"a/",	"a//b", ".",
					   "..", "a/.", "a/..", "../a", "./a",	"a/../b" };
	char name[258];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_true(tree_path_is_good(good[i], strlen(good[i])));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(tree_path_is_good(bad[i], strlen(bad[i])));
	assert_false(tree_path_is_good("a\0b", 3));
	memset(name, 'n', sizeof(name));
	assert_true(tree_path_is_good(name, 255));
	assert_false(tree_path_is_good(name, 256));
}

static void test_attributes_that_are_carried(void **state)
{
	static const char *const yes[] = { "user.a",
					   "trusted.a",
					   "trusted.overlay.opaque",
					   "trusted.overlay.redirect",
					   "trusted.overlay.metacopy",
					   "security.capability",
					   "system.posix_acl_access",
					   "system.posix_acl_default" };
	static const char *const no[] = { "user.",
					  "user",
					  "security.selinux",
					  "security.ima",
					  "security.capabilit",
					  "security.capability2",
					  "system.nfs4_acl",
					  "trusted.overlay.origin",
					  "trusted.overlay.nlink",
					  "trusted.overlay.upper",
					  "trusted.overlay.uuid",
					  "user.overlay.origin",
					  "" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(yes); i++)
		assert_true(tree_attr_is_carried(yes[i], strlen(yes[i])));
	for (size_t i = 0; i < COUNT_OF(no); i++)
		assert_false(tree_attr_is_carried(no[i], strlen(no[i])));
}

/* ---- records ---- */

struct frames {
	size_t count, size;
	uint8_t last[TREE_FRAME_MAX];
};

static int keep_frame(void *arg, const void *frame, size_t size, struct error *e)
{
	struct frames *f = arg;

	(void)e;
	f->count++;
	f->size = size;
	memcpy(f->last, frame, size);
	return 0;
}

static void test_records_come_back(void **state)
{
	static struct frames got;
	static struct tree_writer w = { .sink = keep_frame, .arg = &got };
	struct stat st = { .st_mode = S_IFCHR | 04755,
			   .st_uid = 1,
			   .st_gid = 2,
			   .st_rdev = 0x103,
			   .st_atim = { -5, 1 },
			   .st_mtim = { 1, 999999999 } };
	struct tree_meta m, back;
	struct tree_reader in, record;
	enum tree_record type;
	struct error e = { 0 };
	char path[TREE_PATH_MAX + 1];

	(void)state;
	tree_meta_of(&st, &m);
	assert_int_equal(tree_put(&w, TREE_NODE, 100, &e), 0);
	tree_put_path(&w, "a/b");
	tree_put_meta(&w, &m);
	tree_put_u8(&w, 7);
	tree_put_u64(&w, 0x1122334455667788);
	tree_put_done(&w);
	assert_int_equal(tree_flush(&w, &e), 0);
	assert_int_equal(got.count, 1);

	in = (struct tree_reader){ .at = got.last, .end = got.last + got.size };
	assert_int_equal(tree_next(&in, &type, &record), 1);
	assert_int_equal(type, TREE_NODE);
	tree_get_path(&record, false, path);
	assert_string_equal(path, "a/b");
	tree_get_meta(&record, &back);
	assert_true(back.mode == m.mode && back.uid == 1 && back.gid == 2);
	assert_true(back.atime.tv_sec == -5 && back.atime.tv_nsec == 1);
	assert_true(back.mtime.tv_sec == 1 && back.mtime.tv_nsec == 999999999);
	assert_int_equal(back.major, 1);
	assert_int_equal(back.minor, 3);
	assert_int_equal(tree_get_u8(&record), 7);
	assert_true(tree_get_u64(&record) == 0x1122334455667788);
	assert_false(record.bad);
	assert_ptr_equal(record.at, record.end);
	assert_int_equal(tree_get_u16(&record), 0); /* too much: zero, and bad from then on */
	assert_true(record.bad);
	assert_int_equal(tree_next(&in, &type, &record), 0);

	for (size_t n = 1; n < got.size; n++) { /* cut short anywhere */
		in = (struct tree_reader){ .at = got.last, .end = got.last + n };
		assert_int_equal(tree_next(&in, &type, &record), -EBADMSG);
	}
}

static void test_a_full_frame_is_sent_first(void **state)
{
	static struct frames got;
	static struct tree_writer w = { .sink = keep_frame, .arg = &got };
	struct error e = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(tree_put(&w, TREE_DATA, 100000, &e), 0);
		w.used += 100000;
		tree_put_done(&w);
	}
	assert_int_equal(got.count, 1);
	assert_int_equal(got.size, 2 * (100000 + TREE_RECORD_HEAD));
}

/* ---- links ---- */

static void test_links(void **state)
{
	AUTO(tree_links) struct tree_links *l = tree_links_new();
	const struct tree_inode a = { 1, 10 }, b = { 2, 10 };
	struct tree_inode found;
	char path[32];

	(void)state;
	assert_int_equal(tree_links_add(l, "x", a), 0);
	assert_int_equal(tree_links_add(l, "dir/y", a), 0);
	assert_int_equal(tree_links_add(l, "dir-z", b), 0);
	assert_string_equal(tree_links_other(l, a, "x"), "dir/y");
	assert_string_equal(tree_links_other(l, a, "dir/y"), "x");
	assert_null(tree_links_other(l, b, "dir-z"));
	assert_int_equal(tree_links_count(l, a), 2);
	assert_true(tree_links_find(l, "x", &found) && found.dev == 1 && found.ino == 10);
	assert_int_equal(tree_links_add(l, "x", b), 0); /* it is another's now */
	assert_int_equal(tree_links_count(l, a), 1);
	tree_links_remove_below(l, "dir"); /* not "dir-z" */
	assert_false(tree_links_find(l, "dir/y", &found));
	assert_true(tree_links_find(l, "dir-z", &found));
	for (int i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "many/%d", i);
		assert_int_equal(tree_links_add(l, path, (struct tree_inode){ 3, (ino_t)i }), 0);
	}
	assert_true(tree_links_find(l, "many/4999", &found) && found.ino == 4999);
	assert_string_equal(tree_links_other(l, (struct tree_inode){ 3, 77 }, NULL), "many/77");
	tree_links_clear(l);
	assert_false(tree_links_find(l, "x", &found));
}

/* ---- blocks ---- */

static void test_blocks_tell_what_differs(void **state)
{
	static uint64_t block[TREE_BLOCK / 8];
	const struct tree_inode a = { 1, 1 };
	AUTO(tree_blocks) struct tree_blocks *b = tree_blocks_new();
	struct tree_map *m = tree_blocks_fit(b, a, 3 * TREE_BLOCK - 1);

	(void)state;
	assert_non_null(m);
	assert_true(tree_map_set_hole(m, 0)); /* nothing was sent yet */
	assert_false(tree_map_set_hole(m, 0));
	assert_false(tree_map_set(m, 0, block)); /* zeros are a hole */
	block[5] = 1;
	assert_true(tree_map_set(m, 0, block));
	assert_false(tree_map_set(m, 0, block));
	assert_true(tree_map_set(m, 2, block));
	assert_true(tree_map_set(m, 3, block)); /* behind its end */
	assert_true(tree_map_set(m, 3, block));
	m = tree_blocks_fit(b, a, 1); /* cut, and long again: what was cut off is not there */
	m = tree_blocks_fit(b, a, 3 * TREE_BLOCK);
	assert_false(tree_map_set(m, 0, block));
	assert_true(tree_map_set(m, 2, block));
	assert_ptr_equal(tree_blocks_find(b, a), m);
	assert_null(tree_blocks_fit(b, a, UINT64_C(1) << 50)); /* no room for so many hashes */
	assert_null(tree_blocks_find(b, a));
	assert_non_null(tree_blocks_fit(b, (struct tree_inode){ 1, 2 }, UINT64_C(60) << 30));
	assert_null(tree_blocks_fit(b, (struct tree_inode){ 1, 3 }, UINT64_C(8) << 30));
	tree_blocks_drop(b, (struct tree_inode){ 1, 2 });
	assert_non_null(tree_blocks_fit(b, (struct tree_inode){ 1, 3 }, UINT64_C(8) << 30));
}

/* ---- changes ---- */

static void test_changes_are_joined_and_parents_come_first(void **state)
{
	static const struct {
		const char *path;
		unsigned int changed;
	} want[] = { { "", TREE_CHANGED_ATTR },
		     { "a", TREE_CHANGED_ATTR },
		     { "a/b", TREE_CHANGED_NAME | TREE_CHANGED_CONTENT },
		     { "a/b/c", TREE_CHANGED_CONTENT },
		     { "a!", TREE_CHANGED_NAME } };
	struct tree_changes c = { 0 };

	(void)state;
	assert_int_equal(tree_changes_add(&c, "a!", TREE_CHANGED_NAME), 0);
	assert_int_equal(tree_changes_add(&c, "a/b/c", TREE_CHANGED_CONTENT), 0);
	assert_int_equal(tree_changes_add(&c, "a/b", TREE_CHANGED_CONTENT), 0);
	assert_int_equal(tree_changes_add(&c, "a/b", TREE_CHANGED_NAME), 0);
	assert_int_equal(tree_changes_settle(&c), 0);
	assert_int_equal(c.count, COUNT_OF(want));
	for (size_t i = 0; i < COUNT_OF(want); i++) {
		assert_string_equal(c.list[i].path, want[i].path);
		assert_int_equal(c.list[i].changed, want[i].changed);
	}
	tree_changes_done(&c);
	assert_int_equal(tree_changes_settle(&c), 0);
}

static void test_many_changes(void **state)
{
	struct tree_changes c = { 0 };
	char path[32];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 1000; i++) {
			snprintf(path, sizeof(path), "d%d/%d", i % 7, i);
			assert_int_equal(tree_changes_add(&c, path, TREE_CHANGED_CONTENT), 0);
		}
		assert_int_equal(tree_changes_settle(&c), 0);
		assert_int_equal(c.count, 1000);
	}
	tree_changes_done(&c);
}

/* What a path was, and what it is; which of it changed. */
static void test_index_comparison(void **state)
{
	const unsigned int all = TREE_CHANGED_NAME | TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR;
	const struct tree_indexed was = {
		.dev = 1, .ino = 2, .ctime = { 10, 5 }, .mtime = { 9, 5 }, .size = 3, .mode = S_IFREG | 0644
	};
	const struct stat is = { .st_dev = 1,
				 .st_ino = 2,
				 .st_ctim = { 10, 5 },
				 .st_mtim = { 9, 5 },
				 .st_size = 3,
				 .st_mode = S_IFREG | 0644 };
	struct tree_indexed w = was;
	struct stat st = is;

	(void)state;
	assert_int_equal(tree_index_compare(&w, &st), 0);
	w.unsettled = true;
	assert_int_equal(tree_index_compare(&w, &st), TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR);
	w.mode = S_IFDIR;
	st.st_mode = S_IFDIR;
	assert_int_equal(tree_index_compare(&w, &st), TREE_CHANGED_ATTR);
	w = was;
	st = is;
	st.st_ctim.tv_nsec++;
	assert_int_equal(tree_index_compare(&w, &st), TREE_CHANGED_ATTR);
	st.st_mtim.tv_nsec++;
	assert_int_equal(tree_index_compare(&w, &st), TREE_CHANGED_CONTENT | TREE_CHANGED_ATTR);
	st = is;
	st.st_ino++;
	assert_int_equal(tree_index_compare(&w, &st), all);
	st = is;
	st.st_mode = S_IFLNK;
	assert_int_equal(tree_index_compare(&w, &st), all);
}

static void test_young_times_are_not_trusted(void **state)
{
	(void)state;
	assert_true(tree_is_unsettled((struct timespec){ 100, 0 }, (struct timespec){ 100, 0 }));
	assert_true(tree_is_unsettled((struct timespec){ 100, 0 }, (struct timespec){ 100, 15000000 }));
	assert_true(tree_is_unsettled((struct timespec){ 99, 999000000 }, (struct timespec){ 100, 1000000 }));
	assert_false(tree_is_unsettled((struct timespec){ 100, 0 }, (struct timespec){ 100, 25000000 }));
	assert_false(tree_is_unsettled((struct timespec){ 0, 0 }, (struct timespec){ 2000000000, 0 }));
	assert_true(tree_is_unsettled((struct timespec){ 200, 0 },
				      (struct timespec){ 100, 0 })); /* the clock was set */
}

/* ---- layers ---- */

static const char mountinfo[] =
	"21 1 0:20 / / rw shared:1 - ext4 /dev/x rw\n"
	"30 21 0:21 / /m rw - overlay overlay "
	"rw,lowerdir=/l1:/l\\0402:/l\\134:3,upperdir=/u\\134\\054:\\134\\134x,workdir=/w,uuid=on\n"
	"31 21 0:22 / /n rw shared:3 master:4 - overlay none "
	"ro,lowerdir+=/l:3,lowerdir+=/l\\0402,datadir+=/d,redirect_dir=on\n"
	"32 21 0:23 / /o rw - overlay o rw,lowerdir=/l1::/data\n"
	"33 21 0:24 / /p rw - overlay o rw,lowerdir=l1,upperdir=/u\n"
	"34 21 0:25 / /q rw - overlay\n";

static void test_layers(void **state)
{
	AUTO(arena) struct arena *a = arena_new();
	struct tree_layers l = { 0 };
	struct error e = { 0 };

	(void)state;
	assert_int_equal(tree_layers_parse(mountinfo, 21, a, &l, &e), 0);
	assert_int_equal(tree_layers_parse(mountinfo, 34, a, &l, &e), 0);
	assert_int_equal(tree_layers_parse(mountinfo, 30, a, &l, &e), 1);
	assert_string_equal(l.upper, "/u,:\\x");
	assert_string_equal(l.work, "/w");
	assert_int_equal(l.lower_count, 3);
	assert_string_equal(l.lower[0], "/l1");
	assert_string_equal(l.lower[1], "/l 2");
	assert_string_equal(l.lower[2], "/l:3");
	assert_false(l.data_only);
	assert_int_equal(tree_layers_parse(mountinfo, 31, a, &l, &e), 1);
	assert_null(l.upper);
	assert_int_equal(l.lower_count, 3);
	assert_string_equal(l.lower[0], "/l:3");
	assert_true(l.data_only);
	assert_int_equal(tree_layers_parse(mountinfo, 32, a, &l, &e), 1);
	assert_int_equal(l.lower_count, 2);
	assert_true(l.data_only);
	assert_int_equal(e.code, 0);
	assert_int_equal(tree_layers_parse(mountinfo, 33, a, &l, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "relative"));
	assert_int_equal(tree_layers_parse(mountinfo, 99, a, &l, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths_stay_below_the_root),
		cmocka_unit_test(test_attributes_that_are_carried),
		cmocka_unit_test(test_records_come_back),
		cmocka_unit_test(test_a_full_frame_is_sent_first),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_blocks_tell_what_differs),
		cmocka_unit_test(test_changes_are_joined_and_parents_come_first),
		cmocka_unit_test(test_many_changes),
		cmocka_unit_test(test_index_comparison),
		cmocka_unit_test(test_young_times_are_not_trusted),
		cmocka_unit_test(test_layers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
