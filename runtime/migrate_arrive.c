/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_arrive.c - what the source's streams bring: pages, images, files
 *
 * One poll loop, whenever the target waits. Each stream's reader judges a stranger's bytes by itself
 * (page_store_feed, imagestream_feed, tree_receive); here only the cutting of files' frames is done. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/interrupt.h"
#include "runtime/migrate_target.h"

#define CHUNK (256U << 10)

int arrive_prepare(struct target *t, struct error *e)
{
	t->chunk = malloc(CHUNK);
	t->frame = malloc(FILES_HEADER + TREE_FRAME_MAX);
	return t->chunk && t->frame ? 0 : fail(e, ENOMEM, "buffers");
}

void arrive_done(struct target *t)
{
	free(t->chunk);
	free(t->frame);
	cleanup_close(&t->memory_fd);
	cleanup_close(&t->images_fd);
	cleanup_close(&t->files_fd);
	page_store_free(t->store);
	imagestream_free(t->image_stream);
}

int arrive_open(struct migration *m, unsigned int stream, int *fd, struct error *e)
{
	return channel_stream(m->channel, stream, fd, e);
}

static size_t frame_size(const uint8_t *header)
{
	return (size_t)header[0] | (size_t)header[1] << 8 | (size_t)header[2] << 16;
}

/* Whole frames out of a stream that is cut anywhere. */
static int feed_files(struct target *t, const uint8_t *data, size_t size, struct error *e)
{
	while (size) {
		size_t want = t->frame_have < FILES_HEADER ? FILES_HEADER
							   : FILES_HEADER + frame_size(t->frame);
		size_t n = want - t->frame_have < size ? want - t->frame_have : size;
		memcpy(t->frame + t->frame_have, data, n);
		t->frame_have += n;
		data += n;
		size -= n;
		if (t->frame_have < FILES_HEADER)
			continue;
		size_t length = frame_size(t->frame);
		if (length == 0 || length > TREE_FRAME_MAX || t->frame[3] >= t->n_trees)
			return refuse(e, EPROTO, "files: a frame of %zu bytes for tree %u", length,
				      t->frame[3]);
		if (t->frame_have < FILES_HEADER + length)
			continue;
		int r = tree_receive(t->trees[t->frame[3]], t->frame + FILES_HEADER, length, e);
		if (r < 0)
			return r;
		t->frame_have = 0;
	}
	return 0;
}

static int feed_memory(struct target *t, const uint8_t *data, size_t size, struct error *e)
{
	return page_store_feed(t->store, data, size, e);
}

static int feed_images(struct target *t, const uint8_t *data, size_t size, struct error *e)
{
	return imagestream_feed(t->image_stream, data, size, e);
}

/* What the stream has now; at its end the descriptor is closed. */
static int take_stream(struct target *t, int *fd,
		       int (*feed)(struct target *t, const uint8_t *data, size_t size, struct error *e),
		       struct error *e)
{
	ssize_t n = recv(*fd, t->chunk, CHUNK, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return fail(e, errno, "read a stream");
	if (n == 0) {
		replace_fd(fd, -1);
		return 0;
	}
	return feed(t, t->chunk, (size_t)n, e);
}

static int take_streams(struct migration *m, bool *ret_message, struct error *e)
{
	struct target *t = m->target;
	struct pollfd p[5] = { { .fd = m->channel->messages, .events = POLLIN },
			       { .fd = t->memory_fd, .events = POLLIN },
			       { .fd = t->images_fd, .events = POLLIN },
			       { .fd = t->files_fd, .events = POLLIN },
			       { .fd = interrupt_fd(), .events = POLLIN } };
	int r = 0;

	int n = poll(p, 5, m->timeout_ms);
	if (n < 0 && errno != EINTR)
		return fail(e, errno, "poll");
	if (n == 0)
		return refuse(e, ETIMEDOUT, "nothing came from the source for %d ms", m->timeout_ms);
	if (p[4].revents)
		r = interrupt_pending(e);
	if (r == 0 && p[1].revents)
		r = take_stream(t, &t->memory_fd, feed_memory, e);
	if (r == 0 && p[2].revents)
		r = take_stream(t, &t->images_fd, feed_images, e);
	if (r == 0 && p[3].revents)
		r = take_stream(t, &t->files_fd, feed_files, e);
	*ret_message = p[0].revents;
	return r;
}

int arrive_until_message(struct migration *m, struct error *e)
{
	bool message = false;
	int r = 0;

	while (r == 0 && !message)
		r = take_streams(m, &message, e);
	return r;
}

static bool files_are_whole(const struct target *t)
{
	for (size_t i = 0; i < t->n_trees; i++)
		if (!tree_receive_ended(t->trees[i]))
			return false;
	return t->frame_have == 0;
}

/* A message before the end can only be an abort: the next one that is waited for tells. */
int arrive_all(struct migration *m, struct error *e)
{
	struct target *t = m->target;
	bool message = false;
	int r = 0;

	while (r == 0 && (t->memory_fd >= 0 || t->images_fd >= 0 || t->files_fd >= 0)) {
		r = take_streams(m, &message, e);
		if (r == 0 && message) {
			struct message unexpected; /* an abort is told as what it says */
			r = message_expect(m->channel, MESSAGE_MAX, m->timeout_ms, &unexpected, e);
		}
	}
	if (r < 0)
		return r;
	if (!page_store_is_final(t->store) || !imagestream_is_whole(t->image_stream) || !files_are_whole(t))
		return refuse(e, EPROTO, "a stream of the source ended before its time");
	return 0;
}
