/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.c - what tests/bench/net runs in its node: both ends of a connection, and a clock around plugins
 *
 *   wire serve PORT               answers each connection: 'p' echoes bytes, 's' swallows them
 *   wire ping ADDRESS PORT COUNT  -> median and mean nanoseconds of a round trip of one byte
 *   wire stream ADDRESS PORT MS   -> bytes per second that got there
 *   wire clock                    requests on stdin, one a line, words separated by a tab:
 *       netns PATH                            a new network namespace, bound to PATH   -> "0"
 *       run STDIN STDOUT KEY=VALUE... -- WORD...  runs WORD..., files as its stdin and stdout -> "STATUS WALL_NS CPU_US"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 17];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void no_delay(int fd)
{
	const int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void answer(int fd)
{
	ssize_t n;
	char mode;
	long long total = 0;

	no_delay(fd);
	if (read(fd, &mode, 1) != 1)
		return;
	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		total += n;
		if (mode == 'p' && write(fd, buffer, (size_t)n) != n)
			return;
	}
	if (mode == 's' && write(fd, &total, sizeof(total)) < 0)
		return;
}

static int serve(int port)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	const int one = 1;
	int listener = socket(AF_INET6, SOCK_STREAM, 0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 16) < 0)
		die("listen");
	signal(SIGCHLD, SIG_IGN);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			die("accept");
		if (fork() == 0) {
			answer(fd);
			_exit(0);
		}
		close(fd);
	}
}

static int connect_to(const char *address, int port, char mode)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, address, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || write(fd, &mode, 1) != 1)
		die("connect");
	no_delay(fd);
	return fd;
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return x < y ? -1 : x > y;
}

static int ping(const char *address, int port, int count)
{
	long long *times = calloc((size_t)count, sizeof(*times)), total = 0;
	int fd = connect_to(address, port, 'p');
	char byte = 0;

	for (int i = -100; i < count; i++) {
		long long start = now_ns();
		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			die("ping");
		if (i >= 0)
			total += times[i] = now_ns() - start;
	}
	qsort(times, (size_t)count, sizeof(*times), compare);
	printf("%lld %lld\n", times[count / 2], total / count);
	return 0;
}

static int stream(const char *address, int port, int ms)
{
	int fd = connect_to(address, port, 's');
	long long start = now_ns(), arrived;

	while (now_ns() - start < ms * 1000000LL)
		if (write(fd, buffer, sizeof(buffer)) < 0)
			die("stream");
	shutdown(fd, SHUT_WR);
	if (read(fd, &arrived, sizeof(arrived)) != sizeof(arrived))
		die("stream");
	printf("%lld\n", (long long)((double)arrived * 1e9 / (double)(now_ns() - start)));
	return 0;
}

/* ---- the clock ---- */

static void make_netns(const char *path)
{
	int status, fd = open(path, O_CREAT | O_CLOEXEC | O_RDONLY, 0600);
	pid_t pid = fork();

	if (fd < 0)
		die(path);
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) < 0 || mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0);
	waitpid(pid, &status, 0);
	close(fd);
	printf("%d\n", status);
}

static long long usec(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

static void run(char **words)
{
	char **environment = words + 2, **program = environment;
	struct rusage used = { 0 };
	int status = -1;

	while (*program && strcmp(*program, "--") != 0)
		program++;
	if (!*program)
		return;
	*program++ = NULL;
	long long start = now_ns();
	pid_t pid = vfork();
	if (pid == 0) {
		if (dup2(open(words[0], O_RDONLY | O_CLOEXEC), 0) < 0 ||
		    dup2(open(words[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), 1) < 0)
			_exit(126);
		execve(program[0], program, environment);
		_exit(127);
	}
	wait4(pid, &status, 0, &used);
	printf("%d %lld %lld\n", status, now_ns() - start, usec(used.ru_utime) + usec(used.ru_stime));
}

static int clock_loop(void)
{
	static char line[1 << 16];
	char *words[128];

	while (fgets(line, sizeof(line), stdin)) {
		int n = 0;
		for (char *w = strtok(line, "\t\n"); w && n < 127; w = strtok(NULL, "\t\n"))
			words[n++] = w;
		words[n] = NULL;
		if (n == 2 && strcmp(words[0], "netns") == 0)
			make_netns(words[1]);
		else if (n > 4 && strcmp(words[0], "run") == 0)
			run(words + 1);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(atoi(argv[2]));
	if (argc == 5 && strcmp(argv[1], "ping") == 0)
		return ping(argv[2], atoi(argv[3]), atoi(argv[4]));
	if (argc == 5 && strcmp(argv[1], "stream") == 0)
		return stream(argv[2], atoi(argv[3]), atoi(argv[4]));
	if (argc == 2 && strcmp(argv[1], "clock") == 0)
		return clock_loop();
	fputs("usage: see the top of wire.c\n", stderr);
	return 2;
}
