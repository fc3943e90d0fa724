/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.c - sd_notify(3) through the container's wall
 *
 * RUNTIME reads datagrams of the container as a stranger's: at most 4 KiB, lines that it knows by name are
 * passed on (READY, RELOADING, STOPPING, STATUS, ERRNO, WATCHDOG, BARRIER without its descriptor), and
 * MAINPID is always ours to say. */
#include "runtime/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define DATAGRAM_LIMIT 4096

static const char *const passed_on[] = { "READY=",    "RELOADING=", "STOPPING=",      "STATUS=",     "ERRNO=",
					 "BUSERROR=", "WATCHDOG=",  "WATCHDOG_USEC=", "EXIT_STATUS=" };

/* Bind our datagram socket at <state>/notify/notify.sock, writable for whoever the container runs as. An
 * older one of ours is replaced: create's socket died with it. */
static int make_socket(struct notify *n, int dir, struct error *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	n->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->sock < 0)
		return fail(e, errno, "notify socket");
	int r = str_format(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/notify.sock", dir);
	if (r < 0)
		return fail(e, -r, "notify socket");
	unlinkat(dir, "notify.sock", 0);
	if (bind(n->sock, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return fail(e, errno, "bind the notify socket");
	if (fchmodat(dir, "notify.sock", 0777, 0) < 0)
		return fail(e, errno, "mode of the notify socket");
	return 0;
}

static const char *service_manager(void)
{
	const char *host = getenv("NOTIFY_SOCKET");
	return host && (host[0] == '/' || host[0] == '@') ? host : NULL;
}

/* A mount of the directory that belongs nowhere yet. Made here: in a user namespace nobody can reach the
 * state directory, and a handle alone could not be bound in another mount namespace. */
static int clone_tree(struct notify *n, int dir, struct error *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_NOEXEC };

	n->tree = sys_open_tree(dir, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (n->tree < 0)
		return fail(e, errno, "clone the notify directory");
	if (sys_mount_setattr(n->tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return fail(e, errno, "attributes of the notify directory");
	return 0;
}

int notify_prepare(struct notify *n, const struct container *c, struct error *e)
{
	*n = (struct notify){ .sock = -1, .tree = -1, .host = service_manager() };
	if (!n->host)
		return 0;
	if (mkdirat(c->dir, "notify", 0755) < 0)
		return fail(e, errno, "make the notify directory");
	auto_close int dir = openat(c->dir, "notify", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return fail(e, errno, "open the notify directory");
	int r = make_socket(n, dir, e);
	return r < 0 ? r : clone_tree(n, dir, e);
}

int notify_reopen(struct notify *n, const struct container *c, struct error *e)
{
	*n = (struct notify){ .sock = -1, .tree = -1, .host = service_manager() };
	auto_close int dir = openat(c->dir, "notify", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!n->host || dir < 0)
		return 0;
	return make_socket(n, dir, e);
}

int notify_mount(struct notify *n, int root, struct error *e)
{
	auto_close int target = path_target(root, NOTIFY_CONTAINER_DIR, true, e);
	if (target < 0)
		return target;
	if (sys_move_mount(n->tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail(e, errno, "mount the notify directory at " NOTIFY_CONTAINER_DIR);
	replace_fd(&n->tree, -1);
	return 0;
}

void notify_done(struct notify *n)
{
	replace_fd(&n->sock, -1);
	replace_fd(&n->tree, -1);
}

static int send_to_host(const struct notify *n, const char *text, struct error *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(n->host);

	if (len >= sizeof(sa.sun_path))
		return fail(e, ENAMETOOLONG, "NOTIFY_SOCKET");
	memcpy(sa.sun_path, n->host, len);
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	auto_close int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || sendto(sock, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sa,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return fail(e, errno, "notify the service manager");
	return 0;
}

static bool is_passed_on(const char *line)
{
	for (size_t i = 0; i < COUNT_OF(passed_on); i++)
		if (str_starts(line, passed_on[i]))
			return true;
	return false;
}

int notify_forward(struct notify *n, pid_t main_pid, struct error *e)
{
	char in[DATAGRAM_LIMIT + 1], out[DATAGRAM_LIMIT + 64];
	size_t used = 0;
	bool ready = false;

	ssize_t size = recv(n->sock, in, DATAGRAM_LIMIT, MSG_DONTWAIT);
	if (size <= 0)
		return 0;
	in[size] = '\0';
	char *rest = in;
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (!is_passed_on(line))
			continue;
		ready = ready || str_eq(line, "READY=1");
		used += (size_t)snprintf(out + used, sizeof(out) - used, "%s\n", line);
	}
	if (used == 0)
		return 0;
	if (ready)
		snprintf(out + used, sizeof(out) - used, "MAINPID=%d\n", (int)main_pid);
	int r = send_to_host(n, out, e);
	return r < 0 ? r : ready;
}

int notify_wait_ready(struct notify *n, pid_t main_pid, int pidfd, struct error *e)
{
	if (n->sock < 0)
		return 0;
	for (;;) {
		struct pollfd p[3] = { { .fd = n->sock, .events = POLLIN },
				       { .fd = pidfd, .events = POLLIN },
				       { .fd = interrupt_fd(), .events = POLLIN } };
		if (poll(p, COUNT_OF(p), -1) < 0 && errno != EINTR)
			return fail(e, errno, "poll");
		if (p[2].revents) {
			int r = interrupt_pending(e);
			if (r < 0)
				return prefix(e, "wait for READY=1");
		}
		if (p[0].revents & POLLIN) {
			int r = notify_forward(n, main_pid, e);
			if (r != 0)
				return r < 0 ? r : 0;
		}
		if (p[1].revents)
			return 0;
	}
}
