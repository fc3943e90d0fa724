/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - a network namespace of the test, in a user namespace where it has no root: real kernel objects, nothing to
 * clean up */
#ifndef CORACLE_SANDBOX_H
#define CORACLE_SANDBOX_H

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netns/nl.h"
#include "netns/open.h"
#include "runtime/base/io.h"

static bool sandbox_made;
static int sandbox_errno;

static inline bool sandbox_map(const char *file, unsigned int id)
{
	char map[32];
	struct error e = { 0 };

	snprintf(map, sizeof(map), "0 %u 1", id);
	return io_write_file(AT_FDCWD, file, map, &e) == 0;
}

/* As the group's setup: with a user namespace only where rights are missing. Ids are mapped, or a user namespace below could not be made. */
static inline int sandbox_enter(void **state)
{
	unsigned int uid = geteuid(), gid = getegid();
	struct error e = { 0 };

	(void)state;
	if (unshare(CLONE_NEWNET) == 0) {
		sandbox_made = true;
		return 0;
	}
	sandbox_made = unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
		       io_write_file(AT_FDCWD, "/proc/self/setgroups", "deny", &e) == 0 &&
		       sandbox_map("/proc/self/uid_map", uid) && sandbox_map("/proc/self/gid_map", gid);
	sandbox_errno = errno;
	return 0;
}

#define need_sandbox()                                                                                       \
	do {                                                                                                 \
		if (!sandbox_made) {                                                                         \
			print_message("needs: user and network namespaces (%s)\n", strerror(sandbox_errno)); \
			skip();                                                                              \
		}                                                                                            \
	} while (0)

/* The call succeeds. `e` is its error value. */
#define ok(call)                                                          \
	do {                                                              \
		struct error e = { 0 };                                   \
		if ((call) < 0)                                           \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, e.msg); \
		assert_string_equal(e.msg, "");                           \
	} while (0)

/* The call fails with this errno, and says exactly (or in its beginning) this. */
#define fails(call, errnum, sentence)                                                   \
	do {                                                                            \
		struct error e = { 0 };                                                 \
		int r_ = (call);                                                        \
		if (r_ != -(errnum) || strncmp(e.msg, sentence, strlen(sentence)) != 0) \
			fail_msg("%s:%d: %d: %s", __FILE__, __LINE__, r_, e.msg);       \
		assert_int_equal(e.code, errnum);                                       \
	} while (0)

/* Everything a test of the mechanisms wants at hand: a socket here, a batch, another namespace. */
struct bench {
	struct nl *nl;
	struct nl_batch *b;
	int other;
	struct nl *other_nl;
};

static inline void bench_open(struct bench *t)
{
	ok(nl_open(NETLINK_ROUTE, -1, &t->nl, &e));
	t->b = nl_batch_new();
	assert_non_null(t->b);
	ok((t->other = netns_make(&e)));
	ok(nl_open(NETLINK_ROUTE, t->other, &t->other_nl, &e));
}

static inline void bench_close(struct bench *t)
{
	nl_free(t->nl);
	nl_free(t->other_nl);
	nl_batch_free(t->b);
	close(t->other);
}

/* Send what is in the batch, and empty it. */
#define send_ok(t, nl_)                           \
	do {                                      \
		ok(nl_ask((t)->nl_, (t)->b, &e)); \
		nl_batch_clear((t)->b);           \
	} while (0)
#define send_fails(t, nl_, errnum, sentence)                           \
	do {                                                           \
		fails(nl_ask((t)->nl_, (t)->b, &e), errnum, sentence); \
		nl_batch_clear((t)->b);                                \
	} while (0)

#endif
