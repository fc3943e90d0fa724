/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network_serve.c - coracle-node as the helper that wires containers: its side of network_helper.h
 *
 * Who started us holds the container's lock until we have answered. When it is gone before it said "keep",
 * all is undone: nobody else knows of it yet. */
#include "runtime/network_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/network.h"
#include "runtime/network_helper.h"

#define REQUEST_LIMIT (64 * 1024)

bool network_serve_is_meant(char *const argv[])
{
	return argv[0] && str_eq(argv[0], NETWORK_HELPER) && argv[1] && argv[2] && argv[3] && !argv[4];
}

static void answer(const struct error *e)
{
	struct error ignored;
	fd_send(STDIN_FILENO, e, sizeof(*e), -1, &ignored);
}

static int read_wishes(struct network **ret, struct error *e)
{
	static char text[REQUEST_LIMIT];

	ssize_t n = fd_receive(STDIN_FILENO, text, sizeof(text), NULL, e);
	if (n <= 0)
		return n < 0 ? (int)n : refuse(e, EPROTO, "nothing was asked for");
	return network_from_json(text, (size_t)n, ret, e);
}

static int attach(const struct network_of *of, struct error *e)
{
	AUTO(network) struct network *n = NULL;

	int r = read_wishes(&n, e);
	return r == 0 ? network_attach(of, n, 0, -1, STDIN_FILENO, 0, e) : r;
}

static int detach(const struct network_of *of, struct error *e)
{
	struct error done = { .code = 0 };

	int r = network_detach(of, e);
	if (r == 0)
		answer(&done);
	return r;
}

static const struct {
	const char *name;
	int (*serve)(const struct network_of *of, struct error *e);
} services[] = { { "attach", attach }, { "detach", detach } };

int network_serve(char *const argv[])
{
	struct error e = { .code = 0 };
	int r = refuse(&e, EINVAL, "the network helper does not know `%.20s`", argv[1]);

	signal(SIGPIPE, SIG_IGN);
	auto_close int dir = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		r = fail(&e, errno, "open %s", argv[2]);
	struct network_of of = { argv[2], dir, *argv[3] ? argv[3] : NULL };
	for (size_t i = 0; dir >= 0 && i < COUNT_OF(services); i++)
		if (str_eq(services[i].name, argv[1])) {
			e = (struct error){ .code = 0 };
			r = services[i].serve(&of, &e);
			break;
		}
	if (r < 0)
		answer(&e);
	return r < 0;
}
