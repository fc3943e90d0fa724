/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sched.c - tables: how a process is scheduled and where its memory is: process.scheduler, ioPriority,
 * execCPUAffinity; linux.personality, memoryPolicy
 *
 * Words become the kernel's own numbers here. Spec: config.md, "Linux Process"; config-linux.md,
 * "Personality", "Memory policy". */
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <sys/personality.h>

#include "specs/dispatch.h"

/* Linux 6.9. */
#define WEIGHTED_INTERLEAVE 6

struct word {
	const char *name;
	uint64_t value;
};

static const struct word *find_word(const struct word *words, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(words[i].name, name))
			return &words[i];
	return NULL;
}

/* One word of a table, or a list of them whose values are added up. */
static int read_one(const struct json *v, const struct word *words, size_t n, uint64_t *ret, struct error *e)
{
	const struct word *found;

	if (v->type != JSON_STRING)
		return json_fail(v, e, "expected a string");
	found = find_word(words, n, v->text);
	if (!found)
		return json_fail(v, e, "unknown value \"%.100s\"", v->text);
	*ret = found->value;
	return 0;
}

static int read_flags(const struct json *v, const struct word *words, size_t n, uint64_t *ret,
		      struct error *e)
{
	uint64_t all = 0, one = 0;

	for (const struct json *child = v->first; child; child = child->next) {
		int r = read_one(child, words, n, &one, e);
		if (r < 0)
			return r;
		all |= one;
	}
	*ret = all;
	return 0;
}

/* ---- sets of CPUs and nodes ---- */

enum { SET_MAX = 8192 }; /* the kernel's largest NR_CPUS; it has fewer nodes */

static bool read_decimal(const char **text, unsigned int *ret)
{
	unsigned int value = 0;
	const char *c = *text;

	for (; *c >= '0' && *c <= '9'; c++) {
		value = value * 10 + (unsigned int)(*c - '0');
		if (value >= SET_MAX)
			return false;
	}
	if (c == *text)
		return false;
	*text = c;
	*ret = value;
	return true;
}

/* "0-3,7" into the bits; false if it is no such list. */
static bool parse_set(const char *c, uint64_t bits[SET_MAX / 64], unsigned int *ret_last)
{
	for (;;) {
		unsigned int from, to;
		if (!read_decimal(&c, &from))
			return false;
		to = from;
		if (*c == '-') {
			c++;
			if (!read_decimal(&c, &to) || to < from)
				return false;
		}
		for (unsigned int i = from; i <= to; i++)
			bits[i / 64] |= UINT64_C(1) << i % 64;
		if (to > *ret_last)
			*ret_last = to;
		if (!*c)
			return true;
		if (*c++ != ',')
			return false;
	}
}

READER(read_set)
{
	struct spec_set *set = field_at(object, f);
	uint64_t bits[SET_MAX / 64] = { 0 };
	unsigned int last = 0;

	if (v->size == 0)
		return 0;
	if (!parse_set(v->text, bits, &last))
		return json_fail(v, e, "\"%.100s\" is no list as \"0-3,7\"", v->text);
	set->text = v->text;
	set->n_words = last / 64 + 1;
	set->bits = arena_calloc(in->arena, set->n_words, sizeof(*bits));
	if (!set->bits)
		return out_of_memory(e);
	memcpy(set->bits, bits, set->n_words * sizeof(*bits));
	return 0;
}

/* ---- process.scheduler ---- */

static const struct word policies[] = {
	{ "SCHED_OTHER", SCHED_NORMAL },      { "SCHED_FIFO", SCHED_FIFO }, { "SCHED_RR", SCHED_RR },
	{ "SCHED_BATCH", SCHED_BATCH },	      { "SCHED_ISO", 4 },	    { "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_DEADLINE", SCHED_DEADLINE },
};

static const struct word policy_flags[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },
	{ "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },
	{ "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
};

static READER(read_policy)
{
	uint64_t value = 0;

	(void)in;
	int r = read_one(v, policies, COUNT_OF(policies), &value, e);
	if (r == 0)
		*(uint32_t *)field_at(object, f) = (uint32_t)value;
	return r;
}

static READER(read_policy_flags)
{
	(void)in;
	return read_flags(v, policy_flags, COUNT_OF(policy_flags), field_at(object, f), e);
}

static READER(read_nice)
{
	(void)in;
	return read_integer(v, -20, 19, field_at(object, f), e);
}

static READER(read_priority)
{
	(void)in;
	return read_integer(v, 0, 99, field_at(object, f), e);
}

/* What the kernel would answer with a bare EINVAL. */
static int check_scheduler(const struct json *v, const void *object, struct error *e)
{
	const struct spec_scheduler *s = object;
	bool realtime = s->policy == SCHED_FIFO || s->policy == SCHED_RR;

	if (realtime && s->priority == 0)
		return json_fail_key(v, "priority", e, "a real-time policy needs one from 1 to 99");
	if (!realtime && s->priority != 0)
		return json_fail_key(v, "priority", e, "goes with SCHED_FIFO and SCHED_RR");
	if (s->policy != SCHED_DEADLINE && (s->runtime || s->deadline || s->period))
		return json_fail(v, e, "runtime, deadline and period go with SCHED_DEADLINE");
	if (s->policy == SCHED_DEADLINE && (!s->runtime || !s->deadline))
		return json_fail(v, e, "SCHED_DEADLINE needs runtime and deadline");
	return 0;
}

static const struct field scheduler_fields[] = {
	{ "policy", JSON_STRING, read_policy, offsetof(struct spec_scheduler, policy), FIELD_REQUIRED },
	{ "nice", JSON_NUMBER, read_nice, offsetof(struct spec_scheduler, nice) },
	{ "priority", JSON_NUMBER, read_priority, offsetof(struct spec_scheduler, priority) },
	{ "flags", JSON_ARRAY, read_policy_flags, offsetof(struct spec_scheduler, flags) },
	{ "runtime", JSON_NUMBER, read_u64, offsetof(struct spec_scheduler, runtime) },
	{ "deadline", JSON_NUMBER, read_u64, offsetof(struct spec_scheduler, deadline) },
	{ "period", JSON_NUMBER, read_u64, offsetof(struct spec_scheduler, period) },
};
const struct object scheduler_object = OBJECT(scheduler_fields, struct spec_scheduler,
					      .check = check_scheduler);

/* ---- process.ioPriority ---- */

static const struct word io_classes[] = {
	{ "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT },
	{ "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
	{ "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE },
};

static READER(read_io_class)
{
	uint64_t value = 0;

	(void)in;
	int r = read_one(v, io_classes, COUNT_OF(io_classes), &value, e);
	if (r == 0)
		*(int *)field_at(object, f) = (int)value;
	return r;
}

static READER(read_io_level)
{
	(void)in;
	return read_integer(v, 0, 7, field_at(object, f), e);
}

static const struct field io_priority_fields[] = {
	{ "class", JSON_STRING, read_io_class, offsetof(struct spec_io_priority, class), FIELD_REQUIRED },
	{ "priority", JSON_NUMBER, read_io_level, offsetof(struct spec_io_priority, priority) },
};
const struct object io_priority_object = OBJECT(io_priority_fields, struct spec_io_priority);

/* ---- process.execCPUAffinity ---- */

static const struct field affinity_fields[] = {
	{ "initial", JSON_STRING, read_set, offsetof(struct spec_cpu_affinity, initial) },
	{ "final", JSON_STRING, read_set, offsetof(struct spec_cpu_affinity, final) },
};
const struct object affinity_object = OBJECT(affinity_fields, struct spec_cpu_affinity);

/* ---- linux.personality: fills the number alone ---- */

static const struct word domains[] = { { "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 } };

static READER(read_domain)
{
	uint64_t value = 0;

	(void)in;
	int r = read_one(v, domains, COUNT_OF(domains), &value, e);
	if (r == 0)
		*(int64_t *)field_at(object, f) = (int64_t)value;
	return r;
}

/* The spec has a place for flags and not one flag. */
static READER(read_no_flags)
{
	(void)in;
	(void)f;
	(void)object;
	return v->first ? json_fail(v->first, e, "unknown value: no flag is defined") : 0;
}

static const struct field personality_fields[] = {
	{ "domain", JSON_STRING, read_domain, 0, FIELD_REQUIRED },
	{ "flags", JSON_ARRAY, read_no_flags },
};
const struct object personality_object = OBJECT(personality_fields, int64_t);

/* ---- linux.memoryPolicy ---- */

static const struct word memory_modes[] = {
	{ "MPOL_DEFAULT", MPOL_DEFAULT },	{ "MPOL_BIND", MPOL_BIND },
	{ "MPOL_INTERLEAVE", MPOL_INTERLEAVE }, { "MPOL_WEIGHTED_INTERLEAVE", WEIGHTED_INTERLEAVE },
	{ "MPOL_PREFERRED", MPOL_PREFERRED },	{ "MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY },
	{ "MPOL_LOCAL", MPOL_LOCAL },
};

static const struct word memory_flags[] = {
	{ "MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING },
	{ "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES },
	{ "MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES },
};

const char *memory_mode_name(size_t i)
{
	return i < COUNT_OF(memory_modes) ? memory_modes[i].name : NULL;
}

const char *memory_flag_name(size_t i)
{
	return i < COUNT_OF(memory_flags) ? memory_flags[i].name : NULL;
}

static READER(read_memory_mode)
{
	uint64_t value = 0;

	(void)in;
	int r = read_one(v, memory_modes, COUNT_OF(memory_modes), &value, e);
	if (r == 0)
		*(int *)field_at(object, f) = (int)value;
	return r;
}

static READER(read_memory_flags)
{
	uint64_t value = 0;

	(void)in;
	int r = read_flags(v, memory_flags, COUNT_OF(memory_flags), &value, e);
	if (r == 0)
		*(unsigned int *)field_at(object, f) = (unsigned int)value;
	return r;
}

static int check_memory_policy(const struct json *v, const void *object, struct error *e)
{
	const struct spec_memory_policy *p = object;
	bool takes_none = p->mode == MPOL_DEFAULT || p->mode == MPOL_LOCAL;

	if (takes_none && p->nodes.n_words)
		return json_fail_key(v, "nodes", e, "this mode takes none");
	if (!takes_none && p->mode != MPOL_PREFERRED && !p->nodes.n_words)
		return json_fail_key(v, "nodes", e, "this mode needs some");
	if (p->flags & MPOL_F_STATIC_NODES && p->flags & MPOL_F_RELATIVE_NODES)
		return json_fail_key(v, "flags", e, "static and relative nodes exclude each other");
	return 0;
}

static const struct field memory_policy_fields[] = {
	{ "mode", JSON_STRING, read_memory_mode, offsetof(struct spec_memory_policy, mode), FIELD_REQUIRED },
	{ "nodes", JSON_STRING, read_set, offsetof(struct spec_memory_policy, nodes) },
	{ "flags", JSON_ARRAY, read_memory_flags, offsetof(struct spec_memory_policy, flags) },
};
const struct object memory_policy_object = OBJECT(memory_policy_fields, struct spec_memory_policy,
						  .check = check_memory_policy);
