/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_files.c - files leave: the root and the copied volumes, while the container runs, then what changed
 *
 * Each tree has a sender and a tracker (checkpoint/tree.h) and a number in the frames of STREAM_FILES; tree 0 is
 * the root's unless it is shared. In the frozen window only what changed since the last look goes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "checkpoint/tree.h"
#include "runtime/base/str.h"
#include "runtime/migrate_source.h"
#include "runtime/migrate_target.h" /* FILES_HEADER */
#include "runtime/stored_config.h"

struct moving_tree {
	struct migration *m;
	uint8_t number;
	const char *in_container; /* where it is in the container's mount namespace */
	struct tree_sender *sender;
	struct tree_tracker *tracker;
};

struct source_files {
	struct moving_tree *v;
	size_t n;
	struct spec *spec;
};

static int write_frame(struct moving_tree *t, int fd, const void *frame, size_t size, struct error *e)
{
	uint8_t header[FILES_HEADER] = { (uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16),
					 t->number };
	struct iovec v[2] = { { header, sizeof(header) }, { (void *)frame, size } };

	return source_write(t->m, fd, v, 2, false, e);
}

static int sink(void *arg, const void *frame, size_t size, struct error *e)
{
	struct moving_tree *t = arg;
	struct source *s = t->m->source;

	if (!s->frozen) {
		int r = control_serve(t->m, e);
		if (r < 0)
			return r;
		progress_update(&s->progress);
	}
	if (s->files_fd < 0) /* tree_measure announces before the stream is there: see files_open */
		return 0;
	int r = write_frame(t, s->files_fd, frame, size, e);
	if (r < 0)
		return r;
	s->progress.file_bytes += size;
	return 0;
}

static int add_tree(struct migration *m, const char *path, const char *in_container, struct error *e)
{
	struct source_files *f = m->source->files;
	struct moving_tree *t = &f->v[f->n];
	struct tree_size size;

	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(e, errno, "open %s", path);
	*t = (struct moving_tree){ .m = m, .number = (uint8_t)f->n, .in_container = in_container };
	const struct tree_from from = { .root = dir, .name = path };
	int r = tree_sender_new(&from, sink, t, &t->sender, e);
	if (r < 0)
		return r;
	f->n++;
	r = tree_measure(t->sender, &size, e);
	if (r == 0) {
		m->claim.file_bytes += size.bytes;
		m->claim.file_entries += size.entries;
	}
	return r;
}

static const char *mount_source(const struct spec *s, const char *destination)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (str_eq(s->mounts[i].destination, destination))
			return s->mounts[i].source;
	return NULL;
}

int files_open(struct migration *m, struct error *e)
{
	struct source *s = m->source;
	struct container *c = dump_container(s->dump);
	struct source_files *f = arena_calloc(m->arena, 1, sizeof(*f));
	int r = 0;

	if (f)
		f->v = arena_calloc(m->arena, m->claim.n_volumes + 1, sizeof(*f->v));
	if (!f || !f->v || m->claim.n_volumes > 200)
		return fail(e, f && f->v ? E2BIG : ENOMEM, "files");
	s->files = f;
	r = config_load(c, &f->spec, e);
	if (r == 0 && !m->claim.shared_rootfs)
		r = add_tree(m, c->state->rootfs, "/", e);
	for (size_t i = 0; r == 0 && i < m->claim.n_volumes; i++) {
		const struct claim_volume *v = &m->claim.volumes[i];
		const char *source = mount_source(f->spec, v->destination);
		if (!source)
			r = refuse(e, EINVAL, "--volume %s: the container has no such mount", v->destination);
		else if (v->mode == VOLUME_COPY)
			r = add_tree(m, source, v->destination, e);
	}
	return r;
}

int files_send_all(struct migration *m, struct error *e)
{
	struct source_files *f = m->source->files;
	struct tree_size announced;
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->n; i++) {
		struct moving_tree *t = &f->v[i];
		r = tree_track_new(t->sender, &t->tracker, e);
		if (r == 0)
			r = tree_measure(t->sender, &announced, e); /* now the receiver hears it */
		if (r == 0)
			r = tree_send_all(t->sender, t->tracker, e);
	}
	return r;
}

int files_send_changes(struct migration *m, bool last, struct error *e)
{
	struct source *s = m->source;
	struct source_files *f = s->files;
	auto_free pid_t *pids = NULL;
	size_t n_pids = 0;

	int r = f->n ? source_pids(s, &pids, &n_pids, e) : 0;
	for (size_t i = 0; r == 0 && i < f->n; i++) {
		struct moving_tree *t = &f->v[i];
		r = tree_track_processes(t->tracker, pids, n_pids, t->in_container, e);
		if (r == 0)
			r = tree_send_changes(t->sender, t->tracker, e);
		if (r == 0 && last)
			r = tree_send_end(t->sender, e);
	}
	return r;
}

void files_close(struct source *s)
{
	struct source_files *f = s->files;

	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		tree_track_free(f->v[i].tracker);
		tree_sender_free(f->v[i].sender);
	}
	spec_free(f->spec);
	s->files = NULL;
}
