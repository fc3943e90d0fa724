/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp_listen.c - hand the descriptor of a filter that notifies to the agent who answers
 *
 * From the moment the filter is loaded any system call of ours may wait for an answer that nobody can give
 * yet. So a helper is made first, which is not filtered and shares our table of descriptors: it learns the
 * number through a pipe (of us it takes one write and one read, and a profile that notifies of write is
 * refused), and sends. Spec: config-linux.md, "Seccomp", "The Container Process State". */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "namespaces/seccomp.h"
#include "runtime/base/fd.h"
#include "specs/seccomp.h"

int seccomp_listener_connect(const struct spec_seccomp *s, struct seccomp_listener *l, struct error *e)
{
	l->sock = -1;
	if (!s || !seccomp_notifies(s))
		return 0;
	l->metadata = s->listener_metadata;
	l->sock = fd_unix_connect(AT_FDCWD, s->listener_path, SOCK_STREAM, e);
	return l->sock < 0 ? prefix(e, "linux.seccomp.listenerPath") : 0;
}

static int send_state(const struct seccomp_listener *l, int fd, struct error *e)
{
	auto_free char *text = state_to_process_json(l->state, l->status, l->pid, l->metadata);

	if (!text)
		return fail(e, ENOMEM, "state of the process");
	return fd_send(l->sock, text, strlen(text), fd, e);
}

struct talk {
	int ask[2], answer[2]; /* pipes: a descriptor's number, and an error */
};

static void talk_done(struct talk *t)
{
	for (int i = 0; i < 2; i++) {
		cleanup_close(&t->ask[i]);
		cleanup_close(&t->answer[i]);
	}
}

/* The helper: no descriptor is closed here, they are the caller's too. */
static void be_helper(const struct seccomp_listener *l, const struct talk *t)
{
	struct error error = { 0 };
	int fd;

	if (read(t->ask[0], &fd, sizeof(fd)) != (ssize_t)sizeof(fd))
		_exit(1);
	if (fd >= 0 && send_state(l, fd, &error) == 0)
		shutdown(l->sock, SHUT_WR); /* the agent may wait for the end before it answers anything */
	_exit(write(t->answer[1], &error, sizeof(error)) < 0);
}

static int make_helper(const struct seccomp_listener *l, struct talk *t, struct error *e)
{
	const struct sigaction unseen = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	if (pipe2(t->ask, O_CLOEXEC) < 0 || pipe2(t->answer, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe");
	if (sigaction(SIGCHLD, &unseen, NULL) < 0)
		return fail(e, errno, "sigaction");
	long pid = syscall(SYS_clone, (unsigned long)CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0)
		return fail(e, errno, "clone");
	if (pid == 0)
		be_helper(l, t);
	return 0;
}

/* -1 ends the helper without a word to the agent. */
static int tell_helper(const struct talk *t, int fd, struct error *e)
{
	struct error answer = { 0 };

	if (write(t->ask[1], &fd, sizeof(fd)) != (ssize_t)sizeof(fd))
		return fail(e, errno, "write to the helper");
	if (read(t->answer[0], &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
		return fail(e, errno, "read from the helper");
	if (!answer.code)
		return 0;
	*e = answer;
	return -e->code;
}

int seccomp_apply_listened(const struct seccomp_filter *f, struct seccomp_listener *l, struct error *e)
{
	struct talk t = { { -1, -1 }, { -1, -1 } };
	struct error ignored;

	int r = make_helper(l, &t, e);
	if (r == 0) {
		int fd = seccomp_apply(f, e);
		r = fd < 0 ? fd : tell_helper(&t, fd, e);
		if (fd < 0)
			tell_helper(&t, -1, &ignored);
		else
			close(fd);
	}
	talk_done(&t);
	replace_fd(&l->sock, -1);
	l->used = true;
	return r < 0 ? prefix(e, "seccomp listener") : 0;
}
