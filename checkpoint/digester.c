/* SPDX-License-Identifier: GPL-2.0-or-later */
/* digester.c - digests of memory images, made while CRIU writes them
 *
 * Two processes: the one below the line "the child" reads; ours asks it to come to an end by a byte in a pipe, and reads
 * "NAME SIZE DIGEST" lines from another. */
#include "checkpoint/digester.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "checkpoint/manifest_file.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"

enum { FILES_MAX = 1024 };

struct digester {
	pid_t pid;
	int end;    /* a byte from us: come to an end */
	int answer; /* its lines */
};

/* ---- the child ---- */

struct growing {
	char name[64];
	int fd;
	struct digest_state state;
};

struct watching {
	int dir, watch;
	enum digest_kind kind;
	struct growing *files[FILES_MAX];
	size_t n;
};

static struct growing *find(struct watching *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (str_eq(w->files[i]->name, name))
			return w->files[i];
	struct growing *g = w->n == FILES_MAX ? NULL : calloc(1, sizeof(*g));
	if (!g || str_format(g->name, sizeof(g->name), "%s", name) < 0) {
		free(g);
		return NULL;
	}
	g->fd = openat(w->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (g->fd < 0) {
		free(g);
		return NULL;
	}
	digest_begin(&g->state, w->kind);
	w->files[w->n++] = g;
	return g;
}

static void catch_up(struct watching *w, const char *name)
{
	struct error ignored;

	if (!str_starts(name, "pages-") || !str_ends(name, ".img"))
		return;
	struct growing *g = find(w, name);
	if (g && g->fd >= 0 && digest_more(&g->state, g->fd, &ignored) < 0) {
		close(g->fd);
		g->fd = -1; /* missed: who asks does it himself */
	}
}

static void read_events(struct watching *w)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(w->watch, buf, sizeof(buf));

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const void *)(buf + at);
		if (event->len)
			catch_up(w, event->name);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

static void tell(struct watching *w, int answer)
{
	char digest[DIGEST_SIZE], line[256];
	struct error ignored;
	uint64_t size;

	for (size_t i = 0; i < w->n; i++) {
		struct growing *g = w->files[i];
		catch_up(w, g->name);
		if (g->fd < 0)
			continue;
		digest_end(&g->state, digest, &size);
		if (str_format(line, sizeof(line), "%s %" PRIu64 " %s\n", g->name, size, digest) > 0)
			io_write_all(answer, line, strlen(line), &ignored);
	}
}

static void run_child(struct watching *w, int end, int answer)
{
	struct pollfd p[] = { { .fd = w->watch, .events = POLLIN }, { .fd = end, .events = POLLIN } };

	int keep[] = { w->dir, w->watch, end, answer };

	interrupt_forget();
	fd_close_all_but(keep, COUNT_OF(keep));
	prctl(PR_SET_NAME, "coracle-digest");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!p[1].revents) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			_exit(1);
		if (p[0].revents)
			read_events(w);
	}
	tell(w, answer);
	_exit(0);
}

/* ---- ours ---- */

static int start_child(struct digester *d, struct watching *w, struct error *e)
{
	int end[2], answer[2];

	if (pipe2(end, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe");
	if (pipe2(answer, O_CLOEXEC) < 0) {
		close(end[0]);
		close(end[1]);
		return fail(e, errno, "pipe");
	}
	d->pid = fork();
	if (d->pid == 0) {
		close(end[1]);
		close(answer[0]);
		run_child(w, end[0], answer[1]);
	}
	int error = errno;
	close(end[0]);
	close(answer[1]);
	d->end = end[1];
	d->answer = answer[0];
	return d->pid < 0 ? fail(e, error, "fork") : 0;
}

int digester_start(int dir, bool signed_set, struct digester **ret, struct error *e)
{
	AUTO(digester) struct digester *d = calloc(1, sizeof(*d));
	auto_free struct watching *w = calloc(1, sizeof(*w));
	char path[32];

	if (!d || !w)
		return fail(e, ENOMEM, "digest images");
	d->end = d->answer = -1;
	w->dir = dir;
	w->kind = signed_set ? DIGEST_KIND_SHA256 : DIGEST_KIND_SUM64;
	auto_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	str_format(path, sizeof(path), "/proc/self/fd/%d", dir);
	if (watch < 0 || inotify_add_watch(watch, path, IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE) < 0)
		return fail(e, errno, "watch the image directory");
	w->watch = watch;
	int r = start_child(d, w, e);
	if (r == 0)
		*ret = take_ptr(d);
	return r;
}

static int parse_line(char *line, struct arena *a, struct manifest_file *ret)
{
	char name[64], digest[DIGEST_SIZE];
	uint64_t size;

	if (sscanf(line, "%63s %" SCNu64 " %71s", name, &size, digest) != 3 || !digest_is_well_formed(digest))
		return -EPROTO;
	*ret = (struct manifest_file){ arena_strdup(a, name), size, arena_strdup(a, digest) };
	return ret->name && ret->digest ? 0 : -ENOMEM;
}

int digester_finish(struct digester *d, struct arena *a, struct manifest_file **ret, size_t *ret_n,
		    struct error *e)
{
	auto_free char *text = NULL;
	char *state = NULL;
	int status;

	/* A word, not the pipe's end: processes that we forked since hold a copy of it. */
	int r = io_write_all(d->end, "e", 1, e);
	if (r == 0)
		r = io_read_fd(d->answer, 1 << 20, &text, NULL, e);
	if (r == 0)
		r = proc_wait(d->pid, &status, e);
	d->pid = 0;
	struct manifest_file *list = arena_calloc(a, FILES_MAX, sizeof(*list));
	if (r == 0 && !list)
		r = fail(e, ENOMEM, "digest images");
	size_t n = 0;
	for (char *line = r == 0 ? strtok_r(text, "\n", &state) : NULL; line && n < FILES_MAX;
	     line = strtok_r(NULL, "\n", &state))
		if (parse_line(line, a, &list[n]) == 0)
			n++;
	if (r < 0)
		return r;
	*ret = list;
	*ret_n = n;
	return 0;
}

void digester_free(struct digester *d)
{
	if (!d)
		return;
	proc_end(&d->pid);
	cleanup_close(&d->end);
	cleanup_close(&d->answer);
	free(d);
}
