/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signals.c - signals by name and number */
#include "runtime/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <strings.h>

#include "runtime/base/str.h"

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "HUP", SIGHUP },	 { "INT", SIGINT },	{ "QUIT", SIGQUIT }, { "ILL", SIGILL },
	{ "TRAP", SIGTRAP },	 { "ABRT", SIGABRT },	{ "IOT", SIGIOT },   { "BUS", SIGBUS },
	{ "FPE", SIGFPE },	 { "KILL", SIGKILL },	{ "USR1", SIGUSR1 }, { "SEGV", SIGSEGV },
	{ "USR2", SIGUSR2 },	 { "PIPE", SIGPIPE },	{ "ALRM", SIGALRM }, { "TERM", SIGTERM },
	{ "STKFLT", SIGSTKFLT }, { "CHLD", SIGCHLD },	{ "CLD", SIGCHLD },  { "CONT", SIGCONT },
	{ "STOP", SIGSTOP },	 { "TSTP", SIGTSTP },	{ "TTIN", SIGTTIN }, { "TTOU", SIGTTOU },
	{ "URG", SIGURG },	 { "XCPU", SIGXCPU },	{ "XFSZ", SIGXFSZ }, { "VTALRM", SIGVTALRM },
	{ "PROF", SIGPROF },	 { "WINCH", SIGWINCH }, { "IO", SIGIO },     { "POLL", SIGPOLL },
	{ "PWR", SIGPWR },	 { "SYS", SIGSYS },
};

/* "RTMIN", "RTMIN+N", "RTMAX", "RTMAX-N" within the range of real-time signals. */
static int parse_realtime(const char *name, int *ret)
{
	bool from_min = strncasecmp(name, "RTMIN", 5) == 0;
	int offset = 0;

	if (!from_min && strncasecmp(name, "RTMAX", 5) != 0)
		return -EINVAL;
	if (name[5] && (name[5] != (from_min ? '+' : '-') || str_to_int(name + 6, &offset) < 0 || offset < 0))
		return -EINVAL;
	if (offset > SIGRTMAX - SIGRTMIN)
		return -EINVAL;
	*ret = from_min ? SIGRTMIN + offset : SIGRTMAX - offset;
	return 0;
}

int signal_parse(const char *text, int *ret)
{
	int number;

	if (str_to_int(text, &number) == 0) {
		if (number < 0 || number > SIGRTMAX)
			return -EINVAL;
		*ret = number;
		return 0;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (size_t i = 0; i < COUNT_OF(signals); i++)
		if (strcasecmp(signals[i].name, text) == 0) {
			*ret = signals[i].number;
			return 0;
		}
	return parse_realtime(text, ret);
}
