/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timer.c - runs, in the benchmark's node, what the driver (tests/bench/run) says, and measures it
 * Small and static, for a child's peak memory is never below that of the process it was forked from, and the
 * fork is part of every figure. As a subreaper it inherits and reaps every orphan: a detached container
 * counts too. Everything it starts goes straight into the cgroup work/runtime, and the containers get groups
 * below work: the processor time of work's cpu.stat is that of every process of the run, whoever its parent
 * is.
 *
 * Requests on stdin, one a line, words separated by a tab:
 *   run WORD...      runs WORD... to its end           -> "STATUS WALL_NS CPU_US RUSAGE_US MAXRSS_KB FAULTS"
 *   reap             waits until no child is left      -> the same, for those
 *   spawn WORD...    starts WORD... and does not wait  -> "PID"
 * RUSAGE_US (user and system time), MAXRSS_KB (the greatest) and FAULTS are those of the processes reaped
 * meanwhile. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS_MAX = 64 };

static int work_fd, stat_fd, null_fd;

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long group_usec(void)
{
	char text[512];
	ssize_t n = pread(stat_fd, text, sizeof(text) - 1, 0);
	const char *at;

	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "usage_usec ");
	return at == NULL ? 0 : atoll(at + strlen("usage_usec "));
}

static long long usec(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

static pid_t start(char **words)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = work_fd };
	pid_t pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid != 0)
		return pid;
	dup2(null_fd, 0);
	dup2(null_fd, 1);
	execvp(words[0], words);
	perror(words[0]);
	_exit(127);
}

/* Reaps until `pid` has ended (or, for -1, until no child is left) and answers */
static void finish(pid_t pid, long long begun, long long cpu)
{
	long long used = 0, ended = begun;
	long maxrss = 0, faults = 0;
	int status = 0, final = 0;
	struct rusage usage;
	pid_t got;

	while ((got = wait4(-1, &status, 0, &usage)) > 0) {
		ended = now_ns();
		used += usec(usage.ru_utime) + usec(usage.ru_stime);
		faults += usage.ru_minflt + usage.ru_majflt;
		maxrss = usage.ru_maxrss > maxrss ? usage.ru_maxrss : maxrss;
		final = status;
		if (got == pid)
			break;
	}
	cpu = group_usec() - cpu;
	printf("%d %lld %lld %lld %ld %ld\n", WIFEXITED(final) ? WEXITSTATUS(final) : 128 + WTERMSIG(final),
	       ended - begun, cpu, used, maxrss, faults);
}

#define GROUP "/sys/fs/cgroup/contest"

int main(void)
{
	static char line[65536];
	char *words[WORDS_MAX + 1], *save;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || mkdir(GROUP, 0755) < 0 ||
	    mkdir(GROUP "/runtime", 0755) < 0) {
		perror("timer: " GROUP);
		return 2;
	}
	work_fd = open(GROUP "/runtime", O_PATH | O_DIRECTORY | O_CLOEXEC);
	stat_fd = open(GROUP "/cpu.stat", O_RDONLY | O_CLOEXEC);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (work_fd < 0 || stat_fd < 0 || null_fd < 0) {
		perror("timer");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		int n = 0;
		long long cpu = group_usec(), begun = now_ns();

		line[strcspn(line, "\n")] = '\0';
		for (char *w = strtok_r(line, "\t", &save); w != NULL && n < WORDS_MAX;
		     w = strtok_r(NULL, "\t", &save))
			words[n++] = w;
		words[n] = NULL;
		if (n > 1 && strcmp(words[0], "run") == 0)
			finish(start(words + 1), begun, cpu);
		else if (n > 1 && strcmp(words[0], "spawn") == 0)
			printf("%d\n", (int)start(words + 1));
		else
			finish(-1, begun, cpu);
	}
	return 0;
}
