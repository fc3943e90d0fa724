/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memfs.c - the files of a memory file system as one stream: a record for each object, depth first
 *
 * A record is a fixed head, the name, then what the kind asks for: a link's target, a hard link's number, a
 * file's pieces (offset, length, bytes; length 0 ends them). A directory's record opens it, RECORD_UP closes
 * it and sets its times. */
#include "checkpoint/memfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

enum { BUFFER = 256 * 1024, MOST_DEEP = 256 };
static const char magic[8] = "CORAMEM1";

enum kind { RECORD_END, RECORD_UP, RECORD_DIR, RECORD_FILE, RECORD_LINK, RECORD_HARD, RECORD_NODE };

struct head {
	uint16_t kind, name_size;
	uint32_t mode, uid, gid;
	int64_t mtime_s, atime_s;
	uint32_t mtime_ns, atime_ns;
	uint32_t links, unused;
	uint64_t size; /* file: bytes; link: of its target; hard: the number of the first */
};

struct piece {
	uint64_t offset, size;
};

/* What has several names is numbered as it comes, so that a hard link can name the first of its kind. */
struct saver {
	int out;
	size_t used;
	struct seen {
		uint64_t ino, number;
	} * seen;
	size_t n_seen;
	uint64_t number;
	dev_t dev;
	uint8_t *buffer;
};

/* ---- out ---- */

static int flush(struct saver *s, struct error *e)
{
	int r = s->used ? io_write_all(s->out, s->buffer, s->used, e) : 0;
	s->used = 0;
	return r;
}

static int put(struct saver *s, const void *data, size_t size, struct error *e)
{
	if (s->used + size > BUFFER) {
		int r = flush(s, e);
		if (r < 0)
			return r;
	}
	if (size > BUFFER)
		return io_write_all(s->out, data, size, e);
	memcpy(s->buffer + s->used, data, size);
	s->used += size;
	return 0;
}

static int put_head(struct saver *s, enum kind kind, const char *name, const struct stat *st, uint64_t size,
		    struct error *e)
{
	struct head h = { .kind = kind,
			  .name_size = (uint16_t)strlen(name),
			  .mode = st->st_mode,
			  .uid = st->st_uid,
			  .gid = st->st_gid,
			  .mtime_s = st->st_mtim.tv_sec,
			  .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
			  .atime_s = st->st_atim.tv_sec,
			  .atime_ns = (uint32_t)st->st_atim.tv_nsec,
			  .links = (uint32_t)st->st_nlink,
			  .size = size };
	int r = put(s, &h, sizeof(h), e);
	return r == 0 ? put(s, name, h.name_size, e) : r;
}

static int put_piece(struct saver *s, int fd, off_t from, off_t to, struct error *e)
{
	struct piece p = { (uint64_t)from, (uint64_t)(to - from) };

	int r = put(s, &p, sizeof(p), e);
	while (r == 0 && from < to) {
		if (s->used == BUFFER && (r = flush(s, e)) < 0)
			return r;
		size_t want = BUFFER - s->used;
		if ((off_t)want > to - from)
			want = (size_t)(to - from);
		ssize_t n = pread(fd, s->buffer + s->used, want, from);
		if (n <= 0)
			return fail(e, n < 0 ? errno : EIO, "read");
		s->used += (size_t)n;
		from += n;
	}
	return r;
}

static int save_file(struct saver *s, int dir, const char *name, const struct stat *st, struct error *e)
{
	struct piece end = { 0, 0 };

	auto_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open");
	int r = put_head(s, RECORD_FILE, name, st, (uint64_t)st->st_size, e);
	for (off_t at = 0; r == 0 && at < st->st_size;) {
		off_t from = lseek(fd, at, SEEK_DATA);
		if (from < 0 && errno == ENXIO)
			break;
		off_t to = from < 0 ? -1 : lseek(fd, from, SEEK_HOLE);
		if (to < 0)
			return fail(e, errno, "lseek");
		r = put_piece(s, fd, from, to, e);
		at = to;
	}
	return r == 0 ? put(s, &end, sizeof(end), e) : r;
}

static int save_link(struct saver *s, int dir, const char *name, const struct stat *st, struct error *e)
{
	char target[PATH_MAX];

	ssize_t n = readlinkat(dir, name, target, sizeof(target));
	if (n < 0)
		return fail(e, errno, "readlink");
	int r = put_head(s, RECORD_LINK, name, st, (uint64_t)n, e);
	return r == 0 ? put(s, target, (size_t)n, e) : r;
}

/* 1: it was saved before, under another name. */
static int save_again(struct saver *s, const char *name, const struct stat *st, struct error *e)
{
	for (size_t i = 0; i < s->n_seen; i++)
		if (s->seen[i].ino == st->st_ino) {
			int r = put_head(s, RECORD_HARD, name, st, s->seen[i].number, e);
			return r < 0 ? r : 1;
		}
	struct seen *grown = realloc(s->seen, (s->n_seen + 1) * sizeof(*grown));
	if (!grown)
		return fail(e, ENOMEM, "hard links");
	s->seen = grown;
	s->seen[s->n_seen++] = (struct seen){ st->st_ino, s->number++ };
	return 0;
}

/* Something is mounted there: what is below cannot be seen, but there has to be something to mount on. */
static int save_mount_point(struct saver *s, const char *name, const struct stat *st, struct error *e)
{
	struct stat plain = { .st_mode = S_ISDIR(st->st_mode) ? S_IFDIR | 0755 : S_IFREG | 0644,
			      .st_nlink = 1 };
	struct piece end = { 0, 0 };

	if (S_ISDIR(plain.st_mode)) {
		int r = put_head(s, RECORD_DIR, name, &plain, 0, e);
		return r == 0 ? put_head(s, RECORD_UP, "", &plain, 0, e) : r;
	}
	int r = put_head(s, RECORD_FILE, name, &plain, 0, e);
	return r == 0 ? put(s, &end, sizeof(end), e) : r;
}

static int save_directory(struct saver *s, int parent, const char *name, int depth, struct error *e);

static int save_one(struct saver *s, int dir, const char *name, int depth, struct error *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(e, errno, "stat");
	if (st.st_dev != s->dev)
		return save_mount_point(s, name, &st, e);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return 0;
	if (S_ISDIR(st.st_mode)) {
		int r = put_head(s, RECORD_DIR, name, &st, 0, e);
		return r == 0 ? save_directory(s, dir, name, depth + 1, e) : r;
	}
	int r = st.st_nlink > 1 ? save_again(s, name, &st, e) : 0;
	if (r != 0)
		return r < 0 ? r : 0;
	if (S_ISREG(st.st_mode))
		return save_file(s, dir, name, &st, e);
	return S_ISLNK(st.st_mode) ? save_link(s, dir, name, &st, e)
				   : put_head(s, RECORD_NODE, name, &st, 0, e);
}

static int save_directory(struct saver *s, int parent, const char *name, int depth, struct error *e)
{
	struct stat st;
	int r = 0;

	auto_close int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0)
		return fail(e, errno, "open %s", name);
	if (depth > MOST_DEEP)
		return refuse(e, ELOOP, "directories are nested more than %d deep", MOST_DEEP);
	if (!depth)
		s->dev = st.st_dev;
	int own = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	DIR *list = own < 0 ? NULL : fdopendir(own);
	if (!list)
		return fail(e, errno, "list %s", name);
	for (struct dirent *d; r == 0 && (d = readdir(list));)
		if (!str_eq(d->d_name, ".") && !str_eq(d->d_name, "..") &&
		    (r = save_one(s, dir, d->d_name, depth, e)) < 0)
			r = prefix(e, "%s", d->d_name);
	closedir(list);
	return r == 0 ? put_head(s, depth ? RECORD_UP : RECORD_END, "", &st, 0, e) : r;
}

int memfs_save(int dir, int out, struct error *e)
{
	struct saver s = { .out = out, .buffer = malloc(BUFFER) };

	if (!s.buffer)
		return fail(e, ENOMEM, "save files");
	int r = put(&s, magic, sizeof(magic), e);
	if (r == 0)
		r = save_directory(&s, dir, ".", 0, e);
	if (r == 0)
		r = flush(&s, e);
	free(s.seen);
	free(s.buffer);
	return r;
}

/* ---- in ---- */

struct loader {
	int in;
	uint8_t *buffer;
	size_t used, at;
	int dirs[MOST_DEEP + 2]; /* those open, from the mount's own down */
	int depth;
	struct place {
		int dir; /* kept open until the end: hard links are rare */
		char *name;
	} * places; /* by number; only of what is no directory */
	size_t n_places;
};

static int get(struct loader *l, void *data, size_t size, struct error *e)
{
	uint8_t *to = data;

	while (size) {
		if (l->at == l->used) {
			ssize_t n = read(l->in, l->buffer, BUFFER);
			if (n < 0)
				return fail(e, errno, "read");
			if (n == 0)
				return refuse(e, EPROTO, "the stream of files ends early");
			l->used = (size_t)n;
			l->at = 0;
		}
		size_t n = l->used - l->at < size ? l->used - l->at : size;
		memcpy(to, l->buffer + l->at, n);
		l->at += n;
		to += n;
		size -= n;
	}
	return 0;
}

static int set_times(int dir, const char *name, const struct head *h, struct error *e)
{
	struct timespec times[2] = { { h->atime_s, h->atime_ns }, { h->mtime_s, h->mtime_ns } };

	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(e, errno, "set times");
	return 0;
}

/* Owner first: it takes set-user-ID bits away. */
static int set_owner(int dir, const char *name, const struct head *h, struct error *e)
{
	if (fchownat(dir, name, h->uid, h->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(e, errno, "chown");
	if (!S_ISLNK(h->mode) && fchmodat(dir, name, h->mode & 07777, 0) < 0)
		return fail(e, errno, "chmod");
	return 0;
}

static int keep_place(struct loader *l, const char *name, struct error *e)
{
	struct place *grown = realloc(l->places, (l->n_places + 1) * sizeof(*grown));
	if (!grown)
		return fail(e, ENOMEM, "load files");
	l->places = grown;
	struct place *p = &l->places[l->n_places];
	p->dir = fcntl(l->dirs[l->depth], F_DUPFD_CLOEXEC, 3);
	p->name = strdup(name);
	l->n_places++;
	return p->dir < 0 || !p->name ? fail(e, errno ? errno : ENOMEM, "load files") : 0;
}

static int load_pieces(struct loader *l, int fd, uint64_t size, struct error *e)
{
	uint8_t block[65536];
	struct piece p;

	for (;;) {
		int r = get(l, &p, sizeof(p), e);
		if (r < 0 || !p.size)
			return r;
		if (p.offset > size || p.size > size - p.offset)
			return refuse(e, EPROTO, "a piece lies outside of its file");
		while (p.size) {
			size_t n = p.size < sizeof(block) ? (size_t)p.size : sizeof(block);
			r = get(l, block, n, e);
			if (r < 0)
				return r;
			if (pwrite(fd, block, n, (off_t)p.offset) != (ssize_t)n)
				return fail(e, errno, "write");
			p.offset += n;
			p.size -= n;
		}
	}
}

static int load_file(struct loader *l, int dir, const char *name, const struct head *h, struct error *e)
{
	auto_close int fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(e, errno, "make");
	if (!S_ISREG(st.st_mode) || h->size > INT64_MAX)
		return refuse(e, EPROTO, "not a file");
	if (ftruncate(fd, (off_t)h->size) < 0)
		return fail(e, errno, "set its size");
	return load_pieces(l, fd, h->size, e);
}

static int load_link(struct loader *l, int dir, const char *name, const struct head *h, struct error *e)
{
	char target[PATH_MAX];

	if (h->size >= sizeof(target))
		return refuse(e, EPROTO, "a link's target of %llu bytes", (unsigned long long)h->size);
	int r = get(l, target, h->size, e);
	if (r < 0)
		return r;
	target[h->size] = '\0';
	unlinkat(dir, name, 0);
	return symlinkat(target, dir, name) < 0 ? fail(e, errno, "make a link") : 0;
}

static int load_hard(struct loader *l, int dir, const char *name, const struct head *h, struct error *e)
{
	if (h->size >= l->n_places || !l->places[h->size].name)
		return refuse(e, EPROTO, "a link to what is not there");
	const struct place *p = &l->places[h->size];
	unlinkat(dir, name, 0);
	return linkat(p->dir, p->name, dir, name, 0) < 0 ? fail(e, errno, "link") : 0;
}

static int load_node(int dir, const char *name, const struct head *h, struct error *e)
{
	if (!S_ISFIFO(h->mode) && !S_ISSOCK(h->mode))
		return refuse(e, EPROTO, "a device");
	unlinkat(dir, name, 0);
	return mknodat(dir, name, h->mode & (S_IFMT | 07777), 0) < 0 ? fail(e, errno, "make") : 0;
}

static int enter_directory(struct loader *l, const char *name, struct error *e)
{
	int dir = l->dirs[l->depth];

	if (l->depth >= MOST_DEEP)
		return refuse(e, EPROTO, "directories are nested more than %d deep", MOST_DEEP);
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make a directory");
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open");
	l->dirs[++l->depth] = fd;
	return 0;
}

static int leave_directory(struct loader *l, const struct head *h, struct error *e)
{
	if (l->depth == 0)
		return refuse(e, EPROTO, "the stream of files leaves its root");
	int r = set_owner(l->dirs[l->depth], ".", h, e);
	if (r == 0)
		r = set_times(l->dirs[l->depth], ".", h, e);
	close(l->dirs[l->depth--]);
	return r;
}

static int load_object(struct loader *l, const struct head *h, const char *name, struct error *e)
{
	int dir = l->dirs[l->depth], r;

	if (h->kind == RECORD_DIR)
		return enter_directory(l, name, e);
	if (h->kind == RECORD_HARD)
		return load_hard(l, dir, name, h, e);
	if (h->kind == RECORD_FILE)
		r = load_file(l, dir, name, h, e);
	else if (h->kind == RECORD_LINK)
		r = load_link(l, dir, name, h, e);
	else if (h->kind == RECORD_NODE)
		r = load_node(dir, name, h, e);
	else
		r = refuse(e, EPROTO, "a record of kind %u", h->kind);
	if (r == 0)
		r = set_owner(dir, name, h, e);
	if (r == 0)
		r = set_times(dir, name, h, e);
	return r == 0 && h->links > 1 ? keep_place(l, name, e) : r;
}

/* 0 at the end, 1 if there is more. */
static int load_record(struct loader *l, struct error *e)
{
	char name[NAME_MAX + 1];
	struct head h;

	int r = get(l, &h, sizeof(h), e);
	if (r < 0)
		return r;
	if (h.kind == RECORD_UP) {
		r = leave_directory(l, &h, e);
		return r < 0 ? r : 1;
	}
	if (h.kind == RECORD_END)
		return l->depth ? refuse(e, EPROTO, "the stream of files ends in a directory")
				: set_owner(l->dirs[0], ".", &h, e);
	if (!h.name_size || h.name_size > NAME_MAX)
		return refuse(e, EPROTO, "a name of %u bytes", h.name_size);
	r = get(l, name, h.name_size, e);
	if (r < 0)
		return r;
	name[h.name_size] = '\0';
	if (strlen(name) != h.name_size || strchr(name, '/') || str_eq(name, ".") || str_eq(name, ".."))
		return refuse(e, EPROTO, "a name that is none");
	r = load_object(l, &h, name, e);
	return r < 0 ? prefix(e, "%s", name) : 1;
}

int memfs_load(int in, int dir, struct error *e)
{
	struct loader l = { .in = in, .buffer = malloc(BUFFER) };
	char start[sizeof(magic)];

	if (!l.buffer)
		return fail(e, ENOMEM, "load files");
	l.dirs[0] = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = l.dirs[0] < 0 ? fail(e, errno, "open") : get(&l, start, sizeof(start), e);
	if (r == 0 && memcmp(start, magic, sizeof(magic)) != 0)
		r = refuse(e, EPROTO, "not a stream of files");
	if (r == 0)
		do
			r = load_record(&l, e);
		while (r == 1);
	while (l.depth >= 0 && l.dirs[0] >= 0)
		close(l.dirs[l.depth--]);
	for (size_t i = 0; i < l.n_places; i++) {
		cleanup_close(&l.places[i].dir);
		free(l.places[i].name);
	}
	free(l.places);
	free(l.buffer);
	return r;
}
