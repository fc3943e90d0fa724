/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dump.h - what the files of `checkpoint` share: the story's data and what is found out about a container
 *
 * checkpoint.c has the list and its rows, dump_look.c looks at the frozen container. */
#ifndef CORACLE_DUMP_H
#define CORACLE_DUMP_H

#include "checkpoint/brief.h"
#include "runtime/base/steps.h"
#include "runtime/checkpoint.h"
#include "specs/network.h"
#include "specs/spec.h"

struct dump {
	struct checkpoint_options options;
	struct container *container;
	struct spec *spec; /* what it was created from */
	pid_t init;
	int pidfd;
	int root;   /* of the container, O_PATH */
	int cgroup; /* the container's group */
	int images, work;
	char *criu_path, *log_path;
	int criu_version;
	struct digester *digester; /* NULL: none */
	struct criu *criu;
	int ns[NS_KIND_MAX];	       /* of the container, those that CRIU enters and does not dump; -1 */
	bool was_paused, frozen, over; /* over: the container has ended, or runs on as it should */
	bool held;		       /* its network: nothing passes */
	pid_t guard;		       /* lets it run on if we are killed */
	int guard_life;		       /* its end tells the guard that we are gone; -1 */
	struct network *network;       /* how it is wired; NULL: by nothing of ours */
	struct brief *brief;	       /* and the arena of the lists below */
	const char **external, **skip; /* NULL-terminated */
	size_t n_external, n_skip;
};

/* The names that uts holds, and whether the ipc namespace is empty: in there for a moment. */
int dump_look_names(struct dump *d, struct error *e);
int dump_look_ipc(const struct dump *d, bool *ret_empty, struct error *e);
/* Which mounts CRIU leaves to us, which it does not look at. */
int dump_look_mounts(struct dump *d, struct error *e);
/* What descriptors 0, 1 and 2 are. */
int dump_look_stdio(struct dump *d, struct error *e);
/* Processes in groups below the container's. */
int dump_look_groups(struct dump *d, struct error *e);
/* The content of memory file systems, into the images' directory. */
int dump_save_content(const struct dump *d, struct error *e);

#endif
