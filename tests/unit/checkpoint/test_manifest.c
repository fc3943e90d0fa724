/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_manifest.c - image directories and their manifests: what is taken, what is refused and by which name
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/manifest_file.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "tests/unit/unit.h"

static char top[] = "/tmp/coracle-manifest-XXXXXX";
static const struct manifest_key key = { 32, "0123456789abcdef0123456789abcdef" };
static const struct manifest_key other_key = { 32, "0123456789abcdef0123456789abcdeX" };

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A fresh directory with three images and a log. */
static int fresh(void)
{
	static int count;
	char path[128];

	snprintf(path, sizeof(path), "%s/%d", top, count++);
	assert_int_equal(mkdir(path, 0700), 0);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	put(dir, "inventory.img", "inventory");
	put(dir, "core-1.img", "core");
	put(dir, "pages-1.img", "0123456789");
	put(dir, "dump.log", "a log");
	return dir;
}

static void write_set(int dir, const struct manifest_key *with)
{
	struct error e = { 0 };
	AUTO(manifest) struct manifest *m = manifest_new(&e);

	assert_non_null(m);
	m->id = "one";
	m->criu = 40201;
	m->externals = arena_calloc(m->arena, 1, sizeof(*m->externals));
	m->externals[0] = (struct manifest_external){ "mount", "m0001", "/proc" };
	m->n_externals = 1;
	assert_int_equal(manifest_write(dir, m, with, &e), 0);
}

static void expect(int dir, enum manifest_trust trust, const struct manifest_key *with, const char *sentence)
{
	AUTO(manifest) struct manifest *m = NULL;
	struct error e = { 0 };
	int r = manifest_check(dir, trust, with, false, &m, &e);

	if (!sentence) {
		if (r != 0)
			fail_msg("%s", e.msg);
		return;
	}
	assert_true(r < 0);
	assert_null(m);
	if (!strstr(e.msg, sentence))
		fail_msg("\"%s\" is not in \"%s\"", sentence, e.msg);
}

static void a_set_is_read_back(void **state)
{
	AUTO(manifest) struct manifest *m = NULL;
	struct error e = { 0 };
	int dir = fresh();

	(void)state;
	write_set(dir, NULL);
	assert_int_equal(manifest_check(dir, MANIFEST_DIGEST, NULL, false, &m, &e), 0);
	assert_string_equal(m->id, "one");
	assert_int_equal(m->criu, 40201);
	assert_int_equal(m->n_externals, 1);
	assert_string_equal(m->externals[0].destination, "/proc");
	assert_int_equal(m->n_files, 3);
	assert_string_equal(m->files[0].name, "core-1.img");
	assert_int_equal(digest_kind(m->files[0].digest), DIGEST_KIND_SHA256);
	assert_int_equal(digest_kind(m->files[2].digest), DIGEST_KIND_SUM64);
	/* Logs come and go. */
	put(dir, "restore.log", "x");
	put(dir, "dump.log", "y");
	expect(dir, MANIFEST_DIGEST, NULL, NULL);
	close(dir);
}

static void a_changed_set_is_refused(void **state)
{
	static const char *const files[] = { "inventory.img", "core-1.img", "pages-1.img" };
	static const char *const other[] = { "Inventory", "cora", "0123456780" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		int dir = fresh();
		write_set(dir, NULL);
		put(dir, files[i], other[i]);
		expect(dir, MANIFEST_DIGEST, NULL, files[i]);
		expect(dir, MANIFEST_ANY, NULL, files[i]); /* a manifest that is there must be right */
		put(dir, files[i], "longer than it was, by far");
		expect(dir, MANIFEST_DIGEST, NULL, "bytes, the manifest says");
		unlinkat(dir, files[i], 0);
		expect(dir, MANIFEST_DIGEST, NULL, "missing");
		close(dir);
	}
	int dir = fresh();
	write_set(dir, NULL);
	put(dir, "core-2.img", "another");
	expect(dir, MANIFEST_DIGEST, NULL, "core-2.img: an image that the manifest does not list");
	close(dir);
}

static void foreign_sets_are_taken_only_on_request(void **state)
{
	int dir = fresh();

	(void)state;
	expect(dir, MANIFEST_DIGEST, NULL, "--trust any");
	expect(dir, MANIFEST_SIGNED, &key, "no coracle-manifest.json");
	expect(dir, MANIFEST_ANY, NULL, NULL);
	expect(dir, MANIFEST_ANY, &key, NULL);
	close(dir);
}

static void a_key_is_demanded_where_there_is_one(void **state)
{
	int dir = fresh(), plain = fresh();

	(void)state;
	write_set(dir, &key);
	write_set(plain, NULL);
	expect(dir, MANIFEST_DIGEST, &key, NULL);
	expect(dir, MANIFEST_SIGNED, &key, NULL);
	expect(dir, MANIFEST_DIGEST, NULL, NULL); /* this node has no key */
	expect(dir, MANIFEST_SIGNED, NULL, "has no key");
	expect(dir, MANIFEST_DIGEST, &other_key, "MAC");
	expect(dir, MANIFEST_ANY, &other_key, "MAC");
	expect(plain, MANIFEST_DIGEST, &key, "not signed");
	expect(plain, MANIFEST_ANY, &key, NULL);
	/* A manifest that was edited, and one whose memory has only a checksum. */
	auto_free char *text = NULL;
	struct error e = { 0 };
	assert_int_equal(io_read_file(dir, MANIFEST_FILE, 1 << 20, &text, NULL, &e), 0);
	*strstr(text, "m0001") = 'n';
	put(dir, MANIFEST_FILE, text);
	expect(dir, MANIFEST_DIGEST, &key, "MAC");
	close(dir);
	close(plain);
}

static void strange_directories_are_refused(void **state)
{
	struct error e = { 0 };
	char path[160];
	int dir;

	(void)state;
	dir = fresh();
	assert_int_equal(symlinkat("inventory.img", dir, "fs-1.img"), 0);
	expect(dir, MANIFEST_ANY, NULL, "fs-1.img: not a regular file");
	unlinkat(dir, "fs-1.img", 0);
	assert_int_equal(mkfifoat(dir, "fs-1.img", 0600), 0);
	expect(dir, MANIFEST_ANY, NULL, "fs-1.img: not a regular file");
	unlinkat(dir, "fs-1.img", 0);
	assert_int_equal(mkdirat(dir, "fs-1.img", 0700), 0);
	expect(dir, MANIFEST_ANY, NULL, "fs-1.img: not a regular file");
	unlinkat(dir, "fs-1.img", AT_REMOVEDIR);
	put(dir, "a b\n.img", "x");
	expect(dir, MANIFEST_ANY, NULL, "a b?.img: no name for an image");
	unlinkat(dir, "a b\n.img", 0);
	assert_int_equal(fchmodat(dir, "core-1.img", 0666, 0), 0);
	expect(dir, MANIFEST_ANY, NULL, "core-1.img: uid");
	assert_int_equal(fchmodat(dir, "core-1.img", 0600, 0), 0);
	assert_int_equal(fchmod(dir, 0777), 0);
	expect(dir, MANIFEST_ANY, NULL, "the image directory: uid");
	close(dir);
	snprintf(path, sizeof(path), "%s/link", top);
	assert_int_equal(symlink("0", path), 0);
	assert_true(imagedir_open(path, false, &e) < 0);
	assert_non_null(strstr(e.msg, "a link is not followed"));
}

static void parents_are_checked_too(void **state)
{
	char link[160], path[160];
	int early = fresh(), late = fresh();

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", early);
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	assert_true(n > 0);
	link[n] = '\0';
	char *last = strrchr(link, '/') - 2;
	memcpy(last, "..", 2);
	assert_int_equal(symlinkat(last, late, "parent"), 0);
	write_set(early, NULL);
	write_set(late, NULL);
	expect(late, MANIFEST_DIGEST, NULL, NULL);
	put(early, "pages-1.img", "9876543210");
	expect(late, MANIFEST_DIGEST, NULL, "pages-1.img");
	/* Made anew: right in itself, but not what the later ones stand on. */
	put(early, "extra.img", "extra");
	write_set(early, NULL);
	expect(late, MANIFEST_DIGEST, NULL, "later images");
	static const char *const away[] = {
		"/etc", "../../../etc", ".", "..", "../a/../../b", "../a//b", "a"
	};
	for (size_t i = 0; i < COUNT_OF(away); i++) {
		unlinkat(late, "parent", 0);
		assert_int_equal(symlinkat(away[i], late, "parent"), 0);
		expect(late, MANIFEST_ANY, NULL, "parent");
	}
	close(early);
	close(late);
}

static void keys_are_kept_secret(void **state)
{
	struct manifest_key got;
	struct error e = { 0 };
	char path[160];
	bool found = true;
	int dir = fresh();

	(void)state;
	snprintf(path, sizeof(path), "%s/missing.key", top);
	assert_int_equal(manifest_key_read(path, &got, &found, &e), 0);
	assert_false(found);
	snprintf(path, sizeof(path), "%s/node.key", top);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, key.bytes, 31), 31);
	assert_true(manifest_key_read(path, &got, &found, &e) < 0);
	assert_int_equal(write(fd, key.bytes + 31, 1), 1);
	assert_int_equal(manifest_key_read(path, &got, &found, &e), 0);
	assert_true(found);
	assert_int_equal(got.size, 32);
	assert_int_equal(fchmod(fd, 0640), 0);
	assert_true(manifest_key_read(path, &got, &found, &e) < 0);
	assert_non_null(strstr(e.msg, "mode 0640"));
	close(fd);
	close(dir);
}

static void texts_of_strangers_are_refused(void **state)
{
	static const char *const texts[] = { "", "{}", "[]", "{\"coracle_image_set\":2}",
					     "{\"coracle_image_set\":1}" };
	struct error e;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct manifest *m = NULL;
		assert_true(manifest_parse(texts[i], strlen(texts[i]), &m, &e) < 0);
		assert_null(m);
	}
	assert_true(digest_is_well_formed("sum64:0123456789abcdef"));
	assert_false(digest_is_well_formed("sum64:0123456789abcdeF"));
	assert_false(digest_is_well_formed("md5:0123456789abcdef"));
	assert_false(digest_is_well_formed("sha256:00"));
}

static void other_machines_are_told_apart(void **state)
{
	struct manifest m = { .machine = "x86_64", .page_size = 4096, .criu = 40201 };
	struct error e = { 0 };

	(void)state;
	assert_int_equal(manifest_fits(&m, "x86_64", 4096, 40200, &e), 0);
	assert_int_equal(manifest_fits(&m, "x86_64", 4096, 0, &e), 0);
	assert_true(manifest_fits(&m, "aarch64", 4096, 40201, &e) < 0);
	assert_true(manifest_fits(&m, "x86_64", 65536, 40201, &e) < 0);
	assert_true(manifest_fits(&m, "x86_64", 4096, 40101, &e) < 0);
	assert_non_null(strstr(e.msg, "CRIU 4.2, here is 4.1"));
	assert_int_equal(manifest_needs(&m, false, false, false, false, &e), 0);
	m.tcp_established = true;
	assert_true(manifest_needs(&m, false, true, true, true, &e) < 0);
	assert_non_null(strstr(e.msg, "--tcp-established"));
	m.pre_dump = true;
	assert_true(manifest_needs(&m, true, true, true, true, &e) < 0);
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
		cmocka_unit_test(a_set_is_read_back),
		cmocka_unit_test(a_changed_set_is_refused),
		cmocka_unit_test(foreign_sets_are_taken_only_on_request),
		cmocka_unit_test(a_key_is_demanded_where_there_is_one),
		cmocka_unit_test(strange_directories_are_refused),
		cmocka_unit_test(parents_are_checked_too),
		cmocka_unit_test(keys_are_kept_secret),
		cmocka_unit_test(texts_of_strangers_are_refused),
		cmocka_unit_test(other_machines_are_told_apart),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
