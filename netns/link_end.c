/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_end.c - a link is taken away, and nobody waits for RCU
 *
 * RTM_DELLINK takes the link out of sight at once, tells whoever listens (RTNLGRP_LINK), and comes back only after
 * several grace periods (netdev_run_todo: rcu_barrier), some 10 to 30 ms later. So another process asks, and we go
 * on when the kernel has told that the link is gone. That process is nobody's child, for nobody would wait for it. */
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

#include "netns/link.h"
#include "netns/nl_attr.h"
#include "runtime/base/fd.h"
#include "runtime/base/sys.h"

static int delete_here(const char *name, struct error *e)
{
	AUTO(nl) struct nl *nl = NULL;
	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();

	int r = nl_open(NETLINK_ROUTE, -1, &nl, e);
	if (r < 0)
		return r;
	link_delete(b, name);
	nl_tolerate(b, ENODEV);
	return nl_ask(nl, b, e);
}

/* In the process that waits: it keeps nothing of ours open, locks above all; its last word is the error value. */
static void delete_and_tell(const char *name, int sock)
{
	struct error e = { .code = 0 }, ignored;

	if (dup2(sock, STDIN_FILENO) < 0 || sys_close_range(STDIN_FILENO + 1, ~0U, 0) < 0)
		return;
	delete_here(name, &e);
	fd_send(STDIN_FILENO, &e, sizeof(e), -1, &ignored);
}

/* 0 when somebody works on it who answers by *ret_sock. */
static int start(const char *name, int *ret_sock, struct error *e)
{
	int pair[2], status;

	int r = fd_socketpair(pair, e);
	if (r < 0)
		return r;
	auto_close int ours = pair[0], theirs = pair[1];
	pid_t pid = fork();
	if (pid < 0)
		return fail(e, errno, "link %s: delete: fork", name);
	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			delete_and_tell(name, theirs);
		_exit(pid < 0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret_sock = take_fd(&ours);
	return 0;
}

struct awaited {
	int index;
	bool gone;
};

static int take_event(const struct nlmsghdr *m, void *data, struct error *e)
{
	struct awaited *a = data;
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(m);

	(void)e;
	if (m->nlmsg_type != RTM_DELLINK || m->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(*header))
		return 0;
	/* Of family AF_BRIDGE it tells that a port has left its bridge. */
	if (header->ifi_family == AF_UNSPEC && header->ifi_index == a->index)
		a->gone = true;
	return 0;
}

/* Until the link is gone, or its deletion has been answered. */
static int wait_gone(struct nl *events, int sock, int index, const char *name, struct error *e)
{
	struct pollfd p[] = { { .fd = sock, .events = POLLIN }, { .fd = nl_fd(events), .events = POLLIN } };
	struct awaited a = { .index = index };
	struct error answer, ignored;

	while (!a.gone) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return fail(e, errno, "link %s: delete", name);
		if (p[1].revents && nl_events(events, take_event, &a, &ignored) < 0)
			p[1].fd = -1; /* too many: the answer comes in any case */
		if (a.gone || !p[0].revents)
			continue;
		ssize_t n = fd_receive(sock, &answer, sizeof(answer), NULL, e);
		if (n < 0)
			return (int)n;
		if (n != sizeof(answer))
			return refuse(e, ECHILD, "link %s: delete: no answer", name);
		answer.msg[sizeof(answer.msg) - 1] = '\0';
		if (answer.code)
			*e = answer;
		return -answer.code;
	}
	return 0;
}

int link_end(struct nl *nl, const char *name, struct error *e)
{
	AUTO(nl) struct nl *events = NULL;
	auto_close int sock = -1;
	struct error absent;

	int index = nl_link_index(nl, name, &absent);
	if (index < 0) {
		if (index != -ENODEV)
			*e = absent;
		return index == -ENODEV ? 0 : index;
	}
	int r = nl_open(NETLINK_ROUTE, -1, &events, e);
	if (r == 0)
		r = nl_listen(events, RTNLGRP_LINK, e);
	if (r == 0)
		r = start(name, &sock, e);
	if (r < 0)
		return r;
	return wait_gone(events, sock, index, name, e);
}
