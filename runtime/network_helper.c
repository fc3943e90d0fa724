/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network_helper.c - our side of the talk with the helper that wires containers */
#include "runtime/network_helper.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/proc.h"
#include "runtime/base/spawn.h"
#include "runtime/base/str.h"
#include "runtime/node.h"

#define KEEP "keep"

int network_owner_path(const struct container *c, char **ret, struct error *e)
{
	auto_free char *root = realpath(c->globals->root, NULL);

	if (!root)
		return fail(e, errno, "state root %s", c->globals->root);
	if (asprintf(ret, "%s/%s", root, c->id) < 0)
		return fail(e, ENOMEM, "state root %s", root);
	return 0;
}

/* The environment is nothing of the caller's, but in test builds. */
#ifdef FAULT_INJECTION
extern char **environ;
#define HELPER_ENVIRONMENT environ
#else
#define HELPER_ENVIRONMENT NULL
#endif

static int describe(const struct container *c, const char *what, char *path, char **owner, char **argv,
		    struct error *e)
{
	const char *switch_dir = c->globals->switch_dir;

	int r = node_path(path, PATH_MAX, e);
	if (r == 0)
		r = network_owner_path(c, owner, e);
	if (r < 0)
		return r;
	argv[0] = (char *)NETWORK_HELPER;
	argv[1] = (char *)what;
	argv[2] = *owner;
	argv[3] = (char *)(switch_dir ? switch_dir : "");
	argv[4] = NULL;
	return 0;
}

int network_helper_start(struct network_helper *h, const struct container *c, const struct network *wishes,
			 struct error *e)
{
	char path[PATH_MAX], *argv[5];
	auto_free char *owner = NULL;
	int pair[2];
	size_t size = 0;

	auto_free char *text = network_to_json(wishes, &size);
	if (!text)
		return fail(e, ENOMEM, "network");
	int r = describe(c, "attach", path, &owner, argv, e);
	if (r == 0)
		r = fd_socketpair(pair, e);
	if (r < 0)
		return r;
	auto_close int theirs = pair[1];
	h->sock = pair[0];
	struct spawn s = { .path = path, .argv = argv, .envp = HELPER_ENVIRONMENT };
	r = spawn_talk(&s, theirs, &h->pid, e);
	if (r == 0)
		r = fd_send(h->sock, text, size, -1, e);
	if (r < 0)
		network_helper_stop(h);
	return r;
}

int network_helper_give(struct network_helper *h, int netns, struct error *e)
{
	int r = fd_send(h->sock, "netns", 5, netns, e);
	/* It has failed already: its answer says why. */
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

int network_helper_wait(struct network_helper *h, struct error *e)
{
	struct error answer = { .code = 0 };

	int r = interrupt_wait(h->sock, -1, -1, e);
	if (r < 0)
		return r;
	ssize_t n = fd_receive(h->sock, &answer, sizeof(answer), NULL, e);
	if (n == -ECONNRESET)
		n = fd_receive(h->sock, &answer, sizeof(answer), NULL, e);
	if (n < 0)
		return (int)n;
	if (n != sizeof(answer))
		return refuse(e, ECHILD, "the network helper ended unexpectedly");
	answer.msg[sizeof(answer.msg) - 1] = '\0';
	if (!answer.code)
		return 0;
	*e = answer;
	return -answer.code;
}

/* Its work is done and its end is not waited for: it may take a grace period of RCU (netns/nl.c: lingering). Whoever
 * waits for children reaps it, or it outlives us by some milliseconds. */
static void part(struct network_helper *h)
{
	replace_fd(&h->sock, -1);
	h->pid = 0;
}

int network_helper_keep(struct network_helper *h, struct error *e)
{
	int r = fd_send(h->sock, KEEP, sizeof(KEEP), -1, e);
	if (r < 0)
		return r;
	part(h);
	return 0;
}

void network_helper_stop(struct network_helper *h)
{
	struct error ignored;
	int status;

	replace_fd(&h->sock, -1);
	if (h->pid > 0)
		proc_wait(h->pid, &status, &ignored);
	h->pid = 0;
}

int network_helper_detach(const struct container *c, struct error *e)
{
	char path[PATH_MAX], *argv[5];
	auto_free char *owner = NULL;
	struct network_helper h = NETWORK_HELPER_INIT;
	int pair[2];

	if (faccessat(c->dir, NETWORK_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	int r = describe(c, "detach", path, &owner, argv, e);
	if (r == 0)
		r = fd_socketpair(pair, e);
	if (r < 0)
		return prefix(e, "detach container %s", c->id);
	auto_close int theirs = pair[1];
	h.sock = pair[0];
	struct spawn s = { .path = path, .argv = argv, .envp = HELPER_ENVIRONMENT };
	r = spawn_talk(&s, theirs, &h.pid, e);
	replace_fd(&theirs, -1);
	if (r == 0)
		r = network_helper_wait(&h, e);
	if (r == 0)
		part(&h);
	network_helper_stop(&h);
	return r < 0 ? prefix(e, "detach container %s", c->id) : 0;
}
