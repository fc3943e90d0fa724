/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measure.c - what the page machinery costs, for tests/bench/pages
 *
 *	measure hash		GB/s of the page hash, of the zero check and of the frames' checksum
 *	measure stream MIB	MB/s of sender, socket and store between two processes, beside the bare socket
 *	measure memory PID...	for each codec: bytes on the wire per resident byte, processor seconds per GB, of the
 *				real memory of these processes
 *	measure track PID N	N rounds of own tracking: stop, scan, pages
 * Prints lines of NAME VALUE UNIT. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/pagehash.h"
#include "checkpoint/pages.h"
#include "checkpoint/pagestore.h"
#include "checkpoint/track.h"
#include "checkpoint/wp_internal.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double used(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void die(const struct error *e)
{
	fprintf(stderr, "measure: %s\n", e->msg);
	exit(1);
}

static void noise(uint8_t *at, size_t size)
{
	uint64_t x = 88172645463325252ULL;

	for (size_t i = 0; i + 8 <= size; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(at + i, &x, 8);
	}
}

static int measure_hash(void)
{
	const size_t size = 256 << 10, rounds = 4000;
	uint8_t *data = aligned_alloc(4096, size);
	struct page_key key;
	struct error e;
	uint64_t sum = 0;
	double begun;

	if (!data || page_key_make(&key, &e) < 0)
		return 1;
	noise(data, size);
	begun = now();
	for (size_t i = 0; i < rounds; i++)
		for (size_t p = 0; p < size; p += 4096)
			sum ^= page_hash(&key, data + p, 4096).b;
	printf("hash %.2f GB/s\n", (double)(size * rounds) / (now() - begun) / 1e9);
	begun = now();
	for (size_t i = 0; i < rounds; i++)
		sum = page_sum(sum, data, size);
	printf("checksum %.2f GB/s\n", (double)(size * rounds) / (now() - begun) / 1e9);
	memset(data, 0, size);
	begun = now();
	for (size_t i = 0; i < rounds; i++)
		for (size_t p = 0; p < size; p += 4096)
			sum += page_is_zero(data + p, 4096);
	printf("zero-check %.2f GB/s\n", (double)(size * rounds) / (now() - begun) / 1e9);
	free(data);
	return sum == 1;
}

/* ---- streams ---- */

static int to_socket(void *arg, const struct iovec *pieces, int n, struct error *e)
{
	for (int i = 0; i < n; i++) {
		int r = io_write_all(*(int *)arg, pieces[i].iov_base, pieces[i].iov_len, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* With `store` into the store, else into a plain memfd: both end in memory that stays. */
static void receive(int fd, bool store, uint64_t limit)
{
	struct page_store *s = NULL;
	struct error e = { 0 };
	const size_t size = 256 << 10;
	uint8_t *buffer = aligned_alloc(4096, size);
	ssize_t n;

	if (store && page_store_new(limit, &s, &e) < 0)
		die(&e);
	int plain = memfd_create("plain", MFD_CLOEXEC);
	while ((n = read(fd, buffer, size)) > 0)
		if (!store && io_write_all(plain, buffer, (size_t)n, &e) < 0)
			die(&e);
		else if (store && page_store_feed(s, buffer, (size_t)n, &e) < 0)
			die(&e);
	if (store && !page_store_is_final(s))
		exit(1);
	if (getenv("VERBOSE"))
		fprintf(stderr, "receiver: %.3f s of processor time\n", used(RUSAGE_SELF));
	exit(0);
}

static void send_pages(int fd, uint8_t *data, size_t size)
{
	const struct page_sender_options o = { .codec = PAGE_CODEC_NONE };
	const struct page_sink sink = { to_socket, &fd };
	struct page_sender *s = NULL;
	struct error e = { 0 };
	int r = page_sender_new(&o, &sink, &s, &e);

	if (r == 0)
		r = page_sender_begin(s, true, &e);
	for (size_t at = 0; r == 0 && at < size; at += 256 << 10)
		r = page_sender_add(s, page_image(PAGE_TASK, 1), 0x10000000 + at, 64, PAGE_LAZY, data + at,
				    &e);
	if (r == 0)
		r = page_sender_end(s, &e);
	if (r < 0)
		die(&e);
	page_sender_free(s);
}

static double stream(uint8_t *data, size_t size, bool pages)
{
	int pair[2], status;
	double begun;
	struct error e;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		close(pair[0]);
		receive(pair[1], pages, size + (64 << 20));
	}
	close(pair[1]);
	begun = now();
	if (pages)
		send_pages(pair[0], data, size);
	else
		for (size_t at = 0; at < size; at += 256 << 10)
			if (io_write_all(pair[0], data + at, 256 << 10, &e) < 0)
				die(&e);
	close(pair[0]);
	waitpid(pid, &status, 0);
	if (status)
		exit(1);
	return (double)size / (now() - begun) / 1e6;
}

static int measure_stream(size_t mib)
{
	size_t size = mib << 20;
	uint8_t *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
			     -1, 0);
	double bare[5], pages[5];

	if (data == MAP_FAILED)
		return 1;
	noise(data, size);
	for (int i = 0; i < 5; i++) {
		bare[i] = stream(data, size, false);
		pages[i] = stream(data, size, true);
		printf("bare %.0f MB/s\npages %.0f MB/s\n", bare[i], pages[i]);
	}
	return 0;
}

/* ---- real memory ---- */

static uint64_t swallowed;

static int swallow(void *arg, const struct iovec *pieces, int n, struct error *e)
{
	(void)arg;
	(void)e;
	for (int i = 0; i < n; i++)
		swallowed += pieces[i].iov_len;
	return 0;
}

/* All present pages of what an image would hold, one after the other. */
static uint8_t *snapshot(char **pids, size_t *ret_size)
{
	size_t room = 4ULL << 30, size = 0;
	uint8_t *all = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			    -1, 0);

	for (; *pids; pids++) {
		char path[64], line[512];
		struct wp_mapping m;

		str_format(path, sizeof(path), "/proc/%s/mem", *pids);
		int mem = open(path, O_RDONLY | O_CLOEXEC);
		str_format(path, sizeof(path), "/proc/%s/pagemap", *pids);
		int map = open(path, O_RDONLY | O_CLOEXEC);
		str_format(path, sizeof(path), "/proc/%s/maps", *pids);
		FILE *maps = fopen(path, "re");
		while (maps && fgets(line, sizeof(line), maps)) {
			if (wp_mapping_parse(line, &m) < 0 || m.kind == WP_SKIP)
				continue;
			for (uint64_t at = m.start; at < m.end && size + 4096 <= room; at += 4096) {
				uint64_t entry;
				if (pread(map, &entry, 8, (off_t)(at / 4096 * 8)) == 8 && entry >> 62 &&
				    (m.kind == WP_SHARED || !(entry >> 61 & 1)) &&
				    pread(mem, all + size, 4096, (off_t)at) == 4096)
					size += 4096;
			}
		}
		if (maps)
			fclose(maps);
		close(mem);
		close(map);
	}
	*ret_size = size;
	return all;
}

static void measure_codec(const char *name, enum page_codec codec, int level, const uint8_t *all, size_t size)
{
	const struct page_sender_options o = { .codec = codec, .level = level };
	const struct page_sink sink = { swallow, NULL };
	struct page_sender *s = NULL;
	struct page_stats stats;
	struct error e = { 0 };
	double begun;
	int r = page_sender_new(&o, &sink, &s, &e);

	swallowed = 0;
	begun = used(RUSAGE_SELF);
	if (r == 0)
		r = page_sender_begin(s, true, &e);
	for (size_t at = 0; r == 0 && at < size; at += 256 << 10) {
		size_t n = size - at < 256 << 10 ? size - at : 256 << 10;
		r = page_sender_add(s, page_image(PAGE_TASK, 1), 0x10000000 + at, n / 4096, PAGE_LAZY,
				    all + at, &e);
	}
	if (r == 0)
		r = page_sender_end(s, &e);
	if (r < 0)
		die(&e);
	page_sender_stats(s, &stats);
	printf("%s-bytes %.3f of resident\n%s-cpu %.2f s/GB\n", name, (double)swallowed / (double)size, name,
	       (used(RUSAGE_SELF) - begun) / ((double)size / 1e9));
	if (codec == PAGE_CODEC_NONE)
		printf("resident %.1f MB\nzero %.3f of pages\nduplicate %.3f of pages\n", (double)size / 1e6,
		       (double)stats.zero / (double)stats.seen, (double)stats.duplicate / (double)stats.seen);
	page_sender_free(s);
}

static int measure_memory(char **pids)
{
	size_t size;
	uint8_t *all = snapshot(pids, &size);

	if (!size)
		return 1;
	measure_codec("none", PAGE_CODEC_NONE, 0, all, size);
	measure_codec("lz4", PAGE_CODEC_LZ4, 0, all, size);
	measure_codec("zstd-fast", PAGE_CODEC_ZSTD, -3, all, size);
	measure_codec("zstd-1", PAGE_CODEC_ZSTD, 1, all, size);
	measure_codec("zstd-3", PAGE_CODEC_ZSTD, 3, all, size);
	return 0;
}

/* ---- tracking ---- */

static int list_one(void *arg, pid_t **ret, size_t *ret_n, struct error *e)
{
	*ret = malloc(sizeof(pid_t));
	if (!*ret)
		return fail(e, ENOMEM, "list");
	**ret = *(pid_t *)arg;
	*ret_n = 1;
	return 0;
}

static int measure_track(pid_t pid, int rounds)
{
	const struct page_sender_options o = { 0 };
	const struct page_sink sink = { swallow, NULL };
	const struct track_source source = { list_one, NULL, &pid, pid };
	struct track_round_stats stats;
	struct page_sender *s = NULL;
	struct tracker *t = NULL;
	struct error e = { 0 };
	int r = page_sender_new(&o, &sink, &s, &e);

	if (r == 0)
		r = tracker_new(TRACK_WP, &source, &t, &e);
	for (int i = 0; i < rounds && r == 0; i++) {
		struct timespec pause = { 0, 200000000 };

		r = page_sender_begin(s, false, &e);
		if (r == 0)
			r = tracker_round(t, s, -1, &stats, &e);
		if (r == 0)
			r = page_sender_end(s, &e);
		if (i == 0)
			printf("stop %.2f ms\n", (double)stats.stopped_us_max / 1000);
		printf("%s-scan %.2f ms\n%s-dirty %lu pages\n%s-round %.1f ms\n", i ? "later" : "first",
		       (double)stats.scan_us / 1000, i ? "later" : "first", (unsigned long)stats.dirty,
		       i ? "later" : "first", (double)stats.duration_us / 1000);
		nanosleep(&pause, NULL);
	}
	if (r < 0)
		die(&e);
	double begun = now();
	tracker_free(t);
	printf("disarm %.2f ms\n", (now() - begun) * 1000);
	page_sender_free(s);
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0); /* there are forks */
	if (argc >= 2 && str_eq(argv[1], "hash"))
		return measure_hash();
	if (argc >= 3 && str_eq(argv[1], "stream"))
		return measure_stream(strtoul(argv[2], NULL, 0));
	if (argc >= 3 && str_eq(argv[1], "memory"))
		return measure_memory(argv + 2);
	if (argc >= 4 && str_eq(argv[1], "track"))
		return measure_track(atoi(argv[2]), atoi(argv[3]));
	fprintf(stderr, "see the top of measure.c\n");
	return 2;
}
