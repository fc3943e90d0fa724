/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_target.c - the target's column: a container arrives
 *
 * The source is authenticated and no more than that: its config is rewritten by this node's policy before it is
 * used (migrate_config.c), its files go below one new directory, its images into another that nobody else can
 * write. The container's id, directory, cgroup and namespaces are made before the source stops; what was made is
 * removed again unless the container ran. */
#include "runtime/migrate_target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netns/neigh.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/network.h"
#include "runtime/network_helper.h"
#include "runtime/migrate_sweep.h"
#include "runtime/received.h"
#include "specs/spec.h"

#define IMAGES_LIMIT (512U << 20) /* all images but memory */

/* ---- hello ---- */

int target_hello(struct migration *m, struct error *e)
{
	struct message hello;

	int r = message_expect(m->channel, MESSAGE_HELLO, m->timeout_ms, &hello, e);
	if (r < 0)
		return r;
	r = hello_read(m->arena, hello.body, hello.size, &m->theirs, e);
	message_done(&hello);
	auto_free char *text = r == 0 ? hello_write(&m->ours) : NULL;
	if (r == 0 && !text)
		r = fail(e, ENOMEM, "hello");
	if (r == 0)
		r = message_send(m->channel, MESSAGE_HELLO, text, e);
	return r == 0 ? migrate_answer(m, NULL, e) : r;
}

/* ---- claim ---- */

static void check_name(const struct migration *m, struct obstacles *o)
{
	const struct receive_options *r = m->target->o;
	AUTO(container) struct container *c = NULL;
	struct error ignored;
	struct stat st;

	if (r->names.n && !strv_has(r->names.v, m->claim.name))
		obstacle(o, "start the receiver with --allow NAME, or move with --name",
			 "the destination does not take a container of the name %s", m->claim.name);
	if (container_open(r->globals, m->claim.name, false, &c, &ignored) == 0)
		obstacle(o, "delete it, or move with --name",
			 "the destination has a container of the name %s", m->claim.name);
	if (lstat(m->target->bundle, &st) == 0)
		obstacle(o, "remove it, or move with --name", "the destination has %s already",
			 m->target->bundle);
}

static void check_room(const struct migration *m, struct obstacles *o)
{
	const struct receive_options *r = m->target->o;
	struct statvfs fs;
	struct sysinfo info;
	char a[24], b[24];

	if (sysinfo(&info) == 0) {
		uint64_t room = ((uint64_t)info.freeram + info.bufferram) * info.mem_unit;
		if (r->memory_limit > 0 && (uint64_t)r->memory_limit < room)
			room = (uint64_t)r->memory_limit;
		if (m->claim.memory_bytes > room)
			obstacle(o, "free memory there, or raise the receiver's --memory-limit",
				 "the container has %s of memory, the destination gives %s",
				 progress_bytes(m->claim.memory_bytes, a), progress_bytes(room, b));
	}
	const char *dir = r->directory ? r->directory : RECEIVE_DIR;
	if (!m->claim.shared_rootfs && statvfs(dir, &fs) == 0) {
		uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
		if (r->disk_limit > 0 && (uint64_t)r->disk_limit < room)
			room = (uint64_t)r->disk_limit;
		if (m->claim.file_bytes > room)
			obstacle(o, "free disk there, or raise the receiver's --disk-limit",
				 "the container has %s of files, the destination gives %s in %s",
				 progress_bytes(m->claim.file_bytes, a), progress_bytes(room, b), dir);
	}
}

static int make_directory(const char *path, mode_t mode, struct error *e)
{
	auto_free char *copy = strdup(path);

	if (!copy)
		return fail(e, ENOMEM, "%s", path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return fail(e, errno, "mkdir %s", copy);
		*slash = '/';
	}
	if (mkdir(path, mode) < 0)
		return fail(e, errno, "mkdir %s", path);
	return 0;
}

/* The bundle is new, or the claim fails. */
static int make_bundle(struct target *t, struct error *e)
{
	int r = make_directory(t->bundle, 0711, e);
	if (r < 0)
		return r;
	t->made_bundle = true;
	t->bundle_fd = open(t->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (t->bundle_fd < 0)
		return fail(e, errno, "open %s", t->bundle);
	r = io_replace_file(t->bundle_fd, RECEIVED_MARK, "", 0, 0600, e);
	return r == 0 ? io_replace_file(t->bundle_fd, "config.json", t->config, strlen(t->config), 0600, e)
		      : r;
}

/* The name of the migration is the source's: one that is here already is no new claim. */
static int journal_claim(struct migration *m, struct error *e)
{
	struct target *t = m->target;
	AUTO(journal) struct journal *known = NULL;

	int r = journal_read(m->journal_dir, m->claim.migration, &known, e);
	if (r == 0)
		return refuse(e, EEXIST, "migration %s is known here already", m->claim.migration);
	if (r != -ENOENT)
		return r;
	m->journal = journal_new(m->claim.name, t->o->globals->root);
	if (!m->journal)
		return fail(e, ENOMEM, "journal");
	memcpy(m->journal->migration, m->claim.migration, MIGRATION_SIZE);
	m->journal->extra = t->bundle;
	return journal_move(m->journal, m->journal_dir, JOURNAL_CLAIMED, e);
}

static int read_claim(struct migration *m, struct error *e)
{
	struct target *t = m->target;
	const char *directory = t->o->directory ? t->o->directory : RECEIVE_DIR;
	struct message claim;

	int r = message_expect(m->channel, MESSAGE_CLAIM, m->timeout_ms, &claim, e);
	if (r < 0)
		return r;
	r = claim_read(m->arena, claim.body, claim.size, &m->claim, e);
	message_done(&claim);
	if (r == 0 && str_format(t->bundle, sizeof(t->bundle), "%s/%s", directory, m->claim.name) < 0)
		r = refuse(e, ENAMETOOLONG, "%s: too long", directory);
	return r;
}

int check_config(const char *text, struct obstacles *obstacles, struct error *e)
{
	AUTO(spec) struct spec *s = NULL;
	struct error why;

	(void)e;
	if (spec_parse(text, strlen(text), &s, &why) < 0)
		obstacle(obstacles, "the destination's version of coracle must know what the config asks for",
			 "%s", why.msg);
	return 0;
}

int target_claim(struct migration *m, struct error *e)
{
	struct target *t = m->target;
	struct obstacles *o = arena_calloc(m->arena, 1, sizeof(*o));
	const struct config_policy policy = { .bundle = t->bundle,
					      .shared = t->o->shared.v,
					      .allow_hooks = t->o->allow_hooks };

	if (!o)
		return fail(e, ENOMEM, "claim");
	int r = read_claim(m, e);
	if (r < 0)
		return r;
	if (!m->claim.force)
		hello_compare(&m->theirs, &m->ours, o);
	check_name(m, o);
	check_room(m, o);
	r = config_rewrite(m->claim.config, strlen(m->claim.config), &m->claim, &policy, &t->config, o, e);
	if (r == 0)
		r = check_config(t->config, o, e);
	if (r == 0 && o->n == 0 && migrate_is_real(m)) {
		/* In this order: who finds the directory without a living process finds the rest by the journal. */
		r = sweep_make_place(t->o->globals->root, PLACE_TARGET, m->claim.migration, t->images_path,
				     &t->images, e);
		if (r == 0)
			r = journal_claim(m, e);
		if (r == 0)
			r = make_bundle(t, e);
		if (r == 0)
			r = arrive_prepare(t, e);
	}
	return r == 0 ? migrate_answer(m, o, e) : r;
}

void target_unclaim(struct migration *m)
{
	struct target *t = m->target;
	struct error ignored;

	if (m->journal && journal_may(m->journal->state, JOURNAL_REFUSED))
		(void)journal_move(m->journal, m->journal_dir, JOURNAL_REFUSED, &ignored);
	if (t->made_bundle)
		remove_directory(t->bundle);
	t->made_bundle = false;
}

/* ---- files ---- */

static int open_tree(struct migration *m, const char *name, uint64_t bytes, struct error *e)
{
	struct target *t = m->target;
	const struct tree_limits limits = { .bytes = bytes, .spare = 1 << 20 };

	if (mkdirat(t->bundle_fd, name, 0755) < 0)
		return fail(e, errno, "mkdir %s/%s", t->bundle, name);
	auto_close int dir = openat(t->bundle_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return fail(e, errno, "open %s/%s", t->bundle, name);
	int r = tree_receiver_new(dir, name, &limits, &t->trees[t->n_trees], e);
	if (r == 0)
		t->n_trees++;
	return r;
}

int target_files(struct migration *m, struct error *e)
{
	struct target *t = m->target;
	/* The claim is the announcement; a container that writes meanwhile may go beyond it, within reason. */
	uint64_t limit = t->o->disk_limit > 0 ? (uint64_t)t->o->disk_limit : 0;
	char name[32];
	int r = 0;

	t->trees = arena_calloc(m->arena, m->claim.n_volumes + 1, sizeof(struct tree_receiver *));
	if (!t->trees)
		return fail(e, ENOMEM, "files");
	if (!m->claim.shared_rootfs)
		r = open_tree(m, "rootfs", limit, e);
	if (r == 0 && m->claim.n_volumes && mkdirat(t->bundle_fd, "volumes", 0755) < 0)
		r = fail(e, errno, "mkdir %s/volumes", t->bundle);
	for (size_t i = 0; r == 0 && i < m->claim.n_volumes; i++) {
		snprintf(name, sizeof(name), "volumes/%zu", i);
		if (m->claim.volumes[i].mode == VOLUME_COPY)
			r = open_tree(m, name, limit, e);
		else if (m->claim.volumes[i].mode == VOLUME_DROP && mkdirat(t->bundle_fd, name, 0755) < 0)
			r = fail(e, errno, "mkdir %s/%s", t->bundle, name);
	}
	if (r == 0)
		r = arrive_open(m, STREAM_FILES, &t->files_fd, e);
	return r == 0 ? migrate_answer(m, NULL, e) : r;
}

void target_unfiles(struct migration *m)
{
	struct target *t = m->target;

	for (size_t i = 0; i < t->n_trees; i++)
		tree_receiver_free(t->trees[i]);
	t->n_trees = 0;
}

/* ---- prepare ---- */

static int on_decide(void *arg, pid_t init, struct error *e);
static int on_resumed(void *arg, pid_t init, struct error *e);

/* CRIU inherits what the container's descriptors 0, 1, 2 become: nothing of ours, and not the session of an ssh
 * that would wait for it. */
static int hide_stdio(int saved[static 3], struct error *e)
{
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3; i++)
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		if (null < 0 || dup2(null, i) < 0)
			return fail(e, errno, "open /dev/null");
	return 0;
}

static void show_stdio(int saved[static 3])
{
	for (int i = 0; i < 3; i++) {
		if (saved[i] >= 0)
			dup2(saved[i], i);
		cleanup_close(&saved[i]);
	}
}

int target_prepare(struct migration *m, struct error *e)
{
	struct target *t = m->target;

	t->decisions = (struct restore_decisions){ .decide = on_decide, .resumed = on_resumed, .arg = m };
	t->restore_options = (struct restore_options){
		.globals = t->o->globals,
		.id = m->claim.name,
		.bundle = t->bundle,
		.config_text = t->config,
		.network_text = m->claim.network,
		.image = { .image_path = t->images_path,
			   .criu = t->o->criu,
			   .tcp_established = true,
			   .file_locks = true,
			   .lazy_pages = lazy_is_wanted(m) },
		.detach = true,
		.keep = true,
		.images_dir = t->images,
		.decisions = &t->decisions,
	};
	int saved[3];
	int r = hide_stdio(saved, e);
	if (r == 0)
		r = restore_prepare(&t->restore_options, &t->restore, e);
	show_stdio(saved);
	return r == 0 ? migrate_answer(m, NULL, e) : r;
}

void target_unprepare(struct migration *m)
{
	lazy_end(m->target);
	restore_free(m->target->restore);
	m->target->restore = NULL;
}

/* ---- memory ---- */

int target_memory(struct migration *m, struct error *e)
{
	struct target *t = m->target;
	/* Contents and index; what is written twice is kept twice for a while. */
	uint64_t limit = t->o->memory_limit > 0 ? (uint64_t)t->o->memory_limit
						: m->claim.memory_bytes * 2 + (256ULL << 20);

	int r = page_store_new(limit, &t->store, e);
	if (r == 0)
		r = arrive_open(m, STREAM_MEMORY, &t->memory_fd, e);
	if (r == 0)
		r = imagestream_new(t->images, IMAGES_LIMIT, &t->image_stream, e);
	if (r == 0)
		r = arrive_open(m, STREAM_IMAGES, &t->images_fd, e);
	return r == 0 ? migrate_answer(m, NULL, e) : r;
}

/* ---- the frozen window ---- */

int target_dump(struct migration *m, struct error *e)
{
	struct target *t = m->target;

	int r = arrive_all(m, e);
	bool lazy = lazy_is_wanted(m);
	if (r == 0)
		r = page_store_write_images(t->store, t->images, lazy ? PAGE_IMAGES_LAZY : PAGE_IMAGES_PLAIN,
					    NULL, e);
	if (r == 0 && lazy)
		r = lazy_start(m, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n_trees; i++)
		tree_receiver_keep(t->trees[i]); /* target_unclaim removes the bundle, whatever is in it */
	return migrate_answer(m, NULL, e);
}

int target_restore(struct migration *m, struct error *e)
{
	struct target *t = m->target;

	int r = restore_finish(t->restore, e);
	if (r == 0 || !m->granted)
		return r;
	/* It was granted, and nothing of it has run or will: the source may go on. */
	struct error why = *e, ignored;
	if (journal_may(m->journal->state, JOURNAL_REFUSED) &&
	    journal_move(m->journal, m->journal_dir, JOURNAL_REFUSED, &ignored) == 0) {
		(void)message_send(m->channel, MESSAGE_VERDICT, "{\"verdict\":\"refused\"}", &ignored);
		m->granted = false;
	}
	*e = why;
	return r;
}

/* CRIU's post-restore: everything is there, nothing runs. */
static int on_decide(void *arg, pid_t init, struct error *e)
{
	struct migration *m = arg;

	(void)init;
	int r = migrate_answer(m, NULL, e);
	if (r < 0)
		return r;
	m->at++;
	return migrate_walk_target(m, true, e);
}

/* From here on it is ours: what fails now ends with it running here, or with "refused" in the journal. */
int target_grant(struct migration *m, struct error *e)
{
	struct message grant;

	int r = message_expect(m->channel, MESSAGE_GRANT, m->timeout_ms, &grant, e);
	if (r < 0)
		return r;
	message_done(&grant);
	r = migrate_fault(m, "received", e);
	if (r == 0)
		r = journal_move(m->journal, m->journal_dir, JOURNAL_GRANTED, e);
	if (r < 0)
		return r;
	m->granted = true;
	return migrate_fault(m, "granted", e);
}

static int on_resumed(void *arg, pid_t init, struct error *e)
{
	struct migration *m = arg;
	struct error lost;

	(void)init;
	(void)migrate_fault(m, "resumed", &lost);
	int r = journal_move(m->journal, m->journal_dir, JOURNAL_RUNNING, e);
	if (r < 0)
		log_warning("%s", e->msg); /* it runs, all the same */
	/* The source finds out by --resolve if this does not arrive. */
	if (message_send(m->channel, MESSAGE_RUNNING, NULL, &lost) < 0)
		log_warning("the source was not told that the container runs here: %s", lost.msg);
	return 0;
}

/* The first round went out when the wires were let go; a frame can be lost (neigh.h has the pauses). */
static void announce_again(struct migration *m)
{
	struct target *t = m->target;
	struct container *c = restore_container(t->restore);
	auto_free char *owner = NULL;
	struct error e;
	int pause;

	if (!m->claim.network || restore_netns(t->restore) < 0 || network_owner_path(c, &owner, &e) < 0)
		return;
	const struct network_of of = { .owner = owner, .dir = c->dir, .switch_dir = c->globals->switch_dir };
	for (unsigned int round = 1; (pause = announce_pause_ms(round)) >= 0; round++) {
		int r = interrupt_wait(-1, -1, pause, &e);
		if (r != -ETIMEDOUT || network_announce(&of, restore_netns(t->restore), &e) < 0)
			return;
	}
}

int target_release(struct migration *m, struct error *e)
{
	struct target *t = m->target;
	struct error ignored;

	for (size_t i = 0; i < t->n_trees; i++) {
		int r = tree_receiver_sync(t->trees[i], e);
		if (r < 0)
			return r;
	}
	int r = migrate_answer(m, NULL, e);
	announce_again(m);
	/* The source knows the end: nobody will ask. */
	if (r == 0)
		(void)journal_remove(m->journal_dir, m->journal->migration, &ignored);
	return r;
}

/* ---- one connection ---- */

static void close_target(struct migration *m)
{
	struct target *t = m->target;

	target_unfiles(m);
	t->lazy = 0; /* it ends when all is given */
	lazy_end(t);
	restore_free(t->restore);
	arrive_done(t);
	cleanup_close(&t->bundle_fd);
	if (*t->images_path)
		remove_directory(t->images_path);
	cleanup_close(&t->images);
	free(t->config);
}

static int take_container(struct migration *m, struct error *e)
{
	int r = migrate_walk_target(m, false, e);
	if (r == 0)
		return 0;
	/* What runs here stays, whatever became of the connection. */
	if (m->journal && m->journal->state == JOURNAL_RUNNING) {
		log_warning("%s: moved here; then: %s", m->claim.name, e->msg);
		return 0;
	}
	message_abort(m->channel, e);
	migrate_undo(m, false);
	return r;
}

/* The first message says what the connection is for. */
static int serve(const struct receive_options *o, struct channel *channel, int journal_dir,
		 const struct hello *ours, struct error *e)
{
	struct target t = {
		.o = o, .bundle_fd = -1, .images = -1, .memory_fd = -1, .images_fd = -1, .files_fd = -1
	};
	struct migration m = { .target = &t,
			       .channel = channel,
			       .journal_dir = journal_dir,
			       .ours = *ours,
			       .timeout_ms = o->timeout_ms };
	AUTO(arena) struct arena *arena = m.arena = arena_new();
	struct message question = { 0 };

	if (!arena)
		return fail(e, ENOMEM, "receive");
	sweep_target(o->globals, journal_dir);
	int r = message_peek(channel, o->timeout_ms, e);
	if (r == MESSAGE_RESOLVE) {
		r = message_expect(channel, MESSAGE_RESOLVE, o->timeout_ms, &question, e);
		if (r == 0)
			r = resolve_answer(o, channel, journal_dir, &question, e);
		message_done(&question);
		return r;
	}
	if (r < 0)
		return r;
	r = take_container(&m, e);
	close_target(&m);
	journal_free(m.journal);
	return r;
}

static int serve_transport(const struct receive_options *o, struct transport *t, const struct hello *ours,
			   int journal_dir, struct error *e)
{
	const struct channel_options c = { .codec = WIRE_PLAIN };
	struct channel *channel = NULL;

	int r = channel_start(t, &c, &channel, e);
	if (r == 0)
		r = serve(o, channel, journal_dir, ours, e);
	channel_free(channel);
	return r;
}

/* Each connection has a process of its own. What it says goes to the log; the listener goes on. */
static int listen_loop(const struct receive_options *o, int listener, const struct hello *ours,
		       int journal_dir, struct error *e)
{
	const struct transport_options to = { .tls_dir = o->tls_dir };

	for (;;) {
		struct transport *t;
		int r = interrupt_wait(listener, -1, -1, e);
		if (r < 0)
			return r;
		r = transport_accept(listener, o->listen, &to, &t, e);
		if (r < 0) {
			log_warning("%s", e->msg);
			continue;
		}
		if (o->once)
			return serve_transport(o, t, ours, journal_dir, e);
		pid_t pid = fork();
		if (pid == 0) {
			close(listener);
			r = serve_transport(o, t, ours, journal_dir, e);
			if (r < 0)
				log_error("%s", e->msg);
			_exit(r < 0);
		}
		transport_free(t);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

/* sd_listen_fds(3): the first descriptor after stderr, if they are meant for this process. */
int receive_listener(const struct receive_options *o, struct error *e)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint32_t number;

	if (pid && fds && str_to_u32(pid, &number) == 0 && (pid_t)number == getpid() && str_eq(fds, "1")) {
		fcntl(3, F_SETFD, FD_CLOEXEC);
		return 3;
	}
	return transport_listen(o->listen, e);
}

static int run_receive(const struct receive_options *o, const struct hello *ours, int journal_dir,
		       struct error *e)
{
	struct transport *t;

	if (o->listen) {
		auto_close int listener = receive_listener(o, e);
		return listener < 0 ? listener : listen_loop(o, listener, ours, journal_dir, e);
	}
	/* stdin and stdout are the connection: nothing else may be written there. */
	int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (in < 0 || out < 0 || null < 0)
		return fail(e, errno, "standard input and output");
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
	int r = transport_adopt(in, out, "the source", &t, e);
	return r < 0 ? r : serve_transport(o, t, ours, journal_dir, e);
}

int life_receive(const struct receive_options *o, struct error *e)
{
	AUTO(arena) struct arena *a = arena_new();
	auto_free char *criu = NULL;
	struct hello ours = { 0 };

	if (!a)
		return fail(e, ENOMEM, "receive");
	int r = interrupt_prepare(e);
	if (r == 0)
		r = criu_find(o->criu, &criu, e);
	if (r == 0)
		r = hello_make(a, criu, &ours, e);
	auto_close int journal_dir = r == 0 ? journal_open_dir(o->journal, e) : -1;
	if (r == 0 && journal_dir < 0)
		r = journal_dir;
	return r == 0 ? run_receive(o, &ours, journal_dir, e) : r;
}
