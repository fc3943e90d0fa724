/* SPDX-License-Identifier: GPL-2.0-or-later */
/* interrupt.c - Ctrl-C and its kin while something is half made */
#include "runtime/base/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int signals = -1;

int interrupt_prepare(struct error *e)
{
	sigset_t all;

	if (signals >= 0)
		return 0;
	/* What our caller ignores (conmon SIGPIPE, nohup SIGHUP) the container would ignore with us, and with
	 * SIGCHLD ignored nobody could be waited for. Nobody ignores real-time signals. */
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return fail(e, errno, "block signals");
	signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals < 0 ? fail(e, errno, "signalfd") : 0;
}

int interrupt_fd(void)
{
	return signals;
}

bool interrupt_read(struct signalfd_siginfo *ret)
{
	return signals >= 0 && read(signals, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret);
}

static bool asks_to_end(int sig)
{
	return sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT;
}

int interrupt_pending(struct error *e)
{
	struct signalfd_siginfo info;

	while (interrupt_read(&info))
		if (asks_to_end((int)info.ssi_signo))
			return refuse(e, EINTR, "interrupted by signal %u (%s)", info.ssi_signo,
				      strsignal((int)info.ssi_signo));
	return 0;
}

int interrupt_wait(int fd, int ended, int timeout_ms, struct error *e)
{
	for (;;) {
		struct pollfd p[3] = { { .fd = fd, .events = POLLIN },
				       { .fd = signals, .events = POLLIN },
				       { .fd = ended, .events = POLLIN } };
		int n = poll(p, 3, timeout_ms);
		if (n < 0 && errno != EINTR)
			return fail(e, errno, "poll");
		if (n == 0)
			return refuse(e, ETIMEDOUT, "timed out after %d ms", timeout_ms);
		if (n > 0 && p[0].revents)
			return 1;
		if (n > 0 && p[1].revents) {
			int r = interrupt_pending(e);
			if (r < 0)
				return r;
		}
		if (n > 0 && p[2].revents)
			return 0;
	}
}

void interrupt_forget(void)
{
	sigset_t none;

	if (signals >= 0)
		close(signals);
	signals = -1;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
