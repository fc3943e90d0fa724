/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treestream.c - frames of tree.h over a stream of bytes */
#include "checkpoint/treestream.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtime/base/io.h"

int tree_to_stream(void *arg, const void *frame, size_t size, struct error *e)
{
	const int fd = *(const int *)arg;
	uint8_t head[4] = { (uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16),
			    (uint8_t)(size >> 24) };
	struct iovec parts[2] = { { head, sizeof(head) }, { (void *)frame, size } };
	ssize_t n;

	do
		n = writev(fd, parts, 2);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(e, errno, "send files");
	/* A pipe may take a part. */
	if ((size_t)n < sizeof(head)) {
		int r = io_write_all(fd, head + n, sizeof(head) - (size_t)n, e);
		if (r < 0)
			return r;
		n = sizeof(head);
	}
	size_t done = (size_t)n - sizeof(head);
	return done < size ? io_write_all(fd, (const uint8_t *)frame + done, size - done, e) : 0;
}

static int read_all(int fd, uint8_t *to, size_t size, struct error *e)
{
	while (size) {
		ssize_t n = read(fd, to, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(e, errno, "receive files");
		if (n == 0)
			return refuse(e, EPIPE, "receive files: the source ended before the files did");
		to += n;
		size -= (size_t)n;
	}
	return 0;
}

int tree_from_stream(struct tree_receiver *r, int fd, struct error *e)
{
	auto_free uint8_t *frame = malloc(TREE_FRAME_MAX);
	uint8_t head[4];

	if (!frame)
		return fail(e, ENOMEM, "receive files");
	while (!tree_receive_ended(r)) {
		int n = read_all(fd, head, sizeof(head), e);
		if (n < 0)
			return n;
		size_t size = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 |
			      (size_t)head[3] << 24;
		if (size == 0 || size > TREE_FRAME_MAX)
			return refuse(e, EBADMSG, "receive files: a frame of %zu bytes", size);
		n = read_all(fd, frame, size, e);
		if (n == 0)
			n = tree_receive(r, frame, size, e);
		if (n < 0)
			return n;
	}
	return 0;
}
