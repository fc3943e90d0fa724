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
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "namespaces/userns.h"
#include "runtime/base/sys.h"

int create_setup_join(struct walk *w, struct error *e)
{
	struct create *c = w->story;

	/* The mount namespace is INIT's to enter, as the last of all: the host's paths are gone after it. */
	return ns_join(c->joined, NS_ALL_KINDS & ~NS_BIT(NS_MOUNT), e);
}

int create_setup_new_user(struct walk *w, struct error *e)
{
	(void)w;
	int r = ns_unshare(CLONE_NEWUSER, e);
	/* Our maps are files of ours only while we are dumpable; nobody else is in the new namespace yet. */
	if (r == 0 && prctl(PR_SET_DUMPABLE, 1) < 0)
		return fail(e, errno, "become dumpable");
	return r;
}

int create_setup_make(struct walk *w, struct error *e)
{
	struct create *c = w->story;
	uint64_t rest = c->plan.setup_unshare & ~(uint64_t)CLONE_NEWUSER;

	int r = ns_hide_self(e);
	if (r == 0 && rest)
		r = ns_unshare(rest, e);
	if (r == 0 && c->plan.set_time_offsets)
		r = timens_write_offsets(c->spec, e);
	return r;
}

int create_setup_clone(struct walk *w, struct error *e)
{
	struct create *c = w->story;
	/* A sibling ends with its parent's exit signal: SIGCHLD, as ours. */
	struct clone_args args = { .flags = c->plan.clone_flags | CLONE_PARENT };

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
