/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_track.c - own memory tracking of a live process: what is found, and what is left of it (nothing)
 *
 * No root needed: the process is a child. Skipped where the kernel cannot. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/inject.h"
#include "checkpoint/wp_internal.h"
#include "runtime/base/io.h"
#include "tests/unit/unit.h"

#define PAGE  4096
#define PAGES 2000

static struct error err;

#define OK(call)                                            \
	do {                                                \
		if ((call) < 0)                             \
			fail_msg("%s: %s", #call, err.msg); \
	} while (0)

/* ---- a process that does as it is told ---- */

struct talk {
	volatile uint32_t ticks;
	int to[2], from[2];
	uint8_t *memory; /* PAGES, the same address in both */
};

struct child {
	pid_t pid;
	struct talk *talk;
};

static void serve(struct talk *t)
{
	char what;
	uint16_t page;

	while (read(t->to[0], &what, 1) == 1) {
		if (read(t->to[0], &page, sizeof(page)) != sizeof(page))
			break;
		if (what == 'w')
			t->memory[page * PAGE]++;
		if (what == 'm' && mmap(t->memory + page * PAGE, PAGE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
			t->memory[page * PAGE] = 7;
		if (what == 't') { /* tick until told otherwise: never in the kernel for long */
			struct pollfd p = { t->to[0], POLLIN, 0 };
			while (poll(&p, 1, 0) == 0)
				t->ticks++;
		}
		if (what == 'x')
			execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		if (write(t->from[1], &what, 1) != 1)
			break;
	}
	_exit(0);
}

static void begin(struct child *c)
{
	c->talk = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(c->talk != MAP_FAILED);
	c->talk->memory = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(pipe2(c->talk->to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(c->talk->from, O_CLOEXEC), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(c->talk->to[1]);
		for (uint32_t i = 0; i < PAGES; i++) {
			memset(c->talk->memory + i * PAGE, 1, PAGE);
			memcpy(c->talk->memory + i * PAGE + 8, &i, sizeof(i)); /* no two alike */
		}
		serve(c->talk);
	}
	close(c->talk->to[0]);
}

static void tell(const struct child *c, char what, uint16_t page)
{
	char message[3] = { what };

	memcpy(message + 1, &page, 2);
	assert_int_equal(write(c->talk->to[1], message, 3), 3);
}

static void hear(const struct child *c, char what)
{
	char got = 0;

	assert_int_equal(read(c->talk->from[0], &got, 1), 1);
	assert_int_equal(got, what);
}

static void tell_and_hear(const struct child *c, char what, uint16_t page)
{
	tell(c, what, page);
	hear(c, what);
}

static void end(struct child *c)
{
	int status;

	close(c->talk->to[1]);
	close(c->talk->from[0]);
	kill(c->pid, SIGKILL);
	waitpid(c->pid, &status, 0);
	munmap(c->talk->memory, (size_t)PAGES * PAGE);
	munmap(c->talk, PAGE);
}

/* ---- what /proc says ---- */

static char *proc_text(pid_t pid, const char *what)
{
	char path[64], *text = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	OK(io_read_file(AT_FDCWD, path, 8 << 20, &text, NULL, &err));
	return text;
}

static bool has_traces(pid_t pid)
{
	char path[64];
	char *smaps = proc_text(pid, "smaps"), *status = proc_text(pid, "status");
	bool found = strstr(smaps, " uw") || strstr(smaps, " um") || !strstr(status, "TracerPid:\t0\n");

	free(smaps);
	free(status);
	/* no descriptor of ours: those it was born with are below 64 */
	for (int fd = 0; fd < 64 && !found; fd++) {
		char target[64] = "";
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		found = readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "userfaultfd");
	}
	return found;
}

static int list_one(void *arg, pid_t **ret, size_t *ret_n, struct error *e)
{
	(void)e;
	*ret = malloc(sizeof(pid_t));
	**ret = *(const pid_t *)arg;
	*ret_n = 1;
	return 0;
}

static int swallow(void *arg, const struct iovec *pieces, int n, struct error *e)
{
	(void)arg, (void)pieces, (void)n, (void)e;
	return 0;
}

struct rig {
	struct child child;
	struct tracker *tracker;
	struct page_sender *sender;
	struct track_round_stats stats;
};

static void rig_begin(struct rig *g)
{
	struct page_sender_options o = { 0 };
	const struct page_sink sink = { swallow, NULL };

	begin(&g->child);
	tell_and_hear(&g->child, 'w', 0); /* it has filled its memory */
	struct track_source source = { list_one, NULL, &g->child.pid, g->child.pid };
	OK(page_sender_new(&o, &sink, &g->sender, &err));
	OK(tracker_new(TRACK_WP, &source, &g->tracker, &err));
}

static void rig_round(struct rig *g)
{
	OK(page_sender_begin(g->sender, false, &err));
	OK(tracker_round(g->tracker, g->sender, -1, &g->stats, &err));
	OK(page_sender_end(g->sender, &err));
}

static void rig_end(struct rig *g)
{
	tracker_free(g->tracker);
	page_sender_free(g->sender);
	end(&g->child);
}

/* ---- the tests ---- */

static void test_what_was_written_is_found(void **state)
{
	struct rig g;
	uint64_t counted;

	(void)state;
	rig_begin(&g);
	rig_round(&g);
	assert_int_equal(g.stats.armed, 1);
	assert_true(g.stats.dirty >= PAGES);
	rig_round(&g);
	uint64_t quiet = g.stats.dirty; /* stack and the like */
	assert_true(quiet < 50);
	for (uint16_t i = 0; i < 300; i++)
		tell_and_hear(&g.child, 'w', (uint16_t)(i * 5));
	OK(tracker_count(g.tracker, &counted, &err));
	assert_in_range(counted, 300, 350);
	OK(tracker_count(g.tracker, &counted, &err));
	assert_in_range(counted, 300, 350);
	rig_round(&g);
	assert_int_equal(g.stats.armed, 0);
	assert_in_range(g.stats.dirty, 300, 350);
	assert_in_range(g.stats.sent, 300, 350);
	/* a mapping in the place of another */
	tell_and_hear(&g.child, 'm', 11);
	rig_round(&g);
	assert_in_range(g.stats.sent, 1, 30);
	rig_end(&g);
}

static void test_nothing_is_left(void **state)
{
	struct rig g;

	(void)state;
	rig_begin(&g);
	/* asleep in the kernel while it is armed: the call goes on as if nothing had been */
	rig_round(&g);
	assert_true(has_traces(g.child.pid));
	tell_and_hear(&g.child, 'w', 3);
	tracker_free(g.tracker);
	g.tracker = NULL;
	assert_false(has_traces(g.child.pid));
	tell_and_hear(&g.child, 'w', 4);
	rig_end(&g);
}

static void test_another_program_is_armed_anew(void **state)
{
	struct rig g;
	char path[64], exe[256] = "";

	(void)state;
	rig_begin(&g);
	rig_round(&g);
	tell(&g.child, 'x', 0);
	/* its pipe is closed by the exec */
	assert_int_equal(read(g.child.talk->from[0], path, 0), 0);
	snprintf(path, sizeof(path), "/proc/%d/exe", g.child.pid);
	do
		assert_true(readlink(path, exe, sizeof(exe) - 1) > 0);
	while (!strstr(exe, "sleep") && !strstr(exe, "busybox") && !strstr(exe, "coreutils"));
	rig_round(&g);
	rig_round(&g);
	rig_round(&g);
	assert_int_equal(g.stats.processes, 1);
	assert_int_equal(g.stats.untracked, 0);
	rig_end(&g);
}

static void test_who_has_ended_is_forgotten(void **state)
{
	struct rig g;

	(void)state;
	rig_begin(&g);
	rig_round(&g);
	assert_int_equal(g.stats.processes, 1);
	kill(g.child.pid, SIGKILL);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)g.child.pid, &info, WEXITED | WNOWAIT), 0);
	rig_round(&g);
	assert_int_equal(g.stats.processes, 0);
	rig_end(&g);
}

static void test_a_round_is_cancelled(void **state)
{
	struct rig g;
	int stop[2];

	(void)state;
	rig_begin(&g);
	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	assert_int_equal(write(stop[1], "", 1), 1);
	OK(page_sender_begin(g.sender, false, &err));
	assert_int_equal(tracker_round(g.tracker, g.sender, stop[0], &g.stats, &err), -ECANCELED);
	tracker_free(g.tracker);
	g.tracker = NULL;
	assert_false(has_traces(g.child.pid));
	tell_and_hear(&g.child, 'w', 9);
	close(stop[0]);
	close(stop[1]);
	rig_end(&g);
}

/* The tracker is killed at any moment: what it tracked goes on, and is clean as soon as the kernel is done. */
static void test_tracker_is_killed(void **state)
{
	struct rig g;
	unsigned int seed = 7;

	(void)state;
	rig_begin(&g);
	tell(&g.child, 't', 0);
	for (int turn = 0; turn < 25; turn++) {
		int ready[2];
		uint32_t ticks = g.child.talk->ticks;
		char byte;

		assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0) {
			struct track_source source = { list_one, NULL, &g.child.pid, g.child.pid };
			struct tracker *t = NULL;
			if (write(ready[1], "", 1) != 1)
				_exit(1);
			for (;;) {
				tracker_free(t);
				if (tracker_new(TRACK_WP, &source, &t, &err) < 0 ||
				    page_sender_begin(g.sender, false, &err) < 0 ||
				    tracker_round(t, g.sender, -1, &g.stats, &err) < 0)
					_exit(2);
			}
		}
		assert_int_equal(read(ready[0], &byte, 1), 1);
		/* somewhere in the first rounds */
		struct timespec some = { 0, rand_r(&seed) % 3000000 };
		nanosleep(&some, NULL);
		kill(pid, SIGKILL);
		int status;
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		close(ready[0]);
		close(ready[1]);
		for (int i = 0; has_traces(g.child.pid); i++)
			assert_true(i < 100000);
		while (g.child.talk->ticks == ticks)
			assert_int_equal(kill(g.child.pid, 0), 0);
		assert_int_equal(waitpid(g.child.pid, &status, WNOHANG), 0);
	}
	tell(&g.child, 'w', 1);
	hear(&g.child, 't');
	hear(&g.child, 'w');
	rig_end(&g);
}

/* A signal that comes while calls are injected is delivered after them, once, and the mask is as it was. */
static void test_injected_calls_return(void **state)
{
	struct rig g;
	struct inject in;
	const uint64_t none[3] = { 0 };
	int64_t got;
	uint64_t at;
	char path[64];

	(void)state;
	rig_begin(&g);
	snprintf(path, sizeof(path), "/proc/%d/mem", g.child.pid);
	int mem = open(path, O_RDONLY | O_CLOEXEC);
	sigset_t chld, before;
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &before);
	for (int i = 0; i < 200; i++) {
		OK(inject_find_call(g.child.pid, mem, &at, &err));
		OK(inject_stop(g.child.pid, at, 5000, &in, &err));
		OK(inject_call(&in, SYS_getpid, none, &got, &err));
		assert_int_equal(got, g.child.pid);
		OK(inject_call(&in, SYS_getppid, none, &got, &err));
		assert_int_equal(got, getpid());
		OK(inject_end(&in, &err));
		/* it was in read(2): it is again, and the answer comes */
		if (i % 3)
			tell_and_hear(&g.child, 'w', 1);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_false(has_traces(g.child.pid));
	close(mem);
	rig_end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_injected_calls_return),
		cmocka_unit_test(test_what_was_written_is_found),
		cmocka_unit_test(test_nothing_is_left),
		cmocka_unit_test(test_another_program_is_armed_anew),
		cmocka_unit_test(test_who_has_ended_is_forgotten),
		cmocka_unit_test(test_a_round_is_cancelled),
		cmocka_unit_test(test_tracker_is_killed),
	};
	const char *why = wp_why_not();

	if (why || sysconf(_SC_PAGESIZE) != PAGE) {
		fprintf(stderr, "skipped: %s\n", why ? why : "pages of another size");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
