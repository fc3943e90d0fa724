/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import.c - one file into a running container, or one more of the kind
 *
 * Order: the head and the config come first in the file, and with them all that would be in the way is told
 * before anything is unpacked. Then the base (storage.h): unpacked by whoever comes first, believed when the
 * file's end was right. Then a clone of it, and the ordinary restore (restore.c) of that.
 *
 * The config in the file says what the container may do on this host, and the file is whoever's. Signed by this
 * node's key it is as good as the node's own; else it may ask for no more than an engine's default
 * (export_demands), unless it is trusted by --trust any, or --bundle gives a config of this node's. */
#include "runtime/export.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "checkpoint/archive.h"
#include "checkpoint/exporthead.h"
#include "checkpoint/treedigest.h"
#include "runtime/base/hash.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/image_set.h"
#include "runtime/import_config.h"
#include "runtime/storage.h"
#include "runtime/stored_config.h"
#include "runtime/transfer.h"

#define DEMANDS 16

struct importing {
	const struct import_options *options;
	const struct restore_options *restore;
	const char *name;
	struct storage *storage;
	struct archive_reader *reader;
	struct export_head *head;
	char *config, *own_config; /* the file's text; that of --bundle */
	struct spec *spec;	   /* of the one that counts */
	struct manifest_key key_buf;
	const struct manifest_key *key;
	enum manifest_trust trust;
	struct transfer transfer;
	int in, base, clone;
	const char **bases; /* of a layer: where they are here */
	unsigned int missing;
};

/* ---- the file's beginning ---- */

static int open_in(struct importing *x, struct error *e)
{
	const char *file = x->options->file;
	const struct archive_watch watch = { transfer_tell, &x->transfer };

	x->in = str_eq(file, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				  : open(file, O_RDONLY | O_CLOEXEC);
	if (x->in < 0)
		return fail(e, errno, "open %s", file);
	return archive_reader_new(x->in, &watch, &x->reader, e);
}

static int next_is(struct importing *x, const char *path, struct error *e)
{
	const struct pax_entry *entry = NULL;

	int r = archive_next(x->reader, &entry, e);
	if (r == 0 || (r > 0 && !str_eq(entry->path, path)))
		return refuse(e, EBADMSG, "not a file that coracle exported: no %s where it should be", path);
	return r < 0 ? r : 0;
}

static int read_head(struct importing *x, struct error *e)
{
	auto_free char *text = NULL;
	size_t size;

	int r = next_is(x, EXPORT_HEAD, e);
	if (r == 0)
		r = archive_read_bytes(x->reader, 1 << 20, &text, &size, e);
	if (r == 0)
		r = export_head_parse(text, size, &x->head, e);
	if (r < 0)
		return r;
	/* Headers and padding count for nothing; contents and entries are what was announced. */
	archive_limit(x->reader, x->head->bytes, x->head->entries);
	x->transfer.total = x->head->bytes > (1 << 20) ? x->head->bytes - (1 << 20) : x->head->bytes;
	r = next_is(x, EXPORT_CONFIG, e);
	return r == 0 ? archive_read_bytes(x->reader, CONFIG_LIMIT, &x->config, &size, e) : r;
}

static int read_config(struct importing *x, struct error *e)
{
	const char *bundle = x->restore->bundle;
	char path[PATH_MAX];

	if (!bundle)
		return spec_parse(x->config, strlen(x->config), &x->spec, e);
	if (str_format(path, sizeof(path), "%s/config.json", bundle) < 0)
		return fail(e, ENAMETOOLONG, "--bundle %s", bundle);
	size_t size;
	int r = io_read_file(AT_FDCWD, path, CONFIG_LIMIT, &x->own_config, &size, e);
	if (r == 0)
		r = spec_parse(x->own_config, size, &x->spec, e);
	return r < 0 ? prefix(e, "%s", path) : 0;
}

/* ---- what is missing ---- */

static void __attribute__((format(printf, 2, 3))) missing(struct importing *x, const char *fmt, ...)
{
	char text[480];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("import: %s", text);
	x->missing++;
}

static void look_at_node(struct importing *x)
{
	const struct export_head *h = x->head;
	long page = sysconf(_SC_PAGESIZE);
	struct criu_features features;
	AUTO(criu) struct criu *criu = NULL;
	auto_free char *path = NULL;
	struct utsname uts;
	struct error e;

	uname(&uts);
	if (!str_eq(h->machine, uts.machine))
		missing(x, "it is of a %.32s machine, this is %s", h->machine, uts.machine);
	if (h->page_size != (uint64_t)page)
		missing(x, "it has pages of %llu bytes, this kernel has %ld",
			(unsigned long long)h->page_size, page);
	if (criu_find(x->restore->image.criu, &path, &e) < 0 ||
	    criu_start(&(struct criu_start){ .path = path, .cgroup = -1 }, &criu, &e) < 0 ||
	    criu_ask_features(criu, &features, &e) < 0)
		missing(x, "%s", e.msg);
	else if (h->criu / 100 > (uint64_t)features.version / 100)
		missing(x, "it was made by CRIU %d.%d, here is %d.%d: at least that one is needed",
			(int)(h->criu / 10000), (int)(h->criu / 100 % 100), features.version / 10000,
			features.version / 100 % 100);
}

static void look_at_options(struct importing *x)
{
	const struct image_options *o = &x->restore->image;
	const struct manifest m = { .tcp_established = x->head->tcp_established,
				    .shell_job = x->head->shell_job,
				    .file_locks = x->head->file_locks,
				    .ext_unix_sk = x->head->ext_unix_sk };
	struct error e;

	if (manifest_needs(&m, o->tcp_established || o->tcp_close, o->shell_job, o->file_locks,
			   o->ext_unix_sk, &e) < 0)
		missing(x, "%s", e.msg);
}

static void look_at_config(struct importing *x)
{
	struct export_demand list[DEMANDS];

	size_t n = export_missing_mounts(x->spec, list, DEMANDS);
	for (size_t i = 0; i < n && i < DEMANDS; i++)
		missing(x, "this node has no %s", list[i].text);
	/* With a key the file's MAC decides, at its end. */
	if (x->own_config || x->trust == MANIFEST_ANY || x->key)
		return;
	n = export_demands(x->spec, list, DEMANDS);
	for (size_t i = 0; i < n && i < DEMANDS; i++)
		missing(x, "its config asks for %s", list[i].text);
	if (n)
		missing(x, "nothing vouches for its config: --trust any takes it as it is, --bundle takes "
			   "this node's "
			   "instead");
}

static bool has_digest(const char *path, const char *want)
{
	uint8_t digest[HASH_SIZE];
	char hex[HASH_HEX_SIZE];
	struct error ignored;

	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || tree_digest(dir, path, -1, digest, &ignored) < 0)
		return false;
	hash_hex(digest, hex);
	return str_eq(hex, want);
}

/* Each directory that the layer stands on: where it was, or one of --base. */
static int find_bases(struct importing *x, struct error *e)
{
	const struct export_head *h = x->head;

	if (!h->layer)
		return 0;
	x->bases = calloc(h->n_bases + 1, sizeof(*x->bases));
	if (!x->bases)
		return fail(e, ENOMEM, "import");
	for (size_t i = 0; i < h->n_bases; i++) {
		const char *found = has_digest(h->bases[i].path, h->bases[i].digest) ? h->bases[i].path
										     : NULL;
		for (size_t k = 0; !found && k < x->options->bases.n; k++)
			if (has_digest(x->options->bases.v[k], h->bases[i].digest))
				found = x->options->bases.v[k];
		x->bases[i] = found;
		if (!found)
			missing(x,
				"its layer stands on a directory that this node does not have (it was "
				"%.200s): "
				"--base names it",
				h->bases[i].path);
	}
	return 0;
}

static void look_at_disk(struct importing *x)
{
	struct statvfs st;

	if (fstatvfs(x->storage->fd, &st) < 0)
		return;
	uint64_t left = (uint64_t)st.f_bavail * st.f_frsize;
	char wants[24], has[24];
	if (x->head->bytes > left)
		missing(x, "it takes %s, %s has %s", transfer_size(x->head->bytes, wants), x->storage->path,
			transfer_size(left, has));
}

static int look(struct importing *x, bool unpacked, struct error *e)
{
	look_at_node(x);
	look_at_options(x);
	look_at_config(x);
	if (!unpacked)
		look_at_disk(x);
	int r = find_bases(x, e);
	if (r == 0 && x->missing)
		r = refuse(e, ENOTSUP, "import %s: %u thing%s in the way; nothing was changed",
			   x->options->file, x->missing, x->missing == 1 ? "" : "s");
	return r;
}

/* ---- unpacking ---- */

/* Which part an entry belongs to, and its path there. */
static int part_of(const char *path, const char *part, const char **ret)
{
	size_t n = strlen(part);

	if (!str_starts(path, part) || (path[n] != '\0' && path[n] != '/'))
		return 0;
	*ret = path[n] ? path + n + 1 : path + n;
	return 1;
}

struct parts {
	struct archive_target tree, images;
	const char *tree_name;
};

static int unpack_entry(struct importing *x, const struct parts *p, const struct pax_entry *entry,
			struct error *e)
{
	const char *below;

	if (part_of(entry->path, p->tree_name, &below))
		return archive_extract(x->reader, &p->tree, below, e);
	/* Images are plain files, and made so: nobody's attributes but ours. */
	if (part_of(entry->path, EXPORT_IMAGES, &below) && !strchr(below, '/')) {
		if (!*below)
			return 0;
		if (entry->type != PAX_FILE || entry->uid || entry->gid || entry->mode != 0600 ||
		    entry->n_xattrs)
			return refuse(e, EBADMSG, "%.200s: no image", entry->path);
		return archive_extract(x->reader, &p->images, below, e);
	}
	return refuse(e, EBADMSG, "not a file that coracle exported: %.200s in it", entry->path);
}

static int unpack_all(struct importing *x, const struct parts *p, struct error *e)
{
	const struct pax_entry *entry;
	int r;

	while ((r = archive_next(x->reader, &entry, e)) > 0) {
		r = unpack_entry(x, p, entry, e);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = archive_extract_end(x->reader, &p->tree, e);
	if (r == 0 && x->key && x->trust != MANIFEST_ANY)
		r = archive_check_mac(x->reader, x->key, e);
	return r;
}

static int make_dir(int dir, const char *name, struct error *e)
{
	if (mkdirat(dir, name, 0700) < 0)
		return fail(e, errno, "make directory %s", name);
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail(e, errno, "open directory %s", name) : fd;
}

/* Into `dir`: a base, or a clone that shares nothing. */
static int unpack(struct importing *x, int dir, struct error *e)
{
	const char *name = x->head->layer ? EXPORT_LAYER : EXPORT_ROOT;

	auto_close int tree = make_dir(dir, name, e);
	if (tree < 0)
		return tree;
	auto_close int images = make_dir(dir, EXPORT_IMAGES, e);
	if (images < 0)
		return images;
	const struct parts p = { .tree = { tree, true, x->head->layer ? EXPORT_LAYER "/" : EXPORT_ROOT "/" },
				 .images = { images, false, "" },
				 .tree_name = name };
	int r = unpack_all(x, &p, e);
	return r < 0 ? prefix(e, "%s", x->options->file) : 0;
}

static int fill_base(struct importing *x, bool ready, struct error *e)
{
	struct error ignored;

	if (ready)
		return 0;
	int r = unpack(x, x->base, e);
	if (r == 0)
		r = storage_base_ready(x->base, e);
	if (r < 0)
		storage_base_drop(x->storage, x->head->export_id, x->base, &ignored);
	transfer_end(&x->transfer, r == 0);
	return r;
}

/* ---- the clone ---- */

/* The root of an overlay is its upper directory's. */
static int dress_like(int from, int to, struct error *e)
{
	struct stat st;

	if (fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0 ||
	    fchmod(to, st.st_mode & 07777) < 0)
		return fail(e, errno, "the root's owner and mode");
	return 0;
}

static int list_lowers(const struct importing *x, char *text, size_t size, struct error *e)
{
	const struct export_head *h = x->head;

	int n = str_format(text, size, "lowerdir=%s/bases/%s/%s", x->storage->path, h->export_id,
			   h->layer ? EXPORT_LAYER : EXPORT_ROOT);
	for (size_t i = 0; n >= 0 && i < h->n_bases; i++) {
		size_t used = strlen(text);
		if (strpbrk(x->bases[i], ":,\\"))
			return refuse(e, EINVAL, "layer %s: its path cannot be named to an overlay",
				      x->bases[i]);
		n = str_format(text + used, size - used, ":%s", x->bases[i]);
	}
	return n < 0 ? refuse(e, ENAMETOOLONG, "too many layers for one overlay") : 0;
}

static int mount_overlay(struct importing *x, const char *lowers, const char *own, struct error *e)
{
	char data[4096], at[PATH_MAX];

	if (str_format(at, sizeof(at), "%s/clones/%s/rootfs", x->storage->path, x->name) < 0 ||
	    str_format(data, sizeof(data), "%s,%s", lowers, own) < 0)
		return refuse(e, ENAMETOOLONG, "too many layers for one overlay");
	if (mount("overlay", at, "overlay", 0, data) == 0)
		return 0;
	if (errno == EINVAL)
		return fail(e, errno,
			    "overlay at %s (a file system that cannot hold one? --private shares nothing, "
			    "--storage names another place)",
			    at);
	return fail(e, errno, "overlay at %s", at);
}

static int share_root(struct importing *x, struct error *e)
{
	char lowers[3000], own[PATH_MAX];
	const char *storage = x->storage->path;

	auto_close int from = openat(x->base, x->head->layer ? EXPORT_LAYER : EXPORT_ROOT,
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return fail(e, errno, "open the unpacked root");
	auto_close int upper = make_dir(x->clone, "upper", e);
	if (upper < 0)
		return upper;
	auto_close int work = make_dir(x->clone, "work", e),
		       at = work < 0 ? work : make_dir(x->clone, "rootfs", e);
	if (at < 0)
		return at;
	int r = dress_like(from, upper, e);
	if (r == 0)
		r = list_lowers(x, lowers, sizeof(lowers), e);
	if (r == 0 && str_format(own, sizeof(own), "upperdir=%s/clones/%s/upper,workdir=%s/clones/%s/work",
				 storage, x->name, storage, x->name) < 0)
		r = refuse(e, ENAMETOOLONG, "storage %s", storage);
	return r == 0 ? mount_overlay(x, lowers, own, e) : r;
}

/* All of it is the clone's own: no base, no overlay; the layer has to stand on something, so not for those. */
static int private_root(struct importing *x, struct error *e)
{
	if (x->head->layer)
		return refuse(e, EINVAL,
			      "--private: the file holds a layer, which stands on directories that are "
			      "shared");
	int r = unpack(x, x->clone, e);
	transfer_end(&x->transfer, r == 0);
	return r;
}

static int make_clone(struct importing *x, bool ready, struct error *e)
{
	char owner[PATH_MAX];
	int r = 0;

	if (str_format(owner, sizeof(owner), "%s/%s", x->restore->globals->root, x->name) < 0)
		return fail(e, ENAMETOOLONG, "state directory");
	if (!x->options->private)
		r = fill_base(x, ready, e);
	if (r < 0)
		return r;
	x->clone = storage_clone_make(x->storage, x->name, owner, x->head->export_id, x->base, e);
	if (x->clone < 0)
		return x->clone;
	return x->options->private ? private_root(x, e) : share_root(x, e);
}

/* ---- the restore ---- */

static int restore(struct importing *x, int *ret_exit, struct error *e)
{
	char bundle[PATH_MAX], images[PATH_MAX];
	struct restore_options r = *x->restore;

	auto_free char *config = import_config(x->own_config ? x->own_config : x->config, x->name, e);
	if (!config)
		return -e->code;
	if (str_format(bundle, sizeof(bundle), "%s/clones/%s", x->storage->path, x->name) < 0 ||
	    (x->options->private ? str_format(images, sizeof(images), "%s/" EXPORT_IMAGES, bundle)
				 : str_format(images, sizeof(images), "%s/bases/%s/" EXPORT_IMAGES,
					      x->storage->path, x->head->export_id)) < 0)
		return fail(e, ENAMETOOLONG, "storage");
	int ret = io_replace_file(x->clone, "config.json", config, strlen(config), 0600, e);
	if (ret < 0)
		return ret;
	r.id = x->name;
	r.bundle = bundle;
	r.config_text = config;
	r.image.image_path = images;
	r.image.work_path = r.image.work_path ? r.image.work_path : bundle;
	replace_fd(&x->base, -1); /* others may come */
	return life_restore(&r, ret_exit, e);
}

static int run(struct importing *x, int *ret_exit, struct error *e)
{
	struct error ignored;
	bool ready = false;

	int r = 0;
	if (!x->options->private) {
		x->base = storage_base_open(x->storage, x->head->export_id, &ready, e);
		if (x->base < 0)
			return x->base;
	}
	r = look(x, ready, e);
	if (r == 0)
		r = make_clone(x, ready, e);
	if (r == 0)
		r = restore(x, ret_exit, e);
	if (r < 0 && x->clone >= 0) {
		replace_fd(&x->clone, -1);
		replace_fd(&x->base, -1);
		storage_clone_remove(x->storage, x->name, &ignored);
	} else if (r < 0 && x->base >= 0)
		storage_base_drop(x->storage, x->head->export_id, x->base, &ignored);
	return r;
}

static int open_all(struct importing *x, struct error *e)
{
	const struct import_options *o = x->options;

	int r = transfer_init(&x->transfer, o->progress, "import", "imported", o->name ? o->name : "", false,
			      e);
	if (r == 0)
		r = image_trust_parse(x->restore->image.trust, &x->trust, e);
	if (r == 0)
		r = image_key(&x->restore->image, &x->key_buf, &x->key, e);
	if (r == 0 && x->trust == MANIFEST_SIGNED && !x->key)
		r = refuse(e, ENOKEY, "--trust signed: this node has no key (" MANIFEST_KEY ")");
	if (r == 0)
		r = open_in(x, e);
	if (r == 0)
		r = read_head(x, e);
	if (r == 0)
		r = read_config(x, e);
	if (r < 0)
		return r;
	x->name = o->name ? o->name : x->head->container;
	x->transfer.name = x->name;
	r = container_check_id(x->name, e);
	return r == 0 ? storage_open(o->storage, &x->storage, e) : r;
}

static void close_all(struct importing *x)
{
	archive_reader_free(x->reader);
	cleanup_close(&x->in);
	cleanup_close(&x->base);
	cleanup_close(&x->clone);
	export_head_free(x->head);
	spec_free(x->spec);
	storage_free(x->storage);
	free(x->config);
	free(x->own_config);
	free(x->bases);
}

int life_import(const struct import_options *o, const struct restore_options *restore_options, int *ret_exit,
		struct error *e)
{
	struct importing x = { .options = o, .restore = restore_options, .in = -1, .base = -1, .clone = -1 };

	int r = interrupt_prepare(e);
	if (r == 0)
		r = open_all(&x, e);
	if (r == 0)
		r = run(&x, ret_exit, e);
	close_all(&x);
	return r;
}
