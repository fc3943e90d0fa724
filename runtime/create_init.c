/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create_init.c - INIT's rows of `create`
 *
 * Runs as the container's first process, in all its namespaces and in its cgroup, with the host's rights (or
 * the user namespace's) until "confine". Non-dumpable from the first row on, so that no neighbour in a
 * shared pid namespace looks into it. After "pivot root" no host path exists any more; after "confine" the
 * process is what the config says, and uses read, write, close and execve alone: the filter may be loaded. */
#include "runtime/create.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "namespaces/tty.h"
#include "namespaces/userns.h"
#include "netns/loopback.h"
#include "runtime/base/fd.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/inherit.h"

static struct create *story(const struct walk *w)
{
	return w->story;
}

/* ---- namespaces ---- */

static int set_names(const struct spec *s, struct error *e)
{
	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return fail(e, errno, "set hostname %s", s->hostname);
	if (s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return fail(e, errno, "set domainname %s", s->domainname);
	return 0;
}

int create_init_enter(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	int r = ns_hide_self(e);
	if (r == 0)
		r = confine_reach(&c->confine, e);
	if (r < 0)
		return r;
	if (setsid() < 0)
		return fail(e, errno, "setsid");
	if (c->unit.name[0]) { /* where systemd has put us */
		free(take_ptr(c->cgroup_path));
		r = cgroup_of_pid(0, &c->cgroup_path, e);
		c->rootfs.cgroup = c->cgroup_path;
		if (r < 0)
			return r;
	}
	/* Until we become its root we have the host's ids, which reach what it cannot. */
	if (c->plan.enter_user && !c->plan.join[NS_MOUNT])
		r = rootfs_reach(&c->rootfs, e);
	if (r == 0 && c->plan.enter_user)
		r = userns_become_root(e);
	/* With a SETUP process all but the mount namespace has been joined. */
	if (r == 0)
		r = ns_join(c->joined, c->plan.setup ? NS_BIT(NS_MOUNT) : NS_ALL_KINDS, e);
	if (r == 0 && c->plan.make & CLONE_NEWCGROUP)
		r = ns_unshare(CLONE_NEWCGROUP, e);
	if (r == 0)
		r = set_names(c->spec, e);
	if (r == 0 && c->rootfs.new_net_ns)
		r = loopback_up(e);
	return r;
}

/* ---- the root ---- */

int create_init_rootfs(struct walk *w, struct error *e)
{
	return rootfs_open(&story(w)->rootfs, e);
}

int create_init_mounts(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	int r = rootfs_mounts(&c->rootfs, e);
	if (r == 0 && c->notify.host)
		r = notify_mount(&c->notify, c->rootfs.root, e);
	return r;
}

int create_init_devices(struct walk *w, struct error *e)
{
	return rootfs_devices(&story(w)->rootfs, e);
}

int create_init_hooks(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	c->container->state->pid = getpid(); /* as seen in the container's pid namespace */
	return hooks_run(c->spec, HOOK_CREATE_CONTAINER, c->container->state, STATUS_CREATING, e);
}

int create_init_terminal(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	const struct spec_process *p = c->spec->process;
	auto_close int master = -1, slave = -1;

	int r = tty_open(c->rootfs.root, &master, &slave, e);
	if (r == 0)
		r = tty_set_size(master, p->console_height, p->console_width, e);
	if (r == 0)
		r = rootfs_console(&c->rootfs, slave, e);
	if (r == 0)
		r = tty_give(slave, p->user.uid, e);
	if (r == 0)
		r = tty_attach(slave, e);
	if (r == 0)
		w->passed_fd = take_fd(&master);
	return r;
}

int create_init_pivot(struct walk *w, struct error *e)
{
	return rootfs_pivot(&story(w)->rootfs, e);
}

int create_init_seal(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	int r = c->spec->process && c->spec->root_readonly ? confine_make_cwd(c->spec->process->cwd, e) : 0;
	if (r == 0)
		r = rootfs_seal(&c->rootfs, e);
	if (r < 0)
		return r;
	/* No handle of the host's side outlives this row. */
	rootfs_done(&c->rootfs);
	replace_fd(&c->cgroup_root, -1);
	replace_fd(&c->cgroup, -1);
	ns_close_joined(c->joined);
	return 0;
}

/* ---- the process ---- */

int create_init_confine(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	const struct spec_process *p = c->spec->process;

	if (!p)
		return 0;
	int r = inherit_environment(p, c->notify.host ? NOTIFY_CONTAINER_ENV : NULL, &c->env, e);
	if (r == 0)
		r = confine_early(&c->confine, e);
	replace_fd(&c->confine.attr, -1);
	if (r == 0)
		r = confine_ids(&c->confine, e);
	if (r == 0)
		r = confine_find_program(p->args[0], c->env, &c->program, e);
	return r;
}

int create_init_wait(struct walk *w, struct error *e)
{
	char go;
	ssize_t n;

	/* The report of RUNTIME's last row has come: the container is recorded. */
	do
		n = read(story(w)->start_fifo, &go, 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(e, errno, "read the start FIFO");
	/* RUNTIME is gone; what fails now is told to `start`. */
	replace_fd(&w->sock, -1);
	return 0;
}

int create_init_start_hooks(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	signal(SIGCHLD, SIG_DFL); /* a listener's helper is not waited for, a hook is */
	c->container->state->pid = getpid();
	return hooks_run(c->spec, HOOK_START_CONTAINER, c->container->state, STATUS_CREATED, e);
}

int create_init_execute(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	const struct spec_process *p = c->spec->process;

	if (!p)
		return refuse(e, EINVAL, "config.json: process: missing");
	int r = confine_last(&c->confine, e);
	if (r < 0)
		return r;
	execve(c->program, p->args, c->env);
	return fail(e, errno, "exec: \"%s\"", p->args[0]);
}
