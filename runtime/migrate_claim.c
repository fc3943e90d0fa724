/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_claim.c - hello, claim and answer as JSON: written by tables' shape, read by tables
 *
 * Read as a stranger's: strict tables, bounded text (checkpoint/wire.c), strings judged before they are used as
 * names. Pure but for hello_make. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/migrate.h"
#include "specs/dispatch.h"
#include "specs/jsonout.h"

const char *const volume_modes[VOLUME_MODE_MAX + 1] = { "copy", "shared", "drop", NULL };

void obstacle(struct obstacles *o, const char *todo, const char *fmt, ...)
{
	va_list args;

	if (o->n == OBSTACLES_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(o->v[o->n].what, sizeof(o->v[o->n].what), fmt, args);
	va_end(args);
	snprintf(o->v[o->n].todo, sizeof(o->v[o->n].todo), "%s", todo);
	o->n++;
}

static int read_tree(struct arena *a, const char *text, size_t size, const struct object *o, void *target,
		     struct error *e)
{
	const struct reading in = { a, text };
	struct json *tree;

	int r = json_parse(a, text, size, &tree, e);
	return r < 0 ? r : dispatch(&in, tree, o, target, e);
}

/* ---- hello ---- */

static const struct field hello_fields[] = {
	{ "version", JSON_STRING, read_string, offsetof(struct hello, version), FIELD_REQUIRED },
	{ "kernel", JSON_STRING, read_string, offsetof(struct hello, kernel), FIELD_REQUIRED },
	{ "machine", JSON_STRING, read_string, offsetof(struct hello, machine), FIELD_REQUIRED },
	{ "cpu", JSON_STRING, read_string, offsetof(struct hello, cpu), FIELD_REQUIRED },
	{ "pageSize", JSON_NUMBER, read_u64, offsetof(struct hello, page_size), FIELD_REQUIRED },
	{ "criu", JSON_NUMBER, read_u64, offsetof(struct hello, criu), FIELD_REQUIRED },
	{ "lazyPages", JSON_BOOL, read_bool, offsetof(struct hello, lazy_pages) },
};
static const struct object hello_object = OBJECT(hello_fields, struct hello);

char *hello_write(const struct hello *h)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);

	jsonout_object(o, NULL);
	jsonout_string(o, "version", h->version);
	jsonout_string(o, "kernel", h->kernel);
	jsonout_string(o, "machine", h->machine);
	jsonout_string(o, "cpu", h->cpu);
	jsonout_u64(o, "pageSize", h->page_size);
	jsonout_u64(o, "criu", h->criu);
	jsonout_bool(o, "lazyPages", h->lazy_pages);
	jsonout_end(o);
	return jsonout_take(o, NULL);
}

int hello_read(struct arena *a, const char *text, size_t size, struct hello *ret, struct error *e)
{
	int r = read_tree(a, text, size, &hello_object, ret, e);
	return r < 0 ? prefix(e, "hello") : 0;
}

/* The line of /proc/cpuinfo that tells what programs may use. */
static const char *cpu_flags(struct arena *a)
{
	static const char *const keys[] = { "\nflags", "\nFeatures" };
	auto_free char *text = NULL;
	struct error ignored;

	if (io_read_file(AT_FDCWD, "/proc/cpuinfo", 16 << 20, &text, NULL, &ignored) < 0)
		return "";
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		char *line = strstr(text, keys[i]);
		char *colon = line ? strchr(line, ':') : NULL;
		if (colon)
			return arena_strndup(a, colon + 2, strcspn(colon + 2, "\n"));
	}
	return "";
}

int hello_make(struct arena *a, const char *criu_path, struct hello *ret, struct error *e)
{
	struct criu_features features = { 0 };
	AUTO(criu) struct criu *criu = NULL;
	struct utsname u;

	const struct criu_start start = { .path = criu_path, .cgroup = -1 };
	int r = criu_start(&start, &criu, e);
	if (r == 0)
		r = criu_ask_features(criu, &features, e);
	if (r < 0)
		return r;
	uname(&u);
	ret->version = PACKAGE_VERSION;
	ret->kernel = arena_strdup(a, u.release);
	ret->machine = arena_strdup(a, u.machine);
	ret->cpu = cpu_flags(a);
	ret->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	ret->criu = (uint64_t)features.version;
	ret->lazy_pages = features.lazy_pages;
	return ret->kernel && ret->machine && ret->cpu ? 0 : fail(e, ENOMEM, "hello");
}

static bool has_word(const char *list, const char *word, size_t size)
{
	for (const char *at = list; (at = strstr(at, word)); at++)
		if ((at == list || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0'))
			return true;
	return false;
}

/* Instructions that a program may have found there and would miss here. */
static void compare_cpus(const char *theirs, const char *ours, struct obstacles *ret)
{
	char missing[200] = "";
	size_t used = 0;

	for (const char *p = theirs; *p;) {
		char word[48];
		size_t n = strcspn(p, " ");
		if (n && n < sizeof(word)) {
			memcpy(word, p, n);
			word[n] = '\0';
			if (!has_word(ours, word, n) && used + n + 2 < sizeof(missing))
				used += (size_t)snprintf(missing + used, sizeof(missing) - used, " %s", word);
		}
		p += n;
		p += *p == ' ';
	}
	if (used)
		obstacle(ret,
			 "move to a node whose processor has all of them, or use --force if no program uses "
			 "them",
			 "the destination's processor lacks%s", missing);
}

static void version_text(uint64_t version, char buf[static 40])
{
	snprintf(buf, 40, "%llu.%llu.%llu", (unsigned long long)(version / 10000),
		 (unsigned long long)(version / 100 % 100), (unsigned long long)(version % 100));
}

void hello_compare(const struct hello *theirs, const struct hello *ours, struct obstacles *ret)
{
	if (!str_eq(theirs->machine, ours->machine))
		obstacle(ret, "move to a node of the same architecture",
			 "the source is %s, the destination %s", theirs->machine, ours->machine);
	if (theirs->page_size != ours->page_size)
		obstacle(ret, "move to a node with the same page size",
			 "pages have %llu bytes at the source, %llu at the destination",
			 (unsigned long long)theirs->page_size, (unsigned long long)ours->page_size);
	if (theirs->criu > ours->criu) {
		char a[40], b[40];
		version_text(theirs->criu, a);
		version_text(ours->criu, b);
		obstacle(ret, "install at least the source's version of criu at the destination",
			 "criu is %s at the source, older (%s) at the destination", a, b);
	}
	compare_cpus(theirs->cpu, ours->cpu, ret);
}

/* ---- claim ---- */

static const struct field volume_fields[] = {
	{ "destination", JSON_STRING, read_absolute_path, offsetof(struct claim_volume, destination),
	  FIELD_REQUIRED },
	{ "mode", JSON_STRING, read_word, offsetof(struct claim_volume, mode), FIELD_REQUIRED,
	  .words = volume_modes },
};
static const struct object volume_object = OBJECT(volume_fields, struct claim_volume, .strict = true);

static const struct field claim_fields[] = {
	{ "migration", JSON_STRING, read_string, offsetof(struct claim, migration), FIELD_REQUIRED },
	{ "name", JSON_STRING, read_string, offsetof(struct claim, name), FIELD_REQUIRED },
	{ "config", JSON_STRING, read_string, offsetof(struct claim, config), FIELD_REQUIRED },
	{ "network", JSON_STRING, read_text, offsetof(struct claim, network) },
	{ "brief", JSON_STRING, read_text, offsetof(struct claim, brief) },
	{ "memoryBytes", JSON_NUMBER, read_u64, offsetof(struct claim, memory_bytes), FIELD_REQUIRED },
	{ "fileBytes", JSON_NUMBER, read_u64, offsetof(struct claim, file_bytes), FIELD_REQUIRED },
	{ "fileEntries", JSON_NUMBER, read_u64, offsetof(struct claim, file_entries), FIELD_REQUIRED },
	{ "sharedRootfs", JSON_BOOL, read_bool, offsetof(struct claim, shared_rootfs) },
	{ "dryRun", JSON_BOOL, read_bool, offsetof(struct claim, dry_run) },
	{ "force", JSON_BOOL, read_bool, offsetof(struct claim, force) },
	{ "volumes", JSON_ARRAY, read_objects, offsetof(struct claim, volumes),
	  .count = offsetof(struct claim, n_volumes), .object = &volume_object },
};
static const struct object claim_object = OBJECT(claim_fields, struct claim, .strict = true);

char *claim_write(const struct claim *c)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);

	jsonout_object(o, NULL);
	jsonout_string(o, "migration", c->migration);
	jsonout_string(o, "name", c->name);
	jsonout_string(o, "config", c->config);
	if (c->network)
		jsonout_string(o, "network", c->network);
	if (c->brief)
		jsonout_string(o, "brief", c->brief);
	jsonout_u64(o, "memoryBytes", c->memory_bytes);
	jsonout_u64(o, "fileBytes", c->file_bytes);
	jsonout_u64(o, "fileEntries", c->file_entries);
	jsonout_bool(o, "sharedRootfs", c->shared_rootfs);
	jsonout_bool(o, "dryRun", c->dry_run);
	jsonout_bool(o, "force", c->force);
	jsonout_array(o, "volumes");
	for (size_t i = 0; i < c->n_volumes; i++) {
		jsonout_object(o, NULL);
		jsonout_string(o, "destination", c->volumes[i].destination);
		jsonout_string(o, "mode", volume_modes[c->volumes[i].mode]);
		jsonout_end(o);
	}
	jsonout_end(o);
	jsonout_end(o);
	return jsonout_take(o, NULL);
}

int claim_read(struct arena *a, const char *text, size_t size, struct claim *ret, struct error *e)
{
	int r = read_tree(a, text, size, &claim_object, ret, e);
	if (r == 0 && !journal_check_name(ret->migration))
		r = refuse(e, EPROTO, "migration: not the name of a migration");
	if (r == 0)
		r = container_check_id(ret->name, e);
	return r < 0 ? prefix(e, "claim") : 0;
}

/* ---- answers ---- */

struct answer_obstacle {
	const char *what, *todo;
};

struct answer {
	const char *stage;
	struct answer_obstacle *v;
	size_t n;
};

static const struct field obstacle_fields[] = {
	{ "what", JSON_STRING, read_string, offsetof(struct answer_obstacle, what), FIELD_REQUIRED },
	{ "do", JSON_STRING, read_string, offsetof(struct answer_obstacle, todo), FIELD_REQUIRED },
};
static const struct object obstacle_object = OBJECT(obstacle_fields, struct answer_obstacle, .strict = true);
static const struct field answer_fields[] = {
	{ "stage", JSON_STRING, read_string, offsetof(struct answer, stage), FIELD_REQUIRED },
	{ "obstacles", JSON_ARRAY, read_objects, offsetof(struct answer, v),
	  .count = offsetof(struct answer, n), .object = &obstacle_object },
};
static const struct object answer_object = OBJECT(answer_fields, struct answer, .strict = true);

char *obstacles_write(const char *stage, const struct obstacles *list)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);

	jsonout_object(o, NULL);
	jsonout_string(o, "stage", stage);
	jsonout_array(o, "obstacles");
	for (size_t i = 0; list && i < list->n; i++) {
		jsonout_object(o, NULL);
		jsonout_string(o, "what", list->v[i].what);
		jsonout_string(o, "do", list->v[i].todo);
		jsonout_end(o);
	}
	jsonout_end(o);
	jsonout_end(o);
	return jsonout_take(o, NULL);
}

int obstacles_read(const char *text, size_t size, const char *stage, struct obstacles *ret, struct error *e)
{
	AUTO(arena) struct arena *a = arena_new();
	struct answer answer = { 0 };

	if (!a)
		return fail(e, ENOMEM, "answer");
	int r = read_tree(a, text, size, &answer_object, &answer, e);
	if (r < 0)
		return prefix(e, "answer");
	if (!str_eq(answer.stage, stage))
		return refuse(e, EPROTO, "the other side answered to another stage than %s", stage);
	for (size_t i = 0; i < answer.n; i++) {
		obstacle(ret, answer.v[i].todo, "%s", answer.v[i].what);
		str_make_printable(ret->v[ret->n - 1].what);
		str_make_printable(ret->v[ret->n - 1].todo);
	}
	return 0;
}
