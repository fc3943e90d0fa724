/* SPDX-License-Identifier: GPL-2.0-or-later */
/* imagestream.c - a directory of small files, out of a node and into another */
#include "checkpoint/imagestream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "checkpoint/wire.h"
#include "runtime/base/io.h"

/* ---- out ---- */

static int send_file(int dir, const char *name, int fd, uint64_t *bytes, struct error *e)
{
	uint8_t header[IMAGESTREAM_HEADER + IMAGESTREAM_NAME_MAX] = { 0 };
	struct stat st;

	auto_close int file = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file < 0 || fstat(file, &st) < 0)
		return fail(e, errno, "open image %s", name);
	size_t n = strlen(name);
	if (!S_ISREG(st.st_mode) || n > IMAGESTREAM_NAME_MAX)
		return refuse(e, EINVAL, "image %s: not a plain file", name);
	wire_put_u16(header, (uint16_t)n);
	wire_put_u64(header + 4, (uint64_t)st.st_size);
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): its length is told */
	memcpy(header + IMAGESTREAM_HEADER, name, n);
	int r = io_write_all(fd, header, IMAGESTREAM_HEADER + n, e);
	for (off_t left = st.st_size; r == 0 && left > 0;) {
		ssize_t sent = sendfile(fd, file, NULL, (size_t)left);
		if (sent < 0 && errno != EINTR)
			return fail(e, errno, "send image %s", name);
		if (sent == 0)
			return refuse(e, EIO, "image %s became shorter", name);
		left -= sent > 0 ? sent : 0;
	}
	*bytes += IMAGESTREAM_HEADER + n + (uint64_t)st.st_size;
	return r;
}

int imagestream_send(int dir, int fd, uint64_t *ret_bytes, struct error *e)
{
	static const uint8_t end[IMAGESTREAM_HEADER];
	uint64_t bytes = sizeof(end);
	int r = 0;

	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return fail(e, errno, "list images");
	for (struct dirent *entry; r == 0 && (entry = readdir(d));)
		if (entry->d_type == DT_REG)
			r = send_file(dir, entry->d_name, fd, &bytes, e);
	closedir(d);
	if (r == 0)
		r = io_write_all(fd, end, sizeof(end), e);
	if (r == 0 && ret_bytes)
		*ret_bytes = bytes;
	return r;
}

/* ---- in ---- */

struct imagestream {
	int dir, file; /* the file at hand, -1: none */
	uint64_t limit, left;
	uint8_t head[IMAGESTREAM_HEADER + IMAGESTREAM_NAME_MAX];
	size_t have, want; /* of the head */
	uint32_t files;
	bool whole, failed;
};

int imagestream_new(int dir, uint64_t limit_bytes, struct imagestream **ret, struct error *e)
{
	struct imagestream *s = calloc(1, sizeof(*s));

	if (!s)
		return fail(e, ENOMEM, "images");
	s->dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	s->file = -1;
	s->limit = limit_bytes;
	s->want = IMAGESTREAM_HEADER;
	if (s->dir < 0) {
		int r = fail(e, errno, "images");
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void imagestream_free(struct imagestream *s)
{
	if (!s)
		return;
	cleanup_close(&s->file);
	cleanup_close(&s->dir);
	free(s);
}

bool imagestream_is_whole(const struct imagestream *s)
{
	return s->whole;
}

static bool is_plain_name(const char *name, size_t n)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

	return strlen(name) == n && strspn(name, allowed) == n && name[0] != '.' && name[0] != '-';
}

/* The twelve bytes are there: how long is the name? */
static int take_header(struct imagestream *s, struct error *e)
{
	uint16_t n = wire_get_u16(s->head);
	uint64_t size = wire_get_u64(s->head + 4);

	if (n == 0 && size == 0 && wire_get_u16(s->head + 2) == 0) {
		s->whole = true;
		return 0;
	}
	if (n == 0 || n >= IMAGESTREAM_NAME_MAX || wire_get_u16(s->head + 2) != 0)
		return refuse(e, EPROTO, "images: a name of %u bytes", n);
	if (size > s->limit)
		return refuse(e, EFBIG, "images: more than is allowed");
	if (++s->files > IMAGESTREAM_FILES)
		return refuse(e, EPROTO, "images: more than %u files", IMAGESTREAM_FILES);
	s->limit -= size;
	s->left = size;
	s->want = IMAGESTREAM_HEADER + n;
	return 0;
}

static int take_name(struct imagestream *s, struct error *e)
{
	char name[IMAGESTREAM_NAME_MAX + 1];
	size_t n = s->want - IMAGESTREAM_HEADER;

	memcpy(name, s->head + IMAGESTREAM_HEADER, n);
	name[n] = '\0';
	if (!is_plain_name(name, n))
		return refuse(e, EPROTO, "images: not a plain name");
	replace_fd(&s->file,
		   openat(s->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	if (s->file < 0)
		return fail(e, errno, "make image %s", name);
	s->have = 0;
	s->want = IMAGESTREAM_HEADER;
	return 0;
}

static int take_head(struct imagestream *s, const uint8_t **data, size_t *size, struct error *e)
{
	size_t n = s->want - s->have < *size ? s->want - s->have : *size;

	memcpy(s->head + s->have, *data, n);
	s->have += n;
	*data += n;
	*size -= n;
	if (s->have < s->want)
		return 0;
	return s->want == IMAGESTREAM_HEADER ? take_header(s, e) : take_name(s, e);
}

static int feed(struct imagestream *s, const uint8_t *data, size_t size, struct error *e)
{
	while (size) {
		if (s->whole)
			return refuse(e, EPROTO, "images: something follows their end");
		if (s->file >= 0 && s->left) {
			size_t n = s->left < size ? (size_t)s->left : size;
			int r = io_write_all(s->file, data, n, e);
			if (r < 0)
				return r;
			data += n;
			size -= n;
			s->left -= n;
		} else {
			int r = take_head(s, &data, &size, e);
			if (r < 0)
				return r;
		}
		if (s->left == 0)
			replace_fd(&s->file, -1);
	}
	return 0;
}

int imagestream_feed(struct imagestream *s, const void *data, size_t size, struct error *e)
{
	if (s->failed)
		return refuse(e, EPROTO, "images: after an error");
	int r = feed(s, data, size, e);
	s->failed = r < 0;
	return r;
}
