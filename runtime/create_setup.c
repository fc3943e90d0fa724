/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create_setup.c - SETUP's rows of `create`
 *
 * A short-lived process, in the container's cgroup from birth, that stands between RUNTIME and INIT when
 * one clone3 cannot do it (namespaces/plan.h says when). Order: as real root everything that is given by path
 * is joined with the host's rights first and the user namespace last; without them the user namespace comes
 * first, for only there we have any. Then the namespaces that INIT is born into. */
#include "runtime/create.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "namespaces/userns.h"
#include "runtime/base/sys.h"

#define BIT(kind) (1U << (kind))

/* The mount namespace is INIT's to enter, as the last of all: the host's paths are gone after it. */
#define OTHERS (BIT(NS_PID) | BIT(NS_NETWORK) | BIT(NS_IPC) | BIT(NS_UTS) | BIT(NS_CGROUP) | BIT(NS_TIME))

int create_setup_join(struct walk *w, struct error *e)
{
	struct create *c = w->story;
	bool root = geteuid() == 0;

	prctl(PR_SET_DUMPABLE, 0);
	int r = ns_join(c->joined, root ? OTHERS : BIT(NS_USER), e);
	if (r == 0)
		r = ns_join(c->joined, root ? BIT(NS_USER) : OTHERS, e);
	if (r == 0 && c->plan.new_user)
		prctl(PR_SET_DUMPABLE, 1); /* RUNTIME must be able to write our maps */
	return r;
}

int create_setup_new_user(struct walk *w, struct error *e)
{
	(void)w;
	if (unshare(CLONE_NEWUSER) < 0)
		return fail(e, errno, "unshare user namespace");
	return 0;
}

int create_setup_make(struct walk *w, struct error *e)
{
	struct create *c = w->story;

	prctl(PR_SET_DUMPABLE, 0);
	if (c->plan.has[NS_USER]) {
		int r = userns_become_root(e);
		if (r < 0)
			return r;
	}
	if (c->plan.setup_unshare && unshare((int)c->plan.setup_unshare) < 0)
		return fail(e, errno, "unshare namespaces");
	return c->plan.set_time_offsets ? timens_write_offsets(c->spec, e) : 0;
}

int create_setup_clone(struct walk *w, struct error *e)
{
	struct create *c = w->story;
	struct clone_args args = { .flags = c->plan.clone_flags | CLONE_PARENT };

	/* A sibling ends with its parent's exit signal: SIGCHLD, ours. */
	pid_t pid = sys_clone3(&args, sizeof(args));
	if (pid < 0 && (errno == ENOSYS || errno == E2BIG))
		pid = (pid_t)syscall(SYS_clone, (unsigned long)args.flags, NULL, NULL, NULL, NULL);
	if (pid < 0)
		return fail(e, errno, "clone");
	if (pid == 0) {
		steps_become_child(w, WHO_INIT);
		return 0;
	}
	w->passed_pid = pid;
	return 0;
}
