/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_log.c - log lines: the formats that engines parse, into a file and onto stderr */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"

static char dir[] = "/tmp/coracle-log-XXXXXX";

/* What is in a file below our directory. */
static char *content(const char *name)
{
	char path[64];
	char *text = NULL;
	struct error e;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(io_read_file(AT_FDCWD, path, 1 << 16, &text, NULL, &e), 0);
	return text;
}

static void open_log(const char *start, const char *name, bool json, enum log_level level)
{
	char path[64];
	struct error e;

	snprintf(path, sizeof(path), "%s%s/%s", start, dir, name);
	const struct log_options o = { path, json, level };
	assert_int_equal(log_open(&o, &e), 0);
}

static void test_json_lines_have_level_msg_and_time(void **state)
{
	(void)state;
	open_log("", "json", true, LOG_LEVEL_WARNING);
	log_error("a \"quoted\" %s\n\x01", "back\\slash");
	log_debug("not seen");
	char *text = content("json");
	assert_true(str_starts(
		text, "{\"level\":\"error\",\"msg\":\"a \\\"quoted\\\" back\\\\slash\\u000a\\u0001\","
		      "\"time\":\"2"));
	assert_true(str_ends(text, "Z\"}\n"));
	assert_null(strstr(text, "not seen"));
	free(text);
}

static void test_json_is_utf8_whatever_came_in(void **state)
{
	(void)state;
	open_log("", "utf8", true, LOG_LEVEL_WARNING);
	log_error("ok \xc3\xbc, bad \xff\xc3 \xed\xa0\x80 \xc0\xaf, cut \xe2\x82");
	char *text = content("utf8");
	assert_non_null(strstr(text, "\"ok \xc3\xbc, bad ?? ??? ??, cut ??\""));
	free(text);
}

static void test_text_lines_append_and_keep_the_level(void **state)
{
	(void)state;
	open_log("file:", "text", false, LOG_LEVEL_DEBUG);
	log_warning("one");
	open_log("", "text", false, LOG_LEVEL_DEBUG);
	log_debug("two");
	char *text = content("text");
	assert_true(str_starts(text, "time=\"2"));
	assert_non_null(strstr(text, " level=warning msg=\"one\"\ntime="));
	assert_true(str_ends(text, " level=debug msg=\"two\"\n"));
	free(text);
}

/* Longer than the line's buffer once escaped: still one whole line of JSON. */
static void test_long_messages_are_cut_not_broken(void **state)
{
	char message[2000];

	(void)state;
	memset(message, '\x02', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	open_log("", "long", true, LOG_LEVEL_WARNING);
	log_error("%s", message);
	char *text = content("long");
	assert_true(str_ends(text, "Z\"}\n"));
	assert_non_null(strstr(text, "\\u0002\",\"time\""));
	free(text);
}

static void test_a_failure_is_told_on_stderr_too(void **state)
{
	struct error failure = { .code = EINVAL, .msg = "it\nfailed" };
	char path[64];
	int saved = dup(STDERR_FILENO);

	(void)state;
	snprintf(path, sizeof(path), "%s/stderr", dir);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	open_log("", "failure", true, LOG_LEVEL_WARNING);
	dup2(fd, STDERR_FILENO);
	log_failure(&failure);
	log_warning("a warning");
	dup2(saved, STDERR_FILENO);
	close(fd);
	close(saved);
	char *logged = content("failure"), *shown = content("stderr");
	assert_non_null(strstr(logged, "\"msg\":\"it\\u000afailed\""));
	assert_string_equal(shown, "coracle: it?failed\n");
	free(logged);
	free(shown);
}

static void test_unknown_targets_are_refused(void **state)
{
	struct error e = { .code = 0 };
	enum log_level level = LOG_LEVEL_INFO;

	(void)state;
	assert_int_equal(log_open(&(struct log_options){ "journald:x", false, 0 }, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "journald:x"));
	assert_int_equal(log_open(&(struct log_options){ "/nonexistent/x", false, 0 }, &e), -ENOENT);
	assert_int_equal(log_level_parse("loud", &level, &e), -EINVAL);
	assert_int_equal(level, LOG_LEVEL_INFO);
	assert_int_equal(log_level_parse("warn", &level, &e), 0);
	assert_int_equal(level, LOG_LEVEL_WARNING);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "json", "utf8", "text", "long", "failure", "stderr" };
	char path[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_lines_have_level_msg_and_time),
		cmocka_unit_test(test_json_is_utf8_whatever_came_in),
		cmocka_unit_test(test_text_lines_append_and_keep_the_level),
		cmocka_unit_test(test_long_messages_are_cut_not_broken),
		cmocka_unit_test(test_a_failure_is_told_on_stderr_too),
		cmocka_unit_test(test_unknown_targets_are_refused),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
