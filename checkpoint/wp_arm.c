/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wp_arm.c - a userfaultfd of another process, taken over
 *
 * In the target: userfaultfd(), then close(): two injected calls. In between we take it with pidfd_getfd(2). Registering
 * and protecting, which grow with memory, come later, from outside, while the target runs: so its stop does
 * not depend on its size.
 *
 * ARMER is a child of ours that lives for this alone. It blocks every signal and lives in no relation to us that could
 * kill it; so if we are killed (SIGKILL, too) it still puts every target in order, and what it took is
 * closed with it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/inject.h"
#include "checkpoint/wp_internal.h"
#include "runtime/base/fd.h"
#include "runtime/base/proc.h"
#include "runtime/base/sys.h"

#define STOP_TIMEOUT_MS 100
#define TIMEOUTS_MAX	3 /* then the group is frozen, or worse: the others are not tried */

struct report {
	uint32_t index, stopped_us;
	int32_t error;
};

static uint32_t since_us(const struct timespec *begun)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)((t.tv_sec - begun->tv_sec) * 1000000 + (t.tv_nsec - begun->tv_nsec) / 1000);
}

/* While the target is stopped. *ret_uffd: ours; the target has none left. */
static int take_uffd(struct inject *in, const struct wp_target *t, int *ret_uffd, struct error *e)
{
	const uint64_t flags[3] = { O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY };
	uint64_t close_args[3] = { 0 };
	int64_t there, closed = 0;
	int r = inject_call(in, SYS_userfaultfd, flags, &there, e);

	if (r < 0)
		return r;
	if (there < 0)
		return fail(e, (int)-there, "userfaultfd in process %d", t->pid);
	int fd = (int)syscall(SYS_pidfd_getfd, t->pidfd, (int)there, 0), error = errno;
	close_args[0] = (uint64_t)there;
	r = inject_call(in, SYS_close, close_args, &closed, e);
	if (fd < 0)
		return fail(e, error, "take the userfaultfd of process %d", t->pid);
	if (r < 0 || closed < 0) {
		close(fd);
		return r < 0 ? r : fail(e, (int)-closed, "close in process %d", t->pid);
	}
	*ret_uffd = fd;
	return 0;
}

static int arm_one(const struct wp_target *t, int *ret_uffd, uint32_t *ret_us, struct error *e)
{
	struct inject in;
	struct timespec begun;
	uint64_t call_at;
	auto_close int uffd = -1;
	int r = inject_find_call(t->pid, t->mem, &call_at, e), end;

	if (r < 0)
		return r;
	clock_gettime(CLOCK_MONOTONIC, &begun);
	r = inject_stop(t->pid, call_at, STOP_TIMEOUT_MS, &in, e);
	if (r < 0)
		return r;
	/* the number is the target's only as long as it has not been reaped: traced, it is not */
	if (poll(&(struct pollfd){ t->pidfd, POLLIN, 0 }, 1, 0) != 0)
		r = refuse(e, ESRCH, "process %d is another by now", t->pid);
	if (r == 0)
		r = take_uffd(&in, t, &uffd, e);
	end = inject_end(&in, e);
	*ret_us = since_us(&begun);
	if (r == 0 && end == 0)
		*ret_uffd = take_fd(&uffd);
	return r < 0 ? r : end;
}

static void armer(const struct wp_target *targets, size_t n, int sock)
{
	sigset_t all;
	int timeouts = 0;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
	for (size_t i = 0; i < n; i++) {
		struct report report = { .index = (uint32_t)i };
		struct error e = { 0 };
		int uffd = -1;
		int r = timeouts < TIMEOUTS_MAX ? arm_one(&targets[i], &uffd, &report.stopped_us, &e)
						: -ETIMEDOUT;

		timeouts += r == -ETIMEDOUT;
		report.error = -r;
		/* nobody may be there any more to hear it */
		fd_send(sock, &report, sizeof(report), uffd, &e);
		cleanup_close(&uffd);
	}
	_exit(0);
}

static int hear(struct wp_target *targets, size_t n, int sock, struct error *e)
{
	struct report report;

	for (size_t i = 0; i < n; i++) {
		auto_close int fd = -1;
		ssize_t got = fd_receive(sock, &report, sizeof(report), &fd, e);

		if (got < 0)
			return (int)got;
		if (got != sizeof(report) || report.index >= n)
			return refuse(e, EPIPE, "tracking memory: the arming child ended early");
		targets[report.index].uffd = take_fd(&fd);
		targets[report.index].error = report.error;
		targets[report.index].stopped_us = report.stopped_us;
	}
	return 0;
}

int wp_arm(struct wp_target *targets, size_t n, struct error *e)
{
	int pair[2], status, r;
	struct error ignored;
	pid_t pid;

	for (size_t i = 0; i < n; i++)
		targets[i].uffd = -1;
	if (!n)
		return 0;
	r = fd_socketpair(pair, e);
	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		armer(targets, n, pair[1]);
	}
	close(pair[1]);
	if (pid < 0)
		r = fail(e, errno, "fork");
	else
		r = hear(targets, n, pair[0], e);
	close(pair[0]);
	if (pid > 0)
		proc_wait(pid, &status, r < 0 ? &ignored : e);
	return r;
}

int wp_handshake(int uffd, struct error *e)
{
	struct uffdio_api api = { .api = UFFD_API, .features = WP_FEATURES };

	if (ioctl(uffd, UFFDIO_API, &api) < 0)
		return fail(e, errno == EINVAL ? EOPNOTSUPP : errno,
			    "userfaultfd: asynchronous write-protection");
	return 0;
}

const char *wp_why_not(void)
{
	auto_close int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	auto_close int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct pm_scan_arg arg = { .size = sizeof(arg) };
	struct error e;

#if !defined(__x86_64__) && !defined(__aarch64__)
	return "own tracking knows x86-64 and aarch64 only";
#endif
	if (uffd < 0)
		return "the kernel has no userfaultfd, or it is not allowed here";
	if (wp_handshake(uffd, &e) < 0)
		return "the kernel's userfaultfd has no asynchronous write-protection (Linux 6.7)";
	if (pagemap < 0 || (ioctl(pagemap, PAGEMAP_SCAN, &arg) < 0 && errno == ENOTTY))
		return "the kernel has no PAGEMAP_SCAN (Linux 6.7)";
	return NULL;
}
