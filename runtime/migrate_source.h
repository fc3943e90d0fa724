/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_source.h - what the files of the source's column share */
#ifndef CORACLE_MIGRATE_SOURCE_H
#define CORACLE_MIGRATE_SOURCE_H

#include "runtime/migrate.h"

/* Figures that the process that serves CRIU's last pages leaves for us (shared memory). */
struct last_pages {
	struct page_stats stats;
	struct error error;
};

struct source {
	const struct migrate_options *o;
	struct progress progress;
	struct converge_policy policy;
	enum wire_codec codec;
	char *config;
	/* dump */
	struct checkpoint_options dump_options;
	struct dump_decisions decisions;
	struct dump *dump;
	char images_path[PATH_MAX];
	int place; /* it, locked: migrate_sweep.h */
	int group; /* the container's, for pids, freezing again, throttling; -1 */
	int64_t frozen_ns, mark_ns;
	bool frozen;
	/* memory */
	enum track_mode track;
	struct page_sender *sender;
	struct tracker *tracker;
	int memory_fd, images_fd, files_fd; /* streams; -1: not open, or ended */
	int pages_ours, pages_criu;	    /* ends of the socket that CRIU sends pages to */
	pid_t pager;			    /* the process that serves them in the frozen window */
	struct last_pages *last;
	uint64_t fixed_us;
	uint32_t throttle;
	char cpu_max[64]; /* what cpu.max was, to be restored; "": not throttled */
	/* files: migrate_files.c */
	struct source_files *files;
	/* control */
	int control;
	char control_path[PATH_MAX];
	bool cancelled;
};

/* Serve --status, --cancel, --set, Ctrl-C; called wherever the story comes by. -ECANCELED, -EINTR. */
int control_open(struct migration *m, struct error *e);
int control_serve(struct migration *m, struct error *e);
void control_close(struct source *s);
/* The other end: one question to a migration that runs. *ret is its answer, one line of JSON. */
int control_ask(const struct migrate_options *o, const char *question, char **ret, struct error *e);

/* All pieces into a stream; while it is full, questions are answered (`quiet`: not, for a child of the story).
 * The pieces are consumed. */
struct iovec;
int source_write(struct migration *m, int fd, struct iovec *pieces, int n, bool quiet, struct error *e);

/* Time since the last mark goes to a part of the frozen window. */
void source_mark(struct source *s, enum frozen_part part);

/* In the frozen window: the process that serves CRIU's pages, and its end. */
int memory_start_pager(struct migration *m, struct error *e);
int memory_end_pager(struct migration *m, struct error *e);
void memory_undo(struct source *s);

/* Which processes the container has, as the host numbers them; freed by the caller. */
int source_pids(const struct source *s, pid_t **ret, size_t *ret_n, struct error *e);

/* ---- files (migrate_files.c) ---- */
int files_open(struct migration *m, struct error *e);	  /* measure: fills the claim */
int files_send_all(struct migration *m, struct error *e); /* while it runs */
int files_send_changes(struct migration *m, bool last, struct error *e);
void files_close(struct source *s);

#endif
