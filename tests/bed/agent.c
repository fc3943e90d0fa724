/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent.c - runs commands in the virtual machine for vm.py; one agent per virtio-serial port, one command at
 * a time Started by vm-init.sh as root: agent /dev/vport0p1.  Linked statically.
 *
 * Frames, both ways: a letter, a little-endian u32 length, that many bytes (at most FRAME_MAX).
 *   from vm.py  'C' the command: strings that end in NUL: cwd, each KEY=VALUE, an empty one, each argument
 *               'I' standard input, at most PIECE; of no length at its end.  The next may come after 'A'.
 *               'S' a signal's number (u32), for the command's process group
 *   to vm.py    'A' the input has been passed on     'O', 'E' output, error output
 *               'X' the wait status (u32): the command is over, the port is free
 * A daemon that keeps the pipes does not keep the port: what comes later than LATE_MS is lost to it
 * (SIGPIPE). The host's end of the port is never closed while the machine runs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FRAME_MAX = 1 << 20, PIECE = 65536, LATE_MS = 60 };

static int port;
static char frame[FRAME_MAX + 1];

static void broken(const char *what)
{
	fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The port is non-blocking for no one: but the driver says EAGAIN while the host has not connected yet. */
static void await_port(short events)
{
	struct pollfd p = { port, events, 0 };

	poll(&p, 1, 100);
}

static void port_read(void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t r = read(port, p, len);

		if (r > 0) {
			p += r;
			len -= r;
		} else if (r < 0 && errno != EAGAIN && errno != EINTR) {
			broken("read from the port");
		} else {
			await_port(POLLIN);
			if (r == 0) /* no host at the other end: POLLHUP makes poll return at once */
				usleep(20000);
		}
	}
}

static void port_write(const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t r = write(port, p, len);

		if (r > 0) {
			p += r;
			len -= r;
		} else if (r < 0 && errno != EAGAIN && errno != EINTR) {
			broken("write to the port");
		} else {
			await_port(POLLOUT);
		}
	}
}

static void send_frame(char type, const void *data, uint32_t len)
{
	static char out[5 + PIECE];

	out[0] = type;
	memcpy(out + 1, &len, 4);
	memcpy(out + 5, data, len);
	port_write(out, 5 + len);
}

/* Returns the type; the data is in `frame`, with a NUL behind. */
static char receive_frame(uint32_t *ret_len)
{
	char type;

	port_read(&type, 1);
	port_read(ret_len, 4);
	if (*ret_len > FRAME_MAX) {
		errno = EMSGSIZE;
		broken("a frame");
	}
	port_read(frame, *ret_len);
	frame[*ret_len] = '\0';
	return type;
}

/* Split the command's strings; returns argv, and environment and directory. */
static char **parse_command(uint32_t len, char ***ret_env, char **ret_cwd)
{
	static char *words[65536];
	size_t n = 0;
	char **argv = NULL;

	*ret_cwd = frame;
	*ret_env = words;
	for (char *p = frame + strlen(frame) + 1; p < frame + len && n + 1 < sizeof(words) / sizeof(*words);
	     p += strlen(p) + 1) {
		if (!*p && !argv) {
			words[n++] = NULL;
			argv = words + n;
			continue;
		}
		words[n++] = p;
	}
	words[n] = NULL;
	return argv;
}

struct command {
	pid_t pid;
	int in, out, err;	/* our ends; -1 once closed */
	size_t pending, passed; /* of the input in `frame` */
};

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void start_command(struct command *c, uint32_t len)
{
	int in[2], out[2], err[2];
	char **env, *cwd, **argv = parse_command(len, &env, &cwd);

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		broken("pipe");
	c->pid = fork();
	if (c->pid < 0)
		broken("fork");
	if (!c->pid) {
		setsid();
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		signal(SIGPIPE, SIG_DFL);
		if (chdir(cwd) < 0 || !argv || !argv[0]) {
			fprintf(stderr, "agent: chdir %s: %s\n", cwd, strerror(errno));
			_exit(125);
		}
		environ = env;
		execvp(argv[0], argv);
		fprintf(stderr, "agent: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	c->in = in[1];
	c->out = out[0];
	c->err = err[0];
	c->pending = c->passed = 0;
}

/* Some of the input that came; says 'A' when all of it is passed on, or when nobody reads it. */
static void pass_input(struct command *c)
{
	ssize_t r = write(c->in, frame + c->passed, c->pending - c->passed);

	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r < 0)
		close_end(&c->in);
	c->passed = r < 0 ? c->pending : c->passed + r;
	if (c->passed == c->pending) {
		c->pending = c->passed = 0;
		send_frame('A', "", 0);
	}
}

static void take_frame(struct command *c)
{
	uint32_t len, sig;
	char saved[PIECE];
	size_t left = c->pending - c->passed;

	/* a signal may come while input waits in `frame` */
	if (left)
		memcpy(saved, frame + c->passed, left);
	switch (receive_frame(&len)) {
	case 'S':
		memcpy(&sig, frame, sizeof(sig));
		kill(-c->pid, (int)sig);
		break;
	case 'I':
		if (len > PIECE || left) {
			errno = EMSGSIZE;
			broken("input");
		}
		if (!len) {
			close_end(&c->in);
		} else if (c->in < 0) {
			send_frame('A', "", 0);
		} else {
			c->pending = len;
			c->passed = 0;
			pass_input(c);
		}
		return;
	default:
		break;
	}
	memcpy(frame, saved, left);
	c->pending = left;
	c->passed = 0;
}

static void pass_output(int *fd, char type)
{
	static char buf[PIECE];
	ssize_t r = read(*fd, buf, sizeof(buf));

	if (r > 0)
		send_frame(type, buf, r);
	else if (r == 0 || errno != EINTR)
		close_end(fd);
}

/* To the command's end; returns its wait status. */
static int attend(struct command *c)
{
	int status = 0, over = 0;

	while (!over || c->out >= 0 || c->err >= 0) {
		struct pollfd p[] = {
			{ port, POLLIN, 0 },
			{ c->out, POLLIN, 0 },
			{ c->err, POLLIN, 0 },
			{ c->pending ? c->in : -1, POLLOUT, 0 },
		};
		/* the end is seen by polling: a SIGCHLD would race with poll, and 10 ms are short here */
		int n = poll(p, 4, over ? LATE_MS : c->out < 0 && c->err < 0 ? 2 : 10);

		if (!over)
			over = waitpid(c->pid, &status, WNOHANG) == c->pid;
		else if (n == 0)
			break;
		if (p[1].revents)
			pass_output(&c->out, 'O');
		if (p[2].revents)
			pass_output(&c->err, 'E');
		if (p[3].revents)
			pass_input(c);
		if (p[0].revents & POLLIN)
			take_frame(c);
	}
	close_end(&c->in);
	close_end(&c->out);
	close_end(&c->err);
	return status;
}

int main(int argc, char **argv)
{
	struct command c;
	uint32_t len, status;

	if (argc != 2)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	port = open(argv[1], O_RDWR | O_CLOEXEC);
	if (port < 0)
		broken(argv[1]);
	for (;;) {
		if (receive_frame(&len) != 'C')
			continue; /* input or a signal that crossed with the end of the command before */
		start_command(&c, len);
		status = attend(&c);
		send_frame('X', &status, 4);
	}
}
