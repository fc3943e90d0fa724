/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reaper.c - stay with a process in the foreground until it ends
 *
 * In RUNTIME of `run` and `exec`, after the program has been executed. Spec: none; as runc and crun do. */
#include "runtime/reaper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/proc.h"
#include "runtime/console.h"

#define LAST_WORDS 1024 /* datagrams; the kernel holds fewer (net.unix.max_dgram_qlen) */

struct watch {
	const struct reaper *reaper;
	struct console console;
	int status; /* wait status of reaper->pid */
	bool ended;
};

static void reap(struct watch *w)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == w->reaper->pid) {
			w->status = status;
			w->ended = true;
		}
}

static void take_signal(struct watch *w, int sig)
{
	switch (sig) {
	case SIGCHLD:
		reap(w);
		break;
	case SIGWINCH:
		console_resize(&w->console);
		break;
	case SIGURG: /* sent by some callers' own runtimes among themselves */
	case SIGPIPE:
		break;
	default:
		if (!w->ended) /* reaped: its number may be another's */
			kill(w->reaper->pid, sig);
	}
}

static void take_signals(struct watch *w)
{
	struct signalfd_siginfo info;

	while (interrupt_read(&info))
		take_signal(w, (int)info.ssi_signo);
}

static int watch_once(struct watch *w, struct error *e)
{
	enum { SIGNALS, NOTIFY, CONSOLE };
	struct pollfd p[CONSOLE + CONSOLE_POLLS] = {
		[SIGNALS] = { .fd = interrupt_fd(), .events = POLLIN },
		[NOTIFY] = { .fd = w->reaper->notify ? w->reaper->notify->sock : -1, .events = POLLIN },
	};

	console_before_poll(&w->console, p + CONSOLE);
	if (poll(p, CONSOLE + CONSOLE_POLLS, -1) < 0)
		return errno == EINTR ? 0 : fail(e, errno, "poll");
	if (p[SIGNALS].revents)
		take_signals(w);
	if (p[NOTIFY].revents) {
		struct error ignored; /* the service manager's trouble is not the container's */
		notify_forward(w->reaper->notify, w->reaper->pid, &ignored);
	}
	console_after_poll(&w->console, p + CONSOLE);
	return 0;
}

/* What was sent before the end waits in our socket. Not without an end of its own: where the container has no
 * pid namespace others may live on and send more. */
static void pass_on_last_words(struct watch *w)
{
	struct error ignored;
	struct pollfd p = { .fd = w->reaper->notify->sock, .events = POLLIN };

	for (int i = 0; i < LAST_WORDS && poll(&p, 1, 0) == 1 && p.revents & POLLIN; i++)
		notify_forward(w->reaper->notify, w->reaper->pid, &ignored);
}

int reaper_run(const struct reaper *r, int *ret_exit, struct error *e)
{
	struct watch w = { .reaper = r };

	int result = console_open(&w.console, r->tty, e);
	if (result < 0)
		return result;
	reap(&w); /* it may have ended before we looked */
	while (result == 0 && !w.ended)
		result = watch_once(&w, e);
	console_close(&w.console);
	if (r->notify && r->notify->sock >= 0)
		pass_on_last_words(&w);
	if (result == 0)
		*ret_exit = proc_exit_code(w.status);
	return result;
}
