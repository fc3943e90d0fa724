/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp.c - table: linux.seccomp (config-linux.md, "Seccomp") */
#include <inttypes.h>

#include "specs/dispatch.h"
#include "specs/seccomp.h"

const char *const seccomp_action_names[SECCOMP_ACTION_COUNT + 1] = {
	[SECCOMP_KILL] = "SCMP_ACT_KILL",
	[SECCOMP_KILL_PROCESS] = "SCMP_ACT_KILL_PROCESS",
	[SECCOMP_KILL_THREAD] = "SCMP_ACT_KILL_THREAD",
	[SECCOMP_TRAP] = "SCMP_ACT_TRAP",
	[SECCOMP_ERRNO] = "SCMP_ACT_ERRNO",
	[SECCOMP_TRACE] = "SCMP_ACT_TRACE",
	[SECCOMP_ALLOW] = "SCMP_ACT_ALLOW",
	[SECCOMP_LOG] = "SCMP_ACT_LOG",
	[SECCOMP_NOTIFY] = "SCMP_ACT_NOTIFY",
};

const char *const seccomp_op_names[SECCOMP_OP_COUNT + 1] = {
	[SECCOMP_NE] = "SCMP_CMP_NE",
	[SECCOMP_LT] = "SCMP_CMP_LT",
	[SECCOMP_LE] = "SCMP_CMP_LE",
	[SECCOMP_EQ] = "SCMP_CMP_EQ",
	[SECCOMP_GE] = "SCMP_CMP_GE",
	[SECCOMP_GT] = "SCMP_CMP_GT",
	[SECCOMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

/* All that the specification knows; which of them a build can make filters for, libseccomp tells. */
const char *const seccomp_arch_names[] = {
	"SCMP_ARCH_X86",     "SCMP_ARCH_X86_64",   "SCMP_ARCH_X32",	    "SCMP_ARCH_ARM",
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",	   "SCMP_ARCH_MIPS64",	    "SCMP_ARCH_MIPS64N32",
	"SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
	"SCMP_ARCH_PPC64",   "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_S390",	    "SCMP_ARCH_S390X",
	"SCMP_ARCH_PARISC",  "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",	    "SCMP_ARCH_LOONGARCH64",
	"SCMP_ARCH_M68K",    "SCMP_ARCH_SH",	   "SCMP_ARCH_SHEB",	    NULL,
};

const char *const seccomp_flag_names[] = {
	"SECCOMP_FILTER_FLAG_TSYNC",
	"SECCOMP_FILTER_FLAG_LOG",
	"SECCOMP_FILTER_FLAG_SPEC_ALLOW",
	"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
	NULL,
};

/* ---- readers ---- */

static READER(read_listener)
{
	return v->size ? read_absolute_path(in, v, f, object, e) : 0;
}

/* A list of strings out of f->words. */
static READER(read_words)
{
	for (const struct json *child = v->first; child; child = child->next) {
		if (child->type != JSON_STRING)
			return json_fail(child, e, "expected a string");
		if (!strv_has((char *const *)f->words, child->text))
			return json_fail(child, e, "unknown value \"%.100s\"", child->text);
	}
	return read_strings(in, v, f, object, e);
}

static READER(read_names)
{
	for (const struct json *child = v->first; child; child = child->next)
		if (child->type == JSON_STRING && child->size == 0)
			return json_fail(child, e, "empty");
	return read_strings(in, v, f, object, e);
}

static READER(read_arg_index)
{
	int64_t value = 0;

	(void)in;
	int r = read_integer(v, 0, 5, &value, e);
	if (r < 0)
		return r;
	*(uint32_t *)field_at(object, f) = (uint32_t)value;
	return 0;
}

/* errnoRet goes with ERRNO, where the kernel knows 4095 numbers, and TRACE, whose data has 16 bits. */
static int check_errno(const struct json *v, const char *key, enum seccomp_action action, int64_t value,
		       struct error *e)
{
	if (value == NUM_UNSET)
		return 0;
	if (action != SECCOMP_ERRNO && action != SECCOMP_TRACE)
		return json_fail_key(v, key, e, "%s takes no errno", seccomp_action_names[action]);
	if (value > (action == SECCOMP_ERRNO ? 4095 : 65535))
		return json_fail_key(v, key, e, "%" PRId64 " is out of range", value);
	return 0;
}

/* ---- tables ---- */

static const struct field arg_fields[] = {
	{ "index", JSON_NUMBER, read_arg_index, offsetof(struct spec_seccomp_arg, index), FIELD_REQUIRED },
	{ "value", JSON_NUMBER, read_u64, offsetof(struct spec_seccomp_arg, value), FIELD_REQUIRED },
	{ "valueTwo", JSON_NUMBER, read_u64, offsetof(struct spec_seccomp_arg, value_two) },
	{ "op", JSON_STRING, read_word, offsetof(struct spec_seccomp_arg, op), FIELD_REQUIRED,
	  .words = seccomp_op_names },
};
static const struct object arg_object = OBJECT(arg_fields, struct spec_seccomp_arg);

static void rule_init(void *object)
{
	struct spec_seccomp_rule *r = object;
	r->errno_ret = NUM_UNSET;
}

static int check_rule(const struct json *v, const void *object, struct error *e)
{
	const struct spec_seccomp_rule *r = object;

	/* The listener's descriptor is handed over with it, before anybody could answer. */
	if (r->action == SECCOMP_NOTIFY && strv_has(r->names, "write"))
		return json_fail_key(v, "names", e, "SCMP_ACT_NOTIFY cannot be the action for write");
	return check_errno(v, "errnoRet", r->action, r->errno_ret, e);
}

static const struct field rule_fields[] = {
	{ "names", JSON_ARRAY, read_names, offsetof(struct spec_seccomp_rule, names),
	  FIELD_REQUIRED | FIELD_NOT_EMPTY },
	{ "action", JSON_STRING, read_word, offsetof(struct spec_seccomp_rule, action), FIELD_REQUIRED,
	  .words = seccomp_action_names },
	{ "errnoRet", JSON_NUMBER, read_nonnegative, offsetof(struct spec_seccomp_rule, errno_ret) },
	{ "args", JSON_ARRAY, read_objects, offsetof(struct spec_seccomp_rule, args),
	  .count = offsetof(struct spec_seccomp_rule, n_args), .object = &arg_object },
};
static const struct object rule_object = OBJECT(rule_fields, struct spec_seccomp_rule, rule_init, check_rule);

static void seccomp_init(void *object)
{
	struct spec_seccomp *s = object;
	s->default_errno_ret = NUM_UNSET;
}

bool seccomp_notifies(const struct spec_seccomp *s)
{
	for (size_t i = 0; i < s->n_rules; i++)
		if (s->rules[i].action == SECCOMP_NOTIFY)
			return true;
	return false;
}

static int check_seccomp(const struct json *v, const void *object, struct error *e)
{
	const struct spec_seccomp *s = object;
	bool notifies = seccomp_notifies(s);

	if (s->default_action == SECCOMP_NOTIFY)
		return json_fail_key(v, "defaultAction", e, "cannot be SCMP_ACT_NOTIFY");
	if (notifies && !s->listener_path)
		return json_fail_key(v, "listenerPath", e, "missing, but needed by SCMP_ACT_NOTIFY");
	if (s->listener_metadata && !s->listener_path)
		return json_fail_key(v, "listenerMetadata", e, "goes with listenerPath");
	if (!notifies && strv_has(s->flags, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"))
		return json_fail_key(v, "flags", e,
				     "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV goes with "
				     "SCMP_ACT_NOTIFY");
	return check_errno(v, "defaultErrnoRet", s->default_action, s->default_errno_ret, e);
}

static const struct field seccomp_fields[] = {
	{ "defaultAction", JSON_STRING, read_word, offsetof(struct spec_seccomp, default_action),
	  FIELD_REQUIRED, .words = seccomp_action_names },
	{ "defaultErrnoRet", JSON_NUMBER, read_nonnegative,
	  offsetof(struct spec_seccomp, default_errno_ret) },
	{ "architectures", JSON_ARRAY, read_words, offsetof(struct spec_seccomp, architectures),
	  .words = seccomp_arch_names },
	{ "flags", JSON_ARRAY, read_words, offsetof(struct spec_seccomp, flags),
	  .words = seccomp_flag_names },
	{ "syscalls", JSON_ARRAY, read_objects, offsetof(struct spec_seccomp, rules),
	  .count = offsetof(struct spec_seccomp, n_rules), .object = &rule_object },
	{ "listenerPath", JSON_STRING, read_listener, offsetof(struct spec_seccomp, listener_path) },
	{ "listenerMetadata", JSON_STRING, read_text, offsetof(struct spec_seccomp, listener_metadata) },
};
static const struct object fields_object = OBJECT(seccomp_fields, struct spec_seccomp,
						  .check = check_seccomp);

/* The rows, and the object's text for the key of the filter cache: of the caller's text, since the tree's own
 * copy was cut into strings. */
READER(read_seccomp)
{
	struct spec *spec = object;
	struct spec_seccomp *s = arena_alloc(in->arena, sizeof(*s));

	(void)f;
	if (!s)
		return out_of_memory(e);
	seccomp_init(s);
	s->raw_size = v->end - v->start;
	s->raw = arena_strndup(in->arena, in->text + v->start, s->raw_size);
	if (!s->raw)
		return out_of_memory(e);
	int r = dispatch(in, v, &fields_object, s, e);
	if (r < 0)
		return r;
	spec->seccomp = s;
	return 0;
}
