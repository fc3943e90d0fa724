/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exporthead.c - the head's text, by a table; what a config demands of a host */
#include "checkpoint/exporthead.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/str.h"
#include "specs/capability.h"
#include "specs/default.h"
#include "specs/dispatch.h"
#include "specs/jsonout.h"

#define FORMAT_VERSION 1
#define VERSION_KEY    "coracle_export"

static struct export_head *new_empty(void)
{
	AUTO(arena) struct arena *a = arena_new();
	struct export_head *h = a ? arena_alloc(a, sizeof(*h)) : NULL;

	if (!h)
		return NULL;
	h->arena = take_ptr(a);
	h->export_id = h->container = h->created = h->coracle = h->kernel = h->machine = "";
	return h;
}

struct export_head *export_head_new(void)
{
	AUTO(export_head) struct export_head *h = new_empty();
	struct utsname uts;
	char text[40] = "";
	struct tm tm;
	time_t now = time(NULL);

	if (!h)
		return NULL;
	uname(&uts);
	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	h->coracle = PACKAGE_VERSION;
	h->created = arena_strdup(h->arena, text);
	h->kernel = arena_strdup(h->arena, uts.release);
	h->machine = arena_strdup(h->arena, uts.machine);
	h->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	return h->created && h->kernel && h->machine ? take_ptr(h) : NULL;
}

void export_head_free(struct export_head *h)
{
	if (h)
		arena_free(h->arena);
}

/* ---- text ---- */

static READER(read_version)
{
	int64_t version = 0;

	(void)in;
	(void)f;
	(void)object;
	int r = read_integer(v, 0, INT64_MAX, &version, e);
	if (r == 0 && version != FORMAT_VERSION)
		return json_fail(v, e, "format %lld is not the one this coracle knows (%d)",
				 (long long)version, FORMAT_VERSION);
	return r;
}

/* It becomes the name of a directory. */
static READER(read_export_id)
{
	int r = read_string(in, v, f, object, e);

	if (r < 0)
		return r;
	const char *id = *(const char **)field_at(object, f);
	if (strlen(id) != EXPORT_ID_SIZE - 1 || strspn(id, "0123456789abcdef") != EXPORT_ID_SIZE - 1)
		return json_fail(v, e, "expected %d hexadecimal digits", EXPORT_ID_SIZE - 1);
	return 0;
}

#define BASE_AT(member) offsetof(struct export_base, member)
static const struct field base_fields[] = {
	{ "digest", JSON_STRING, read_string, BASE_AT(digest), FIELD_REQUIRED | FIELD_NOT_EMPTY },
	{ "path", JSON_STRING, read_absolute_path, BASE_AT(path), FIELD_REQUIRED },
};
static const struct object base_object = OBJECT(base_fields, struct export_base, .strict = true);

#define AT(member) offsetof(struct export_head, member)
static const struct field head_fields[] = {
	{ VERSION_KEY, JSON_NUMBER, read_version, 0, FIELD_REQUIRED },
	{ "exportId", JSON_STRING, read_export_id, AT(export_id), FIELD_REQUIRED },
	{ "container", JSON_STRING, read_string, AT(container), FIELD_REQUIRED },
	{ "created", JSON_STRING, read_string, AT(created), FIELD_REQUIRED },
	{ "coracle", JSON_STRING, read_string, AT(coracle), FIELD_REQUIRED },
	{ "kernel", JSON_STRING, read_string, AT(kernel), FIELD_REQUIRED },
	{ "machine", JSON_STRING, read_string, AT(machine), FIELD_REQUIRED },
	{ "pageSize", JSON_NUMBER, read_u64, AT(page_size), FIELD_REQUIRED },
	{ "criu", JSON_NUMBER, read_u64, AT(criu), FIELD_REQUIRED },
	{ "bytes", JSON_NUMBER, read_u64, AT(bytes), FIELD_REQUIRED },
	{ "entries", JSON_NUMBER, read_u64, AT(entries), FIELD_REQUIRED },
	{ "layer", JSON_BOOL, read_bool, AT(layer), FIELD_REQUIRED },
	{ "bases", JSON_ARRAY, read_objects, AT(bases), FIELD_REQUIRED, .count = AT(n_bases),
	  .object = &base_object },
	{ "tcpEstablished", JSON_BOOL, read_bool, AT(tcp_established), FIELD_REQUIRED },
	{ "shellJob", JSON_BOOL, read_bool, AT(shell_job), FIELD_REQUIRED },
	{ "fileLocks", JSON_BOOL, read_bool, AT(file_locks), FIELD_REQUIRED },
	{ "extUnixSk", JSON_BOOL, read_bool, AT(ext_unix_sk), FIELD_REQUIRED },
};
static const struct object head_object = OBJECT(head_fields, struct export_head, .strict = true);

int export_head_parse(const char *text, size_t size, struct export_head **ret, struct error *e)
{
	AUTO(export_head) struct export_head *h = new_empty();
	struct json *root = NULL;

	if (!h)
		return fail(e, ENOMEM, EXPORT_HEAD);
	const struct reading in = { h->arena, text };
	int r = json_parse(h->arena, text, size, &root, e);
	if (r == 0)
		r = dispatch(&in, root, &head_object, h, e);
	if (r == 0 && h->layer != (h->n_bases > 0))
		r = refuse(e, EINVAL, "a layer stands on bases, a whole root on none");
	if (r < 0) {
		str_make_printable(e->msg);
		return prefix(e, EXPORT_HEAD);
	}
	*ret = take_ptr(h);
	return 0;
}

char *export_head_to_json(const struct export_head *h, size_t *ret_size)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);

	jsonout_object(o, NULL);
	jsonout_i64(o, VERSION_KEY, FORMAT_VERSION);
	jsonout_string(o, "exportId", h->export_id);
	jsonout_string(o, "container", h->container);
	jsonout_string(o, "created", h->created);
	jsonout_string(o, "coracle", h->coracle);
	jsonout_string(o, "kernel", h->kernel);
	jsonout_string(o, "machine", h->machine);
	jsonout_u64(o, "pageSize", h->page_size);
	jsonout_u64(o, "criu", h->criu);
	jsonout_u64(o, "bytes", h->bytes);
	jsonout_u64(o, "entries", h->entries);
	jsonout_bool(o, "layer", h->layer);
	jsonout_array(o, "bases");
	for (size_t i = 0; i < h->n_bases; i++) {
		jsonout_object(o, NULL);
		jsonout_string(o, "digest", h->bases[i].digest);
		jsonout_string(o, "path", h->bases[i].path);
		jsonout_end(o);
	}
	jsonout_end(o);
	jsonout_bool(o, "tcpEstablished", h->tcp_established);
	jsonout_bool(o, "shellJob", h->shell_job);
	jsonout_bool(o, "fileLocks", h->file_locks);
	jsonout_bool(o, "extUnixSk", h->ext_unix_sk);
	jsonout_end(o);
	jsonout_newline(o);
	return jsonout_take(o, ret_size);
}

/* ---- demands ---- */

struct list {
	struct export_demand *v;
	size_t n, room;
};

static void __attribute__((format(printf, 2, 3))) add(struct list *l, const char *fmt, ...)
{
	va_list ap;

	if (l->n < l->room) {
		va_start(ap, fmt);
		vsnprintf(l->v[l->n].text, sizeof(l->v[l->n].text), fmt, ap);
		va_end(ap);
		str_make_printable(l->v[l->n].text);
	}
	l->n++;
}

static bool is_bind(const struct spec_mount *m)
{
	return (m->type && str_eq(m->type, "bind")) || strv_has(m->options, "bind") ||
	       strv_has(m->options, "rbind");
}

/* File systems that show nothing of the host's. */
static bool is_own(const struct spec_mount *m)
{
	static const char *const types[] = {
		"proc", "tmpfs", "devpts", "mqueue", "sysfs", "cgroup", "cgroup2"
	};

	for (size_t i = 0; m->type && i < COUNT_OF(types); i++)
		if (str_eq(m->type, types[i]))
			return true;
	return false;
}

static void demand_mounts(struct list *l, const struct spec *s)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];
		if (is_bind(m))
			add(l, "bind mount of the host's %.200s at %.100s", m->source ? m->source : "?",
			    m->destination);
		else if (!is_own(m))
			add(l, "mount of a %.20s file system at %.60s", m->type ? m->type : "?",
			    m->destination);
	}
}

static void demand_namespaces(struct list *l, const struct spec *s)
{
	static const enum ns_kind own[] = { NS_PID, NS_NETWORK, NS_MOUNT, NS_IPC, NS_UTS };

	for (size_t i = 0; i < COUNT_OF(own); i++)
		if (!spec_find_namespace(s, own[i]))
			add(l, "the host's %s namespace", ns_types[own[i]].oci);
	for (size_t i = 0; i < s->n_namespaces; i++)
		if (s->namespaces[i].path)
			add(l, "the %s namespace %.100s", ns_types[s->namespaces[i].kind].oci,
			    s->namespaces[i].path);
}

/* What any engine gives a container without being asked. */
static bool is_ordinary(const char *capability)
{
	static const char *const more[] = { "CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_NET_RAW" }; /* docker's */
	struct default_options ours;
	int n = capability_number(capability);

	for (size_t i = 0; i < COUNT_OF(more); i++)
		if (str_eq(capability, more[i]))
			return true;
	default_options_init(&ours);
	return n >= 0 && (ours.caps >> n & 1);
}

static void demand_capabilities(struct list *l, const struct spec *s)
{
	const struct spec_capabilities *c = s->process ? s->process->capabilities : NULL;

	if (!c)
		return;
	char *const *const sets[] = { c->bounding, c->permitted, c->effective, c->inheritable, c->ambient };
	for (size_t i = 0; i < COUNT_OF(sets); i++)
		for (char *const *name = sets[i]; name && *name; name++) {
			bool told = false;
			for (size_t k = 0; k < i && !told; k++)
				told = sets[k] && strv_has((char *const *)sets[k], *name);
			if (!told && !is_ordinary(*name))
				add(l, "%.40s", *name);
		}
}

static void demand_devices(struct list *l, const struct spec *s)
{
	const struct spec_resources *r = s->resources;

	for (size_t i = 0; i < s->n_devices; i++)
		if (s->devices[i].type != 'p')
			add(l, "device %.100s", s->devices[i].path);
	for (size_t i = 0; r && i < r->n_devices; i++)
		if (r->devices[i].allow)
			add(l, "access to device %c %lld:%lld", r->devices[i].type,
			    (long long)r->devices[i].major, (long long)r->devices[i].minor);
}

size_t export_demands(const struct spec *s, struct export_demand *ret, size_t room)
{
	struct list l = { ret, 0, room };

	for (int i = 0; i < HOOK_KIND_MAX; i++)
		for (size_t k = 0; k < s->hooks[i].count; k++)
			add(&l, "%s hook %.100s", hook_names[i], s->hooks[i].list[k].path);
	demand_mounts(&l, s);
	demand_namespaces(&l, s);
	demand_capabilities(&l, s);
	demand_devices(&l, s);
	for (size_t i = 0; i < s->n_sysctl; i++)
		if (!str_starts(s->sysctl[i].key, "net."))
			add(&l, "sysctl %.100s", s->sysctl[i].key);
	if (s->rootfs_propagation &&
	    (str_eq(s->rootfs_propagation, "shared") || str_eq(s->rootfs_propagation, "rshared")))
		add(&l, "rootfsPropagation %s", s->rootfs_propagation);
	return l.n;
}

size_t export_missing_mounts(const struct spec *s, struct export_demand *ret, size_t room)
{
	struct list l = { ret, 0, room };
	struct stat st;

	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];
		if (is_bind(m) && m->source && m->source[0] == '/' && stat(m->source, &st) < 0)
			add(&l, "%.200s (for %.100s)", m->source, m->destination);
	}
	return l.n;
}
