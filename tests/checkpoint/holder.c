/* SPDX-License-Identifier: GPL-2.0-or-later */
/* holder.c - holds what its words say, and says "held" when it does: for tests of checkpoint --check
 *
 *	uring vsock userfaultfd deleted big listen connected waiting lock nested traced */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int hold_uring(void)
{
	struct io_uring_params p = { 0 };
	return (int)syscall(SYS_io_uring_setup, 4, &p);
}

static int hold_vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int hold_userfaultfd(void)
{
	return (int)syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */);
}

static int hold_deleted(off_t size)
{
	int fd = open("/tmp/deleted", O_RDWR | O_CREAT, 0600);
	static char data[2 << 20];
	memset(data, 1, sizeof(data));
	return unlink("/tmp/deleted") < 0 || write(fd, data, (size_t)size) != size ? -1 : fd;
}

static int hold_listen(struct sockaddr_in *at)
{
	socklen_t n = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(fd, (struct sockaddr *)at, n) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)at, &n) < 0)
		return -1;
	return fd;
}

static int hold_connected(void)
{
	struct sockaddr_in at;
	int server = hold_listen(&at), client = socket(AF_INET, SOCK_STREAM, 0);
	if (server < 0 || connect(client, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -1;
	return accept(server, NULL, NULL);
}

static int hold_waiting(void)
{
	struct sockaddr_in at;
	int server = hold_listen(&at), client = socket(AF_INET, SOCK_STREAM, 0);
	return server < 0 || connect(client, (struct sockaddr *)&at, sizeof(at)) < 0 ? -1 : client;
}

static int hold_lock(void)
{
	int fd = open("/tmp/locked", O_RDWR | O_CREAT, 0600);
	return flock(fd, LOCK_EX) < 0 ? -1 : fd;
}

static int hold_child(int nested, int traced)
{
	int ready[2];
	char byte;
	if (pipe(ready) < 0 || (nested && unshare(CLONE_NEWPID) < 0))
		return -1;
	if (fork() == 0) {
		if (traced && ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
			_exit(1);
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	return read(ready[0], &byte, 1) == 1 ? ready[0] : -1;
}

static int hold(const char *word)
{
	struct sockaddr_in at;
	return !strcmp(word, "uring")	      ? hold_uring()
	       : !strcmp(word, "vsock")	      ? hold_vsock()
	       : !strcmp(word, "userfaultfd") ? hold_userfaultfd()
	       : !strcmp(word, "deleted")     ? hold_deleted(100)
	       : !strcmp(word, "big")	      ? hold_deleted(2 << 20)
	       : !strcmp(word, "listen")      ? hold_listen(&at)
	       : !strcmp(word, "connected")   ? hold_connected()
	       : !strcmp(word, "waiting")     ? hold_waiting()
	       : !strcmp(word, "lock")	      ? hold_lock()
	       : !strcmp(word, "nested")      ? hold_child(1, 0)
	       : !strcmp(word, "traced")      ? hold_child(0, 1)
					      : -1;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (hold(argv[i]) < 0) {
			perror(argv[i]);
			return 1;
		}
	int fd = open("/tmp/held", O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || write(fd, "held", 4) != 4)
		return 1;
	close(fd);
	for (;;)
		pause();
}
