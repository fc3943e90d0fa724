/* SPDX-License-Identifier: GPL-2.0-or-later */
/* treedigest.c - one name for all that a tree of files holds
 *
 * A walk that collects the digests of a directory's objects until it is left; then they are sorted and become its own. Memory:
 * those of the directories on the way down. The cache knows contents by inode, size and change time; like everything
 * that was written down, it is believed only if its own digest is right and nobody else could write it. */
#include "checkpoint/treedigest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/treesend.h"
#include "checkpoint/treeset.h"
#include "runtime/base/io.h"
#include "runtime/base/sys.h"

#define BLOCK	    ((size_t)1024 * 1024)
#define CACHE_MAX   ((size_t)1024 * 1024 * 1024)
#define CACHE_MAGIC "coracle-digests-1\n"
#define SETTLED_NS \
	INT64_C(1000000000) /* a change time younger than this may be that of the next change, too */

struct cache_key {
	uint64_t dev, ino, size;
	int64_t ctime_s, ctime_ns;
};

struct cache_row {
	struct cache_key key;
	uint8_t digest[HASH_SIZE];
};

/* An object of a directory that is being walked. */
struct child {
	uint8_t digest[HASH_SIZE];
	char *name;
};

struct level {
	struct child *list;
	size_t count, room;
};

struct digesting {
	struct tree_place place;
	struct level *levels;
	size_t depth, room;
	struct tree_set *known; /* struct cache_key → digest, as read */
	struct cache_row *rows; /* what this tree has, to be written */
	size_t row_count, row_room;
	struct timespec now;
	uint8_t root[HASH_SIZE];
	struct tree_attrs attrs;
	uint8_t block[BLOCK] __attribute__((aligned(16)));
};

/* ---- hashing ---- */

static void add_number(struct hash *h, uint64_t x, int size)
{
	uint8_t bytes[8];

	for (int i = 0; i < size; i++)
		bytes[i] = (uint8_t)(x >> (8 * i));
	hash_add(h, bytes, (size_t)size);
}

static bool is_zero(const uint8_t *p, size_t size)
{
	return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

/* The blocks of a hole. */
static void add_holes(struct hash *h, off_t blocks)
{
	static const uint8_t zeros[HASH_SIZE];

	for (off_t i = 0; i < blocks; i++)
		hash_add(h, zeros, sizeof(zeros));
}

static ssize_t read_block(int fd, uint8_t *block, off_t at)
{
	size_t got = 0;

	while (got < BLOCK) {
		ssize_t n = pread(fd, block + got, BLOCK - got, at + (off_t)got);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static int hash_content(struct digesting *d, int fd, off_t size, uint8_t ret[static HASH_SIZE])
{
	struct hash all, one;

	hash_init(&all);
	hash_add(&all, "coracle-content-1", 17);
	add_number(&all, (uint64_t)size, 8);
	for (off_t at = 0; at < size; at += (off_t)BLOCK) {
		off_t data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			data = (size + (off_t)BLOCK - 1) / (off_t)BLOCK * (off_t)BLOCK;
		off_t skipped = data > at ? (data - at) / (off_t)BLOCK : 0;
		add_holes(&all, skipped);
		at += skipped * (off_t)BLOCK;
		if (at >= size)
			break;
		uint8_t digest[HASH_SIZE] = { 0 };
		ssize_t n = read_block(fd, d->block, at);
		if (n < 0)
			return (int)n;
		if (!is_zero(d->block, (size_t)n)) {
			hash_init(&one);
			hash_add(&one, d->block, (size_t)n);
			hash_end(&one, digest);
		}
		hash_add(&all, digest, sizeof(digest));
	}
	hash_end(&all, ret);
	return 0;
}

/* ---- the cache ---- */

static struct cache_key key_of(const struct stat *st)
{
	return (struct cache_key){ .dev = st->st_dev,
				   .ino = st->st_ino,
				   .size = (uint64_t)st->st_size,
				   .ctime_s = st->st_ctim.tv_sec,
				   .ctime_ns = st->st_ctim.tv_nsec };
}

static bool is_settled(const struct digesting *d, const struct stat *st)
{
	return (d->now.tv_sec - st->st_ctim.tv_sec) * INT64_C(1000000000) + d->now.tv_nsec -
		       st->st_ctim.tv_nsec >
	       SETTLED_NS;
}

static int remember(struct digesting *d, const struct stat *st, const uint8_t digest[static HASH_SIZE])
{
	if (!d->known || !is_settled(d, st))
		return 0;
	if (d->row_count == d->row_room) {
		size_t room = d->row_room ? 2 * d->row_room : 256;
		struct cache_row *more = reallocarray(d->rows, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		d->rows = more;
		d->row_room = room;
	}
	d->rows[d->row_count].key = key_of(st);
	memcpy(d->rows[d->row_count++].digest, digest, HASH_SIZE);
	return 0;
}

static void cache_name(const struct stat *root, char ret[static 64])
{
	snprintf(ret, 64, "content-%llx-%llx", (unsigned long long)root->st_dev,
		 (unsigned long long)root->st_ino);
}

static void seal_cache(const void *data, size_t size, uint8_t ret[static HASH_SIZE])
{
	struct hash h;

	hash_init(&h);
	hash_add(&h, data, size);
	hash_end(&h, ret);
}

/* What is not as we wrote it is as good as none. */
static void read_cache(struct digesting *d, int cache, const char *name)
{
	const size_t head = sizeof(CACHE_MAGIC) - 1;
	auto_free char *text = NULL;
	uint8_t seal[HASH_SIZE];
	struct error ignored;
	struct stat st;
	size_t size;

	auto_close int fd = openat(cache, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_mode & 022)
		return;
	if (io_read_fd(fd, CACHE_MAX, &text, &size, &ignored) < 0 || size < head + HASH_SIZE ||
	    memcmp(text, CACHE_MAGIC, head) != 0 || (size - head - HASH_SIZE) % sizeof(struct cache_row))
		return;
	seal_cache(text, size - HASH_SIZE, seal);
	if (memcmp(seal, text + size - HASH_SIZE, HASH_SIZE) != 0)
		return;
	for (size_t at = head; at < size - HASH_SIZE; at += sizeof(struct cache_row)) {
		struct cache_row row;
		bool is_new;
		memcpy(&row, text + at, sizeof(row));
		void *value = tree_set_put(d->known, &row.key, sizeof(row.key), &is_new);
		if (value)
			memcpy(value, row.digest, HASH_SIZE);
	}
}

static int write_cache(struct digesting *d, int cache, const char *name, struct error *e)
{
	const size_t head = sizeof(CACHE_MAGIC) - 1, rows = d->row_count * sizeof(struct cache_row);
	auto_free char *text = malloc(head + rows + HASH_SIZE);

	if (!text)
		return fail(e, ENOMEM, "%s", name);
	memcpy(text, CACHE_MAGIC, head);
	if (rows)
		memcpy(text + head, d->rows, rows);
	seal_cache(text, head + rows, (uint8_t *)text + head + rows);
	return io_replace_file(cache, name, text, head + rows + HASH_SIZE, 0600, e);
}

static int digest_content(struct digesting *d, int fd, const struct stat *st, uint8_t ret[static HASH_SIZE])
{
	struct cache_key key = key_of(st);
	const uint8_t *known = d->known ? tree_set_find(d->known, &key, sizeof(key)) : NULL;
	int r = 0;

	if (known)
		memcpy(ret, known, HASH_SIZE);
	else
		r = hash_content(d, fd, st->st_size, ret);
	return r < 0 ? r : remember(d, st, ret);
}

/* ---- objects ---- */

static void begin_object(struct digesting *d, struct hash *h, const struct stat *st)
{
	struct tree_meta m;

	tree_meta_of(st, &m);
	hash_init(h);
	hash_add(h, "coracle-object-1", 16);
	add_number(h, m.mode, 4);
	add_number(h, m.uid, 4);
	add_number(h, m.gid, 4);
	add_number(h, m.major, 4);
	add_number(h, m.minor, 4);
	hash_add(h, d->attrs.bytes, d->attrs.size);
}

static int digest_file(struct digesting *d, const struct tree_entry *t, uint8_t ret[static HASH_SIZE],
		       struct error *e)
{
	uint8_t content[HASH_SIZE];
	struct stat st;
	struct hash h;
	auto_close int fd = openat(t->dir, t->name,
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(e, errno, "open %s/%s", d->place.name, t->path);
	if (!S_ISREG(st.st_mode))
		return refuse(e, EBUSY, "%s/%s changed", d->place.name, t->path);
	int r = tree_read_attrs(&d->attrs, fd, -1, NULL, false, &d->place, t->path, e);
	if (r < 0)
		return r;
	r = digest_content(d, fd, &st, content);
	if (r < 0)
		return fail(e, -r, "read %s/%s", d->place.name, t->path);
	begin_object(d, &h, &st);
	hash_add(&h, content, sizeof(content));
	hash_end(&h, ret);
	return 0;
}

static int digest_other(struct digesting *d, const struct tree_entry *t, uint8_t ret[static HASH_SIZE],
			struct error *e)
{
	char target[TREE_PATH_MAX + 1];
	struct stat st;
	struct hash h;
	ssize_t n = 0;

	if (fstatat(t->dir, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(e, errno, "look at %s/%s", d->place.name, t->path);
	int r = tree_read_attrs(&d->attrs, -1, t->dir, t->name, false, &d->place, t->path, e);
	if (r < 0)
		return r;
	begin_object(d, &h, &st);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(t->dir, t->name, target, sizeof(target));
		if (n < 0)
			return fail(e, errno, "read link %s/%s", d->place.name, t->path);
		add_number(&h, (uint64_t)n, 2);
		hash_add(&h, target, (size_t)n);
	}
	hash_end(&h, ret);
	return 0;
}

/* ---- directories ---- */

static int add_child(struct level *l, const char *name, const uint8_t digest[static HASH_SIZE])
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct child *more = reallocarray(l->list, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		l->list = more;
		l->room = room;
	}
	struct child *c = &l->list[l->count];
	c->name = strdup(name);
	if (!c->name)
		return -ENOMEM;
	memcpy(c->digest, digest, HASH_SIZE);
	l->count++;
	return 0;
}

static void level_done(struct level *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->list[i].name);
	free(l->list);
}

static int compare_children(const void *a, const void *b)
{
	return strcmp(((const struct child *)a)->name, ((const struct child *)b)->name);
}

static int digest_entered(void *arg, const char *path, int dir, struct error *e)
{
	struct digesting *d = arg;

	(void)path;
	(void)dir;
	if (d->depth == d->room) {
		size_t room = d->room ? 2 * d->room : 16;
		struct level *more = reallocarray(d->levels, room, sizeof(*more));
		if (!more)
			return fail(e, ENOMEM, "%s", d->place.name);
		d->levels = more;
		d->room = room;
	}
	d->levels[d->depth++] = (struct level){ 0 };
	return 0;
}

static int digest_met(void *arg, const struct tree_entry *t, struct error *e)
{
	struct digesting *d = arg;
	uint8_t digest[HASH_SIZE];
	int r = t->type == IFTODT(S_IFREG) ? digest_file(d, t, digest, e) : digest_other(d, t, digest, e);

	if (r < 0)
		return r;
	return add_child(&d->levels[d->depth - 1], t->name, digest) < 0 ? fail(e, ENOMEM, "%s", d->place.name)
									: 0;
}

static int digest_left(void *arg, const char *path, int dir, struct error *e)
{
	struct digesting *d = arg;
	struct level *l = &d->levels[d->depth - 1];
	const char *slash = strrchr(path, '/');
	uint8_t digest[HASH_SIZE];
	struct stat st;
	struct hash h;

	if (fstat(dir, &st) < 0)
		return fail(e, errno, "look at %s/%s", d->place.name, path);
	int r = tree_read_attrs(&d->attrs, dir, -1, NULL, false, &d->place, path, e);
	if (r < 0)
		return r;
	begin_object(d, &h, &st);
	if (l->count)
		qsort(l->list, l->count, sizeof(*l->list), compare_children);
	add_number(&h, l->count, 8);
	for (size_t i = 0; i < l->count; i++) {
		size_t n = strlen(l->list[i].name);
		add_number(&h, n, 2);
		hash_add(&h, l->list[i].name, n);
		hash_add(&h, l->list[i].digest, HASH_SIZE);
	}
	hash_end(&h, digest);
	level_done(l);
	d->depth--;
	if (d->depth == 0) {
		memcpy(d->root, digest, HASH_SIZE);
		return 0;
	}
	return add_child(&d->levels[d->depth - 1], slash ? slash + 1 : path, digest) < 0
		       ? fail(e, ENOMEM, "%s", d->place.name)
		       : 0;
}

static void digesting_done(struct digesting *d)
{
	while (d->depth)
		level_done(&d->levels[--d->depth]);
	free(d->levels);
	free(d->rows);
	tree_set_free(d->known);
	cleanup_close(&d->place.root);
	free(d);
}

static int digest_root(struct digesting *d, int cache, struct error *e)
{
	const struct tree_visitor v = { .enter = digest_entered, .entry = digest_met, .leave = digest_left };
	char file[64];
	struct stat st;

	if (fstat(d->place.root, &st) < 0)
		return fail(e, errno, "look at %s", d->place.name);
	cache_name(&st, file);
	clock_gettime(CLOCK_REALTIME, &d->now);
	if (d->known)
		read_cache(d, cache, file);
	int r = tree_walk(&d->place, "", &v, d, e);
	if (r == 0 && d->known)
		r = write_cache(d, cache, file, e);
	return r;
}

int tree_digest(int root, const char *name, int cache, uint8_t ret[static HASH_SIZE], struct error *e)
{
	struct digesting *d = calloc(1, sizeof(*d));

	if (!d)
		return fail(e, ENOMEM, "%s", name);
	d->place.name = (char *)name;
	d->known = cache >= 0 ? tree_set_new(HASH_SIZE) : NULL;
	d->place.root = tree_detach(root, name, false, false, e);
	int r = d->place.root < 0 ? d->place.root : digest_root(d, cache, e);
	if (r == 0)
		memcpy(ret, d->root, HASH_SIZE);
	digesting_done(d);
	return r < 0 ? r : 0;
}
