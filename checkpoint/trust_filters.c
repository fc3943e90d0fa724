/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trust_filters.c - are the seccomp filters in the images the config's?
 *
 * That a task has a filter, /proc tells; not which. The images do: seccomp.img holds every filter, each with
 * the number of the one it was put upon. A chain's first filter is what the runtime installed, so every
 * filter that stands upon nothing must be the one that the destination's config compiles to; then no task
 * with a filter is without that one. CRIU: images/seccomp.proto, images/image-desc.c. */
#include <errno.h>
#include <string.h>

#include "checkpoint/imagedir.h"
#include "checkpoint/trust.h"
#include "runtime/base/io.h"

#define SECCOMP_IMAGE "seccomp.img"
#define IMAGE_MAGIC   0x54564319U /* of images since 1.1: followed by the kind's own */
#define SECCOMP_MAGIC 0x64413049U
#define IMAGE_LIMIT   (64U << 20)

/* What is left of a protobuf message. */
struct bytes {
	const uint8_t *p;
	size_t size;
};

static int take_varint(struct bytes *b, uint64_t *ret)
{
	uint64_t value = 0;

	for (int shift = 0; shift < 64; shift += 7) {
		if (!b->size)
			return -EBADMSG;
		uint8_t byte = *b->p++;
		b->size--;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return 0;
		}
	}
	return -EBADMSG;
}

/* The next field: its number, and its bytes (wire type 2) or its value. 1; 0 at the end. */
static int take_field(struct bytes *b, uint64_t *ret_number, struct bytes *ret_bytes, uint64_t *ret_value)
{
	uint64_t key, n;

	if (!b->size)
		return 0;
	if (take_varint(b, &key) < 0)
		return -EBADMSG;
	*ret_number = key >> 3;
	*ret_bytes = (struct bytes){ 0 };
	switch (key & 7) {
	case 0:
		return take_varint(b, ret_value) < 0 ? -EBADMSG : 1;
	case 1:
		n = 8;
		break;
	case 2:
		if (take_varint(b, &n) < 0)
			return -EBADMSG;
		break;
	case 5:
		n = 4;
		break;
	default:
		return -EBADMSG;
	}
	if (n > b->size)
		return -EBADMSG;
	*ret_bytes = (struct bytes){ b->p, (size_t)n };
	b->p += n;
	b->size -= (size_t)n;
	return 1;
}

/* message seccomp_filter { bytes filter = 1; uint32 prev = 2; uint32 flags = 3; } */
static int check_filter(struct bytes message, const void *program, size_t size, struct error *e)
{
	struct bytes filter = { 0 }, field;
	bool stands_upon = false;
	uint64_t number, value;
	int r;

	while ((r = take_field(&message, &number, &field, &value)) > 0) {
		if (number == 1)
			filter = field;
		stands_upon |= number == 2;
	}
	if (r < 0)
		return refuse(e, EBADMSG, SECCOMP_IMAGE ": not understood");
	if (!stands_upon && (filter.size != size || memcmp(filter.p, program, size) != 0))
		return refuse(e, EPERM,
			      "the images' seccomp filter (%zu bytes) is not the one that the config's "
			      "linux.seccomp makes (%zu bytes)",
			      filter.size, size);
	return 0;
}

static uint32_t word(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/* (pure) */
int trust_parse_filters(const void *image, size_t image_size, const void *program, size_t size,
			struct error *e)
{
	const uint8_t *p = image;
	struct bytes field;
	uint64_t number, value;
	int r;

	if (image_size < 12 || word(p) != IMAGE_MAGIC || word(p + 4) != SECCOMP_MAGIC ||
	    word(p + 8) > image_size - 12)
		return refuse(e, EBADMSG, SECCOMP_IMAGE ": not understood");
	struct bytes entry = { p + 12, word(p + 8) };
	while ((r = take_field(&entry, &number, &field, &value)) > 0)
		if (number == 1 && (r = check_filter(field, program, size, e)) < 0)
			return r;
	return r < 0 ? refuse(e, EBADMSG, SECCOMP_IMAGE ": not understood") : 0;
}

int trust_check_filters(int images_dir, const void *program, size_t size, struct error *e)
{
	auto_free char *image = NULL;
	struct error none;
	size_t n;

	auto_close int fd = imagedir_open_file(images_dir, SECCOMP_IMAGE, &none);
	if (fd == -ENOENT) /* no task has a filter: trust_check says so of the first */
		return 0;
	if (fd < 0)
		return refuse(e, -fd, "%s", none.msg);
	int r = io_read_fd(fd, IMAGE_LIMIT, &image, &n, e);
	return r < 0 ? prefix(e, SECCOMP_IMAGE) : trust_parse_filters(image, n, program, size, e);
}
