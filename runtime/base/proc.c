/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc.c - processes: handles, start times, what /proc says of them */
#include "runtime/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/sys.h"

int proc_start_time(pid_t pid, uint64_t *ret_start, char *ret_state, struct error *e)
{
	char path[64], text[1024];
	unsigned long long start;
	char state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	ssize_t n = io_read_small(AT_FDCWD, path, text, sizeof(text), e);
	if (n == -ENOENT || n == -ESRCH)
		return refuse(e, ESRCH, "process %d does not exist", (int)pid);
	if (n < 0)
		return (int)n;
	/* The name may hold blanks and parentheses: fields are counted from the last ')'. */
	const char *p = strrchr(text, ')');
	if (!p ||
	    sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &state, &start) != 2)
		return refuse(e, EPROTO, "%s: not understood", path);
	*ret_start = start;
	if (ret_state)
		*ret_state = state;
	return 0;
}

bool proc_is_alive(pid_t pid, uint64_t start)
{
	struct error ignored;
	uint64_t now;
	char state;

	if (pid <= 0 || proc_start_time(pid, &now, &state, &ignored) < 0)
		return false;
	return now == start && state != 'Z' && state != 'X';
}

int proc_open(pid_t pid, uint64_t start, struct error *e)
{
	if (pid <= 0)
		return refuse(e, ESRCH, "no process");
	auto_close int fd = sys_pidfd_open(pid, 0);
	if (fd < 0 && errno != ESRCH && errno != EINVAL)
		return fail(e, errno, "pidfd_open %d", (int)pid);
	/* Compared after the handle is held: now the pid cannot change hands. */
	if (fd < 0 || !proc_is_alive(pid, start))
		return refuse(e, ESRCH, "process %d does not exist", (int)pid);
	return take_fd(&fd);
}

int proc_wait(pid_t pid, int *ret_status, struct error *e)
{
	pid_t r;
	do
		r = waitpid(pid, ret_status, __WALL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return fail(e, errno, "wait for process %d", (int)pid);
	return 0;
}

void proc_end(pid_t *pid)
{
	struct error ignored;
	int status;

	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	proc_wait(*pid, &status, &ignored);
	*pid = 0;
}

int proc_exit_code(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}
