/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRIU's reasons, the brief, the files of memory file systems: what is read as a stranger's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/brief.h"
#include "checkpoint/criu.h"
#include "checkpoint/memfs.h"
#include "tests/unit/unit.h"

/* ---- reasons ---- */

static void test_reason_is_the_first_error_that_means_something(void **state)
{
	char buf[320];
	static const char log[] =
		"(00.000004) Warn  (criu/x.c:1): nothing\n"
		"(00.001234) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: No\n"
		"(00.002000)   1234: Error (criu/files-reg.c:1): Unable to do it for /file\n"
		"(00.003000) Error (criu/cr-dump.c:2): Dumping FAILED.\n";

	(void)state;
	criu_explain(log, sizeof(log) - 1, NULL, 0, buf, sizeof(buf));
	assert_string_equal(buf, "CRIU: process 1234: Unable to do it for /file");
}

static void test_known_reason_says_what_to_do(void **state)
{
	char buf[320];
	static const char log[] = "(00.1) Error (criu/a.c:1): sk: something before it\n"
				  "(00.2) Error (criu/sk-inet.c:200): inet: Connected TCP socket, consider "
				  "using --tcp-established option.\n";

	(void)state;
	criu_explain(log, sizeof(log) - 1, NULL, 0, buf, sizeof(buf));
	assert_non_null(strstr(buf, "give --tcp-established"));
	assert_non_null(strstr(buf, "Connected TCP socket"));
}

static void test_without_a_log_the_answer_counts(void **state)
{
	char buf[320];

	(void)state;
	criu_explain("", 0, "Error (criu/x.c:3): no\tluck\n", 5, buf, sizeof(buf));
	assert_string_equal(buf, "CRIU: no?luck");
	criu_explain("", 0, NULL, ENOSPC, buf, sizeof(buf));
	assert_string_equal(buf, "CRIU: No space left on device");
	criu_explain("", 0, NULL, 0, buf, sizeof(buf));
	assert_string_equal(buf, "CRIU gave up without saying why");
}

static void test_strange_logs_do_no_harm(void **state)
{
	char buf[64];
	static const char *const logs[] = { "Error (",	     "(Error (", ")Error (",
					    "Error (x): ",   "\n\n\n",	 "(((Error ((((): : :",
					    "(1) 9: Error (" };

	(void)state;
	for (size_t i = 0; i < sizeof(logs) / sizeof(*logs); i++)
		assert_true(strlen(criu_explain(logs[i], strlen(logs[i]), logs[i], -1, buf, sizeof(buf))) <
			    sizeof(buf));
}

/* ---- the brief ---- */

static const char good[] = "{\"version\":1,\"mounts\":[{\"key\":\"m0001\",\"destination\":\"/"
			   "dev\",\"content\":true}],\"stdin\":\"\",\"stdout\":"
			   "\"pipe:[7]\",\"stderr\":\"\",\"stdin_type\":0,\"stdout_type\":0,\"stderr_type\":"
			   "0,\"hostname\":\"a\",\"domainname\":"
			   "\"b\",\"own_net\":true,\"own_uts\":true,\"own_ipc\":false,\"terminal\":false,"
			   "\"paused\":true,\"groups\":[{\"pid\":1,"
			   "\"path\":\"/x\"}]}";

static void test_brief_is_read_back(void **state)
{
	AUTO(brief) struct brief *b = NULL;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(brief_parse(good, sizeof(good) - 1, &b, &e), 0);
	assert_int_equal(b->n_mounts, 1);
	assert_string_equal(brief_find_mount(b, "m0001")->destination, "/dev");
	assert_null(brief_find_mount(b, "m0002"));
	assert_string_equal(b->stdio[1], "pipe:[7]");
	assert_true(b->paused && b->own_net && !b->own_ipc);
	assert_int_equal(b->groups[0].pid, 1);
}

/* Each takes the place of something good, and is refused. */
static void test_hostile_briefs_are_refused(void **state)
{
	static const struct {
		const char *good, *bad;
	} changes[] = {
		{ "\"m0001\"", "\"m00]:\"" },  { "\"m0001\"", "\"../a\"" },
		{ "\"m0001\"", "\"m00001\"" }, { "\"/dev\"", "\"dev\"" },
		{ "\"/dev\"", "\"/../etc\"" }, { "\"/dev\"", "\"/a//b\"" },
		{ "\"/x\"", "\"/../x\"" },     { "\"version\":1", "\"version\":2" },
		{ "\"paused\":true,", "" },    { "\"pid\":1", "\"pid\":-1" },
		{ "\"groups\"", "\"more\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		AUTO(brief) struct brief *b = NULL;
		struct error e = { 0 };
		char text[1024];
		const char *at = strstr(good, changes[i].good);
		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, changes[i].bad,
			 at + strlen(changes[i].good));
		if (brief_parse(text, strlen(text), &b, &e) == 0)
			fail_msg("%s was taken", changes[i].bad);
	}
}

/* ---- memory file systems ---- */

static int make_dir(char *name)
{
	assert_non_null(mkdtemp(name));
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void put_file(int dir, const char *name, const char *text, off_t at)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT, 0640);
	assert_true(fd >= 0 && pwrite(fd, text, strlen(text), at) == (ssize_t)strlen(text));
	close(fd);
}

static void test_files_come_back(void **state)
{
	char from_name[] = "/tmp/memfs-XXXXXX", to_name[] = "/tmp/memfs-XXXXXX", got[32] = "", line[128];
	int from = make_dir(from_name), to = make_dir(to_name);
	int stream = memfd_create("stream", 0);
	struct error e = { 0 };
	struct stat a, b;

	(void)state;
	put_file(from, "plain", "hello", 0);
	put_file(from, "holes", "far", 10 << 20);
	assert_int_equal(mkdirat(from, "dir", 0750), 0);
	put_file(from, "dir/below", "deep", 0);
	assert_int_equal(linkat(from, "dir/below", from, "again", 0), 0);
	assert_int_equal(symlinkat("../nowhere", from, "link"), 0);
	assert_int_equal(mkfifoat(from, "fifo", 0600), 0);
	assert_int_equal(memfs_save(from, stream, &e), 0);
	assert_true(lseek(stream, 0, SEEK_END) < 1 << 20); /* the hole was not written */
	lseek(stream, 0, SEEK_SET);
	assert_int_equal(mkdirat(to, "dir", 0700), 0); /* what is there already stays */
	if (memfs_load(stream, to, &e) < 0)
		fail_msg("%s", e.msg);
	int fd = openat(to, "plain", O_RDONLY);
	assert_true(read(fd, got, sizeof(got)) == 5 && memcmp(got, "hello", 5) == 0);
	close(fd);
	assert_int_equal(fstatat(to, "holes", &a, 0), 0);
	assert_true(a.st_size == (10 << 20) + 3 && a.st_blocks < 100);
	assert_true(fstatat(to, "dir/below", &a, 0) == 0 && fstatat(to, "again", &b, 0) == 0 &&
		    a.st_ino == b.st_ino);
	assert_true(fstatat(to, "link", &a, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(a.st_mode));
	assert_true(fstatat(to, "fifo", &a, 0) == 0 && S_ISFIFO(a.st_mode));
	assert_true(fstatat(from, "dir", &a, 0) == 0 && fstatat(to, "dir", &b, 0) == 0);
	assert_true(a.st_mode == b.st_mode && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec);
	close(stream);
	close(from);
	close(to);
	snprintf(line, sizeof(line), "rm -r %s %s", from_name, to_name);
	assert_int_equal(system(line), 0);
}

/* Cut anywhere, or with a byte changed: an error, never anything outside. */
static void test_broken_streams_are_refused(void **state)
{
	char from_name[] = "/tmp/memfs-XXXXXX", line[128];
	int from = make_dir(from_name);
	int stream = memfd_create("stream", 0);
	struct error e = { 0 };
	char whole[4096];

	(void)state;
	put_file(from, "plain", "hello", 0);
	assert_int_equal(memfs_save(from, stream, &e), 0);
	ssize_t size = pread(stream, whole, sizeof(whole), 0);
	for (ssize_t cut = 0; cut < size; cut += 7) {
		char to_name[] = "/tmp/memfs-XXXXXX";
		int to = make_dir(to_name), part = memfd_create("part", 0);
		assert_true(write(part, whole, (size_t)cut) == cut && lseek(part, 0, SEEK_SET) == 0);
		assert_true(memfs_load(part, to, &e) < 0);
		close(part);
		close(to);
		snprintf(line, sizeof(line), "rm -r %s", to_name);
		assert_int_equal(system(line), 0);
	}
	/* a name that leads out */
	char *name = memmem(whole, (size_t)size, "plain", 5);
	assert_non_null(name);
	memcpy(name, "../xy", 5);
	assert_true(pwrite(stream, whole, (size_t)size, 0) == size && lseek(stream, 0, SEEK_SET) == 0);
	assert_int_equal(memfs_load(stream, from, &e), -EPROTO);
	close(stream);
	close(from);
	snprintf(line, sizeof(line), "rm -r %s", from_name);
	assert_int_equal(system(line), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reason_is_the_first_error_that_means_something),
		cmocka_unit_test(test_known_reason_says_what_to_do),
		cmocka_unit_test(test_without_a_log_the_answer_counts),
		cmocka_unit_test(test_strange_logs_do_no_harm),
		cmocka_unit_test(test_brief_is_read_back),
		cmocka_unit_test(test_hostile_briefs_are_refused),
		cmocka_unit_test(test_files_come_back),
		cmocka_unit_test(test_broken_streams_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
