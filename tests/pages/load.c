/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load.c - a process with all kinds of memory, which it goes on changing and can check
 *
 *	load MIB PAGES_PER_SECOND [kind]...
 *
 * Kinds: fork (a child with copied memory, which both change), thread, exec (the child executes this program again), churn (mappings that come, go, move
 * and grow), shm (an anonymous shared mapping, and a System V segment), file (a private mapping of this
 * program's file, changed), huge (MAP_HUGETLB where there are any; else advised), sparse, droppable pages,
 * seccomp (a filter that forbids userfaultfd), zero, uffd (uses userfaultfd itself).
 *
 * It stops itself (SIGSTOP) when all is there. SIGUSR1: check everything, and exit with 0 or say what is wrong by the status.
 * A page's contents follow from its seed and version alone; the versions are kept twice, inverted. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL

struct area {
	uint8_t *at;
	size_t pages, room; /* room: pages that the version tables have */
	uint32_t seed, *version, *inverse;
	size_t stride; /* pages from one that is used to the next */
	bool shared;   /* a child leaves it to its parent, and does not look */
};

static struct area areas[16];
static int n_areas;
static volatile sig_atomic_t asked;
static const char *self;
static bool is_child; /* by fork */

static void die(int code)
{
	_exit(code);
}

static void fill(uint8_t *page, uint32_t seed, size_t number, uint32_t version)
{
	uint64_t x = ((uint64_t)seed << 40) ^ ((uint64_t)number << 8) ^ version ^ 0x9e3779b97f4a7c15ULL;

	if (!version) {
		memset(page, 0, PAGE);
		return;
	}
	/* half of a page can be compressed */
	for (size_t i = 0; i < PAGE / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		uint64_t v = i % 16 < 8 ? x : version;
		memcpy(page + i * 8, &v, 8);
	}
}

static void touch(struct area *a, size_t page)
{
	a->version[page]++;
	a->inverse[page] = ~a->version[page];
	fill(a->at + page * a->stride * PAGE, a->seed, page, a->version[page]);
}

static struct area *area(void *at, size_t pages, size_t stride)
{
	struct area *a = &areas[n_areas];

	if (at == MAP_FAILED)
		die(99);
	a->at = at;
	a->pages = a->room = pages / stride;
	a->stride = stride;
	a->seed = (uint32_t)(0x1000 * getpid() + n_areas++);
	a->version = calloc(2 * a->room, sizeof(uint32_t));
	a->inverse = calloc(2 * a->room, sizeof(uint32_t));
	if (!a->version || !a->inverse)
		die(98);
	for (size_t i = 0; i < a->pages; i++)
		touch(a, i);
	return a;
}

static void *anonymous(size_t pages, int flags)
{
	return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
}

/* 0, or 10 + the number of the first area that is wrong. */
static int check(void)
{
	static uint8_t expected[PAGE];

	for (int i = 0; i < n_areas; i++) {
		struct area *a = &areas[i];
		for (size_t p = 0; p < a->pages && !(is_child && a->shared); p++) {
			if (a->inverse[p] != ~a->version[p])
				return 40 + i;
			fill(expected, a->seed, p, a->version[p]);
			if (memcmp(expected, a->at + p * a->stride * PAGE, PAGE))
				return 10 + i;
		}
	}
	return 0;
}

static void on_ask(int sig)
{
	(void)sig;
	asked = 1;
}

static void forbid_userfaultfd(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		die(97);
}

static void make_shared(void)
{
	area(anonymous(600, MAP_SHARED), 600, 1)->shared = true;
	int id = shmget(IPC_PRIVATE, 300 * PAGE, IPC_CREAT | 0600);
	if (id < 0)
		die(96);
	void *at = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	area(at, 300, 1)->shared = true;
}

static void make_file(void)
{
	int fd = open(self, O_RDONLY | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END) / (off_t)PAGE;

	if (fd < 0 || size < 8)
		die(95);
	size = size > 100 ? 100 : size;
	/* every second page is changed, the others stay the file's */
	area(mmap(NULL, (size_t)size * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), (size_t)size, 2);
	close(fd);
}

static void make_huge(void)
{
	void *at = anonymous(1024, MAP_PRIVATE | MAP_HUGETLB);

	if (at == MAP_FAILED) {
		at = anonymous(1536, MAP_PRIVATE);
		madvise(at, 1536 * PAGE, MADV_HUGEPAGE);
	}
	area(at, 1024, 1);
}

static void make_user_of_uffd(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1);
	struct uffdio_api api = { .api = UFFD_API };
	struct area *a = area(anonymous(64, MAP_PRIVATE), 64, 1);
	struct uffdio_register reg = { { (uintptr_t)a->at, 64 * PAGE }, UFFDIO_REGISTER_MODE_MISSING, 0 };

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		die(94);
}

static void *idle(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

/* A mapping goes, another comes; one moves; one grows. */
static void churn(struct area *a, unsigned int turn)
{
	static void *guest;

	if (guest)
		munmap(guest, 16 * PAGE);
	guest = anonymous(16, MAP_PRIVATE);
	memset(guest, (int)turn | 1, 16 * PAGE);
	size_t pages = turn % 2 && a->pages + 8 < 2 * a->room ? a->pages + 8 : a->pages;
	void *there = anonymous(pages, MAP_PRIVATE);
	a->at = mremap(a->at, a->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, there);
	if (a->at == MAP_FAILED)
		die(93);
	for (; a->pages < pages; a->pages++) {
		a->version[a->pages] = a->pages % 3 ? 1 : 0;
		a->inverse[a->pages] = ~a->version[a->pages];
		if (a->version[a->pages])
			fill(a->at + a->pages * PAGE, a->seed, a->pages, 1);
	}
}

static pid_t family(bool executes)
{
	pid_t child = fork();

	if (child == 0) {
		if (executes) {
			execl(self, self, "2", "200", "child", (char *)NULL);
			die(92);
		}
		for (int i = 0; i < n_areas; i++)
			for (size_t p = 0; p < areas[i].pages && !areas[i].shared; p += 7)
				touch(&areas[i], p);
		is_child = true;
	}
	return child;
}

static int has(int argc, char **argv, const char *kind)
{
	for (int i = 3; i < argc; i++)
		if (!strcmp(argv[i], kind))
			return 1;
	return 0;
}

static int end(pid_t child)
{
	int code = check(), status;

	if (child > 0) {
		kill(child, SIGUSR1);
		waitpid(child, &status, 0);
		if (!code)
			code = WIFEXITED(status) ? WEXITSTATUS(status) : 91;
	}
	return code;
}

int main(int argc, char **argv)
{
	size_t pages = (argc > 1 ? strtoul(argv[1], NULL, 0) : 8) * 256;
	unsigned long rate = argc > 2 ? strtoul(argv[2], NULL, 0) : 100;
	struct area *moving = NULL;
	pid_t child = 0;
	struct sigaction sa = { .sa_handler = on_ask };

	self = argv[0];
	sigaction(SIGUSR1, &sa, NULL);
	area(anonymous(pages, MAP_PRIVATE), pages, 1);
	if (has(argc, argv, "sparse"))
		area(anonymous(64 * 512, MAP_PRIVATE | MAP_NORESERVE), 64 * 512, 300);
	if (has(argc, argv, "zero"))
		memset(anonymous(500, MAP_PRIVATE), 0, 500 * PAGE);
	if (has(argc, argv, "shm"))
		make_shared();
	if (has(argc, argv, "file"))
		make_file();
	if (has(argc, argv, "huge"))
		make_huge();
	if (has(argc, argv, "uffd"))
		make_user_of_uffd();
	if (has(argc, argv, "churn"))
		moving = area(anonymous(64, MAP_PRIVATE), 64, 1);
	if (has(argc, argv, "seccomp"))
		forbid_userfaultfd();
	if (has(argc, argv, "fork"))
		child = family(false);
	else if (has(argc, argv, "exec"))
		child = family(true);
	int leader = child != 0 || !(has(argc, argv, "fork") || has(argc, argv, "exec"));
	if (has(argc, argv, "thread")) {
		pthread_t t;
		if (pthread_create(&t, NULL, idle, NULL))
			die(90);
	}
	if (leader && !has(argc, argv, "child"))
		raise(SIGSTOP);
	/* a child of the same areas leaves the shared ones to its parent */
	for (unsigned int turn = 0; !asked; turn++) {
		struct timespec t = { 0, 10000000 };
		for (unsigned long i = 0; i < (rate + 99) / 100; i++) {
			struct area *a = &areas[(turn + i) % (unsigned int)(leader ? n_areas : 1)];
			touch(a, (turn * 2654435761U + i * 40503U) % a->pages);
		}
		if (moving && leader && turn % 5 == 0)
			churn(moving, turn);
		if (!asked)
			nanosleep(&t, NULL);
	}
	return end(leader ? child : 0);
}
