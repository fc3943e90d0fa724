/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.h - a tree of files, copied to another node while it is in use
 *
 *	source					destination
 *	tree_sender_new				tree_receiver_new	(an empty directory)
 *	tree_track_new		(before the copy)
 *	tree_send_all		--- frames ---> tree_receive		once for each frame
 *	tree_send_changes	--- frames --->				as often as it pays, while the
 *container runs freeze tree_send_changes	--- frames --->				the last: costs by
 *what changed, not by
 *what is there tree_send_end		--- frame  ---> tree_receive_ended tree_receiver_keep	else
 *tree_receiver_free removes all it made
 *
 * The caller carries frames: a sender calls a sink for each, in order; the receiver is fed one after the
 *other. Frames are opaque, never empty, at most TREE_FRAME_MAX bytes, and mean nothing out of order;
 *integrity and secrecy on the way are the channel's. Nothing here waits but for the disk and the sink, which
 *may block.
 *
 * What is carried: directories, regular files (holes stay holes), symbolic links, devices, fifos, sockets (as
 * nodes), hard links inside the tree; of each its owner, mode with setuid, setgid and sticky, times to the
 * nanosecond (access time too), extended attributes: user.*, POSIX ACLs, file capabilities, trusted.* and of
 *overlayfs's own what means something elsewhere (opaque, redirect, metacopy, whiteout; not origin and the
 *like). Labels of security modules are the destination's affair and stay behind. Names are bytes.
 *
 * An overlay is copied by its upperdir: whiteouts are devices 0:0 and opaque directories have an attribute,
 *so they come along as they are. The receiver's directory must not be part of a mounted overlay before the
 *end: the kernel does not allow it to change below one. What it stands on is compared by digest
 *(treedigest.h).
 *
 * Limits: a path of at most TREE_PATH_MAX bytes below the root; a tree with a longer one is refused by name.
 *Memory: one frame, the names of the directories beside the path at hand, the names of files with several
 *links, and what changed. */
#ifndef CORACLE_TREE_H
#define CORACLE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

#define TREE_FRAME_MAX ((size_t)256 * 1024)
#define TREE_PATH_MAX  4095 /* without the NUL */

struct tree_tracker;

/* ---- the source ---- */

/* Takes a frame; it is free for reuse when this returns. Negative: the copy ends with that error. */
typedef int tree_sink(void *arg, const void *frame, size_t size, struct error *e);

struct tree_from {
	int root;	   /* the directory, borrowed while the sender is being made */
	const char *name;  /* what messages call it, an absolute path as a rule; copied */
	bool cross_mounts; /* also what is mounted below; otherwise what lies under the mount points */
	char *const
		*excluded; /* paths below the root that are left out with all they hold, or NULL; copied */
};

struct tree_size {
	uint64_t bytes;	  /* of disk, as the source's file system counts it */
	uint64_t entries; /* inodes */
};

struct tree_sender;

/* The source is read through a private detached mount of it (read-only, no devices, no links followed, no
 * access times changed), so that neither a name swapped meanwhile nor an open can lead out of it or do
 * anything. CAP_SYS_ADMIN. */
int tree_sender_new(const struct tree_from *from, tree_sink *sink, void *arg, struct tree_sender **ret,
		    struct error *e);
void tree_sender_free(struct tree_sender *s);
DEFINE_AUTO(tree_sender, struct tree_sender)

/* Walks the tree without sending: how much there is, and whether all of it can be sent (names, kinds, and
 * that each file can be opened). The first obstacle is an error that names it. For the pre-flight; also
 * announces the size to the receiver in the first frame, which checks it against its disk and limits before
 * it writes. */
int tree_measure(struct tree_sender *s, struct tree_size *ret, struct error *e);

/* All of it. With a tracker, what vanishes or changes meanwhile is no error (the tracker has seen it); t
 * NULL: nothing may change. Once, first. */
int tree_send_all(struct tree_sender *s, struct tree_tracker *t, struct error *e);

/* What changed since the last call of either, by the tracker. In the frozen window this is the same call. */
int tree_send_changes(struct tree_sender *s, struct tree_tracker *t, struct error *e);

/* The end: the receiver compares the counts. */
int tree_send_end(struct tree_sender *s, struct error *e);

struct tree_counts {
	uint64_t entries; /* records of files, directories, links … made or changed */
	uint64_t removed; /* names removed */
	uint64_t data;	  /* bytes of content */
	uint64_t frames;  /* frames and their bytes */
	uint64_t bytes;
};
void tree_sender_counts(const struct tree_sender *s, struct tree_counts *ret);

/* ---- the destination ---- */

struct tree_limits {
	uint64_t bytes;	  /* of content written in all, deltas included; 0: what the disk has */
	uint64_t entries; /* objects made in all; 0: no limit but the disk's */
	uint64_t spare;	  /* bytes of disk that must stay free when the announced size is there */
};

struct tree_receiver;

/* Fill `root` (a directory that is there and empty, borrowed while the receiver is being made; -ENOTEMPTY
 * otherwise). The sender is not trusted: names are single components below root, resolved without links and
 * in a detached mount of it that has no devices; every length, count and order is checked before memory or
 * disk is used. `name` is for messages. */
int tree_receiver_new(int root, const char *name, const struct tree_limits *limits,
		      struct tree_receiver **ret, struct error *e);

/* One frame. After an error the receiver takes no more. -ENOSPC and -EDQUOT say what was lacking. */
int tree_receive(struct tree_receiver *r, const void *frame, size_t size, struct error *e);

/* True once the sender's end has come and its counts agreed. */
bool tree_receive_ended(const struct tree_receiver *r);

void tree_receiver_counts(const struct tree_receiver *r, struct tree_counts *ret);

/* Flush what was written to the disk (syncfs). Not done by anything else, so that it can be done outside of
 * the frozen window: at the latest before the source is told that it may delete its copy. */
int tree_receiver_sync(struct tree_receiver *r, struct error *e);

/* The tree is the caller's from now on: free leaves it there. */
void tree_receiver_keep(struct tree_receiver *r);

/* Unless kept, all that was made below root is removed (root itself stays). */
void tree_receiver_free(struct tree_receiver *r);
DEFINE_AUTO(tree_receiver, struct tree_receiver)

/* Remove all below `root`, never following a link or crossing a mount. */
int tree_remove_below(int root, const char *name, struct error *e);

/* ---- what changes meanwhile ---- */

/* Begin to track what changes in the tree of `s`, before tree_send_all. By fanotify where the file system can
 * (all that have file handles, but a btrfs subvolume), else each look walks the tree and compares, with an
 * index in memory (about 100 bytes for each file). `name` and messages as the sender's. */
int tree_track_new(struct tree_sender *s, struct tree_tracker **ret, struct error *e);
void tree_track_free(struct tree_tracker *t);
DEFINE_AUTO(tree_track, struct tree_tracker)

/* A descriptor to poll: readable when there is something to drain; -1: none, changes are found by walking. */
int tree_track_fd(const struct tree_tracker *t);

/* Take in the events that are there, so that the queue stays short. Cheap; call it whenever the descriptor is
 * readable. */
int tree_track_drain(struct tree_tracker *t, struct error *e);

/* What is known to have changed and not been sent. `bytes` counts regular files whole. With `all`, the
 * tracker has lost its way (queue overflowed): the next look sends everything again. */
struct tree_pending {
	uint64_t entries, bytes;
	bool all;
	bool walk; /* the next look walks the tree */
};
int tree_track_pending(struct tree_tracker *t, struct tree_pending *ret, struct error *e);

/* The kernel reports no write through a shared mapping, and not every other one (aio). Name the container's
 * processes before each look: what they hold open for writing is compared by its times and size, what they
 * have mapped shared and writable by its content, block by block. `container_path` is where the tree's root
 * is in their mount namespace ("/" for a root file system). Processes that are gone are left out. */
int tree_track_processes(struct tree_tracker *t, const pid_t *pids, size_t count, const char *container_path,
			 struct error *e);

#endif
