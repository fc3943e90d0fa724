/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_mountopts.c - mount options: every word, later ones win, the rest is data */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "namespaces/mountopts.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define OPTIONS(...) ((char *[]){ __VA_ARGS__, NULL })

#define LAZYTIME     (1U << 25)
#define ATIME	     MOUNT_ATTR__ATIME

/* What one word alone does; written from the spec's table, not from ours. */
static const struct {
	const char *word;
	uint64_t set, clear, set_all, clear_all;
	unsigned int sb_set, sb_clear;
	uint64_t propagation;
	bool propagation_recursive, bind, recursive, remount;
	unsigned int special;
} words[] = {
	{ "async", .sb_clear = MS_SYNCHRONOUS },
	{ "atime", .clear = ATIME },
	{ "bind", .bind = true },
	{ "copy-symlink", .special = MOUNT_COPY_SYMLINK },
	{ "defaults" },
	{ "dest-nofollow", .special = MOUNT_DEST_NOFOLLOW },
	{ "dev", .clear = MOUNT_ATTR_NODEV },
	{ "diratime", .clear = MOUNT_ATTR_NODIRATIME },
	{ "dirsync", .sb_set = MS_DIRSYNC },
	{ "exec", .clear = MOUNT_ATTR_NOEXEC },
	{ "idmap", .special = MOUNT_IDMAP },
	{ "iversion", .sb_set = MS_I_VERSION },
	{ "lazytime", .sb_set = LAZYTIME },
	{ "loud", .sb_clear = MS_SILENT },
	{ "mand", .sb_set = MS_MANDLOCK },
	{ "noatime", .set = MOUNT_ATTR_NOATIME, .clear = ATIME },
	{ "nodev", .set = MOUNT_ATTR_NODEV },
	{ "nodiratime", .set = MOUNT_ATTR_NODIRATIME },
	{ "noexec", .set = MOUNT_ATTR_NOEXEC },
	{ "noiversion", .sb_clear = MS_I_VERSION },
	{ "nolazytime", .sb_clear = LAZYTIME },
	{ "nomand", .sb_clear = MS_MANDLOCK },
	{ "norelatime", .clear = ATIME },
	{ "nostrictatime", .clear = ATIME },
	{ "nosuid", .set = MOUNT_ATTR_NOSUID },
	{ "nosymfollow", .set = MOUNT_ATTR_NOSYMFOLLOW },
	{ "private", .propagation = MS_PRIVATE },
	{ "ratime", .clear_all = ATIME },
	{ "rbind", .bind = true, .recursive = true },
	{ "rdev", .clear_all = MOUNT_ATTR_NODEV },
	{ "rdiratime", .clear_all = MOUNT_ATTR_NODIRATIME },
	{ "relatime", .clear = ATIME },
	{ "remount", .remount = true },
	{ "rexec", .clear_all = MOUNT_ATTR_NOEXEC },
	{ "ridmap", .special = MOUNT_IDMAP_ALL },
	{ "rnoatime", .set_all = MOUNT_ATTR_NOATIME, .clear_all = ATIME },
	{ "rnodev", .set_all = MOUNT_ATTR_NODEV },
	{ "rnodiratime", .set_all = MOUNT_ATTR_NODIRATIME },
	{ "rnoexec", .set_all = MOUNT_ATTR_NOEXEC },
	{ "rnorelatime", .clear_all = ATIME },
	{ "rnostrictatime", .clear_all = ATIME },
	{ "rnosuid", .set_all = MOUNT_ATTR_NOSUID },
	{ "rnosymfollow", .set_all = MOUNT_ATTR_NOSYMFOLLOW },
	{ "ro", .set = MOUNT_ATTR_RDONLY },
	{ "rprivate", .propagation = MS_PRIVATE, .propagation_recursive = true },
	{ "rrelatime", .clear_all = ATIME },
	{ "rro", .set_all = MOUNT_ATTR_RDONLY },
	{ "rrw", .clear_all = MOUNT_ATTR_RDONLY },
	{ "rshared", .propagation = MS_SHARED, .propagation_recursive = true },
	{ "rslave", .propagation = MS_SLAVE, .propagation_recursive = true },
	{ "rstrictatime", .set_all = MOUNT_ATTR_STRICTATIME, .clear_all = ATIME },
	{ "rsuid", .clear_all = MOUNT_ATTR_NOSUID },
	{ "rsymfollow", .clear_all = MOUNT_ATTR_NOSYMFOLLOW },
	{ "runbindable", .propagation = MS_UNBINDABLE, .propagation_recursive = true },
	{ "rw", .clear = MOUNT_ATTR_RDONLY },
	{ "shared", .propagation = MS_SHARED },
	{ "silent", .sb_set = MS_SILENT },
	{ "slave", .propagation = MS_SLAVE },
	{ "src-nofollow", .special = MOUNT_SRC_NOFOLLOW },
	{ "strictatime", .set = MOUNT_ATTR_STRICTATIME, .clear = ATIME },
	{ "suid", .clear = MOUNT_ATTR_NOSUID },
	{ "symfollow", .clear = MOUNT_ATTR_NOSYMFOLLOW },
	{ "sync", .sb_set = MS_SYNCHRONOUS },
	{ "tmpcopyup", .special = MOUNT_COPY_UP },
	{ "unbindable", .propagation = MS_UNBINDABLE },
};

static struct mountopts parsed(char *const *options)
{
	struct mountopts o;
	struct error e = { 0 };

	if (mountopts_parse(options, &o, &e) < 0)
		fail_msg("%s", e.msg);
	return o;
}

static void test_every_word_does_what_the_spec_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		char word[32];
		snprintf(word, sizeof(word), "%s", words[i].word);
		struct mountopts o = parsed(OPTIONS(word));
		if (o.set != words[i].set || o.clear != words[i].clear || o.set_all != words[i].set_all ||
		    o.clear_all != words[i].clear_all || o.sb_set != words[i].sb_set ||
		    o.sb_clear != words[i].sb_clear || o.propagation != words[i].propagation ||
		    o.propagation_recursive != words[i].propagation_recursive || o.bind != words[i].bind ||
		    o.recursive != words[i].recursive || o.remount != words[i].remount ||
		    o.special != words[i].special || o.n_data)
			fail_msg("%s: not what was expected", word);
		mountopts_done(&o);
	}
}

static void test_names_are_told_sorted_and_all_of_them(void **state)
{
	size_t n = 0;

	(void)state;
	for (const char *name, *last = ""; (name = mountopts_name(n)); n++, last = name) {
		assert_true(strcmp(last, name) < 0);
		assert_true(n < COUNT_OF(words));
		assert_string_equal(name, words[n].word);
	}
	assert_int_equal(n, COUNT_OF(words));
}

static void again(struct mountopts *o, char *const *options)
{
	mountopts_done(o);
	*o = parsed(options);
}

static void test_later_options_win(void **state)
{
	char ro[] = "ro", rw[] = "rw", noatime[] = "noatime", strict[] = "strictatime", sync[] = "sync",
	     async[] = "async", bind[] = "bind", rbind[] = "rbind", shared[] = "rshared", slave[] = "slave";

	(void)state;
	struct mountopts o = parsed(OPTIONS(ro, rw));
	assert_true(o.set == 0 && o.clear == MOUNT_ATTR_RDONLY);
	again(&o, OPTIONS(rw, ro));
	assert_true(o.set == MOUNT_ATTR_RDONLY && o.clear == 0);
	again(&o, OPTIONS(noatime, strict));
	assert_true(o.set == MOUNT_ATTR_STRICTATIME && o.clear == ATIME);
	again(&o, OPTIONS(sync, async));
	assert_true(o.sb_set == 0 && o.sb_clear == MS_SYNCHRONOUS);
	again(&o, OPTIONS(rbind, bind));
	assert_true(o.bind && !o.recursive);
	again(&o, OPTIONS(shared, slave));
	assert_true(o.propagation == MS_SLAVE && !o.propagation_recursive);
	mountopts_done(&o);
}

static void test_the_rest_is_data_in_order(void **state)
{
	char size[] = "size=64k,nosuid,mode=1777", gid[] = "gid=5", mode[] = "mode=755",
	     flag[] = "newinstance";
	char spaced[] = ",,nodev,";

	(void)state;
	struct mountopts o = parsed(OPTIONS(size, gid, mode, flag, spaced));
	assert_int_equal(o.n_data, 5);
	assert_string_equal(o.data[0], "size=64k");
	assert_string_equal(o.data[1], "mode=1777");
	assert_string_equal(o.data[2], "gid=5");
	assert_string_equal(o.data[3], "mode=755");
	assert_string_equal(o.data[4], "newinstance");
	assert_true(o.set == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
	assert_string_equal(mountopts_data(&o, "mode"), "755");
	assert_null(mountopts_data(&o, "mod"));
	assert_null(mountopts_data(&o, "newinstance"));
	mountopts_done(&o);
}

static void test_quoted_and_escaped_commas_do_not_cut(void **state)
{
	char context[] = "context=\"u:o:r:s0:c1,c2\",ro", lower[] = "lowerdir=a\\,b:c,upperdir=d";

	(void)state;
	struct mountopts o = parsed(OPTIONS(context, lower));
	assert_int_equal(o.n_data, 3);
	assert_string_equal(o.data[0], "context=\"u:o:r:s0:c1,c2\"");
	assert_string_equal(o.data[1], "lowerdir=a\\,b:c");
	assert_string_equal(o.data[2], "upperdir=d");
	assert_true(o.set == MOUNT_ATTR_RDONLY);
	mountopts_done(&o);
}

static void test_idmap_may_have_a_text(void **state)
{
	char text[] = "ro,idmap=uids=0-1-2;gids=3-4-5", recursive[] = "ridmap=uids=1-2-3", plain[] = "idmap";

	(void)state;
	struct mountopts o = parsed(OPTIONS(text));
	assert_int_equal(o.special, MOUNT_IDMAP);
	assert_string_equal(o.idmap, "uids=0-1-2;gids=3-4-5");
	assert_int_equal(o.n_data, 0);
	again(&o, OPTIONS(recursive));
	assert_int_equal(o.special, MOUNT_IDMAP_ALL);
	assert_string_equal(o.idmap, "uids=1-2-3");
	again(&o, OPTIONS(recursive, plain));
	assert_int_equal(o.special, MOUNT_IDMAP);
	assert_null(o.idmap);
	mountopts_done(&o);
}

static void test_no_options_are_none(void **state)
{
	struct mountopts o = parsed(NULL);

	(void)state;
	assert_true(!o.set && !o.clear && !o.bind && !o.n_data);
	mountopts_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_word_does_what_the_spec_says),
		cmocka_unit_test(test_names_are_told_sorted_and_all_of_them),
		cmocka_unit_test(test_later_options_win),
		cmocka_unit_test(test_the_rest_is_data_in_order),
		cmocka_unit_test(test_quoted_and_escaped_commas_do_not_cut),
		cmocka_unit_test(test_idmap_may_have_a_text),
		cmocka_unit_test(test_no_options_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
