/* SPDX-License-Identifier: GPL-2.0-or-later */
/* home.c - HOME from the container's /etc/passwd
 *
 * The file is a stranger's: resolved inside the container's root, a regular file or nothing, read through one
 * fixed buffer and not past a bound (CVE-2026-47262), and the value is taken only if it is an absolute path
 * of printable characters. Whatever is wrong with it makes HOME "/", never an error. */
#include "namespaces/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "namespaces/home.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

#define LINE_MAX_SIZE 4096
#define FILE_MAX_SIZE (16 << 20)

/* name:password:uid:gid:comment:home:shell; the line is cut up in place. */
static bool take_home(char *line, uint32_t uid, char *home, size_t size)
{
	char *field[6];
	uint32_t found;

	for (size_t i = 0; i < COUNT_OF(field); i++)
		field[i] = strsep(&line, ":");
	if (!field[2] || str_to_u32(field[2], &found) < 0 || found != uid)
		return false;
	if (!field[5] || field[5][0] != '/' || !str_is_printable(field[5]))
		return true;
	if (str_format(home, size, "%s", field[5]) < 0)
		str_format(home, size, "/");
	return true;
}

void home_from_passwd(int fd, uint32_t uid, char *home, size_t size)
{
	char buf[LINE_MAX_SIZE];
	size_t used = 0, total = 0;
	bool skip = false; /* inside of a line that is longer than the buffer */

	str_format(home, size, "/");
	while (total < FILE_MAX_SIZE) {
		ssize_t n = read(fd, buf + used, sizeof(buf) - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		total += (size_t)n;
		used += (size_t)n;
		char *line = buf, *end;
		while ((end = memchr(line, '\n', used - (size_t)(line - buf)))) {
			*end = '\0';
			if (!skip && take_home(line, uid, home, size))
				return;
			skip = false;
			line = end + 1;
		}
		used -= (size_t)(line - buf);
		memmove(buf, line, used);
		if (used == sizeof(buf)) {
			skip = true;
			used = 0;
		}
	}
	/* The last line may lack its end. */
	if (used && used < sizeof(buf) && !skip) {
		buf[used] = '\0';
		take_home(buf, uid, home, size);
	}
}

static int open_passwd(int root)
{
	struct error ignored;
	struct stat st;

	/* Non-blocking: a fifo in its place must not hang us. */
	auto_close int fd = path_open(root, "etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, &ignored);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	return take_fd(&fd);
}

void home_find(int root, uint32_t uid, char *home, size_t size)
{
	auto_close int fd = open_passwd(root);

	if (fd < 0)
		str_format(home, size, "/");
	else
		home_from_passwd(fd, uid, home, size);
}

int confine_home(uint32_t uid, char *const *env, char **ret, struct error *e)
{
	char home[PATH_MAX];

	*ret = NULL;
	for (; env && *env; env++)
		if (str_starts(*env, "HOME="))
			return 0;
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail(e, errno, "open /");
	home_find(root, uid, home, sizeof(home));
	if (asprintf(ret, "HOME=%s", home) < 0) {
		*ret = NULL;
		return fail(e, ENOMEM, "HOME");
	}
	return 0;
}
