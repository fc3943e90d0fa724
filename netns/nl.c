/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nl.c - batches of netlink requests, sent at once; answers checked and put into words */
#include "netns/nl.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "netns/nl_attr.h"
#include "netns/open.h"
#include "runtime/base/str.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define ANSWER_SIZE 32768 /* what the kernel fills for a dump at most */

struct nl {
	int fd;
	int protocol;
	uint32_t sequence;
};

struct part {
	size_t offset; /* of the message */
	size_t what;   /* of its words */
	int tolerated; /* an errno */
};

struct nl_batch {
	char *data;
	size_t used, size; /* used: up to where the last message begins, its length is its own */
	struct part *parts;
	size_t count, room;
	char *words;
	size_t words_used, words_size;
	uint32_t first; /* sequence number of the first message, once sent */
	int broken;	/* an errno */
	char why[128];
};

/* ---- sockets ---- */

static int open_socket(int protocol, struct error *e)
{
	static const int options[] = { NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK };
	const int on = 1;

	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return fail(e, errno, "netlink socket");
	/* A kernel that lacks one of them only says less. */
	for (size_t i = 0; i < COUNT_OF(options); i++)
		setsockopt(fd, SOL_NETLINK, options[i], &on, sizeof(on));
	return take_fd(&fd);
}

int nl_open(int protocol, int netns, struct nl **ret, struct error *e)
{
	AUTO(nl) struct nl *nl = calloc(1, sizeof(*nl));
	int home = -1;

	if (!nl)
		return fail(e, ENOMEM, "netlink socket");
	nl->fd = -1;
	nl->protocol = protocol;
	int r = netns_visit(netns, &home, e);
	if (r < 0)
		return r;
	nl->fd = open_socket(protocol, e);
	r = netns_leave(home, e);
	if (nl->fd < 0 || r < 0)
		return nl->fd < 0 ? nl->fd : r;
	*ret = take_ptr(nl);
	return 0;
}

/* Closing a socket of nftables waits until what was removed by anybody is freed, a grace period of RCU: 7 to 30 ms
 * (nft_rcv_nl_event, Linux 6.18). So the last one lingers, and is closed by the next one or by the process's end,
 * when nobody waits for us any more. */
static int lingering = -1;

void nl_free(struct nl *nl)
{
	if (!nl)
		return;
	if (nl->protocol == NETLINK_NETFILTER && nl->fd >= 0)
		replace_fd(&lingering, take_fd(&nl->fd));
	cleanup_close(&nl->fd);
	free(nl);
}

int nl_link_index(struct nl *nl, const char *name, struct error *e)
{
	struct ifreq request = { 0 };

	if (str_format(request.ifr_name, sizeof(request.ifr_name), "%s", name) < 0)
		return fail(e, ENODEV, "link %s", name);
	if (ioctl(nl->fd, SIOCGIFINDEX, &request) < 0)
		return fail(e, errno, "link %s", name);
	return request.ifr_ifindex;
}

/* ---- batches ---- */

struct nl_batch *nl_batch_new(void)
{
	return calloc(1, sizeof(struct nl_batch));
}

void nl_batch_free(struct nl_batch *b)
{
	if (!b)
		return;
	free(b->data);
	free(b->parts);
	free(b->words);
	free(b);
}

void nl_batch_clear(struct nl_batch *b)
{
	if (b)
		b->used = b->count = b->words_used = (size_t)(b->broken = 0);
}

bool nl_batch_is_empty(const struct nl_batch *b)
{
	return b && !b->count && !b->broken;
}

size_t nl_batch_count(const struct nl_batch *b)
{
	return b ? b->count : 0;
}

static struct nlmsghdr *message(const struct nl_batch *b, size_t i)
{
	return (struct nlmsghdr *)(void *)(b->data + b->parts[i].offset);
}

static const char *words(const struct nl_batch *b, size_t i)
{
	return b->words + b->parts[i].what;
}

/* Count the last message's length in. */
static void end_message(struct nl_batch *b)
{
	if (b->count)
		b->used = b->parts[b->count - 1].offset + MNL_ALIGN(message(b, b->count - 1)->nlmsg_len);
}

static bool grow(void **data, size_t *size, size_t needed)
{
	if (*size >= needed)
		return true;
	size_t more = *size * 2 > needed ? *size * 2 : needed;
	void *grown = realloc(*data, more);
	if (!grown)
		return false;
	*data = grown;
	*size = more;
	return true;
}

void nl_break(struct nl_batch *b, int errnum, const char *what, ...)
{
	va_list ap;

	if (!b || b->broken)
		return;
	b->broken = errnum;
	va_start(ap, what);
	vsnprintf(b->why, sizeof(b->why), what, ap);
	va_end(ap);
}

/* Room for one more message with words of this length. */
static bool make_room(struct nl_batch *b, size_t words_size)
{
	size_t bytes = b->room * sizeof(*b->parts);

	if (grow((void **)&b->data, &b->size, b->used + NL_MESSAGE_SIZE) &&
	    grow((void **)&b->words, &b->words_size, b->words_used + words_size) &&
	    grow((void **)&b->parts, &bytes, (b->count + 1) * sizeof(*b->parts))) {
		b->room = bytes / sizeof(*b->parts);
		return true;
	}
	nl_break(b, ENOMEM, "netlink message");
	return false;
}

struct nlmsghdr *nl_put(struct nl_batch *b, uint16_t type, uint16_t flags, const void *header,
			size_t header_size, const char *what, ...)
{
	char text[160];
	va_list ap;

	if (!b || b->broken)
		return NULL;
	va_start(ap, what);
	vsnprintf(text, sizeof(text), what, ap);
	va_end(ap);
	end_message(b);
	if (!make_room(b, strlen(text) + 1))
		return NULL;
	b->parts[b->count++] = (struct part){ .offset = b->used, .what = b->words_used };
	memcpy(b->words + b->words_used, text, strlen(text) + 1);
	b->words_used += strlen(text) + 1;
	struct nlmsghdr *m = mnl_nlmsg_put_header(b->data + b->used);
	m->nlmsg_type = type;
	m->nlmsg_flags = NLM_F_REQUEST | flags;
	memcpy(mnl_nlmsg_put_extra_header(m, header_size), header, header_size);
	return m;
}

void nl_tolerate(struct nl_batch *b, int errnum)
{
	if (b && !b->broken && b->count)
		b->parts[b->count - 1].tolerated = errnum;
}

void nl_append_one(struct nl_batch *b, const struct nl_batch *from, size_t i, uint16_t from_type,
		   uint16_t to_type)
{
	const struct nlmsghdr *m = message(from, i);
	uint16_t type = m->nlmsg_type == from_type ? to_type : m->nlmsg_type;

	if (nl_put(b, type, m->nlmsg_flags, mnl_nlmsg_get_payload(m), mnl_nlmsg_get_payload_len(m), "%s",
		   words(from, i)))
		nl_tolerate(b, from->parts[i].tolerated);
}

void nl_append(struct nl_batch *b, const struct nl_batch *from)
{
	if (!from) {
		nl_break(b, ENOMEM, "netlink message");
		return;
	}
	for (size_t i = 0; i < from->count; i++)
		nl_append_one(b, from, i, 0, 0);
	if (from->broken)
		nl_break(b, from->broken, "%s", from->why);
}

static int check_batch(struct nl_batch *b, struct error *e)
{
	if (!b)
		return fail(e, ENOMEM, "netlink message");
	if (b->broken)
		return fail(e, b->broken, "%s", b->why);
	end_message(b);
	return 0;
}

/* ---- answers ---- */

/* One extended acknowledgement as " (text)" or " (at NAME: text)". */
static void explain(const struct nlmsghdr *answer, const struct nlmsghdr *request, char *buf, size_t size)
{
	const struct nlattr *t[NLMSGERR_ATTR_MAX + 1];
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(answer);
	size_t header = sizeof(*err);
	char text[160];

	buf[0] = '\0';
	if (!(answer->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	/* Without NETLINK_CAP_ACK the request comes back whole, before the attributes. */
	if (!(answer->nlmsg_flags & NLM_F_CAPPED)) {
		if (err->msg.nlmsg_len < sizeof(err->msg) || err->msg.nlmsg_len > answer->nlmsg_len)
			return;
		header += MNL_ALIGN(err->msg.nlmsg_len - sizeof(err->msg));
	}
	if (!nl_attrs(answer, header, t, NLMSGERR_ATTR_MAX))
		return;
	attr_text(t[NLMSGERR_ATTR_MSG], text, sizeof(text));
	str_make_printable(text);
	const char *name = NULL;
	if (request && t[NLMSGERR_ATTR_OFFS])
		name = nl_attr_name(request, attr_u32(t[NLMSGERR_ATTR_OFFS]));
	else if (request && t[NLMSGERR_ATTR_MISS_TYPE] && !t[NLMSGERR_ATTR_MISS_NEST])
		name = nl_type_name(request, attr_u32(t[NLMSGERR_ATTR_MISS_TYPE]));
	if (text[0] || name)
		snprintf(buf, size, " (%s%s%s)", name ? name : "", name && text[0] ? ": " : "", text);
}

static int tell(const struct nlmsghdr *answer, int errnum, const struct nlmsghdr *request, const char *what,
		struct error *e)
{
	char more[224];

	explain(answer, request, more, sizeof(more));
	return refuse(e, errnum, "%s: %s%s", what, strerror(errnum), more);
}

/* One NLMSG_ERROR. 0, or the failure (recorded if it is the first). */
static int take_answer(const struct nlmsghdr *m, const struct nl_batch *b, bool *ret_last, int failed,
		       struct error *e)
{
	if (m->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(struct nlmsgerr))
		return failed ? failed : refuse(e, EPROTO, "netlink: an answer that is too short");
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(m);
	size_t i = m->nlmsg_seq - b->first;
	int errnum = err->error < 0 && err->error >= -4095 ? -err->error : err->error ? EPROTO : 0;

	if (i == (size_t)(uint32_t)-1) /* the frame around a batch of nftables */
		return failed || !errnum ? failed : tell(m, errnum, NULL, "apply rules", e);
	if (i >= b->count)
		return failed; /* an earlier batch's */
	if (i == b->count - 1)
		*ret_last = true;
	if (!errnum || errnum == b->parts[i].tolerated || failed)
		return failed;
	return tell(m, errnum, message(b, i), words(b, i), e);
}

int nl_parse_answers(const void *data, size_t size, const struct nl_batch *b, bool *ret_last, struct error *e)
{
	size_t left = size;
	int r = 0;

	*ret_last = false;
	for (const struct nlmsghdr *m = data; nl_message_ok(m, left); m = nl_message_next(m, &left))
		if (m->nlmsg_type == NLMSG_ERROR)
			r = take_answer(m, b, ret_last, r, e);
	return r;
}

static ssize_t receive(const struct nl *nl, void *buf, size_t size, int flags)
{
	struct sockaddr_nl from;

	for (;;) {
		socklen_t length = sizeof(from);
		ssize_t n = recvfrom(nl->fd, buf, size, flags, (struct sockaddr *)&from, &length);
		if (n >= 0 && from.nl_pid != 0)
			continue; /* not from the kernel */
		if (n >= 0 || errno != EINTR)
			return n;
	}
}

/* Read until the last message has been answered, or nothing is left to read. */
static int read_answers(struct nl *nl, const struct nl_batch *b, struct error *e)
{
	char buf[8192] __attribute__((aligned(8)));
	bool last = false;
	int failed = 0;

	while (!last) {
		ssize_t n = receive(nl, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && failed)
			break; /* a batch that was refused as a whole has no further answers */
		if (n < 0)
			return fail(e, errno == EAGAIN ? EPROTO : errno, "%s: no answer",
				    words(b, b->count - 1));
		struct error later = { 0 };
		int r = nl_parse_answers(buf, (size_t)n, b, &last, failed ? &later : e);
		failed = failed ? failed : r;
	}
	return failed;
}

/* ---- sending ---- */

/* The frame of a transaction of nftables. */
struct frame {
	struct nlmsghdr header;
	struct nfgenmsg family;
};

static struct frame make_frame(uint16_t type, uint32_t sequence)
{
	return (struct frame){
		.header = { .nlmsg_len = sizeof(struct frame),
			    .nlmsg_type = type,
			    .nlmsg_flags = NLM_F_REQUEST,
			    .nlmsg_seq = sequence },
		.family = { .nfgen_family = AF_UNSPEC, .res_id = htons(NFNL_SUBSYS_NFTABLES) },
	};
}

static int send_all(const struct nl *nl, struct iovec *iov, size_t count, const char *what, struct error *e)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr m = {
		.msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = iov, .msg_iovlen = count
	};

	while (sendmsg(nl->fd, &m, 0) < 0)
		if (errno != EINTR)
			return fail(e, errno, "%s: send", what);
	return 0;
}

/* Number the messages; only the last one asks for an acknowledgement. */
static void number(struct nl *nl, struct nl_batch *b)
{
	b->first = nl->sequence + 2;
	nl->sequence += (uint32_t)b->count + 3;
	for (size_t i = 0; i < b->count; i++) {
		message(b, i)->nlmsg_seq = b->first + (uint32_t)i;
		message(b, i)->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
	}
	message(b, b->count - 1)->nlmsg_flags |= NLM_F_ACK;
}

static int send_batch(struct nl *nl, struct nl_batch *b, struct error *e)
{
	struct frame begin = make_frame(NFNL_MSG_BATCH_BEGIN, b->first - 1);
	struct frame end = make_frame(NFNL_MSG_BATCH_END, b->first + (uint32_t)b->count);
	struct iovec iov[] = { { &begin, sizeof(begin) }, { b->data, b->used }, { &end, sizeof(end) } };

	if (nl->protocol == NETLINK_NETFILTER)
		return send_all(nl, iov, 3, words(b, 0), e);
	return send_all(nl, iov + 1, 1, words(b, 0), e);
}

int nl_ask(struct nl *nl, struct nl_batch *b, struct error *e)
{
	int r = check_batch(b, e);
	if (r < 0 || !b->count)
		return r;
	number(nl, b);
	r = send_batch(nl, b, e);
	return r < 0 ? r : read_answers(nl, b, e);
}

/* ---- prepared ---- */

struct nl_ready {
	struct nl *nl; /* not ours */
	struct nl_batch *b;
};

int nl_prepare(struct nl *nl, struct nl_batch *b, struct nl_ready **ret, struct error *e)
{
	AUTO(nl_ready) struct nl_ready *r = calloc(1, sizeof(*r));

	if (!r || !(r->b = nl_batch_new()))
		return fail(e, ENOMEM, "netlink message");
	r->nl = nl;
	nl_append(r->b, b);
	int failed = check_batch(r->b, e);
	if (failed < 0)
		return failed;
	*ret = take_ptr(r);
	return 0;
}

int nl_fire(struct nl_ready *r, struct error *e)
{
	return nl_ask(r->nl, r->b, e);
}

void nl_ready_free(struct nl_ready *r)
{
	if (!r)
		return;
	nl_batch_free(r->b);
	free(r);
}

/* ---- reading ---- */

enum { READ_MORE, READ_DONE, READ_AGAIN };

/* One datagram of a dump or of a single answer. */
static int take_objects(const char *buf, size_t size, struct nl_batch *b, nl_each *each, void *data,
			struct error *e)
{
	size_t left = size;
	int r;

	for (const struct nlmsghdr *m = (const void *)buf; nl_message_ok(m, left);
	     m = nl_message_next(m, &left)) {
		if (m->nlmsg_seq != b->first)
			continue;
		if (m->nlmsg_flags & NLM_F_DUMP_INTR)
			return READ_AGAIN;
		if (m->nlmsg_type == NLMSG_DONE)
			return READ_DONE;
		if (m->nlmsg_type == NLMSG_ERROR) {
			bool last;
			r = take_answer(m, b, &last, 0, e);
			return r < 0 ? r : READ_DONE;
		}
		if (m->nlmsg_type < NLMSG_MIN_TYPE)
			continue;
		r = each(m, data, e);
		if (r < 0)
			return r;
	}
	return READ_MORE;
}

/* After a failure in the middle of a dump: what is left of it belongs to nobody. */
static void drain(const struct nl *nl, char *buf, size_t size)
{
	while (receive(nl, buf, size, MSG_DONTWAIT) >= 0)
		;
}

static int read_once(struct nl *nl, struct nl_batch *b, nl_each *each, void *data, struct error *e)
{
	char buf[ANSWER_SIZE] __attribute__((aligned(8)));
	struct iovec iov = { b->data, b->used };
	int r = READ_MORE;

	b->first = nl->sequence += 2;
	message(b, 0)->nlmsg_seq = b->first;
	/* A dump ends by itself; a single answer may be missing (a link without a queue), so its end is asked for. */
	if ((message(b, 0)->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		message(b, 0)->nlmsg_flags |= NLM_F_ACK;
	if (send_all(nl, &iov, 1, words(b, 0), e) < 0)
		return -e->code;
	while (r == READ_MORE) {
		ssize_t n = receive(nl, buf, sizeof(buf), 0);
		if (n < 0)
			return fail(e, errno, "%s: read", words(b, 0));
		r = take_objects(buf, (size_t)n, b, each, data, e);
	}
	if (r < 0 || r == READ_AGAIN)
		drain(nl, buf, sizeof(buf));
	return r;
}

int nl_read(struct nl *nl, struct nl_batch *b, nl_each *each, void *data, struct error *e)
{
	int r = check_batch(b, e);
	if (r < 0)
		return r;
	if (b->count != 1)
		return refuse(e, EINVAL, "netlink: one request is read at a time");
	for (int tries = 0; tries < 100; tries++) {
		r = read_once(nl, b, each, data, e);
		if (r != READ_AGAIN)
			return r < 0 ? r : 0;
		r = each(NULL, data, e);
		if (r < 0)
			return r;
	}
	return fail(e, EAGAIN, "%s", words(b, 0));
}

/* ---- listening ---- */

int nl_listen(struct nl *nl, unsigned int group, struct error *e)
{
	if (setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return fail(e, errno, "listen to netlink group %u", group);
	return 0;
}

int nl_fd(const struct nl *nl)
{
	return nl->fd;
}

int nl_events(struct nl *nl, nl_each *each, void *data, struct error *e)
{
	char buf[8192] __attribute__((aligned(8)));
	ssize_t n;

	while ((n = receive(nl, buf, sizeof(buf), MSG_DONTWAIT)) >= 0) {
		size_t left = (size_t)n;
		for (const struct nlmsghdr *m = (const void *)buf; nl_message_ok(m, left);
		     m = nl_message_next(m, &left)) {
			int r = each(m, data, e);
			if (r < 0)
				return r;
		}
	}
	return errno == EAGAIN ? 0 : fail(e, errno, "netlink events");
}
