/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_source.c - the source's column: the container leaves
 *
 * Everything up to the freeze happens while the container runs. Inside dump_finish() the order is: files'
 * last changes (frozen), CRIU reads the tasks and their pages leave through a process of ours, the images go
 * in one stream, the target restores, and the grant is exchanged, all before CRIU is answered. What CRIU is
 * answered decides: 0 kills the frozen copy, anything else lets it run on. */
#include "runtime/migrate_source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "checkpoint/imagestream.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/commands.h"
#include "runtime/network.h"
#include "runtime/migrate_sweep.h"
#include "runtime/received.h"
#include "runtime/stored_config.h"

void source_mark(struct source *s, enum frozen_part part)
{
	int64_t now = clock_monotonic_ns();

	s->progress.frozen_us[part] += (uint64_t)(now - s->mark_ns) / 1000;
	s->mark_ns = now;
}

int source_pids(const struct source *s, pid_t **ret, size_t *ret_n, struct error *e)
{
	ssize_t n = cgroup_pids(s->group, ret, e);

	if (n < 0)
		return (int)n;
	*ret_n = (size_t)n;
	return 0;
}

/* ---- hello ---- */

int source_hello(struct migration *m, struct error *e)
{
	struct message answer;

	auto_free char *text = hello_write(&m->ours);
	if (!text)
		return fail(e, ENOMEM, "hello");
	int r = message_send(m->channel, MESSAGE_HELLO, text, e);
	if (r == 0)
		r = message_expect(m->channel, MESSAGE_HELLO, m->timeout_ms, &answer, e);
	if (r < 0)
		return r;
	r = hello_read(m->arena, answer.body, answer.size, &m->theirs, e);
	message_done(&answer);
	return r;
}

/* ---- claim ---- */

/* What the container's memory weighs: resident pages of its processes, shared ones once for each. */
static uint64_t memory_of(const struct source *s)
{
	auto_free pid_t *pids = NULL;
	struct error ignored;
	uint64_t pages = 0;
	size_t n = 0;

	if (source_pids(s, &pids, &n, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		char path[48], text[128];
		unsigned long long size, resident;
		snprintf(path, sizeof(path), "/proc/%d/statm", (int)pids[i]);
		if (io_read_small(AT_FDCWD, path, text, sizeof(text), &ignored) > 0 &&
		    sscanf(text, "%llu %llu", &size, &resident) == 2)
			pages += resident;
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int on_frozen(void *arg, struct error *e);
static int on_decide(void *arg, struct error *e);

static int prepare_dump(struct migration *m, struct error *e)
{
	struct source *s = m->source;
	int ends[2];

	int r = page_server_pair(ends, e);
	if (r < 0)
		return r;
	s->pages_ours = ends[0];
	s->pages_criu = ends[1];
	s->decisions = (struct dump_decisions){ .frozen = on_frozen, .decide = on_decide, .arg = m };
	s->dump_options = (struct checkpoint_options){
		.globals = s->o->globals,
		.id = s->o->id,
		.image = { .image_path = s->images_path,
			   .criu = s->o->criu,
			   .tcp_established = true,
			   .file_locks = true,
			   .ext_unix_sk = false },
		.page_fd = s->pages_criu,
		.keep_record = true,
		.decisions = &s->decisions,
	};
	r = dump_prepare(&s->dump_options, &s->dump, e);
	if (r < 0)
		return r;
	s->group = container_cgroup(dump_container(s->dump), e);
	return s->group < 0 ? s->group : 0;
}

static int read_volumes(struct migration *m, struct error *e)
{
	const struct migrate_options *o = m->source->o;

	m->claim.volumes = arena_calloc(m->arena, o->volumes.n + 1, sizeof(*m->claim.volumes));
	if (!m->claim.volumes)
		return fail(e, ENOMEM, "--volume");
	for (size_t i = 0; i < o->volumes.n; i++) {
		const char *equals = strrchr(o->volumes.v[i], '=');
		int mode = 0;
		while (equals && mode < VOLUME_MODE_MAX && !str_eq(volume_modes[mode], equals + 1))
			mode++;
		if (!equals || mode == VOLUME_MODE_MAX || *o->volumes.v[i] != '/')
			return usage(e, "--volume %s: expected PATH=copy, PATH=shared or PATH=drop",
				     o->volumes.v[i]);
		m->claim.volumes[m->claim.n_volumes++] = (struct claim_volume){
			arena_strndup(m->arena, o->volumes.v[i], (size_t)(equals - o->volumes.v[i])), mode
		};
	}
	return 0;
}

/* Its wires: the other side attaches them before it restores. */
static int read_network(struct migration *m, const struct container *c, struct error *e)
{
	auto_free char *text = NULL;

	int r = network_export(c->dir, &text, e);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		m->claim.network = arena_strdup(m->arena, text);
	return r;
}

static int fill_claim(struct migration *m, struct error *e)
{
	struct source *s = m->source;
	struct container *c = dump_container(s->dump);

	int r = io_read_file(c->dir, "config.json", CONFIG_LIMIT, &s->config, NULL, e);
	if (r == 0)
		r = read_volumes(m, e);
	if (r < 0)
		return r;
	m->claim.migration = m->journal->migration;
	m->claim.name = s->o->name ? s->o->name : s->o->id;
	m->claim.config = s->config;
	m->claim.shared_rootfs = s->o->rootfs && str_eq(s->o->rootfs, "shared");
	m->claim.dry_run = s->o->dry_run;
	m->claim.force = s->o->force;
	m->claim.memory_bytes = s->progress.memory_bytes = memory_of(s);
	r = read_network(m, c, e);
	return r == 0 ? files_open(m, e) : r;
}

int source_claim(struct migration *m, struct error *e)
{
	struct source *s = m->source;

	if (!s->o->dry_run) {
		int r = journal_move(m->journal, m->journal_dir, JOURNAL_PREPARING, e);
		if (r < 0)
			return r;
	}
	progress_phase(&s->progress, "claim");
	int r = prepare_dump(m, e);
	if (r == 0)
		r = fill_claim(m, e);
	if (r == 0)
		r = control_open(m, e);
	if (r < 0)
		return r;
	auto_free char *text = claim_write(&m->claim);
	return text ? message_send(m->channel, MESSAGE_CLAIM, text, e) : fail(e, ENOMEM, "claim");
}

void source_unclaim(struct migration *m)
{
	struct error ignored;

	control_close(m->source);
	if (m->journal->state == JOURNAL_PREPARING || m->resolved)
		(void)journal_move(m->journal, m->journal_dir, JOURNAL_KEPT, &ignored);
	(void)journal_remove(m->journal_dir, m->journal->migration, &ignored);
}

/* ---- clocks ---- */

/* The carriers measure by themselves, eight quick round trips at the beginning. */
int source_clocks(struct migration *m, struct error *e)
{
	const struct channel_counters *c = m->channel->counters;
	int64_t until = clock_monotonic_ns() + m->timeout_ms * 1000000LL;

	(void)e;
	progress_phase(&m->source->progress, "clocks");
	while (__atomic_load_n(&c->clock.trips, __ATOMIC_ACQUIRE) == 0 && clock_monotonic_ns() < until &&
	       !__atomic_load_n(&c->ended, __ATOMIC_ACQUIRE)) {
		int r = interrupt_wait(-1, -1, 1, e);
		if (r < 0 && r != -ETIMEDOUT)
			return r;
	}
	m->source->progress.clock = c->clock;
	return 0;
}

/* ---- files ---- */

int source_files(struct migration *m, struct error *e)
{
	progress_phase(&m->source->progress, "files");
	int r = channel_stream(m->channel, STREAM_FILES, &m->source->files_fd, e);
	return r < 0 ? r : files_send_all(m, e);
}

void source_unfiles(struct migration *m)
{
	files_close(m->source);
}

/* ---- the frozen window ---- */

static int on_frozen(void *arg, struct error *e)
{
	struct migration *m = arg;
	struct source *s = m->source;

	s->frozen = true;
	source_mark(s, FROZEN_FREEZE);
	int r = files_send_changes(m, true, e);
	channel_end_stream(&s->files_fd);
	source_mark(s, FROZEN_FILES);
	if (r == 0)
		r = memory_start_pager(m, e);
	return r;
}

static int send_images(struct migration *m, struct error *e)
{
	struct source *s = m->source;

	int r = imagestream_send(dump_images(s->dump), s->images_fd, &s->progress.image_bytes, e);
	channel_end_stream(&s->images_fd);
	if (r == -EPIPE || r == -ECONNRESET)
		r = channel_failure(m->channel, e->msg, e);
	return r;
}

/* CRIU's post-dump: everything is frozen and in images. What is returned decides. */
static int on_decide(void *arg, struct error *e)
{
	struct migration *m = arg;
	struct source *s = m->source;

	source_mark(s, FROZEN_DUMP);
	progress_phase(&s->progress, "transfer");
	int r = memory_end_pager(m, e);
	if (r == 0)
		r = send_images(m, e);
	if (r == 0)
		r = migrate_fault(m, "end", e);
	if (r == 0)
		r = migrate_await_answer(m, e);
	source_mark(s, FROZEN_TRANSFER);
	if (r < 0)
		return r;
	m->at++;
	progress_phase(&s->progress, "restore");
	return migrate_walk_source(m, true, e);
}

int source_dump(struct migration *m, struct error *e)
{
	struct source *s = m->source;

	int r = control_serve(m, e);
	if (r == 0)
		r = channel_stream(m->channel, STREAM_IMAGES, &s->images_fd, e);
	if (r < 0)
		return r;
	progress_phase(&s->progress, "freeze");
	s->frozen_ns = s->mark_ns = clock_monotonic_ns();
	return dump_finish(s->dump, e);
}

/* ---- the grant ---- */

/* Nobody answers. What is frozen stays frozen, what is held stays held: no step back is safe from here, so we
 * leave without one. The journal has all that --resolve needs. */
static void __attribute__((noreturn)) leave_frozen(struct migration *m, const struct error *why)
{
	struct source *s = m->source;
	struct error told;

	control_close(s);
	progress_end(&s->progress, "kept frozen");
	refuse(&told, EINPROGRESS,
	       "the destination was granted the container and has not said whether it runs there (%s): the "
	       "copy here "
	       "stays frozen. When the destination can be reached: coracle migrate --resolve %s",
	       why->msg, s->o->id);
	log_failure(&told);
	_exit(EXIT_FAILED);
}

static int read_verdict(struct migration *m, struct error *e)
{
	struct message answer;

	int r = message_receive(m->channel, m->timeout_ms, &answer, e);
	if (r < 0)
		return r;
	enum wire_message type = answer.type;
	message_done(&answer);
	if (type == MESSAGE_RUNNING)
		return JOURNAL_RUNNING;
	if (type == MESSAGE_VERDICT)
		return JOURNAL_REFUSED;
	return refuse(e, EPROTO, "the other side sent %s after the grant", wire_message_names[type]);
}

/* From the journal's "granting" on the target decides. Only its word leads on. */
int source_grant(struct migration *m, struct error *e)
{
	struct source *s = m->source;
	enum journal_state verdict;

	source_mark(s, FROZEN_RESTORE);
	int r = control_serve(m, e); /* the last moment for --cancel */
	if (r == 0)
		r = dump_stay_frozen(s->dump, e);
	if (r == 0)
		r = journal_move(m->journal, m->journal_dir, JOURNAL_GRANTING, e);
	if (r < 0)
		return r;
	m->granted = true;
	r = message_send(m->channel, MESSAGE_GRANT, NULL, e);
	source_mark(s, FROZEN_GRANT);
	(void)migrate_fault(m, "sent", e);
	if (r == 0)
		r = read_verdict(m, e);
	if (r < 0) {
		struct error asked = *e;
		r = resolve_ask(m->journal, m->timeout_ms, &verdict, e);
		if (r < 0)
			leave_frozen(m, &asked);
		r = (int)verdict;
	}
	source_mark(s, FROZEN_RESUME);
	if (r == JOURNAL_RUNNING)
		return 0;
	m->resolved = true;
	return refuse(e, ECONNABORTED, "the destination could not let the container run; it runs on here");
}

/* ---- after it ---- */

int source_release(struct migration *m, struct error *e)
{
	struct source *s = m->source;
	struct error late;

	s->progress.downtime_us = (uint64_t)(s->mark_ns - s->frozen_ns) / 1000;
	/* The target has the files on disk when it answers. It runs there in any case. */
	int r = migrate_fault(m, "end", &late);
	if (r == 0)
		r = migrate_await_answer(m, &late);
	if (r < 0)
		log_warning("the container runs at the destination, which did not say good-bye: %s",
			    late.msg);
	struct container *c = dump_container(s->dump);
	auto_free char *bundle = strdup(c->state->bundle);
	control_close(s);
	dump_free(s->dump); /* and with it the container's lock */
	s->dump = NULL;
	r = resolve_finish(s->o->globals, m->journal, m->journal_dir, JOURNAL_RUNNING, s->o->keep, e);
	if (r == 0 && bundle && !s->o->keep)
		received_bundle_remove(bundle); /* others are their makers' */
	return r;
}

/* ---- around the walk ---- */

static int read_options(struct source *s, struct error *e)
{
	const struct migrate_options *o = s->o;

	s->codec = WIRE_PLAIN;
	if (o->compress) {
		int codec = 0;
		while (codec < WIRE_CODEC_MAX && !str_eq(wire_codec_names[codec], o->compress))
			codec++;
		if (codec == WIRE_CODEC_MAX)
			return usage(e, "--compress %s: expected zstd, lz4 or none", o->compress);
		s->codec = (enum wire_codec)codec;
	}
	enum progress_style style = PROGRESS_BAR;
	if (o->progress) {
		int word = 0;
		while (word < PROGRESS_STYLE_MAX && !str_eq(progress_styles[word], o->progress))
			word++;
		if (word == PROGRESS_STYLE_MAX)
			return usage(e, "--progress %s: expected bar, json or none", o->progress);
		style = (enum progress_style)word;
	}
	if (o->rootfs && !str_eq(o->rootfs, "copy") && !str_eq(o->rootfs, "shared"))
		return usage(e, "--rootfs %s: expected copy or shared", o->rootfs);
	if (o->post_copy)
		return refuse(e, EOPNOTSUPP,
			      "--post-copy: not implemented yet; without it, pages are copied before");
	if (o->recover)
		return refuse(e, EOPNOTSUPP, "--recover: needs --post-copy, which is not implemented yet");
	int r = o->report ? progress_check_report(o->report, e) : 0;
	progress_init(&s->progress, style, o->id, o->destination);
	s->progress.downtime_limit_us = (uint64_t)o->downtime_limit_ms * 1000;
	s->policy = (struct converge_policy){ .downtime_limit_ms = (uint32_t)o->downtime_limit_ms,
					      .max_rounds = (uint32_t)o->max_rounds,
					      .bandwidth = (uint64_t)o->bandwidth,
					      .auto_converge = o->auto_converge,
					      .force = o->force };
	return r;
}

static int open_channel(struct migration *m, struct error *e)
{
	const struct migrate_options *o = m->source->o;
	const struct transport_options t = { .receiver = o->receiver,
					     .tls_dir = o->tls_dir,
					     .timeout_ms = 10000 };
	const struct channel_options c = { .bandwidth = o->bandwidth, .codec = m->source->codec };
	struct transport *transport;

	int r = transport_connect(o->destination, &t, &transport, e);
	return r < 0 ? r : channel_start(transport, &c, &m->channel, e);
}

static int open_journal(struct migration *m, struct error *e)
{
	const struct migrate_options *o = m->source->o;

	m->journal_dir = journal_open_dir(o->journal, e);
	if (m->journal_dir < 0)
		return m->journal_dir;
	m->journal = journal_new(o->id, o->globals->root);
	if (!m->journal)
		return fail(e, ENOMEM, "journal");
	m->journal->peer = o->destination;
	m->journal->receiver = o->receiver ? o->receiver : "";
	m->journal->tls_dir = o->tls_dir ? o->tls_dir : "";
	return 0;
}

static void close_source(struct source *s)
{
	memory_undo(s);
	files_close(s);
	control_close(s);
	dump_free(s->dump);
	cleanup_close(&s->group);
	cleanup_close(&s->memory_fd);
	cleanup_close(&s->images_fd);
	cleanup_close(&s->files_fd);
	cleanup_close(&s->pages_ours);
	cleanup_close(&s->pages_criu);
	if (*s->images_path)
		remove_directory(s->images_path);
	cleanup_close(&s->place);
	free(s->config);
}

static int move(struct migration *m, struct error *e)
{
	struct source *s = m->source;

	int r = open_journal(m, e);
	if (r == 0)
		sweep_source(s->o->globals, m->journal_dir);
	if (r == 0)
		r = sweep_make_place(s->o->globals->root, PLACE_SOURCE, m->journal->migration, s->images_path,
				     &s->place, e);
	auto_free char *criu = NULL;
	if (r == 0)
		r = criu_find(s->o->criu, &criu, e);
	if (r == 0)
		r = hello_make(m->arena, criu, &m->ours, e);
	if (r == 0)
		r = open_channel(m, e);
	if (r < 0)
		return r;
	r = migrate_walk_source(m, false, e);
	s->progress.wire_out = m->channel->counters->wire_out;
	s->progress.wire_in = m->channel->counters->wire_in;
	if (r < 0 && (!m->granted || m->resolved)) {
		message_abort(m->channel, e);
		migrate_undo(m, true);
	} else if (s->o->dry_run) {
		migrate_undo(m, true);
	}
	return r;
}

static const char *outcome(const struct migration *m, int r)
{
	if (r == 0)
		return m->source->o->dry_run ? "possible" : "completed";
	return m->granted && !m->resolved ? "moved, but not cleaned up" : "failed";
}

int life_migrate(const struct migrate_options *o, struct error *e)
{
	struct source s = { .o = o,
			    .place = -1,
			    .group = -1,
			    .memory_fd = -1,
			    .images_fd = -1,
			    .files_fd = -1,
			    .pages_ours = -1,
			    .pages_criu = -1,
			    .control = -1 };
	struct migration m = { .source = &s, .journal_dir = -1, .timeout_ms = o->timeout_ms };
	AUTO(arena) struct arena *arena = m.arena = arena_new();

	if (!arena)
		return fail(e, ENOMEM, "migrate");
	int r = read_options(&s, e);
	if (r == 0)
		r = interrupt_prepare(e);
	if (r < 0)
		return r;
	r = move(&m, e);
	close_source(&s);
	channel_free(m.channel);
	progress_end(&s.progress, outcome(&m, r));
	struct error report;
	if (o->report && progress_report(&s.progress, o->report, &report) < 0)
		log_warning("%s", report.msg);
	journal_free(m.journal);
	cleanup_close(&m.journal_dir);
	return r;
}
