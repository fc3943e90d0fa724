/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec.c - one more process in a running container
 *
 * RUNTIME opens the container and clones the process straight into its cgroup; the process joins the
 * namespaces through one pidfd, gives up what the config says, and executes the program: one clone in all.
 *
 * A process that is in the container's pid namespace while it still has the host's rights could be traced by
 * a neighbour that holds CAP_SYS_PTRACE over it. Being non-dumpable is enough of a guard unless the container
 * has that very capability without a user namespace: then a SETUP process, whom nobody inside can see, joins
 * and confines itself first, and only its sibling, born with what is left, enters the pid namespace. */
#include "runtime/life.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/systemd.h"
#include "namespaces/confine.h"
#include "namespaces/label.h"
#include "namespaces/plan.h"
#include "namespaces/seccomp.h"
#include "namespaces/tty.h"
#include "namespaces/userns.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/proc.h"
#include "runtime/base/steps.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/console.h"
#include "runtime/exec_process.h"
#include "runtime/inherit.h"
#include "runtime/reaper.h"
#include "runtime/rootless.h"
#include "runtime/stored_config.h"
#include "specs/seccomp.h"

struct exec {
	const struct exec_options *options;
	struct container *container;
	struct spec *spec;
	struct arena *process_arena; /* of a process that came in a file */
	struct spec_process *process;
	struct confine confine;
	struct seccomp_filter *filter;
	struct seccomp_listener listener;
	uint64_t namespaces; /* CLONE_NEW* of what the container has of its own */
	bool by_bus;	     /* systemd moves it into the group */
	bool shield;	     /* a SETUP process is needed: see above */
	int pidfd, cgroup, console_socket, tty_slave;
	pid_t setup_pid, pid;
	char *program;
	char **env;
};

static struct exec *story(const struct walk *w)
{
	return w->story;
}

static bool is_shielded(const struct walk *w)
{
	return story(w)->shield;
}

static bool is_plain(const struct walk *w)
{
	return !story(w)->shield;
}

static bool has_rdt(const struct walk *w)
{
	return *story(w)->container->state->rdt;
}

static bool has_terminal(const struct walk *w)
{
	return story(w)->process->terminal;
}

static bool has_terminal_plain(const struct walk *w)
{
	return has_terminal(w) && is_plain(w);
}

static bool has_terminal_shielded(const struct walk *w)
{
	return has_terminal(w) && is_shielded(w);
}

static bool has_console_socket(const struct walk *w)
{
	return has_terminal(w) && story(w)->console_socket >= 0;
}

/* ---- RUNTIME's rows ---- */

static int open_container(struct walk *w, struct error *e)
{
	struct exec *x = story(w);

	int r = container_open(x->options->globals, x->options->id, false, &x->container, e);
	if (r < 0)
		return r;
	x->pidfd = container_pidfd(x->container, e);
	return x->pidfd < 0 ? x->pidfd : 0;
}

static int check_terminal(const struct exec *x, struct error *e)
{
	const struct exec_options *o = x->options;

	if (x->process->terminal && o->detach && !o->console_socket)
		return refuse(e, EINVAL, "a terminal for a detached process needs --console-socket");
	if (o->console_socket && !x->process->terminal)
		return refuse(e, EINVAL, "--console-socket goes with a process that has a terminal");
	return 0;
}

static int load_process(struct walk *w, struct error *e)
{
	struct exec *x = story(w);

	int r = config_load(x->container, &x->spec, e);
	if (r == 0)
		r = exec_process_make(x->options, x->spec, &x->process_arena, &x->process, e);
	if (r == 0)
		r = check_terminal(x, e);
	if (r == 0 && x->process->terminal && !x->options->console_socket)
		console_own_size(&x->process->console_height, &x->process->console_width);
	return r;
}

static uint64_t own_namespaces(const struct spec *s)
{
	uint64_t flags = 0;

	for (size_t i = 0; i < s->n_namespaces; i++)
		flags |= (uint64_t)ns_types[s->namespaces[i].kind].flag;
	return flags;
}

/* May a process of the container trace one that is not yet confined? */
static bool can_trace_us(const struct exec *x)
{
	const struct spec_process *p = x->spec->process;

	return (x->namespaces & CLONE_NEWPID) && !(x->namespaces & CLONE_NEWUSER) && p && p->capabilities &&
	       strv_has(p->capabilities->bounding, "CAP_SYS_PTRACE");
}

static int open_group(struct exec *x, struct error *e)
{
	const char *below = x->options->cgroup;

	if (!*x->container->state->cgroup && !below)
		return 0; /* it has none: its processes are where we are */
	x->cgroup = container_cgroup(x->container, e);
	if (x->cgroup < 0)
		return x->cgroup;
	if (!x->options->ignore_paused && cgroup_is_frozen(x->cgroup, e) == 1)
		return refuse(e, EBUSY,
			      "cannot exec in a paused container (use --ignore-paused to override)");
	if (!below)
		return 0;
	/* By handle: no prefix of a name can lead to a sibling. */
	int sub = cgroup_open_below(x->cgroup, below, e);
	if (sub < 0)
		return prefix(e, "--cgroup %s", x->options->cgroup);
	replace_fd(&x->cgroup, sub);
	return 0;
}

static int prepare_seccomp(struct exec *x, struct error *e)
{
	if (!x->spec->seccomp)
		return 0;
	auto_close int cache = openat(x->container->root, ".cache/seccomp",
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = seccomp_prepare(x->spec->seccomp, cache, &x->filter, e);
	if (r < 0)
		return prefix(e, "linux.seccomp");
	x->confine.filter = x->filter;
	x->confine.listener = &x->listener;
	x->listener.state = x->container->state;
	x->listener.status = STATUS_RUNNING;
	/* Nobody in there knows the pid that its listener is to be told. */
	if (x->shield && seccomp_notifies(x->spec->seccomp))
		return refuse(
			e, ENOTSUP,
			"exec into a container with a pid namespace and a seccomp listener is not supported "
			"without root, or if it has CAP_SYS_PTRACE");
	return seccomp_listener_connect(x->spec->seccomp, &x->listener, e);
}

static int prefix_cpus(const char *key, int r, struct error *e)
{
	return r < 0 ? prefix(e, "process.execCPUAffinity.%s", key) : 0;
}

static int prepare(struct walk *w, struct error *e)
{
	struct exec *x = story(w);

	x->namespaces = own_namespaces(x->spec);
	/* An ordinary user has no right to a pid namespace before he is in its user namespace, and root of a
	 * user namespace none to come back from one. */
	x->shield = can_trace_us(x) || (rootless() && x->namespaces & (CLONE_NEWUSER | CLONE_NEWPID));
	x->confine.spec = x->spec;
	x->confine.process = x->process;
	const char *keep = spec_annotation(x->spec, "run.oci.keep_original_groups");
	x->confine.keep_groups = keep && !str_eq(keep, "0");
	x->confine.user_ns_denies_setgroups = (x->namespaces & CLONE_NEWUSER || rootless()) &&
					      userns_of_denies_setgroups(x->container->state->pid);
	x->confine.limits_done = (x->namespaces & CLONE_NEWUSER) && confine_has_limits(x->process);
	int r = open_group(x, e);
	if (r == 0 && x->process->exec_affinity && x->process->exec_affinity->initial.n_words)
		r = prefix_cpus("initial", sched_set_cpus(0, &x->process->exec_affinity->initial, e), e);
	if (r == 0)
		r = label_check(NULL, x->process, e);
	if (r == 0)
		r = prepare_seccomp(x, e);
	if (r < 0 || !x->options->console_socket)
		return r;
	x->console_socket = tty_console_connect(x->options->console_socket, e);
	return x->console_socket < 0 ? x->console_socket : 0;
}

/* When the container divides its group among sub-groups of its own (systemd does), no process may live in the
 * group itself: then where its init is. */
static int retreat_to_group_of_init(struct exec *x, struct error *e)
{
	auto_free char *path = NULL;

	int r = cgroup_of_pid(x->container->state->pid, &path, e);
	if (r < 0)
		return r;
	auto_close int root = cgroup_open_root(e);
	if (root < 0)
		return root;
	int group = cgroup_open(root, path, e);
	if (group < 0)
		return group;
	replace_fd(&x->cgroup, group);
	return 0;
}

static pid_t clone_into_group(struct exec *x, struct error *e)
{
	for (bool retried = false;; retried = true) {
		struct clone_args args = { .flags = x->cgroup >= 0 ? CLONE_INTO_CGROUP : 0,
					   .exit_signal = SIGCHLD,
					   .cgroup = x->cgroup >= 0 ? (uint64_t)x->cgroup : 0 };
		pid_t pid = sys_clone3(&args, sizeof(args));
		if (pid >= 0)
			return pid;
		if (errno == ENOSYS || errno == EINVAL || errno == E2BIG)
			break;
		/* From another session's group a user may not reach a scope of his own; his systemd can. */
		if (errno == EACCES && x->container->state->systemd_cgroup && cgroup_systemd && !x->by_bus) {
			x->by_bus = true;
			replace_fd(&x->cgroup, -1);
			continue;
		}
		if (errno != EBUSY || retried || x->options->cgroup)
			return fail(e, errno, "clone3");
		int r = retreat_to_group_of_init(x, e);
		if (r < 0)
			return r;
	}
	/* Before Linux 5.7: the child attaches itself, while it has the host's view and rights. */
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0)
		return fail(e, errno, "clone");
	if (pid == 0 && x->cgroup >= 0 && cgroup_attach(x->cgroup, 0, e) < 0)
		_exit(1);
	return pid;
}

static void forget_host_side(struct exec *x)
{
	interrupt_forget();
	cleanup_close(&x->container->dir);
	cleanup_close(&x->container->root);
	x->container->dir = x->container->root = -1;
	replace_fd(&x->console_socket, -1);
	replace_fd(&x->cgroup, -1);
}

static int clone_child(struct walk *w, enum who who, pid_t *ret, struct error *e)
{
	struct exec *x = story(w);

	int r = steps_connect(w, e);
	if (r < 0)
		return r;
	pid_t pid = clone_into_group(x, e);
	if (pid < 0)
		return pid;
	if (pid == 0) {
		steps_become_child(w, who);
		forget_host_side(x);
		return 0;
	}
	*ret = pid;
	replace_fd(&x->listener.sock, -1);
	/* Its sibling has the socket, too: the end would not tell. */
	if (who == WHO_SETUP)
		w->child = sys_pidfd_open(pid, 0);
	steps_close_peer(w);
	return 0;
}

static bool by_bus_shielded(const struct walk *w)
{
	return story(w)->by_bus && is_shielded(w);
}

static bool by_bus_plain(const struct walk *w)
{
	return story(w)->by_bus && is_plain(w);
}

static int attach_by_bus(struct walk *w, struct error *e)
{
	const struct exec *x = story(w);
	struct systemd_unit unit = { .user = rootless() };

	str_format(unit.name, sizeof(unit.name), "%s", x->container->state->unit);
	return cgroup_systemd->attach(&unit, x->setup_pid > 0 ? x->setup_pid : x->pid, e);
}

static int clone_setup(struct walk *w, struct error *e)
{
	return clone_child(w, WHO_SETUP, &story(w)->setup_pid, e);
}

static int clone_process(struct walk *w, struct error *e)
{
	struct exec *x = story(w);

	if (!(x->namespaces & CLONE_NEWPID))
		return clone_child(w, WHO_INIT, &x->pid, e);
	/* Only this child is born into the container's pid namespace; what we make later is not. */
	auto_close int home = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return fail(e, errno, "open our own pid namespace");
	int r = ns_join_process(x->pidfd, CLONE_NEWPID, e);
	if (r == 0)
		r = clone_child(w, WHO_INIT, &x->pid, e);
	if (w->me == WHO_RUNTIME && setns(home, CLONE_NEWPID) < 0 && r == 0)
		r = fail(e, errno, "return to our own pid namespace");
	return r;
}

static void undo_clone(struct walk *w)
{
	struct exec *x = story(w);

	if (w->passed_pid > 0 && x->pid <= 0)
		x->pid = w->passed_pid;
	proc_end(&x->setup_pid);
	proc_end(&x->pid);
}

static int adopt(struct walk *w, struct error *e)
{
	struct exec *x = story(w);
	int status;

	x->pid = w->passed_pid;
	replace_fd(&w->child, -1);
	if (x->pid <= 0)
		return refuse(e, EPROTO, "the setup process told no pid");
	int r = proc_wait(x->setup_pid, &status, e);
	x->setup_pid = 0;
	return r;
}

static int set_limits(struct walk *w, struct error *e)
{
	struct exec *x = story(w);
	const struct spec_cpu_affinity *a = x->process->exec_affinity;

	int r = x->confine.limits_done ? rlimits_apply(x->pid, x->process, e) : 0;
	if (r == 0 && x->confine.limits_done)
		r = sched_apply(x->pid, x->process, e);
	if (r < 0 || !a)
		return r;
	/* In the container's group by now: what is not said is what the group has. */
	return prefix_cpus("final", sched_set_cpus(x->pid, a->final.n_words ? &a->final : NULL, e), e);
}

/* A process inherits the class of who made it: ours. */
static int join_rdt(struct walk *w, struct error *e)
{
	struct exec *x = story(w);
	const struct rdt_group g = container_rdt(x->container);

	auto_close int root = rdt_open_root(e);
	return root < 0 ? root : rdt_attach(root, &g, x->pid, e);
}

static int set_oom_score(struct walk *w, struct error *e)
{
	struct exec *x = story(w);
	return confine_oom_score(x->pid, x->process->oom_score_adj, e);
}

static int send_terminal(struct walk *w, struct error *e)
{
	struct exec *x = story(w);

	auto_close int master = take_fd(&w->passed_fd);
	if (master < 0)
		return refuse(e, EPROTO, "no terminal came from the container");
	return tty_console_send(x->console_socket, master, e);
}

static int tell_pid(struct walk *w, struct error *e)
{
	const struct exec *x = story(w);
	int r = 0;

	if (x->options->pidfd_socket)
		r = inherit_send_pidfd(x->options->pidfd_socket, x->pid, e);
	if (r == 0 && x->options->pid_file)
		r = inherit_write_pid_file(x->options->pid_file, x->pid, e);
	return r;
}

static void undo_tell_pid(struct walk *w)
{
	const struct exec *x = story(w);
	if (x->options->pid_file)
		unlink(x->options->pid_file);
}

/* ---- rows of SETUP (shielded) or INIT ---- */

static int join(struct walk *w, struct error *e)
{
	struct exec *x = story(w);
	uint64_t flags = w->me == WHO_INIT ? x->namespaces & ~(uint64_t)CLONE_NEWPID : x->namespaces;

	int r = confine_reach(&x->confine, e);
	/* Groups of root's that cannot be given up in there must not come along. */
	if (r == 0 && x->confine.user_ns_denies_setgroups && !rootless() && setgroups(0, NULL) < 0)
		r = fail(e, errno, "give up groups");
	if (r == 0)
		r = ns_join_process(x->pidfd, flags, e);
	if (r == 0 && x->namespaces & CLONE_NEWUSER)
		r = userns_become_root(e);
	replace_fd(&x->pidfd, -1);
	return r;
}

static int open_terminal(struct walk *w, struct error *e)
{
	struct exec *x = story(w);
	const struct spec_process *p = x->process;

	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail(e, errno, "open the container's root");
	int r = tty_open(root, &w->passed_fd, &x->tty_slave, e);
	if (r == 0)
		r = tty_set_size(w->passed_fd, p->console_height, p->console_width, e);
	if (r == 0)
		r = tty_give(x->tty_slave, p->user.uid, e);
	return r;
}

static int attach_terminal(struct walk *w, struct error *e)
{
	return tty_attach(story(w)->tty_slave, e);
}

static int new_session(struct walk *w, struct error *e)
{
	(void)w;
	return setsid() < 0 ? fail(e, errno, "setsid") : 0;
}

static int confine(struct walk *w, struct error *e)
{
	struct exec *x = story(w);

	int r = inherit_environment(x->process, NULL, &x->env, e);
	if (r == 0)
		r = confine_early(&x->confine, e);
	replace_fd(&x->confine.attr, -1);
	if (r == 0)
		r = confine_ids(&x->confine, e);
	if (r == 0)
		r = confine_find_program(x->process->args[0], x->env, &x->program, e);
	return r;
}

static int setup_clone(struct walk *w, struct error *e)
{
	/* clone(2), not clone3(2): the filter may be in force, and common profiles hide clone3. */
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0)
		return fail(e, errno, "clone");
	if (pid == 0)
		steps_become_child(w, WHO_INIT);
	else
		w->passed_pid = pid;
	return 0;
}

static int execute(struct walk *w, struct error *e)
{
	struct exec *x = story(w);

	if (x->shield)
		inherit_set_listen_pid(); /* the environment is SETUP's, the pid is ours */
	int r = confine_last(&x->confine, e);
	if (r < 0)
		return r;
	execve(x->program, x->process->args, x->env);
	return fail(e, errno, "exec: \"%s\"", x->process->args[0]);
}

static const struct step exec_steps[] = {
	{ "open container", WHO_RUNTIME, open_container },
	{ "load process", WHO_RUNTIME, load_process },
	{ "prepare", WHO_RUNTIME, prepare },
	{ "clone setup", WHO_RUNTIME, clone_setup, undo_clone, is_shielded },
	{ "attach setup to scope", WHO_RUNTIME, attach_by_bus, NULL, by_bus_shielded },
	{ "join container (setup)", WHO_SETUP, join, NULL, is_shielded },
	{ "open terminal (setup)", WHO_SETUP, open_terminal, NULL, has_terminal_shielded },
	{ "confine (setup)", WHO_SETUP, confine, NULL, is_shielded },
	{ "clone process in setup", WHO_SETUP, setup_clone, NULL, is_shielded },
	{ "adopt process", WHO_RUNTIME, adopt, undo_clone, is_shielded },
	{ "clone process", WHO_RUNTIME, clone_process, undo_clone, is_plain },
	{ "attach process to scope", WHO_RUNTIME, attach_by_bus, NULL, by_bus_plain },
	{ "set limits", WHO_RUNTIME, set_limits },
	{ "join cache class", WHO_RUNTIME, join_rdt, NULL, has_rdt },
	{ "set oom score", WHO_RUNTIME, set_oom_score },
	{ "new session", WHO_INIT, new_session },
	{ "join container", WHO_INIT, join, NULL, is_plain },
	{ "open terminal", WHO_INIT, open_terminal, NULL, has_terminal_plain },
	{ "attach terminal", WHO_INIT, attach_terminal, NULL, has_terminal },
	{ "confine", WHO_INIT, confine, NULL, is_plain },
	{ "send terminal", WHO_RUNTIME, send_terminal, NULL, has_console_socket },
	{ "tell pid", WHO_RUNTIME, tell_pid, undo_tell_pid },
	{ "execute", WHO_INIT, execute },
};

/* ---- around the list ---- */

static void story_done(struct exec *x)
{
	seccomp_filter_free(x->filter);
	cleanup_close(&x->pidfd);
	cleanup_close(&x->cgroup);
	cleanup_close(&x->console_socket);
	cleanup_close(&x->listener.sock);
	container_free(x->container);
	spec_free(x->spec);
	arena_free(x->process_arena);
	free(x->program);
	free(x->env);
}

static int wait_foreground(struct exec *x, struct walk *w, int *ret_exit, struct error *e)
{
	auto_close int master = take_fd(&w->passed_fd);
	struct reaper reaper = { .pid = x->pid, .tty = master };

	return reaper_run(&reaper, ret_exit, e);
}

static int prepare_caller(const struct exec_options *o, struct error *e)
{
	int r = inherit_check_fds(o->preserve_fds, e);
	if (r == 0)
		r = fd_cloexec_from(3 + (unsigned int)inherit_count_fds(o->preserve_fds), e);
	return r < 0 ? r : interrupt_prepare(e);
}

int life_exec(const struct exec_options *o, int *ret_exit, struct error *e)
{
	struct exec x = { .options = o,
			  .pidfd = -1,
			  .cgroup = -1,
			  .console_socket = -1,
			  .tty_slave = -1,
			  .confine = { .attr = -1 },
			  .listener = { .sock = -1 } };
	struct walk w;

	*ret_exit = 0;
	int r = prepare_caller(o, e);
	if (r < 0)
		return r;
	steps_init(&w, exec_steps, COUNT_OF(exec_steps), &x);
	r = steps_walk(&w, e);
	if (w.me != WHO_RUNTIME)
		_exit(r < 0 ? 255 : 0);
	if (r == 0) {
		r = steps_wait_end(&w, e);
		if (r < 0)
			steps_undo(&w);
	}
	if (r == 0 && !o->detach)
		r = wait_foreground(&x, &w, ret_exit, e);
	cleanup_close(&w.sock);
	cleanup_close(&w.child);
	cleanup_close(&w.passed_fd);
	story_done(&x);
	return r;
}
