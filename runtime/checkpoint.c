/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checkpoint.c - a running container into images
 *
 * Two lists, the whole story from top to bottom. The first runs while the container does: CRIU is found,
 * spawned, and enters the namespaces that are not dumped (they are made again from the config). The second
 * begins with the freeze, which is ours (CRIU would look every 100 ms), and is kept short.
 *
 * Order that matters: what is looked at is looked at when nothing runs any more; the manifest is written
 * after all images and last, so that what has none is not complete; tasks end only after that. Whatever
 * fails before, the container runs on, or stays paused if it was. If we are killed, CRIU finds us gone at its
 * next callback and lets the tasks go, and a process of ours thaws the group when CRIU has ended. */
#include "runtime/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "checkpoint/digester.h"
#include "checkpoint/imagedir.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/dump.h"
#include "runtime/image_network.h"
#include "runtime/image_options.h"
#include "runtime/image_set.h"
#include "runtime/stored_config.h"

enum { FREEZE_MS = 10000, DUMP_LOG_LEVEL = 1 };

static struct dump *story(const struct walk *w)
{
	return w->story;
}

/* ---- while it runs ---- */

static int open_container(struct walk *w, struct error *e)
{
	struct dump *d = story(w);

	int r = container_open(d->options.globals, d->options.id, true, &d->container, e);
	if (r < 0)
		return r;
	enum status status = container_status(d->container);
	if (status != STATUS_RUNNING && status != STATUS_PAUSED)
		return refuse(e, EINVAL, "container `%s` is %s: container not running", d->options.id,
			      status_names[status]);
	d->was_paused = status == STATUS_PAUSED;
	d->init = d->container->state->pid;
	d->pidfd = container_pidfd(d->container, e);
	if (d->pidfd < 0)
		return d->pidfd;
	d->cgroup = container_cgroup(d->container, e);
	if (d->cgroup < 0)
		return d->cgroup;
	r = config_load(d->container, &d->spec, e);
	if (r < 0)
		return r;
	if (spec_find_namespace(d->spec, NS_USER))
		return refuse(e, ENOTSUP,
			      "container `%s` has a user namespace: such containers cannot be checkpointed "
			      "yet (what is made "
			      "for a restore from outside would have to belong to it)",
			      d->options.id);
	return image_network_open(d, e);
}

static int open_images(struct walk *w, struct error *e)
{
	struct dump *d = story(w);

	int r = image_open(&d->options.image, true, &d->images, &d->work, e);
	if (r < 0)
		return r;
	d->log_path = image_log_path(&d->options.image, "dump.log");
	if (!d->log_path)
		return fail(e, ENOMEM, "log");
	/* What is here of an earlier one is not complete any more. */
	if (unlinkat(d->images, MANIFEST_FILE, 0) < 0 && errno != ENOENT)
		return fail(e, errno, "remove an earlier " MANIFEST_FILE);
	if (unlinkat(d->images, BRIEF_FILE, 0) < 0 && errno != ENOENT)
		return fail(e, errno, "remove an earlier " BRIEF_FILE);
	return criu_find(d->options.image.criu, &d->criu_path, e);
}

static int open_namespace(struct dump *d, enum ns_kind kind, struct error *e)
{
	char path[48];

	if (spec_find_namespace(d->spec, NS_USER) || !spec_find_namespace(d->spec, kind))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)d->init, ns_types[kind].proc);
	d->ns[kind] = open(path, O_RDONLY | O_CLOEXEC);
	return d->ns[kind] < 0 ? fail(e, errno, "open %s", path) : 0;
}

/* In the child that becomes CRIU: what it shares with the container it does not dump. */
static int enter_namespaces(void *arg, struct error *e)
{
	static const enum ns_kind kinds[] = { NS_NETWORK, NS_UTS, NS_IPC };
	const struct dump *d = arg;

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		enum ns_kind kind = kinds[i];
		if (d->ns[kind] < 0 || (kind == NS_IPC && !d->brief->own_ipc))
			continue;
		if (setns(d->ns[kind], ns_types[kind].flag) < 0)
			return fail(e, errno, "enter the container's %s namespace", ns_types[kind].oci);
	}
	return 0;
}

static int spawn_criu(struct dump *d, struct error *e)
{
	const int fds[] = { d->options.page_fd > 0 ? d->options.page_fd : -1 };
	const struct criu_start start = { .path = d->criu_path,
					  .fds = fds,
					  .n_fds = 1,
					  .cgroup = -1,
					  .prepare = enter_namespaces,
					  .arg = d };

	criu_free(d->criu);
	d->criu = NULL;
	return criu_start(&start, &d->criu, e);
}

static int start_criu(struct walk *w, struct error *e)
{
	struct dump *d = story(w);
	char path[48];
	int r = 0;

	d->brief = brief_new();
	if (!d->brief)
		return fail(e, ENOMEM, "brief");
	snprintf(path, sizeof(path), "/proc/%d/root", (int)d->init);
	d->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->root < 0)
		return fail(e, errno, "open %s", path);
	r = open_namespace(d, NS_NETWORK, e);
	if (r == 0)
		r = open_namespace(d, NS_UTS, e);
	if (r == 0)
		r = open_namespace(d, NS_IPC, e);
	if (r == 0)
		r = dump_look_ipc(d, &d->brief->own_ipc, e);
	if (r < 0)
		return r;
	d->brief->own_net = d->ns[NS_NETWORK] >= 0;
	d->brief->own_uts = d->ns[NS_UTS] >= 0;
	d->brief->own_ipc &= d->ns[NS_IPC] >= 0;
	return spawn_criu(d, e);
}

static const struct step prepare_steps[] = {
	{ "open container", WHO_RUNTIME, open_container },
	{ "open images", WHO_RUNTIME, open_images },
	{ "start CRIU", WHO_RUNTIME, start_criu },
};

/* ---- frozen ---- */

static bool freezes(const struct walk *w)
{
	return !story(w)->options.pre_dump && !story(w)->options.check;
}

static int let_through(struct dump *d, struct error *e)
{
	const struct dump_decisions *o = d->options.decisions;

	if (!d->held)
		return 0;
	d->held = false;
	int r = image_network_release(d, e);
	return r == 0 && o && o->release ? o->release(o->arg, e) : r;
}

static void thaw(struct dump *d)
{
	struct error ignored;

	let_through(d, &ignored);
	if (d->frozen && !d->was_paused)
		cgroup_freeze(d->cgroup, false, FREEZE_MS, &ignored);
	d->frozen = false;
}

static void undo_freeze(struct walk *w)
{
	thaw(story(w));
}

/* Nothing else of ours is to live on in the guard, CRIU's socket least of all: its end tells CRIU that we are gone.
 * The lock stays with the container's directory until the group is thawed. */
static void keep_only(int *const fds[], int n)
{
	for (int i = 0; i < n; i++)
		*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, 100);
	for (int i = 0; i < n; i++)
		*fds[i] = dup2(*fds[i], 3 + i);
	sys_close_range((unsigned int)(3 + n), ~0U, 0);
}

/* In a process of its own: when we are gone without having said so, wait for CRIU to end, let the network's traffic
 * through, and thaw. */
static void guard(struct dump *d, int life)
{
	struct error ignored;
	struct pollfd criu = { .fd = sys_pidfd_open(criu_pid(d->criu), 0), .events = POLLIN };
	int *const kept[] = { &life, &criu.fd, &d->cgroup, &d->container->dir };
	char word;

	const int keep[] = { criu.fd, life, d->cgroup, d->container->dir };
	fd_close_all_but(keep, COUNT_OF(keep));
	prctl(PR_SET_NAME, "coracle-guard");
	interrupt_forget();
	setsid();
	keep_only(kept, (int)COUNT_OF(kept));
	if (read(life, &word, 1) != 0)
		_exit(0);
	while (criu.fd >= 0 && poll(&criu, 1, -1) < 0 && errno == EINTR)
		;
	image_network_release(d, &ignored);
	if (!d->was_paused)
		cgroup_freeze(d->cgroup, false, -1, &ignored);
	_exit(0);
}

static void end_guard(struct dump *d)
{
	proc_end(&d->guard);
	replace_fd(&d->guard_life, -1);
}

/* The writing end of the pipe is ours alone, so its end tells that we are gone. CRIU was spawned before. */
static int start_guard(struct dump *d, struct error *e)
{
	int life[2];

	if (d->was_paused && !d->network)
		return 0;
	if (pipe2(life, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe");
	pid_t pid = fork();
	if (pid < 0)
		return fail(e, errno, "fork");
	if (pid == 0) {
		close(life[1]);
		guard(d, life[0]);
	}
	close(life[0]);
	d->guard = pid;
	d->guard_life = life[1];
	return 0;
}

static int freeze(struct walk *w, struct error *e)
{
	struct dump *d = story(w);

	int r = start_guard(d, e);
	if (r < 0)
		return r;
	d->frozen = true;
	if (!d->was_paused) {
		r = cgroup_freeze(d->cgroup, true, FREEZE_MS, e);
		if (r < 0) {
			thaw(d);
			return r;
		}
	}
	const struct dump_decisions *o = d->options.decisions;
	r = o && o->frozen ? o->frozen(o->arg, e) : 0;
	if (r < 0)
		thaw(d);
	return r;
}

static int look(struct walk *w, struct error *e)
{
	struct dump *d = story(w);
	bool empty;

	d->brief->paused = d->was_paused;
	d->brief->terminal = d->container->state->terminal;
	int r = dump_look_ipc(d, &empty, e);
	if (r == 0 && !empty && d->brief->own_ipc) {
		d->brief->own_ipc = false;
		end_guard(d); /* it waits for the CRIU that it knows */
		r = spawn_criu(d, e);
		if (r == 0)
			r = start_guard(d, e);
	}
	if (r == 0)
		r = dump_look_names(d, e);
	if (r == 0)
		r = dump_look_mounts(d, e);
	if (r == 0)
		r = dump_look_stdio(d, e);
	return r == 0 ? dump_look_groups(d, e) : r;
}

/* Not in CRIU's network-lock: it does not call that where it shares the container's network namespace, as here.
 * What the kernel acknowledges for a socket that was read is lost, and the time that it puts into such a segment is
 * later than the images': the peer then drops the restored socket's first segments as old (RFC 7323, PAWS).
 * So before CRIU reads; but not earlier, for what still comes in goes along and is not sent again. */
static int hold(struct walk *w, struct error *e)
{
	struct dump *d = story(w);
	const struct dump_decisions *o = d->options.decisions;

	d->held = true;
	int r = image_network_hold(d, e);
	if (r == 0 && o && o->hold)
		r = o->hold(o->arg, e);
	if (r < 0) {
		struct error ignored;
		let_through(d, &ignored);
	}
	return r;
}

static void undo_hold(struct walk *w)
{
	struct error ignored;

	let_through(story(w), &ignored);
}

/* All images are there, and nothing runs: what completes them, then the decision. */
static int complete(struct dump *d, struct error *e)
{
	const struct dump_decisions *o = d->options.decisions;

	int r = dump_save_content(d, e);
	if (r == 0)
		r = image_network_save(d, e);
	if (r == 0)
		r = brief_write(d->images, d->brief, e);
	if (r == 0)
		r = image_set_write(d, e);
	if (r == 0 && o && o->decide)
		r = o->decide(o->arg, e);
	return r;
}

static int on_post_dump(void *arg, struct criu_event *event, struct error *e)
{
	struct dump *d = arg;
	struct error why;

	(void)event;
	if (d->options.pre_dump)
		return 0;
	int r = complete(d, e);
	/* CRIU lets the tasks go next: what they send is not to be lost. */
	if (r < 0)
		let_through(d, &why);
	else if (d->options.leave_running)
		r = let_through(d, e);
	return r;
}

static void fill_request(const struct dump *d, char *freezer, size_t size, struct criu_request *q)
{
	const struct checkpoint_options *o = &d->options;

	snprintf(freezer, size, "/proc/%d/fd/%d", (int)getpid(), d->cgroup);
	*q = (struct criu_request){
		.action = o->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP,
		.images_dir = d->images,
		.work_dir = d->work,
		.log_file = "dump.log",
		.log_level = o->image.log_level ? o->image.log_level : DUMP_LOG_LEVEL,
		.pid = d->init,
		.parent_images = o->parent_path,
		.freeze_cgroup = o->pre_dump ? NULL : freezer,
		.external = d->external,
		.skip_mounts = d->skip,
		.page_server_fd = o->page_fd > 0 ? CRIU_FD(0) : 0,
		.status_fd = o->status_fd,
		.leave_running = o->leave_running,
		.track_mem = o->pre_dump || o->parent_path,
		.tcp_skip_in_flight = o->tcp_skip_in_flight,
		.link_remap = o->link_remap,
		.orphan_pts_master = d->brief->terminal,
		.ext_masters = true,
	};
}

static int dump(struct walk *w, struct error *e)
{
	struct dump *d = story(w);
	const struct criu_callbacks callbacks = { .post_dump = on_post_dump, .arg = d };
	char freezer[64], address[128];
	struct criu_request q;

	fill_request(d, freezer, sizeof(freezer), &q);
	int r = image_fill_request(&d->options.image, &q, e);
	if (r == 0)
		r = image_page_server(d->options.page_server, address, sizeof(address), &q, e);
	if (r == 0 && !d->options.image.network_lock)
		q.network_lock = image_network_lock(d);
	if (r == 0)
		r = criu_ask(d->criu, &q, &callbacks, d->log_path, NULL, e);
	if (r == 0)
		d->over = true;
	return r == 0 && d->options.pre_dump ? image_set_write(d, e) : r;
}

static bool ends(const struct walk *w)
{
	return freezes(w) && !story(w)->options.leave_running;
}

static bool runs_on(const struct walk *w)
{
	return freezes(w) && story(w)->options.leave_running;
}

static int run_on(struct walk *w, struct error *e)
{
	(void)e;
	thaw(story(w));
	return 0;
}

/* CRIU has killed them; wait until they are gone, then nothing keeps the group. */
static int end(struct walk *w, struct error *e)
{
	struct dump *d = story(w);
	struct pollfd p = { .fd = d->pidfd, .events = POLLIN };

	d->frozen = false;
	while (poll(&p, 1, FREEZE_MS) < 0 && errno == EINTR)
		;
	int r = cgroup_kill(d->cgroup, e);
	if (r < 0 || d->options.keep_record)
		return r;
	d->container->keep_storage =
		!d->options.exported; /* the images need the root that they were made on */
	return life_remove(d->container, -1, d->spec, e);
}

static const struct step finish_steps[] = {
	{ "freeze", WHO_RUNTIME, freeze, undo_freeze, freezes },
	{ "look at the container", WHO_RUNTIME, look },
	{ "hold the network", WHO_RUNTIME, hold, undo_hold, freezes },
	{ "dump", WHO_RUNTIME, dump },
	{ "run on", WHO_RUNTIME, run_on, NULL, runs_on },
	{ "end", WHO_RUNTIME, end, NULL, ends },
};

/* ---- around the lists ---- */

static int check_options(const struct checkpoint_options *o, struct error *e)
{
	if (o->pre_dump && o->leave_running)
		log_warning("--leave-running says nothing new to --pre-dump");
	if (o->parent_path && *o->parent_path == '/')
		return refuse(e, EINVAL, "--parent-path %s: must be relative to the image path",
			      o->parent_path);
	return 0;
}

static int ask_criu(struct dump *d, struct error *e)
{
	struct criu_features f;

	int r = criu_ask_features(d->criu, &f, e);
	if (r < 0)
		return r;
	d->criu_version = f.version;
	if (d->options.pre_dump && !f.mem_track)
		r = refuse(e, ENOTSUP,
			   "pre-dump: this kernel does not tell which pages were written "
			   "(CONFIG_MEM_SOFT_DIRTY): "
			   "there can be no pre-dump; checkpoint works without");
	return r;
}

int dump_prepare(const struct checkpoint_options *o, struct dump **ret, struct error *e)
{
	AUTO(dump) struct dump *d = calloc(1, sizeof(*d));
	struct walk w;

	if (!d)
		return fail(e, ENOMEM, "checkpoint");
	d->options = *o;
	d->pidfd = d->root = d->cgroup = d->images = d->work = d->guard_life = -1;
	for (int i = 0; i < NS_KIND_MAX; i++)
		d->ns[i] = -1;
	int r = check_options(o, e);
	if (r == 0)
		r = interrupt_prepare(e);
	steps_init(&w, prepare_steps, COUNT_OF(prepare_steps), d);
	if (r == 0)
		r = steps_walk(&w, e);
	if (r == 0)
		r = ask_criu(d, e);
	if (r == 0)
		r = image_set_begin(d, e);
	if (r < 0)
		return r;
	*ret = take_ptr(d);
	return 0;
}

int dump_finish(struct dump *d, struct error *e)
{
	struct walk w;

	steps_init(&w, finish_steps, COUNT_OF(finish_steps), d);
	return steps_walk(&w, e);
}

void dump_free(struct dump *d)
{
	if (!d)
		return;
	criu_free(d->criu);
	digester_free(d->digester);
	thaw(d);
	end_guard(d);
	for (int i = 0; i < NS_KIND_MAX; i++)
		cleanup_close(&d->ns[i]);
	cleanup_close(&d->pidfd);
	cleanup_close(&d->root);
	cleanup_close(&d->cgroup);
	cleanup_close(&d->images);
	cleanup_close(&d->work);
	brief_free(d->brief);
	network_free(d->network);
	spec_free(d->spec);
	container_free(d->container);
	free(d->criu_path);
	free(d->log_path);
	free(d);
}

struct container *dump_container(struct dump *d)
{
	return d->container;
}

int dump_images(const struct dump *d)
{
	return d->images;
}

int dump_stay_frozen(struct dump *d, struct error *e)
{
	int status;

	/* CRIU has thawed the group and holds the tasks itself: when it dies they would run. So frozen again, without
	 * waiting: whoever is let go stops there. */
	int frozen = io_write_file(d->cgroup, "cgroup.freeze", "1", e);
	if (frozen < 0 || d->guard <= 0)
		return frozen;
	if (write(d->guard_life, "", 1) != 1)
		return fail(e, errno, "tell the guard");
	int r = proc_wait(d->guard, &status, e); /* it has heard it when it is gone */
	d->guard = 0;
	return r;
}

int dump_criu_version(const struct dump *d)
{
	return d->criu_version;
}

int life_checkpoint(const struct checkpoint_options *o, struct error *e)
{
	AUTO(dump) struct dump *d = NULL;

	int r = dump_prepare(o, &d, e);
	return r == 0 ? dump_finish(d, e) : r;
}
