/* SPDX-License-Identifier: GPL-2.0-or-later */
/* feed.c - a fuzz target without the fuzzer: each file of its corpus once, and every prefix of each
 *
 * For `make check`, with any compiler. FEED_CORPUS is the corpus directory below the source tree, which make
 * names in the variable srcdir. The argument, if any, is a directory instead. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "tests/fuzz/fuzz.h"

/* A copy of exactly this size, so that a sanitizer sees a read behind it. */
static void feed(const char *text, size_t size)
{
	auto_free uint8_t *data = malloc(size ? size : 1);

	if (!data)
		exit(99);
	memcpy(data, text, size);
	LLVMFuzzerTestOneInput(data, size);
}

static int feed_file(int dir, const char *name)
{
	auto_free char *text = NULL;
	struct error e = { 0 };
	size_t size;

	if (io_read_file(dir, name, 16U << 20, &text, &size, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		return -1;
	}
	feed(text, size);
	/* Prefixes: all of a short text, some hundred of a long one. */
	for (size_t n = 0; n < size; n += 1 + size / 500)
		feed(text, n);
	return 0;
}

int main(int argc, char **argv)
{
	char path[4096];
	size_t count = 0;
	const char *srcdir = getenv("srcdir");

	if (argc > 1)
		str_format(path, sizeof(path), "%s", argv[1]);
	else
		str_format(path, sizeof(path), "%s/%s", srcdir ? srcdir : ".", FEED_CORPUS);
	DIR *d = opendir(path);
	if (!d) {
		perror(path);
		return 1;
	}
	for (struct dirent *entry; (entry = readdir(d));) {
		if (entry->d_name[0] == '.')
			continue;
		if (feed_file(dirfd(d), entry->d_name) < 0)
			return 1;
		count++;
	}
	closedir(d);
	printf("%zu files\n", count);
	return count ? 0 : 1;
}
