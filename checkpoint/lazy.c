/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lazy.c - userfaultfd, the serving side (see criu/uffd.c for CRIU's own, and userfaultfd(2))
 *
 * CRIU's protocol: a stream; for each task its pid (int), then one byte with the descriptor (SCM_RIGHTS); a
 * negative pid is a zombie and has none; at the end of the restore the word "RSTF". The descriptors report
 * faults, and that a process forked (with a descriptor for the child), moved, unmapped or dropped memory: until such an
 * event has been read, copies fail with EAGAIN, so events always go before copies.
 * A page that is there already (EEXIST) was given by an answered fault: bulk copies step over it, so ranges need not be
 * kept exact. What no range has is zeroes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/lazy.h"
#include "checkpoint/lazyranges.h"
#include "checkpoint/pagestore_internal.h"
#include "runtime/base/fd.h"

#define RESTORE_FINISHED 0x52535446U
#define SLICE		 256 /* pages that are copied before events are looked at again */
#define SLICES		 8   /* per step */
#define TASKS_MAX	 65536

struct lazy_task {
	int uffd; /* -1: over */
	const struct store_image *image;
	struct lazy_ranges ranges;
	uint64_t cursor; /* addresses below are given */
	bool hot;	 /* only hot ranges, in this pass */
	bool moved;	 /* addresses are not those of the image any more */
	bool filled;
};

struct lazy_server {
	struct page_store *store;
	struct lazy_want want;
	int epoll, listener, criu, dir;
	int32_t word; /* of CRIU's stream */
	size_t have;
	bool expects_fd, filling, finished;
	struct lazy_task **task;
	size_t tasks, room, turn;
	size_t page_size;
	struct lazy_stats stats;
	uint64_t fill_begun;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int no_memory(struct error *e)
{
	return fail(e, ENOMEM, "serve lazy pages");
}

/* ---- the server as such ---- */

static int watch(const struct lazy_server *ls, int fd, void *who, struct error *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = who };

	if (epoll_ctl(ls->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return fail(e, errno, "epoll_ctl");
	return 0;
}

int lazy_server_new(struct page_store *store, int dir, const struct lazy_want *want, struct lazy_server **ret,
		    struct error *e)
{
	AUTO(lazy_server) struct lazy_server *ls = calloc(1, sizeof(*ls));
	int r;

	if (!ls)
		return no_memory(e);
	ls->store = store;
	ls->epoll = ls->listener = ls->criu = ls->dir = -1;
	ls->page_size = store->page_size;
	if (want)
		ls->want = *want;
	if (!page_store_is_final(store))
		return refuse(e, EINVAL, "lazy pages before the last round has come");
	ls->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (ls->epoll < 0)
		return fail(e, errno, "epoll_create1");
	ls->dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	if (ls->dir < 0)
		return fail(e, errno, "dup");
	ls->listener = fd_unix_listen(dir, LAZY_SOCKET, SOCK_STREAM, e);
	if (ls->listener < 0)
		return ls->listener;
	if (fchmodat(dir, LAZY_SOCKET, 0600, 0) < 0)
		return fail(e, errno, "chmod %s", LAZY_SOCKET);
	r = watch(ls, ls->listener, &ls->listener, e);
	if (r < 0)
		return r;
	*ret = take_ptr(ls);
	return 0;
}

static void task_over(struct lazy_server *ls, struct lazy_task *t)
{
	if (t->uffd >= 0) {
		epoll_ctl(ls->epoll, EPOLL_CTL_DEL, t->uffd, NULL);
		close(t->uffd);
	}
	t->uffd = -1;
	t->filled = true;
	lazy_ranges_done(&t->ranges);
}

void lazy_server_free(struct lazy_server *ls)
{
	if (!ls)
		return;
	for (size_t i = 0; i < ls->tasks; i++) {
		task_over(ls, ls->task[i]);
		free(ls->task[i]);
	}
	free(ls->task);
	if (ls->listener >= 0)
		unlinkat(ls->dir, LAZY_SOCKET, 0);
	cleanup_close(&ls->listener);
	cleanup_close(&ls->criu);
	cleanup_close(&ls->dir);
	cleanup_close(&ls->epoll);
	free(ls);
}

int lazy_server_fd(const struct lazy_server *ls)
{
	return ls->epoll;
}

static uint64_t pages_left(const struct lazy_server *ls)
{
	uint64_t left = 0;

	for (size_t i = 0; i < ls->tasks; i++) {
		const struct lazy_task *t = ls->task[i];

		for (size_t k = 0; !t->filled && k < t->ranges.n; k++) {
			const struct lazy_range *r = &t->ranges.range[k];
			uint64_t start = r->start;

			if (t->hot ? false : r->hot)
				continue;
			if (!t->hot && start < t->cursor)
				start = t->cursor < r->end ? t->cursor : r->end;
			left += (r->end - start) / ls->page_size;
		}
	}
	return left + ls->store->owed;
}

void lazy_server_stats(const struct lazy_server *ls, struct lazy_stats *ret)
{
	*ret = ls->stats;
	ret->left = pages_left(ls);
}

void lazy_server_fill(struct lazy_server *ls)
{
	if (!ls->filling)
		ls->fill_begun = now_us();
	ls->filling = true;
}

static bool all_filled(const struct lazy_server *ls)
{
	for (size_t i = 0; i < ls->tasks; i++)
		if (!ls->task[i]->filled)
			return false;
	return true;
}

bool lazy_server_is_done(const struct lazy_server *ls)
{
	return ls->finished && all_filled(ls) && !ls->store->owed;
}

/* ---- pages into a process ---- */

enum outcome { GIVEN, AGAIN, ENDED };

/* `n` pages from `at` on in our memory to `to`. *ret_n: how many are done with. */
static enum outcome copy_pages(struct lazy_server *ls, struct lazy_task *t, uint64_t to, const uint8_t *at,
			       uint64_t n, uint64_t *ret_n)
{
	uint64_t done = 0, try = n;

	while (done < n) {
		struct uffdio_copy c = {
			.dst = to + done * ls->page_size,
			.src = (uintptr_t)at + done * ls->page_size,
			.len = (try < n - done ? try : n - done) * ls->page_size,
		};
		int r = ioctl(t->uffd, UFFDIO_COPY, &c), error = r < 0 ? errno : 0;

		*ret_n = done;
		if (r == 0 || c.copy > 0) {
			done += (uint64_t)c.copy / ls->page_size;
			ls->stats.filled += (uint64_t)c.copy / ls->page_size;
			try = n;
			continue;
		}
		if (c.copy < 0)
			error = (int)-c.copy;
		switch (error) {
		case EEXIST:
			done++;
			break;
		case ENOENT: /* not within one mapping: less at a time */
		case EINVAL:
			try = (try < n - done ? try : n - done) / 2;
			if (try == 0) {
				done++;
				try = n;
			}
			break;
		case EAGAIN:
			return AGAIN;
		default: /* ESRCH, ENOSPC: the process is gone */
			return ENDED;
		}
	}
	*ret_n = n;
	return GIVEN;
}

/* What the store has for `n` pages of the image from `vaddr` on: a stretch whose contents follow each other. NULL: the
 * first page has no contents (here), and *ret_n pages neither. */
static const uint8_t *stretch(const struct lazy_server *ls, const struct lazy_task *t, uint64_t vaddr,
			      uint64_t n, uint64_t *ret_n, uint8_t *ret_state)
{
	const struct page_store *s = ls->store;
	uint64_t here, k = 1;
	const struct store_page *p = page_table_find((struct page_table *)(uintptr_t)&t->image->index,
						     vaddr >> s->page_shift, n, &here);

	*ret_state = p && store_has(s, &p[0]) ? p[0].state : STORE_NONE;
	if (*ret_state != STORE_DATA) {
		*ret_n = p ? 1 : here;
		return NULL;
	}
	while (k < here && store_has(s, &p[k]) && p[k].state == STORE_DATA && p[k].slot == p[0].slot + k)
		k++;
	*ret_n = k;
	return store_contents_of(s, &p[0]);
}

static int wake(const struct lazy_task *t, uint64_t at, size_t page_size)
{
	struct uffdio_range r = { at, page_size };

	return ioctl(t->uffd, UFFDIO_WAKE, &r);
}

static enum outcome give_zeroes(struct lazy_server *ls, const struct lazy_task *t, uint64_t at)
{
	struct uffdio_zeropage z = { .range = { at, ls->page_size } };

	if (ioctl(t->uffd, UFFDIO_ZEROPAGE, &z) == 0) {
		ls->stats.zero++;
		return GIVEN;
	}
	return errno == ESRCH || errno == ENOSPC ? ENDED : AGAIN;
}

static int serve_fault(struct lazy_server *ls, struct lazy_task *t, uint64_t at, struct error *e)
{
	const struct lazy_range *r;
	const uint8_t *data = NULL;
	uint64_t begun = now_us(), n, took;
	uint8_t state = STORE_NONE;
	enum outcome o;

	at &= ~((uint64_t)ls->page_size - 1);
	ls->stats.faults++;
	r = lazy_ranges_find(&t->ranges, at);
	if (r)
		data = stretch(ls, t, r->image + (at - r->start), 1, &n, &state);
	if (state == STORE_OWED) {
		ls->stats.waited++;
		if (!ls->want.want)
			return refuse(e, ENODATA,
				      "a page that is owed is touched, and nobody can be asked for it");
		return ls->want.want(ls->want.arg, t->image->image, r->image + (at - r->start), 1, e);
	}
	o = data ? copy_pages(ls, t, at, data, 1, &n) : give_zeroes(ls, t, at);
	if (o == ENDED)
		task_over(ls, t);
	else if (o == AGAIN || (data && n == 0))
		/* something else must come first: who faulted shall try again, and ask again */
		wake(t, at, ls->page_size);
	took = now_us() - begun;
	if (took > ls->stats.longest_us)
		ls->stats.longest_us = took;
	return 0;
}

/* ---- filling ---- */

/* The next piece of a task: true if there is more. A pass over what is hot, one over the rest. */
static bool fill_slice(struct lazy_server *ls, struct lazy_task *t)
{
	uint64_t budget = SLICE;

	while (budget && !t->filled) {
		size_t i = lazy_ranges_above(&t->ranges, t->cursor);
		const struct lazy_range *r = i < t->ranges.n ? &t->ranges.range[i] : NULL;
		uint64_t from, n, given = 0;
		uint8_t state;

		if (!r) {
			t->filled = !t->hot;
			t->hot = false;
			t->cursor = 0;
			continue;
		}
		if (r->hot != t->hot) {
			t->cursor = r->end;
			continue;
		}
		from = t->cursor > r->start ? t->cursor : r->start;
		n = (r->end - from) / ls->page_size;
		const uint8_t *data = stretch(ls, t, r->image + (from - r->start), n < budget ? n : budget,
					      &n, &state);
		if (data) {
			enum outcome o = copy_pages(ls, t, from, data, n, &given);
			if (o == ENDED) {
				task_over(ls, t);
				return false;
			}
			t->cursor = from + given * ls->page_size;
			if (o == AGAIN)
				return true;
			budget -= given < budget ? given : budget;
		} else {
			t->cursor = from + n * ls->page_size;
		}
	}
	return !t->filled;
}

/* One slice of the next task that has any. True if there is more to do. */
static bool fill_some(struct lazy_server *ls)
{
	for (size_t i = 0; i < ls->tasks; i++) {
		struct lazy_task *t = ls->task[(ls->turn + i) % ls->tasks];

		if (t->filled)
			continue;
		fill_slice(ls, t);
		ls->turn = (ls->turn + i + 1) % ls->tasks;
		ls->stats.fill_us = now_us() - ls->fill_begun;
		return !all_filled(ls);
	}
	return false;
}

/* ---- tasks come ---- */

static int add_task(struct lazy_server *ls, int uffd, const struct store_image *image, struct lazy_task **ret,
		    struct error *e)
{
	struct lazy_task *t;

	if (ls->tasks >= TASKS_MAX)
		return refuse(e, EPROTO, "lazy pages for more than %d tasks", TASKS_MAX);
	if (ls->tasks == ls->room) {
		size_t room = ls->room ? 2 * ls->room : 16;
		void *more = reallocarray(ls->task, room, sizeof(*ls->task));
		if (!more)
			return no_memory(e);
		ls->task = more;
		ls->room = room;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return no_memory(e);
	*t = (struct lazy_task){ .uffd = uffd, .image = image, .hot = true };
	ls->task[ls->tasks++] = t;
	ls->stats.tasks++;
	*ret = t;
	return watch(ls, uffd, t, e);
}

static int collect_ranges(const struct lazy_server *ls, struct lazy_task *t, struct error *e)
{
	auto_free struct page_chunk **chunk = t->image ? page_table_sorted(&t->image->index) : NULL;
	int r = 0;

	if (t->image && !chunk)
		return no_memory(e);
	for (size_t i = 0; t->image && i < t->image->index.chunks; i++) {
		const struct store_page *p = page_chunk_record(&t->image->index, chunk[i], 0);

		for (size_t k = 0; k < PAGE_CHUNK && r == 0; k++) {
			uint64_t at = (chunk[i]->number * PAGE_CHUNK + k) * ls->page_size;
			struct lazy_range one = { at, at + ls->page_size, at, store_is_hot(&p[k]) };

			if (store_has(ls->store, &p[k]) && p[k].lazy && p[k].state >= STORE_DATA)
				r = lazy_ranges_append(&t->ranges, &one);
		}
	}
	return r < 0 ? no_memory(e) : 0;
}

static int task_comes(struct lazy_server *ls, int pid, int *uffd, struct error *e)
{
	const struct store_image *image = store_image(ls->store, page_image(PAGE_TASK, (uint64_t)pid));
	struct lazy_task *t;
	int r = add_task(ls, *uffd, image, &t, e);

	if (r < 0)
		return r;
	*uffd = -1;
	return collect_ranges(ls, t, e);
}

static int handle_word(struct lazy_server *ls, struct error *e)
{
	if ((uint32_t)ls->word == RESTORE_FINISHED) {
		ls->finished = true;
		lazy_server_fill(ls);
		return 0;
	}
	if (ls->word == 0)
		return refuse(e, EPROTO, "lazy pages: CRIU names a task 0");
	ls->expects_fd = ls->word > 0;
	return 0;
}

static void criu_gone(struct lazy_server *ls)
{
	epoll_ctl(ls->epoll, EPOLL_CTL_DEL, ls->criu, NULL);
	replace_fd(&ls->criu, -1);
}

/* One message's worth of CRIU's stream. 1: there may be more. */
static int serve_criu(struct lazy_server *ls, struct error *e)
{
	if (ls->expects_fd) {
		auto_close int uffd = -1;
		char byte;
		ssize_t n = fd_receive(ls->criu, &byte, 1, &uffd, e);

		if (n < 0)
			return (int)n;
		if (n != 1 || uffd < 0)
			return refuse(e, EPROTO, "lazy pages: CRIU sent no descriptor for task %d", ls->word);
		ls->expects_fd = false;
		return task_comes(ls, ls->word, &uffd, e);
	}
	ssize_t n = recv(ls->criu, (uint8_t *)&ls->word + ls->have, sizeof(ls->word) - ls->have,
			 MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0
							 : fail(e, errno, "lazy pages: CRIU's connection");
	if (n == 0) {
		criu_gone(ls);
		return ls->finished ? 0 : refuse(e, EPIPE, "lazy pages: CRIU ended before it had restored");
	}
	ls->have += (size_t)n;
	if (ls->have < sizeof(ls->word))
		return 0;
	ls->have = 0;
	return handle_word(ls, e);
}

static int accept_criu(struct lazy_server *ls, struct error *e)
{
	int fd = accept4(ls->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : fail(e, errno, "lazy pages: accept");
	epoll_ctl(ls->epoll, EPOLL_CTL_DEL, ls->listener, NULL);
	unlinkat(ls->dir, LAZY_SOCKET, 0);
	replace_fd(&ls->listener, -1);
	ls->criu = fd;
	return watch(ls, fd, &ls->criu, e);
}

/* ---- events of a process ---- */

static int task_forks(struct lazy_server *ls, const struct lazy_task *parent, int uffd, struct error *e)
{
	auto_close int own = uffd;
	struct lazy_task *t;
	int r = add_task(ls, uffd, parent->image, &t, e);

	if (r < 0)
		return r;
	take_fd(&own);
	t->cursor = parent->cursor;
	t->hot = parent->hot;
	t->moved = parent->moved;
	t->filled = parent->filled;
	return lazy_ranges_copy(&parent->ranges, &t->ranges) < 0 ? no_memory(e) : 0;
}

/* The cursor only ever speeds things up: where addresses change it begins anew, and steps over what is there. */
static int task_moves(struct lazy_task *t, const struct uffd_msg *m, struct error *e)
{
	int r = lazy_ranges_move(&t->ranges, m->arg.remap.from, m->arg.remap.to, m->arg.remap.len);

	t->moved = true;
	t->cursor = 0;
	return r < 0 ? no_memory(e) : 0;
}

static int serve_event(struct lazy_server *ls, struct lazy_task *t, const struct uffd_msg *m, struct error *e)
{
	switch (m->event) {
	case UFFD_EVENT_PAGEFAULT:
		return serve_fault(ls, t, m->arg.pagefault.address, e);
	case UFFD_EVENT_FORK:
		return task_forks(ls, t, (int)m->arg.fork.ufd, e);
	case UFFD_EVENT_REMAP:
		return task_moves(t, m, e);
	case UFFD_EVENT_REMOVE:
	case UFFD_EVENT_UNMAP:
		return lazy_ranges_cut(&t->ranges, m->arg.remove.start, m->arg.remove.end) < 0 ? no_memory(e)
											       : 0;
	default:
		return refuse(e, EPROTO, "lazy pages: userfaultfd event %#x", m->event);
	}
}

static int serve_task(struct lazy_server *ls, struct lazy_task *t, struct error *e)
{
	struct uffd_msg m;

	while (t->uffd >= 0) {
		ssize_t n = read(t->uffd, &m, sizeof(m));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n != sizeof(m)) {
			task_over(ls, t);
			return 0;
		}
		r = serve_event(ls, t, &m, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int serve_events(struct lazy_server *ls, struct error *e)
{
	struct epoll_event ev[32];
	int n = epoll_wait(ls->epoll, ev, 32, 0), r = 0;

	if (n < 0 && errno != EINTR)
		return fail(e, errno, "epoll_wait");
	for (int i = 0; i < n && r >= 0; i++) {
		if (ev[i].data.ptr == &ls->listener) {
			r = accept_criu(ls, e);
		} else if (ev[i].data.ptr == &ls->criu) {
			r = serve_criu(ls, e);
		} else {
			struct lazy_task *t = ev[i].data.ptr;
			if (t->uffd >= 0 && ev[i].events & (EPOLLERR | EPOLLHUP) && !(ev[i].events & EPOLLIN))
				task_over(ls, t);
			r = serve_task(ls, t, e);
		}
	}
	return r < 0 ? r : n;
}

/* When nothing is missing any more the processes are let go. */
static void settle(struct lazy_server *ls)
{
	for (size_t i = 0; i < ls->tasks; i++)
		task_over(ls, ls->task[i]);
}

int lazy_server_step(struct lazy_server *ls, struct error *e)
{
	bool more = false;

	for (int i = 0; i < SLICES; i++) {
		int n;

		do
			n = serve_events(ls, e);
		while (n > 0);
		if (n < 0)
			return n;
		more = ls->filling && fill_some(ls);
		if (!more)
			break;
	}
	if (lazy_server_is_done(ls))
		settle(ls);
	return more;
}

int lazy_server_arrived(struct lazy_server *ls, uint64_t image, uint64_t vaddr, uint64_t n, struct error *e)
{
	(void)e;
	for (size_t i = 0; i < ls->tasks; i++) {
		struct lazy_task *t = ls->task[i];

		if (!t->image || t->image->image != image || t->uffd < 0)
			continue;
		/* by image address: where nothing moved that is the address itself */
		for (size_t k = t->moved ? 0 : lazy_ranges_above(&t->ranges, vaddr); k < t->ranges.n; k++) {
			const struct lazy_range *r = &t->ranges.range[k];
			uint64_t last = r->image + (r->end - r->start), end = vaddr + n * ls->page_size;
			uint64_t from = r->image > vaddr ? r->image : vaddr, to = last < end ? last : end;

			if (!t->moved && r->start >= end)
				break;
			while (from < to && t->uffd >= 0) {
				uint64_t some, given;
				uint8_t state;
				const uint8_t *data = stretch(ls, t, from, (to - from) / ls->page_size, &some,
							      &state);
				uint64_t at = r->start + (from - r->image);

				enum outcome o = data ? copy_pages(ls, t, at, data, some, &given) : GIVEN;
				if (o == ENDED)
					task_over(ls, t);
				if (o == AGAIN) /* whoever waits asks again; the rest is filled later */
					wake(t, at, some * ls->page_size);
				from += some * ls->page_size;
			}
			if (t->uffd < 0)
				break;
		}
	}
	return 0;
}

int lazy_server_run(struct lazy_server *ls, int stop, struct error *e)
{
	int more = 1;

	while (!lazy_server_is_done(ls)) {
		struct pollfd p[2] = { { ls->epoll, POLLIN, 0 }, { stop, POLLIN, 0 } };

		if (poll(p, 2, more ? 0 : -1) < 0 && errno != EINTR)
			return fail(e, errno, "poll for lazy pages");
		if (p[1].revents)
			return refuse(e, ECANCELED, "cancelled");
		more = lazy_server_step(ls, e);
		if (more < 0)
			return more;
	}
	settle(ls);
	return 0;
}
