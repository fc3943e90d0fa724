/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.c - run a helper program to its end
 *
 * The child shares our memory until execve (clone with CLONE_VM and CLONE_VFORK: nothing is copied, and we
 * stand still meanwhile), so it runs on a stack of its own, makes system calls only, and leaves an error in
 * place. All signals are blocked around that. coracle installs no signal handlers, so nothing of ours can run
 * when the child unblocks them. Its stdin is a memory file: never a path, and no pipe to fill or to break. */
#include "runtime/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define TAIL_SIZE  300 /* of the output; an error has 480 bytes in all */
#define STACK_SIZE (64 * 1024)

struct child {
	const struct spawn *s;
	int in, out; /* what becomes 0 and 1, 2 */
	bool stays;  /* when we are gone */
	pid_t parent;
	int errnum; /* left by the child if it could not execute the program */
	const char *failed;
};

struct tail {
	char text[TAIL_SIZE];
	size_t used;
};

/* Keep the last bytes only. */
static void tail_add(struct tail *t, const char *data, size_t size)
{
	if (size >= sizeof(t->text)) {
		memcpy(t->text, data + size - sizeof(t->text), sizeof(t->text));
		t->used = sizeof(t->text);
		return;
	}
	if (t->used + size > sizeof(t->text)) {
		size_t drop = t->used + size - sizeof(t->text);
		memmove(t->text, t->text + drop, t->used - drop);
		t->used -= drop;
	}
	memcpy(t->text + t->used, data, size);
	t->used += size;
}

/* Read what is there without waiting. Returns false at the end. */
static bool tail_read(struct tail *t, int fd)
{
	char buf[4096];

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n > 0)
			tail_add(t, buf, (size_t)n);
		else if (n == 0 || (errno != EINTR && errno != EAGAIN))
			return false;
		else if (errno == EAGAIN)
			return true;
	}
}

/* ": what it said" as one printable line, or nothing. */
static const char *tail_text(const struct tail *t, char buf[static TAIL_SIZE + 3])
{
	size_t n = t->used;

	while (n && (t->text[n - 1] == '\n' || t->text[n - 1] == ' '))
		n--;
	if (!n)
		return "";
	memcpy(buf, ": ", 2);
	memcpy(buf + 2, t->text, n);
	buf[n + 2] = '\0';
	for (char *p = buf; *p; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	str_make_printable(buf);
	return buf;
}

/* ---- in the child: system calls only, the memory is the parent's ---- */

static int child_fail(struct child *c, const char *what)
{
	c->errnum = errno;
	c->failed = what;
	return 127;
}

/* Nothing of ours stays open: descriptors from 3 on are closed here, whatever flags they have. */
static void child_close_others(void)
{
	if (sys_close_range(3, ~0U, 0) == 0)
		return;
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
}

__attribute__((no_sanitize("address", "undefined"))) static int child_main(void *arg)
{
	struct child *c = arg;
	char *const no_env[] = { NULL };
	char *const path_only[] = { (char *)c->s->path, NULL };
	sigset_t none;

	/* If we are gone already, the signal will not come; 0: our parent is outside our pid namespace. */
	if (!c->stays && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return child_fail(c, "prctl PR_SET_PDEATHSIG");
	pid_t parent = getppid();
	if (!c->stays && parent != c->parent && parent != 0)
		return 127;
	setpgid(0, 0);
	if (dup2(c->in, 0) < 0 || dup2(c->out, 1) < 0 || dup2(c->out, 2) < 0)
		return child_fail(c, "dup2");
	child_close_others();
	if (chdir(c->s->cwd ? c->s->cwd : "/") < 0)
		return child_fail(c, "change to its directory");
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(c->s->path, c->s->argv ? c->s->argv : path_only, c->s->envp ? c->s->envp : no_env);
	return child_fail(c, "execute");
}

/* ---- in the parent ---- */

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A descriptor above 2, so that the child's dup2 cannot run over it and always clears close-on-exec. */
static int above_stdio(int fd, struct error *e)
{
	if (fd > 2)
		return fd;
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int errnum = errno;
	close(fd);
	if (moved < 0)
		return fail(e, errnum, "dup");
	return moved;
}

static int make_input(const struct spawn *s, struct error *e)
{
	int fd = memfd_create("stdin", MFD_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "memfd_create");
	auto_close int in = above_stdio(fd, e);
	if (in < 0)
		return in;
	if (s->input && s->input_size) {
		int r = io_write_all(in, s->input, s->input_size, e);
		if (r < 0)
			return r;
		if (lseek(in, 0, SEEK_SET) < 0)
			return fail(e, errno, "lseek");
	}
	return take_fd(&in);
}

/* *ret_read is non-blocking. */
static int make_output(int *ret_read, int *ret_write, struct error *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe");
	auto_close int out = above_stdio(fds[1], e);
	auto_close int in = out < 0 ? fds[0] : above_stdio(fds[0], e);
	if (out < 0)
		return out;
	if (in < 0)
		return in;
	if (fcntl(in, F_SETFL, O_NONBLOCK) < 0)
		return fail(e, errno, "pipe");
	*ret_read = take_fd(&in);
	*ret_write = take_fd(&out);
	return 0;
}

/* Returns a pidfd; the child has executed its program or is about to leave. */
static int start(struct child *c, pid_t *ret_pid, struct error *e)
{
	static char stack[STACK_SIZE] __attribute__((aligned(16)));
	sigset_t all, old;
	int pidfd = -1;

	c->parent = getpid();
	signal(SIGCHLD, SIG_DFL); /* a caller that ignores it passes that on: nobody could be waited for */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid_t pid = clone(child_main, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
			  c, &pidfd);
	int errnum = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return fail(e, errnum, "clone");
	*ret_pid = pid;
	return pidfd;
}

/* Read the output until the helper has ended, or time is up (-ETIMEDOUT), or we are asked to end (-EINTR,
 * told in `e`). */
static int watch(int pidfd, int output, int timeout_ms, struct tail *tail, struct error *e)
{
	int64_t deadline = timeout_ms > 0 ? now_ms() + timeout_ms : 0;
	struct pollfd fds[3] = { { .fd = pidfd, .events = POLLIN },
				 { .fd = output, .events = POLLIN },
				 { .fd = interrupt_fd(), .events = POLLIN } };

	for (;;) {
		int64_t left = deadline ? deadline - now_ms() : -1;
		if (deadline && left <= 0)
			return -ETIMEDOUT;
		if (poll(fds, COUNT_OF(fds), (int)left) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents && !tail_read(tail, output))
			fds[1].fd = -1;
		if (fds[0].revents) {
			tail_read(tail, output); /* what came between the two looks */
			return 0;
		}
		if (fds[2].revents && interrupt_pending(e) < 0)
			return -EINTR;
		fds[0].revents = fds[1].revents = fds[2].revents = 0;
	}
}

static int reap(pid_t pid, struct error *e)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(e, errno, "wait");
	return status;
}

/* The whole process group: what the helper has started ends, too. */
static void kill_group(pid_t pid)
{
	if (kill(-pid, SIGKILL) < 0)
		kill(pid, SIGKILL);
}

static int judge(const struct spawn *s, const struct child *c, int watched, int status,
		 const struct tail *tail, int *ret_status, struct error *e)
{
	char said[TAIL_SIZE + 3];

	if (c->errnum)
		return fail(e, c->errnum, "%s: %s", s->path, c->failed);
	if (watched == -ETIMEDOUT)
		return refuse(e, ETIMEDOUT, "%s: killed after %d ms%s", s->path, s->timeout_ms,
			      tail_text(tail, said));
	if (watched == -EINTR)
		return prefix(e, "%s", s->path);
	if (watched < 0)
		return fail(e, -watched, "%s: poll", s->path);
	if (ret_status)
		*ret_status = status;
	if (WIFSIGNALED(status))
		return refuse(e, ECHILD, "%s: killed by signal %d%s", s->path, WTERMSIG(status),
			      tail_text(tail, said));
	if (WEXITSTATUS(status) != 0)
		return refuse(e, ECHILD, "%s: exit status %d%s", s->path, WEXITSTATUS(status),
			      tail_text(tail, said));
	return 0;
}

int spawn_run(const struct spawn *s, int *ret_status, struct error *e)
{
	struct child child = { .s = s };
	struct tail tail = { .used = 0 };
	auto_close int output = -1;
	pid_t pid = 0;

	if (ret_status)
		*ret_status = 0;
	if (s->path[0] != '/')
		return refuse(e, EINVAL, "%s: not an absolute path", s->path);
	auto_close int in = make_input(s, e);
	if (in < 0)
		return prefix(e, "%s", s->path);
	auto_close int out = -1;
	int r = make_output(&output, &out, e);
	if (r < 0)
		return prefix(e, "%s", s->path);
	child.in = in;
	child.out = out;
	auto_close int pidfd = start(&child, &pid, e);
	if (pidfd < 0)
		return prefix(e, "%s", s->path);
	replace_fd(&out, -1);
	r = watch(pidfd, output, s->timeout_ms, &tail, e);
	if (r < 0)
		kill_group(pid);
	int status = reap(pid, e);
	if (status < 0)
		return prefix(e, "%s", s->path);
	return judge(s, &child, r, status, &tail, ret_status, e);
}

int spawn_talk(const struct spawn *s, int sock, pid_t *ret_pid, struct error *e)
{
	struct child child = { .s = s, .stays = true };

	if (s->path[0] != '/')
		return refuse(e, EINVAL, "%s: not an absolute path", s->path);
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (null < 0)
		return fail(e, errno, "open /dev/null");
	auto_close int in = fcntl(sock, F_DUPFD_CLOEXEC, 3);
	auto_close int out = fcntl(null, F_DUPFD_CLOEXEC, 3);
	if (in < 0 || out < 0)
		return fail(e, errno, "dup");
	child.in = in;
	child.out = out;
	auto_close int pidfd = start(&child, ret_pid, e);
	if (pidfd < 0)
		return prefix(e, "%s", s->path);
	if (child.errnum) {
		reap(*ret_pid, e);
		*ret_pid = 0;
		return fail(e, child.errnum, "%s: %s", s->path, child.failed);
	}
	return 0;
}
