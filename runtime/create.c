/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create.c - make a container; `run` is create, start and wait in one
 *
 * The list below is the whole story, top to bottom. RUNTIME is the command on the host: it keeps the lock,
 * owns the cgroup and the record, and undoes its rows when anything fails. INIT becomes pid 1. SETUP stands
 * between them only where the plan needs it (namespaces/plan.h); in the common case one clone3 with all
 * namespace flags, straight into the cgroup, makes INIT at once.
 *
 * Order that matters:
 *	a first record is written before the cgroup is made, so that whatever a killed runtime leaves is found
 *	and removed by `delete --force`;
 *	the device rules are applied while INIT mounts: mknod is allowed by all of them, opening is not
 *needed; ids, capabilities and the seccomp filter come last, then the wait for start: a process that waits in
 *a shared pid namespace has nothing that its neighbours lack. Spec: runtime.md, "Lifecycle" 1-9. */
#include "runtime/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/inherit.h"
#include "runtime/reaper.h"

static struct create *story(const struct walk *w)
{
	return w->story;
}

/* ---- which rows are active ---- */

static bool needs_setup(const struct walk *w)
{
	return story(w)->plan.setup;
}

static bool is_direct(const struct walk *w)
{
	return !story(w)->plan.setup;
}

static bool setup_makes_user(const struct walk *w)
{
	return story(w)->plan.setup && story(w)->plan.new_user;
}

static bool init_is_user(const struct walk *w)
{
	return !story(w)->plan.setup && story(w)->plan.new_user;
}

static bool setup_attaches_late(const struct walk *w)
{
	return story(w)->plan.setup && story(w)->attach_late;
}

static bool init_attaches_late(const struct walk *w)
{
	return !story(w)->plan.setup && story(w)->attach_late;
}

static bool has_oom_score(const struct walk *w)
{
	const struct spec_process *p = story(w)->spec->process;
	return p && p->oom_score_adj != NUM_UNSET;
}

static bool sets_limits(const struct walk *w)
{
	return story(w)->confine.limits_done;
}

static bool has_rdt(const struct walk *w)
{
	return story(w)->spec->intel_rdt;
}

static bool is_wired(const struct walk *w)
{
	return story(w)->network;
}

static bool has_hook(const struct walk *w, enum hook_kind kind)
{
	return story(w)->spec->hooks[kind].count > 0;
}

static bool has_runtime_hooks(const struct walk *w)
{
	return has_hook(w, HOOK_PRESTART) || has_hook(w, HOOK_CREATE_RUNTIME);
}

static bool is_wired_for_hooks(const struct walk *w)
{
	return is_wired(w) && has_runtime_hooks(w);
}

static bool is_wired_without_hooks(const struct walk *w)
{
	return is_wired(w) && !has_runtime_hooks(w);
}

static bool has_container_hooks(const struct walk *w)
{
	return has_hook(w, HOOK_CREATE_CONTAINER);
}

static bool has_start_hooks(const struct walk *w)
{
	return has_hook(w, HOOK_START_CONTAINER);
}

static bool has_terminal(const struct walk *w)
{
	const struct spec_process *p = story(w)->spec->process;
	return p && p->terminal;
}

static bool has_console_socket(const struct walk *w)
{
	return has_terminal(w) && story(w)->console_socket >= 0;
}

static bool waits_for_start(const struct walk *w)
{
	return !story(w)->options->run;
}

/* Does the config deny making a device that the defaults allow? Then INIT makes its own first. */
static bool narrows_mknod(const struct walk *w)
{
	const struct spec_resources *r = story(w)->spec->resources;

	for (size_t i = 0; r && i < r->n_devices; i++) {
		const struct spec_device_rule *d = &r->devices[i];
		if (!d->allow && d->mknod && (d->major >= 0 || d->minor >= 0 || !d->read || !d->write))
			return true;
	}
	return false;
}

static bool leaves_mknod(const struct walk *w)
{
	return !narrows_mknod(w);
}

static const struct step create_steps[] = {
	{ "load config", WHO_RUNTIME, create_runtime_load_config },
	{ "reserve id", WHO_RUNTIME, create_runtime_reserve_id, create_runtime_undo_reserve },
	{ "start network", WHO_RUNTIME, create_runtime_start_network, create_runtime_undo_network, is_wired },
	{ "prepare", WHO_RUNTIME, create_runtime_prepare },
	{ "create cgroup", WHO_RUNTIME, create_runtime_make_cgroup, create_runtime_undo_cgroup },
	{ "clone setup", WHO_RUNTIME, create_runtime_clone_setup, create_runtime_undo_setup, needs_setup },
	{ "attach setup to cgroup", WHO_RUNTIME, create_runtime_attach, NULL, setup_attaches_late },
	{ "join namespaces", WHO_SETUP, create_setup_join, NULL, needs_setup },
	{ "make user namespace", WHO_SETUP, create_setup_new_user, NULL, setup_makes_user },
	{ "write id maps", WHO_RUNTIME, create_runtime_write_maps, NULL, setup_makes_user },
	{ "make namespaces", WHO_SETUP, create_setup_make, NULL, needs_setup },
	{ "clone init in setup", WHO_SETUP, create_setup_clone, NULL, needs_setup },
	{ "adopt init", WHO_RUNTIME, create_runtime_adopt_init, create_runtime_undo_init, needs_setup },
	{ "clone init", WHO_RUNTIME, create_runtime_clone_init, create_runtime_undo_init, is_direct },
	{ "attach init to cgroup", WHO_RUNTIME, create_runtime_attach, NULL, init_attaches_late },
	{ "write id maps of init", WHO_RUNTIME, create_runtime_write_maps, NULL, init_is_user },
	{ "give network", WHO_RUNTIME, create_runtime_give_network, NULL, is_wired },
	{ "enter namespaces", WHO_INIT, create_init_enter },
	{ "limit devices", WHO_RUNTIME, create_runtime_limit_group, NULL, leaves_mknod, .overlap = true },
	{ "join cache class", WHO_RUNTIME, create_runtime_join_rdt, create_runtime_undo_rdt, has_rdt,
	  .overlap = true },
	{ "set oom score", WHO_RUNTIME, create_runtime_set_oom_score, NULL, has_oom_score, .overlap = true },
	{ "set limits", WHO_RUNTIME, create_runtime_set_limits, NULL, sets_limits, .overlap = true },
	{ "open root", WHO_INIT, create_init_rootfs },
	{ "mount", WHO_INIT, create_init_mounts },
	{ "make devices", WHO_INIT, create_init_devices },
	{ "limit devices that are made", WHO_RUNTIME, create_runtime_limit_group, NULL, narrows_mknod },
	{ "wait for network (hooks)", WHO_RUNTIME, create_runtime_wait_network, NULL, is_wired_for_hooks },
	{ "run createRuntime hooks", WHO_RUNTIME, create_runtime_run_runtime_hooks, NULL, has_runtime_hooks },
	{ "run createContainer hooks", WHO_INIT, create_init_hooks, NULL, has_container_hooks },
	{ "open terminal", WHO_INIT, create_init_terminal, NULL, has_terminal },
	{ "pivot root", WHO_INIT, create_init_pivot },
	{ "seal root", WHO_INIT, create_init_seal },
	{ "confine", WHO_INIT, create_init_confine },
	{ "send terminal", WHO_RUNTIME, create_runtime_send_terminal, NULL, has_console_socket },
	{ "wait for network", WHO_RUNTIME, create_runtime_wait_network, NULL, is_wired_without_hooks },
	{ "record", WHO_RUNTIME, create_runtime_record, create_runtime_undo_record },
	{ "keep network", WHO_RUNTIME, create_runtime_keep_network, NULL, is_wired },
	{ "wait for start", WHO_INIT, create_init_wait, NULL, waits_for_start },
	{ "run startContainer hooks", WHO_INIT, create_init_start_hooks, NULL, has_start_hooks },
	{ "execute", WHO_INIT, create_init_execute },
};

/* ---- around the list ---- */

void create_init(struct create *c, const struct create_options *o)
{
	*c = (struct create){ .options = o,
			      .cgroup_root = -1,
			      .cgroup = -1,
			      .rdt_root = -1,
			      .console_socket = -1,
			      .tty_master = -1,
			      .confine = { .attr = -1 },
			      .listener = { .sock = -1 },
			      .start_fifo = -1,
			      .started_fifo = -1,
			      .helper = NETWORK_HELPER_INIT,
			      .notify = { .sock = -1, .tree = -1 },
			      .rootfs = ROOTFS_INIT };
	for (int i = 0; i < NS_KIND_MAX; i++)
		c->joined[i] = -1;
}

void create_done(struct create *c)
{
	rootfs_done(&c->rootfs);
	ns_close_joined(c->joined);
	notify_done(&c->notify);
	seccomp_filter_free(c->filter);
	cleanup_close(&c->cgroup_root);
	cleanup_close(&c->cgroup);
	cleanup_close(&c->rdt_root);
	cleanup_close(&c->console_socket);
	cleanup_close(&c->listener.sock);
	cleanup_close(&c->tty_master);
	cleanup_close(&c->start_fifo);
	cleanup_close(&c->started_fifo);
	container_free(c->container);
	network_free(c->network);
	spec_free(c->spec);
	free(c->config_text);
	free(c->bundle);
	free(c->cgroup_path);
	free(c->program);
	free(c->env);
}

/* `run`: the program has been executed (INIT's end is closed) or INIT said why not; then as `start`. */
static int finish_start(struct create *c, struct walk *w, struct error *e)
{
	int r = steps_wait_end(w, e);
	if (r == 0 && c->spec->hooks[HOOK_POSTSTART].count)
		r = hooks_run(c->spec, HOOK_POSTSTART, c->container->state, STATUS_RUNNING, e);
	if (r < 0)
		steps_undo(w);
	return r;
}

static int wait_foreground(struct create *c, int *ret_exit, struct error *e)
{
	const struct create_options *o = c->options;
	struct reaper reaper = { .pid = c->init_pid, .tty = c->tty_master, .notify = &c->notify };

	container_unlock(c->container);
	int r = reaper_run(&reaper, ret_exit, e);
	if (r < 0 || o->keep)
		return r;
	return life_remove(c->container, c->cgroup_root, c->spec, e);
}

static int run_to_the_end(struct create *c, struct walk *w, int *ret_exit, struct error *e)
{
	c->tty_master = take_fd(&w->passed_fd);
	int r = finish_start(c, w, e);
	if (r < 0)
		return r;
	if (!c->options->detach)
		return wait_foreground(c, ret_exit, e);
	auto_close int pidfd = sys_pidfd_open(c->init_pid, 0);
	r = notify_wait_ready(&c->notify, c->init_pid, pidfd, e);
	if (r < 0)
		steps_undo(w);
	return r;
}

static int prepare_caller(const struct create_options *o, struct error *e)
{
	int r = inherit_check_fds(o->preserve_fds, e);
	if (r == 0)
		r = fd_cloexec_from(3 + (unsigned int)inherit_count_fds(o->preserve_fds), e);
	if (r == 0)
		r = interrupt_prepare(e);
	if (r == 0 && o->run && !o->detach && !o->no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		r = fail(e, errno, "become subreaper");
	return r;
}

/* SETUP comes back from the walk when its rows are done, INIT only if it failed. When the container was
 * recorded before, nobody listens to INIT any more but `start`, over its FIFO; else RUNTIME has been told,
 * and what is written there is lost with it. */
static void end_child(const struct create *c, enum who me, int r, const struct error *e)
{
	if (me == WHO_SETUP)
		_exit(r < 0);
	if (c->started_fifo >= 0 && write(c->started_fifo, e, sizeof(*e)) < 0)
		_exit(2);
	_exit(1);
}

int life_create(const struct create_options *o, int *ret_exit, struct error *e)
{
	struct create c;
	struct walk w;

	*ret_exit = 0;
	int r = prepare_caller(o, e);
	if (r < 0)
		return r;
	create_init(&c, o);
	steps_init(&w, create_steps, COUNT_OF(create_steps), &c);
	r = steps_walk(&w, e);
	if (w.me != WHO_RUNTIME)
		end_child(&c, w.me, r, e);
	if (r == 0 && o->run)
		r = run_to_the_end(&c, &w, ret_exit, e);
	cleanup_close(&w.sock);
	cleanup_close(&w.peer_sock);
	cleanup_close(&w.child);
	create_done(&c);
	return r;
}
