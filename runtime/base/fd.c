/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd.c - descriptors: born O_CLOEXEC, passed over sockets, closed in bulk */
#include "runtime/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

const char *fd_path(int fd, char buf[static FD_PATH_SIZE])
{
	snprintf(buf, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
	return buf;
}

int fd_set_cloexec(int fd, bool on, struct error *e)
{
	int flags = fcntl(fd, F_GETFD);
	if (flags < 0 || fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC) < 0)
		return fail(e, errno, "descriptor %d: set close-on-exec", fd);
	return 0;
}

static int cloexec_by_listing(unsigned int first, struct error *e)
{
	DIR *dir = opendir("/proc/self/fd");
	if (!dir)
		return fail(e, errno, "open /proc/self/fd");
	for (struct dirent *d; (d = readdir(dir));) {
		uint32_t fd;
		if (str_to_u32(d->d_name, &fd) == 0 && fd >= first)
			fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	}
	closedir(dir);
	return 0;
}

int fd_cloexec_from(unsigned int first, struct error *e)
{
	if (sys_close_range(first, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return 0;
	if (errno != ENOSYS && errno != EINVAL)
		return fail(e, errno, "close_range");
	return cloexec_by_listing(first, e);
}

void fd_close_all_but(const int *keep, size_t count)
{
	for (int from = STDERR_FILENO + 1;;) {
		int next = -1; /* the lowest that is kept, from here on */
		for (size_t i = 0; i < count; i++)
			if (keep[i] >= from && (next < 0 || keep[i] < next))
				next = keep[i];
		if (next < 0) {
			sys_close_range((unsigned int)from, ~0U, 0);
			return;
		}
		if (next > from)
			sys_close_range((unsigned int)from, (unsigned int)next - 1, 0);
		from = next + 1;
	}
}

int fd_socketpair(int ret[2], struct error *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
		return fail(e, errno, "socketpair");
	return 0;
}

int fd_send(int sock, const void *data, size_t size, int fd, struct error *e)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	ssize_t n;
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(e, errno, "send message");
	return 0;
}

/* Take the first descriptor out of a control message, close any other. */
static int take_passed_fd(struct msghdr *msg)
{
	int taken = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (taken < 0)
				taken = fd;
			else
				close(fd);
		}
	}
	return taken;
}

ssize_t fd_receive(int sock, void *data, size_t size, int *ret_fd, struct error *e)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(e, errno, "receive message");
	auto_close int passed = take_passed_fd(&msg);
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return refuse(e, EMSGSIZE, "receive message: longer than %zu bytes", size);
	if (ret_fd)
		*ret_fd = take_fd(&passed);
	return n;
}

bool fd_is_null(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int fd_open_stdio(struct error *e)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		auto_close int null = open("/dev/null", O_RDWR); /* the lowest free one: fd itself */
		if (null < 0)
			return fail(e, errno, "open /dev/null");
		if (!fd_is_null(null))
			return refuse(e, ENODEV, "/dev/null is not the null device");
		take_fd(&null);
	}
	return 0;
}

/* A sun_path that reaches `name` below `dir` however long the directory's own path is. */
static int unix_address(int dir, const char *name, struct sockaddr_un *sa, struct error *e)
{
	int r;

	sa->sun_family = AF_UNIX;
	if (dir == AT_FDCWD)
		r = str_format(sa->sun_path, sizeof(sa->sun_path), "%s", name);
	else
		r = str_format(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", dir, name);
	if (r < 0)
		return fail(e, -r, "socket %s", name);
	return 0;
}

static int unix_socket(int type, struct error *e)
{
	int sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return fail(e, errno, "socket");
	return sock;
}

/* For a path that is too long for sun_path: its directory as a handle, and the last component. */
static int split_long_path(int *dir, const char **name, struct error *e)
{
	const char *slash = strrchr(*name, '/');
	if (*dir != AT_FDCWD || strlen(*name) < sizeof(((struct sockaddr_un *)0)->sun_path) || !slash)
		return -1;
	auto_free char *parent = strndup(*name, (size_t)(slash - *name));
	if (!parent)
		return fail(e, ENOMEM, "socket %s", *name);
	int fd = open(*parent ? parent : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open %s", parent);
	*dir = fd;
	*name = slash + 1;
	return fd;
}

/* What connect and listen share: the address is made, and `use` does one of them. */
static int unix_open(int dir, const char *name, int type, int (*use)(int, const struct sockaddr_un *),
		     const char *what, struct error *e)
{
	struct sockaddr_un sa = { 0 };
	const char *whole = name;
	struct error ignored;

	auto_close int parent = split_long_path(&dir, &name, &ignored);
	int r = unix_address(dir, name, &sa, e);
	if (r < 0)
		return r;
	auto_close int sock = unix_socket(type, e);
	if (sock < 0)
		return sock;
	if (use(sock, &sa) < 0)
		return fail(e, errno, "%s %s", what, whole);
	return take_fd(&sock);
}

static int use_connect(int sock, const struct sockaddr_un *sa)
{
	return connect(sock, (const struct sockaddr *)sa, sizeof(*sa));
}

static int use_listen(int sock, const struct sockaddr_un *sa)
{
	return bind(sock, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ? -1 : listen(sock, 8);
}

int fd_unix_connect(int dir, const char *name, int type, struct error *e)
{
	return unix_open(dir, name, type, use_connect, "connect to", e);
}

int fd_unix_listen(int dir, const char *name, int type, struct error *e)
{
	return unix_open(dir, name, type, use_listen, "listen on", e);
}
