/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_target.h - what the files of the target's column share */
#ifndef CORACLE_MIGRATE_TARGET_H
#define CORACLE_MIGRATE_TARGET_H

#include "checkpoint/imagestream.h"
#include "checkpoint/tree.h"
#include "runtime/migrate.h"

/* A frame of a tree of files on STREAM_FILES: 0 length (u24), 3 tree (u8), 4 frame. Tree 0 is the root's, the others
 * are copied volumes in the order of the claim. */
#define FILES_HEADER 4

struct target {
	const struct receive_options *o;
	char bundle[PATH_MAX], images_path[PATH_MAX];
	int bundle_fd, images;
	bool made_bundle;
	char *config; /* rewritten */
	/* what arrives */
	int memory_fd, images_fd, files_fd; /* -1: not open, or ended */
	struct page_store *store;
	struct imagestream *image_stream;
	struct tree_receiver **trees;
	size_t n_trees;
	uint8_t *frame;
	size_t frame_have;
	uint8_t *chunk;
	struct lazy_server *lazy_server;
	pid_t lazy; /* serves memory while the container runs already; 0: none */
	/* restore */
	struct restore_options restore_options;
	struct restore_decisions decisions;
	struct restore *restore;
};

/* Take in what the streams bring until a message is there. */
int arrive_until_message(struct migration *m, struct error *e);
/* … until all three streams have ended as they should. */
int arrive_all(struct migration *m, struct error *e);
int arrive_open(struct migration *m, unsigned int stream, int *fd, struct error *e);
int arrive_prepare(struct target *t, struct error *e);
void arrive_done(struct target *t);

/* Large memory is served to the running container (migrate_lazy.c). */
bool lazy_is_wanted(const struct migration *m);
int lazy_start(struct migration *m, struct error *e);
void lazy_end(struct target *t);

#endif
