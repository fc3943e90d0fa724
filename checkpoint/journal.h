/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal.h - what a node must not forget about a migration, whatever happens to it
 *
 * One small file for each migration under way, JOURNAL_DIR/MIGRATION.json, written before what it says is
 * acted on, flushed to the disk with its directory. After a crash or a reboot `migrate --resolve` reads it.
 *
 *	source	preparing ─> granting ─> released	(the container is the other side's)
 *		    └───────────┴──────> kept		(it runs on here)
 *	target	claimed ─> granted ─> running		(it is here)
 *		   └──────────┴─────> refused		(nothing of it is here, nor ever will be by this
 *migration)
 *
 * "granting" is written before the grant is sent: from then on only the other side's word frees the frozen
 * copy. "granted" is written before the restored tasks may run. "refused" is written before the source is
 *told so: a grant that comes late, or twice, meets it and is not taken. The files are removed when both sides
 * know the end. */
#ifndef CORACLE_JOURNAL_H
#define CORACLE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/error.h"

#define JOURNAL_DIR    "/var/lib/coracle/migrations"
#define MIGRATION_SIZE 33 /* 32 hexadecimal digits, NUL-terminated */
#define BOOT_SIZE      37

enum journal_state {
	JOURNAL_NONE,
	JOURNAL_PREPARING, /* source */
	JOURNAL_GRANTING,
	JOURNAL_RELEASED,
	JOURNAL_KEPT,
	JOURNAL_CLAIMED, /* target */
	JOURNAL_GRANTED,
	JOURNAL_RUNNING,
	JOURNAL_REFUSED,
	JOURNAL_MAX
};
extern const char *const journal_names[JOURNAL_MAX + 1]; /* ended by NULL */

/* May a journal go from one state to another? (pure; the table above) */
bool journal_may(enum journal_state from, enum journal_state to);

struct journal {
	struct arena *arena;
	char migration[MIGRATION_SIZE];
	char boot[BOOT_SIZE]; /* of the boot in which it was written last */
	enum journal_state state;
	const char *container; /* its id on this node */
	const char *root;      /* state root of that id */
	const char *peer;      /* source: the destination's address, to ask again */
	const char *receiver;  /* source: the command there, or "" */
	const char *tls_dir;   /* source: or "" */
	const char *extra;     /* what else a role needs to release or undo: JSON, or "" */
};

void journal_free(struct journal *j);
DEFINE_AUTO(journal, struct journal)

/* A new one, not on disk yet, with a random name. The strings are copied. */
struct journal *journal_new(const char *container, const char *root);

/* Is it 32 lower-case hexadecimal digits? A name that comes from elsewhere is a file's name here. */
bool journal_check_name(const char *migration);

/* Open (and make, mode 0700) the directory; NULL: JOURNAL_DIR. A handle. */
int journal_open_dir(const char *path, struct error *e);

/* Move to a state and flush. -EINVAL: not allowed by the table: a bug, or a stranger. The journal in memory
 * has the new state only if the disk has it. */
int journal_move(struct journal *j, int dir, enum journal_state to, struct error *e);

/* Read one by its name; -ENOENT. A file that is damaged, or not ours, is an error that names it. */
int journal_read(int dir, const char *migration, struct journal **ret, struct error *e);

/* The journal of a container on this node in one of two states, the youngest if there are several; -ENOENT.
 */
int journal_find(int dir, const char *container, const char *root, bool source, struct journal **ret,
		 struct error *e);

int journal_remove(int dir, const char *migration, struct error *e);

/* This boot's id, from the kernel. */
int journal_boot(char ret[static BOOT_SIZE], struct error *e);

#endif
