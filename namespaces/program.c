/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c - find the container's program as execvp would
 *
 * In the process that will execute it, with its ids and its working directory, so that what is found is what
 * execve can run. The messages are those of Go's os/exec: engines turn them into exit codes 126 and 127. */
#include "namespaces/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* 0 if execve can be expected to take it; -ENOENT, -EACCES. */
static int check_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG || errno == ELOOP)
			return -ENOENT;
		/* A filter that forbids looking does not forbid executing: execve will tell. */
		return errno == EACCES ? -EACCES : 0;
	}
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return -EACCES;
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 && errno == EACCES)
		return -EACCES;
	return 0;
}

static const char *search_path(char *const *env)
{
	for (; env && *env; env++)
		if (str_starts(*env, "PATH="))
			return *env + strlen("PATH=");
	return PATH_DEFAULT;
}

static int told(const char *name, int r, struct error *e)
{
	if (r == -EACCES)
		return refuse(e, EACCES, "exec: \"%s\": permission denied", name);
	return refuse(e, ENOENT, "exec: \"%s\": no such file or directory", name);
}

static int take_path(const char *path, char **ret, struct error *e)
{
	char *copy = strdup(path);
	if (!copy)
		return fail(e, ENOMEM, "exec: \"%s\"", path);
	*ret = copy;
	return 0;
}

int confine_find_program(const char *name, char *const *env, char **ret, struct error *e)
{
	char candidate[PATH_MAX];
	bool denied = false;

	if (strchr(name, '/')) {
		int r = check_program(name);
		return r < 0 ? told(name, r, e) : take_path(name, ret, e);
	}
	const char *dir = search_path(env);
	while (*name) {
		size_t len = strcspn(dir, ":");
		/* An empty entry is the working directory. */
		int r = str_format(candidate, sizeof(candidate), "%.*s%s%s", (int)len, dir, len ? "/" : "./",
				   name);
		if (r >= 0)
			r = check_program(candidate);
		if (r == 0)
			return take_path(candidate, ret, e);
		denied |= r == -EACCES;
		if (!dir[len])
			break;
		dir += len + 1;
	}
	if (denied)
		return told(name, -EACCES, e);
	return refuse(e, ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
}
