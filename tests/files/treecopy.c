/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treecopy.c - drives the copy of file trees from a test or a benchmark
 *
 *	treecopy copy [--cross] [--exclude PATH]... [--null] SOURCE DESTINATION
 *		sender and receiver in one process; a command per line on stdin, an object of JSON per line on stdout:
 *		measure track all drain pending changes procs PATH PID... end keep sync
 *		--null: frames are counted and thrown away
 *	treecopy send SOURCE		frames on stdout, each with its length (u32) before it
 *	treecopy receive DESTINATION	the same on stdin
 *	treecopy digest DIRECTORY [CACHE]
 *	treecopy layers DIRECTORY */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/tree.h"
#include "checkpoint/treedigest.h"
#include "checkpoint/treelayers.h"
#include "checkpoint/treestream.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void put_text(const char *key, const char *text)
{
	printf(", \"%s\": \"", key);
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\' ||
		    (unsigned char)*text > 0x7e)
			printf("\\u%04x", (unsigned char)*text);
		else
			putchar(*text);
	putchar('"');
}

static void put_number(const char *key, uint64_t x)
{
	printf(", \"%s\": %" PRIu64, key, x);
}

static int finish(int r, const struct error *e)
{
	if (r < 0) {
		put_text("error", e->msg);
		put_number("errno", (uint64_t)-r);
	}
	puts("}");
	fflush(stdout);
	return r < 0;
}

struct copy {
	struct tree_sender *sender;
	struct tree_receiver *receiver;
	struct tree_tracker *tracker;
};

static int to_receiver(void *arg, const void *frame, size_t size, struct error *e)
{
	struct copy *c = arg;

	return c->receiver ? tree_receive(c->receiver, frame, size, e) : 0;
}

static int processes(struct copy *c, char *rest, struct error *e)
{
	pid_t pids[256];
	size_t count = 0;
	char *path = strsep(&rest, " ");

	for (char *pid; count < COUNT_OF(pids) && (pid = strsep(&rest, " "));)
		pids[count++] = atoi(pid);
	return tree_track_processes(c->tracker, pids, count, path, e);
}

static int pending(struct copy *c, struct error *e)
{
	struct tree_pending p = { 0 };
	int r = tree_track_pending(c->tracker, &p, e);

	if (r == 0) {
		put_number("entries", p.entries);
		put_number("pending_bytes", p.bytes);
		put_number("all", p.all);
		put_number("walk", p.walk);
	}
	return r;
}

static int measure(struct copy *c, struct error *e)
{
	struct tree_size size = { 0 };
	int r = tree_measure(c->sender, &size, e);

	if (r == 0) {
		put_number("entries", size.entries);
		put_number("disk", size.bytes);
	}
	return r;
}

static int keep(struct copy *c)
{
	if (c->receiver)
		tree_receiver_keep(c->receiver);
	return 0;
}

static int obey(struct copy *c, char *line, struct error *e)
{
	char *rest = line, *word = strsep(&rest, " ");

	if (str_eq(word, "measure"))
		return measure(c, e);
	if (str_eq(word, "track"))
		return tree_track_new(c->sender, &c->tracker, e);
	if (str_eq(word, "all"))
		return tree_send_all(c->sender, c->tracker, e);
	if (str_eq(word, "drain"))
		return tree_track_drain(c->tracker, e);
	if (str_eq(word, "pending"))
		return pending(c, e);
	if (str_eq(word, "changes"))
		return tree_send_changes(c->sender, c->tracker, e);
	if (str_eq(word, "procs"))
		return processes(c, rest, e);
	if (str_eq(word, "end"))
		return tree_send_end(c->sender, e);
	if (str_eq(word, "sync"))
		return tree_receiver_sync(c->receiver, e);
	if (str_eq(word, "keep"))
		return keep(c);
	return refuse(e, EINVAL, "no command %s", word);
}

/* The largest memory of this program: ru_maxrss knows that of the program before exec, too. */
static uint64_t peak_kib(void)
{
	char text[4096];
	struct error ignored;

	if (io_read_small(AT_FDCWD, "/proc/self/status", text, sizeof(text), &ignored) < 0)
		return 0;
	const char *line = strstr(text, "VmHWM:");
	return line ? strtoull(line + strlen("VmHWM:"), NULL, 10) : 0;
}

static void report(const struct copy *c, uint64_t since)
{
	struct tree_counts counts;
	struct rusage u;

	tree_sender_counts(c->sender, &counts);
	getrusage(RUSAGE_SELF, &u);
	put_number("us", (now_ns() - since) / 1000);
	put_number("sent", counts.entries);
	put_number("removed", counts.removed);
	put_number("data", counts.data);
	put_number("frames", counts.frames);
	put_number("bytes", counts.bytes);
	put_number("rss_kib", peak_kib());
	put_number("cpu_us", (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
				     (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec));
	put_number("events", c->tracker && tree_track_fd(c->tracker) >= 0);
	put_number("ended", c->receiver && tree_receive_ended(c->receiver));
}

static int obey_lines(struct copy *c)
{
	char line[65536];

	while (fgets(line, sizeof(line), stdin)) {
		struct error e = { 0 };
		line[strcspn(line, "\n")] = '\0';
		printf("{\"ok\": 1");
		uint64_t since = now_ns();
		int r = obey(c, line, &e);
		report(c, since);
		if (finish(r, &e))
			return 1;
	}
	return 0;
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		perror(path);
	return fd;
}

static int copy(int argc, char **argv)
{
	char *excluded[16] = { NULL };
	struct tree_from from = { .excluded = excluded };
	struct tree_limits limits = { 0 };
	struct copy c = { 0 };
	struct error e = { 0 };
	int at = 0, count = 0;
	bool null = false;

	for (; at < argc && argv[at][0] == '-'; at++) {
		if (str_eq(argv[at], "--cross"))
			from.cross_mounts = true;
		else if (str_eq(argv[at], "--null"))
			null = true;
		else if (str_eq(argv[at], "--limit-bytes"))
			limits.bytes = strtoull(argv[++at], NULL, 10);
		else if (str_eq(argv[at], "--limit-entries"))
			limits.entries = strtoull(argv[++at], NULL, 10);
		else if (str_eq(argv[at], "--exclude"))
			excluded[count++] = argv[++at];
	}
	auto_close int source = open_dir(argv[at]);
	from.root = source;
	from.name = argv[at];
	int r = source < 0 ? -errno : tree_sender_new(&from, to_receiver, &c, &c.sender, &e);
	if (r == 0 && !null) {
		auto_close int dir = open_dir(argv[at + 1]);
		r = dir < 0 ? -errno : tree_receiver_new(dir, argv[at + 1], &limits, &c.receiver, &e);
	}
	if (r < 0)
		printf("{\"ok\": 0");
	int status = r < 0 ? finish(r, &e) : obey_lines(&c);
	tree_track_free(c.tracker);
	tree_sender_free(c.sender);
	tree_receiver_free(c.receiver);
	return status;
}

static int send_tree(const char *path)
{
	struct error e = { 0 };
	int out = 1;
	auto_close int dir = open_dir(path);
	struct tree_from from = { .root = dir, .name = path };
	AUTO(tree_sender) struct tree_sender *s = NULL;
	int r = tree_sender_new(&from, tree_to_stream, &out, &s, &e);

	if (r == 0)
		r = tree_send_all(s, NULL, &e);
	if (r == 0)
		r = tree_send_end(s, &e);
	if (r < 0)
		fprintf(stderr, "%s\n", e.msg);
	return r < 0;
}

static int receive(const char *path)
{
	struct tree_limits limits = { 0 };
	struct error e = { 0 };
	AUTO(tree_receiver) struct tree_receiver *receiver = NULL;
	auto_close int dir = open_dir(path);
	int r = tree_receiver_new(dir, path, &limits, &receiver, &e);

	if (r == 0)
		r = tree_from_stream(receiver, 0, &e);
	if (r == 0 && tree_receive_ended(receiver))
		tree_receiver_keep(receiver);
	printf("{\"ok\": 1");
	put_number("ended", receiver && tree_receive_ended(receiver));
	return finish(r, &e);
}

static int digest(const char *path, const char *cache_path)
{
	struct error e = { 0 };
	uint8_t digest[HASH_SIZE];
	char hex[HASH_HEX_SIZE];
	auto_close int dir = open_dir(path);
	auto_close int cache = cache_path ? open_dir(cache_path) : -1;
	uint64_t since = now_ns();
	int r = tree_digest(dir, path, cache, digest, &e);

	printf("{\"ok\": 1");
	put_number("us", (now_ns() - since) / 1000);
	if (r == 0) {
		hash_hex(digest, hex);
		put_text("digest", hex);
	}
	return finish(r, &e);
}

static int layers(const char *path)
{
	struct error e = { 0 };
	struct tree_layers l = { 0 };
	AUTO(arena) struct arena *a = arena_new();
	auto_close int dir = open_dir(path);
	int r = tree_layers_of(dir, path, a, &l, &e);

	printf("{\"ok\": 1");
	put_number("overlay", r == 1);
	put_text("upper", l.upper ? l.upper : "");
	put_text("work", l.work ? l.work : "");
	for (size_t i = 0; i < l.lower_count; i++) {
		char key[32];
		snprintf(key, sizeof(key), "lower%zu", i);
		put_text(key, l.lower[i]);
	}
	return finish(r, &e);
}

int main(int argc, char **argv)
{
	if (argc >= 4 && str_eq(argv[1], "copy"))
		return copy(argc - 2, argv + 2);
	if (argc == 3 && str_eq(argv[1], "send"))
		return send_tree(argv[2]);
	if (argc == 3 && str_eq(argv[1], "receive"))
		return receive(argv[2]);
	if ((argc == 3 || argc == 4) && str_eq(argv[1], "digest"))
		return digest(argv[2], argv[3]);
	if (argc == 3 && str_eq(argv[1], "layers"))
		return layers(argv[2]);
	fprintf(stderr, "treecopy: see the head of tests/files/treecopy.c\n");
	return 2;
}
