/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.c - table: process (config.md, "Process"), also read alone by `exec --process` */
#include <errno.h>
#include <sys/resource.h>

#include "specs/dispatch.h"

/* ---- consoleSize ---- */

static const struct field console_fields[] = {
	{ "height", JSON_NUMBER, read_u16, offsetof(struct spec_process, console_height), FIELD_REQUIRED },
	{ "width", JSON_NUMBER, read_u16, offsetof(struct spec_process, console_width), FIELD_REQUIRED },
};
static const struct object console_object = OBJECT(console_fields, struct spec_process);

/* ---- user ---- */

static void user_init(void *object)
{
	struct spec_user *u = object;
	u->umask = ID_UNSET;
}

static READER(read_umask)
{
	int64_t value = 0;

	(void)in;
	int r = read_integer(v, 0, 0777, &value, e);
	if (r < 0)
		return r;
	*(uint32_t *)field_at(object, f) = (uint32_t)value;
	return 0;
}

static const struct field user_fields[] = {
	{ "uid", JSON_NUMBER, read_id, offsetof(struct spec_user, uid) },
	{ "gid", JSON_NUMBER, read_id, offsetof(struct spec_user, gid) },
	{ "umask", JSON_NUMBER, read_umask, offsetof(struct spec_user, umask) },
	{ "additionalGids", JSON_ARRAY, read_ids, offsetof(struct spec_user, additional_gids),
	  .count = offsetof(struct spec_user, n_additional_gids) },
};
static const struct object user_object = OBJECT(user_fields, struct spec_user);

/* ---- capabilities ---- */

static const struct field capability_fields[] = {
	{ "bounding", JSON_ARRAY, read_strings, offsetof(struct spec_capabilities, bounding) },
	{ "effective", JSON_ARRAY, read_strings, offsetof(struct spec_capabilities, effective) },
	{ "inheritable", JSON_ARRAY, read_strings, offsetof(struct spec_capabilities, inheritable) },
	{ "permitted", JSON_ARRAY, read_strings, offsetof(struct spec_capabilities, permitted) },
	{ "ambient", JSON_ARRAY, read_strings, offsetof(struct spec_capabilities, ambient) },
};
static const struct object capabilities_object = OBJECT(capability_fields, struct spec_capabilities);

/* ---- rlimits ---- */

static const struct {
	const char *name;
	int resource;
} rlimit_types[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK", RLIMIT_STACK },
};

static READER(read_rlimit_type)
{
	(void)in;
	for (size_t i = 0; i < COUNT_OF(rlimit_types); i++)
		if (str_eq(rlimit_types[i].name, v->text)) {
			*(int *)field_at(object, f) = rlimit_types[i].resource;
			return 0;
		}
	return json_fail(v, e, "unknown limit \"%.100s\"", v->text);
}

const char *rlimit_name(int resource)
{
	for (size_t i = 0; i < COUNT_OF(rlimit_types); i++)
		if (rlimit_types[i].resource == resource)
			return rlimit_types[i].name;
	return "?";
}

static const struct field rlimit_fields[] = {
	{ "type", JSON_STRING, read_rlimit_type, offsetof(struct spec_rlimit, resource), FIELD_REQUIRED },
	{ "soft", JSON_NUMBER, read_u64, offsetof(struct spec_rlimit, soft), FIELD_REQUIRED },
	{ "hard", JSON_NUMBER, read_u64, offsetof(struct spec_rlimit, hard), FIELD_REQUIRED },
};
static const struct object rlimit_object = OBJECT(rlimit_fields, struct spec_rlimit);

/* ---- process ---- */

static void process_init(void *object)
{
	struct spec_process *p = object;
	p->oom_score_adj = NUM_UNSET;
	user_init(&p->user);
}

static READER(read_oom_score_adj)
{
	(void)in;
	return read_integer(v, -1000, 1000, field_at(object, f), e);
}

static const struct field process_fields[] = {
	{ "terminal", JSON_BOOL, read_bool, offsetof(struct spec_process, terminal) },
	{ "consoleSize", JSON_OBJECT, read_object, 0, .object = &console_object },
	{ "user", JSON_OBJECT, read_object, offsetof(struct spec_process, user), .object = &user_object },
	{ "args", JSON_ARRAY, read_strings, offsetof(struct spec_process, args),
	  FIELD_REQUIRED | FIELD_NOT_EMPTY },
	{ "env", JSON_ARRAY, read_strings, offsetof(struct spec_process, env) },
	{ "cwd", JSON_STRING, read_absolute_path, offsetof(struct spec_process, cwd), FIELD_REQUIRED },
	{ "capabilities", JSON_OBJECT, read_new_object, offsetof(struct spec_process, capabilities),
	  .object = &capabilities_object },
	{ "rlimits", JSON_ARRAY, read_objects, offsetof(struct spec_process, rlimits),
	  .count = offsetof(struct spec_process, n_rlimits), .object = &rlimit_object },
	{ "noNewPrivileges", JSON_BOOL, read_bool, offsetof(struct spec_process, no_new_privileges) },
	{ "oomScoreAdj", JSON_NUMBER, read_oom_score_adj, offsetof(struct spec_process, oom_score_adj) },
	{ "apparmorProfile", JSON_STRING, read_text, offsetof(struct spec_process, apparmor_profile) },
	{ "selinuxLabel", JSON_STRING, read_text, offsetof(struct spec_process, selinux_label) },
	{ "scheduler", JSON_OBJECT, read_new_object, offsetof(struct spec_process, scheduler),
	  .object = &scheduler_object },
	{ "ioPriority", JSON_OBJECT, read_new_object, offsetof(struct spec_process, io_priority),
	  .object = &io_priority_object },
	{ "execCPUAffinity", JSON_OBJECT, read_new_object, offsetof(struct spec_process, exec_affinity),
	  .object = &affinity_object },
};
const struct object process_object = OBJECT(process_fields, struct spec_process, process_init);
