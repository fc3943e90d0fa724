/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create_runtime.c - RUNTIME's rows of `create`
 *
 * The command on the host, with the caller's rights and the container's lock. A row that makes something
 * has its undo beside it; a row that fails has undone its own part when it returns. */
#include "runtime/create.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/rdt.h"
#include "namespaces/label.h"
#include "namespaces/tty.h"
#include "namespaces/userns.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/console.h"
#include "runtime/inherit.h"
#include "runtime/rootless.h"
#include "runtime/stored_config.h"

static struct create *story(const struct walk *w)
{
	return w->story;
}

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

int create_runtime_load_config(struct walk *w, struct error *e)
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
	if (r == 0)
		r = rootless_complete(c->spec, geteuid(), e);
	if (r < 0)
		return prefix(e, "config.json");
	if (!c->spec->root_path)
		return refuse(e, EINVAL, "config.json: root: missing");
	if (o->run && !c->spec->process)
		return refuse(e, EINVAL, "config.json: process: missing");
	r = check_terminal(o, c->spec->process, e);
	if (r < 0)
		return r;
	if (c->spec->process && c->spec->process->terminal && !o->console_socket)
		console_own_size(&c->spec->process->console_height, &c->spec->process->console_width);
	r = ns_plan(c->spec, &c->plan, e);
	if (r < 0)
		return prefix(e, "config.json");
	r = create_network_plan(c, e);
	if (r < 0)
		return r;
	if (!o->globals->systemd_cgroup)
		return cgroup_path(c->spec->cgroups_path, o->id, &c->cgroup_path, e);
	c->cgroup_path = strdup("");
	if (!c->cgroup_path)
		return fail(e, ENOMEM, "cgroupsPath");
	return systemd_unit_parse(c->spec->cgroups_path, o->id, rootless(), &c->unit, e);
}

static char *rootfs_path(struct create *c)
{
	const char *path = c->spec->root_path;
	return path[0] == '/' ? arena_strdup(c->spec->arena, path)
			      : arena_printf(c->spec->arena, "%s/%s", c->bundle, path);
}

/* RFC 3339. Counted by hand: gmtime_r(3) would open and read the host's time zone first.
 * Years are taken from March on, so that the leap day is a year's last: 400 years have 146,097 days. */
static const char *now(struct arena *a)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	long days = t.tv_sec / 86400 + 719468, secs = t.tv_sec % 86400; /* days since 1 March of year 0 */
	long era = days / 146097, of_era = days % 146097;
	long year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	long of_year = of_era - (365 * year + year / 4 - year / 100);
	long month = (5 * of_year + 2) / 153; /* 0: March */
	long day = of_year - (153 * month + 2) / 5 + 1;

	return arena_printf(a, "%04ld-%02ld-%02ldT%02ld:%02ld:%02ld.%09ldZ", era * 400 + year + (month >= 10),
			    month < 10 ? month + 3 : month - 9, day, secs / 3600, secs / 60 % 60, secs % 60,
			    t.tv_nsec);
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
	s->systemd_cgroup = c->options->globals->systemd_cgroup;
	s->unit = c->unit.name;
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

void create_runtime_undo_reserve(struct walk *w)
{
	struct create *c = story(w);
	struct error ignored;

	if (!c->container)
		return;
	if (c->had_init) {
		c->container->state->pid = 0;
		hooks_run_poststop(c->spec, c->container->state);
	}
	container_remove(c->container, &ignored);
}

int create_runtime_reserve_id(struct walk *w, struct error *e)
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
		create_runtime_undo_reserve(w);
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
	c->confine.listener = &c->listener;
	c->listener.state = c->container->state;
	c->listener.status = STATUS_CREATING;
	return seccomp_listener_connect(c->spec->seccomp, &c->listener, e);
}

static int open_handles(struct create *c, struct error *e)
{
	c->cgroup_root = cgroup_open_root(e);
	if (c->cgroup_root < 0)
		return c->cgroup_root;
	if (c->spec->intel_rdt && (c->rdt_root = rdt_open_root(e)) < 0)
		return c->rdt_root;
	if (!c->options->console_socket)
		return 0;
	c->console_socket = tty_console_connect(c->options->console_socket, e);
	return c->console_socket < 0 ? c->console_socket : 0;
}

void create_describe_rootfs(struct create *c)
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

	c->confine.spec = c->spec;
	c->confine.process = c->spec->process;
	c->confine.keep_groups = keep && !str_eq(keep, "0");
	c->confine.user_ns_denies_setgroups = c->plan.new_user
						      ? userns_denies_setgroups(c->spec)
						      : rootless() && userns_of_denies_setgroups(getpid());
	c->confine.limits_done = c->plan.has[NS_USER] && c->spec->process &&
				 confine_has_limits(c->spec->process);
	if (c->options->no_new_keyring)
		return 0;
	c->confine.keyring = arena_printf(c->spec->arena, "_ses.%s", c->options->id);
	return c->confine.keyring ? 0 : fail(e, ENOMEM, "session keyring");
}

/* Everything that can be opened, compiled or connected before a process exists. */
int create_runtime_prepare(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	int r = open_handles(c, e);
	if (r == 0)
		r = ns_open_joined(&c->plan, c->joined, e);
	if (r == 0)
		r = label_check(c->spec, c->spec->process, e);
	if (r == 0)
		r = prepare_seccomp(c, e);
	if (r == 0)
		r = notify_prepare(&c->notify, c->container, e);
	if (r == 0 && !c->options->run)
		r = open_fifo(c, "start", &c->start_fifo, e);
	if (r == 0 && !c->options->run)
		r = open_fifo(c, "started", &c->started_fifo, e);
	create_describe_rootfs(c);
	if (r == 0)
		r = rootfs_map(&c->rootfs, c->joined[NS_USER], e);
	return r == 0 ? describe_process(c, e) : r;
}

void create_runtime_undo_cgroup(struct walk *w)
{
	struct create *c = story(w);
	struct error ignored;

	if (c->unit.name[0] && *c->cgroup_path && cgroup_systemd)
		cgroup_systemd->stop(&c->unit, &ignored);
	if (c->cgroup_existed || c->cgroup < 0)
		return;
	cgroup_destroy(c->cgroup_root, c->cgroup_path, &ignored);
}

/* A container whose processes stay in our own group. A limit that is asked for must not be passed over. */
static int go_without_cgroup(struct create *c, const struct error *why, struct error *e)
{
	const char *key;

	if (c->spec->resources && cgroup_asks(c->spec->resources, &key))
		return refuse(e, why->code, "linux.resources.%s: cannot be set: %s", key, why->msg);
	log_debug("container %s has no cgroup: %s", c->options->id, why->msg);
	c->rootfs.cgroup = NULL;
	c->container->state->cgroup = "";
	return state_write(c->container->dir, c->container->state, e);
}

static bool is_disabled(const struct create *c)
{
	return str_eq(c->options->globals->cgroup_manager, "disabled");
}

/* -ENOENT from the look for the hierarchy, the rest from a group that was not delegated. */
static bool is_no_right(const struct error *why)
{
	return why->code == EACCES || why->code == EPERM || why->code == EROFS;
}

static int make_group(struct create *c, struct error *e)
{
	if (is_disabled(c))
		return refuse(e, EPERM, "control groups are disabled (--cgroup-manager)");
	if (rootless()) {
		int r = cgroup_may_enter(c->cgroup_root, c->cgroup_path, e);
		if (r < 0)
			return r;
	}
	return cgroup_create(c->cgroup_root, c->cgroup_path, c->spec->resources, &c->cgroup_existed, e);
}

int create_runtime_make_cgroup(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	const struct spec_resources *r = c->spec->resources;
	struct error why;

	if (c->unit.name[0]) { /* a scope is made around a process */
		c->attach_late = true;
		return 0;
	}
	c->cgroup = make_group(c, &why);
	if (c->cgroup < 0 && is_no_right(&why) && (rootless() || is_disabled(c)))
		return go_without_cgroup(c, &why, e);
	if (c->cgroup < 0) {
		*e = why;
		return c->cgroup;
	}
	if (c->cgroup_existed) {
		/* Known before any process is in it: a forced delete must never end or remove what is not
		 * ours. */
		c->container->state->cgroup_joined = true;
		if (state_write(c->container->dir, c->container->state, e) < 0)
			return -e->code;
	}
	if (r && cgroup_apply(c->cgroup, r, !c->cgroup_existed, e) < 0) {
		create_runtime_undo_cgroup(w);
		return -e->code;
	}
	return 0;
}

pid_t create_clone(struct create *c, uint64_t flags, struct error *e)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };

	if (c->cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)c->cgroup;
	}

	pid_t pid = sys_clone3(&args, sizeof(args));
	if (pid >= 0 || (errno != ENOSYS && errno != EINVAL && errno != E2BIG))
		return pid < 0 ? fail(e, errno, "clone3") : pid;
	/* Before Linux 5.7, or behind a filter that hides clone3: RUNTIME moves the child when it is there.
	 */
	c->attach_late |= c->cgroup >= 0;
	pid = (pid_t)syscall(SYS_clone, (unsigned long)flags | SIGCHLD, NULL, NULL, NULL, NULL);
	return pid < 0 ? fail(e, errno, "clone") : pid;
}

void create_runtime_undo_init(struct walk *w)
{
	proc_end(&story(w)->init_pid);
}

void create_runtime_undo_setup(struct walk *w)
{
	struct create *c = story(w);

	if (w->passed_pid > 0 && c->init_pid <= 0)
		c->init_pid = w->passed_pid;
	proc_end(&c->setup_pid);
	proc_end(&c->init_pid);
}

static void forget_host_side(struct create *c)
{
	interrupt_forget();
	cleanup_close(&c->container->dir);
	cleanup_close(&c->container->root);
	c->container->dir = c->container->root = -1;
	replace_fd(&c->console_socket, -1);
	replace_fd(&c->helper.sock, -1);
	replace_fd(&c->notify.sock, -1);
	replace_fd(&c->rdt_root, -1);
}

int create_runtime_clone_setup(struct walk *w, struct error *e)
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
	replace_fd(&c->listener.sock, -1);
	w->child = sys_pidfd_open(pid, 0); /* INIT has the socket, too: its end would not tell */
	steps_close_peer(w);
	return 0;
}

int create_runtime_clone_init(struct walk *w, struct error *e)
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
	c->had_init = true;
	replace_fd(&c->listener.sock, -1); /* INIT's alone: the agent waits for its end */
	steps_close_peer(w);
	return 0;
}

/* SETUP told INIT's pid; SETUP itself has ended. */
int create_runtime_adopt_init(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	int status;

	c->init_pid = w->passed_pid;
	c->had_init = true;
	replace_fd(&w->child, -1);
	if (c->init_pid <= 0)
		return refuse(e, EPROTO, "the setup process told no pid");
	int r = proc_wait(c->setup_pid, &status, e);
	c->setup_pid = 0;
	return r;
}

/* What has no property is written into the group, which is ours to change. */
static int start_scope(struct create *c, pid_t pid, struct error *e)
{
	char *path = NULL;

	int r = cgroup_systemd->start(&c->unit, pid, c->spec, &path, e);
	if (r < 0)
		return r;
	free(c->cgroup_path);
	c->cgroup_path = path;
	c->container->state->cgroup = path;
	c->cgroup = cgroup_open(c->cgroup_root, path, e);
	if (c->cgroup < 0)
		return c->cgroup;
	r = state_write(c->container->dir, c->container->state, e);
	return r == 0 && c->spec->resources ? cgroup_apply(c->cgroup, c->spec->resources, true, e) : r;
}

int create_runtime_attach(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	pid_t pid = c->setup_pid > 0 ? c->setup_pid : c->init_pid;

	return c->unit.name[0] ? start_scope(c, pid, e) : cgroup_attach(c->cgroup, pid, e);
}

int create_runtime_write_maps(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	return userns_write_maps(c->setup_pid > 0 ? c->setup_pid : c->init_pid, c->spec, e);
}

/* A container with a user namespace and a cgroup namespace that has its groups mounted writable is to divide
 * them, which takes that they are its root's. */
static bool delegates(const struct spec *s)
{
	const struct spec_namespace *user = spec_find_namespace(s, NS_USER),
				    *group = spec_find_namespace(s, NS_CGROUP);

	if (!user || user->path || !group || group->path)
		return false;
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];
		if (m->type && (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2")))
			return !strv_has(m->options, "ro");
	}
	return false;
}

static uid_t root_outside(const struct spec *s)
{
	for (size_t i = 0; i < s->n_uid_mappings; i++)
		if (s->uid_mappings[i].container == 0)
			return s->uid_mappings[i].host;
	return (uid_t)-1; /* none: changes nothing */
}

static bool is_few_tasks(const struct spec_resources *r)
{
	return r && r->pids_limit >= 0 && r->pids_limit < SYSTEMD_FEW_TASKS;
}

int create_runtime_limit_group(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	if (c->cgroup < 0)
		return 0;
	int r = cgroup_devices_apply(c->cgroup, c->spec->resources, !c->cgroup_existed, e);
	/* Only root may load the program; but nobody else can make a device node either, and those that are
	 * bound from the host let in whom the host lets in. */
	if (r == -EPERM && rootless())
		r = 0;
	if (r == 0 && delegates(c->spec))
		r = cgroup_delegate(c->cgroup, root_outside(c->spec), e);
	if (r == 0 && c->unit.name[0] && is_few_tasks(c->spec->resources))
		r = cgroup_systemd->update(&c->unit, c->spec->resources, true, e);
	if (r == 0 && c->spec->resources && !c->cgroup_existed)
		r = cgroup_apply_late(c->cgroup, c->spec->resources, e);
	return r;
}

void create_runtime_undo_rdt(struct walk *w)
{
	struct create *c = story(w);
	const struct rdt_group g = container_rdt(c->container);
	struct error ignored;

	rdt_remove(c->rdt_root, &g, &ignored);
	c->container->state->rdt = "";
}

/* The record names the class before it is made, so that a forced delete finds it. */
int create_runtime_join_rdt(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	struct state *s = c->container->state;
	struct rdt_group g = rdt_plan(c->spec->intel_rdt, c->container->id);

	s->rdt = g.clos;
	s->rdt_made = g.made = !rdt_has_class(c->rdt_root, g.clos);
	s->rdt_monitored = g.monitored;
	int r = state_write(c->container->dir, s, e);
	if (r == 0)
		r = rdt_create(c->rdt_root, c->spec->intel_rdt, &g, e);
	if (r < 0)
		return r;
	r = rdt_attach(c->rdt_root, &g, c->init_pid, e);
	if (r < 0)
		create_runtime_undo_rdt(w);
	return r;
}

int create_runtime_set_oom_score(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	return confine_oom_score(c->init_pid, c->spec->process->oom_score_adj, e);
}

/* To raise a hard limit or a priority takes a right that INIT in a user namespace has not. */
int create_runtime_set_limits(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	int r = rlimits_apply(c->init_pid, c->spec->process, e);
	return r < 0 ? r : sched_apply(c->init_pid, c->spec->process, e);
}

int create_runtime_run_runtime_hooks(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	c->container->state->pid = c->init_pid;
	int r = hooks_run(c->spec, HOOK_PRESTART, c->container->state, STATUS_CREATING, e);
	if (r == 0)
		r = hooks_run(c->spec, HOOK_CREATE_RUNTIME, c->container->state, STATUS_CREATING, e);
	c->container->state->pid = 0;
	return r;
}

int create_runtime_send_terminal(struct walk *w, struct error *e)
{
	struct create *c = story(w);

	auto_close int master = take_fd(&w->passed_fd);
	if (master < 0)
		return refuse(e, EPROTO, "no terminal came from the container");
	return tty_console_send(c->console_socket, master, e);
}

void create_runtime_undo_record(struct walk *w)
{
	const struct create *c = story(w);
	if (c->options->pid_file)
		unlink(c->options->pid_file);
}

/* From here on others find a container with a process. */
int create_runtime_record(struct walk *w, struct error *e)
{
	struct create *c = story(w);
	struct state *s = c->container->state;
	uint64_t start;

	int r = proc_start_time(c->init_pid, &start, NULL, e);
	if (r < 0)
		return r;
	s->pid = c->init_pid;
	s->start_time = start;
	r = state_write(c->container->dir, s, e);
	if (r == 0 && c->options->pidfd_socket)
		r = inherit_send_pidfd(c->options->pidfd_socket, c->init_pid, e);
	if (r == 0 && c->options->pid_file)
		r = inherit_write_pid_file(c->options->pid_file, c->init_pid, e);
	return r;
}
