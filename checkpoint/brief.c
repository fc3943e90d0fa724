/* SPDX-License-Identifier: GPL-2.0-or-later */
/* brief.c - coracle-brief.json: written from a struct, read back by tables */
#include "checkpoint/brief.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "specs/dispatch.h"
#include "specs/jsonout.h"

enum { BRIEF_LIMIT = 4 << 20, BRIEF_VERSION = 1 };

struct brief *brief_new(void)
{
	AUTO(arena) struct arena *a = arena_new();
	struct brief *b = a ? arena_alloc(a, sizeof(*b)) : NULL;

	if (!b)
		return NULL;
	b->arena = take_ptr(a);
	b->hostname = b->domainname = b->stdio[0] = b->stdio[1] = b->stdio[2] = "";
	return b;
}

void brief_free(struct brief *b)
{
	if (b)
		arena_free(b->arena);
}

/* ---- writing ---- */

static void put_mounts(struct jsonout *o, const struct brief *b)
{
	jsonout_array(o, "mounts");
	for (size_t i = 0; i < b->n_mounts; i++) {
		jsonout_object(o, NULL);
		jsonout_string(o, "key", b->mounts[i].key);
		jsonout_string(o, "destination", b->mounts[i].destination);
		jsonout_bool(o, "content", b->mounts[i].content);
		jsonout_end(o);
	}
	jsonout_end(o);
}

static void put_groups(struct jsonout *o, const struct brief *b)
{
	jsonout_array(o, "groups");
	for (size_t i = 0; i < b->n_groups; i++) {
		jsonout_object(o, NULL);
		jsonout_u64(o, "pid", b->groups[i].pid);
		jsonout_string(o, "path", b->groups[i].path);
		jsonout_end(o);
	}
	jsonout_end(o);
}

int brief_write(int dir, const struct brief *b, struct error *e)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);
	size_t size;

	jsonout_object(o, NULL);
	jsonout_i64(o, "version", BRIEF_VERSION);
	put_mounts(o, b);
	jsonout_string(o, "stdin", b->stdio[0]);
	jsonout_string(o, "stdout", b->stdio[1]);
	jsonout_string(o, "stderr", b->stdio[2]);
	jsonout_u64(o, "stdin_type", b->stdio_type[0]);
	jsonout_u64(o, "stdout_type", b->stdio_type[1]);
	jsonout_u64(o, "stderr_type", b->stdio_type[2]);
	jsonout_string(o, "hostname", b->hostname);
	jsonout_string(o, "domainname", b->domainname);
	jsonout_bool(o, "own_net", b->own_net);
	jsonout_bool(o, "own_uts", b->own_uts);
	jsonout_bool(o, "own_ipc", b->own_ipc);
	jsonout_bool(o, "terminal", b->terminal);
	jsonout_bool(o, "paused", b->paused);
	put_groups(o, b);
	jsonout_end(o);
	jsonout_newline(o);
	auto_free char *text = jsonout_take(o, &size);
	if (!text)
		return fail(e, ENOMEM, "write " BRIEF_FILE);
	return io_replace_file(dir, BRIEF_FILE, text, size, 0600, e);
}

/* ---- reading ---- */

static READER(read_version)
{
	int64_t version = 0;

	(void)in;
	(void)f;
	(void)object;
	int r = read_integer(v, 0, INT64_MAX, &version, e);
	if (r == 0 && version != BRIEF_VERSION)
		return json_fail(v, e, "another version of coracle has written it");
	return r;
}

#define MOUNT(member) offsetof(struct brief_mount, member)
static const struct field mount_fields[] = {
	{ "key", JSON_STRING, read_string, MOUNT(key), FIELD_REQUIRED | FIELD_NOT_EMPTY },
	{ "destination", JSON_STRING, read_absolute_path, MOUNT(destination), FIELD_REQUIRED },
	{ "content", JSON_BOOL, read_bool, MOUNT(content), FIELD_REQUIRED },
};
static const struct object brief_mount_object = OBJECT(mount_fields, struct brief_mount, .strict = true);

#define GROUP(member) offsetof(struct brief_group, member)
static const struct field group_fields[] = {
	{ "pid", JSON_NUMBER, read_u32, GROUP(pid), FIELD_REQUIRED },
	{ "path", JSON_STRING, read_absolute_path, GROUP(path), FIELD_REQUIRED },
};
static const struct object brief_group_object = OBJECT(group_fields, struct brief_group, .strict = true);

#define AT(member) offsetof(struct brief, member)
static const struct field brief_fields[] = {
	{ "version", JSON_NUMBER, read_version, 0, FIELD_REQUIRED },
	{ "mounts", JSON_ARRAY, read_objects, AT(mounts), FIELD_REQUIRED, AT(n_mounts), &brief_mount_object },
	{ "stdin", JSON_STRING, read_string, AT(stdio[0]), FIELD_REQUIRED },
	{ "stdout", JSON_STRING, read_string, AT(stdio[1]), FIELD_REQUIRED },
	{ "stderr", JSON_STRING, read_string, AT(stdio[2]), FIELD_REQUIRED },
	{ "stdin_type", JSON_NUMBER, read_u32, AT(stdio_type[0]), FIELD_REQUIRED },
	{ "stdout_type", JSON_NUMBER, read_u32, AT(stdio_type[1]), FIELD_REQUIRED },
	{ "stderr_type", JSON_NUMBER, read_u32, AT(stdio_type[2]), FIELD_REQUIRED },
	{ "hostname", JSON_STRING, read_string, AT(hostname), FIELD_REQUIRED },
	{ "domainname", JSON_STRING, read_string, AT(domainname), FIELD_REQUIRED },
	{ "own_net", JSON_BOOL, read_bool, AT(own_net), FIELD_REQUIRED },
	{ "own_uts", JSON_BOOL, read_bool, AT(own_uts), FIELD_REQUIRED },
	{ "own_ipc", JSON_BOOL, read_bool, AT(own_ipc), FIELD_REQUIRED },
	{ "terminal", JSON_BOOL, read_bool, AT(terminal), FIELD_REQUIRED },
	{ "paused", JSON_BOOL, read_bool, AT(paused), FIELD_REQUIRED },
	{ "groups", JSON_ARRAY, read_objects, AT(groups), FIELD_REQUIRED, AT(n_groups), &brief_group_object },
};
static const struct object brief_object = OBJECT(brief_fields, struct brief, .strict = true);

/* Keys become file names and part of what CRIU is told. */
static int check_keys(const struct brief *b, struct error *e)
{
	for (size_t i = 0; i < b->n_mounts; i++) {
		const char *key = b->mounts[i].key;
		if (strlen(key) != 5 || (*key != 'm' && *key != 's') || strspn(key + 1, "0123456789") != 4)
			return refuse(e, EINVAL, "mounts[%zu].key is none of ours", i);
		if (!path_is_normal(b->mounts[i].destination))
			return refuse(e, EINVAL, "mounts[%zu].destination is not a plain path", i);
	}
	for (size_t i = 0; i < b->n_groups; i++)
		if (!path_is_normal(b->groups[i].path))
			return refuse(e, EINVAL, "groups[%zu].path is not a plain path", i);
	return 0;
}

int brief_parse(const char *text, size_t size, struct brief **ret, struct error *e)
{
	AUTO(brief) struct brief *b = brief_new();
	struct json *root = NULL;

	if (!b)
		return fail(e, ENOMEM, BRIEF_FILE);
	const struct reading in = { b->arena, text };
	int r = json_parse(b->arena, text, size, &root, e);
	if (r == 0)
		r = dispatch(&in, root, &brief_object, b, e);
	if (r == 0)
		r = check_keys(b, e);
	if (r < 0) {
		str_make_printable(e->msg);
		return prefix(e, BRIEF_FILE);
	}
	*ret = take_ptr(b);
	return 0;
}

int brief_read(int dir, struct brief **ret, struct error *e)
{
	auto_free char *text = NULL;
	size_t size;

	auto_close int fd = path_beneath(dir, BRIEF_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, false, e);
	if (fd == -ENOENT)
		return refuse(e, ENOENT, "no " BRIEF_FILE ": not a complete checkpoint of coracle's");
	if (fd < 0)
		return fd;
	int r = io_read_fd(fd, BRIEF_LIMIT, &text, &size, e);
	return r < 0 ? prefix(e, BRIEF_FILE) : brief_parse(text, size, ret, e);
}

const struct brief_mount *brief_find_mount(const struct brief *b, const char *key)
{
	for (size_t i = 0; i < b->n_mounts; i++)
		if (str_eq(b->mounts[i].key, key))
			return &b->mounts[i];
	return NULL;
}
