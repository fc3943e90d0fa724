/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manifest.h - what makes a directory of images a set: what it is of, what it needs, a digest of every file
 *
 * coracle-manifest.json is written last and atomically: a directory without it is not complete. Beside it
 * lies, if this node has a key, coracle-manifest.mac: HMAC-SHA256 of the manifest's bytes. A MAC rather than
 * a signature: whoever may restore an owner's containers may as well write them, one secret per group of
 * nodes is all that must be handed out, and no library is needed. sha256sum(1) can check the files that have
 * one, openssl(1) the MAC.
 *
 * A manifest is data about the images and never policy: what a restored container may do comes from the
 * destination's config.json alone (trust.h). */
#ifndef CORACLE_MANIFEST_H
#define CORACLE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/imagedir.h"
#include "runtime/base/arena.h"
#include "runtime/base/error.h"
#include "runtime/base/sha256.h"

/* An image of memory with more bytes than this is worth a process of its own. */
#define MANIFEST_MEMORY_LATER (4U << 20)

#define MANIFEST_FILE	      "coracle-manifest.json"
#define MANIFEST_MAC	      "coracle-manifest.mac"
#define MANIFEST_KEY	      "/etc/coracle/images.key" /* of this node, if it has one */

/* Something that CRIU left out and coracle puts back: a mount or a namespace under an opaque key. */
struct manifest_external {
	const char *kind;	 /* "mount", "namespace", "terminal", "descriptor" */
	const char *key;	 /* "m0001", "net" */
	const char *destination; /* where it is in the container; "" if nowhere */
};

struct manifest_file {
	const char *name;
	uint64_t size;
	const char *digest; /* "sha256:HEX", or "sum64:HEX" (see below) */
};

struct manifest {
	struct arena *arena;
	const char *coracle; /* version */
	const char *id;	     /* of the container that was dumped */
	const char *created; /* RFC 3339, UTC */
	const char *kernel;  /* uname -r */
	const char *machine; /* uname -m */
	uint64_t page_size;
	uint64_t criu;	     /* 40201: CRIU 4.2.1 */
	const char *config;  /* sha256 of the container's config.json */
	const char *seccomp; /* sha256 of its linux.seccomp, "" if it has none */
	bool pre_dump;	     /* memory alone: cannot be restored by itself */
	bool tcp_established, shell_job, file_locks, ext_unix_sk, lazy_pages; /* dumped with */
	bool pages_elsewhere; /* memory went to a page server: its images come to the set unlisted */
	bool dedup;	      /* CRIU has punched holes into the parents' memory since */
	struct manifest_external *externals;
	size_t n_externals;
	const char *parent;	     /* what the link "parent" said, "" if there was none */
	const char *parent_sha256;   /* of its manifest; "" */
	struct manifest_file *files; /* by manifest_write */
	size_t n_files;
	struct manifest_file *known; /* for manifest_write: digests that are made already (digester.h) */
	size_t n_known;
};

/* An empty one in an arena of its own, with this node's kernel, machine, page size, our version and the time.
 */
struct manifest *manifest_new(struct error *e);
void manifest_free(struct manifest *m);
DEFINE_AUTO(manifest, struct manifest)

struct manifest_key {
	size_t size;
	uint8_t bytes[256];
};

/* Digest every file of the set, write the manifest, and the MAC if `key` is not NULL. Call it when all images
 * are complete and before the container is killed: CRIU's post-dump callback. What was there of them before
 * is removed first.
 * Memory (pages-*.img) is hundreds of times what the rest is, and the container stands still meanwhile: with
 * a key it gets a SHA-256 as all files do; without one, when any digest could be forged with the file, a
 * checksum against accidents, at several GB/s. An export (export.h) makes it a SHA-256. */
int manifest_write(int dir, struct manifest *m, const struct manifest_key *key, struct error *e);

/* The node's key: 32 to 256 bytes, a file that nobody but its owner (root or we) can read. *ret_found false:
 * there is none (a success). path NULL: MANIFEST_KEY. */
int manifest_key_read(const char *path, struct manifest_key *ret, bool *ret_found, struct error *e);

enum manifest_trust {
	MANIFEST_ANY,	 /* another tool's images: no manifest is needed; one that is there must be right */
	MANIFEST_DIGEST, /* a manifest */
	MANIFEST_SIGNED, /* a manifest with this node's MAC */
	MANIFEST_TRUST_MAX
};
extern const char *const manifest_trust_words[MANIFEST_TRUST_MAX + 1]; /* "any", "manifest", "signed", NULL */

/* Check a set before CRIU sees a byte: the directory (imagedir_scan), the MAC, every file's size and digest,
 * no image that is not listed, the same for its chain of parents. *ret is NULL where there was no manifest
 * and none was needed. A node with a key (key not NULL) demands its MAC whatever `trust` says, but for
 * MANIFEST_ANY. Errors name the file. `memory_later`: large images of memory, which CRIU copies and does not
 * understand, are left to a second check beside it, whose answer is waited for before anything runs. */
int manifest_check(int dir, enum manifest_trust trust, const struct manifest_key *key, bool memory_later,
		   struct manifest **ret, struct error *e);

/* Only read it: no file is looked at. -ENOENT: none. For --check, list, import. */
int manifest_read(int dir, struct manifest **ret, struct error *e);
int manifest_parse(const char *text, size_t size, struct manifest **ret, struct error *e);

/* Can this node restore what another one dumped? machine, page size, CRIU not older; the sentence names what
 * differs. `criu` 0: unknown here. (pure) */
int manifest_fits(const struct manifest *m, const char *machine, uint64_t page_size, uint64_t criu,
		  struct error *e);

/* Do the options of a restore give what the dump needs? "the images hold established TCP connections: restore
 * with --tcp-established or --tcp-close". (pure) */
int manifest_needs(const struct manifest *m, bool tcp, bool shell_job, bool file_locks, bool ext_unix_sk,
		   struct error *e);

#endif
