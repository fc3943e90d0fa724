/* SPDX-License-Identifier: GPL-2.0-or-later */
/* export.c - a running container into one file
 *
 * The dump's own list (checkpoint.c), with what makes the file plugged into its decision: all images are there
 * and nothing runs, so memory and files are of one moment. What takes long and does not change, the digests of
 * the directories below a writable layer, is done before the freeze. */
#include "runtime/export.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/archive.h"
#include "checkpoint/exporthead.h"
#include "checkpoint/treedigest.h"
#include "checkpoint/treelayers.h"
#include "runtime/base/hash.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/image_set.h"
#include "runtime/storage.h"
#include "runtime/stored_config.h"
#include "runtime/transfer.h"

struct exporting {
	const struct export_options *options;
	struct storage *storage;
	struct dump *dump;
	struct export_head *head;
	struct transfer transfer;
	struct manifest_key key_buf;
	const struct manifest_key *key;
	char images_path[PATH_MAX];
	int images_lock;
	char temporary[PATH_MAX]; /* "": stdout */
	int out;
	int root; /* the tree that is written: the root, or the layer */
};

/* ---- before the freeze ---- */

static int open_out(struct exporting *x, struct error *e)
{
	const char *file = x->options->file;

	if (str_eq(file, "-")) {
		if (isatty(STDOUT_FILENO))
			return refuse(e, EINVAL, "--export -: stdout is a terminal");
		x->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return x->out < 0 ? fail(e, errno, "dup") : 0;
	}
	if (str_format(x->temporary, sizeof(x->temporary), "%s.%d~", file, (int)getpid()) < 0)
		return fail(e, ENAMETOOLONG, "--export %s", file);
	x->out = open(x->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (x->out < 0) {
		int r = fail(e, errno, "create %s", x->temporary);
		x->temporary[0] = '\0';
		return r;
	}
	return 0;
}

/* A directory for CRIU's images, on disk: they can be as large as memory. */
static int open_images(struct exporting *x, const char *id, struct error *e)
{
	if (str_format(x->images_path, sizeof(x->images_path), "%s/exports", x->storage->path) < 0)
		return fail(e, ENAMETOOLONG, "storage");
	if (mkdir(x->images_path, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make directory %s", x->images_path);
	if (str_format(x->images_path, sizeof(x->images_path), "%s/exports/%s", x->storage->path, id) < 0)
		return fail(e, ENAMETOOLONG, "storage");
	if (mkdir(x->images_path, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make directory %s", x->images_path);
	x->images_lock = open(x->images_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (x->images_lock < 0)
		return fail(e, errno, "open %s", x->images_path);
	if (flock(x->images_lock, LOCK_EX | LOCK_NB) < 0)
		return fail(e, errno, "%s is in use by another export", x->images_path);
	return storage_empty(x->images_lock, e);
}

static int random_id(struct export_head *h, struct error *e)
{
	uint8_t bytes[32];
	char hex[HASH_HEX_SIZE];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return fail(e, errno, "getrandom");
	hash_hex(bytes, hex);
	h->export_id = arena_strdup(h->arena, hex);
	return h->export_id ? 0 : fail(e, ENOMEM, "export");
}

static int digest_base(struct exporting *x, const char *path, struct export_base *ret, struct error *e)
{
	uint8_t digest[HASH_SIZE];
	char hex[HASH_HEX_SIZE];

	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(e, errno, "open layer %s", path);
	int r = tree_digest(dir, path, -1, digest, e);
	if (r < 0)
		return r;
	hash_hex(digest, hex);
	ret->digest = arena_strdup(x->head->arena, hex);
	ret->path = arena_strdup(x->head->arena, path);
	return ret->digest && ret->path ? 0 : fail(e, ENOMEM, "export");
}

/* The writable layer of the overlay that the root lies on, and digests of what it stands on. */
static int open_layer(struct exporting *x, int root, const char *path, struct error *e)
{
	struct export_head *h = x->head;
	struct tree_layers layers;

	int r = tree_layers_of(root, path, h->arena, &layers, e);
	if (r < 0)
		return r;
	if (r == 0 || !layers.upper)
		return refuse(e, EINVAL, "--layer: %s is not on an overlay with a writable layer", path);
	if (layers.data_only)
		return refuse(e, ENOTSUP, "--layer: %s has data-only layers, which mean nothing elsewhere",
			      path);
	h->bases = arena_calloc(h->arena, layers.lower_count, sizeof(*h->bases));
	if (!h->bases)
		return fail(e, ENOMEM, "export");
	for (size_t i = 0; r >= 0 && i < layers.lower_count; i++)
		r = digest_base(x, layers.lower[i], &h->bases[i], e);
	if (r < 0)
		return r;
	h->layer = true;
	h->n_bases = layers.lower_count;
	x->root = open(layers.upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return x->root < 0 ? fail(e, errno, "open layer %s", layers.upper) : 0;
}

static int open_root(struct exporting *x, struct error *e)
{
	const char *path = dump_container(x->dump)->state->rootfs;

	auto_close int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail(e, errno, "open root directory %s", path);
	if (x->options->layer)
		return open_layer(x, root, path, e);
	x->root = take_fd(&root);
	return 0;
}

/* ---- frozen ---- */

static int measure(struct exporting *x, const struct imagedir *images, struct error *e)
{
	struct archive_size size;

	int r = archive_measure(x->root, "the root directory", &size, e);
	if (r < 0)
		return r;
	x->head->bytes = size.bytes + images->bytes + (1 << 20); /* config and the like */
	x->head->entries = size.entries + images->n_files + 16;
	x->transfer.total = size.bytes + images->bytes;
	return 0;
}

static int put_head(struct exporting *x, struct archive_writer *w, struct error *e)
{
	auto_free char *config = NULL;
	size_t size, config_size;

	auto_free char *text = export_head_to_json(x->head, &size);
	if (!text)
		return fail(e, ENOMEM, "export");
	int r = archive_put_bytes(w, EXPORT_HEAD, text, size, e);
	if (r == 0)
		r = io_read_file(dump_container(x->dump)->dir, "config.json", CONFIG_LIMIT, &config,
				 &config_size, e);
	return r == 0 ? archive_put_bytes(w, EXPORT_CONFIG, config, config_size, e) : r;
}

static int put_images(struct archive_writer *w, const struct imagedir *images, struct error *e)
{
	int r = archive_put_dir(w, EXPORT_IMAGES, e);

	for (size_t i = 0; r == 0 && i < images->n_files; i++) {
		char path[NAME_MAX + sizeof(EXPORT_IMAGES) + 2];
		str_format(path, sizeof(path), EXPORT_IMAGES "/%s", images->files[i].name);
		if (str_ends(path, ".log"))
			continue;
		auto_close int fd = imagedir_open_file(images->fd, images->files[i].name, e);
		r = fd < 0 ? fd : archive_put_file(w, path, fd, e);
	}
	return r;
}

static int write_archive(struct exporting *x, struct archive_writer *w, struct error *e)
{
	AUTO(imagedir) struct imagedir *images = NULL;

	int r = imagedir_scan(dump_images(x->dump), &images, e);
	if (r == 0)
		r = measure(x, images, e);
	if (r == 0)
		r = put_head(x, w, e);
	if (r == 0)
		r = put_images(w, images, e);
	if (r == 0)
		r = archive_put_tree(w, x->head->layer ? EXPORT_LAYER : EXPORT_ROOT, x->root,
				     "the root directory", e);
	return r == 0 ? archive_write_end(w, x->key, NULL, e) : r;
}

/* On disk before the container ends: it is all that will be left of it. */
static int finish_file(struct exporting *x, struct error *e)
{
	if (!*x->temporary)
		return 0;
	if (fsync(x->out) < 0)
		return fail(e, errno, "flush %s", x->temporary);
	if (rename(x->temporary, x->options->file) < 0)
		return fail(e, errno, "rename %s to %s", x->temporary, x->options->file);
	x->temporary[0] = '\0';
	return 0;
}

static int decide(void *arg, struct error *e)
{
	struct exporting *x = arg;
	AUTO(archive_writer) struct archive_writer *w = NULL;
	const struct archive_watch watch = { transfer_tell, &x->transfer };

	int r = archive_writer_new(x->out, x->options->level, &watch, &w, e);
	if (r == 0)
		r = write_archive(x, w, e);
	if (r == 0)
		r = finish_file(x, e);
	transfer_end(&x->transfer, r == 0);
	return r < 0 ? prefix(e, "export") : 0;
}

/* ---- around ---- */

static int describe(struct exporting *x, const struct checkpoint_options *c, struct error *e)
{
	struct export_head *h = x->head = export_head_new();

	if (!h)
		return fail(e, ENOMEM, "export");
	h->container = c->id;
	h->tcp_established = c->image.tcp_established;
	h->shell_job = c->image.shell_job;
	h->file_locks = c->image.file_locks;
	h->ext_unix_sk = c->image.ext_unix_sk;
	return random_id(h, e);
}

static int check_options(const struct export_options *o, const struct checkpoint_options *c, struct error *e)
{
	if (c->pre_dump || c->parent_path || c->page_server || c->image.lazy_pages)
		return refuse(e, EINVAL,
			      "--export writes everything into one file: not with --pre-dump, --parent-path, "
			      "--page-server, --lazy-pages");
	if (c->image.image_path)
		return refuse(e, EINVAL, "--export and --image-path: the one or the other");
	if (o->level < 0 || o->level > 19)
		return refuse(e, EINVAL, "--level: 1 to 19");
	return container_check_id(c->id, e);
}

static int run(struct exporting *x, const struct checkpoint_options *given, struct error *e)
{
	const struct dump_decisions decisions = { .decide = decide, .arg = x };
	struct checkpoint_options c = *given;
	AUTO(dump) struct dump *d = NULL;

	c.image.image_path = x->images_path;
	c.decisions = &decisions;
	c.exported = true;
	int r = dump_prepare(&c, &d, e);
	if (r < 0)
		return r;
	x->dump = d;
	x->head->criu = (uint64_t)dump_criu_version(d);
	r = open_root(x, e);
	return r == 0 ? dump_finish(d, e) : r;
}

/* The log stays where a failure's sentence says it is, until the next export of the container; memory does not. */
static void drop_images(struct exporting *x, bool well)
{
	AUTO(imagedir) struct imagedir *images = NULL;
	struct error ignored;
	bool log = false;

	if (x->images_lock < 0 || imagedir_scan(x->images_lock, &images, &ignored) < 0)
		return;
	for (size_t i = 0; i < images->n_files; i++)
		if (well || !str_ends(images->files[i].name, ".log"))
			unlinkat(x->images_lock, images->files[i].name, 0);
		else
			log = true;
	if (!log)
		rmdir(x->images_path);
}

static void clean_up(struct exporting *x, bool well)
{
	if (*x->temporary)
		unlink(x->temporary);
	drop_images(x, well);
	storage_free(x->storage);
	cleanup_close(&x->images_lock);
	cleanup_close(&x->out);
	cleanup_close(&x->root);
	export_head_free(x->head);
}

int life_export(const struct export_options *o, const struct checkpoint_options *c, struct error *e)
{
	struct exporting x = { .options = o, .images_lock = -1, .out = -1, .root = -1 };

	int r = check_options(o, c, e);
	if (r == 0)
		r = interrupt_prepare(e);
	if (r == 0)
		r = transfer_init(&x.transfer, o->progress, "export", "exported", c->id, str_eq(o->file, "-"),
				  e);
	if (r == 0)
		r = image_key(&c->image, &x.key_buf, &x.key, e);
	if (r == 0)
		r = storage_open(o->storage, &x.storage, e);
	if (r == 0)
		r = open_images(&x, c->id, e);
	if (r == 0)
		r = describe(&x, c, e);
	if (r == 0)
		r = open_out(&x, e);
	if (r == 0)
		r = run(&x, c, e);
	clean_up(&x, r == 0);
	return r;
}
