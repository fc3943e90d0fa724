/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages.h - memory pages leave a node: CRIU's page server, the ledger of what the destination has, and the
 *sender
 *
 *	CRIU --ps.fd--> page_server --+
 *	                              +--> page_sender --frames--> sink (the migration's stream) -->
 *page_store own tracking (track.h) -------+
 *
 * One page_sender lives as long as a migration. It knows a hash of every page as the destination has it (the
 * ledger), so a page is sent only if it differs: from nothing, from zeroes, from what was sent of it before,
 *or from another page that was sent before. So the memory arrives right even if whoever tracked it was wrong:
 *the final dump passes every page by the ledger. The hash is 128 bits, universal with a random key that never
 *leaves this process (pagehash.h): two different pages are taken for equal with a probability of 2^-120 or
 *less, whatever the container writes.
 *
 * An image is what CRIU calls one: the memory of a task (by its pid in the container's pid namespace) or a
 *shared memory segment (by CRIU's number of it, its inode). Its id is CRIU's own on the wire: number << 8 |
 *kind.
 *
 * Nothing here prints, forks or makes threads. A sink may block; page_server_step() returns when CRIU's
 *socket has nothing more, so that one poll(2) loop can serve CRIU's pages, its requests and the peer's
 *answers. */
#ifndef CORACLE_PAGES_H
#define CORACLE_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "checkpoint/pageframe.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

/* Takes a whole frame (`n` pieces); returns 0 or -errno with *e set, and then so does what was asked of the
 * sender. The pieces are gone when it returns. */
struct page_sink {
	int (*send)(void *arg, const struct iovec *pieces, int n, struct error *e);
	void *arg;
};

struct page_sender_options {
	enum page_codec
		codec; /* PAGE_CODEC_NONE, _LZ4, _ZSTD; pages_default_codec() is what was measured best */
	int level;     /* of zstd; 0: the default */
	uint64_t bandwidth; /* bytes of frames per second; 0: no limit */
};

/* All counted since the sender was made; pages of the system's page size. */
struct page_stats {
	uint64_t seen;	       /* pages looked at */
	uint64_t zero;	       /* all zeroes: a few bytes each, or less */
	uint64_t same;	       /* the destination has them as they are */
	uint64_t parent;       /* of these, by CRIU's word (soft-dirty), not looked at */
	uint64_t duplicate;    /* equal to another page that the destination has */
	uint64_t sent;	       /* pages whose contents were sent */
	uint64_t later;	       /* post-copy: promised, not sent yet */
	uint64_t raw_bytes;    /* contents sent, before compression */
	uint64_t wire_bytes;   /* frames, headers and all */
	uint64_t ledger_bytes; /* memory that the ledger takes now (about 1 % of the container's) */
};

struct page_sender;
int page_sender_new(const struct page_sender_options *o, const struct page_sink *sink,
		    struct page_sender **ret, struct error *e);
void page_sender_free(struct page_sender *s);
DEFINE_AUTO(page_sender, struct page_sender)
void page_sender_stats(const struct page_sender *s, struct page_stats *ret);
/* In flight: takes effect with the next frame. */
void page_sender_set_bandwidth(struct page_sender *s, uint64_t bytes_per_second);

/* A round is what lies between these two. Pages of the final round are all that the destination will restore:
 * what is not named in it does not exist any more. page_sender_end() flushes and sends the end of the round,
 * with the number of pages named, which the destination checks. */
int page_sender_begin(struct page_sender *s, bool final, struct error *e);
int page_sender_end(struct page_sender *s, struct error *e);
/* Send what is buffered (less than a frame). */
int page_sender_flush(struct page_sender *s, struct error *e);

/* The image's process has ended: the destination may drop what it has of it. */
int page_sender_forget(struct page_sender *s, uint64_t image, struct error *e);
/* Name an image, also one without pages. */
int page_sender_open(struct page_sender *s, uint64_t image, struct error *e);
/* True if pages of this image were sent in an earlier round. */
bool page_sender_knows(const struct page_sender *s, uint64_t image);
/* `n` pages of `image` from `vaddr` on, contents at `data`. `flags` is of enum page_flag; pages that are not
 * PAGE_LAZY have to be there before the task runs. Addresses may come in any order. */
int page_sender_add(struct page_sender *s, uint64_t image, uint64_t vaddr, uint64_t n, uint32_t flags,
		    const void *data, struct error *e);
/* The same without contents: CRIU says that they are as in the round before. -ENODATA if the ledger lacks
 * one. */
int page_sender_add_parent(struct page_sender *s, uint64_t image, uint64_t vaddr, uint64_t n,
			   struct error *e);

/* ---- post-copy: the contents of lazy pages follow while the container runs on the destination ----
 * From page_sender_postpone() on, lazy pages of tasks that the destination lacks are promised rather than
 * sent. They are read from the stopped processes afterwards, which must stay stopped until page_sender_push()
 * says that nothing is left. */
int page_sender_postpone(struct page_sender *s, struct error *e);
/* Which process holds the memory of `image`: `mem` is its /proc/PID/mem, taken over on success. */
int page_sender_add_source(struct page_sender *s, uint64_t image, int mem, struct error *e);
/* The destination asks for `n` pages from `vaddr` on (page_want_parse()): they go
 * next. */
int page_sender_push_wanted(struct page_sender *s, uint64_t image, uint64_t vaddr, uint64_t n,
			    struct error *e);
/* Send up to `pages` of what is promised; returns how many are still to come. */
int64_t page_sender_push(struct page_sender *s, uint64_t pages, struct error *e);

/* ---- CRIU's page server ----
 * `fd` is our end of a socketpair(AF_UNIX, SOCK_STREAM) whose other end CRIU got as ps.fd (it is owned by the
 * caller). `has_parent` is what CRIU is told when it asks whether there are earlier pages of an image the
 * sender knows: true only in rounds that CRIU tracks itself (soft-dirty); false makes CRIU dump all pages. */
/* Such a pair, close-on-exec: ret[0] ours, ret[1] CRIU's, with room for some megabytes on its way: a third faster than
 * the default's 200 KB. */
int page_server_pair(int ret[2], struct error *e);

struct page_server;
int page_server_new(struct page_sender *s, int fd, bool has_parent, struct page_server **ret,
		    struct error *e);
void page_server_free(struct page_server *ps);
DEFINE_AUTO(page_server, struct page_server)
/* Handle what the socket has, without blocking on it. 1: CRIU has said that it is done and has been answered.
 * 0: poll(2) for POLLIN and come again. -EPROTO: not what CRIU 3.x to 4.2 speak, or beyond the limits;
 * -EPIPE: the socket ended before CRIU said so. The answer to CRIU's last word is sent after the sender has
 * flushed. */
int page_server_step(struct page_server *ps, struct error *e);
/* Step until CRIU is done, or `stop` (a descriptor, -1: none) becomes readable: -ECANCELED. */
int page_server_run(struct page_server *ps, int stop, struct error *e);

enum page_codec pages_default_codec(void);

#endif
