/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wp.c - own memory tracking of all processes of a container
 *
 * Each round begins with the list of processes. Who is new is armed (stopped once, for less than a millisecond); who
 * has ended is forgotten; who has executed another program is armed anew, since the memory is another. Then each is scanned.
 * Forks copy no protection: the child is new. Mappings come and go freely: they are read anew in each round.
 *
 * Handles are opened before the list is read a second time, and only who is in that, and lives still, is taken:
 * a number that went from the container to a process of the host between two looks is so never read from. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/wp_internal.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

struct wp_tracker {
	struct track_source source;
	unsigned int level; /* of the container's pid namespace below ours */
	struct wp_process *process;
	size_t n, room;
	struct wp_scan scan;
};

/* ---- numbers ---- */

/* The numbers of a process in our pid namespace and those below it. Returns how many. */
static int pid_levels(pid_t pid, pid_t *ret, size_t room, struct error *e)
{
	char path[64];
	auto_free char *text = NULL;
	size_t n = 0;
	int r;

	str_format(path, sizeof(path), "/proc/%d/status", pid);
	r = io_read_file(AT_FDCWD, path, 65536, &text, NULL, e);
	if (r < 0)
		return r;
	char *at = strstr(text, "\nNSpid:");
	if (!at)
		return refuse(e, ENODATA, "%s has no NSpid", path);
	at += strlen("\nNSpid:");
	while (n < room && *at == '\t')
		ret[n++] = (pid_t)strtol(at + 1, &at, 10);
	return (int)n;
}

/* The number that CRIU knows a process by: in the namespace that the container's first process is in. */
static int image_of(const struct wp_tracker *t, pid_t pid, uint64_t *ret, struct error *e)
{
	pid_t levels[33];
	int n = pid_levels(pid, levels, COUNT_OF(levels), e);

	if (n < 0)
		return n;
	if ((unsigned int)n <= t->level)
		return refuse(e, ESRCH, "process %d is not in the container's pid namespace", pid);
	*ret = page_image(PAGE_TASK, (uint64_t)levels[t->level]);
	return 0;
}

/* ---- the tracker as such ---- */

int wp_tracker_new(const struct track_source *source, struct wp_tracker **ret, struct error *e)
{
	struct wp_tracker *t = calloc(1, sizeof(*t));
	pid_t levels[33];
	int n;

	if (!t)
		return fail(e, ENOMEM, "track memory");
	t->source = *source;
	t->scan.page_size = (size_t)sysconf(_SC_PAGESIZE);
	t->scan.buffer = aligned_alloc(4096, PAGE_FRAME_CONTENTS);
	t->scan.region = calloc(WP_REGIONS, sizeof(*t->scan.region));
	n = t->scan.buffer && t->scan.region ? pid_levels(source->init, levels, COUNT_OF(levels), e)
					     : fail(e, ENOMEM, "track memory");
	if (n <= 0) {
		wp_tracker_free(t);
		return n < 0 ? n : refuse(e, ESRCH, "process %d has ended", source->init);
	}
	t->level = (unsigned int)n - 1;
	*ret = t;
	return 0;
}

/* The kernel takes all protection off when the last descriptor is closed. */
static void disarm(struct wp_process *p)
{
	replace_fd(&p->uffd, -1);
	replace_fd(&p->maps, -1);
	replace_fd(&p->pagemap, -1);
	replace_fd(&p->mem, -1);
	replace_fd(&p->pidfd, -1);
}

void wp_tracker_free(struct wp_tracker *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		disarm(&t->process[i]);
	free(t->process);
	free(t->scan.buffer);
	free(t->scan.region);
	free(t->scan.mapping);
	free(t);
}

/* ---- who is there ---- */

static struct wp_process *find(const struct wp_tracker *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->process[i].pid == pid)
			return &t->process[i];
	return NULL;
}

static bool has_ended(const struct wp_process *p)
{
	return poll(&(struct pollfd){ p->pidfd, POLLIN, 0 }, 1, 0) != 0;
}

static int open_of(pid_t pid, const char *what, int flags)
{
	char path[64];

	str_format(path, sizeof(path), "/proc/%d/%s", pid, what);
	return open(path, flags | O_CLOEXEC);
}

/* -ESRCH: it is gone already. */
static int open_handles(const struct wp_tracker *t, pid_t pid, struct wp_process *ret, struct error *e)
{
	struct wp_process p = { pid, 0, -1, -1, -1, -1, -1, false };
	int r;

	p.pidfd = sys_pidfd_open(pid, 0);
	if (p.pidfd >= 0)
		p.mem = open_of(pid, "mem", O_RDONLY);
	if (p.mem >= 0)
		p.pagemap = open_of(pid, "pagemap", O_RDONLY);
	if (p.pagemap >= 0)
		p.maps = open_of(pid, "maps", O_RDONLY);
	r = p.maps < 0 ? fail(e, errno, "open the memory of process %d", pid) : image_of(t, pid, &p.image, e);
	if (r < 0) {
		disarm(&p);
		return r == -ENOENT || r == -EINVAL ? -ESRCH : r;
	}
	*ret = p;
	return 0;
}

static int make_room(struct wp_tracker *t, struct error *e)
{
	size_t room = t->room ? 2 * t->room : 32;

	if (t->n < t->room)
		return 0;
	void *more = reallocarray(t->process, room, sizeof(*t->process));
	if (!more)
		return fail(e, ENOMEM, "track memory");
	t->process = more;
	t->room = room;
	return 0;
}

static void drop(struct wp_tracker *t, size_t i)
{
	disarm(&t->process[i]);
	t->process[i] = t->process[--t->n];
}

/* Mark who is in the container's list; open who is new. Returns how many those are. */
static int look(struct wp_tracker *t, bool take_new, struct error *e)
{
	auto_free pid_t *pids = NULL;
	size_t n;
	int opened = 0, r = t->source.list(t->source.arg, &pids, &n, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n; i++)
		t->process[i].listed = false;
	for (size_t i = 0; i < n; i++) {
		struct wp_process *p = find(t, pids[i]), new;
		struct error ignored;

		/* it executed something before it was armed: its handles are of what was before */
		if (p && p->uffd < 0 && take_new && wp_memory_is_gone(p)) {
			drop(t, (size_t)(p - t->process));
			p = NULL;
		}
		if (p) {
			p->listed = true;
			continue;
		}
		if (!take_new || open_handles(t, pids[i], &new, &ignored) < 0)
			continue;
		r = make_room(t, e);
		if (r < 0) {
			disarm(&new);
			return r;
		}
		new.listed = true;
		t->process[t->n++] = new;
		opened++;
	}
	return opened;
}

static int forget_ended(struct wp_tracker *t, struct page_sender *s, struct error *e)
{
	for (size_t i = t->n; i-- > 0;) {
		int r = 0;

		if (t->process[i].listed && !has_ended(&t->process[i]))
			continue;
		if (s && page_sender_knows(s, t->process[i].image))
			r = page_sender_forget(s, t->process[i].image, e);
		drop(t, i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- arming ---- */

static void armed(struct wp_tracker *t, struct wp_process *p, const struct wp_target *target)
{
	struct error ignored;

	if (target->stopped_us > t->scan.stats.stopped_us_max)
		t->scan.stats.stopped_us_max = target->stopped_us;
	t->scan.stats.stopped_us_sum += target->stopped_us;
	p->uffd = target->uffd;
	if (p->uffd >= 0 && wp_handshake(p->uffd, &ignored) < 0)
		replace_fd(&p->uffd, -1);
	t->scan.stats.armed += p->uffd >= 0;
}

static int arm_new(struct wp_tracker *t, struct error *e)
{
	auto_free struct wp_target *target = calloc(t->n + 1, sizeof(*target));
	size_t n = 0;
	int r;

	if (!target)
		return fail(e, ENOMEM, "track memory");
	for (size_t i = 0; i < t->n; i++)
		if (t->process[i].uffd < 0)
			target[n++] = (struct wp_target){ .pid = t->process[i].pid,
							  .pidfd = t->process[i].pidfd,
							  .mem = t->process[i].mem };
	r = wp_arm(target, n, e);
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			armed(t, find(t, target[i].pid), &target[i]);
		else
			cleanup_close(&target[i].uffd);
	}
	return r;
}

/* ---- rounds ---- */

static int gather(struct wp_tracker *t, struct page_sender *s, struct error *e)
{
	int r = look(t, true, e);

	if (r > 0)
		r = look(t, false, e);
	if (r == 0)
		r = forget_ended(t, s, e);
	return r < 0 ? r : arm_new(t, e);
}

/* Who could not be armed is sent by the final dump. Who turns out to have other memory by now is new in the next round. */
static int scan_all(struct wp_tracker *t, struct error *e)
{
	for (size_t i = t->n; i-- > 0;) {
		struct wp_process *p = &t->process[i];
		int r;

		if (p->uffd < 0) {
			t->scan.stats.untracked++;
			continue;
		}
		t->scan.stats.processes++;
		r = wp_scan_process(&t->scan, p, e);
		if (r == -ESRCH) {
			r = 0;
			if (page_sender_knows(t->scan.sender, p->image))
				r = page_sender_forget(t->scan.sender, p->image, e);
			drop(t, i);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int wp_tracker_round(struct wp_tracker *t, struct page_sender *s, int stop, struct track_round_stats *ret,
		     struct error *e)
{
	struct page_stats before, after;
	int r;

	t->scan.stats = (struct track_round_stats){ 0 };
	t->scan.sender = s;
	t->scan.stop = stop;
	page_sender_stats(s, &before);
	r = gather(t, s, e);
	if (r == 0)
		r = scan_all(t, e);
	if (r == 0)
		r = page_sender_flush(s, e);
	page_sender_stats(s, &after);
	t->scan.stats.sent = after.sent - before.sent;
	*ret = t->scan.stats;
	return r;
}

int wp_tracker_count(struct wp_tracker *t, uint64_t *ret, struct error *e)
{
	uint64_t all = 0;

	for (size_t i = 0; i < t->n; i++) {
		uint64_t n = 0;
		int r = t->process[i].uffd < 0 ? 0 : wp_count_process(&t->scan, &t->process[i], &n, e);

		if (r < 0)
			return r;
		all += n;
	}
	*ret = all;
	return 0;
}
