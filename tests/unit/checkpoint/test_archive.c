/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_archive.c - a tree of files through an archive and back; archives that lie
 *
 * needs: root (devices, owners). The same tree makes the same archive: so what came back is compared by
 * archiving it again. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "checkpoint/archive_parts.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "tests/unit/unit.h"

static char top[] = "/tmp/coracle-archive-XXXXXX";
static const struct manifest_key key = { 32, "0123456789abcdef0123456789abcdef" };

static int make_dir(void)
{
	static int count;
	char path[64];

	snprintf(path, sizeof(path), "%s/%d", top, count++);
	assert_int_equal(mkdir(path, 0700), 0);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void put(int dir, const char *name, const char *text, mode_t mode)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* What a root file system may hold. */
static int make_tree(void)
{
	const struct timespec old[2] = { { -5, 250000000 }, { -5, 250000000 } };
	char deep[1024] = "", path[128];
	int dir = make_dir();

	put(dir, "plain", "text\n", 0644);
	put(dir, "empty", "", 0);
	put(dir, "setuid", "x", 04755);
	put(dir, "\xff\xfe not text\n", "name of bytes", 0600);
	assert_int_equal(linkat(dir, "plain", dir, "another name", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir, "absolute"), 0);
	assert_int_equal(symlinkat("../../..", dir, "up"), 0);
	assert_int_equal(mkfifoat(dir, "fifo", 0640), 0);
	assert_int_equal(mknodat(dir, "whiteout", S_IFCHR | 0600, makedev(0, 0)), 0);
	assert_int_equal(mknodat(dir, "block", S_IFBLK | 0660, makedev(259, 100000)), 0);
	assert_int_equal(mkdirat(dir, "sub", 01777), 0);
	assert_int_equal(fchownat(dir, "sub", 3000000000U, 7, 0), 0);
	for (int i = 0; i < 30; i++) {
		strcat(deep, i ? "/directory-of-some-length" : "deep");
		assert_int_equal(mkdirat(dir, deep, 0755), 0);
	}
	int sub = openat(dir, deep, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(sub, "bottom", "far down", 0600);
	close(sub);
	/* Holes: at the beginning, between, at the end. */
	int fd = openat(dir, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 1; i < 40; i++)
		assert_int_equal(pwrite(fd, "data", 4, (off_t)i * 100000), 4);
	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	assert_int_equal(futimens(fd, old), 0);
	close(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/plain", dir);
	(void)setxattr(path, "user.coracle", "a\0b=\n", 5, 0);
	(void)setxattr(path, "security.capability", "\x01\0\0\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0);
	return dir;
}

static int memory(void)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int pack(int tree, const struct manifest_key *with)
{
	AUTO(archive_writer) struct archive_writer *w = NULL;
	struct error e = { 0 };
	uint64_t packed = 0;
	int fd = memory();

	assert_int_equal(archive_writer_new(fd, 0, NULL, &w, &e), 0);
	assert_int_equal(archive_put_bytes(w, "head", "a head", 6, &e), 0);
	if (archive_put_tree(w, "rootfs", tree, "the tree", &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(archive_write_end(w, with, &packed, &e), 0);
	assert_int_equal(packed, lseek(fd, 0, SEEK_CUR));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int unpack(int fd, int root, const struct manifest_key *with, struct error *e)
{
	AUTO(archive_reader) struct archive_reader *r = NULL;
	const struct archive_target t = { root, true, "rootfs/" };
	const struct pax_entry *x;
	int k;

	lseek(fd, 0, SEEK_SET);
	assert_int_equal(archive_reader_new(fd, NULL, &r, e), 0);
	archive_limit(r, 1 << 20, 1000);
	while ((k = archive_next(r, &x, e)) > 0) {
		if (!str_starts(x->path, "rootfs"))
			continue;
		k = archive_extract(r, &t, x->path + strlen("rootfs") + (x->path[6] == '/'), e);
		if (k < 0)
			return k;
	}
	if (k == 0)
		k = archive_extract_end(r, &t, e);
	return k < 0 || !with ? k : archive_check_mac(r, with, e);
}

static void a_tree_comes_back(void **state)
{
	struct error e = { 0 };
	struct stat st;
	char path[64], value[16];
	int tree = make_tree(), back = make_dir();
	int first = pack(tree, &key);

	(void)state;
	if (unpack(first, back, &key, &e) < 0)
		fail_msg("%s", e.msg);
	int second = pack(back, &key);
	off_t size = lseek(first, 0, SEEK_END);
	assert_int_equal(lseek(second, 0, SEEK_END), size);
	auto_free char *a = malloc((size_t)size), *b = malloc((size_t)size);
	assert_int_equal(pread(first, a, (size_t)size, 0), size);
	assert_int_equal(pread(second, b, (size_t)size, 0), size);
	assert_memory_equal(a, b, (size_t)size);
	/* The archive and its reader could be blind together: a look of our own. */
	assert_int_equal(fstatat(back, "sparse", &st, 0), 0);
	assert_int_equal(st.st_size, 64 << 20);
	assert_true(st.st_blocks < (1 << 20) / 512);
	assert_int_equal(st.st_mtim.tv_sec, -5);
	assert_int_equal(st.st_mtim.tv_nsec, 250000000);
	assert_int_equal(fstatat(back, "sub", &st, 0), 0);
	assert_int_equal(st.st_uid, 3000000000U);
	assert_int_equal(st.st_mode & 07777, 01755);
	assert_int_equal(fstatat(back, "setuid", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(fstatat(back, "another name", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/plain", back);
	if (getxattr(path, "user.coracle", value, sizeof(value)) >= 0)
		assert_memory_equal(value, "a\0b=\n", 5);
	/* It is measured as it is written. */
	struct archive_size measured;
	assert_int_equal(archive_measure(tree, "the tree", &measured, &e), 0);
	assert_int_equal(measured.entries, 44);
	assert_true(measured.bytes > 39 * 4 && measured.bytes < 1 << 20);
	close(first);
	close(second);
	close(tree);
	close(back);
}

static void flipped_bytes_are_seen(void **state)
{
	int tree = make_dir(), harmless = 0;
	struct error e;

	(void)state;
	put(tree, "a", "some text that is compressed, some text", 0600);
	int fd = pack(tree, NULL);
	off_t size = lseek(fd, 0, SEEK_END);
	assert_int_equal(unpack(fd, make_dir(), NULL, &e), 0);
	assert_true(unpack(fd, make_dir(), &key, &e) < 0);
	assert_non_null(strstr(e.msg, "not signed"));
	for (off_t i = 0; i < size; i++) {
		char byte, text[64];
		int back = make_dir();
		assert_int_equal(pread(fd, &byte, 1, i), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, i), 1);
		/* Some bits mean nothing (how much memory a reader wants, how a length is written). */
		if (unpack(fd, back, NULL, &e) == 0) {
			assert_int_equal(io_read_small(back, "a", text, sizeof(text), &e), 39);
			assert_string_equal(text, "some text that is compressed, some text");
			harmless++;
		}
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, i), 1);
		close(back);
	}
	assert_true(harmless < 10);
	for (off_t n = 0; n < size; n++) {
		auto_free char *text = malloc((size_t)size);
		int cut = memory(), back = make_dir();
		assert_int_equal(pread(fd, text, (size_t)n, 0), n);
		assert_int_equal(write(cut, text, (size_t)n), n);
		assert_true(unpack(cut, back, NULL, &e) < 0);
		close(cut);
		close(back);
	}
	close(fd);
	close(tree);
}

/* ---- archives that lie ---- */

struct lie {
	struct pax_entry entries[3];
	const char *sentence;
};

static void expect_lie(const struct lie *lie)
{
	AUTO(archive_writer) struct archive_writer *w = NULL;
	struct error e = { 0 };
	int fd = memory(), outer = make_dir();

	assert_int_equal(mkdirat(outer, "target", 0700), 0);
	int target = openat(outer, "target", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(outer, "decoy", "untouched", 0600);
	assert_int_equal(archive_writer_new(fd, 0, NULL, &w, &e), 0);
	for (size_t i = 0; i < 3 && lie->entries[i].path; i++)
		assert_int_equal(archive_put_entry(w, &lie->entries[i], &e), 0);
	assert_int_equal(archive_write_end(w, NULL, NULL, &e), 0);
	int r = unpack(fd, target, NULL, &e);
	if (r == 0)
		fail_msg("taken: %s", lie->entries[0].path);
	if (!strstr(e.msg, lie->sentence))
		fail_msg("\"%s\" is not in \"%s\"", lie->sentence, e.msg);
	struct stat st;
	assert_int_equal(fstatat(outer, "decoy", &st, 0), 0);
	assert_int_equal(st.st_size, 9);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_not_equal(fstatat(outer, "made", &st, AT_SYMLINK_NOFOLLOW), 0);
	close(fd);
	close(target);
	close(outer);
}

static void lies_are_refused(void **state)
{
	static char up[] = "rootfs/../made", top_dir[] = "rootfs", a[] = "rootfs/a",
		    below_a[] = "rootfs/a/made", absolute[] = "/made", dot[] = "rootfs/./x",
		    twice[] = "rootfs//x", up_link[] = "..", decoy[] = "rootfs/../decoy",
		    other[] = "other/decoy", b[] = "rootfs/b", missing[] = "rootfs/none", empty[] = "";
	const struct lie lies[] = {
		{ { { .type = PAX_DIR, .path = up } }, "leads out of it" },
		{ { { .type = PAX_DIR, .path = absolute } }, "leads out of it" },
		{ { { .type = PAX_DIR, .path = dot } }, "leads out of it" },
		{ { { .type = PAX_DIR, .path = twice } }, "leads out of it" },
		{ { { .type = PAX_DIR, .path = empty } }, "leads out of it" },
		/* A link, and then something below it. */
		{ { { .type = PAX_SYMLINK, .path = a, .link = up_link },
		    { .type = PAX_FILE, .path = below_a } },
		  "unpack rootfs/a/made" },
		/* One name twice: a link, then a file through it. */
		{ { { .type = PAX_SYMLINK, .path = a, .link = decoy }, { .type = PAX_FILE, .path = a } },
		  "File exists" },
		{ { { .type = PAX_DIR, .path = a }, { .type = PAX_DIR, .path = a } }, "File exists" },
		{ { { .type = PAX_HARD_LINK, .path = a, .link = decoy } }, "a hard link that leads out" },
		{ { { .type = PAX_HARD_LINK, .path = a, .link = other } }, "a hard link that leads out" },
		{ { { .type = PAX_HARD_LINK, .path = a, .link = missing } }, "No such file" },
		{ { { .type = PAX_SYMLINK, .path = b, .link = up_link },
		    { .type = PAX_HARD_LINK, .path = a, .link = b },
		    { .type = PAX_FILE, .path = below_a } },
		  "unpack rootfs/a/made" },
		{ { { .type = PAX_DIR, .path = b }, { .type = PAX_HARD_LINK, .path = a, .link = b } },
		  "a hard link to a directory" },
		{ { { .type = PAX_FILE, .path = top_dir } }, "not a directory" },
		{ { { .type = PAX_SYMLINK, .path = a } }, "a link without a target" },
		{ { { .type = PAX_FILE, .path = a, .sparse = true, .real_size = 1 } }, "damaged" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(lies); i++)
		expect_lie(&lies[i]);
}

static void limits_hold(void **state)
{
	AUTO(archive_reader) struct archive_reader *r = NULL;
	const struct pax_entry *x;
	struct error e = { 0 };
	int tree = make_dir(), k;

	(void)state;
	put(tree, "big", "0123456789", 0600);
	int fd = pack(tree, NULL);
	assert_int_equal(archive_reader_new(fd, NULL, &r, &e), 0);
	archive_limit(r, 15, 10);
	while ((k = archive_next(r, &x, &e)) > 0)
		;
	assert_int_equal(k, -EFBIG);
	archive_reader_free(take_ptr(r));
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(archive_reader_new(fd, NULL, &r, &e), 0);
	archive_limit(r, 1000, 2);
	while ((k = archive_next(r, &x, &e)) > 0)
		;
	assert_int_equal(k, -EFBIG);
	assert_non_null(strstr(e.msg, "the 2 files that it announces"));
	close(fd);
	close(tree);
}

static int stop(void *arg, uint64_t done, struct error *e)
{
	(void)arg;
	return done > 5 ? refuse(e, EINTR, "enough") : 0;
}

static void a_watch_ends_the_work(void **state)
{
	AUTO(archive_writer) struct archive_writer *w = NULL;
	const struct archive_watch watch = { stop, NULL };
	struct error e = { 0 };
	int tree = make_dir(), fd = memory();

	(void)state;
	put(tree, "big", "0123456789", 0600);
	assert_int_equal(archive_writer_new(fd, 0, &watch, &w, &e), 0);
	assert_int_equal(archive_put_tree(w, "rootfs", tree, "the tree", &e), -EINTR);
	close(fd);
	close(tree);
}

static int setup(void **state)
{
	(void)state;
	umask(022);
	return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_comes_back),	 cmocka_unit_test(flipped_bytes_are_seen),
		cmocka_unit_test(lies_are_refused),	 cmocka_unit_test(limits_hold),
		cmocka_unit_test(a_watch_ends_the_work),
	};
	if (geteuid() != 0) {
		print_message("skipped: needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
