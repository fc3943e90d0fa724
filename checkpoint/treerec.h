/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treerec.h - the records inside the frames of tree.h, put and got
 *
 * A frame is a row of whole records; a record is type (u8), length of what follows (u32), and that. Integers are
 * little-endian, paths and names have a length (u16) and no NUL. `meta` is mode, uid, gid, major, minor (u32 each), access
 * and modification time (i64 seconds, u32 nanoseconds each). `attrs` is a count (u16), and for each a name (u8 length) and a
 * value (u32 length).
 *
 *	BEGIN	magic u32, version u16, bytes u64, entries u64		the first record, once
 *	DIR	path, fresh u8			a directory is there from now on; fresh: a new, empty one
 *	FILE	path, meta, how u8, attrs	a regular file is open from now on (TREE_FILE_*)
 *	DATA	offset u64, bytes		into the open file
 *	HOLE	offset u64, size u64		nothing is there in the open file
 *	CLOSE	size u64			of the open file: cut or extended to size, its times set
 *	SYMLINK	path, meta, attrs, target
 *	NODE	path, meta, attrs		a device, fifo or socket
 *	LINK	path, path			the first becomes another name of the second
 *	REMOVE	path				and what is below
 *	ATTR	path, meta, attrs		of what is there; a directory is made if missing. "": the root
 *	END	entries u64, removed u64, data u64	the last record
 *
 * What stands in the way of a path is removed; missing directories on the way are made: while the source runs it may name
 * what it had no time to tell yet, and says so later. */
#ifndef CORACLE_TREEREC_H
#define CORACLE_TREEREC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "checkpoint/tree.h"

#define TREE_MAGIC	 0x65727443U /* "Ctre" */
#define TREE_VERSION	 1
#define TREE_ATTRS_MAX	 ((size_t)160 * 1024) /* all attributes of one object, encoded */
#define TREE_ATTR_COUNT	 512
#define TREE_VALUE_MAX	 ((size_t)64 * 1024) /* XATTR_SIZE_MAX */
#define TREE_RECORD_HEAD 5

enum tree_record {
	TREE_BEGIN = 1,
	TREE_DIR,
	TREE_FILE,
	TREE_DATA,
	TREE_HOLE,
	TREE_CLOSE,
	TREE_SYMLINK,
	TREE_NODE,
	TREE_LINK,
	TREE_REMOVE,
	TREE_ATTR,
	TREE_END,
	TREE_RECORD_MAX
};

enum tree_how {
	TREE_FILE_FRESH,   /* a new inode: another name of what was there keeps its content */
	TREE_FILE_REWRITE, /* the inode that is there, emptied first; else a new one */
	TREE_FILE_PATCH,   /* the inode that is there, only what comes is changed; else a new one */
	TREE_HOW_MAX
};

struct tree_meta {
	uint32_t mode, uid, gid, major, minor;
	struct timespec atime, mtime;
};

void tree_meta_of(const struct stat *st, struct tree_meta *ret);

/* ---- putting ---- */

struct tree_writer {
	tree_sink *sink;
	void *arg;
	size_t used;
	size_t record; /* where the record being made begins */
	uint64_t frames, bytes;
	uint8_t buf[TREE_FRAME_MAX];
};

/* Begin a record whose payload will be at most `room` bytes: the frame is sent first if it would not fit. */
int tree_put(struct tree_writer *w, enum tree_record type, size_t room, struct error *e);
void tree_put_u8(struct tree_writer *w, uint8_t x);
void tree_put_u16(struct tree_writer *w, uint16_t x);
void tree_put_u32(struct tree_writer *w, uint32_t x);
void tree_put_u64(struct tree_writer *w, uint64_t x);
void tree_put_bytes(struct tree_writer *w, const void *data, size_t size);
void tree_put_path(struct tree_writer *w, const char *path);
void tree_put_meta(struct tree_writer *w, const struct tree_meta *m);
/* Complete it. */
void tree_put_done(struct tree_writer *w);
/* Send what is in the frame. */
int tree_flush(struct tree_writer *w, struct error *e);

/* ---- getting: of a stranger's bytes ---- */

struct tree_reader {
	const uint8_t *at, *end;
	bool bad; /* something was longer than what was left */
};

uint8_t tree_get_u8(struct tree_reader *r);
uint16_t tree_get_u16(struct tree_reader *r);
uint32_t tree_get_u32(struct tree_reader *r);
uint64_t tree_get_u64(struct tree_reader *r);
/* `size` bytes in place, NULL (and bad) if there are not as many. */
const uint8_t *tree_get_bytes(struct tree_reader *r, size_t size);
/* A path into buf, NUL-terminated; bad unless it is one that stays below a root (tree_path_is_good, or "" with `root`). */
void tree_get_path(struct tree_reader *r, bool root, char buf[static TREE_PATH_MAX + 1]);
/* bad unless type and times are possible. */
void tree_get_meta(struct tree_reader *r, struct tree_meta *ret);

/* One attribute in place; name is not terminated. False after the last. */
struct tree_attr {
	const char *name;
	size_t name_size;
	const void *value;
	size_t value_size;
};
void tree_get_attr(struct tree_reader *r, struct tree_attr *ret);
/* A whole list, checked: every name allowed and none twice; the list's bytes are returned for tree_get_attr. */
struct tree_reader tree_get_attrs(struct tree_reader *r, uint16_t *ret_count);

/* Next record of a frame: 0 at its end, 1, or negative: the frame is malformed. */
int tree_next(struct tree_reader *frame, enum tree_record *ret_type, struct tree_reader *ret);

/* Not empty, no empty component, none "." or "..", none longer than 255, no NUL, no slash at either end. */
bool tree_path_is_good(const char *path, size_t size);

/* True if an attribute of this name is carried. */
bool tree_attr_is_carried(const char *name, size_t size);

#endif
