/* SPDX-License-Identifier: GPL-2.0-or-later */
/* brief.h - what a restore must know of a dump besides CRIU's images: coracle-brief.json among them
 *
 * Which mounts and namespaces CRIU did not dump, what descriptors 0, 1, 2 were, the names of the host. Data
 * about the images, never policy: it is read as a stranger's, and what it names is looked up in the
 * destination's config. */
#ifndef CORACLE_BRIEF_H
#define CORACLE_BRIEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/error.h"

#define BRIEF_FILE "coracle-brief.json"

struct brief_mount {
	const char *key;	 /* "m0001" */
	const char *destination; /* as the kernel told it */
	bool content;		 /* a memory file system: its files are in KEY.tree */
};

/* A process in a group below the container's. */
struct brief_group {
	uint32_t pid;	  /* in the container */
	const char *path; /* below the container's group: "/system.slice/x" */
};

struct brief {
	struct arena *arena;
	struct brief_mount *mounts;
	size_t n_mounts;
	const char *stdio[3]; /* CRIU's key of what it was, if it came from outside: "pipe:[12]", else "" */
	uint32_t stdio_type
		[3]; /* S_IFREG, …: CRIU takes nothing else in its place (but for pipes and sockets) */
	const char *hostname, *domainname;
	bool own_net, own_uts, own_ipc; /* CRIU did not dump that namespace: it is made by us */
	bool terminal;			/* it has a terminal whose master is outside */
	bool paused;			/* it was paused: so it will be again */
	struct brief_group *groups;
	size_t n_groups;
};

/* An empty one; NULL when memory is short. */
struct brief *brief_new(void);
void brief_free(struct brief *b);
DEFINE_AUTO(brief, struct brief)

int brief_write(int dir, const struct brief *b, struct error *e);
/* -ENOENT: there is none, the images are not coracle's. */
int brief_read(int dir, struct brief **ret, struct error *e);
/* (pure) */
int brief_parse(const char *text, size_t size, struct brief **ret, struct error *e);

/* The mount with that key, or NULL. (pure) */
const struct brief_mount *brief_find_mount(const struct brief *b, const char *key);

#endif
