/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp_cache.c - finished filters on disk
 *
 * One file per profile in a directory of our own (mode 0700, below the state root). Its name is a hash of all
 * that the filter depends on and that is known without libseccomp; the library itself is named in the file
 * with its size and time, so that an upgrade makes new filters. What is read back decides what a container
 * may do: the file must be regular, ours, writable by nobody else, and carry its own checksum; anything else
 * is removed and made anew. */
#include "namespaces/seccomp_stages.h"

#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_SECCOMP
#include <seccomp.h>
#define LIBRARY_VERSION (SCMP_VER_MAJOR << 16 | SCMP_VER_MINOR << 8 | SCMP_VER_MICRO)
#else
#define LIBRARY_VERSION 0
#endif

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"

#define FORMAT "coracle seccomp filter 2"

struct stamp {
	uint64_t dev, ino, size, mtime_sec, mtime_nsec;
};

struct header {
	char format[32];
	uint8_t checksum[HASH_SIZE]; /* of all that follows in the file */
	uint32_t flags, count;	     /* count: instructions, after the header */
	struct stamp stamp;
	char compiler[256]; /* path of the library; "": part of our binary */
};

#define FILE_MAX (sizeof(struct header) + BPF_MAXINSNS * sizeof(struct sock_filter))

void seccomp_cache_key(const struct spec_seccomp *s, char ret[static HASH_HEX_SIZE])
{
	static const char ours[] = FORMAT " " PACKAGE_VERSION " " COMMIT;
	/* A 32-bit build on the same state root makes other filters. */
	const uint32_t numbers[] = { LIBRARY_VERSION, sizeof(void *), __BYTE_ORDER__ };
	uint8_t digest[HASH_SIZE];
	struct hash h;

	hash_init(&h);
	hash_add(&h, ours, sizeof(ours));
	hash_add(&h, numbers, sizeof(numbers));
	hash_add(&h, s->raw, s->raw_size);
	hash_end(&h, digest);
	hash_hex(digest, ret);
}

static bool stamp_of(const char *path, struct stamp *ret)
{
	struct stat st;

	memset(ret, 0, sizeof(*ret));
	if (!*path)
		return true;
	if (stat(path, &st) < 0)
		return false;
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	ret->size = (uint64_t)st.st_size;
	ret->mtime_sec = (uint64_t)st.st_mtim.tv_sec;
	ret->mtime_nsec = (uint64_t)st.st_mtim.tv_nsec;
	return true;
}

static void checksum(const void *file, size_t size, uint8_t ret[static HASH_SIZE])
{
	const size_t from = offsetof(struct header, flags);
	struct hash h;

	hash_init(&h);
	hash_add(&h, (const char *)file + from, size - from);
	hash_end(&h, ret);
}

/* ---- reading ---- */

/* An open file that nobody else could have made or changed. */
static bool is_ours(int fd, size_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) ||
	    st.st_nlink != 1)
		return false;
	*ret_size = (size_t)st.st_size;
	return st.st_size > (off_t)sizeof(struct header) && st.st_size <= (off_t)FILE_MAX;
}

static bool is_sound(const struct header *h, size_t size)
{
	uint8_t found[HASH_SIZE];
	struct stamp now;

	if (strncmp(h->format, FORMAT, sizeof(h->format)) != 0 ||
	    size != sizeof(*h) + h->count * sizeof(struct sock_filter))
		return false;
	checksum(h, size, found);
	if (memcmp(found, h->checksum, HASH_SIZE) != 0 || h->compiler[sizeof(h->compiler) - 1])
		return false;
	return stamp_of(h->compiler, &now) && memcmp(&now, &h->stamp, sizeof(now)) == 0;
}

static int take_filter(const struct header *h, struct seccomp_filter **ret)
{
	AUTO(seccomp_filter) struct seccomp_filter *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->size = h->count * sizeof(struct sock_filter);
	f->flags = h->flags;
	f->program = malloc(f->size);
	if (!f->program)
		return -ENOMEM;
	memcpy(f->program, h + 1, f->size);
	*ret = take_ptr(f);
	return 0;
}

int seccomp_cache_read(int dir, const char *key, struct seccomp_filter **ret)
{
	size_t size;

	/* Non-blocking: a fifo in its place must not hang us. */
	auto_close int fd = openat(dir, key, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd >= 0 && is_ours(fd, &size)) {
		auto_free struct header *file = malloc(size);
		if (file && read(fd, file, size) == (ssize_t)size && is_sound(file, size))
			return take_filter(file, ret);
	}
	log_debug("seccomp cache: %s cannot be trusted: removed", key);
	if (unlinkat(dir, key, 0) < 0 && errno == EISDIR)
		unlinkat(dir, key, AT_REMOVEDIR);
	return -ENOENT;
}

/* ---- writing ---- */

struct entry {
	char name[HASH_HEX_SIZE + 16]; /* ours; and "KEY.PID~", left by a writer that was killed */
	struct timespec time;
};

static int older_first(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->time, *y = &((const struct entry *)b)->time;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* What is in the directory, in a new list; one with a foreign, longer name is not ours to judge. */
static size_t list_entries(DIR *d, struct entry **ret)
{
	struct entry *list = NULL;
	size_t n = 0, room = 0;

	for (struct dirent *de; (de = readdir(d));) {
		struct stat st;
		if (n == room) {
			room = room ? 2 * room : 2 * SECCOMP_CACHE_ENTRIES;
			struct entry *grown = realloc(list, room * sizeof(*list));
			if (!grown)
				break;
			list = grown;
		}
		if (de->d_name[0] == '.' ||
		    str_format(list[n].name, sizeof(list[n].name), "%s", de->d_name) < 0 ||
		    fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		list[n++].time = st.st_mtim;
	}
	*ret = list;
	return n;
}

static void drop_oldest(int dir)
{
	auto_free struct entry *list = NULL;

	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	size_t n = list_entries(d, &list);
	if (n > SECCOMP_CACHE_ENTRIES) {
		qsort(list, n, sizeof(*list), older_first);
		for (size_t i = 0; i < n - SECCOMP_CACHE_ENTRIES; i++)
			unlinkat(dir, list[i].name, 0);
	}
	closedir(d);
}

void seccomp_cache_write(int dir, const char *key, const struct seccomp_filter *f, const char *compiler)
{
	size_t size = sizeof(struct header) + f->size;
	auto_free struct header *file = calloc(1, size);
	struct error e = { 0 };

	if (!file || str_format(file->compiler, sizeof(file->compiler), "%s", compiler) < 0 ||
	    !stamp_of(compiler, &file->stamp))
		return;
	memcpy(file->format, FORMAT, sizeof(FORMAT));
	file->flags = f->flags;
	file->count = (uint32_t)(f->size / sizeof(struct sock_filter));
	memcpy(file + 1, f->program, f->size);
	checksum(file, size, file->checksum);
	if (io_replace_file(dir, key, file, size, 0600, &e) < 0) {
		log_debug("seccomp cache: %s", e.msg);
		return;
	}
	drop_oldest(dir);
}
