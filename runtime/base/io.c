/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io.c - whole files in, whole files out */
#include "runtime/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

static ssize_t read_retry(int fd, void *buf, size_t size)
{
	ssize_t n;
	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n;
}

int io_read_fd(int fd, size_t limit, char **ret, size_t *ret_size, struct error *e)
{
	struct stat st;
	size_t room = 4096, used = 0;

	/* One byte more than the file has, so that its end is seen without growing. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && (size_t)st.st_size <= limit)
		room = (size_t)st.st_size + 2;
	auto_free char *text = malloc(room);
	if (!text)
		return fail(e, ENOMEM, "read");
	for (;;) {
		ssize_t n = read_retry(fd, text + used, room - used - 1);
		if (n < 0)
			return fail(e, errno, "read");
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > limit)
			return refuse(e, EFBIG, "read: more than %zu bytes", limit);
		if (used < room - 1)
			continue;
		char *grown = realloc(text, room * 2);
		if (!grown)
			return fail(e, ENOMEM, "read");
		text = grown;
		room *= 2;
	}
	text[used] = '\0';
	*ret = take_ptr(text);
	if (ret_size)
		*ret_size = used;
	return 0;
}

int io_read_file(int dir, const char *path, size_t limit, char **ret, size_t *ret_size, struct error *e)
{
	auto_close int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open %s", path);
	int r = io_read_fd(fd, limit, ret, ret_size, e);
	if (r < 0)
		return prefix(e, "%s", path);
	return 0;
}

ssize_t io_read_small(int dir, const char *path, char *buf, size_t size, struct error *e)
{
	auto_close int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open %s", path);
	ssize_t n = read_retry(fd, buf, size - 1);
	if (n < 0)
		return fail(e, errno, "read %s", path);
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

int io_write_all(int fd, const void *data, size_t size, struct error *e)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(e, errno, "write");
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int io_write_file(int dir, const char *path, const char *text, struct error *e)
{
	auto_close int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open %s", path);
	ssize_t n;
	do
		n = write(fd, text, strlen(text));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(e, errno, "write \"%.80s\" to %s", text, path);
	if ((size_t)n != strlen(text))
		return refuse(e, EIO, "write to %s: only %zd of %zu bytes taken", path, n, strlen(text));
	return 0;
}

/* A file's name is on disk when its directory is. */
static int sync_both(int fd, int dir, const char *path, struct error *e)
{
	auto_close int parent = -1;

	if (fsync(fd) < 0)
		return fail(e, errno, "fsync %s", path);
	if (dir == AT_FDCWD)
		return 0;
	parent = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 || fsync(parent) < 0)
		return fail(e, errno, "fsync the directory of %s", path);
	return 0;
}

static int replace_file(int dir, const char *path, const void *data, size_t size, mode_t mode, bool durable,
			struct error *e)
{
	char temporary[PATH_MAX];

	/* Our pid makes the name ours: two writers of one file hold its lock, or write the same thing. */
	if (str_format(temporary, sizeof(temporary), "%s.%d~", path, (int)getpid()) < 0)
		return fail(e, ENAMETOOLONG, "write %s", path);
	auto_close int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
				   mode);
	if (fd < 0)
		return fail(e, errno, "create %s", temporary);
	int r = io_write_all(fd, data, size, e);
	if (r < 0)
		r = prefix(e, "%s", temporary);
	else if (durable && fdatasync(fd) < 0)
		r = fail(e, errno, "fdatasync %s", temporary);
	else if (renameat(dir, temporary, dir, path) < 0)
		r = fail(e, errno, "rename %s to %s", temporary, path);
	if (r < 0)
		unlinkat(dir, temporary, 0);
	else if (durable)
		r = sync_both(fd, dir, path, e);
	return r;
}

int io_replace_file(int dir, const char *path, const void *data, size_t size, mode_t mode, struct error *e)
{
	return replace_file(dir, path, data, size, mode, false, e);
}

int io_replace_durable(int dir, const char *path, const void *data, size_t size, mode_t mode, struct error *e)
{
	return replace_file(dir, path, data, size, mode, true, e);
}
