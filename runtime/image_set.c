/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_set.c - the images as a set: the manifest is written last, and what it says is checked first */
#include "runtime/image_set.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "checkpoint/digester.h"
#include "checkpoint/trust.h"
#include "namespaces/seccomp.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/sha256.h"
#include "runtime/base/str.h"
#include "runtime/stored_config.h"

int image_trust_parse(const char *word, enum manifest_trust *ret, struct error *e)
{
	*ret = MANIFEST_DIGEST;
	if (!word)
		return 0;
	for (int i = 0; i < MANIFEST_TRUST_MAX; i++)
		if (str_eq(word, manifest_trust_words[i])) {
			*ret = (enum manifest_trust)i;
			return 0;
		}
	return refuse(e, EINVAL, "option --trust: `%.64s` is none of any, manifest, signed", word);
}

int image_key(const struct image_options *o, struct manifest_key *buf, const struct manifest_key **ret,
	      struct error *e)
{
	bool found;

	*ret = NULL;
	int r = manifest_key_read(o->key, buf, &found, e);
	if (r < 0)
		return r;
	if (!found && o->key)
		return refuse(e, ENOENT, "option --key: there is no %s", o->key);
	*ret = found ? buf : NULL;
	return 0;
}

/* ---- writing ---- */

static const char *digest_of(struct arena *a, const void *data, size_t size)
{
	uint8_t digest[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, data, size);
	sha256_end(&h, digest);
	sha256_hex(digest, hex);
	return arena_strdup(a, hex);
}

static int describe_config(const struct dump *d, struct manifest *m, struct error *e)
{
	auto_free char *text = NULL;
	size_t size;

	int r = io_read_file(d->container->dir, "config.json", CONFIG_LIMIT, &text, &size, e);
	if (r < 0)
		return r;
	m->config = digest_of(m->arena, text, size);
	if (d->spec->seccomp)
		m->seccomp = digest_of(m->arena, d->spec->seccomp->raw, d->spec->seccomp->raw_size);
	return m->config && m->seccomp ? 0 : fail(e, ENOMEM, "describe images");
}

static int describe_mounts(const struct dump *d, struct manifest *m, struct error *e)
{
	const struct brief *b = d->brief;

	m->externals = arena_calloc(m->arena, b->n_mounts + 1, sizeof(*m->externals));
	if (!m->externals)
		return fail(e, ENOMEM, "describe images");
	for (size_t i = 0; i < b->n_mounts; i++)
		m->externals[i] = (struct manifest_external){ "mount", b->mounts[i].key,
							      b->mounts[i].destination };
	m->n_externals = b->n_mounts;
	return 0;
}

/* A migration's memory does not come here, and a page server's neither. */
static bool has_set(const struct checkpoint_options *o)
{
	return !o->keep_record && o->page_fd <= 0 && !o->check;
}

int image_set_begin(struct dump *d, struct error *e)
{
	const struct checkpoint_options *o = &d->options;
	const struct manifest_key *key;
	struct manifest_key buf;

	if (!has_set(o) || o->page_server || o->image.lazy_pages)
		return 0;
	int r = image_key(&o->image, &buf, &key, e);
	return r == 0 ? digester_start(d->images, key, &d->digester, e) : r;
}

int image_set_write(const struct dump *d, struct error *e)
{
	const struct checkpoint_options *o = &d->options;
	AUTO(manifest) struct manifest *m = NULL;
	const struct manifest_key *key;
	struct manifest_key buf;

	if (!has_set(o))
		return 0;
	int r = image_key(&o->image, &buf, &key, e);
	if (r < 0)
		return r;
	m = manifest_new(e);
	if (!m)
		return -e->code;
	m->id = o->id;
	m->criu = (uint64_t)d->criu_version;
	m->pre_dump = o->pre_dump;
	m->tcp_established = o->image.tcp_established;
	m->shell_job = o->image.shell_job;
	m->file_locks = o->image.file_locks;
	m->ext_unix_sk = o->image.ext_unix_sk;
	m->lazy_pages = o->image.lazy_pages;
	m->pages_elsewhere = o->page_server || o->image.lazy_pages;
	m->dedup = o->image.auto_dedup;
	r = describe_config(d, m, e);
	if (r == 0)
		r = describe_mounts(d, m, e);
	if (r == 0 && d->digester)
		r = digester_finish(d->digester, m->arena, &m->known, &m->n_known, e);
	return r < 0 ? r : manifest_write(d->images, m, key, e);
}

/* ---- checking ---- */

/* The filter that the config makes must be in the images; a set that somebody vouches for by --trust any may have another
 * tool's of the same profile. */
static int check_filters(const struct restore *r, enum manifest_trust trust, struct error *e)
{
	AUTO(seccomp_filter) struct seccomp_filter *f = NULL;

	if (!r->create.spec->seccomp || trust == MANIFEST_ANY)
		return 0;
	auto_close int cache = openat(r->create.container->root, ".cache/seccomp",
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int ret = seccomp_prepare(r->create.spec->seccomp, cache, &f, e);
	if (ret == 0 && f)
		ret = trust_check_filters(r->images, f->program, f->size, e);
	return ret < 0 ? prefix(e, "linux.seccomp") : 0;
}

/* In a process of its own, beside CRIU: all of it once more, memory as well. */
static int check_beside(struct restore *r, enum manifest_trust trust, const struct manifest_key *key,
			struct error *e)
{
	int verdict[2];

	if (pipe2(verdict, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe");
	r->checker = fork();
	if (r->checker == 0) {
		AUTO(manifest) struct manifest *m = NULL;
		struct error mine = { .code = 0 };
		prctl(PR_SET_NAME, "coracle-digest");
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		interrupt_forget();
		fd_close_all_but((int[]){ r->images, verdict[1] }, 2);
		manifest_check(r->images, trust, key, false, &m, &mine);
		_exit(write(verdict[1], &mine, sizeof(mine)) != (ssize_t)sizeof(mine));
	}
	int error = errno;
	close(verdict[1]);
	r->verdict = verdict[0];
	return r->checker < 0 ? fail(e, error, "fork") : 0;
}

int image_set_wait(struct restore *r, struct error *e)
{
	struct error told;
	int status = 0;

	if (r->checker <= 0)
		return 0;
	ssize_t n;
	do
		n = read(r->verdict, &told, sizeof(told));
	while (n < 0 && errno == EINTR);
	int ret = proc_wait(r->checker, &status, e);
	r->checker = 0;
	if (ret < 0)
		return ret;
	if (n != (ssize_t)sizeof(told))
		return refuse(e, ECHILD, "images: the process that looked at their memory ended");
	if (!told.code)
		return 0;
	told.msg[sizeof(told.msg) - 1] = '\0';
	*e = told;
	return prefix(e, "images");
}

/* Memory that was left to be looked at beside. */
static bool has_large_memory(const struct manifest *m)
{
	if (*m->parent)
		return true;
	for (size_t i = 0; i < m->n_files; i++)
		if (str_starts(m->files[i].name, "pages-") && m->files[i].size > MANIFEST_MEMORY_LATER)
			return true;
	return false;
}

static int check_manifest(struct restore *r, enum manifest_trust trust, struct error *e)
{
	const struct image_options *o = &r->options.image;
	AUTO(manifest) struct manifest *m = NULL;
	const struct manifest_key *key;
	struct manifest_key buf;
	struct utsname uts;

	int ret = image_key(o, &buf, &key, e);
	if (ret == 0)
		ret = manifest_check(r->images, trust, key, true, &m, e);
	if (ret == 0 && m && has_large_memory(m))
		ret = check_beside(r, trust, key, e);
	if (ret < 0)
		return prefix(e, "images");
	if (!m) {
		log_warning("restore: images without a manifest: nothing vouches for them");
		return 0;
	}
	uname(&uts);
	ret = manifest_fits(m, uts.machine, (uint64_t)sysconf(_SC_PAGESIZE), 0, e);
	return ret < 0 ? ret
		       : manifest_needs(m, o->tcp_established || o->tcp_close, o->shell_job, o->file_locks,
					o->ext_unix_sk, e);
}

int image_set_check(struct restore *r, struct error *e)
{
	enum manifest_trust trust;

	int ret = image_trust_parse(r->options.image.trust, &trust, e);
	if (ret == 0 && !r->options.images_dir)
		ret = check_manifest(r, trust, e);
	return ret == 0 ? check_filters(r, trust, e) : ret;
}

int image_set_trust(const struct restore *r, pid_t init, struct error *e)
{
	auto_free pid_t *pids = NULL;

	auto_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return fail(e, errno, "open /proc");
	ssize_t n = cgroup_pids(r->create.cgroup, &pids, e);
	if (n < 0)
		return (int)n;
	/* CRIU itself is in the group, until it ends. */
	size_t left = 0;
	for (ssize_t i = 0; i < n; i++)
		if (pids[i] != criu_pid(r->criu))
			pids[left++] = pids[i];
	int ret = trust_check_tasks(proc, r->create.spec, r->options.image.raised, init, pids, left, e);
	return ret < 0 ? prefix(e, "what was restored may do more than the config allows") : 0;
}
