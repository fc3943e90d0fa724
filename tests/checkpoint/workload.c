/* SPDX-License-Identifier: GPL-2.0-or-later */
/* workload.c - what a checkpoint has to bring back, one mode per kind of state; it judges itself
 *
 *	workload MODE [ARG...]	make that state, then answer questions at /ctl, a unix socket, until killed
 *	workload ask WORD	one question to the workload that runs beside us: prints the answer, 0 if it is "ok"
 *
 * "ready" is answered when the state is made, "check" after it was looked at and used: a mode's check does not
 * compare notes alone but goes on with what it has (reads what was left in the pipe, sends on the socket,
 * waits for the timer), and makes new state for the next check. Static, and needs nothing in its root. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static char answer[512] = "ok";
static char **arguments;

/* The first thing that is wrong is told. */
static void wrong(const char *fmt, ...)
{
	va_list ap;

	if (strcmp(answer, "ok") != 0)
		return;
	va_start(ap, fmt);
	vsnprintf(answer, sizeof(answer), fmt, ap);
	va_end(ap);
}

#define MUST(what) ((what) ? (void)0 : wrong("line %d: %s (%s)", __LINE__, #what, strerror(errno)))
#define NEED(what)                                                                                        \
	do {                                                                                              \
		if (!(what)) {                                                                            \
			fprintf(stderr, "workload: line %d: %s: %s\n", __LINE__, #what, strerror(errno)); \
			exit(99);                                                                         \
		}                                                                                         \
	} while (0)

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	return n == 1 && p.revents & POLLIN;
}

static uint64_t hash(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t h = 1469598103934665603ULL;

	for (uint64_t word; n; p += word, n -= word) {
		uint64_t part = 0;
		word = n < 8 ? n : 8;
		memcpy(&part, p, word);
		h = (h ^ part) * 1099511628211ULL;
	}
	return h;
}

static void fill(void *data, size_t n, uint64_t seed)
{
	unsigned char *p = data;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		memcpy(p + i, &seed, 8);
	}
}

static void await(const volatile long *value, long above)
{
	for (int i = 0; *value <= above && i < 10000; i++)
		usleep(1000);
}

/* ---- memory: a thread keeps writing pages, each with a sum of its own ---- */

enum { PAGE = 4096 };
struct page {
	uint64_t sum, generation;
	unsigned char data[PAGE - 16];
};
static struct page *pages;
static size_t n_pages = 2048;
static volatile long written;
static pthread_mutex_t page_lock = PTHREAD_MUTEX_INITIALIZER;

static void write_page(struct page *p, uint64_t generation)
{
	p->generation = generation;
	fill(p->data, sizeof(p->data), generation * 31 + (uint64_t)(p - pages));
	p->sum = hash(&p->generation, PAGE - 8);
}

static void *write_pages(void *arg)
{
	(void)arg;
	for (uint64_t n = 1;; n++) {
		pthread_mutex_lock(&page_lock);
		write_page(&pages[n * 7919 % n_pages], n);
		written++;
		pthread_mutex_unlock(&page_lock);
		if (n % 64 == 0)
			usleep(1000);
	}
	return NULL;
}

static void memory_setup(void)
{
	pthread_t t;

	if (arguments[0])
		n_pages = (size_t)atoi(arguments[0]) * 256; /* MB */
	pages = mmap(NULL, n_pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(pages != MAP_FAILED);
	for (size_t i = 0; i < n_pages; i++)
		write_page(&pages[i], 0);
	NEED(pthread_create(&t, NULL, write_pages, NULL) == 0);
}

static void memory_check(void)
{
	long before = written;

	pthread_mutex_lock(&page_lock);
	for (size_t i = 0; i < n_pages; i++)
		if (pages[i].sum != hash(&pages[i].generation, PAGE - 8))
			wrong("page %zu has the wrong sum", i);
	pthread_mutex_unlock(&page_lock);
	await(&written, before);
	MUST(written > before);
}

/* ---- threads ---- */

static volatile long beats[24];
static __thread long own;

static void *beat(void *arg)
{
	long i = (long)arg;
	char name[16];

	snprintf(name, sizeof(name), "beat-%ld", i);
	pthread_setname_np(pthread_self(), name);
	for (own = i;; own += COUNT_OF(beats)) {
		beats[i]++;
		usleep(500);
		if (own % (long)COUNT_OF(beats) != i)
			wrong("thread %ld has lost its thread-local variable", i);
	}
	return NULL;
}

static void threads_setup(void)
{
	pthread_t t;

	for (long i = 0; i < (long)COUNT_OF(beats); i++)
		NEED(pthread_create(&t, NULL, beat, (void *)i) == 0);
	for (size_t i = 0; i < COUNT_OF(beats); i++)
		await(&beats[i], 0);
}

static void threads_check(void)
{
	for (size_t i = 0; i < COUNT_OF(beats); i++) {
		long before = beats[i];
		await(&beats[i], before);
		if (beats[i] <= before)
			wrong("thread %zu does not run", i);
	}
}

/* ---- processes: a tree, with pipes both ways, a zombie, an orphan, sessions and groups ---- */

enum { CHILDREN = 20 };
static struct child {
	int to, from;
	pid_t pid, group, session;
} children[CHILDREN];
static pid_t zombie;

static void child_main(int in, int out)
{
	char word;

	while (read(in, &word, 1) == 1) {
		int told[4] = { getpid(), getppid(), getpgrp(), getsid(0) };
		if (write(out, told, sizeof(told)) != sizeof(told))
			break;
	}
	_exit(0);
}

static void processes_setup(void)
{
	for (int i = 0; i < CHILDREN; i++) {
		int a[2], b[2];
		NEED(pipe(a) == 0 && pipe(b) == 0);
		pid_t pid = fork();
		NEED(pid >= 0);
		if (pid == 0) {
			if (i % 3 == 1)
				setpgid(0, 0);
			if (i % 3 == 2)
				setsid();
			child_main(a[0], b[1]);
		}
		close(a[0]);
		close(b[1]);
		children[i] = (struct child){ a[1], b[0], pid, 0, 0 };
	}
	for (int i = 0; i < CHILDREN; i++) {
		int told[4];
		NEED(write(children[i].to, "?", 1) == 1 &&
		     read(children[i].from, told, sizeof(told)) == sizeof(told));
		children[i].group = told[2];
		children[i].session = told[3];
	}
	zombie = fork();
	if (zombie == 0)
		_exit(42);
	siginfo_t info;
	NEED(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT) == 0);
}

static void processes_check(void)
{
	int told[4], status;

	for (int i = 0; i < CHILDREN; i++) {
		MUST(write(children[i].to, "?", 1) == 1);
		MUST(readable(children[i].from, 5000) &&
		     read(children[i].from, told, sizeof(told)) == sizeof(told));
		MUST(told[0] == children[i].pid && told[1] == getpid());
		MUST(told[2] == children[i].group && told[3] == children[i].session);
	}
	if (zombie) {
		MUST(waitpid(zombie, &status, 0) == zombie && WEXITSTATUS(status) == 42);
		zombie = 0;
	}
}

/* ---- pipes and FIFOs with bytes in them ---- */

static int pipes[2][2], fifo_in, fifo_out;
static unsigned char noise[5000];

static void pipes_setup(void)
{
	fill(noise, sizeof(noise), 7);
	NEED(pipe(pipes[0]) == 0 && pipe2(pipes[1], O_NONBLOCK) == 0);
	NEED(fcntl(pipes[1][0], F_SETPIPE_SZ, 65536 * 2) >= 0);
	unlink("/fifo");
	NEED(mkfifo("/fifo", 0600) == 0);
	fifo_in = open("/fifo", O_RDONLY | O_NONBLOCK);
	fifo_out = open("/fifo", O_WRONLY);
	NEED(fifo_in >= 0 && fifo_out >= 0);
	NEED(write(pipes[0][1], noise, 3000) == 3000 &&
	     write(pipes[1][1], noise, sizeof(noise)) == sizeof(noise));
	NEED(write(fifo_out, noise, 1000) == 1000);
}

static void pipes_check(void)
{
	unsigned char got[sizeof(noise)];

	MUST(readable(pipes[0][0], 0) && read(pipes[0][0], got, 3000) == 3000 &&
	     memcmp(got, noise, 3000) == 0);
	MUST(read(pipes[1][0], got, sizeof(got)) == sizeof(got) && memcmp(got, noise, sizeof(got)) == 0);
	MUST(read(pipes[1][0], got, 1) == -1 && errno == EAGAIN);
	MUST(fcntl(pipes[1][0], F_GETPIPE_SZ) == 65536 * 2);
	MUST(read(fifo_in, got, 1000) == 1000 && memcmp(got, noise, 1000) == 0);
	MUST(write(pipes[0][1], noise, 3000) == 3000 &&
	     write(pipes[1][1], noise, sizeof(noise)) == sizeof(noise));
	MUST(write(fifo_out, noise, 1000) == 1000);
}

/* ---- unix sockets: stream and datagram with bytes in them, listening, a descriptor passed before ---- */

static int stream[2], packets[2], listening, connected, passed, abstract;

static int unix_socket(const char *path, int type, bool server)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path + 1) + 1);

	if (path[0] == '@') /* abstract */
		memcpy(a.sun_path + 1, path + 1, strlen(path + 1));
	else {
		snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
		size = sizeof(a);
		if (server)
			unlink(path);
	}
	if (fd < 0 || (server ? bind(fd, (void *)&a, size) : connect(fd, (void *)&a, size)) < 0)
		return -1;
	return server && type == SOCK_STREAM && listen(fd, 8) < 0 ? -1 : fd;
}

static void send_descriptor(int sock, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (char *)"x", .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
			       .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	NEED(sendmsg(sock, &m, 0) == 1);
}

static int receive_descriptor(int sock)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int fd = -1;

	if (recvmsg(sock, &m, 0) != 1 || !CMSG_FIRSTHDR(&m))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static void unix_setup(void)
{
	int pair[2];

	fill(noise, sizeof(noise), 9);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, stream) == 0 &&
	     socketpair(AF_UNIX, SOCK_DGRAM, 0, packets) == 0);
	NEED(write(stream[0], noise, 2000) == 2000);
	for (size_t i = 1; i <= 3; i++)
		NEED(send(packets[0], noise, i * 100, 0) == (ssize_t)(i * 100));
	listening = unix_socket("/listen", SOCK_STREAM, true);
	abstract = unix_socket("@workload", SOCK_STREAM, true);
	connected = unix_socket("/listen", SOCK_STREAM, false);
	NEED(listening >= 0 && connected >= 0 && abstract >= 0);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	int file = open("/passed", O_RDWR | O_CREAT | O_TRUNC, 0600);
	NEED(file >= 0 && write(file, "0123456789", 10) == 10);
	send_descriptor(pair[0], file);
	passed = receive_descriptor(pair[1]);
	NEED(passed >= 0 && lseek(passed, 4, SEEK_SET) == 4); /* one open file, two descriptors: one offset */
	close(pair[0]);
	close(pair[1]);
	NEED(dup2(file, 50) == 50);
}

static void unix_check(void)
{
	unsigned char got[4096];

	MUST(read(stream[1], got, sizeof(got)) == 2000 && memcmp(got, noise, 2000) == 0);
	for (size_t i = 1; i <= 3; i++)
		MUST(recv(packets[1], got, sizeof(got), MSG_DONTWAIT) == (ssize_t)(i * 100));
	MUST(write(stream[1], "back", 4) == 4 && read(stream[0], got, 4) == 4);
	int peer = accept4(listening, NULL, NULL, SOCK_NONBLOCK); /* it waits since before the checkpoint */
	MUST(peer >= 0 && write(peer, "hello", 5) == 5 && read(connected, got, 5) == 5);
	int new = unix_socket("@workload", SOCK_STREAM, false);
	MUST(new >= 0);
	close(accept(abstract, NULL, NULL));
	close(new);
	MUST(lseek(50, 0, SEEK_CUR) == 4 && lseek(passed, 5, SEEK_SET) == 5 && lseek(50, 0, SEEK_CUR) == 5);
	MUST(lseek(passed, 4, SEEK_SET) == 4);
	close(peer);
	close(connected);
	connected = unix_socket("/listen", SOCK_STREAM, false);
	MUST(connected >= 0 && write(stream[0], noise, 2000) == 2000);
	for (size_t i = 1; i <= 3; i++)
		MUST(send(packets[0], noise, i * 100, 0) == (ssize_t)(i * 100));
}

/* ---- TCP on the loopback: listening and established, bytes in both directions, IPv4 and IPv6 ---- */

static struct tcp {
	int family, listener, server, client;
} tcps[2] = { { .family = AF_INET }, { .family = AF_INET6 } };

static socklen_t loopback(int family, int port, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (family == AF_INET) {
		*(struct sockaddr_in *)ret = (struct sockaddr_in){ .sin_family = AF_INET,
								   .sin_port = htons((uint16_t)port),
								   .sin_addr = { htonl(INADDR_LOOPBACK) } };
		return sizeof(struct sockaddr_in);
	}
	*(struct sockaddr_in6 *)ret = (struct sockaddr_in6){ .sin6_family = AF_INET6,
							     .sin6_port = htons((uint16_t)port),
							     .sin6_addr = in6addr_loopback };
	return sizeof(struct sockaddr_in6);
}

static void tcp_setup(void)
{
	for (size_t i = 0; i < COUNT_OF(tcps); i++) {
		struct tcp *t = &tcps[i];
		struct sockaddr_storage a;
		socklen_t n = loopback(t->family, 7000 + (int)i, &a);
		int on = 1;
		t->listener = socket(t->family, SOCK_STREAM, 0);
		NEED(setsockopt(t->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
		NEED(bind(t->listener, (void *)&a, n) == 0 && listen(t->listener, 8) == 0);
		t->client = socket(t->family, SOCK_STREAM, 0);
		NEED(connect(t->client, (void *)&a, n) == 0);
		t->server = accept(t->listener, NULL, NULL);
		NEED(t->server >= 0);
		NEED(setsockopt(t->client, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on)) == 0);
		NEED(write(t->client, "from the client", 15) == 15 &&
		     write(t->server, "from the server", 15) == 15);
	}
}

static void tcp_check(void)
{
	char got[64];

	for (size_t i = 0; i < COUNT_OF(tcps); i++) {
		struct tcp *t = &tcps[i];
		struct sockaddr_storage a;
		socklen_t n = loopback(t->family, 7000 + (int)i, &a), size = sizeof(int);
		int on = 0;
		MUST(readable(t->server, 5000) && read(t->server, got, 64) == 15 &&
		     memcmp(got, "from the client", 15) == 0);
		MUST(readable(t->client, 5000) && read(t->client, got, 64) == 15 &&
		     memcmp(got, "from the server", 15) == 0);
		MUST(getsockopt(t->client, IPPROTO_TCP, 1, &on, &size) == 0 && on);
		int more = socket(t->family, SOCK_STREAM, 0);
		MUST(connect(more, (void *)&a, n) == 0 && readable(t->listener, 5000));
		close(accept(t->listener, NULL, NULL));
		close(more);
		MUST(write(t->client, "from the client", 15) == 15 &&
		     write(t->server, "from the server", 15) == 15);
	}
}

/* ---- only listening: no established connection ---- */

static void listen_setup(void)
{
	for (size_t i = 0; i < COUNT_OF(tcps); i++) {
		struct sockaddr_storage a;
		socklen_t n = loopback(tcps[i].family, 7000 + (int)i, &a);
		tcps[i].listener = socket(tcps[i].family, SOCK_STREAM, 0);
		NEED(bind(tcps[i].listener, (void *)&a, n) == 0 && listen(tcps[i].listener, 8) == 0);
	}
}

static void listen_check(void)
{
	for (size_t i = 0; i < COUNT_OF(tcps); i++) {
		struct sockaddr_storage a;
		socklen_t n = loopback(tcps[i].family, 7000 + (int)i, &a);
		int c = socket(tcps[i].family, SOCK_STREAM, 0);
		MUST(connect(c, (void *)&a, n) == 0 && readable(tcps[i].listener, 5000));
		int s = accept(tcps[i].listener, NULL, NULL);
		struct linger reset = { 1, 0 }; /* no connection is left behind, not even closing */
		setsockopt(c, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(c);
		close(s);
	}
}

/* ---- a server of lines for somebody outside: each is given back with its number on this connection ---- */

static void *serve_lines(void *arg)
{
	int fd = (int)(long)arg, n = 0;
	char line[256], reply[300];

	for (size_t used = 0;;) {
		ssize_t got = read(fd, line + used, 1);
		if (got <= 0)
			break;
		if (line[used] != '\n' && ++used < sizeof(line) - 1)
			continue;
		line[used] = '\0';
		used = 0;
		int size = snprintf(reply, sizeof(reply), "%d %s\n", ++n, line);
		if (write(fd, reply, (size_t)size) != size)
			break;
	}
	close(fd);
	return NULL;
}

static void *serve_connections(void *arg)
{
	for (;;) {
		pthread_t t;
		int fd = accept((int)(long)arg, NULL, NULL);
		if (fd >= 0)
			pthread_create(&t, NULL, serve_lines, (void *)(long)fd);
	}
	return NULL;
}

static void server_setup(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(7200) }; /* IPv4, too */
	pthread_t t;
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	NEED(bind(fd, (void *)&a, sizeof(a)) == 0 && listen(fd, 16) == 0);
	NEED(pthread_create(&t, NULL, serve_connections, (void *)(long)fd) == 0);
}

/* ---- UDP ---- */

static int udp[2];

static void udp_setup(void)
{
	struct sockaddr_storage a;

	for (int i = 0; i < 2; i++) {
		socklen_t n = loopback(AF_INET, 7100 + i, &a);
		udp[i] = socket(AF_INET, SOCK_DGRAM, 0);
		NEED(bind(udp[i], (void *)&a, n) == 0);
	}
	NEED(connect(udp[1], (void *)&a, loopback(AF_INET, 7100, &a)) == 0);
}

static void udp_check(void)
{
	char got[16];

	MUST(send(udp[1], "ping", 4, 0) == 4 && readable(udp[0], 5000) && recv(udp[0], got, 16, 0) == 4);
}

/* ---- descriptors that tell of events ---- */

static int epoll, event, timer, sigfd, watch;

static void events_setup(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct itimerspec far = { { 0, 0 }, { 1000, 0 } };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	event = eventfd(5, EFD_NONBLOCK);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	sigfd = signalfd(-1, &set, SFD_NONBLOCK);
	watch = inotify_init1(IN_NONBLOCK);
	epoll = epoll_create1(0);
	mkdir("/watched", 0700);
	NEED(timerfd_settime(timer, 0, &far, NULL) == 0 &&
	     inotify_add_watch(watch, "/watched", IN_CREATE) > 0);
	int fds[] = { event, timer, sigfd, watch };
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		e.data.u64 = 100 + i;
		NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &e) == 0);
	}
	NEED(raise(SIGUSR2) == 0); /* pending in the signalfd */
}

static void events_check(void)
{
	struct itimerspec left, soon = { { 0, 0 }, { 0, 1000000 } }, far = { { 0, 0 }, { 1000, 0 } };
	struct epoll_event e[8];
	struct signalfd_siginfo info;
	uint64_t value = 0;
	char buf[512];

	MUST(epoll_wait(epoll, e, 8, 1000) == 2); /* the event and the signal */
	MUST(read(event, &value, 8) == 8 && value == 5);
	MUST(read(sigfd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR2);
	MUST(timerfd_gettime(timer, &left) == 0 && left.it_value.tv_sec > 800 &&
	     left.it_value.tv_sec <= 1000);
	int fd = open("/watched/new", O_CREAT | O_RDWR, 0600);
	MUST(fd >= 0 && readable(watch, 5000) && read(watch, buf, sizeof(buf)) > 0);
	close(fd);
	unlink("/watched/new");
	MUST(timerfd_settime(timer, 0, &soon, NULL) == 0 && epoll_wait(epoll, e, 8, 5000) == 1 &&
	     e[0].data.u64 == 101);
	MUST(read(timer, &value, 8) == 8 && timerfd_settime(timer, 0, &far, NULL) == 0);
	value = 5;
	MUST(write(event, &value, 8) == 8 && raise(SIGUSR2) == 0);
}

/* ---- clocks and timers ---- */

static struct timespec last_mono, last_boot;
static volatile long ticks, posix_ticks;
static timer_t posix;

static void on_alarm(int sig)
{
	if (sig == SIGALRM)
		ticks++;
	else
		posix_ticks++;
}

static void clocks_setup(void)
{
	struct itimerval every = { { 0, 10000 }, { 0, 10000 } };
	struct sigevent how = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1 };
	struct itimerspec each = { { 0, 10000000 }, { 0, 10000000 } };

	signal(SIGALRM, on_alarm);
	signal(SIGRTMIN + 1, on_alarm);
	NEED(setitimer(ITIMER_REAL, &every, NULL) == 0);
	NEED(timer_create(CLOCK_MONOTONIC, &how, &posix) == 0 && timer_settime(posix, 0, &each, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &last_mono);
	clock_gettime(CLOCK_BOOTTIME, &last_boot);
}

static void clocks_check(void)
{
	struct timespec mono, boot;
	long before = ticks, posix_before = posix_ticks;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	MUST(mono.tv_sec >= last_mono.tv_sec && mono.tv_sec - last_mono.tv_sec < 300);
	MUST(boot.tv_sec >= last_boot.tv_sec && boot.tv_sec - last_boot.tv_sec < 300);
	await(&ticks, before);
	await(&posix_ticks, posix_before);
	MUST(ticks > before && posix_ticks > posix_before);
	last_mono = mono;
	last_boot = boot;
}

/* ---- shared memory of all kinds, between two processes ---- */

static char *shared[4];
static int sem, queue, memfd, shmid;
static const char *const kinds[] = { "System V", "POSIX", "memfd", "anonymous" };

static void shm_setup(void)
{
	struct {
		long type;
		char text[8];
	} message = { 3, "queued" };

	shmid = arguments[0] ? -1 : shmget(0x1234, 8192, IPC_CREAT | 0600);
	shared[0] = shmid < 0 ? mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
			      : shmat(shmid, NULL, 0);
	int fd = shm_open("/workload", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && ftruncate(fd, 8192) == 0);
	shared[1] = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memfd = memfd_create("workload", MFD_ALLOW_SEALING);
	NEED(memfd >= 0 && ftruncate(memfd, 8192) == 0 && fcntl(memfd, F_ADD_SEALS, F_SEAL_GROW) == 0);
	shared[2] = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	shared[3] = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 4; i++) {
		NEED(shared[i] != MAP_FAILED);
		snprintf(shared[i] + 100, 64, "here since before: %d", i);
	}
	if (!arguments[0]) {
		sem = semget(0x1235, 2, IPC_CREAT | 0600);
		queue = msgget(0x1236, IPC_CREAT | 0600);
		NEED(sem >= 0 && queue >= 0 && semctl(sem, 1, SETVAL, 7) == 0);
		NEED(msgsnd(queue, &message, sizeof(message.text), 0) == 0);
	}
	if (fork() == 0) /* counts up what the parent writes */
		for (;; usleep(500))
			for (int i = 0; i < 4; i++)
				shared[i][1] = shared[i][0];
}

static void shm_check(void)
{
	struct {
		long type;
		char text[8];
	} message;
	char wanted[64];

	for (int i = 0; i < 4; i++) {
		snprintf(wanted, sizeof(wanted), "here since before: %d", i);
		if (strcmp(shared[i] + 100, wanted) != 0)
			wrong("%s memory: \"%.40s\"", kinds[i], shared[i] + 100);
		char next = (char)(shared[i][0] + 1);
		shared[i][0] = next;
		for (int n = 0; shared[i][1] != next && n < 5000; n++)
			usleep(1000);
		if (((volatile char *)shared[i])[1] != next)
			wrong("%s memory is not shared any more", kinds[i]);
	}
	MUST(fcntl(memfd, F_GET_SEALS) == F_SEAL_GROW);
	if (arguments[0])
		return;
	MUST(shmget(0x1234, 8192, 0) == shmid && semctl(sem, 1, GETVAL) == 7);
	MUST(msgrcv(queue, &message, sizeof(message.text), 3, IPC_NOWAIT) == 8 &&
	     strcmp(message.text, "queued") == 0);
	MUST(msgsnd(queue, &message, sizeof(message.text), 0) == 0);
}

/* ---- locks ---- */

static int locked[2];

static void locks_setup(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20 };

	locked[0] = open("/flock", O_RDWR | O_CREAT, 0600);
	locked[1] = open("/posix", O_RDWR | O_CREAT, 0600);
	NEED(flock(locked[0], LOCK_EX) == 0 && fcntl(locked[1], F_SETLK, &l) == 0);
}

static void locks_check(void)
{
	int other = open("/flock", O_RDWR);

	MUST(flock(other, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
	close(other);
	pid_t pid = fork();
	if (pid == 0) {
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1 };
		_exit(fcntl(locked[1], F_GETLK, &l) == 0 && l.l_type == F_WRLCK && l.l_start == 10 ? 0 : 1);
	}
	int status = -1;
	MUST(waitpid(pid, &status, 0) == pid && status == 0);
}

/* ---- files: offsets, append, deleted, directories, mappings ---- */

static int plain, appended, deleted, directory, in_memory;
static char *mapped;

static void files_setup(void)
{
	plain = open("/plain", O_RDWR | O_CREAT | O_TRUNC, 0640);
	appended = open("/appended", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	deleted = open("/deleted", O_RDWR | O_CREAT | O_TRUNC, 0600);
	directory = open("/", O_RDONLY | O_DIRECTORY);
	in_memory = open("/dev/shm/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	NEED(plain >= 0 && appended >= 0 && deleted >= 0 && directory >= 0 && in_memory >= 0);
	NEED(write(plain, "0123456789", 10) == 10 && lseek(plain, 3, SEEK_SET) == 3);
	NEED(write(appended, "one\n", 4) == 4 && write(deleted, "gone but here", 13) == 13);
	NEED(unlink("/deleted") == 0 && write(in_memory, "memory", 6) == 6);
	NEED(ftruncate(plain, 8192) == 0);
	mapped = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
	NEED(mapped != MAP_FAILED && chdir("/tmp") == 0);
	umask(027);
}

static void files_check(void)
{
	char got[64], cwd[64];
	static int rounds;

	MUST(lseek(plain, 0, SEEK_CUR) == 3 && read(plain, got, 2) == 2 && memcmp(got, "34", 2) == 0);
	MUST(lseek(plain, 3, SEEK_SET) == 3);
	mapped[5000] = (char)('a' + rounds);
	MUST(pread(plain, got, 1, 5000) == 1 && *got == 'a' + rounds);
	MUST(fcntl(appended, F_GETFL) & O_APPEND && write(appended, "one\n", 4) == 4);
	struct stat st;
	rounds++;
	MUST(stat("/appended", &st) == 0 && st.st_size == 4 * (rounds + 1));
	MUST(pread(deleted, got, 64, 0) == 13 && memcmp(got, "gone but here", 13) == 0);
	MUST(fstat(deleted, &st) == 0 && st.st_nlink == 0);
	MUST(pread(in_memory, got, 64, 0) == 6 && stat("/dev/shm/file", &st) == 0 && st.st_size == 6);
	MUST(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/tmp") == 0 && umask(027) == 027);
	MUST(fstatat(directory, "plain", &st, 0) == 0);
}

/* ---- signals: pending, queued with values, masks, handlers, an alternate stack ---- */

static volatile long handled;
static char alternate[65536];

static void on_signal(int sig, siginfo_t *info, void *context)
{
	char here;

	(void)context;
	if (sig == SIGRTMIN + 2)
		handled += info->si_value.sival_int;
	if (&here < alternate || &here > alternate + sizeof(alternate))
		wrong("the alternate stack is gone");
}

static void signals_setup(void)
{
	stack_t s = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct sigaction a = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigset_t set;

	NEED(sigaltstack(&s, NULL) == 0 && sigaction(SIGRTMIN + 2, &a, NULL) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	sigaddset(&set, SIGHUP);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	for (int i = 1; i <= 3; i++)
		NEED(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = i * 100 }) == 0);
	NEED(raise(SIGHUP) == 0);
	signal(SIGWINCH, SIG_IGN);
}

static void signals_check(void)
{
	sigset_t set, before;
	struct sigaction a;

	MUST(sigpending(&set) == 0 && sigismember(&set, SIGHUP) && sigismember(&set, SIGRTMIN + 2));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	handled = 0;
	MUST(sigprocmask(SIG_UNBLOCK, &set, &before) == 0 && sigismember(&before, SIGHUP));
	if (handled != 600)
		wrong("%ld of 600 were queued", handled);
	MUST(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
	MUST(sigaction(SIGWINCH, NULL, &a) == 0 && a.sa_handler == SIG_IGN);
	for (int i = 1; i <= 3; i++)
		MUST(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = i * 100 }) == 0);
}

/* ---- what a process is: ids, capabilities, limits, names, scheduling ---- */

static uint64_t self_then;

static uint64_t self_now(void)
{
	char text[4096], *out = text;
	struct rlimit l;
	cpu_set_t cpus;
	gid_t groups[32];
	char name[16];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(out, 200, f)) /* ids, capabilities, no_new_privs, seccomp */
		if (strncmp(out, "Uid", 3) == 0 || strncmp(out, "Gid", 3) == 0 ||
		    strncmp(out, "Cap", 3) == 0 || strncmp(out, "NoNew", 5) == 0 ||
		    strncmp(out, "Seccomp", 7) == 0 || strncmp(out, "Groups", 6) == 0)
			out += strlen(out);
	if (f)
		fclose(f);
	uint64_t h = hash(text, (size_t)(out - text));
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit((__rlimit_resource_t)i, &l) == 0)
			h ^= hash(&l, sizeof(l)) * (uint64_t)(i + 1);
	memset(&cpus, 0, sizeof(cpus));
	sched_getaffinity(0, sizeof(cpus), &cpus);
	prctl(PR_GET_NAME, name);
	int numbers[] = { getpriority(PRIO_PROCESS, 0), sched_getscheduler(0), getgroups(32, groups),
			  prctl(PR_GET_KEEPCAPS), prctl(PR_GET_PDEATHSIG, (long)0) };
	return h ^ hash(&cpus, sizeof(cpus)) ^ hash(name, strlen(name)) ^ hash(numbers, sizeof(numbers));
}

static void self_setup(void)
{
	struct rlimit l = { 77, 99 };

	NEED(setrlimit(RLIMIT_NOFILE, &l) == 0 && prctl(PR_SET_NAME, "renamed") == 0);
	setpriority(PRIO_PROCESS, 0, 5);
	self_then = self_now();
}

static void self_check(void)
{
	MUST(self_now() == self_then);
}

/* ---- a terminal ---- */

static struct termios mode_then;

static void terminal_setup(void)
{
	struct winsize size = { .ws_row = 33, .ws_col = 77 };

	NEED(isatty(0) && tcgetattr(0, &mode_then) == 0);
	mode_then.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	NEED(tcsetattr(0, TCSANOW, &mode_then) == 0 && ioctl(0, TIOCSWINSZ, &size) == 0);
}

static void terminal_check(void)
{
	struct termios now;
	struct winsize size;

	MUST(isatty(0) && isatty(1) && tcgetattr(0, &now) == 0 && now.c_lflag == mode_then.c_lflag);
	MUST(ioctl(0, TIOCGWINSZ, &size) == 0 && size.ws_row == 33 && size.ws_col == 77);
	MUST(tcgetsid(0) == getsid(0));
	MUST(write(1, "still here\n", 11) == 11);
}

/* ---- nothing but answers ---- */

static void idle(void)
{
}

/* ---- what cannot be dumped: a program of a nested mount namespace and so on are the test's affair ---- */

static void traced_setup(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	NEED(fork() != 0 || ({
		     if (syscall(SYS_ptrace, 0x4206 /* SEIZE */, pid, 0, 0) < 0)
			     _exit(1);
		     for (;;)
			     pause();
		     1;
	     }));
	usleep(50000);
}

/* ---- the conversation ---- */

static const struct mode {
	const char *name;
	void (*setup)(void), (*check)(void);
} modes[] = {
	{ "idle", idle, idle },
	{ "memory", memory_setup, memory_check },
	{ "threads", threads_setup, threads_check },
	{ "processes", processes_setup, processes_check },
	{ "pipes", pipes_setup, pipes_check },
	{ "unix", unix_setup, unix_check },
	{ "tcp", tcp_setup, tcp_check },
	{ "listen", listen_setup, listen_check },
	{ "server", server_setup, idle },
	{ "udp", udp_setup, udp_check },
	{ "events", events_setup, events_check },
	{ "clocks", clocks_setup, clocks_check },
	{ "shm", shm_setup, shm_check },
	{ "locks", locks_setup, locks_check },
	{ "files", files_setup, files_check },
	{ "signals", signals_setup, signals_check },
	{ "self", self_setup, self_check },
	{ "terminal", terminal_setup, terminal_check },
	{ "traced", traced_setup, idle },
};

static int serve(const struct mode *m)
{
	int ctl = unix_socket("/ctl", SOCK_STREAM, true);
	char word[64];

	NEED(ctl >= 0);
	for (;;) {
		int fd = accept4(ctl, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		ssize_t n = read(fd, word, sizeof(word) - 1);
		word[n > 0 ? n : 0] = '\0';
		if (strcmp(word, "check") == 0)
			m->check();
		if (write(fd, answer, strlen(answer)) < 0)
			return 1;
		close(fd);
		/* Ports of connections that were made for a check are not to be part of the next checkpoint. */
	}
}

static int ask(const char *word)
{
	char told[512];
	int fd = -1;

	for (int i = 0; fd < 0 && i < 10000; i++) {
		fd = unix_socket("/ctl", SOCK_STREAM, false);
		if (fd < 0)
			usleep(1000);
	}
	if (fd < 0 || write(fd, word, strlen(word)) < 0)
		return 2;
	ssize_t n = read(fd, told, sizeof(told) - 1);
	told[n > 0 ? n : 0] = '\0';
	puts(n > 0 ? told : "no answer");
	return strcmp(told, "ok") != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "ask") == 0)
		return ask(argv[2]);
	unlink("/ctl");
	arguments = argv + 2;
	for (size_t i = 0; argc > 1 && i < COUNT_OF(modes); i++)
		if (strcmp(modes[i].name, argv[1]) == 0) {
			modes[i].setup();
			return serve(&modes[i]);
		}
	fprintf(stderr, "workload: no mode %s\n", argc > 1 ? argv[1] : "given");
	return 98;
}
