/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inherit.c - what a container's process inherits from us, and what we tell our caller of it */
#include "runtime/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "namespaces/confine.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

/* LISTEN_FDS as our caller set it; what is not a small number is no socket activation, nor what LISTEN_PID
 * says is another's: we have merely inherited the words. */
static int read_listen_fds(void)
{
	const char *text = getenv("LISTEN_FDS"), *whose = getenv("LISTEN_PID");
	int n, pid;

	if (!text || str_to_int(text, &n) < 0 || n < 0 || n > 1024)
		return 0;
	if (whose && (str_to_int(whose, &pid) < 0 || pid != getpid()))
		return 0;
	return n;
}

/* Asked first in RUNTIME, by inherit_check_fds: its children have other pids. */
static int listen_fds(void)
{
	static int n = -1;

	if (n < 0)
		n = read_listen_fds();
	return n;
}

int inherit_count_fds(int preserve)
{
	return preserve + listen_fds();
}

int inherit_check_fds(int preserve, struct error *e)
{
	int n = inherit_count_fds(preserve);

	for (int fd = 3; fd < 3 + n; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return refuse(e, EBADF, "descriptor %d (of %d to be preserved) is not open", fd, n);
	return 0;
}

/* malloc'ed strings that the environment holds beside the config's; they live until execve. */
static int add(char **env, size_t *n, char *text, struct error *e)
{
	if (!text)
		return fail(e, ENOMEM, "environment");
	env[(*n)++] = text;
	return 0;
}

/* Ours to write to as long as the process lives: who clones once more says its own pid. */
static char listen_pid[sizeof("LISTEN_PID=") + 12];

void inherit_set_listen_pid(void)
{
	snprintf(listen_pid, sizeof(listen_pid), "LISTEN_PID=%d", (int)getpid());
}

static int add_listen_fds(char **env, size_t *n, struct error *e)
{
	char text[32];

	if (!listen_fds())
		return 0;
	snprintf(text, sizeof(text), "LISTEN_FDS=%d", listen_fds());
	int r = add(env, n, strdup(text), e);
	if (r == 0)
		r = add(env, n, listen_pid, e);
	const char *names = getenv("LISTEN_FDNAMES");
	if (r == 0 && names) {
		char *line = NULL;
		if (asprintf(&line, "LISTEN_FDNAMES=%s", names) < 0)
			line = NULL;
		r = add(env, n, line, e);
	}
	return r;
}

int inherit_environment(const struct spec_process *p, const char *extra, char ***ret, struct error *e)
{
	size_t given = strv_count(p->env), n = 0;
	auto_free char **env = calloc(given + 6, sizeof(*env));
	char *home = NULL;

	if (!env)
		return fail(e, ENOMEM, "environment");
	for (size_t i = 0; i < given; i++)
		env[n++] = p->env[i];
	int r = confine_home(p->user.uid, p->env, &home, e);
	if (r == 0 && home)
		env[n++] = home;
	if (r == 0)
		r = add_listen_fds(env, &n, e);
	inherit_set_listen_pid();
	if (r == 0 && extra)
		r = add(env, &n, strdup(extra), e);
	if (r == 0)
		*ret = take_ptr(env);
	return r;
}

int inherit_write_pid_file(const char *path, pid_t pid, struct error *e)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	int r = io_replace_file(AT_FDCWD, path, text, strlen(text), 0644, e);
	return r < 0 ? prefix(e, "pid file") : 0;
}

int inherit_send_pidfd(const char *path, pid_t pid, struct error *e)
{
	auto_close int pidfd = sys_pidfd_open(pid, 0);
	if (pidfd < 0)
		return fail(e, errno, "pidfd_open %d", (int)pid);
	auto_close int sock = fd_unix_connect(AT_FDCWD, path, SOCK_STREAM, e);
	if (sock < 0)
		return prefix(e, "pidfd socket");
	return fd_send(sock, "pidfd", 5, pidfd, e);
}
