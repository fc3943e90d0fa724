/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nl.h - netlink: requests are collected in a batch, sent at once, and their answers become sentences
 *
 *	AUTO(nl) struct nl *nl = NULL;
 *	AUTO(nl_batch) struct nl_batch *b = nl_batch_new();
 *	nl_open(NETLINK_ROUTE, netns, &nl, e);
 *	link_create_veth(b, &veth);		nothing is sent yet, nothing can fail yet
 *	addr_add(b, index, &ip, 0);
 *	nl_ask(nl, b, e);			one sendmsg(2), one recvmsg(2)
 *
 * What builds a request (link_*, addr_*, …) only appends to the batch; where it cannot (no memory, a name
 *that is too long) the batch is broken and nl_ask says so. A message carries the words of what it does, so an
 * error reads `link eth0: create veth pair: File exists (Veth name is taken)`: extended acknowledgements
 * (NETLINK_EXT_ACK) are part of it, and an attribute that the kernel points at is named.
 *
 * rtnetlink runs the messages of a batch one by one and goes on after a failure: the first failure is the
 * one told, and the caller undoes what came before and after. nftables runs a batch whole or not at all.
 *
 * Both answer before sendmsg returns; only the last message asks for an acknowledgement, for failures are
 * told without being asked (net/netlink/af_netlink.c: netlink_rcv_skb; nfnetlink.c: nfnetlink_rcv_batch). */
#ifndef CORACLE_NETNS_NL_H
#define CORACLE_NETNS_NL_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

struct nl;
struct nl_batch;

/* A socket of this protocol (NETLINK_ROUTE, NETLINK_NETFILTER) in a network namespace (-1: ours). */
int nl_open(int protocol, int netns, struct nl **ret, struct error *e);
void nl_free(struct nl *nl);
DEFINE_AUTO(nl, struct nl)

/* The index of a link by name, in the socket's namespace; one system call. -ENODEV. */
int nl_link_index(struct nl *nl, const char *name, struct error *e);

/* NULL when memory is short; every function takes a NULL batch and nl_ask then says so. */
struct nl_batch *nl_batch_new(void);
void nl_batch_free(struct nl_batch *b);
DEFINE_AUTO(nl_batch, struct nl_batch)
void nl_batch_clear(struct nl_batch *b);
bool nl_batch_is_empty(const struct nl_batch *b);
size_t nl_batch_count(const struct nl_batch *b);

/* Begin a message: type, NLM_F_* (NLM_F_REQUEST is added), the family's own header, and what it does in
 * words for errors. Attributes are put with libmnl into what is returned (NULL on a broken batch); a message
 * has room for NL_MESSAGE_SIZE bytes. The next nl_put, nl_ask ends it. */
#define NL_MESSAGE_SIZE 16384
struct nlmsghdr *nl_put(struct nl_batch *b, uint16_t type, uint16_t flags, const void *header,
			size_t header_size, const char *what, ...) __attribute__((format(printf, 6, 7)));

/* The message at hand may fail with this errno: that counts as done (ENOENT when removing, EEXIST when
 * ensuring). For rtnetlink only: a batch of nftables fails whole. */
void nl_tolerate(struct nl_batch *b, int errnum);

/* Append another batch's messages. */
void nl_append(struct nl_batch *b, const struct nl_batch *from);
/* One of them (counted from 0); where it has type `from_type`, it gets `to_type`. */
void nl_append_one(struct nl_batch *b, const struct nl_batch *from, size_t i, uint16_t from_type,
		   uint16_t to_type);

/* Give up the batch: nl_ask will return this. For request builders with an argument that cannot be sent. */
void nl_break(struct nl_batch *b, int errnum, const char *what, ...) __attribute__((format(printf, 3, 4)));

/* Send all of it and read the answers; an empty batch is nothing to do. The batch keeps its messages and can
 * be sent again. */
int nl_ask(struct nl *nl, struct nl_batch *b, struct error *e);

/* Send one request (the batch's only message) and have every object that comes back: `each` returns 0, or a
 * negative errno (with e set) to stop. With NLM_F_DUMP in its flags it is a dump, repeated from the start
 * when the kernel says that it was interrupted (`each` is told by a NULL message, to forget what it has). */
typedef int nl_each(const struct nlmsghdr *m, void *data, struct error *e);
int nl_read(struct nl *nl, struct nl_batch *b, nl_each *each, void *data, struct error *e);

/* Hear what happens: join a group (RTNLGRP_*); wait for nl_fd to be readable; every message there is goes to `each`.
 * -ENOBUFS when some were lost. A socket that listens is not used for asking. */
int nl_listen(struct nl *nl, unsigned int group, struct error *e);
int nl_fd(const struct nl *nl);
int nl_events(struct nl *nl, nl_each *each, void *data, struct error *e);

/* A batch made ready for the moment when every microsecond counts: no allocation, no words to format; the
 * caller's later use is nl_fire, two system calls. Takes the bytes of `b` (b may be freed). */
struct nl_ready;
int nl_prepare(struct nl *nl, struct nl_batch *b, struct nl_ready **ret, struct error *e);
int nl_fire(struct nl_ready *r, struct error *e);
void nl_ready_free(struct nl_ready *r);
DEFINE_AUTO(nl_ready, struct nl_ready)

/* What an answer says: bytes of one datagram from the kernel, checked as a stranger's. For tests and fuzzing.
 */
int nl_parse_answers(const void *data, size_t size, const struct nl_batch *b, bool *ret_last,
		     struct error *e);

#endif
