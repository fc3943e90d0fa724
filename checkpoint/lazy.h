/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lazy.h - serve the memory of restored processes by userfaultfd: what `criu lazy-pages` does, from a
 *page_store
 *
 * CRIU's restore with lazy_pages set connects to lazy-pages.socket in its working directory and sends, for
 *each task, its pid and a userfaultfd whose ranges it has registered. We answer page faults first, then fill
 *everything else in bulk: no page is missing any more when lazy_server_is_done(), and the descriptors are
 *closed. No network is needed, unless pages are owed (post-copy): those are asked for through `want` and come
 *in by page_store_feed().
 *
 *	lazy_server_new()			before CRIU's restore request: the socket must be there
 *	poll { lazy_server_fd, … }		its descriptor is an epoll: readable when there is something
 *to do lazy_server_step()			handle it lazy_server_fill()			from CRIU's
 *post-restore notify on: bulk filling may begin, the processes need not run yet until lazy_server_is_done()
 *
 * The caller's loop must run until then, also after CRIU has gone: a process that touches a missing page
 *waits for it. If this process dies before, such processes get the pages as zeroes: so keep it alive, and
 *tell people (it is well below a second for local pages). Privileges: CAP_SYS_PTRACE is not needed, the
 *descriptors suffice. */
#ifndef CORACLE_LAZY_H
#define CORACLE_LAZY_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint/pagestore.h"

#define LAZY_SOCKET "lazy-pages.socket"

/* Post-copy: ask the source for `n` pages from `vaddr` on; they go before all others. */
struct lazy_want {
	int (*want)(void *arg, uint64_t image, uint64_t vaddr, uint64_t n, struct error *e);
	void *arg;
};

struct lazy_stats {
	uint64_t tasks;
	uint64_t faults; /* page faults answered */
	uint64_t filled; /* pages given in bulk */
	uint64_t zero;	 /* pages given as zeroes */
	uint64_t waited; /* post-copy: faults that had to wait for the network */
	uint64_t left;	 /* pages not given yet */
	uint64_t
		longest_us; /* slowest answer to a fault, from its reading to its page (post-copy included) */
	uint64_t fill_us;   /* from the first bulk fill to the last */
};

struct lazy_server;
/* `dir`: CRIU's working directory; the socket is made in it, mode 0600. `want` NULL: every page must be in
 * the store. */
int lazy_server_new(struct page_store *store, int dir, const struct lazy_want *want, struct lazy_server **ret,
		    struct error *e);
void lazy_server_free(struct lazy_server *ls);
DEFINE_AUTO(lazy_server, struct lazy_server)
int lazy_server_fd(const struct lazy_server *ls);
/* Handle everything that waits, and a slice of bulk filling (at most some milliseconds). Returns 1 if there
 * is more filling to do at once (poll with timeout 0), 0 if only events are waited for. -EPROTO: not CRIU's
 * protocol. */
int lazy_server_step(struct lazy_server *ls, struct error *e);
/* All ranges are registered: fill. Also begun by CRIU's own word at the end of its restore. */
void lazy_server_fill(struct lazy_server *ls);
/* Post-copy: pages came into the store (page_store_feed()): give them to who waits. */
int lazy_server_arrived(struct lazy_server *ls, uint64_t image, uint64_t vaddr, uint64_t n, struct error *e);
bool lazy_server_is_done(const struct lazy_server *ls);
/* Step until done, or `stop` (a descriptor, -1: none) becomes readable: -ECANCELED. */
int lazy_server_run(struct lazy_server *ls, int stop, struct error *e);
void lazy_server_stats(const struct lazy_server *ls, struct lazy_stats *ret);

#endif
