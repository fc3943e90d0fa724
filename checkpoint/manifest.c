/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manifest.c - the manifest: its text, written from a struct and read back by a table
 *
 * Our own format: every key is there and no other, or it is no manifest. Files are one pair each,
 * "core-1.img": "1234 sha256:…", so that a set of ten thousand files stays inside json.h's bounds. */
#include "checkpoint/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/manifest_file.h"
#include "runtime/base/str.h"
#include "specs/dispatch.h"
#include "specs/jsonout.h"

#define FORMAT_VERSION 1
#define VERSION_KEY    "coracle_image_set"

void manifest_free(struct manifest *m)
{
	if (m)
		arena_free(m->arena);
}

static struct manifest *new_empty(void)
{
	AUTO(arena) struct arena *a = arena_new();
	struct manifest *m = a ? arena_alloc(a, sizeof(*m)) : NULL;

	if (!m)
		return NULL;
	m->arena = take_ptr(a);
	m->coracle = m->id = m->created = m->kernel = m->machine = m->config = m->seccomp = m->parent =
		m->parent_sha256 = "";
	return m;
}

struct manifest *manifest_new(struct error *e)
{
	AUTO(manifest) struct manifest *m = new_empty();
	struct utsname uts;
	struct timespec now;
	struct tm tm;
	char text[40] = "";

	if (!m) {
		fail(e, ENOMEM, "describe images");
		return NULL;
	}
	uname(&uts);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	m->coracle = PACKAGE_VERSION;
	m->created = arena_strdup(m->arena, text);
	m->kernel = arena_strdup(m->arena, uts.release);
	m->machine = arena_strdup(m->arena, uts.machine);
	m->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	if (!m->created || !m->kernel || !m->machine) {
		fail(e, ENOMEM, "describe images");
		return NULL;
	}
	return take_ptr(m);
}

/* ---- reading ---- */

static READER(read_version)
{
	int64_t version = 0;

	(void)in;
	(void)f;
	(void)object;
	int r = read_integer(v, 0, INT64_MAX, &version, e);
	if (r == 0 && version != FORMAT_VERSION)
		return json_fail(v, e, "format %" PRId64 " is not the one this coracle knows (%d)", version,
				 FORMAT_VERSION);
	return r;
}

/* "1234 sha256:…" */
static int read_file_text(const struct json *v, const char *text, struct manifest_file *file, struct error *e)
{
	size_t n = strcspn(text, " ");
	char number[24];

	if (str_format(number, sizeof(number), "%.*s", (int)n, text) < 0 || text[n] != ' ' ||
	    str_to_u64(number, &file->size) < 0)
		return json_fail(v, e, "expected \"SIZE DIGEST\"");
	file->digest = text + n + 1;
	if (!digest_is_well_formed(file->digest))
		return json_fail(v, e, "\"%.80s\" is no digest that this coracle knows", file->digest);
	return 0;
}

static READER(read_files)
{
	struct manifest *m = object;
	size_t n = 0;

	(void)f;
	if (v->size > IMAGEDIR_MAX_FILES)
		return json_fail(v, e, "more than %u files", IMAGEDIR_MAX_FILES);
	m->files = arena_calloc(in->arena, v->size + 1, sizeof(*m->files));
	if (!m->files)
		return out_of_memory(e);
	for (const struct json *pair = v->first; pair; pair = pair->next, n++) {
		if (pair->type != JSON_STRING)
			return json_fail(pair, e, "expected a string");
		m->files[n].name = arena_strdup(in->arena, pair->key);
		char *text = arena_strdup(in->arena, pair->text);
		if (!m->files[n].name || !text)
			return out_of_memory(e);
		int r = read_file_text(pair, text, &m->files[n], e);
		if (r < 0)
			return r;
		if (n && strcmp(m->files[n - 1].name, m->files[n].name) >= 0)
			return json_fail(pair, e, "files are not in order");
	}
	m->n_files = n;
	return 0;
}

#define EXTERNAL_AT(member) offsetof(struct manifest_external, member)
static const struct field external_fields[] = {
	{ "kind", JSON_STRING, read_string, EXTERNAL_AT(kind), FIELD_REQUIRED | FIELD_NOT_EMPTY },
	{ "key", JSON_STRING, read_string, EXTERNAL_AT(key), FIELD_REQUIRED | FIELD_NOT_EMPTY },
	{ "destination", JSON_STRING, read_string, EXTERNAL_AT(destination), FIELD_REQUIRED },
};
static const struct object external_object = OBJECT(external_fields, struct manifest_external,
						    .strict = true);

#define AT(member) offsetof(struct manifest, member)
static const struct field manifest_fields[] = {
	{ VERSION_KEY, JSON_NUMBER, read_version, 0, FIELD_REQUIRED },
	{ "coracle", JSON_STRING, read_string, AT(coracle), FIELD_REQUIRED },
	{ "id", JSON_STRING, read_string, AT(id), FIELD_REQUIRED },
	{ "created", JSON_STRING, read_string, AT(created), FIELD_REQUIRED },
	{ "kernel", JSON_STRING, read_string, AT(kernel), FIELD_REQUIRED },
	{ "machine", JSON_STRING, read_string, AT(machine), FIELD_REQUIRED },
	{ "pageSize", JSON_NUMBER, read_u64, AT(page_size), FIELD_REQUIRED },
	{ "criu", JSON_NUMBER, read_u64, AT(criu), FIELD_REQUIRED },
	{ "config", JSON_STRING, read_string, AT(config), FIELD_REQUIRED },
	{ "seccomp", JSON_STRING, read_string, AT(seccomp), FIELD_REQUIRED },
	{ "preDump", JSON_BOOL, read_bool, AT(pre_dump), FIELD_REQUIRED },
	{ "tcpEstablished", JSON_BOOL, read_bool, AT(tcp_established), FIELD_REQUIRED },
	{ "shellJob", JSON_BOOL, read_bool, AT(shell_job), FIELD_REQUIRED },
	{ "fileLocks", JSON_BOOL, read_bool, AT(file_locks), FIELD_REQUIRED },
	{ "extUnixSk", JSON_BOOL, read_bool, AT(ext_unix_sk), FIELD_REQUIRED },
	{ "lazyPages", JSON_BOOL, read_bool, AT(lazy_pages), FIELD_REQUIRED },
	{ "pagesElsewhere", JSON_BOOL, read_bool, AT(pages_elsewhere), FIELD_REQUIRED },
	{ "dedup", JSON_BOOL, read_bool, AT(dedup), FIELD_REQUIRED },
	{ "externals", JSON_ARRAY, read_objects, AT(externals), FIELD_REQUIRED, .count = AT(n_externals),
	  .object = &external_object },
	{ "parent", JSON_STRING, read_string, AT(parent), FIELD_REQUIRED },
	{ "parentManifest", JSON_STRING, read_string, AT(parent_sha256), FIELD_REQUIRED },
	{ "files", JSON_OBJECT, read_files, 0, FIELD_REQUIRED },
};
static const struct object manifest_object = OBJECT(manifest_fields, struct manifest, .strict = true);

int manifest_parse(const char *text, size_t size, struct manifest **ret, struct error *e)
{
	AUTO(manifest) struct manifest *m = new_empty();
	struct json *root = NULL;

	if (!m)
		return fail(e, ENOMEM, MANIFEST_FILE);
	const struct reading in = { m->arena, text };
	int r = json_parse(m->arena, text, size, &root, e);
	if (r == 0)
		r = dispatch(&in, root, &manifest_object, m, e);
	if (r < 0) {
		str_make_printable(e->msg);
		return prefix(e, MANIFEST_FILE);
	}
	*ret = take_ptr(m);
	return 0;
}

/* ---- writing ---- */

static void put_externals(struct jsonout *o, const struct manifest *m)
{
	jsonout_array(o, "externals");
	for (size_t i = 0; i < m->n_externals; i++) {
		jsonout_object(o, NULL);
		jsonout_string(o, "kind", m->externals[i].kind);
		jsonout_string(o, "key", m->externals[i].key);
		jsonout_string(o, "destination", m->externals[i].destination);
		jsonout_end(o);
	}
	jsonout_end(o);
}

static void put_files(struct jsonout *o, const struct manifest *m)
{
	char text[32 + SHA256_HEX_SIZE + 8];

	jsonout_object(o, "files");
	for (size_t i = 0; i < m->n_files; i++) {
		str_format(text, sizeof(text), "%" PRIu64 " %s", m->files[i].size, m->files[i].digest);
		jsonout_string(o, m->files[i].name, text);
	}
	jsonout_end(o);
}

char *manifest_to_json(const struct manifest *m, size_t *ret_size)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);

	jsonout_object(o, NULL);
	jsonout_i64(o, VERSION_KEY, FORMAT_VERSION);
	jsonout_string(o, "coracle", m->coracle);
	jsonout_string(o, "id", m->id);
	jsonout_string(o, "created", m->created);
	jsonout_string(o, "kernel", m->kernel);
	jsonout_string(o, "machine", m->machine);
	jsonout_u64(o, "pageSize", m->page_size);
	jsonout_u64(o, "criu", m->criu);
	jsonout_string(o, "config", m->config);
	jsonout_string(o, "seccomp", m->seccomp);
	jsonout_bool(o, "preDump", m->pre_dump);
	jsonout_bool(o, "tcpEstablished", m->tcp_established);
	jsonout_bool(o, "shellJob", m->shell_job);
	jsonout_bool(o, "fileLocks", m->file_locks);
	jsonout_bool(o, "extUnixSk", m->ext_unix_sk);
	jsonout_bool(o, "lazyPages", m->lazy_pages);
	jsonout_bool(o, "pagesElsewhere", m->pages_elsewhere);
	jsonout_bool(o, "dedup", m->dedup);
	put_externals(o, m);
	jsonout_string(o, "parent", m->parent);
	jsonout_string(o, "parentManifest", m->parent_sha256);
	put_files(o, m);
	jsonout_end(o);
	jsonout_newline(o);
	return jsonout_take(o, ret_size);
}

/* ---- does it fit here? ---- */

int manifest_fits(const struct manifest *m, const char *machine, uint64_t page_size, uint64_t criu,
		  struct error *e)
{
	if (!str_eq(m->machine, machine))
		return refuse(e, ENOEXEC, "the images are of a %.32s machine, this is %s", m->machine,
			      machine);
	if (m->page_size != page_size)
		return refuse(e, ENOEXEC,
			      "the images have pages of %" PRIu64 " bytes, this kernel has %" PRIu64,
			      m->page_size, page_size);
	/* A newer CRIU reads what an older one wrote; the reverse is not promised. */
	if (criu && m->criu / 100 > criu / 100)
		return refuse(e, ENOTSUP,
			      "the images were made by CRIU %" PRIu64 ".%" PRIu64 ", here is %" PRIu64
			      ".%" PRIu64 ": at least that one is needed",
			      m->criu / 10000, m->criu / 100 % 100, criu / 10000, criu / 100 % 100);
	return 0;
}

int manifest_needs(const struct manifest *m, bool tcp, bool shell_job, bool file_locks, bool ext_unix_sk,
		   struct error *e)
{
	if (m->pre_dump)
		return refuse(e, EINVAL,
			      "these are the images of a pre-dump: memory alone, which the checkpoint that "
			      "follows it completes");
	const struct {
		bool dumped, given;
		const char *what, *option;
	} needs[] = {
		{ m->tcp_established, tcp, "established TCP connections",
		  "--tcp-established or --tcp-close" },
		{ m->shell_job, shell_job, "processes of a foreign terminal's session", "--shell-job" },
		{ m->file_locks, file_locks, "file locks", "--file-locks" },
		{ m->ext_unix_sk, ext_unix_sk, "sockets connected to outside", "--ext-unix-sk" },
	};
	for (size_t i = 0; i < COUNT_OF(needs); i++)
		if (needs[i].dumped && !needs[i].given)
			return refuse(e, EINVAL,
				      "the container was dumped with %s allowed: restore it with %s",
				      needs[i].what, needs[i].option);
	return 0;
}
