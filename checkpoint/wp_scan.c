/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wp_scan.c - one process: what was written since the last look
 *
 * PAGEMAP_SCAN finds pages whose protection a write has taken off, and protects them again in the same walk under the
 * page table's lock; they are read after that. A write between both is seen by the next round, and makes at worst
 * that this round sent a page that is half old, half new: the ledger knows what was sent, so nothing is lost.
 * Pages are read through /proc/PID/mem, which belongs to one memory and never to another process that has got
 * the number meanwhile. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/pagehash.h"
#include "checkpoint/wp_internal.h"
#include "runtime/base/str.h"

#define BATCH 4096 /* pages that are protected before they are read */

int wp_mapping_parse(const char *line, struct wp_mapping *ret)
{
	unsigned long long start, end, offset, inode;
	char perms[8];
	int path = 0;

	if (sscanf(line, "%llx-%llx %7s %llx %*s %llu %n", &start, &end, perms, &offset, &inode, &path) < 5 ||
	    !path || start >= end)
		return -EINVAL;
	const char *name = line + path;
	memset(ret, 0, sizeof(*ret)); /* it is summed up as bytes */
	ret->start = start;
	ret->end = end;
	ret->offset = offset;
	ret->inode = inode;
	if (str_starts(name, "[vvar") || str_starts(name, "[vdso]") || str_starts(name, "[vsyscall]") ||
	    str_starts(name, "[uprobes]"))
		return 0;
	if (perms[3] == 'p')
		ret->kind = WP_PRIVATE;
	else if (str_starts(name, "/dev/zero (deleted)") || str_starts(name, "/SYSV") ||
		 str_starts(name, "/memfd:") || str_starts(name, "[anon_shmem:"))
		ret->kind = WP_SHARED;
	return 0;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The memory's last user is gone: the process ended or executes another program. (A look at address 0 fails
 * otherwise, or succeeds; it never finds an end.) */
bool wp_memory_is_gone(const struct wp_process *p)
{
	char byte;

	return pread(p->mem, &byte, 1, 0) == 0;
}

/* Regions of [*at, m->end) that match, *at moves on. Returns how many, or -errno. */
static int scan_some(struct wp_scan *s, const struct wp_process *p, const struct wp_mapping *m,
		     uint64_t flags, uint64_t *at)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = flags,
		.start = *at,
		.end = m->end,
		.vec = (uintptr_t)s->region,
		.vec_len = WP_REGIONS,
		.max_pages = BATCH,
		.category_mask = PAGE_IS_WRITTEN,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_WRITTEN,
	};
	uint64_t begun = now_us();

	/* what is still the file's, or the kernel's page of zeroes, is in no image */
	if (m->kind == WP_PRIVATE) {
		arg.category_mask |= PAGE_IS_FILE | PAGE_IS_PFNZERO;
		arg.category_inverted = PAGE_IS_FILE | PAGE_IS_PFNZERO;
	}
	int n = ioctl(p->pagemap, PAGEMAP_SCAN, &arg);
	s->stats.scan_us += now_us() - begun;
	if (n < 0)
		return -errno;
	*at = arg.walk_end > *at ? arg.walk_end : m->end;
	return n;
}

static int pass_region(struct wp_scan *s, const struct wp_process *p, const struct wp_mapping *m,
		       uint64_t start, uint64_t end, struct error *e)
{
	uint64_t image = m->kind == WP_SHARED ? page_image(PAGE_SHMEM, m->inode) : p->image;

	s->stats.dirty += (end - start) / s->page_size;
	while (start < end) {
		size_t want = end - start < PAGE_FRAME_CONTENTS ? (size_t)(end - start) : PAGE_FRAME_CONTENTS;
		ssize_t got = pread(p->mem, s->buffer, want, (off_t)start);
		uint64_t vaddr = m->kind == WP_SHARED ? start - m->start + m->offset : start;

		if (got < (ssize_t)s->page_size) {
			/* unmapped meanwhile, or not to be read: the final dump will tell */
			start += s->page_size;
			continue;
		}
		got -= got % (ssize_t)s->page_size;
		int r = page_sender_add(s->sender, image, vaddr, (uint64_t)got / s->page_size, PAGE_LAZY,
					s->buffer, e);
		if (r < 0)
			return r;
		start += (uint64_t)got;
	}
	return 0;
}

static int cancelled(const struct wp_scan *s, struct error *e)
{
	if (s->stop >= 0 && poll(&(struct pollfd){ s->stop, POLLIN, 0 }, 1, 0) > 0)
		return refuse(e, ECANCELED, "cancelled");
	return 0;
}

/* A mapping that cannot be protected (another userfaultfd's) is all dirty, each time. */
static int scan_mapping(struct wp_scan *s, const struct wp_process *p, const struct wp_mapping *m,
			struct error *e)
{
	uint64_t at = m->start, flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC;

	while (at < m->end) {
		int n = scan_some(s, p, m, flags, &at), r = cancelled(s, e);

		if (n == -EPERM && flags) {
			flags = 0;
			n = scan_some(s, p, m, flags, &at);
		}
		if (n == -ESRCH)
			return refuse(e, ESRCH, "process %d has other memory", p->pid);
		if (n < 0)
			return fail(e, -n, "scan the memory of process %d", p->pid);
		for (int i = 0; i < n && r == 0; i++)
			r = pass_region(s, p, m, s->region[i].start, s->region[i].end, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* All mappings that an image would hold something of, into s->mapping. Returns how many. */
static int read_mappings(struct wp_scan *s, const struct wp_process *p, struct error *e)
{
	char path[64];
	auto_free char *line = NULL;
	size_t line_room = 0, n = 0;
	struct wp_mapping m;
	FILE *maps;

	/* not by number: it may be another's by now */
	str_format(path, sizeof(path), "/proc/self/fd/%d", p->maps);
	maps = fopen(path, "re");
	if (!maps)
		return fail(e, errno, "open the maps of process %d", p->pid);
	while (getline(&line, &line_room, maps) > 0) {
		if (wp_mapping_parse(line, &m) < 0 || m.kind == WP_SKIP)
			continue;
		if (n == s->mappings_room) {
			size_t room = n ? 2 * n : 256;
			void *more = reallocarray(s->mapping, room, sizeof(m));
			if (!more) {
				fclose(maps);
				return fail(e, ENOMEM, "track memory");
			}
			s->mapping = more;
			s->mappings_room = room;
		}
		s->mapping[n++] = m;
	}
	fclose(maps);
	return (int)n;
}

/* Registering a part of a mapping cuts it in two, and a program that then moves or resizes it as a whole (mremap)
 * fails. So nothing is done between reading the maps and registering, and the maps are read once more: if
 * mappings grew together meanwhile, the rest is registered too, which makes them one again. */
static int protect_mappings(struct wp_scan *s, const struct wp_process *p, struct error *e)
{
	uint64_t before = 0;
	int n = 0;

	for (int turn = 0; turn < 4; turn++) {
		uint64_t borders = 0;

		n = read_mappings(s, p, e);
		if (n < 0)
			return n;
		for (int i = 0; i < n; i++)
			borders = page_sum(borders, &s->mapping[i], sizeof(s->mapping[i]));
		if (turn && borders == before)
			break;
		before = borders;
		for (int i = 0; i < n; i++) {
			const struct wp_mapping *m = &s->mapping[i];
			struct uffdio_register r = { .range = { m->start, m->end - m->start },
						     .mode = UFFDIO_REGISTER_MODE_WP };
			ioctl(p->uffd, UFFDIO_REGISTER, &r);
		}
	}
	return n;
}

int wp_scan_process(struct wp_scan *s, struct wp_process *p, struct error *e)
{
	int n, r;

	if (wp_memory_is_gone(p))
		return refuse(e, ESRCH, "process %d has other memory", p->pid);
	n = protect_mappings(s, p, e);
	r = n < 0 ? n : page_sender_open(s->sender, p->image, e);
	for (int i = 0; i < n && r == 0; i++)
		r = scan_mapping(s, p, &s->mapping[i], e);
	return r;
}

static int count_mapping(struct wp_scan *s, const struct wp_process *p, const struct wp_mapping *m,
			 struct error *e)
{
	uint64_t at = m->start;

	while (at < m->end) {
		int n = scan_some(s, p, m, 0, &at);

		if (n < 0)
			return fail(e, -n, "scan the memory of process %d", p->pid);
		for (int i = 0; i < n; i++)
			s->stats.dirty += (s->region[i].end - s->region[i].start) / s->page_size;
	}
	return 0;
}

int wp_count_process(struct wp_scan *s, struct wp_process *p, uint64_t *ret, struct error *e)
{
	uint64_t before = s->stats.dirty;
	int n = wp_memory_is_gone(p) ? 0 : read_mappings(s, p, e), r = n < 0 ? n : 0;

	for (int i = 0; i < n && r == 0; i++)
		r = count_mapping(s, p, &s->mapping[i], e);
	*ret = s->stats.dirty - before;
	return r;
}
