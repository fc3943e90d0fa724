/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer.c - what tests of migration run: it changes files all the time, and knows what each of them must hold
 *
 *	writer FILES
 *
 * The model is in memory, which moves by CRIU; the files move by coracle: wherever the two were not of the same instant, a look at the
 * files finds it. Each millisecond one file is patched, rewritten, cut, renamed, replaced, linked or removed, a word of a mapped
 * file is written through the mapping, and one file is read whole and compared. Into /state, as counter.c:
 *	COUNT GAP_US ERRORS FILES */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	  4096
#define BLOCKS	  40 /* of a file at most */
#define MAPPED	  (256 * 1024)
#define FILES_MAX 1000

struct file {
	int name;   /* of /work/dN/NAME */
	int blocks; /* 0: it is not there */
	int also;   /* another name of it, or -1 */
	uint32_t version[BLOCKS];
};

static struct file files[FILES_MAX];
static int count, next_name;
static uint64_t errors, seed = 88172645463325252ULL;
static uint64_t *mapped, model[MAPPED / 8];

static uint64_t any(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static const char *path_of(int name)
{
	static char paths[4][64];
	static int at;
	char *path = paths[at++ % 4];

	snprintf(path, sizeof(paths[0]), "/work/d%d/%d", name % 7, name);
	return path;
}

static void fill(uint64_t *block, int file, int index, uint32_t version)
{
	uint64_t x = (uint64_t)file << 40 ^ (uint64_t)index << 32 ^ version;

	for (int i = 0; i < BLOCK / 8; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		block[i] = x;
	}
}

static void write_block(int fd, int file, int index)
{
	uint64_t block[BLOCK / 8];

	fill(block, file, index, ++files[file].version[index]);
	if (pwrite(fd, block, BLOCK, (off_t)index * BLOCK) != BLOCK)
		errors++;
}

static void write_file(int file, int flags)
{
	struct file *f = &files[file];
	int fd = open(path_of(f->name), O_WRONLY | O_CREAT | flags, 0644);

	if (fd < 0) {
		errors++;
		return;
	}
	if (flags & O_TRUNC) {
		f->blocks = 1 + (int)any(BLOCKS);
		for (int i = 0; i < f->blocks; i++)
			write_block(fd, file, i);
	} else {
		write_block(fd, file, (int)any((uint64_t)f->blocks));
	}
	close(fd);
}

static void cut_file(int file)
{
	struct file *f = &files[file];
	int blocks = 1 + (int)any((uint64_t)f->blocks);

	if (truncate(path_of(f->name), (off_t)blocks * BLOCK) < 0)
		errors++;
	f->blocks = blocks;
}

static void move_file(int file)
{
	struct file *f = &files[file];
	int name = next_name++;

	if (rename(path_of(f->name), path_of(name)) < 0)
		errors++;
	f->name = name;
}

static void link_file(int file)
{
	struct file *f = &files[file];

	if (f->also >= 0) {
		if (unlink(path_of(f->also)) < 0)
			errors++;
		f->also = -1;
		return;
	}
	f->also = next_name++;
	if (link(path_of(f->name), path_of(f->also)) < 0)
		errors++;
}

static void remove_file(int file)
{
	struct file *f = &files[file];

	if (unlink(path_of(f->name)) < 0 || (f->also >= 0 && unlink(path_of(f->also)) < 0))
		errors++;
	f->also = -1;
	f->blocks = 0;
	f->name = next_name++;
}

/* A new file in its place, as editors do it; its other name keeps what it had: give that up first. */
static void replace_file(int file)
{
	struct file *f = &files[file];
	int old = f->name;

	if (f->also >= 0)
		link_file(file);
	f->name = next_name++;
	write_file(file, O_TRUNC | O_EXCL);
	if (rename(path_of(f->name), path_of(old)) < 0)
		errors++;
	f->name = old;
}

static void check_name(int file, int name)
{
	struct file *f = &files[file];
	uint64_t want[BLOCK / 8], block[BLOCK / 8];
	struct stat st;
	int fd = open(path_of(name), O_RDONLY);

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size != (off_t)f->blocks * BLOCK ||
	    st.st_nlink != (f->also >= 0 ? 2U : 1U))
		errors++;
	for (int i = 0; fd >= 0 && i < f->blocks; i++) {
		fill(want, file, i, f->version[i]);
		if (pread(fd, block, BLOCK, (off_t)i * BLOCK) != BLOCK || memcmp(block, want, BLOCK) != 0)
			errors++;
	}
	close(fd);
}

static void check_file(int file)
{
	if (files[file].blocks == 0) {
		if (access(path_of(files[file].name), F_OK) == 0)
			errors++;
		return;
	}
	check_name(file, files[file].name);
	if (files[file].also >= 0)
		check_name(file, files[file].also);
}

static void change_file(int file)
{
	if (files[file].blocks == 0) {
		write_file(file, O_TRUNC);
		return;
	}
	switch (any(8)) {
	case 0:
		cut_file(file);
		break;
	case 1:
		move_file(file);
		break;
	case 2:
		link_file(file);
		break;
	case 3:
		remove_file(file);
		break;
	case 4:
		replace_file(file);
		break;
	case 5:
		write_file(file, O_TRUNC);
		break;
	default:
		write_file(file, 0);
	}
}

static int make_mapped(void)
{
	int fd = open("/work/mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || ftruncate(fd, MAPPED) < 0)
		return -1;
	mapped = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return mapped == MAP_FAILED ? -1 : 0;
}

static void check_mapped(void)
{
	static uint64_t copy[MAPPED / 8];
	int fd = open("/work/mapped", O_RDONLY);

	if (fd < 0 || pread(fd, copy, MAPPED, 0) != MAPPED || memcmp(copy, model, MAPPED) != 0 ||
	    memcmp(mapped, model, MAPPED) != 0)
		errors++;
	close(fd);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	int64_t last = 0, gap = 0;
	char line[80];

	count = argc > 1 ? atoi(argv[1]) : 100;
	if (count < 1 || count > FILES_MAX)
		return 1;
	mkdir("/work", 0755);
	for (int i = 0; i < 7; i++) {
		snprintf(line, sizeof(line), "/work/d%d", i);
		mkdir(line, 0755);
	}
	next_name = count;
	for (int i = 0; i < count; i++) {
		files[i].name = i;
		files[i].also = -1;
		write_file(i, O_TRUNC);
	}
	if (make_mapped() < 0)
		return 2;
	int state = open("/state", O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (state < 0)
		return 3;
	for (uint64_t n = 1;; n++) {
		change_file((int)any((uint64_t)count));
		size_t word = any(MAPPED / 8);
		mapped[word] = model[word] = n;
		check_file((int)(n % (uint64_t)count));
		if (n % 50 == 0)
			check_mapped();
		int64_t t = now_us();
		if (last && t - last > gap)
			gap = t - last;
		last = t;
		int size = snprintf(line, sizeof(line), "%12llu %10lld %8llu %8d\n", (unsigned long long)n,
				    (long long)gap, (unsigned long long)errors, count);
		if (pwrite(state, line, (size_t)size, 0) != size)
			return 4;
		usleep(1000);
	}
}
