/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console.h - relay between our own stdin and stdout and a container's terminal
 *
 * Our terminal, if stdin is one, is in raw mode meanwhile and has the container's size follow its own. */
#ifndef CORACLE_CONSOLE_H
#define CORACLE_CONSOLE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#include "runtime/base/error.h"

/* How many struct pollfd the relay uses. */
#define CONSOLE_POLLS 4

struct console_pipe {
	char data[4096]; /* at most PIPE_BUF: a pipe that polls writable takes it whole */
	size_t start, end;
	bool closed; /* the source has ended */
};

struct console {
	int master; /* -1: there is no relay */
	bool raw;
	struct termios saved;
	struct console_pipe in, out;
};

/* The size of our own terminal, for one that is being made; left alone if stdin is none. Programs look at it
 * as soon as they start, which is before the relay does. */
void console_own_size(uint16_t *height, uint16_t *width);
/* master -1: a relay that does nothing. */
int console_open(struct console *c, int master, struct error *e);
void console_resize(const struct console *c);
void console_before_poll(const struct console *c, struct pollfd p[static CONSOLE_POLLS]);
void console_after_poll(struct console *c, const struct pollfd p[static CONSOLE_POLLS]);
/* Write out what the container's processes left in their terminal, and give ours back. */
void console_close(struct console *c);

#endif
