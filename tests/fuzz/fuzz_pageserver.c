/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_pageserver.c - any bytes as CRIU's page server protocol */
#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checkpoint/pages.h"
#include "tests/fuzz/fuzz.h"

static int swallow(void *arg, const struct iovec *pieces, int n, struct error *e)
{
	size_t size = 0;

	(void)arg, (void)e;
	for (int i = 0; i < n; i++)
		size += pieces[i].iov_len;
	assert(size <= PAGE_FRAME_MAX);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct page_sender_options o = { .codec = size ? data[0] % PAGE_CODEC_MAX : 0 };
	const struct page_sink sink = { swallow, NULL };
	AUTO(page_sender) struct page_sender *s = NULL;
	AUTO(page_server) struct page_server *ps = NULL;
	struct error e = { 0 };
	int pair[2], r;

	if (size > 65536 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return 0;
	if (page_sender_new(&o, &sink, &s, &e) < 0 || page_server_new(s, pair[0], true, &ps, &e) < 0 ||
	    page_sender_begin(s, false, &e) < 0)
		abort();
	if (write(pair[1], data, size) == (ssize_t)size) {
		shutdown(pair[1], SHUT_WR);
		do
			r = page_server_step(ps, &e);
		while (r == 0);
		assert((r < 0) == (e.msg[0] != '\0'));
	}
	close(pair[0]);
	close(pair[1]);
	return 0;
}
