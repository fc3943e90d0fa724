/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exporthead.h - the first entry of an exported container: what it is of, and what it takes to bring it back
 *
 * An exported container is an archive (archive.h) of
 *	coracle-export.json	this
 *	config.json		what the container was created from
 *	images/			CRIU's images and their manifest
 *	rootfs/ or layer/	its root, or the writable layer of an overlay alone
 *	coracle-export.end	digest and MAC
 * in that order: whoever reads knows at once what is missing, before anything is unpacked. */
#ifndef CORACLE_EXPORTHEAD_H
#define CORACLE_EXPORTHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/error.h"

#define EXPORT_HEAD    "coracle-export.json"
#define EXPORT_CONFIG  "config.json"
#define EXPORT_IMAGES  "images"
#define EXPORT_ROOT    "rootfs"
#define EXPORT_LAYER   "layer"

#define EXPORT_ID_SIZE 65 /* 64 hexadecimal digits, random */

/* A directory that the writable layer stands on. */
struct export_base {
	const char *digest; /* tree_digest(), hexadecimal */
	const char *path;   /* where it was */
};

struct export_head {
	struct arena *arena;
	const char *export_id, *container, *created, *coracle, *kernel, *machine;
	uint64_t page_size, criu;
	uint64_t bytes, entries;   /* of contents, in all that follows */
	bool layer;		   /* only the writable layer is in it; then: */
	struct export_base *bases; /* the uppermost first */
	size_t n_bases;
	bool tcp_established, shell_job, file_locks, ext_unix_sk;
};

/* An empty one, with this node's kernel, machine and the time; NULL when memory is short. */
struct export_head *export_head_new(void);
void export_head_free(struct export_head *h);
DEFINE_AUTO(export_head, struct export_head)

/* A new string; NULL when memory is short. */
char *export_head_to_json(const struct export_head *h, size_t *ret_size);
int export_head_parse(const char *text, size_t size, struct export_head **ret, struct error *e);

/* ---- what a config asks of the node that runs it ---- */

struct spec;

/* The text of a config says what its container may do on a host. One that came in a file which nobody vouches
 * for is taken only if that is no more than an engine's default: its own namespaces, no host directory,
 * hook or device, the default capabilities. Writes one line for each thing that is more ("bind mount of /etc
 * at /x"), at most 32, and returns how many there are. (pure) */
struct export_demand {
	char text[400];
};
size_t export_demands(const struct spec *s, struct export_demand *ret, size_t room);

/* The host's directories that its bind mounts need: lines as above, of those that are not there. */
size_t export_missing_mounts(const struct spec *s, struct export_demand *ret, size_t room);

#endif
