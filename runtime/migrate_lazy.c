/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_lazy.c - a large memory is given to the restored processes while they run already
 *
 * All pages are on this node when CRIU begins: what it need not read before tasks run is served by userfaultfd
 * out of the store (checkpoint/lazy.h), in a process of its own that is a copy of this one. It lives until the
 * last page is given, whatever becomes of the connection and of us; before the grant it is ended with the rest. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "checkpoint/lazy.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/migrate_target.h"

bool lazy_is_wanted(const struct migration *m)
{
	return m->ours.lazy_pages && m->claim.memory_bytes >= PAGE_LAZY_WORTH;
}

/* In the child. */
static void __attribute__((noreturn)) serve(struct target *t, struct lazy_server *server)
{
	struct error e;

	/* Not with the session that we were started from. */
	setsid();
	signal(SIGHUP, SIG_IGN);
	int r = lazy_server_run(server, -1, &e);
	if (r < 0)
		log_error("memory of %s: %s", t->bundle, e.msg);
	_exit(r < 0);
}

int lazy_start(struct migration *m, struct error *e)
{
	struct target *t = m->target;
	/* Ours is kept: freeing it would remove the socket that CRIU is to find. */
	int r = lazy_server_new(t->store, t->images, NULL, &t->lazy_server, e);
	if (r < 0)
		return r;
	t->lazy = fork();
	if (t->lazy < 0)
		return fail(e, errno, "fork");
	if (t->lazy == 0) {
		/* The connection's end must be seen by the other side when we are gone. */
		channel_leave(m->channel);
		serve(t, t->lazy_server);
	}
	return 0;
}

void lazy_end(struct target *t)
{
	proc_end(&t->lazy);
	lazy_server_free(t->lazy_server);
	t->lazy_server = NULL;
}
