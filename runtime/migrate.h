/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate.h - a running container moves to another node: one table of stages, walked by both sides
 *
 * `coracle migrate` walks the source's column, `coracle receive` the target's (migrate.c has the table). A stage
 * begins with the source's word and ends with the target's answer; what goes in between is on streams of its
 * own (checkpoint/channel.h). The rows from "dump" to "grant" lie inside CRIU's callbacks: the source's tasks
 * are frozen in post-dump, the target's restored ones wait in post-restore.
 *
 * Never two, never none. Before the source has written "granting" into its journal, any failure anywhere ends
 * with the container running at the source and nothing at the target. From then on the target decides: it
 * writes "granted" before anything runs, and "running" when it does, or "refused" when nothing ran and
 * nothing will. The source kills its frozen copy on "running" alone, and lets it go on "refused" alone; without
 * an answer it keeps it frozen, for `migrate --resolve`. tests/model/migrate.pml is the same as a model.
 *
 *	migrate_source.c, migrate_memory.c, migrate_files.c	the source's column
 *	migrate_target.c, migrate_arrive.c			the target's
 *	migrate_claim.c, migrate_config.c			what is claimed; what config the target makes of it (pure)
 *	migrate_resolve.c					a lost answer
 *	migrate_control.c					--status, --cancel, --set */
#ifndef CORACLE_MIGRATE_H
#define CORACLE_MIGRATE_H

#include <limits.h>

#include "checkpoint/channel.h"
#include "checkpoint/converge.h"
#include "checkpoint/journal.h"
#include "checkpoint/message.h"
#include "checkpoint/pages.h"
#include "checkpoint/pagestore.h"
#include "checkpoint/progress.h"
#include "checkpoint/track.h"
#include "runtime/checkpoint.h"
#include "runtime/options.h"

/* ---- what is asked for ---- */

struct migrate_options {
	const struct globals *globals;
	const char *id, *destination;
	const char *receiver, *tls_dir, *journal, *criu;
	int downtime_limit_ms, max_rounds, timeout_ms;
	int64_t bandwidth;
	const char *compress, *progress, *report, *track;
	const char *name, *network, *rootfs;
	struct opt_list volumes, set;
	bool auto_converge, post_copy, keep, dry_run, force;
	bool status, cancel, resolve, recover;
};

int life_migrate(const struct migrate_options *o, struct error *e);

struct receive_options {
	const struct globals *globals;
	const char *listen, *tls_dir, *journal, *criu;
	const char *directory; /* bundles of received containers; NULL: RECEIVE_DIR */
	struct opt_list names, shared, networks;
	int64_t memory_limit, disk_limit;
	int timeout_ms;
	bool allow_hooks, once, stdio;
};

#define RECEIVE_DIR "/var/lib/coracle/containers"

int life_receive(const struct receive_options *o, struct error *e);

/* ---- messages ---- */

struct hello {
	const char *version, *kernel, *machine, *cpu;
	uint64_t page_size, criu;
	bool lazy_pages;
};

struct claim_volume {
	const char *destination; /* of the mount */
	int mode;		 /* enum volume_mode */
};
enum volume_mode { VOLUME_COPY, VOLUME_SHARED, VOLUME_DROP, VOLUME_MODE_MAX };
extern const char *const volume_modes[VOLUME_MODE_MAX + 1];

struct claim {
	const char *migration, *name, *config, *network, *brief;
	uint64_t memory_bytes, file_bytes, file_entries;
	bool shared_rootfs, dry_run, force;
	struct claim_volume *volumes;
	size_t n_volumes;
};

/* What stands in the way, and what to do about it. */
#define OBSTACLES_MAX 64
struct obstacles {
	size_t n;
	struct {
		char what[300], todo[200];
	} v[OBSTACLES_MAX];
};
void obstacle(struct obstacles *o, const char *todo, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

char *hello_write(const struct hello *h);
int hello_read(struct arena *a, const char *text, size_t size, struct hello *ret, struct error *e);
char *claim_write(const struct claim *c);
int claim_read(struct arena *a, const char *text, size_t size, struct claim *ret, struct error *e);
char *obstacles_write(const char *stage, const struct obstacles *o);
/* Also checks that it is the answer to `stage`. */
int obstacles_read(const char *text, size_t size, const char *stage, struct obstacles *ret, struct error *e);
/* Can we take what that node dumps? (pure) */
void hello_compare(const struct hello *theirs, const struct hello *ours, struct obstacles *ret);
/* This node's. The strings are the arena's. */
int hello_make(struct arena *a, const char *criu_path, struct hello *ret, struct error *e);

/* The config that this node will restore with: its own root and volumes instead of the source's paths, and
 * nothing that this node does not allow. (pure) */
struct config_policy {
	const char *bundle;  /* the root is <bundle>/rootfs, volumes <bundle>/volumes/N */
	char *const *shared; /* paths that a shared root or volume must lie below; NULL: none */
	bool allow_hooks;
};
int config_rewrite(const char *text, size_t size, const struct claim *claim, const struct config_policy *p,
		   char **ret, struct obstacles *obstacles, struct error *e);

/* Is it a config that this node can restore with at all? */
int check_config(const char *text, struct obstacles *obstacles, struct error *e);

/* The socket that `receive --listen` listens on: one that systemd has opened for us (LISTEN_FDS), else a new one. */
int receive_listener(const struct receive_options *o, struct error *e);

/* ---- the story ---- */

struct source;
struct target;

struct migration {
	struct channel *channel;
	struct journal *journal;
	int journal_dir;
	struct arena *arena;
	struct claim claim;
	struct hello ours, theirs;
	size_t at;     /* the row at hand */
	bool granted;  /* past the point of no return */
	bool resolved; /* the target has refused after the grant: undo as before it */
	int timeout_ms;
	struct source *source; /* one of the two */
	struct target *target;
};

struct migrate_stage {
	const char *name;
	int (*source)(struct migration *m, struct error *e);
	int (*target)(struct migration *m, struct error *e);
	void (*undo_source)(struct migration *m);
	void (*undo_target)(struct migration *m);
	bool (*active)(const struct migration *m);
	enum {
		INSIDE_NOBODY,
		INSIDE_SOURCE,
		INSIDE_TARGET
	} inside;	/* whose function goes on with the rows
									below, from inside CRIU's callback */
	bool no_return; /* what fails from here on is the other side's to decide */
};

extern const struct migrate_stage migrate_stages[];
extern const size_t migrate_stage_count;

/* The source's column: from the row m->at on to the end; inside CRIU's callback, to the point of no return. */
int migrate_walk_source(struct migration *m, bool inside, struct error *e);
/* End the row at hand: wait for the target's answer. */
int migrate_await_answer(struct migration *m, struct error *e);

int migrate_walk_target(struct migration *m, bool inside, struct error *e);
int migrate_answer(struct migration *m, const struct obstacles *o, struct error *e);

/* Undo what was done, newest first. */
void migrate_undo(struct migration *m, bool source);

/* Fault injection for the tests (--enable-fault-injection): CORACLE_FAIL_AT=ROW or ROW:WHERE (WHERE: begin, end),
 * CORACLE_KILL_AT likewise; CORACLE_CUT_AT breaks the connection. */
int migrate_fault(struct migration *m, const char *where, struct error *e);

/* ---- rows ---- */
int source_hello(struct migration *m, struct error *e);
int source_claim(struct migration *m, struct error *e);
void source_unclaim(struct migration *m);
int source_clocks(struct migration *m, struct error *e);
int source_files(struct migration *m, struct error *e);
void source_unfiles(struct migration *m);
int source_memory(struct migration *m, struct error *e);
void source_unmemory(struct migration *m);
int source_dump(struct migration *m, struct error *e);
int source_grant(struct migration *m, struct error *e);
int source_release(struct migration *m, struct error *e);

int target_hello(struct migration *m, struct error *e);
int target_claim(struct migration *m, struct error *e);
void target_unclaim(struct migration *m);
int target_files(struct migration *m, struct error *e);
void target_unfiles(struct migration *m);
int target_prepare(struct migration *m, struct error *e);
void target_unprepare(struct migration *m);
int target_memory(struct migration *m, struct error *e);
int target_dump(struct migration *m, struct error *e);
int target_restore(struct migration *m, struct error *e);
int target_grant(struct migration *m, struct error *e);
int target_release(struct migration *m, struct error *e);

bool migrate_is_real(const struct migration *m); /* not a dry run */

/* ---- resolving ---- */

/* Ask the destination what became of a migration; *ret is JOURNAL_RUNNING or JOURNAL_REFUSED. */
int resolve_ask(const struct journal *j, int timeout_ms, enum journal_state *ret, struct error *e);
/* Finish a source's migration either way. */
int resolve_finish(const struct globals *g, struct journal *j, int journal_dir, enum journal_state verdict,
		   bool keep, struct error *e);
int life_resolve(const struct migrate_options *o, struct error *e);
/* At the target, of a migration whose receiver is dead: if it was claimed and not granted, make sure that nothing of it is here and
 * refuse it. -ENOENT: there is no journal. */
int resolve_abandoned(const struct globals *g, int journal_dir, const char *migration, struct error *e);
/* The target's answer to MESSAGE_RESOLVE: decides, journals, tells. */
int resolve_answer(const struct receive_options *o, struct channel *c, int journal_dir,
		   const struct message *question, struct error *e);

#endif
