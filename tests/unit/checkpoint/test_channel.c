/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_channel.c - streams over one connection: whole, bounded, apart from each other; strangers; TLS */
#include "tests/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "checkpoint/channel.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

static const struct channel_options usual = { .timeout_ms = 5000 };

static struct transport *adopt(int fd)
{
	struct transport *t;
	struct error e;

	assert_int_equal(transport_adopt(fd, fd, "the test", &t, &e), 0);
	return t;
}

/* Both ends in this process: the second one's greeting waits in the socket. */
static void open_both(const struct channel_options *o, struct channel **a, struct channel **b)
{
	int ends[2], go[2];
	struct error e;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	/* channel_start waits for the other's greeting: one of the two is relayed by a child */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go), 0);
	uint8_t hello[WIRE_GREETING_SIZE];
	const struct wire_greeting g = { WIRE_VERSION, WIRE_OLDEST, codecs_available() };
	wire_put_greeting(&g, hello);
	pid_t relay = fork();
	if (relay == 0) { /* greets both in the other's name, drops the real greetings, then copies */
		if (write(ends[1], hello, sizeof(hello)) < 0 || write(go[1], hello, sizeof(hello)) < 0)
			_exit(1);
		close(ends[0]);
		close(go[0]);
		size_t skip[2] = { WIRE_GREETING_SIZE, WIRE_GREETING_SIZE };
		int fds[2] = { ends[1], go[1] };
		static char buf[65536];
		for (int open = 2; open;) {
			struct pollfd p[2] = { { .fd = fds[0], .events = POLLIN },
					       { .fd = fds[1], .events = POLLIN } };
			poll(p, 2, -1);
			for (int i = 0; i < 2; i++) {
				if (!p[i].revents)
					continue;
				ssize_t n = read(fds[i], buf, sizeof(buf));
				if (n <= 0) {
					shutdown(i ? ends[1] : go[1], SHUT_WR);
					fds[i] = -1;
					open--;
					continue;
				}
				size_t cut = skip[i] < (size_t)n ? skip[i] : (size_t)n;
				skip[i] -= cut;
				struct error ignored;
				if (io_write_all(i ? ends[1] : go[1], buf + cut, (size_t)n - cut, &ignored) <
				    0)
					_exit(1);
			}
		}
		_exit(0);
	}
	close(ends[1]);
	close(go[1]);
	assert_int_equal(channel_start(adopt(ends[0]), o, a, &e), 0);
	assert_int_equal(channel_start(adopt(go[0]), o, b, &e), 0);
}

static void close_both(struct channel *a, struct channel *b)
{
	channel_free(a);
	channel_free(b);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* A child writes `size` bytes that depend on a seed, and ends the stream. */
static void write_from_child(int fd, size_t size, unsigned int seed)
{
	if (fork() == 0) {
		static unsigned char buf[50000];
		struct error e;
		dup2(fd, 3); /* a copy of another stream would keep it open */
		sys_close_range(4, ~0U, 0);
		fd = 3;
		for (size_t done = 0; done < size;) {
			size_t n = size - done < sizeof(buf) ? size - done : sizeof(buf);
			for (size_t i = 0; i < n; i++)
				buf[i] = (unsigned char)((done + i) * seed >> 3);
			if (io_write_all(fd, buf, n, &e) < 0)
				_exit(1);
			done += n;
		}
		_exit(0);
	}
	close(fd);
}

static void expect_stream(int fd, size_t size, unsigned int seed)
{
	static unsigned char buf[70000];
	size_t done = 0;

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));
		assert_true(n >= 0);
		if (n == 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != (unsigned char)((done + (size_t)i) * seed >> 3))
				fail_msg("byte %zu differs", done + (size_t)i);
		done += (size_t)n;
	}
	assert_int_equal(done, size);
	close(fd);
}

/* A carrier counts what it wrote after it has been written: what it carried may be here before. */
static bool counted(const uint64_t *counter, uint64_t at_least)
{
	for (int i = 0; i < 5000; i++) {
		if (__atomic_load_n(counter, __ATOMIC_ACQUIRE) > at_least)
			return true;
		usleep(1000);
	}
	return false;
}

static void carry_whole(enum wire_codec codec)
{
	const struct channel_options o = { .timeout_ms = 5000, .codec = codec };
	struct channel *a, *b;
	int from[3], to[3];
	struct error e;

	open_both(&o, &a, &b);
	for (unsigned int i = 0; i < 3; i++) { /* the receiver may open before or after the sender */
		assert_int_equal(channel_stream(i ? a : b, 1 + i, i ? &from[i] : &to[i], &e), 0);
		assert_int_equal(channel_stream(i ? b : a, 1 + i, i ? &to[i] : &from[i], &e), 0);
	}
	for (unsigned int i = 0; i < 3; i++)
		write_from_child(from[i], 9000000, 3 + i);
	for (unsigned int i = 0; i < 3; i++)
		expect_stream(to[i], 9000000, 3 + i);
	assert_true(a->counters->out[1] == 9000000 && b->counters->in[3] == 9000000);
	if (codec == WIRE_PLAIN)
		assert_true(counted(&a->counters->wire_out, 27000000));
	else
		assert_true(a->counters->wire_out < 9000000);
	close_both(a, b);
}

static void test_streams_arrive_whole(void **state)
{
	(void)state;
	carry_whole(WIRE_PLAIN);
}

static void test_streams_are_compressed(void **state)
{
	(void)state;
	carry_whole(WIRE_ZSTD);
	carry_whole(WIRE_LZ4);
}

/* Nobody reads stream 1: its writer is held up, stream 2 and the messages are not, and nothing grows. */
static void test_slow_reader_holds_up_only_itself(void **state)
{
	struct channel *a, *b;
	int slow_from, slow_to, from, to;
	struct error e;
	char word[6];

	(void)state;
	open_both(&usual, &a, &b);
	assert_int_equal(channel_stream(a, 1, &slow_from, &e), 0);
	assert_int_equal(channel_stream(b, 1, &slow_to, &e), 0);
	assert_int_equal(channel_stream(a, 2, &from, &e), 0);
	assert_int_equal(channel_stream(b, 2, &to, &e), 0);
	write_from_child(slow_from, 30000000, 5);
	write_from_child(from, 9000000, 7);
	expect_stream(to, 9000000, 7);
	assert_true(a->counters->out[1] <= 2 * CHANNEL_WINDOW + (8U << 20)); /* window and socket buffers */
	assert_int_equal(send(a->messages, "hello", 6, 0), 6);
	assert_int_equal(recv(b->messages, word, 6, MSG_WAITALL), 6);
	expect_stream(slow_to, 30000000, 5);
	close_both(a, b);
}

static void test_clock_is_measured(void **state)
{
	struct channel *a, *b;
	struct clock_estimate c;

	(void)state;
	open_both(&usual, &a, &b);
	do { /* eight round trips, at once */
		__atomic_load(&a->counters->clock.trips, &c.trips, __ATOMIC_ACQUIRE);
	} while (c.trips < CHANNEL_FIRST_PINGS && usleep(100) == 0);
	c = a->counters->clock;
	assert_true(c.offset_ns <= c.error_ns && -c.offset_ns <= c.error_ns); /* it is the same clock */
	close_both(a, b);
}

static void test_end_is_told_from_a_cut(void **state)
{
	struct channel *a, *b;
	struct error e;
	char byte;

	(void)state;
	for (int cut = 0; cut < 2; cut++) {
		open_both(&usual, &a, &b);
		assert_int_equal(send(a->messages, "x", 1, 0), 1);
		if (cut) {
			assert_int_equal(recv(b->messages, &byte, 1, 0), 1);
			channel_cut(a);
		}
		channel_free(a);
		if (!cut) /* what was written before the end arrives */
			assert_int_equal(recv(b->messages, &byte, 1, 0), 1);
		assert_int_equal(recv(b->messages, &byte, 1, 0), 0);
		while (!__atomic_load_n(&b->counters->ended, __ATOMIC_ACQUIRE))
			usleep(100);
		assert_int_equal(channel_failure(b, "?", &e), -ECONNRESET);
		assert_non_null(strstr(e.msg, cut ? "the connection broke" : "ended the connection"));
		channel_free(b);
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
}

/* A stranger's bytes after a good greeting: the carrier gives up and says why. */
static const char *stranger(const void *bytes, size_t size, int *ret_code)
{
	static struct error e;
	struct channel *c;
	int ends[2];
	char byte;
	uint8_t hello[WIRE_GREETING_SIZE];
	const struct wire_greeting g = { WIRE_VERSION, WIRE_OLDEST, 1 };

	wire_put_greeting(&g, hello);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(write(ends[1], hello, sizeof(hello)), sizeof(hello));
	assert_int_equal(channel_start(adopt(ends[0]), &usual, &c, &e), 0);
	assert_int_equal(write(ends[1], bytes, size), size);
	assert_int_equal(recv(c->messages, &byte, 1, 0), 0);
	waitpid(c->carrier, NULL, 0);
	c->carrier = 0;
	*ret_code = channel_failure(c, "?", &e);
	channel_free(c);
	close(ends[1]);
	return e.msg;
}

static void test_strangers_are_refused(void **state)
{
	struct {
		struct wire_frame f;
		int code;
		const char *words;
	} cases[] = {
		{ { WIRE_DATA, 7, WIRE_PLAIN, 4, 4, 0 }, -EPROTO, "more of stream 7 than it may" },
		{ { WIRE_FIN, 7, WIRE_PLAIN, 0, 0, 0 }, -EPROTO, "not open" },
		{ { WIRE_CREDIT, 7, WIRE_PLAIN, 4, 4, 0 }, -EPROTO, "impossible credit" },
		{ { WIRE_DATA, 0, WIRE_ZSTD, 4, 4096, 0 }, -EBADMSG, "is damaged" },
		{ { WIRE_DATA, 0, WIRE_PLAIN, 1 << 30, 1 << 30, 0 }, -EPROTO, "are allowed" },
	};
	static uint8_t bytes[WIRE_HEADER_SIZE + 4];

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint32_t real = cases[i].f.length;
		cases[i].f.length = real < 4 ? real : 4;
		wire_put_frame(&cases[i].f, bytes + WIRE_HEADER_SIZE, bytes);
		wire_put_u32(bytes + 4, real);
		int code;
		const char *words = stranger(bytes, WIRE_HEADER_SIZE + cases[i].f.length, &code);
		if (code != cases[i].code || !strstr(words, cases[i].words))
			fail_msg("case %zu: %d: %s", i, code, words);
	}
}

static void test_not_coracle(void **state)
{
	struct channel *c;
	struct error e;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(write(ends[1], "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12\r\n", 38), 38);
	assert_int_equal(channel_start(adopt(ends[0]), &usual, &c, &e), -EPROTO);
	assert_non_null(strstr(e.msg, "does not speak coracle"));
	close(ends[1]);
}

static void test_silence_is_noticed(void **state)
{
	const struct channel_options quick = { .timeout_ms = 200 };
	struct channel *c;
	struct error e;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(channel_start(adopt(ends[0]), &quick, &c, &e), -ETIMEDOUT);
	close(ends[1]);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *user, *host, *port; /* host NULL: refused */
	} cases[] = {
		{ "b", NULL, "b", NULL },	 { "root@b:2222", "root", "b", "2222" },
		{ "b/", NULL, "b", NULL },	 { "[fe80::1%eth0]:22", NULL, "fe80::1%eth0", "22" },
		{ "a@b@c", "a@b", "c", NULL },	 { "-oProxyCommand=x", NULL, NULL, NULL },
		{ "-l@b", NULL, NULL, NULL },	 { "@b", NULL, NULL, NULL },
		{ "", NULL, NULL, NULL },	 { "b:0", NULL, NULL, NULL },
		{ "b:65536", NULL, NULL, NULL }, { "b:22x", NULL, NULL, NULL },
		{ "[::1", NULL, NULL, NULL },	 { "b/path", NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *user = NULL, *host = NULL, *port = NULL;
		struct error e;
		int r = transport_split(cases[i].text, &user, &host, &port, &e);
		if (!cases[i].host) {
			assert_int_equal(r, -EINVAL);
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(host, cases[i].host);
		assert_true(cases[i].user ? user && str_eq(user, cases[i].user) : !user);
		assert_true(cases[i].port ? port && str_eq(port, cases[i].port) : !port);
		free(user);
		free(host);
		free(port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams_arrive_whole),
		cmocka_unit_test(test_streams_are_compressed),
		cmocka_unit_test(test_slow_reader_holds_up_only_itself),
		cmocka_unit_test(test_clock_is_measured),
		cmocka_unit_test(test_end_is_told_from_a_cut),
		cmocka_unit_test(test_strangers_are_refused),
		cmocka_unit_test(test_not_coracle),
		cmocka_unit_test(test_silence_is_noticed),
		cmocka_unit_test(test_addresses),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
