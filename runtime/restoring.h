/* SPDX-License-Identifier: GPL-2.0-or-later */
/* restoring.h - what the files of `restore` share
 *
 * restore.c has the lists and RUNTIME's rows, restore_stage.c what happens in the process that becomes CRIU,
 * restore_check.c what is verified of the restored tree before anything of it runs. A restored container is a
 * created one with another way to its first process: rows of create are used where they fit, and `create` is
 * the story they know (the first member, for that reason). */
#ifndef CORACLE_RESTORING_H
#define CORACLE_RESTORING_H

#include "checkpoint/brief.h"
#include "runtime/checkpoint.h"
#include "runtime/create.h"

struct restore {
	struct create create; /* first: rows of create.h take the story for this */
	struct create_options create_options;
	struct restore_options options;
	int images, work;
	char *criu_path, *log_path;
	char *stage; /* directory of the staged mounts, in CRIU's mount namespace */
	struct criu *criu;
	int netns, uts, ipc; /* those that CRIU is in, if they are made for the container; -1 */
	bool network_came; /* create.network is the record of the images: its addresses are taken, and no others */
	bool own_ipc;	   /* staged so: message queues are ours */
	struct brief *brief;
	pid_t checker; /* looks at the images' memory meanwhile (image_set.h); 0: none */
	int verdict;   /* its answer; -1 */
	bool committed;
	struct error lost; /* what made us kill in pre-resume, where CRIU does not listen */
};

/* In the child that becomes CRIU: namespaces, the root, mounts under their keys. */
int restore_stage(void *arg, struct error *e);

/* Where a mount of the images is staged, as CRIU sees it; in the brief's arena. NULL: none of the config's holds it.
 */
const char *restore_staged(const struct restore *r, const struct brief_mount *m, struct error *e);

/* Are the mounts of the images the config's, and free of links? Before CRIU sees the images. */
int restore_check_brief(const struct restore *r, struct error *e);
/* Is every mount of the restored process what it should be? */
int restore_check_mounts(const struct restore *r, pid_t init, struct error *e);
/* The masked and read-only paths of the config, put over the restored tree. */
int restore_cover(struct restore *r, pid_t init, struct error *e);
/* Processes into the groups below the container's that they were in. */
int restore_groups(const struct restore *r, struct error *e);
/* Put the files of memory file systems into the staged ones. */
int restore_load_content(const struct restore *r, struct error *e);

#endif
