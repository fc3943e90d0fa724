/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_images.c - what comes with images and exports is a stranger's: parsed or refused, never more
 *
 * The first byte says what the rest is: m a manifest, h an export's head, s a status file, f seccomp.img, t a
 * tar stream (compressed here, so that the fuzzer sees through). */
#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "checkpoint/archive.h"
#include "checkpoint/exporthead.h"
#include "checkpoint/manifest.h"
#include "checkpoint/trust.h"
#include "tests/fuzz/fuzz.h"

static void try_manifest(const char *text, size_t size)
{
	AUTO(manifest) struct manifest *m = NULL;
	struct error e = { 0 };

	assert((manifest_parse(text, size, &m, &e) == 0) == (m != NULL));
	if (m)
		manifest_fits(m, "x86_64", 4096, 40201, &e);
}

static void try_head(const char *text, size_t size)
{
	AUTO(export_head) struct export_head *h = NULL;
	struct error e = { 0 };

	assert((export_head_parse(text, size, &h, &e) == 0) == (h != NULL));
	assert(!h || !strchr(h->export_id, '/'));
}

static void try_status(const char *text, size_t size)
{
	auto_free char *copy = strndup(text, size);
	struct task_creds c = { 0 };
	struct error e = { 0 };

	if (trust_parse_status(copy, &c, &e) == 0)
		task_creds_done(&c);
}

static void try_filters(const char *text, size_t size)
{
	struct error e = { 0 };

	trust_parse_filters(text, size, "12345678", 8, &e);
}

/* To the end, with every content read. */
static void read_all(int fd)
{
	AUTO(archive_reader) struct archive_reader *r = NULL;
	const struct pax_entry *x;
	struct error e = { 0 };

	if (archive_reader_new(fd, NULL, &r, &e) < 0)
		return;
	archive_limit(r, 1 << 20, 1000);
	while (archive_next(r, &x, &e) > 0) {
		auto_free char *text = NULL;
		size_t n;
		assert(x->path[0] != '/' && !strstr(x->path, "//"));
		if (x->type == PAX_FILE && !x->sparse && archive_read_bytes(r, 65536, &text, &n, &e) == 0)
			assert(text[n] == '\0');
	}
}

static void try_tar(const char *data, size_t size)
{
	size_t room = ZSTD_compressBound(size);
	auto_free void *packed = malloc(room);
	size_t n = ZSTD_compress(packed, room, data, size, 1);

	auto_close int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || ZSTD_isError(n) || write(fd, packed, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
		return;
	read_all(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *rest = (const char *)data + 1;

	if (!size)
		return 0;
	switch (data[0]) {
	case 'm':
		try_manifest(rest, size - 1);
		break;
	case 'h':
		try_head(rest, size - 1);
		break;
	case 's':
		try_status(rest, size - 1);
		break;
	case 'f':
		try_filters(rest, size - 1);
		break;
	case 't':
		try_tar(rest, size - 1);
		break;
	default:
		break;
	}
	return 0;
}
