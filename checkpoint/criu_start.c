/* SPDX-License-Identifier: GPL-2.0-or-later */
/* criu_start.c - spawn `criu swrk`, end it
 *
 * Not by spawn.h: this child lives beside us, is born in a group, enters namespaces and mounts before it
 * executes, and keeps chosen descriptors. It does not die with us: killed in the middle it would leave the
 * tasks that it holds to themselves, while at the next callback it finds us gone and lets them run (dump) or
 * kills them (restore). Ctrl-C of a terminal is not for it: it leads a session of its own. */
#include "checkpoint/criu_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

enum { SOCKET_IN_CRIU = 3, PARKING = 100, MOST_FDS = PARKING - CRIU_FD_FIRST, ENDING_MS = 30000 };

/* ---- in the child ---- */

static int place(int fd, int at, struct error *e)
{
	return dup2(fd, at) < 0 ? fail(e, errno, "dup2") : 0;
}

/* First out of the way of the numbers they will get, then there; what is not named is closed. */
static int place_descriptors(const struct criu_start *s, int sock, int report, struct error *e)
{
	int parked[MOST_FDS];

	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return fail(e, errno, "open /dev/null");
	for (size_t i = 0; i < s->n_fds; i++) {
		parked[i] = s->fds[i] < 0 ? -1 : fcntl(s->fds[i], F_DUPFD_CLOEXEC, PARKING);
		if (s->fds[i] >= 0 && parked[i] < 0)
			return fail(e, errno, "descriptor %d", s->fds[i]);
	}
	sock = fcntl(sock, F_DUPFD_CLOEXEC, PARKING);
	null = fcntl(null, F_DUPFD_CLOEXEC, PARKING);
	if (sock < 0 || null < 0)
		return fail(e, errno, "dup");
	int r = 0;
	for (int i = 0; r == 0 && i < 3; i++)
		r = place(null, i, e);
	for (int i = 3; i < PARKING; i++)
		if (i != report)
			close(i);
	if (r == 0)
		r = place(sock, SOCKET_IN_CRIU, e);
	for (size_t i = 0; r == 0 && i < s->n_fds; i++)
		if (parked[i] >= 0)
			r = place(parked[i], CRIU_FD(i), e);
	return r < 0 ? r : fd_cloexec_from(PARKING, e);
}

static int child_run(const struct criu_start *s, int sock, int report, struct error *e)
{
	char *const argv[] = { (char *)"criu", (char *)"swrk", (char *)"3", NULL };
	/* Without HOME it reads no configuration of a user. */
	char *const envp[] = { (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			       NULL };

	interrupt_forget();
	signal(SIGPIPE, SIG_DFL);
	if (setsid() < 0)
		return fail(e, errno, "setsid");
	int r = s->prepare ? s->prepare(s->arg, e) : 0;
	if (r == 0)
		r = place_descriptors(s, sock, report, e);
	if (r < 0)
		return r;
	if (chdir("/") < 0)
		return fail(e, errno, "chdir to /");
	execve(s->path, argv, envp);
	return fail(e, errno, "execute %s", s->path);
}

/* ---- in the parent ---- */

static pid_t clone_child(int cgroup, int *ret_pidfd, struct error *e)
{
	struct clone_args args = { .flags = CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
				   .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
				   .exit_signal = SIGCHLD,
				   .cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0 };
	pid_t pid = sys_clone3(&args, sizeof(args));

	return pid < 0 ? fail(e, errno, "clone3") : pid;
}

/* What the child has to say of its failure; nothing if it executed CRIU. */
static int wait_for_execution(int report, struct error *e)
{
	struct error told = { .code = 0 };
	ssize_t n;

	int r = interrupt_wait(report, -1, -1, e);
	if (r < 0)
		return r;
	do
		n = read(report, &told, sizeof(told));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(e, errno, "read from a child");
	if (n == 0)
		return 0;
	told.msg[sizeof(told.msg) - 1] = '\0';
	if (told.code <= 0)
		return refuse(e, EPROTO, "the child ended unexpectedly");
	*e = told;
	return -told.code;
}

static int spawn(const struct criu_start *s, struct criu *c, struct error *e)
{
	int socks[2], report[2];

	int r = fd_socketpair(socks, e);
	if (r < 0)
		return r;
	c->sock = socks[0];
	auto_close int theirs = socks[1];
	if (pipe2(report, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe");
	auto_close int from = report[0], to = fcntl(report[1], F_DUPFD_CLOEXEC, PARKING);
	close(report[1]);
	if (to < 0)
		return fail(e, errno, "dup");
	pid_t pid = clone_child(s->cgroup, &c->pidfd, e);
	if (pid < 0)
		return pid;
	if (pid == 0) {
		struct error mine = { .code = 0 };
		child_run(s, theirs, to, &mine);
		_exit(write(to, &mine, sizeof(mine)) < 0);
	}
	c->pid = pid;
	replace_fd(&to, -1);
	replace_fd(&theirs, -1);
	return wait_for_execution(from, e);
}

int criu_start(const struct criu_start *s, struct criu **ret, struct error *e)
{
	AUTO(criu) struct criu *c = calloc(1, sizeof(*c));

	if (!c)
		return fail(e, ENOMEM, "start CRIU");
	c->sock = c->pidfd = -1;
	if (s->n_fds > MOST_FDS)
		return refuse(e, E2BIG, "start CRIU: %zu descriptors are too many", s->n_fds);
	int r = spawn(s, c, e);
	if (r < 0)
		return prefix(e, "start CRIU");
	*ret = take_ptr(c);
	return 0;
}

/* It sees the socket's end at its next look and ends cleanly: tasks that it holds go on. Bounded, since what
 * it waits for may be a device that does not answer. */
static void wait_for_end(const struct criu *c)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

	while (poll(&p, 1, ENDING_MS) < 0 && errno == EINTR)
		;
}

void criu_free(struct criu *c)
{
	if (!c)
		return;
	cleanup_close(&c->sock);
	if (c->pid > 0)
		wait_for_end(c);
	proc_end(&c->pid);
	cleanup_close(&c->pidfd);
	free(c);
}

pid_t criu_pid(const struct criu *c)
{
	return c->pid;
}
