/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transport.c - connect to another node, or be connected to: a row for each kind of address
 *
 * In the command's own process, before anything is read from the other side. What is run in between (ssh, a
 * command) gets two ends of socket pairs, a short environment by name, and ignores Ctrl-C: the story decides
 * what becomes of the connection. */
#include "checkpoint/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "checkpoint/tls.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

void transport_free(struct transport *t)
{
	if (!t)
		return;
	tls_free(t->tls);
	if (t->in >= 0)
		close(t->in);
	if (t->out >= 0 && t->out != t->in)
		close(t->out);
	proc_end(&t->helper);
	free(t->peer);
	free(t);
}

int transport_adopt(int in, int out, const char *peer, struct transport **ret, struct error *e)
{
	struct transport *t = calloc(1, sizeof(*t));

	if (t)
		t->peer = strdup(peer);
	if (!t || !t->peer) {
		free(t);
		return fail(e, ENOMEM, "connection to %s", peer);
	}
	t->in = in;
	t->out = out;
	for (int i = 0; i < 2; i++) {
		int fd = i ? out : in;
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		/* Of TCP: the end of a message must not wait for the acknowledgement of what went before, which
		 * the other side delays by 40 ms; inside the frozen window that is the longest wait of all. What
		 * is no TCP socket says so, and does not need it. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	}
	*ret = t;
	return 0;
}

/* ---- a program in between ---- */

/* What ssh needs to find its keys, its agent and its terminal; nothing else of ours. */
static const char *const passed_on[] = { "HOME",	  "USER",	 "LOGNAME",
					 "PATH",	  "TERM",	 "LANG",
					 "SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE",
					 "DISPLAY" };

static char **short_environment(void)
{
	static char *env[COUNT_OF(passed_on) + 1];
	size_t n = 0;

	for (size_t i = 0; i < COUNT_OF(passed_on); i++) {
		const char *value = getenv(passed_on[i]);
		if (value && asprintf(&env[n], "%s=%s", passed_on[i], value) > 0)
			n++;
	}
	env[n] = NULL;
	return env;
}

static void become_helper(int sock, char *const argv[])
{
	interrupt_forget();
	signal(SIGINT, SIG_IGN); /* Ctrl-C is for the story to decide */
	signal(SIGQUIT, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (chdir("/") < 0 || dup2(sock, STDIN_FILENO) < 0 || dup2(sock, STDOUT_FILENO) < 0)
		_exit(127);
	sys_close_range(3, ~0U, 0);
	execvpe(argv[0], argv, short_environment());
	dprintf(STDERR_FILENO, "coracle: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int run_between(const char *address, char *const argv[], struct transport **ret, struct error *e)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail(e, errno, "socketpair");
	pid_t pid = fork();
	if (pid == 0)
		become_helper(ends[1], argv);
	int saved = errno;
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return fail(e, saved, "fork");
	}
	int r = transport_adopt(ends[0], ends[0], address, ret, e);
	if (r < 0)
		proc_end(&pid);
	else
		(*ret)->helper = pid;
	return r;
}

static int connect_exec(const char *address, const char *rest, const struct transport_options *o,
			struct transport **ret, struct error *e)
{
	(void)o;
	char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)rest, NULL };
	return *rest ? run_between(address, argv, ret, e) : refuse(e, EINVAL, "exec: needs a command");
}

static int connect_ssh(const char *address, const char *rest, const struct transport_options *o,
		       struct transport **ret, struct error *e)
{
	auto_free char *user = NULL, *host = NULL, *port = NULL;
	char *argv[16];
	size_t n = 0;

	int r = transport_split(rest, &user, &host, &port, e);
	if (r < 0)
		return prefix(e, "%s", address);
	argv[n++] = (char *)"ssh";
	argv[n++] = (char *)"-T";
	argv[n++] = (char *)"-e";
	argv[n++] = (char *)"none";
	if (port) {
		argv[n++] = (char *)"-p";
		argv[n++] = port;
	}
	if (user) {
		argv[n++] = (char *)"-l";
		argv[n++] = user;
	}
	argv[n++] = (char *)"--";
	argv[n++] = host;
	argv[n++] = (char *)(o->receiver ? o->receiver : "coracle receive");
	argv[n] = NULL;
	return run_between(address, argv, ret, e);
}

/* ---- sockets ---- */

static int unix_open(const char *path, bool listening, struct error *e)
{
	auto_free char *copy = strdup(path);

	if (!copy)
		return fail(e, ENOMEM, "%s", path);
	char *slash = strrchr(copy, '/');
	const char *name = slash ? slash + 1 : copy;
	auto_close int dir = -1;
	if (slash) {
		*slash = '\0';
		dir = open(slash == copy ? "/" : copy, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			return fail(e, errno, "open %s", slash == copy ? "/" : copy);
	}
	int at = slash ? dir : AT_FDCWD;
	return listening ? fd_unix_listen(at, name, SOCK_STREAM, e)
			 : fd_unix_connect(at, name, SOCK_STREAM, e);
}

static int connect_unix(const char *address, const char *rest, const struct transport_options *o,
			struct transport **ret, struct error *e)
{
	(void)o;
	auto_close int fd = unix_open(rest, false, e);
	if (fd < 0)
		return prefix(e, "connect to %s", address);
	int r = transport_adopt(fd, fd, address, ret, e);
	if (r == 0)
		take_fd(&fd);
	return r;
}

static int resolve(const char *text, bool passive, char **ret_host, struct addrinfo **ret, struct error *e)
{
	auto_free char *user = NULL, *host = NULL, *port = NULL;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0 };

	if (passive && *text == ':') {
		port = strdup(text + 1);
	} else {
		int r = transport_split(text, &user, &host, &port, e);
		if (r < 0)
			return r;
	}
	if (!port || !*port)
		return refuse(e, EINVAL, "a port is missing");
	int r = getaddrinfo(host, port, &hints, ret);
	if (r != 0)
		return refuse(e, EHOSTUNREACH, "look up %s: %s", text, gai_strerror(r));
	if (ret_host)
		*ret_host = take_ptr(host);
	return 0;
}

static int connect_one(const struct addrinfo *a, int timeout_ms, struct error *e)
{
	auto_close int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(e, errno, "socket");
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			return fail(e, errno, "connect");
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		int n = poll(&p, 1, timeout_ms);
		if (n <= 0)
			return fail(e, n == 0 ? ETIMEDOUT : errno, "connect");
		int error = 0;
		socklen_t size = sizeof(error);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error)
			return fail(e, error, "connect");
	}
	return take_fd(&fd);
}

static int connect_tls(const char *address, const char *rest, const struct transport_options *o,
		       struct transport **ret, struct error *e)
{
	AUTO(transport) struct transport *t = NULL;
	struct addrinfo *found = NULL;
	auto_free char *host = NULL;

	int fd = -1, r = resolve(rest, false, &host, &found, e);
	if (r < 0)
		return prefix(e, "%s", address);
	for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
		fd = connect_one(a, o->timeout_ms ? o->timeout_ms : 10000, e);
	freeaddrinfo(found);
	if (fd < 0)
		return prefix(e, "%s", address);
	r = transport_adopt(fd, fd, address, &t, e);
	if (r < 0) {
		close(fd);
		return r;
	}
	r = tls_open(o->tls_dir ? o->tls_dir : TRANSPORT_TLS_DIR, fd, host, &t->tls, e);
	if (r < 0)
		return prefix(e, "%s", address);
	*ret = take_ptr(t);
	return 0;
}

/* ---- the table ---- */

static const struct {
	const char *start;
	int (*connect)(const char *address, const char *rest, const struct transport_options *o,
		       struct transport **ret, struct error *e);
} kinds[] = {
	{ "ssh://", connect_ssh },
	{ "tls://", connect_tls },
	{ "unix:", connect_unix },
	{ "exec:", connect_exec },
};

int transport_connect(const char *address, const struct transport_options *o, struct transport **ret,
		      struct error *e)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (str_starts(address, kinds[i].start))
			return kinds[i].connect(address, address + strlen(kinds[i].start), o, ret, e);
	return refuse(
		e, EINVAL,
		"%s: not a destination: ssh://[USER@]HOST[:PORT], tls://HOST:PORT, unix:PATH or exec:COMMAND",
		address);
}

static int listen_tls(const char *rest, struct error *e)
{
	struct addrinfo *found = NULL;
	const int on = 1;

	int r = resolve(rest, true, NULL, &found, e);
	if (r < 0)
		return r;
	auto_close int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		r = fail(e, errno, "socket");
	else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		 bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 16) < 0)
		r = fail(e, errno, "listen");
	freeaddrinfo(found);
	return r < 0 ? r : take_fd(&fd);
}

int transport_listen(const char *address, struct error *e)
{
	int fd;

	if (str_starts(address, "unix:")) {
		mode_t mask = umask(0177); /* connecting takes the right to write */
		fd = unix_open(address + 5, true, e);
		umask(mask);
	} else if (str_starts(address, "tls://")) {
		fd = listen_tls(address + 6, e);
	} else {
		return refuse(e, EINVAL, "%s: not an address to listen on: unix:PATH or tls://ADDRESS:PORT",
			      address);
	}
	return fd < 0 ? prefix(e, "%s", address) : fd;
}

int transport_accept(int listener, const char *address, const struct transport_options *o,
		     struct transport **ret, struct error *e)
{
	AUTO(transport) struct transport *t = NULL;

	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return fail(e, errno, "accept on %s", address);
	int r = transport_adopt(fd, fd, address, &t, e);
	if (r < 0) {
		close(fd);
		return r;
	}
	if (str_starts(address, "tls://"))
		r = tls_open(o->tls_dir ? o->tls_dir : TRANSPORT_TLS_DIR, fd, NULL, &t->tls, e);
	if (r < 0)
		return r;
	*ret = take_ptr(t);
	return 0;
}

/* ---- addresses ---- */

static int take_part(const char *from, size_t size, char **ret, struct error *e)
{
	if (*from == '-')
		return refuse(e, EINVAL, "%.*s: a name that begins with \"-\" is not taken", (int)size, from);
	char *copy = strndup(from, size);
	if (!copy)
		return fail(e, ENOMEM, "address");
	free(*ret);
	*ret = copy;
	return 0;
}

static const char *end_of_host(const char *text)
{
	if (*text == '[')
		return strchr(text, ']');
	return text + strcspn(text, ":/");
}

int transport_split(const char *text, char **ret_user, char **ret_host, char **ret_port, struct error *e)
{
	auto_free char *user = NULL, *host = NULL, *port = NULL;
	const char *at = strrchr(text, '@');
	uint16_t number;
	int r = 0;

	if (at) {
		if (at == text)
			return refuse(e, EINVAL, "the user's name is empty");
		r = take_part(text, (size_t)(at - text), &user, e);
		if (r < 0)
			return r;
		text = at + 1;
	}
	bool bracket = *text == '[';
	const char *end = end_of_host(text);
	if (!end || end == text + bracket)
		return refuse(e, EINVAL, "a host's name is missing");
	r = take_part(text + bracket, (size_t)(end - text - bracket), &host, e);
	if (r < 0)
		return r;
	end += bracket;
	if (*end == '/' && !end[1])
		end++;
	if (*end == ':') {
		uint32_t wide;
		if (str_to_u32(end + 1, &wide) < 0 || wide == 0 || wide > UINT16_MAX)
			return refuse(e, EINVAL, "%s: not a port", end + 1);
		number = (uint16_t)wide;
		if (asprintf(&port, "%u", number) < 0)
			return fail(e, ENOMEM, "port");
	} else if (*end) {
		return refuse(e, EINVAL, "%s: not expected after the host", end);
	}
	*ret_user = take_ptr(user);
	*ret_host = take_ptr(host);
	*ret_port = take_ptr(port);
	return 0;
}
