/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_journal.c - the journal's moves, what is on disk, and what is refused there; a migration's report */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/journal.h"
#include "checkpoint/progress.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

static char directory[] = "/tmp/coracle-journal-XXXXXX";

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

/* Once it says granting or granted, nothing leads back to where somebody else could decide. */
static void test_moves(void **state)
{
	static const struct {
		enum journal_state from, to;
	} good[] = {
		{ JOURNAL_NONE, JOURNAL_PREPARING },	{ JOURNAL_PREPARING, JOURNAL_GRANTING },
		{ JOURNAL_GRANTING, JOURNAL_RELEASED }, { JOURNAL_GRANTING, JOURNAL_KEPT },
		{ JOURNAL_PREPARING, JOURNAL_KEPT },	{ JOURNAL_NONE, JOURNAL_CLAIMED },
		{ JOURNAL_CLAIMED, JOURNAL_GRANTED },	{ JOURNAL_CLAIMED, JOURNAL_REFUSED },
		{ JOURNAL_GRANTED, JOURNAL_RUNNING },	{ JOURNAL_GRANTED, JOURNAL_REFUSED },
		{ JOURNAL_NONE, JOURNAL_REFUSED },
	};
	unsigned int found = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_true(journal_may(good[i].from, good[i].to));
	for (int from = 0; from < JOURNAL_MAX; from++)
		for (int to = 0; to < JOURNAL_MAX; to++)
			found += journal_may(from, to);
	assert_int_equal(found, COUNT_OF(good)); /* and no others */
	assert_false(journal_may(JOURNAL_RELEASED, JOURNAL_KEPT));
	assert_false(journal_may(JOURNAL_REFUSED, JOURNAL_GRANTED));
	assert_false(journal_may(JOURNAL_RUNNING, JOURNAL_REFUSED));
}

static void test_what_is_written_is_read(void **state)
{
	AUTO(journal) struct journal *j = journal_new("web", "/run/coracle");
	AUTO(journal) struct journal *got = NULL;
	AUTO(journal) struct journal *found = NULL;
	struct error e;

	(void)state;
	auto_close int dir = journal_open_dir(directory, &e);
	assert_true(dir >= 0);
	assert_true(journal_check_name(j->migration));
	j->peer = "ssh://root@b";
	j->extra = "{\"a\": \"b\"}";
	assert_int_equal(journal_move(j, dir, JOURNAL_PREPARING, &e), 0);
	assert_int_equal(journal_move(j, dir, JOURNAL_RELEASED, &e), -EINVAL);
	assert_int_equal(j->state, JOURNAL_PREPARING);
	assert_int_equal(journal_move(j, dir, JOURNAL_GRANTING, &e), 0);
	assert_int_equal(journal_read(dir, j->migration, &got, &e), 0);
	assert_int_equal(got->state, JOURNAL_GRANTING);
	assert_string_equal(got->peer, "ssh://root@b");
	assert_string_equal(got->extra, "{\"a\": \"b\"}");
	assert_string_equal(got->boot, j->boot);
	assert_int_equal(journal_find(dir, "web", "/run/coracle", true, &found, &e), 0);
	assert_string_equal(found->migration, j->migration);
	journal_free(take_ptr(found));
	assert_int_equal(journal_find(dir, "web", "/run/coracle", false, &found, &e), -ENOENT);
	assert_int_equal(journal_find(dir, "web", "/elsewhere", true, &found, &e), -ENOENT);
	assert_int_equal(journal_remove(dir, j->migration, &e), 0);
	journal_free(take_ptr(got));
	assert_int_equal(journal_read(dir, j->migration, &got, &e), -ENOENT);
}

static void test_strange_journals_are_refused(void **state)
{
	static const char *const names[] = { "", "../../etc/passwd", "0123456789abcdef0123456789abcdeF",
					     "0123456789abcdef0123456789abcde",
					     "0123456789abcdef0123456789abcdef0" };
	AUTO(journal) struct journal *got = NULL;
	struct error e;

	(void)state;
	auto_close int dir = journal_open_dir(directory, &e);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		assert_int_equal(journal_read(dir, names[i], &got, &e), -EINVAL);
	assert_int_equal(io_replace_file(dir, "0123456789abcdef0123456789abcdef.json", "{\"version\":1}", 13,
					 0600, &e),
			 0);
	assert_true(journal_read(dir, "0123456789abcdef0123456789abcdef", &got, &e) < 0);
	assert_int_equal(chmod(directory, 0777), 0);
	assert_int_equal(journal_open_dir(directory, &e), -EPERM);
	assert_int_equal(chmod(directory, 0700), 0);
}

static void test_report(void **state)
{
	static struct progress p;
	static const char *const files[] = { "r.json", "r.svg", "r.html" };
	struct error e;
	char buf[24];

	(void)state;
	progress_init(&p, PROGRESS_NONE, "we<b>&", "ssh://b");
	for (int i = 0; i < 3; i++) {
		p.now = (struct progress_round){ .started_us = 1000U * (unsigned)i,
						 .duration_us = 1000,
						 .bytes = 4096U * (unsigned)(9 - i),
						 .pages_dirty = (unsigned)(5 - i),
						 .verdict = CONVERGE_GO_ON };
		progress_end_round(&p);
	}
	p.frozen_us[FROZEN_DUMP] = 30000;
	progress_end(&p, "completed");
	auto_close int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		auto_free char *text = NULL;
		char path[100];
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		assert_int_equal(progress_report(&p, path, &e), 0);
		assert_int_equal(io_read_file(dir, files[i], 1 << 20, &text, NULL, &e), 0);
		assert_non_null(strstr(text, "completed"));
		if (i) {
			assert_null(strstr(text, "we<b>"));
			assert_non_null(strstr(text, "we&lt;b>&amp;"));
		}
	}
	assert_int_equal(progress_check_report("x.txt", &e), -EINVAL);
	assert_string_equal(progress_bytes(1234567, buf), "1.2 MB");
	assert_string_equal(progress_bytes(999, buf), "999 B");
	assert_string_equal(progress_bytes(999999, buf), "1.0 MB");
	assert_string_equal(progress_time(87100, buf), "87.1 ms");
	assert_string_equal(progress_time(125000000, buf), "2 min 05 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_strange_journals_are_refused),
		cmocka_unit_test(test_report),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
