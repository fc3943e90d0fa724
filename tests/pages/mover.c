/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mover.c - move a process's memory through all of checkpoint/'s page machinery, on one node, for the tests
 *
 *	mover [--track MODE] [--rounds N] [--lazy] [--codec NAME] [--blind] [--criu PATH] DIRECTORY PROGRAM ARGS...
 *
 * Starts PROGRAM (which stops itself when it is ready), lets it run, takes `rounds` rounds of its memory, then the
 * final dump by a real CRIU, writes the images from the store into DIRECTORY, restores with CRIU, and compares every page of
 * memory with what it was at the freeze. Then PROGRAM is asked (SIGUSR1) to check itself. The frames go from the
 * sender to the store by a call; everything else is as in a migration.
 * --blind: the tracker's rounds after the first are thrown away, as if it had missed all of them.
 * Prints one JSON object. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/criu.h"
#include "checkpoint/lazy.h"
#include "checkpoint/pages.h"
#include "checkpoint/pagestore.h"
#include "checkpoint/track.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"

#define PAGE 4096UL

/* ---- memory as it is ---- */

struct seen {
	pid_t pid;
	uint64_t vaddr;
	uint8_t data[PAGE];
};

static struct seen **seen; /* at the freeze */
static size_t n_seen;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static size_t family(pid_t pid, pid_t *ret, size_t room)
{
	char path[64];
	size_t n = 0;
	pid_t child;

	ret[n++] = pid;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	FILE *f = fopen(path, "re");
	while (f && n < room && fscanf(f, "%d", &child) == 1)
		n += family(child, ret + n, room - n);
	if (f)
		fclose(f);
	return n;
}

/* Every page of the process that is its own, or shared memory, and not all zeroes. */
static void each_page(pid_t pid, void (*f)(pid_t pid, uint64_t vaddr, const uint8_t *data))
{
	char path[64], line[512];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	int mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	int map = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long start, end;
		char perms[8];
		bool shared_file;

		if (sscanf(line, "%lx-%lx %7s", &start, &end, perms) != 3 || strstr(line, "[v"))
			continue;
		shared_file = perms[3] == 's' && !strstr(line, "/dev/zero") && !strstr(line, "/SYSV");
		for (unsigned long at = start; at < end && !shared_file; at += PAGE) {
			uint64_t entry;
			uint8_t data[PAGE] __attribute__((aligned(64)));

			if (pread(map, &entry, 8, (off_t)(at / PAGE * 8)) != 8 || !(entry >> 62) ||
			    (entry >> 61 & 1 && perms[3] != 's'))
				continue;
			if (pread(mem, data, PAGE, (off_t)at) == (ssize_t)PAGE)
				f(pid, at, data);
		}
	}
	if (maps)
		fclose(maps);
	cleanup_close(&mem);
	cleanup_close(&map);
}

static void keep(pid_t pid, uint64_t vaddr, const uint8_t *data)
{
	static size_t room;

	if (n_seen == room) {
		room = room ? 2 * room : 4096;
		seen = realloc(seen, room * sizeof(*seen));
	}
	seen[n_seen] = malloc(sizeof(struct seen));
	seen[n_seen]->pid = pid;
	seen[n_seen]->vaddr = vaddr;
	memcpy(seen[n_seen++]->data, data, PAGE);
}

static struct {
	size_t compared, differ, extra;
	uint64_t where[8];
} verdict;
static void note(uint64_t vaddr)
{
	if (verdict.differ + verdict.extra < 8)
		verdict.where[verdict.differ + verdict.extra] = vaddr;
}

/* What was there is there, and the same. */
static void compare_seen(void)
{
	int mem = -1;
	pid_t pid = 0;

	for (size_t i = 0; i < n_seen; i++) {
		uint8_t data[PAGE];
		char path[64];

		if (seen[i]->pid != pid) {
			pid = seen[i]->pid;
			snprintf(path, sizeof(path), "/proc/%d/mem", pid);
			replace_fd(&mem, open(path, O_RDONLY | O_CLOEXEC));
		}
		verdict.compared++;
		if (pread(mem, data, PAGE, (off_t)seen[i]->vaddr) != (ssize_t)PAGE ||
		    memcmp(data, seen[i]->data, PAGE)) {
			note(seen[i]->vaddr);
			verdict.differ++;
		}
	}
	cleanup_close(&mem);
}

/* And nothing else is: both lists are in the order of processes and addresses. */
static void find_extra(pid_t pid, uint64_t vaddr, const uint8_t *data)
{
	static const uint8_t zero[PAGE];
	static size_t next;

	while (next < n_seen && seen[next]->pid == pid && seen[next]->vaddr < vaddr)
		next++;
	while (next < n_seen && seen[next]->pid != pid)
		next++;
	if ((next == n_seen || seen[next]->vaddr != vaddr) && memcmp(data, zero, PAGE)) {
		note(vaddr);
		verdict.extra++;
	}
}

/* ---- the move ---- */

struct move {
	enum track_mode track;
	int rounds, dir, source_dir;
	bool lazy, blind;
	const char *criu, *path;
	pid_t pid;
	pid_t pids[64];
	size_t n_pids;
	struct page_sender *sender, *nowhere;
	struct page_store *store;
	struct page_server *server;
	struct lazy_server *lazy_server;
	struct track_round_stats first, last;
	uint64_t stopped_us_max, dump_us, restore_us, wire_before, postdump_at;
};

static int to_store(void *arg, const struct iovec *pieces, int n, struct error *e)
{
	struct move *m = arg;

	for (int i = 0; i < n; i++) {
		int r = page_store_feed(m->store, pieces[i].iov_base, pieces[i].iov_len, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int to_nowhere(void *arg, const struct iovec *pieces, int n, struct error *e)
{
	(void)arg;
	(void)pieces;
	(void)n;
	(void)e;
	return 0;
}

static int list(void *arg, pid_t **ret, size_t *ret_n, struct error *e)
{
	const struct move *m = arg;

	*ret = calloc(64, sizeof(pid_t));
	if (!*ret)
		return fail(e, ENOMEM, "list");
	*ret_n = family(m->pid, *ret, 64);
	return 0;
}

/* `also` entries need to turn themselves off: so they are found from here. */
struct page_feed {
	struct move *m;
	struct criu_also also;
	int pair[2];
};

static int step_pages(void *arg, struct error *e)
{
	struct page_feed *f = arg;
	int r = page_server_step(f->m->server, e);

	if (r < 0)
		shutdown(f->pair[0], SHUT_RDWR);
	if (r != 0)
		f->also.fd = -1;
	return r < 0 ? r : 0;
}

static int dump(struct move *m, enum criu_action action, int images, bool has_parent, const char *parent,
		criu_callback *post_dump, struct error *e)
{
	struct page_feed f = { .m = m };
	AUTO(criu) struct criu *c = NULL;
	int fds[1], r;

	r = page_server_pair(f.pair, e);
	if (r < 0)
		return r;
	fds[0] = f.pair[1];
	struct criu_start start = { .path = m->criu, .fds = fds, .n_fds = 1, .cgroup = -1 };
	r = criu_start(&start, &c, e);
	close(f.pair[1]);
	if (r == 0)
		r = page_server_new(m->sender, f.pair[0], has_parent, &m->server, e);
	if (r < 0)
		return r;
	f.also = (struct criu_also){ f.pair[0], step_pages, &f, false };
	struct criu_callbacks callbacks = { .also = &f.also, .n_also = 1, .post_dump = post_dump, .arg = m };
	struct criu_request q = { .action = action,
				  .images_dir = images,
				  .work_dir = -1,
				  .log_file = "dump.log",
				  .log_level = 4,
				  .pid = m->pid,
				  .page_server_fd = CRIU_FD(0),
				  .parent_images = parent,
				  .track_mem = m->track == TRACK_CRIU,
				  .shell_job = true,
				  .network_lock = CRIU_LOCK_SKIP,
				  .manage_cgroups = CRIU_CGROUPS_IGNORE,
				  .status_fd = -1 };
	r = criu_ask(c, &q, &callbacks, "dump.log", NULL, e);
	page_server_free(m->server);
	close(f.pair[0]);
	return r;
}

static int images_of(struct move *m, int n, struct error *e)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%d", m->path, n);
	if (mkdir(path, 0700) < 0)
		return fail(e, errno, "mkdir %s", path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail(e, errno, "open %s", path) : fd;
}

static int n_predumps;

static int predump(void *arg, struct page_sender *s, struct error *e)
{
	struct move *m = arg;
	char parent[32];
	int dir = images_of(m, n_predumps, e);

	(void)s;
	if (dir < 0)
		return dir;
	snprintf(parent, sizeof(parent), "../%d", n_predumps - 1);
	int r = dump(m, CRIU_PRE_DUMP, dir, true, n_predumps ? parent : NULL, NULL, e);
	n_predumps++;
	close(dir);
	return r;
}

static int post_dump(void *arg, struct criu_event *event, struct error *e)
{
	struct move *m = arg;

	(void)event;
	(void)e;
	m->postdump_at = now_us();
	m->n_pids = family(m->pid, m->pids, 64);
	for (size_t i = 0; i < m->n_pids; i++)
		each_page(m->pids[i], keep);
	return 0;
}

static int rounds(struct move *m, struct error *e)
{
	AUTO(tracker) struct tracker *t = NULL;
	struct track_source source = { list, predump, m, m->pid };
	int r = tracker_new(m->track, &source, &t, e);

	for (int i = 0; r == 0 && i < m->rounds; i++) {
		struct page_sender *s = m->blind && i ? m->nowhere : m->sender;
		struct timespec pause = { 0, 150000000 };

		r = page_sender_begin(s, false, e);
		if (r == 0)
			r = tracker_round(t, s, -1, &m->last, e);
		if (r == 0)
			r = page_sender_end(s, e);
		if (i == 0)
			m->first = m->last;
		if (m->last.stopped_us_max > m->stopped_us_max)
			m->stopped_us_max = m->last.stopped_us_max;
		if (r == 0)
			nanosleep(&pause, NULL); /* the program changes its memory meanwhile */
	}
	return r;
}

static int final_dump(struct move *m, struct error *e)
{
	struct page_stats stats;
	char parent[32];
	uint64_t begun = now_us();

	page_sender_stats(m->sender, &stats);
	m->wire_before = stats.wire_bytes;
	m->source_dir = images_of(m, 100, e);
	if (m->source_dir < 0)
		return m->source_dir;
	int r = page_sender_begin(m->sender, true, e);
	snprintf(parent, sizeof(parent), "../%d", n_predumps - 1);
	if (r == 0)
		r = dump(m, CRIU_DUMP, m->source_dir, m->track == TRACK_CRIU,
			 m->track == TRACK_CRIU && n_predumps ? parent : NULL, post_dump, e);
	if (r == 0)
		r = page_sender_end(m->sender, e);
	m->dump_us = m->postdump_at - begun;
	/* CRIU has killed them: be rid of them, their numbers are needed again */
	for (size_t i = 0; r == 0 && i < m->n_pids; i++)
		while (waitpid(m->pids[i], NULL, __WALL) > 0 || (kill(m->pids[i], 0) == 0))
			;
	return r;
}

static int step_lazy(void *arg, struct error *e)
{
	const struct move *m = arg;

	return lazy_server_step(m->lazy_server, e);
}

static int post_restore(void *arg, struct criu_event *event, struct error *e)
{
	const struct move *m = arg;

	(void)event;
	(void)e;
	if (m->lazy)
		lazy_server_fill(m->lazy_server);
	return 0;
}

static int restore(struct move *m, struct error *e)
{
	AUTO(criu) struct criu *c = NULL;
	struct criu_start start = { .path = m->criu, .cgroup = -1 };
	struct criu_also also = { -1, step_lazy, m, false };
	uint64_t begun = now_us();
	pid_t pid = 0;
	int r = page_store_write_images(m->store, m->source_dir,
					m->lazy ? PAGE_IMAGES_LAZY : PAGE_IMAGES_PLAIN, NULL, e);

	if (r == 0 && m->lazy) {
		r = lazy_server_new(m->store, m->source_dir, NULL, &m->lazy_server, e);
		if (r == 0)
			also.fd = lazy_server_fd(m->lazy_server);
	}
	if (r == 0)
		r = criu_start(&start, &c, e);
	if (r < 0)
		return r;
	struct criu_callbacks callbacks = {
		.also = &also, .n_also = 1, .post_restore = post_restore, .arg = m
	};
	struct criu_request q = { .action = CRIU_RESTORE,
				  .images_dir = m->source_dir,
				  .work_dir = -1,
				  .log_file = "restore.log",
				  .log_level = 4,
				  .lazy_pages = m->lazy,
				  .leave_stopped = true,
				  .rst_sibling = true,
				  .shell_job = true,
				  .network_lock = CRIU_LOCK_SKIP,
				  .manage_cgroups = CRIU_CGROUPS_IGNORE,
				  .status_fd = -1 };
	r = criu_ask(c, &q, &callbacks, "restore.log", &pid, e);
	m->restore_us = now_us() - begun;
	if (r == 0 && m->lazy)
		r = lazy_server_run(m->lazy_server, -1, e);
	return r;
}

static int judge(struct move *m, struct error *e)
{
	int status;

	compare_seen();
	for (size_t i = 0; i < m->n_pids; i++)
		each_page(m->pids[i], find_extra);
	for (size_t i = 0; i < m->n_pids; i++)
		kill(m->pids[i], SIGCONT);
	kill(m->pid, SIGUSR1);
	if (waitpid(m->pid, &status, __WALL) != m->pid)
		return fail(e, errno, "wait for the restored program");
	return proc_exit_code(status);
}

static void tell(const struct move *m, int code)
{
	struct page_stats p;
	struct page_store_stats s;
	struct lazy_stats l = { 0 };

	page_sender_stats(m->sender, &p);
	page_store_stats(m->store, &s);
	if (m->lazy)
		lazy_server_stats(m->lazy_server, &l);
	printf("{\"code\": %d, \"compared\": %zu, \"seen\": %zu, \"differ\": %zu, \"extra\": %zu, \"where\": "
	       "[",
	       code, verdict.compared, n_seen, verdict.differ, verdict.extra);
	for (size_t i = 0; i < 8 && i < verdict.differ + verdict.extra; i++)
		printf("%s\"%#lx\"", i ? ", " : "", (unsigned long)verdict.where[i]);
	printf("],\n \"pages\": {\"seen\": %lu, \"zero\": %lu, \"same\": %lu, \"duplicate\": %lu, \"sent\": "
	       "%lu, \"later\": %lu,"
	       " \"raw_bytes\": %lu, \"wire_bytes\": %lu, \"final_wire_bytes\": %lu},\n",
	       p.seen, p.zero, p.same, p.duplicate, p.sent, p.later, p.raw_bytes, p.wire_bytes,
	       p.wire_bytes - m->wire_before);
	printf(" \"store\": {\"images\": %lu, \"pages\": %lu, \"lazy_bytes\": %lu, \"eager_bytes\": %lu, "
	       "\"index_bytes\": %lu},\n",
	       s.images, s.pages, s.lazy_bytes, s.eager_bytes, s.index_bytes);
	printf(" \"track\": {\"processes\": %lu, \"untracked\": %lu, \"first_dirty\": %lu, \"last_dirty\": "
	       "%lu, \"stopped_us_max\": %lu,"
	       " \"scan_us\": %lu},\n",
	       m->last.processes, m->last.untracked, m->first.dirty, m->last.dirty, m->stopped_us_max,
	       m->last.scan_us);
	printf(" \"lazy\": {\"tasks\": %lu, \"faults\": %lu, \"filled\": %lu, \"zero\": %lu, \"left\": %lu, "
	       "\"fill_us\": %lu},\n",
	       l.tasks, l.faults, l.filled, l.zero, l.left, l.fill_us);
	printf(" \"dump_us\": %lu, \"restore_us\": %lu}\n", m->dump_us, m->restore_us);
}

static pid_t start(char **argv)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* or the kernel changes a page of its own accord */
		setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
		int null = open("/dev/null", O_RDWR);
		setsid();
		if (unshare(CLONE_NEWIPC) < 0) /* System V segments are dumped with their namespace */
			_exit(126);
		for (int i = 0; i < 3; i++)
			dup2(null, i);
		for (int i = 3; i < 256; i++)
			close(i);
		if (chdir("/") == 0)
			execv(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) {
		fprintf(stderr, "%s did not get ready: status %#x\n", argv[0], status);
		exit(3);
	}
	kill(pid, SIGCONT);
	return pid;
}

static int run(struct move *m, enum page_codec codec, struct error *e)
{
	struct page_sender_options o = { .codec = codec };
	const struct page_sink sink = { to_store, m }, nowhere = { to_nowhere, NULL };
	int r = page_store_new(4ULL << 30, &m->store, e);

	if (r == 0)
		r = page_sender_new(&o, &sink, &m->sender, e);
	if (r == 0)
		r = page_sender_new(&o, &nowhere, &m->nowhere, e);
	if (r == 0 && m->track != TRACK_NONE)
		r = rounds(m, e);
	if (r == 0)
		r = final_dump(m, e);
	if (r == 0)
		r = restore(m, e);
	return r < 0 ? r : judge(m, e);
}

static int codec_of(const char *name)
{
	for (int i = 0; i < PAGE_CODEC_MAX; i++)
		if (str_eq(name, page_codec_names[i]))
			return i;
	return -1;
}

static int mode_of(const char *name)
{
	for (int i = 0; i < TRACK_MAX; i++)
		if (str_eq(name, track_names[i]))
			return i;
	return -1;
}

int main(int argc, char **argv)
{
	struct move m = { .track = TRACK_NONE, .rounds = 3 };
	struct error e = { 0 };
	int codec = PAGE_CODEC_LZ4, i = 1, r;

	for (; i < argc && str_starts(argv[i], "--"); i++) {
		if (str_eq(argv[i], "--lazy"))
			m.lazy = true;
		else if (str_eq(argv[i], "--blind"))
			m.blind = true;
		else if (str_eq(argv[i], "--rounds") && i + 1 < argc)
			m.rounds = atoi(argv[++i]);
		else if (str_eq(argv[i], "--codec") && i + 1 < argc)
			codec = codec_of(argv[++i]);
		else if (str_eq(argv[i], "--track") && i + 1 < argc)
			m.track = (enum track_mode)mode_of(argv[++i]);
		else if (str_eq(argv[i], "--criu") && i + 1 < argc)
			m.criu = argv[++i];
	}
	if (i + 2 > argc || codec < 0) {
		fprintf(stderr, "see the top of mover.c\n");
		return 2;
	}
	auto_free char *criu = NULL;
	r = criu_find(m.criu, &criu, &e);
	if (r == 0) {
		m.criu = criu;
		m.path = argv[i];
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		m.pid = start(argv + i + 1);
		r = run(&m, (enum page_codec)codec, &e);
	}
	if (r < 0) {
		int status = 0;
		fprintf(stderr, "%s\n", e.msg);
		if (m.pid > 0 && waitpid(m.pid, &status, WNOHANG | __WALL) == m.pid)
			fprintf(stderr, "the program had ended: status %#x\n", (unsigned int)status);
		if (m.pid > 0)
			kill(m.pid, SIGKILL);
		return 1;
	}
	tell(&m, r);
	lazy_server_free(m.lazy_server);
	page_sender_free(m.sender);
	page_sender_free(m.nowhere);
	page_store_free(m.store);
	return 0;
}
