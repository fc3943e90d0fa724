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

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "namespaces/tty.h"
#include "namespaces/userns.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/inherit.h"
#include "runtime/reaper.h"

#define CONFIG_LIMIT (16U << 20)

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

static bool attaches_late(const struct walk *w)
{
	return story(w)->attach_late;
}

static bool has_oom_score(const struct walk *w)
{
	const struct spec_process *p = story(w)->spec->process;
	return p && p->oom_score_adj != NUM_UNSET;
}

static bool sets_rlimits(const struct walk *w)
{
	return story(w)->confine.rlimits_done;
}

static bool has_hook(const struct walk *w, enum hook_kind kind)
{
	return story(w)->spec->hooks[kind].count > 0;
}

static bool has_runtime_hooks(const struct walk *w)
{
	return has_hook(w, HOOK_PRESTART) || has_hook(w, HOOK_CREATE_RUNTIME);
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

/* ---- RUNTIME's rows ---- */

static int check_terminal(const struct create_options *o, const struct spec_process *p, struct error *e)
{
	bool terminal = p && p->terminal;
	bool foreground = o->run && !o->detach;

	if (terminal && !foreground && !o->console_socket)
		return refuse(e, EINVAL,
			      "process.terminal: cannot allocate a terminal for a detached container without "
			      "--console-socket");
	if (o->console_socket && (!terminal || foreground))
		return refuse(e, EINVAL,
			      "--console-socket goes with process.terminal and a container that is detached");
	return 0;
}

static int read_config(struct create *c, struct error *e)
{
	const struct create_options *o = c->options;
	char path[PATH_MAX];

	if (o->config_text) {
		c->config_text = strdup(o->config_text);
		c->config_size = strlen(o->config_text);
		return c->config_text ? 0 : fail(e, ENOMEM, "config");
	}
	int r = o->config ? str_format(path, sizeof(path), "%s", o->config)
			  : str_format(path, sizeof(path), "%s/config.json", c->bundle);
	if (r < 0)
		return fail(e, -r, "path of config.json");
	return io_read_file(AT_FDCWD, path, CONFIG_LIMIT, &c->config_text, &c->config_size, e);
}

static int load_config(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	const struct create_options *o = c->options;

	int r = container_check_id(o->id, e);
	if (r < 0)
		return r;
	c->bundle = realpath(o->bundle ? o->bundle : ".", NULL);
	if (!c->bundle)
		return fail(e, errno, "bundle %s", o->bundle ? o->bundle : ".");
	r = read_config(c, e);
	if (r < 0)
		return r;
	r = spec_parse(c->config_text, c->config_size, &c->spec, e);
	if (r < 0)
		return prefix(e, "config.json");
	if (!c->spec->root_path)
		return refuse(e, EINVAL, "config.json: root: missing");
	if (o->run && !c->spec->process)
		return refuse(e, EINVAL, "config.json: process: missing");
	r = check_terminal(o, c->spec->process, e);
	if (r < 0)
		return r;
	r = ns_plan(c->spec, &c->plan, e);
	if (r < 0)
		return prefix(e, "config.json");
	return cgroup_path(c->spec->cgroups_path, o->id, &c->cgroup_path, e);
}

static char *rootfs_path(struct create *c)
{
	const char *path = c->spec->root_path;
	return path[0] == '/' ? arena_strdup(c->spec->arena, path)
			      : arena_printf(c->spec->arena, "%s/%s", c->bundle, path);
}

static const char *now(struct arena *a)
{
	struct timespec t;
	struct tm tm;
	char date[32];

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	return arena_printf(a, "%s.%09ldZ", date, t.tv_nsec);
}

static unsigned int hook_mask(const struct spec *s)
{
	unsigned int mask = 0;
	for (unsigned int i = 0; i < HOOK_KIND_MAX; i++)
		if (s->hooks[i].count)
			mask |= 1U << i;
	return mask;
}

static int first_record(struct create *c, struct error *e)
{
	struct state *s = state_new();
	if (!s)
		return fail(e, ENOMEM, "record");
	c->container->state = s;
	s->id = c->container->id;
	s->bundle = c->bundle;
	s->rootfs = c->rootfs.path;
	s->created = now(s->arena);
	s->owner = geteuid();
	s->cgroup = c->cgroup_path;
	s->oci_version = c->spec->oci_version;
	s->terminal = c->spec->process && c->spec->process->terminal;
	s->no_process = !c->spec->process;
	s->hooks = hook_mask(c->spec);
	s->annotations = c->spec->annotations;
	s->n_annotations = c->spec->n_annotations;
	if (!s->rootfs || !s->created)
		return fail(e, ENOMEM, "record");
	return state_write(c->container->dir, s, e);
}

static void undo_reserve(struct walk *w)
{
	struct error ignored;
	if (story(w)->container)
		container_remove(story(w)->container, &ignored);
}

static int reserve_id(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	c->rootfs.path = rootfs_path(c);
	int r = container_make(c->options->globals, c->options->id, &c->container, e);
	if (r < 0)
		return r;
	r = io_replace_file(c->container->dir, "config.json", c->config_text, c->config_size, 0600, e);
	if (r == 0)
		r = first_record(c, e);
	if (r < 0)
		undo_reserve(w);
	return r;
}

static int open_fifo(struct create *c, const char *name, int *ret, struct error *e)
{
	if (mkfifoat(c->container->dir, name, 0600) < 0)
		return fail(e, errno, "make FIFO %s", name);
	/* Both ways: neither opening nor reading the other's end ever sees an end of file. */
	*ret = openat(c->container->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (*ret < 0)
		return fail(e, errno, "open FIFO %s", name);
	return 0;
}

static int open_cache(struct create *c)
{
	int dir = openat(c->container->root, ".cache/seccomp",
			 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0 || errno != ENOENT)
		return dir;
	mkdirat(c->container->root, ".cache", 0700);
	mkdirat(c->container->root, ".cache/seccomp", 0700);
	return openat(c->container->root, ".cache/seccomp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int prepare_seccomp(struct create *c, struct error *e)
{
	if (!c->spec->seccomp)
		return 0;
	auto_close int cache = open_cache(c); /* without a cache it works, only slower */
	int r = seccomp_prepare(c->spec->seccomp, cache, &c->filter, e);
	if (r < 0)
		return prefix(e, "linux.seccomp");
	c->confine.filter = c->filter;
	return 0;
}

static int open_handles(struct create *c, struct error *e)
{
	c->cgroup_root = cgroup_open_root(e);
	if (c->cgroup_root < 0)
		return c->cgroup_root;
	if (!c->options->console_socket)
		return 0;
	c->console_socket = tty_console_connect(c->options->console_socket, e);
	return c->console_socket < 0 ? c->console_socket : 0;
}

static void describe_rootfs(struct create *c)
{
	const struct ns_plan *p = &c->plan;

	c->rootfs.spec = c->spec;
	c->rootfs.cgroup = c->cgroup_path;
	c->rootfs.bundle = c->bundle;
	c->rootfs.user_ns = p->has[NS_USER];
	c->rootfs.new_ns = p->has[NS_MOUNT];
	c->rootfs.new_pid_ns = p->has[NS_PID] && !p->join[NS_PID];
	c->rootfs.new_net_ns = p->has[NS_NETWORK] && !p->join[NS_NETWORK];
	c->rootfs.new_cgroup_ns = p->has[NS_CGROUP];
	c->rootfs.no_pivot = c->options->no_pivot;
}

static int describe_process(struct create *c, struct error *e)
{
	const char *keep = spec_annotation(c->spec, "run.oci.keep_original_groups");

	c->confine.process = c->spec->process;
	c->confine.keep_groups = keep && !str_eq(keep, "0");
	c->confine.user_ns_denies_setgroups = c->plan.new_user && userns_denies_setgroups(c->spec);
	c->confine.rlimits_done = c->plan.has[NS_USER] && c->spec->process && c->spec->process->n_rlimits;
	if (c->options->no_new_keyring)
		return 0;
	c->confine.keyring = arena_printf(c->spec->arena, "_ses.%s", c->options->id);
	return c->confine.keyring ? 0 : fail(e, ENOMEM, "session keyring");
}

/* Everything that can be opened, compiled or connected before a process exists. */
static int prepare(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	int r = open_handles(c, e);
	if (r == 0)
		r = ns_open_joined(&c->plan, c->joined, e);
	if (r == 0)
		r = prepare_seccomp(c, e);
	if (r == 0)
		r = notify_prepare(&c->notify, c->container, e);
	if (r == 0 && !c->options->run)
		r = open_fifo(c, "start", &c->start_fifo, e);
	if (r == 0 && !c->options->run)
		r = open_fifo(c, "started", &c->started_fifo, e);
	describe_rootfs(c);
	return r == 0 ? describe_process(c, e) : r;
}

static void undo_cgroup(struct walk *w)
{
	struct create *c = story(w);
	struct error ignored;

	if (c->cgroup_existed)
		return;
	cgroup_destroy(c->cgroup_root, c->cgroup_path, &ignored);
}

static int make_cgroup(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	const struct spec_resources *r = c->spec->resources;

	c->cgroup = cgroup_create(c->cgroup_root, c->cgroup_path, r, &c->cgroup_existed, e);
	if (c->cgroup < 0)
		return c->cgroup;
	if (r && cgroup_apply(c->cgroup, r, !c->cgroup_existed, e) < 0) {
		undo_cgroup(w);
		return -e->code;
	}
	return 0;
}

pid_t create_clone(struct create *c, uint64_t flags, struct error *e)
{
	struct clone_args args = { .flags = flags | CLONE_INTO_CGROUP,
				   .exit_signal = SIGCHLD,
				   .cgroup = (uint64_t)c->cgroup };

	pid_t pid = sys_clone3(&args, sizeof(args));
	if (pid >= 0 || (errno != ENOSYS && errno != EINVAL && errno != E2BIG))
		return pid < 0 ? fail(e, errno, "clone3") : pid;
	/* Before Linux 5.7, or behind a filter that hides clone3: RUNTIME moves the child when it is there.
	 */
	c->attach_late = true;
	pid = (pid_t)syscall(SYS_clone, (unsigned long)flags | SIGCHLD, NULL, NULL, NULL, NULL);
	return pid < 0 ? fail(e, errno, "clone") : pid;
}

static void kill_and_reap(pid_t *pid)
{
	struct error ignored;
	int status;

	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	proc_wait(*pid, &status, &ignored);
	*pid = 0;
}

static void undo_init(struct walk *w)
{
	kill_and_reap(&story(w)->init_pid);
}

static void undo_setup(struct walk *w)
{
	struct create *c = story(w);

	if (w->passed_pid > 0 && c->init_pid <= 0)
		c->init_pid = w->passed_pid;
	kill_and_reap(&c->setup_pid);
	kill_and_reap(&c->init_pid);
}

static void forget_host_side(struct create *c)
{
	interrupt_forget();
	cleanup_close(&c->container->dir);
	cleanup_close(&c->container->root);
	c->container->dir = c->container->root = -1;
	replace_fd(&c->console_socket, -1);
	replace_fd(&c->notify.sock, -1);
}

static int clone_setup(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	int r = steps_connect(w, e);
	if (r < 0)
		return r;
	pid_t pid = create_clone(c, 0, e);
	if (pid < 0)
		return pid;
	if (pid == 0) {
		steps_become_child(w, WHO_SETUP);
		forget_host_side(c);
		return 0;
	}
	c->setup_pid = pid;
	w->child = sys_pidfd_open(pid, 0); /* INIT has the socket, too: its end would not tell */
	steps_close_peer(w);
	return 0;
}

static int clone_init(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	int r = steps_connect(w, e);
	if (r < 0)
		return r;
	pid_t pid = create_clone(c, c->plan.clone_flags, e);
	if (pid < 0)
		return pid;
	if (pid == 0) {
		steps_become_child(w, WHO_INIT);
		forget_host_side(c);
		return 0;
	}
	c->init_pid = pid;
	steps_close_peer(w);
	return 0;
}

/* SETUP told INIT's pid; SETUP itself has ended. */
static int adopt_init(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	int status;

	c->init_pid = w->passed_pid;
	replace_fd(&w->child, -1);
	if (c->init_pid <= 0)
		return refuse(e, EPROTO, "the setup process told no pid");
	int r = proc_wait(c->setup_pid, &status, e);
	c->setup_pid = 0;
	return r;
}

static int attach(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	return cgroup_attach(c->cgroup, c->setup_pid > 0 ? c->setup_pid : c->init_pid, e);
}

static int write_maps(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	return userns_write_maps(c->setup_pid > 0 ? c->setup_pid : c->init_pid, c->spec, e);
}

static int limit_group(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	int r = cgroup_devices_apply(c->cgroup, c->spec->resources, !c->cgroup_existed, e);
	if (r == 0 && c->spec->resources && !c->cgroup_existed)
		r = cgroup_apply_late(c->cgroup, c->spec->resources, e);
	return r;
}

static int set_oom_score(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	return confine_oom_score(c->init_pid, c->spec->process->oom_score_adj, e);
}

/* To raise a hard limit takes a right that INIT in a user namespace has not. */
static int set_rlimits(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	return rlimits_apply(c->init_pid, c->spec->process, e);
}

static int run_runtime_hooks(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	c->container->state->pid = c->init_pid;
	int r = hooks_run(c->spec, HOOK_PRESTART, c->container->state, STATUS_CREATING, e);
	if (r == 0)
		r = hooks_run(c->spec, HOOK_CREATE_RUNTIME, c->container->state, STATUS_CREATING, e);
	c->container->state->pid = 0;
	return r;
}

static int send_terminal(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	auto_close int master = take_fd(&w->passed_fd);
	if (master < 0)
		return refuse(e, EPROTO, "no terminal came from the container");
	return tty_console_send(c->console_socket, master, e);
}

static void undo_record(struct walk *w)
{
	const struct create *c = story(w);
	if (c->options->pid_file)
		unlink(c->options->pid_file);
}

/* From here on others find a container with a process. */
static int record(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	struct state *s = c->container->state;
	uint64_t start;

	int r = proc_start_time(c->init_pid, &start, NULL, e);
	if (r < 0)
		return r;
	s->pid = c->init_pid;
	s->start_time = start;
	s->cgroup_joined = c->cgroup_existed;
	r = state_write(c->container->dir, s, e);
	if (r == 0 && c->options->pidfd_socket)
		r = inherit_send_pidfd(c->options->pidfd_socket, c->init_pid, e);
	if (r == 0 && c->options->pid_file)
		r = inherit_write_pid_file(c->options->pid_file, c->init_pid, e);
	return r;
}

static const struct step create_steps[] = {
	{ "load config", WHO_RUNTIME, load_config },
	{ "reserve id", WHO_RUNTIME, reserve_id, undo_reserve },
	{ "prepare", WHO_RUNTIME, prepare },
	{ "create cgroup", WHO_RUNTIME, make_cgroup, undo_cgroup },
	{ "clone setup", WHO_RUNTIME, clone_setup, undo_setup, needs_setup },
	{ "attach setup to cgroup", WHO_RUNTIME, attach, NULL, attaches_late },
	{ "join namespaces", WHO_SETUP, create_setup_join, NULL, needs_setup },
	{ "make user namespace", WHO_SETUP, create_setup_new_user, NULL, setup_makes_user },
	{ "write id maps", WHO_RUNTIME, write_maps, NULL, setup_makes_user },
	{ "make namespaces", WHO_SETUP, create_setup_make, NULL, needs_setup },
	{ "clone init in setup", WHO_SETUP, create_setup_clone, NULL, needs_setup },
	{ "adopt init", WHO_RUNTIME, adopt_init, undo_init, needs_setup },
	{ "clone init", WHO_RUNTIME, clone_init, undo_init, is_direct },
	{ "write id maps of init", WHO_RUNTIME, write_maps, NULL, init_is_user },
	{ "enter namespaces", WHO_INIT, create_init_enter },
	{ "limit devices", WHO_RUNTIME, limit_group, .overlap = true },
	{ "set oom score", WHO_RUNTIME, set_oom_score, NULL, has_oom_score, .overlap = true },
	{ "set rlimits", WHO_RUNTIME, set_rlimits, NULL, sets_rlimits, .overlap = true },
	{ "open root", WHO_INIT, create_init_rootfs },
	{ "mount", WHO_INIT, create_init_mounts },
	{ "make devices", WHO_INIT, create_init_devices },
	{ "run createRuntime hooks", WHO_RUNTIME, run_runtime_hooks, NULL, has_runtime_hooks },
	{ "run createContainer hooks", WHO_INIT, create_init_hooks, NULL, has_container_hooks },
	{ "open terminal", WHO_INIT, create_init_terminal, NULL, has_terminal },
	{ "pivot root", WHO_INIT, create_init_pivot },
	{ "seal root", WHO_INIT, create_init_seal },
	{ "confine", WHO_INIT, create_init_confine },
	{ "send terminal", WHO_RUNTIME, send_terminal, NULL, has_console_socket },
	{ "record", WHO_RUNTIME, record, undo_record },
	{ "wait for start", WHO_INIT, create_init_wait, NULL, waits_for_start },
	{ "run startContainer hooks", WHO_INIT, create_init_start_hooks, NULL, has_start_hooks },
	{ "execute", WHO_INIT, create_init_execute },
};

/* ---- around the list ---- */

static void story_init(struct create *c, const struct create_options *o)
{
	*c = (struct create){ .options = o,
			      .cgroup_root = -1,
			      .cgroup = -1,
			      .console_socket = -1,
			      .tty_master = -1,
			      .start_fifo = -1,
			      .started_fifo = -1,
			      .notify = { .sock = -1 },
			      .rootfs = ROOTFS_INIT };
	for (int i = 0; i < NS_KIND_MAX; i++)
		c->joined[i] = -1;
}

static void story_done(struct create *c)
{
	rootfs_done(&c->rootfs);
	ns_close_joined(c->joined);
	notify_done(&c->notify);
	seccomp_filter_free(c->filter);
	cleanup_close(&c->cgroup_root);
	cleanup_close(&c->cgroup);
	cleanup_close(&c->console_socket);
	cleanup_close(&c->tty_master);
	cleanup_close(&c->start_fifo);
	cleanup_close(&c->started_fifo);
	container_free(c->container);
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
	return notify_wait_ready(&c->notify, c->init_pid, pidfd, e);
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

/* A child comes back from the walk only if it failed. When the container was recorded before, nobody listens
 * any more but `start`, over its FIFO; else RUNTIME has been told, and what is written there is lost with it.
 */
static void end_child(const struct create *c, const struct error *e)
{
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
	story_init(&c, o);
	steps_init(&w, create_steps, COUNT_OF(create_steps), &c);
	r = steps_walk(&w, e);
	if (w.me != WHO_RUNTIME)
		end_child(&c, e);
	if (r == 0 && o->run)
		r = run_to_the_end(&c, &w, ret_exit, e);
	cleanup_close(&w.sock);
	cleanup_close(&w.peer_sock);
	cleanup_close(&w.child);
	story_done(&c);
	return r;
}
