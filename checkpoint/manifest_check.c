/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manifest_check.c - digests of files, made and checked; the MAC; the chain of parents
 *
 * In RUNTIME. A set is judged in this order: who can write the directory, the MAC over the manifest's bytes,
 * then its text, then each file; a text that nobody vouches for is parsed only where none is demanded. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/manifest_file.h"
#include "checkpoint/pagehash.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "specs/json.h"

const char *const manifest_trust_words[MANIFEST_TRUST_MAX + 1] = { "any", "manifest", "signed", NULL };

/* ---- digests ---- */

bool digest_is_well_formed(const char *digest)
{
	const char *hex = NULL;
	size_t want = 0;

	if (str_starts(digest, DIGEST_SHA256)) {
		hex = digest + strlen(DIGEST_SHA256);
		want = 2 * SHA256_SIZE;
	} else if (str_starts(digest, DIGEST_SUM64)) {
		hex = digest + strlen(DIGEST_SUM64);
		want = 16;
	}
	return hex && strlen(hex) == want && strspn(hex, "0123456789abcdef") == want;
}

enum digest_kind digest_kind(const char *digest)
{
	return str_starts(digest, DIGEST_SUM64) ? DIGEST_KIND_SUM64 : DIGEST_KIND_SHA256;
}

void digest_begin(struct digest_state *s, enum digest_kind kind)
{
	*s = (struct digest_state){ .kind = kind };
	sha256_init(&s->sha256);
}

static void take_piece(struct digest_state *s)
{
	if (s->kind == DIGEST_KIND_SHA256)
		sha256_add(&s->sha256, s->piece, s->used);
	else
		s->sum = page_sum(s->sum, s->piece, s->used);
	s->size += s->used;
	s->used = 0;
}

/* Whole pieces, however short the reads: the checksum depends on where it is cut. A piece stays in the
 * processor's cache between the copy and the digest. */
int digest_more(struct digest_state *s, int fd, struct error *e)
{
	ssize_t n = 1;

	if (!s->piece)
		s->piece = malloc(DIGEST_PIECE);
	if (!s->piece)
		return fail(e, ENOMEM, "digest a file");
	while (n != 0) {
		n = read(fd, s->piece + s->used, DIGEST_PIECE - s->used);
		if (n < 0 && errno != EINTR)
			return fail(e, errno, "read");
		s->used += n > 0 ? (size_t)n : 0;
		if (s->used == DIGEST_PIECE)
			take_piece(s);
	}
	return 0;
}

void digest_end(struct digest_state *s, char ret[static DIGEST_SIZE], uint64_t *ret_size)
{
	uint8_t digest[SHA256_SIZE];

	take_piece(s);
	*ret_size = s->size;
	free(s->piece);
	s->piece = NULL;
	if (s->kind == DIGEST_KIND_SUM64) {
		str_format(ret, DIGEST_SIZE, DIGEST_SUM64 "%016" PRIx64, s->sum);
		return;
	}
	sha256_end(&s->sha256, digest);
	str_format(ret, DIGEST_SIZE, DIGEST_SHA256);
	sha256_hex(digest, ret + strlen(DIGEST_SHA256));
}

int digest_fd(int fd, enum digest_kind kind, char ret[static DIGEST_SIZE], uint64_t *ret_size,
	      struct error *e)
{
	struct digest_state s;

	digest_begin(&s, kind);
	int r = digest_more(&s, fd, e);
	digest_end(&s, ret, ret_size);
	return r;
}

static int digest_file(int dir, const char *name, enum digest_kind kind, char ret[static DIGEST_SIZE],
		       uint64_t *ret_size, struct error *e)
{
	auto_close int fd = imagedir_open_file(dir, name, e);
	if (fd < 0)
		return fd;
	int r = digest_fd(fd, kind, ret, ret_size, e);
	return r < 0 ? prefix(e, "%s", name) : r;
}

/* ---- the key ---- */

int manifest_key_read(const char *path, struct manifest_key *ret, bool *ret_found, struct error *e)
{
	struct stat st;

	path = path ? path : MANIFEST_KEY;
	auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		*ret_found = false;
		return 0;
	}
	if (fd < 0)
		return fail(e, errno, "open the key %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse(e, EINVAL, "key %s: not a regular file", path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 077))
		return refuse(e, EPERM, "key %s: uid %u owns it, mode %04o: it must be root's, mode 0600",
			      path, (unsigned int)st.st_uid, (unsigned int)st.st_mode & 07777);
	if (st.st_size < 32 || st.st_size > (off_t)sizeof(ret->bytes))
		return refuse(e, EINVAL, "key %s: %lld bytes: 32 to %zu are a key", path,
			      (long long)st.st_size, sizeof(ret->bytes));
	ssize_t n = pread(fd, ret->bytes, sizeof(ret->bytes), 0);
	if (n != st.st_size)
		return fail(e, n < 0 ? errno : EIO, "read the key %s", path);
	ret->size = (size_t)n;
	*ret_found = true;
	return 0;
}

static void mac_of(const struct manifest_key *key, const char *text, size_t size,
		   char ret[static SHA256_HEX_SIZE])
{
	uint8_t mac[SHA256_SIZE];

	hmac_sha256(key->bytes, key->size, text, size, mac);
	sha256_hex(mac, ret);
}

/* ---- writing ---- */

/* From those that are known already, if it is of this size. */
static const char *known_digest(const struct manifest *m, const struct image_file *file)
{
	for (size_t i = 0; i < m->n_known; i++)
		if (m->known[i].size == file->size && str_eq(m->known[i].name, file->name))
			return m->known[i].digest;
	return NULL;
}

static int describe_files(const struct imagedir *d, struct manifest *m, bool signed_set, struct error *e)
{
	m->files = arena_calloc(m->arena, d->n_files + 1, sizeof(*m->files));
	if (!m->files)
		return fail(e, ENOMEM, MANIFEST_FILE);
	m->n_files = 0;
	for (size_t i = 0; i < d->n_files; i++) {
		struct manifest_file *f = &m->files[m->n_files];
		char digest[DIGEST_SIZE];
		if (!imagedir_is_covered(d->files[i].name))
			continue;
		const char *known = known_digest(m, &d->files[i]);
		bool memory = str_starts(d->files[i].name, "pages-");
		f->size = d->files[i].size;
		int r = known ? 0
			      : digest_file(d->fd, d->files[i].name,
					    memory && !signed_set ? DIGEST_KIND_SUM64 : DIGEST_KIND_SHA256,
					    digest, &f->size, e);
		if (r < 0)
			return r;
		f->name = arena_strdup(m->arena, d->files[i].name);
		f->digest = arena_strdup(m->arena, known ? known : digest);
		if (!f->name || !f->digest)
			return fail(e, ENOMEM, MANIFEST_FILE);
		m->n_files++;
	}
	return 0;
}

static int digest_text(struct arena *a, const char *text, size_t size, const char **ret, struct error *e)
{
	char hex[SHA256_HEX_SIZE];
	uint8_t digest[SHA256_SIZE];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, text, size);
	sha256_end(&h, digest);
	sha256_hex(digest, hex);
	*ret = arena_strdup(a, hex);
	return *ret ? 0 : fail(e, ENOMEM, MANIFEST_FILE);
}

static int read_text(int dir, const char *name, char **ret, size_t *ret_size, struct error *e)
{
	auto_close int fd = imagedir_open_file(dir, name, e);
	if (fd < 0)
		return fd;
	int r = io_read_fd(fd, JSON_MAX_SIZE, ret, ret_size, e);
	return r < 0 ? prefix(e, "%s", name) : r;
}

/* The earlier images' manifest, by its digest; none where another tool made them. */
static int describe_parent(const struct imagedir *d, struct manifest *m, struct error *e)
{
	AUTO(imagedir) struct imagedir *parent = NULL;
	auto_free char *text = NULL;
	struct error none;
	size_t size;

	m->parent = m->parent_sha256 = "";
	if (!d->parent)
		return 0;
	m->parent = arena_strdup(m->arena, d->parent);
	if (!m->parent)
		return fail(e, ENOMEM, MANIFEST_FILE);
	int r = imagedir_open_parent(d, &parent, e);
	if (r < 0)
		return r;
	r = read_text(parent->fd, MANIFEST_FILE, &text, &size, &none);
	if (r < 0)
		return r == -ENOENT ? 0 : refuse(e, -r, "%s/%s", m->parent, none.msg);
	return digest_text(m->arena, text, size, &m->parent_sha256, e);
}

int manifest_write(int dir, struct manifest *m, const struct manifest_key *key, struct error *e)
{
	AUTO(imagedir) struct imagedir *d = NULL;
	char mac[SHA256_HEX_SIZE + 1];
	size_t size;

	if ((unlinkat(dir, MANIFEST_FILE, 0) < 0 && errno != ENOENT) ||
	    (unlinkat(dir, MANIFEST_MAC, 0) < 0 && errno != ENOENT))
		return fail(e, errno, "remove an earlier manifest");
	int r = imagedir_scan(dir, &d, e);
	if (r == 0)
		r = describe_files(d, m, key, e);
	if (r == 0)
		r = describe_parent(d, m, e);
	if (r < 0)
		return r;
	auto_free char *text = manifest_to_json(m, &size);
	if (!text)
		return fail(e, ENOMEM, MANIFEST_FILE);
	if (size > JSON_MAX_SIZE)
		return refuse(e, EFBIG, MANIFEST_FILE ": %zu bytes are too many", size);
	if (key) {
		mac_of(key, text, size, mac);
		str_format(mac + strlen(mac), 2, "\n");
		r = io_replace_file(dir, MANIFEST_MAC, mac, strlen(mac), 0600, e);
		if (r < 0)
			return r;
	}
	return io_replace_file(dir, MANIFEST_FILE, text, size, 0600, e);
}

/* ---- checking ---- */

int manifest_read(int dir, struct manifest **ret, struct error *e)
{
	auto_free char *text = NULL;
	size_t size;

	int r = read_text(dir, MANIFEST_FILE, &text, &size, e);
	return r < 0 ? r : manifest_parse(text, size, ret, e);
}

int manifest_decide(enum manifest_trust trust, bool has_key, bool has_manifest, bool has_mac, struct error *e)
{
	bool wants_mac = trust == MANIFEST_SIGNED || (trust == MANIFEST_DIGEST && has_key);

	if (trust == MANIFEST_SIGNED && !has_key)
		return refuse(e, ENOKEY, "signed images are demanded, and this node has no key (%s)",
			      MANIFEST_KEY);
	if (!has_manifest && trust == MANIFEST_ANY)
		return 0;
	if (!has_manifest)
		return refuse(e, ENOENT,
			      "no " MANIFEST_FILE ": the set is not complete, or another tool made it (then "
			      "--trust any takes it)");
	if (wants_mac && !has_mac)
		return refuse(e, EKEYREJECTED,
			      "the images are not signed (no " MANIFEST_MAC
			      "), and this node has a key (--trust any "
			      "takes them nevertheless)");
	return 0;
}

static int check_mac(int dir, const struct manifest_key *key, const char *text, size_t size, struct error *e)
{
	char want[SHA256_HEX_SIZE];
	auto_free char *has = NULL;
	uint8_t a[SHA256_SIZE], b[SHA256_SIZE];
	size_t n;

	int r = read_text(dir, MANIFEST_MAC, &has, &n, e);
	if (r < 0)
		return r;
	if (n && has[n - 1] == '\n')
		has[n - 1] = '\0';
	mac_of(key, text, size, want);
	if (!sha256_from_hex(want, a) || !sha256_from_hex(has, b) || !sha256_equal(a, b))
		return refuse(e, EKEYREJECTED, MANIFEST_FILE ": the MAC is not one of this node's key");
	return 0;
}

static bool has_file(const struct imagedir *d, const char *name)
{
	for (size_t i = 0; i < d->n_files; i++)
		if (str_eq(d->files[i].name, name))
			return true;
	return false;
}

static bool is_memory(const char *name)
{
	return str_starts(name, "pages-");
}

/* How a set is looked at. */
struct looking {
	bool signed_set;
	bool dedup; /* the memory is what later images have left of it */
	bool memory_later;
};

static int check_file(const struct imagedir *d, const struct image_file *is, const struct manifest_file *f,
		      struct looking how, struct error *e)
{
	char digest[DIGEST_SIZE];
	uint64_t size;

	if (how.dedup && is_memory(f->name))
		return 0;
	bool later = how.memory_later && is_memory(f->name) && is->size > MANIFEST_MEMORY_LATER;
	if (is->size != f->size)
		return refuse(e, EBADMSG, "%s: %" PRIu64 " bytes, the manifest says %" PRIu64, f->name,
			      is->size, f->size);
	if (digest_kind(f->digest) != DIGEST_KIND_SHA256 && (how.signed_set || !is_memory(f->name)))
		return refuse(e, EBADMSG, "%s: the manifest has no SHA-256 for it", f->name);
	if (later)
		return 0;
	int r = digest_file(d->fd, f->name, digest_kind(f->digest), digest, &size, e);
	if (r < 0)
		return r;
	if (!str_eq(digest, f->digest))
		return refuse(e, EBADMSG, "%s: not what the manifest has the digest of", f->name);
	return 0;
}

/* Both lists are in order: one walk finds what is missing, and what is there and should not be. */
static int check_files(const struct imagedir *d, const struct manifest *m, struct looking how,
		       struct error *e)
{
	size_t k = 0;

	for (size_t i = 0; i < d->n_files; i++) {
		const struct image_file *is = &d->files[i];
		int order = k < m->n_files ? strcmp(m->files[k].name, is->name) : 1;
		if (order < 0)
			return refuse(e, ENOENT, "%.128s: missing, though the manifest lists it",
				      m->files[k].name);
		bool late = m->pages_elsewhere && (is_memory(is->name) || str_starts(is->name, "pagemap-"));
		if (order > 0 && imagedir_is_image(is->name) && !(late && !how.signed_set))
			return refuse(e, EBADMSG, "%s: an image that the manifest does not list", is->name);
		if (order > 0)
			continue;
		int r = check_file(d, is, &m->files[k], how, e);
		if (r < 0)
			return r;
		k++;
	}
	if (k < m->n_files)
		return refuse(e, ENOENT, "%.128s: missing, though the manifest lists it", m->files[k].name);
	return 0;
}

/* What a chain is checked with; of its last directory `want` is NULL, of the others it is the digest that the
 * one above has of its manifest. */
struct checking {
	enum manifest_trust trust;
	const struct manifest_key *key;
	const char *want;
	bool dedup, memory_later;
	int depth;
};

static int check_text(const struct imagedir *d, const struct checking *c, bool has_mac, const char *text,
		      size_t size, struct manifest **ret, struct error *e)
{
	AUTO(manifest) struct manifest *m = NULL;
	const char *digest = "";

	int r = c->key && has_mac ? check_mac(d->fd, c->key, text, size, e) : 0;
	if (r == 0)
		r = manifest_parse(text, size, &m, e);
	if (r == 0 && c->want && *c->want)
		r = digest_text(m->arena, text, size, &digest, e);
	if (r < 0)
		return r;
	if (c->want && *c->want && !str_eq(c->want, digest))
		return refuse(e, EBADMSG,
			      MANIFEST_FILE ": not the one that the later images were made after");
	if (!str_eq(m->parent, d->parent ? d->parent : ""))
		return refuse(e, EBADMSG, "the link " IMAGEDIR_PARENT " is not what the manifest says");
	*ret = take_ptr(m);
	return 0;
}

/* One directory of the chain. */
static int check_one(const struct imagedir *d, const struct checking *c, struct manifest **ret,
		     struct error *e)
{
	AUTO(manifest) struct manifest *m = NULL;
	auto_free char *text = NULL;
	bool has_manifest = has_file(d, MANIFEST_FILE), has_mac = has_file(d, MANIFEST_MAC);
	size_t size;

	int r = manifest_decide(c->trust, c->key, has_manifest, has_mac, e);
	if (r < 0 || !has_manifest)
		return r;
	r = read_text(d->fd, MANIFEST_FILE, &text, &size, e);
	if (r == 0)
		r = check_text(d, c, has_mac, text, size, &m, e);
	if (r == 0)
		r = check_files(d, m, (struct looking){ c->key && has_mac, c->dedup, c->memory_later }, e);
	if (r == 0)
		*ret = take_ptr(m);
	return r;
}

static int check_chain(const struct imagedir *d, const struct checking *c, struct manifest **ret,
		       struct error *e)
{
	AUTO(imagedir) struct imagedir *parent = NULL;
	AUTO(manifest) struct manifest *m = NULL, *of_parent = NULL;

	if (c->depth == IMAGEDIR_MAX_CHAIN)
		return refuse(e, ELOOP, "more than %d directories of earlier images", IMAGEDIR_MAX_CHAIN);
	int r = check_one(d, c, &m, e);
	if (r == 0 && d->parent) {
		const struct checking next = { c->trust,
					       c->key,
					       m ? m->parent_sha256 : NULL,
					       c->dedup || (m && m->dedup),
					       c->memory_later,
					       c->depth + 1 };
		r = imagedir_open_parent(d, &parent, e);
		if (r == 0)
			r = check_chain(parent, &next, &of_parent, e);
		if (r < 0)
			r = prefix(e, "%s", d->parent);
	}
	if (r == 0 && m)
		*ret = take_ptr(m);
	return r;
}

int manifest_check(int dir, enum manifest_trust trust, const struct manifest_key *key, bool memory_later,
		   struct manifest **ret, struct error *e)
{
	const struct checking c = { .trust = trust, .key = key, .memory_later = memory_later };
	AUTO(imagedir) struct imagedir *d = NULL;
	struct manifest *m = NULL;

	int r = imagedir_scan(dir, &d, e);
	if (r == 0)
		r = check_chain(d, &c, &m, e);
	if (r == 0)
		*ret = m;
	return r;
}
