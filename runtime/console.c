/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console.c - relay between our own stdin and stdout and a container's terminal
 *
 * Two small buffers, one per direction. Our stdin and stdout may be shared with others, so they are never
 * made non-blocking: they are read and written only when poll(2) says so, at most 4 KiB at a time. */
#include "runtime/console.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { FROM_STDIN, TO_STDOUT, FROM_MASTER, TO_MASTER };

static bool is_empty(const struct console_pipe *p)
{
	return p->start == p->end;
}

void console_own_size(uint16_t *height, uint16_t *width)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	*height = size.ws_row;
	*width = size.ws_col;
}

int console_open(struct console *c, int master, struct error *e)
{
	struct termios raw;

	c->master = master;
	c->raw = false;
	c->in = c->out = (struct console_pipe){ .start = 0 };
	if (master < 0)
		return 0;
	if (fcntl(master, F_SETFL, O_NONBLOCK) < 0)
		return fail(e, errno, "terminal: non-blocking");
	console_resize(c);
	if (tcgetattr(STDIN_FILENO, &c->saved) < 0)
		return 0; /* no terminal of ours: bytes are bytes */
	raw = c->saved;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return fail(e, errno, "terminal: raw mode");
	c->raw = true;
	return 0;
}

void console_resize(const struct console *c)
{
	struct winsize size;

	if (c->master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(c->master, TIOCSWINSZ, &size);
}

void console_before_poll(const struct console *c, struct pollfd p[static CONSOLE_POLLS])
{
	for (int i = 0; i < CONSOLE_POLLS; i++)
		p[i] = (struct pollfd){ .fd = -1 };
	if (c->master < 0)
		return;
	if (is_empty(&c->in) && !c->in.closed)
		p[FROM_STDIN] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	if (!is_empty(&c->in))
		p[TO_MASTER] = (struct pollfd){ .fd = c->master, .events = POLLOUT };
	if (is_empty(&c->out) && !c->out.closed)
		p[FROM_MASTER] = (struct pollfd){ .fd = c->master, .events = POLLIN };
	if (!is_empty(&c->out))
		p[TO_STDOUT] = (struct pollfd){ .fd = STDOUT_FILENO, .events = POLLOUT };
}

static void fill(struct console_pipe *p, int fd)
{
	ssize_t n = read(fd, p->data, sizeof(p->data));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	p->start = 0;
	p->end = n > 0 ? (size_t)n : 0;
	p->closed = n <= 0;
}

static void drain(struct console_pipe *p, int fd)
{
	ssize_t n = write(fd, p->data + p->start, p->end - p->start);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0)
		p->start = p->end; /* nobody reads: the container must not hang for it */
	else
		p->start += (size_t)n;
}

void console_after_poll(struct console *c, const struct pollfd p[static CONSOLE_POLLS])
{
	if (p[FROM_STDIN].revents)
		fill(&c->in, STDIN_FILENO);
	if (p[TO_MASTER].revents)
		drain(&c->in, c->master);
	if (p[FROM_MASTER].revents)
		fill(&c->out, c->master);
	if (p[TO_STDOUT].revents)
		drain(&c->out, STDOUT_FILENO);
}

void console_close(struct console *c)
{
	if (c->master < 0)
		return;
	for (;;) {
		while (!is_empty(&c->out))
			drain(&c->out, STDOUT_FILENO);
		fill(&c->out, c->master);
		if (is_empty(&c->out))
			break; /* the end, or EAGAIN: all that was left has been written */
	}
	if (c->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &c->saved);
}
