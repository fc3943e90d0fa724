/* SPDX-License-Identifier: GPL-2.0-or-later */
/* restore.c - images into a running container
 *
 * Two lists. The first needs no images: the id, the group, CRIU spawned into it with namespaces made and every
 * mount of the config staged. The second reads the images and ends with tasks that run. A restored container
 * is a created one that came to its first process by another way: its record, group and config are create's.
 *
 * What it may do is the destination's config's say alone. The annotation org.criu.config, by which runc lets a
 * config name a file of CRIU options, is not followed: options there replace what is asked for here (root,
 * external mounts, scripts to be run), and whoever may write a bundle's annotations need not be whoever may
 * run programs as root.
 *
 * Order that matters: the record is written before tasks run (in pre-resume), so that no container runs that
 * nobody finds; ids and seccomp are looked at there too, where they are set and no instruction has run. */
#include "runtime/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "namespaces/tty.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/image_network.h"
#include "runtime/image_options.h"
#include "runtime/image_set.h"
#include "runtime/inherit.h"
#include "runtime/reaper.h"
#include "runtime/restoring.h"
#include "runtime/stored_config.h"

#define STAGE_DIR "stage"

static struct restore *story(const struct walk *w)
{
	return w->story;
}

/* ---- before the images ---- */

static int load_config(struct walk *w, struct error *e)
{
	struct restore *r = story(w);
	struct create *c = &r->create;

	int ret = create_runtime_load_config(w, e);
	if (ret < 0)
		return ret;
	if (c->plan.join[NS_PID] || c->plan.join[NS_USER] || c->plan.join[NS_MOUNT] || c->plan.join[NS_TIME])
		return refuse(e, ENOTSUP,
			      "config.json: a pid, user, mount or time namespace that exists cannot be "
			      "restored into");
	if (!c->plan.has[NS_PID] || !c->plan.has[NS_MOUNT])
		return refuse(
			e, ENOTSUP,
			"config.json: restore needs a pid and a mount namespace of the container's own");
	r->own_ipc = c->plan.has[NS_IPC] && !c->plan.has[NS_USER];
	return 0;
}

static int open_images(struct walk *w, struct error *e)
{
	struct restore *r = story(w);
	int ret;

	if (r->options.images_dir > 0) {
		r->images = fcntl(r->options.images_dir, F_DUPFD_CLOEXEC, 3);
		r->work = fcntl(r->options.images_dir, F_DUPFD_CLOEXEC, 3);
		ret = r->images < 0 || r->work < 0 ? fail(e, errno, "dup") : 0;
	} else
		ret = image_open(&r->options.image, false, &r->images, &r->work, e);
	if (ret < 0)
		return ret;
	r->log_path = image_log_path(&r->options.image, "restore.log");
	if (!r->log_path)
		return fail(e, ENOMEM, "log");
	return criu_find(r->options.image.criu, &r->criu_path, e);
}

static int make_stage(struct restore *r, struct error *e)
{
	const struct container *c = r->create.container;

	if (mkdirat(c->dir, STAGE_DIR, 0700) < 0)
		return fail(e, errno, "make directory " STAGE_DIR);
	if (asprintf(&r->stage, "%s/%s/" STAGE_DIR, c->globals->root, c->id) < 0) {
		r->stage = NULL;
		return fail(e, ENOMEM, "stage");
	}
	if (*r->stage == '/')
		return 0;
	char *absolute = realpath(r->stage, NULL);
	if (!absolute)
		return fail(e, errno, "%s", r->stage);
	free(r->stage);
	r->stage = absolute;
	return 0;
}

static int prepare(struct walk *w, struct error *e)
{
	struct restore *r = story(w);
	struct create *c = &r->create;

	c->cgroup_root = cgroup_open_root(e);
	if (c->cgroup_root < 0)
		return c->cgroup_root;
	int ret = ns_open_joined(&c->plan, c->joined, e);
	if (ret == 0 && r->options.console_socket) {
		c->console_socket = tty_console_connect(r->options.console_socket, e);
		ret = c->console_socket < 0 ? c->console_socket : 0;
	}
	if (ret == 0)
		ret = make_stage(r, e);
	create_describe_rootfs(c);
	return ret;
}

static int open_made(struct restore *r, enum ns_kind kind, int *ret, struct error *e)
{
	char path[48];

	if (!r->create.plan.has[kind] || r->create.plan.has[NS_USER])
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)criu_pid(r->criu), ns_types[kind].proc);
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? fail(e, errno, "open %s", path) : 0;
}

static void undo_criu(struct walk *w)
{
	struct restore *r = story(w);

	criu_free(r->criu);
	r->criu = NULL;
}

static int start_criu(struct walk *w, struct error *e)
{
	struct restore *r = story(w);
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[] = { 0, 1, 2, null };
	const struct criu_start start = { .path = r->criu_path,
					  .fds = fds,
					  .n_fds = COUNT_OF(fds),
					  .cgroup = r->create.cgroup,
					  .prepare = restore_stage,
					  .arg = r };

	int ret = criu_start(&start, &r->criu, e);
	if (ret == 0)
		ret = open_made(r, NS_NETWORK, &r->netns, e);
	if (ret == 0)
		ret = open_made(r, NS_UTS, &r->uts, e);
	if (ret == 0)
		ret = open_made(r, NS_IPC, &r->ipc, e);
	if (ret < 0)
		undo_criu(w);
	return ret;
}

static int limit_devices(struct walk *w, struct error *e)
{
	struct create *c = &story(w)->create;

	return cgroup_devices_apply(c->cgroup, c->spec->resources, !c->cgroup_existed, e);
}

static int plan_network(struct walk *w, struct error *e)
{
	return image_network_plan(story(w), e);
}

static bool has_network(const struct walk *w)
{
	return story(w)->create.network != NULL;
}

static int attach_network(struct walk *w, struct error *e)
{
	return image_network_attach(story(w), e);
}

static void undo_network(struct walk *w)
{
	image_network_detach(story(w));
}

static bool is_wired(const struct walk *w)
{
	const struct restore_decisions *o = story(w)->options.decisions;

	return o && o->wire && story(w)->netns >= 0;
}

static int wire(struct walk *w, struct error *e)
{
	struct restore *r = story(w);
	const struct restore_decisions *o = r->options.decisions;

	return o->wire(o->arg, r->netns, e);
}

static const struct step prepare_steps[] = {
	{ "load config", WHO_RUNTIME, load_config },
	{ "open images", WHO_RUNTIME, open_images },
	{ "reserve id", WHO_RUNTIME, create_runtime_reserve_id, create_runtime_undo_reserve },
	{ "plan the network", WHO_RUNTIME, plan_network },
	{ "prepare", WHO_RUNTIME, prepare },
	{ "create cgroup", WHO_RUNTIME, create_runtime_make_cgroup, create_runtime_undo_cgroup },
	{ "start CRIU", WHO_RUNTIME, start_criu, undo_criu },
	{ "limit devices", WHO_RUNTIME, limit_devices },
	{ "attach the network", WHO_RUNTIME, attach_network, undo_network, has_network },
	{ "wire the network", WHO_RUNTIME, wire, NULL, is_wired },
};

/* ---- with the images ---- */

static int set_names(const struct restore *r, struct error *e)
{
	const struct brief *b = r->brief;

	if (r->uts < 0 || !b->own_uts || r->create.plan.join[NS_UTS])
		return 0;
	auto_close int home = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	if (home < 0 || setns(r->uts, CLONE_NEWUTS) < 0)
		return fail(e, errno, "enter the uts namespace");
	int ret = 0;
	if (sethostname(b->hostname, strlen(b->hostname)) < 0 ||
	    (*b->domainname && setdomainname(b->domainname, strlen(b->domainname)) < 0))
		ret = fail(e, errno, "set hostname %s", b->hostname);
	if (setns(home, CLONE_NEWUTS) < 0)
		return fail(e, errno, "leave the uts namespace");
	return ret;
}

static int read_images(struct walk *w, struct error *e)
{
	struct restore *r = story(w);

	int ret = image_set_check(r, e);
	if (ret == 0)
		ret = brief_read(r->images, &r->brief, e);
	if (ret == 0)
		ret = restore_check_brief(r, e);
	if (ret == 0)
		ret = restore_load_content(r, e);
	return ret == 0 ? set_names(r, e) : ret;
}

static int on_setup_namespaces(void *arg, struct criu_event *event, struct error *e)
{
	struct restore *r = arg;
	struct create *c = &r->create;

	c->init_pid = event->pid;
	c->had_init = true;
	c->container->state->pid = event->pid;
	int ret = hooks_run(c->spec, HOOK_PRESTART, c->container->state, STATUS_CREATING, e);
	if (ret == 0)
		ret = hooks_run(c->spec, HOOK_CREATE_RUNTIME, c->container->state, STATUS_CREATING, e);
	c->container->state->pid = 0;
	return ret;
}

static int on_post_restore(void *arg, struct criu_event *event, struct error *e)
{
	struct restore *r = arg;
	const struct restore_decisions *o = r->options.decisions;

	r->create.init_pid = event->pid;
	int ret = image_set_wait(r, e);
	if (ret == 0)
		ret = restore_check_mounts(r, event->pid, e);
	if (ret == 0)
		ret = restore_cover(r, event->pid, e);
	if (ret == 0)
		ret = restore_groups(r, e);
	if (ret == 0 && o && o->decide)
		ret = o->decide(o->arg, event->pid, e);
	if (ret < 0)
		return ret;
	/* Now, before sockets leave repair mode: they send at once what was not sent yet, and what is lost then is
	 * sent again only after a second, for a restored socket knows of no round trip. */
	ret = image_network_let_go(r, e);
	if (ret < 0)
		r->lost = *e;
	return ret;
}

/* CRIU does not listen any more: whoever may not run is killed by us. */
static int on_pre_resume(void *arg, struct criu_event *event, struct error *e)
{
	struct restore *r = arg;
	struct create *c = &r->create;
	const struct restore_decisions *o = r->options.decisions;
	struct error ignored;
	struct walk w = { .story = c };

	(void)event;
	int ret = image_set_trust(r, c->init_pid, e);
	if (ret == 0 && o && o->verify)
		ret = o->verify(o->arg, c->init_pid, e);
	if (ret == 0 && c->spec->resources && !c->cgroup_existed)
		ret = cgroup_apply_late(c->cgroup, c->spec->resources, e);
	if (ret == 0)
		ret = create_runtime_record(&w, e);
	if (ret < 0) {
		r->lost = *e;
		cgroup_kill(c->cgroup, &ignored);
	}
	return ret;
}

static int on_terminal(void *arg, struct criu_event *event, struct error *e)
{
	struct restore *r = arg;
	struct create *c = &r->create;

	if (event->fd < 0)
		return 0;
	auto_close int master = take_fd(&event->fd);
	if (c->console_socket >= 0)
		return tty_console_send(c->console_socket, master, e);
	replace_fd(&c->tty_master, take_fd(&master));
	return 0;
}

/* "mnt[m0001]:/run/coracle/ID/stage/m0001" for every key of the images; below bind mounts by their path. */
static const char **list_externals(const struct restore *r, struct error *e)
{
	struct brief *b = r->brief;
	const char **list = arena_calloc(b->arena, b->n_mounts + 4, sizeof(*list));

	if (!list) {
		fail(e, ENOMEM, "mounts");
		return NULL;
	}
	for (size_t i = 0; i < b->n_mounts; i++) {
		const char *path = restore_staged(r, &b->mounts[i], e);
		if (!path)
			return NULL;
		list[i] = arena_printf(b->arena, "mnt[%s]:%s", b->mounts[i].key, path);
		if (!list[i]) {
			fail(e, ENOMEM, "mounts");
			return NULL;
		}
	}
	return list;
}

static bool is_listed(const struct criu_inherit *list, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].key, key))
			return true;
	return false;
}

/* Descriptors 0, 1, 2 that were somebody else's become ours; what was the null device is one again. */
static int list_inherited(const struct restore *r, struct criu_inherit list[static 3], size_t *ret_n,
			  struct error *e)
{
	static const char *const names[] = { "standard input", "standard output", "standard error" };
	const struct brief *b = r->brief;
	struct stat st;

	*ret_n = 0;
	for (int i = 0; i < 3; i++) {
		const char *key = b->stdio[i];
		if (!*key || is_listed(list, *ret_n, key))
			continue;
		bool file = str_starts(key, "file[");
		bool null = file && S_ISCHR(b->stdio_type[i]);
		if (fstat(i, &st) < 0)
			return fail(e, errno, "%s", names[i]);
		if (file && !null && (st.st_mode & S_IFMT) != b->stdio_type[i])
			return refuse(
				e, EINVAL,
				"%s was a file at the checkpoint: redirect that of restore into one, too",
				names[i]);
		if (str_starts(key, "tty[") && !isatty(i))
			return refuse(e, EINVAL,
				      "%s was a terminal at the checkpoint: that of restore must be one, too",
				      names[i]);
		list[(*ret_n)++] = (struct criu_inherit){ key, CRIU_FD(null ? 3 : i) };
	}
	return 0;
}

static void undo_restore(struct walk *w)
{
	struct restore *r = story(w);
	struct error ignored;

	/* Whatever CRIU left: in our group, and the first process our child. */
	if (r->create.cgroup >= 0 && !r->create.cgroup_existed)
		cgroup_kill(r->create.cgroup, &ignored);
	proc_end(&r->create.init_pid);
}

static int ask(struct restore *r, const struct criu_request *q, struct error *e)
{
	const struct criu_callbacks callbacks = { .setup_namespaces = on_setup_namespaces,
						  .post_restore = on_post_restore,
						  .pre_resume = on_pre_resume,
						  .orphan_pts_master = on_terminal,
						  .arg = r };
	pid_t pid = 0;

	int ret = criu_ask(r->criu, q, &callbacks, r->log_path, &pid, e);
	if (ret == 0 && r->lost.code) {
		*e = r->lost;
		ret = -e->code;
	}
	return ret;
}

static int restore(struct walk *w, struct error *e)
{
	struct restore *r = story(w);
	struct criu_inherit inherit[3];
	struct criu_request q = {
		.action = CRIU_RESTORE,
		.images_dir = r->images,
		.work_dir = r->work,
		.log_file = "restore.log",
		.log_level = r->options.image.log_level ? r->options.image.log_level : 1,
		.root = r->create.rootfs.path,
		.lsm_profile = r->options.lsm_profile,
		.lsm_mount_context = r->options.lsm_mount_context,
		.status_fd = -1,
		.rst_sibling = true,
		.orphan_pts_master = r->brief->terminal,
		.ext_masters = true,
		.skip_file_rwx_check = true,
		.inherit = inherit,
	};

	q.external = list_externals(r, e);
	if (!q.external)
		return -e->code;
	int ret = list_inherited(r, inherit, &q.n_inherit, e);
	if (ret == 0)
		ret = image_fill_request(&r->options.image, &q, e);
	if (ret == 0)
		ret = ask(r, &q, e);
	if (ret < 0) {
		undo_restore(w);
		return ret;
	}
	/* It is in the container's group, and would be paused with it. */
	criu_free(r->criu);
	r->criu = NULL;
	return 0;
}

static bool was_paused(const struct walk *w)
{
	return story(w)->brief && story(w)->brief->paused;
}

static int pause_again(struct walk *w, struct error *e)
{
	return cgroup_freeze(story(w)->create.cgroup, true, 10000, e);
}

static int tell(struct walk *w, struct error *e)
{
	struct restore *r = story(w);
	struct create *c = &r->create;
	const struct restore_decisions *o = r->options.decisions;

	image_network_settle(r);
	unlinkat(c->container->dir, STAGE_DIR, AT_REMOVEDIR);
	int ret = o && o->resumed ? o->resumed(o->arg, c->init_pid, e) : 0;
	if (ret == 0 && c->spec->hooks[HOOK_POSTSTART].count)
		ret = hooks_run(c->spec, HOOK_POSTSTART, c->container->state, STATUS_RUNNING, e);
	return ret;
}

static const struct step finish_steps[] = {
	{ "read images", WHO_RUNTIME, read_images },
	{ "restore", WHO_RUNTIME, restore, undo_restore },
	{ "pause", WHO_RUNTIME, pause_again, NULL, was_paused },
	{ "tell", WHO_RUNTIME, tell },
};

/* ---- around the lists ---- */

static void take_options(struct restore *r, const struct restore_options *o)
{
	r->options = *o;
	r->create_options = (struct create_options){
		.globals = o->globals,
		.id = o->id,
		.bundle = o->bundle,
		.config_text = o->config_text,
		.console_socket = o->console_socket,
		.pid_file = o->pid_file,
		.no_pivot = o->no_pivot,
		.switches = o->switches,
		.published = o->published,
		.dns = o->dns,
		.run = true,
		.detach = o->detach,
	};
	create_init(&r->create, &r->create_options);
}

int restore_prepare(const struct restore_options *o, struct restore **ret, struct error *e)
{
	struct restore *r = calloc(1, sizeof(*r));
	struct walk w;

	if (!r)
		return fail(e, ENOMEM, "restore");
	r->verdict = -1;
	r->images = r->work = r->netns = r->uts = r->ipc = -1;
	take_options(r, o);
	int result = interrupt_prepare(e);
	if (result == 0 && !o->detach && !o->no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		result = fail(e, errno, "become subreaper");
	steps_init(&w, prepare_steps, COUNT_OF(prepare_steps), r);
	if (result == 0)
		result = steps_walk(&w, e);
	if (result < 0) {
		r->committed = true; /* undone by the walk */
		restore_free(r);
		return result;
	}
	*ret = r;
	return 0;
}

int restore_finish(struct restore *r, struct error *e)
{
	struct walk w;

	steps_init(&w, finish_steps, COUNT_OF(finish_steps), r);
	int ret = steps_walk(&w, e);
	if (ret == 0)
		r->committed = true;
	return ret;
}

void restore_free(struct restore *r)
{
	struct walk w;

	if (!r)
		return;
	if (!r->committed) {
		steps_init(&w, prepare_steps, COUNT_OF(prepare_steps), r);
		steps_undo(&w);
	}
	criu_free(r->criu);
	proc_end(&r->checker);
	cleanup_close(&r->verdict);
	cleanup_close(&r->images);
	cleanup_close(&r->work);
	cleanup_close(&r->netns);
	cleanup_close(&r->uts);
	cleanup_close(&r->ipc);
	brief_free(r->brief);
	free(r->criu_path);
	free(r->log_path);
	free(r->stage);
	create_done(&r->create);
	free(r);
}

struct container *restore_container(struct restore *r)
{
	return r->create.container;
}

int restore_netns(const struct restore *r)
{
	return r->netns;
}

int restore_cgroup(const struct restore *r)
{
	return r->create.cgroup;
}

pid_t restore_init(const struct restore *r)
{
	return r->create.init_pid;
}

static int wait_foreground(struct restore *r, int *ret_exit, struct error *e)
{
	struct create *c = &r->create;
	struct reaper reaper = { .pid = c->init_pid, .tty = c->tty_master };

	container_unlock(c->container);
	criu_free(r->criu);
	r->criu = NULL;
	int ret = reaper_run(&reaper, ret_exit, e);
	if (ret < 0 || r->options.keep)
		return ret;
	return life_remove(c->container, c->cgroup_root, c->spec, e);
}

int life_restore(const struct restore_options *o, int *ret_exit, struct error *e)
{
	AUTO(restore) struct restore *r = NULL;

	*ret_exit = 0;
	int ret = restore_prepare(o, &r, e);
	if (ret == 0)
		ret = restore_finish(r, e);
	if (ret == 0 && !o->detach)
		ret = wait_foreground(r, ret_exit, e);
	return ret;
}
