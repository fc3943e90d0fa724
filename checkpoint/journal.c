/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal.c - the migrations that this node has a part in, on disk */
#include "checkpoint/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "specs/dispatch.h"
#include "specs/jsonout.h"

#define JOURNAL_LIMIT 65536

const char *const journal_names[JOURNAL_MAX + 1] = {
	"none", "preparing", "granting", "released", "kept", "claimed", "granted", "running", "refused", NULL,
};

#define TO(state) (1U << JOURNAL_##state)
static const unsigned int moves[JOURNAL_MAX] = {
	[JOURNAL_NONE] = TO(PREPARING) | TO(CLAIMED) | TO(REFUSED),
	[JOURNAL_PREPARING] = TO(GRANTING) | TO(KEPT),
	[JOURNAL_GRANTING] = TO(RELEASED) | TO(KEPT),
	[JOURNAL_CLAIMED] = TO(GRANTED) | TO(REFUSED),
	[JOURNAL_GRANTED] = TO(RUNNING) | TO(REFUSED),
};

bool journal_may(enum journal_state from, enum journal_state to)
{
	return from < JOURNAL_MAX && to < JOURNAL_MAX && moves[from] & 1U << to;
}

void journal_free(struct journal *j)
{
	if (j)
		arena_free(j->arena);
}

struct journal *journal_new(const char *container, const char *root)
{
	struct arena *a = arena_new();
	struct journal *j = a ? arena_alloc(a, sizeof(*j)) : NULL;
	uint8_t random[16];

	if (!j || getrandom(random, sizeof(random), 0) != sizeof(random)) {
		arena_free(a);
		return NULL;
	}
	j->arena = a;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(j->migration + 2 * i, 3, "%02x", random[i]);
	j->container = arena_strdup(a, container);
	j->root = arena_strdup(a, root);
	j->peer = j->receiver = j->tls_dir = j->extra = "";
	return j;
}

bool journal_check_name(const char *migration)
{
	return strlen(migration) == MIGRATION_SIZE - 1 &&
	       strspn(migration, "0123456789abcdef") == MIGRATION_SIZE - 1;
}

int journal_boot(char ret[static BOOT_SIZE], struct error *e)
{
	ssize_t n = io_read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id", ret, BOOT_SIZE, e);
	return n < 0 ? (int)n : 0;
}

static int make_dirs(const char *path, struct error *e)
{
	auto_free char *copy = strdup(path);

	if (!copy)
		return fail(e, ENOMEM, "%s", path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return fail(e, errno, "mkdir %s", copy);
		*slash = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "mkdir %s", copy);
	return 0;
}

int journal_open_dir(const char *path, struct error *e)
{
	struct stat st;

	if (!path)
		path = JOURNAL_DIR;
	int r = make_dirs(path, e);
	if (r < 0)
		return r;
	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0)
		return fail(e, errno, "open %s", path);
	/* Whoever can write here decides where containers run. */
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return refuse(e, EPERM, "%s: must belong to us alone (mode %04o, owner %u)", path,
			      st.st_mode & 07777, st.st_uid);
	return take_fd(&dir);
}

static void file_name(const char *migration, char ret[static MIGRATION_SIZE + 8])
{
	snprintf(ret, MIGRATION_SIZE + 8, "%s.json", migration);
}

static int write_flushed(int dir, const char *name, const char *text, struct error *e)
{
	char temporary[MIGRATION_SIZE + 16];

	snprintf(temporary, sizeof(temporary), ".%s", name);
	auto_close int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
				   0600);
	if (fd < 0)
		return fail(e, errno, "open journal %s", name);
	int r = io_write_all(fd, text, strlen(text), e);
	if (r < 0)
		return r;
	if (fsync(fd) < 0 || renameat(dir, temporary, dir, name) < 0 || fsync(dir) < 0)
		return fail(e, errno, "flush journal %s", name);
	return 0;
}

static char *to_text(const struct journal *j, enum journal_state state, const char *boot)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);

	jsonout_object(o, NULL);
	jsonout_u64(o, "version", 1);
	jsonout_string(o, "state", journal_names[state]);
	jsonout_string(o, "boot", boot);
	jsonout_string(o, "container", j->container);
	jsonout_string(o, "root", j->root);
	jsonout_string(o, "peer", j->peer);
	jsonout_string(o, "receiver", j->receiver);
	jsonout_string(o, "tls", j->tls_dir);
	jsonout_string(o, "extra", j->extra);
	jsonout_end(o);
	jsonout_newline(o);
	return jsonout_take(o, NULL);
}

int journal_move(struct journal *j, int dir, enum journal_state to, struct error *e)
{
	char name[MIGRATION_SIZE + 8], boot[BOOT_SIZE];

	if (!journal_may(j->state, to))
		return refuse(e, EINVAL, "migration %s cannot go from %s to %s", j->migration,
			      journal_names[j->state], journal_names[to]);
	int r = journal_boot(boot, e);
	if (r < 0)
		return r;
	auto_free char *text = to_text(j, to, boot);
	if (!text)
		return fail(e, ENOMEM, "journal of migration %s", j->migration);
	file_name(j->migration, name);
	r = write_flushed(dir, name, text, e);
	if (r < 0)
		return r;
	j->state = to;
	memcpy(j->boot, boot, sizeof(boot));
	return 0;
}

struct on_disk {
	uint32_t version;
	int state;
	const char *boot, *container, *root, *peer, *receiver, *tls, *extra;
};

static const struct field fields[] = {
	{ "version", JSON_NUMBER, read_u32, offsetof(struct on_disk, version), FIELD_REQUIRED },
	{ "state", JSON_STRING, read_word, offsetof(struct on_disk, state), FIELD_REQUIRED,
	  .words = journal_names },
	{ "boot", JSON_STRING, read_string, offsetof(struct on_disk, boot), FIELD_REQUIRED },
	{ "container", JSON_STRING, read_string, offsetof(struct on_disk, container), FIELD_REQUIRED },
	{ "root", JSON_STRING, read_string, offsetof(struct on_disk, root), FIELD_REQUIRED },
	{ "peer", JSON_STRING, read_string, offsetof(struct on_disk, peer), FIELD_REQUIRED },
	{ "receiver", JSON_STRING, read_string, offsetof(struct on_disk, receiver), FIELD_REQUIRED },
	{ "tls", JSON_STRING, read_string, offsetof(struct on_disk, tls), FIELD_REQUIRED },
	{ "extra", JSON_STRING, read_string, offsetof(struct on_disk, extra), FIELD_REQUIRED },
};

static const struct object journal_object = OBJECT(fields, struct on_disk, .strict = true);

static int parse(struct arena *a, const char *text, size_t size, struct on_disk *ret, struct error *e)
{
	const struct reading in = { a, text };
	struct json *tree;

	int r = json_parse(a, text, size, &tree, e);
	if (r == 0)
		r = dispatch(&in, tree, &journal_object, ret, e);
	if (r == 0 && ret->version != 1)
		r = refuse(e, EINVAL, "written by another version of coracle (%u)", ret->version);
	if (r == 0 && strlen(ret->boot) >= BOOT_SIZE)
		r = refuse(e, EINVAL, "boot: too long");
	return r;
}

int journal_read(int dir, const char *migration, struct journal **ret, struct error *e)
{
	char name[MIGRATION_SIZE + 8];
	auto_free char *text = NULL;
	struct on_disk d = { 0 };
	size_t size;

	if (!journal_check_name(migration))
		return refuse(e, EINVAL, "not the name of a migration");
	file_name(migration, name);
	int r = io_read_file(dir, name, JOURNAL_LIMIT, &text, &size, e);
	if (r < 0)
		return r;
	AUTO(arena) struct arena *a = arena_new();
	struct journal *j = a ? arena_alloc(a, sizeof(*j)) : NULL;
	if (!j)
		return fail(e, ENOMEM, "journal %s", name);
	r = parse(a, text, size, &d, e);
	if (r < 0)
		return prefix(e, "journal %s", name);
	memcpy(j->migration, migration, MIGRATION_SIZE);
	snprintf(j->boot, sizeof(j->boot), "%s", d.boot);
	j->state = (enum journal_state)d.state;
	j->container = d.container;
	j->root = d.root;
	j->peer = d.peer;
	j->receiver = d.receiver;
	j->tls_dir = d.tls;
	j->extra = d.extra;
	j->arena = take_ptr(a);
	*ret = j;
	return 0;
}

static bool is_source(enum journal_state s)
{
	return s >= JOURNAL_PREPARING && s <= JOURNAL_KEPT;
}

int journal_find(int dir, const char *container, const char *root, bool source, struct journal **ret,
		 struct error *e)
{
	AUTO(journal) struct journal *best = NULL;
	time_t best_time = 0;

	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return fail(e, errno, "list the journal");
	for (struct dirent *entry; (entry = readdir(d));) {
		AUTO(journal) struct journal *j = NULL;
		struct error ignored;
		struct stat st;
		char name[MIGRATION_SIZE] = "";

		if (!str_ends(entry->d_name, ".json") || strlen(entry->d_name) != MIGRATION_SIZE - 1 + 5)
			continue;
		memcpy(name, entry->d_name, MIGRATION_SIZE - 1);
		if (journal_read(dir, name, &j, &ignored) < 0 || is_source(j->state) != source ||
		    !str_eq(j->container, container) || !str_eq(j->root, root) ||
		    fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (best && st.st_mtime < best_time)
			continue;
		best_time = st.st_mtime;
		journal_free(best);
		best = take_ptr(j);
	}
	closedir(d);
	if (!best)
		return refuse(e, ENOENT, "no migration of `%s` is in this node's journal", container);
	*ret = take_ptr(best);
	return 0;
}

int journal_remove(int dir, const char *migration, struct error *e)
{
	char name[MIGRATION_SIZE + 8];

	file_name(migration, name);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return fail(e, errno, "remove journal %s", name);
	return 0;
}
