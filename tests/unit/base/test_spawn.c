/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_spawn.c - what a helper gets, and what is told of its end */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/spawn.h"
#include "runtime/base/str.h"

static int shell(const char *script, struct spawn s, int *ret_status, struct error *e)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };

	s.path = "/bin/sh";
	s.argv = argv;
	return spawn_run(&s, ret_status, e);
}

/* The script fails with what it wants to say. */
static void check_says(const char *script, struct spawn s, const char *want)
{
	struct error e = { 0 };
	char expected[480];

	assert_int_equal(shell(script, s, NULL, &e), -ECHILD);
	snprintf(expected, sizeof(expected), "/bin/sh: exit status 9: %s", want);
	assert_string_equal(e.msg, expected);
}

static void test_success_leaves_the_error_alone(void **state)
{
	struct error e = { .code = 7, .msg = "mine" };
	int status = 5;

	(void)state;
	assert_int_equal(shell("exit 0", (struct spawn){ 0 }, &status, &e), 0);
	assert_int_equal(status, 0);
	assert_int_equal(e.code, 7);
	assert_string_equal(e.msg, "mine");
}

static void test_exit_status_and_signal_are_told(void **state)
{
	struct error e = { 0 };
	int status;

	(void)state;
	assert_int_equal(shell("echo one; echo two >&2; exit 3", (struct spawn){ 0 }, &status, &e), -ECHILD);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	assert_string_equal(e.msg, "/bin/sh: exit status 3: one two");
	assert_int_equal(shell("kill -TERM $$", (struct spawn){ 0 }, &status, &e), -ECHILD);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_string_equal(e.msg, "/bin/sh: killed by signal 15");
}

static void test_what_cannot_be_executed(void **state)
{
	const struct spawn missing = { .path = "/nonexistent/helper" }, relative = { .path = "bin/sh" },
			   nowhere = { .path = "/bin/true", .cwd = "/nonexistent" };
	struct error e = { 0 };

	(void)state;
	assert_int_equal(spawn_run(&missing, NULL, &e), -ENOENT);
	assert_string_equal(e.msg, "/nonexistent/helper: execute: No such file or directory");
	assert_int_equal(spawn_run(&relative, NULL, &e), -EINVAL);
	assert_int_equal(spawn_run(&nowhere, NULL, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "change to its directory"));
}

/* CVE-2025-23266: nothing of our environment, nor of a container's, reaches a hook. */
static void test_environment_is_exactly_what_is_given(void **state)
{
	char *env[] = { (char *)"ONLY=this", NULL };
	const char *script =
		"exec 1>&2; /usr/bin/env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD=; exit 9";
	struct error e = { 0 };

	(void)state;
	setenv("LD_PRELOAD_DECOY", "/tmp/decoy.so", 1);
	check_says(script, (struct spawn){ .envp = env }, "ONLY=this");
	assert_int_equal(shell(script, (struct spawn){ 0 }, NULL, &e), -ECHILD);
	assert_string_equal(e.msg, "/bin/sh: exit status 9");
	unsetenv("LD_PRELOAD_DECOY");
}

static void test_directory_is_the_root_unless_given(void **state)
{
	(void)state;
	check_says("pwd; exit 9", (struct spawn){ 0 }, "/");
	check_says("pwd; exit 9", (struct spawn){ .cwd = "/proc" }, "/proc");
}

static void test_input_is_what_is_given(void **state)
{
	const size_t size = 3 << 20; /* more than any pipe holds */
	auto_free char *large = malloc(size);
	char want[32];

	(void)state;
	memset(large, 'x', size);
	check_says("cat; exit 9", (struct spawn){ .input = "{\"id\":1}", .input_size = 8 }, "{\"id\":1}");
	snprintf(want, sizeof(want), "%zu", size);
	check_says("wc -c; exit 9", (struct spawn){ .input = large, .input_size = size }, want);
	check_says("wc -c; exit 9", (struct spawn){ 0 }, "0");
	check_says("cat /dev/stdin; exit 9", (struct spawn){ .input = "again", .input_size = 5 }, "again");
	/* Not read at all: no signal, no error. */
	check_says("echo fine; exit 9", (struct spawn){ .input = large, .input_size = size }, "fine");
}

/* Not even one that forgot to be close-on-exec. */
static void test_descriptors_are_three(void **state)
{
	(void)state;
	int leak = open("/", O_RDONLY | O_DIRECTORY);
	assert_true(leak > 2);
	check_says("cd /proc/$$/fd && for f in *; do [ -L $f ] && printf '%s ' $f; done; exit 9",
		   (struct spawn){ 0 }, "0 1 2");
	close(leak);
}

static void test_closed_stdio_of_ours_does_no_harm(void **state)
{
	int saved[3];

	(void)state;
	fflush(NULL);
	for (int fd = 0; fd < 3; fd++) {
		saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
		close(fd);
	}
	struct error e = { 0 };
	int r = shell("cat; echo err >&2; exit 9", (struct spawn){ .input = "in ", .input_size = 3 }, NULL,
		      &e);
	for (int fd = 0; fd < 3; fd++)
		if (saved[fd] >= 0) {
			dup2(saved[fd], fd);
			close(saved[fd]);
		}
	assert_int_equal(r, -ECHILD);
	assert_string_equal(e.msg, "/bin/sh: exit status 9: in err");
}

static void test_the_tail_of_the_output_is_kept_printable(void **state)
{
	struct error e = { 0 };

	(void)state;
	assert_int_equal(
		shell("i=0; while [ $i -lt 3000 ]; do echo line$i; i=$((i+1)); done; printf 'the\\033end'; "
		      "exit 9",
		      (struct spawn){ 0 }, NULL, &e),
		-ECHILD);
	assert_true(str_ends(e.msg, "line2999 the?end"));
	assert_true(strlen(e.msg) > 250);
	assert_null(strstr(e.msg, "line1 "));
}

/* The helper and what it has started are gone when spawn_run is back: their ends of the pipe are closed. */
static void test_time_runs_out(void **state)
{
	char script[128];
	struct error e = { 0 };
	int status = 5;
	char fifo[] = "/tmp/test_spawn.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(fifo));
	rmdir(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	auto_close int fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	snprintf(script, sizeof(script), "exec 9>%s; echo started; sleep 1000 & sleep 1000", fifo);
	assert_int_equal(shell(script, (struct spawn){ .timeout_ms = 300 }, &status, &e), -ETIMEDOUT);
	assert_int_equal(status, 0);
	assert_string_equal(e.msg, "/bin/sh: killed after 300 ms: started");
	/* No writer is left: the end of the file comes, not a wait for it. */
	struct pollfd p = { .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(p.revents & POLLHUP);
	unlink(fifo);
}

static void test_a_daemon_that_stays_is_not_waited_for(void **state)
{
	struct error e = { 0 };
	char text[32];
	char file[] = "/tmp/test_spawn.XXXXXX", script[128];

	(void)state;
	close(mkstemp(file));
	/* It keeps our pipe open; it ends when the test removes it. */
	snprintf(script, sizeof(script), "sleep 1000 & echo $! > %s", file);
	assert_int_equal(shell(script, (struct spawn){ 0 }, NULL, &e), 0);
	assert_true(io_read_small(AT_FDCWD, file, text, sizeof(text), &e) > 0);
	assert_int_equal(kill(atoi(text), SIGKILL), 0);
	unlink(file);
}

static void test_signals_are_as_a_program_expects_them(void **state)
{
	sigset_t set, old;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGPIPE, SIG_IGN);
	/* by the shell itself: it blocks signals for a moment whenever it forks */
	check_says(
		"while read -r l; do case $l in SigBlk*) echo \"$l\";; esac; done </proc/$$/status; exit 9",
		(struct spawn){ 0 }, "SigBlk: 0000000000000000");
	struct error e = { 0 };
	assert_int_equal(shell("kill -PIPE $$; exit 9", (struct spawn){ 0 }, NULL, &e), -ECHILD);
	assert_string_equal(e.msg, "/bin/sh: killed by signal 13");
	signal(SIGPIPE, SIG_DFL);
	sigset_t now;
	sigprocmask(SIG_SETMASK, &old, &now);
	assert_true(sigismember(&now, SIGTERM) == 1 &&
		    sigismember(&now, SIGINT) == 0); /* ours is as it was */
}

static void test_it_leads_a_group(void **state)
{
	(void)state;
	check_says("[ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && echo leader; exit 9", (struct spawn){ 0 },
		   "leader");
}

/* A runtime that is killed while its helper runs; the helper holds the write end of a fifo. */
static void test_it_dies_with_us(void **state)
{
	char fifo[] = "/tmp/test_spawn.XXXXXX", script[200], byte;
	struct error e = { 0 };

	(void)state;
	assert_non_null(mkdtemp(fifo));
	rmdir(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	snprintf(script, sizeof(script), "exec 9>%s; echo >&9; exec sleep 1000", fifo);
	pid_t runtime = fork();
	if (runtime == 0) {
		shell(script, (struct spawn){ 0 }, NULL, &e);
		_exit(0);
	}
	auto_close int fd = open(fifo, O_RDONLY | O_CLOEXEC); /* waits for the helper */
	assert_int_equal(read(fd, &byte, 1), 1);
	kill(runtime, SIGKILL);
	waitpid(runtime, NULL, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(read(fd, &byte, 1), 0);
	unlink(fifo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success_leaves_the_error_alone),
		cmocka_unit_test(test_exit_status_and_signal_are_told),
		cmocka_unit_test(test_what_cannot_be_executed),
		cmocka_unit_test(test_environment_is_exactly_what_is_given),
		cmocka_unit_test(test_directory_is_the_root_unless_given),
		cmocka_unit_test(test_input_is_what_is_given),
		cmocka_unit_test(test_descriptors_are_three),
		cmocka_unit_test(test_closed_stdio_of_ours_does_no_harm),
		cmocka_unit_test(test_the_tail_of_the_output_is_kept_printable),
		cmocka_unit_test(test_time_runs_out),
		cmocka_unit_test(test_a_daemon_that_stays_is_not_waited_for),
		cmocka_unit_test(test_signals_are_as_a_program_expects_them),
		cmocka_unit_test(test_it_leads_a_group),
		cmocka_unit_test(test_it_dies_with_us),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
