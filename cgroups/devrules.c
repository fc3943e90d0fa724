/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devrules.c - which device rules count, and which never decide anything; pure
 *
 * For each kind of access the last rule of the config that matches decides. Read from the end, that is: the
 * first that matches; so a rule loses what a rule read before it has already, and everything before a rule on
 * all devices is lost. The default rules take their place right after the last rule on all devices of a type,
 * as "deny all" at the head of every engine's list is: the rules after it can still narrow the defaults. */
#include "cgroups/devprog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

#define MAX_RULES 10000 /* each is compared with all others */

#define CHAR	  BPF_DEVCG_DEV_CHAR
#define MKNOD	  BPF_DEVCG_ACC_MKNOD

/* What every container may use: the spec's default devices, terminals, and making any node (using it is
 * another matter). As runc and crun have them. */
static const struct device_rule defaults[] = {
	{ true, DEVICE_BOTH, MKNOD, NUMBER_ANY, NUMBER_ANY },
	{ true, CHAR, ACCESS_ALL, 1, 3 },	     /* null */
	{ true, CHAR, ACCESS_ALL, 1, 5 },	     /* zero */
	{ true, CHAR, ACCESS_ALL, 1, 7 },	     /* full */
	{ true, CHAR, ACCESS_ALL, 1, 8 },	     /* random */
	{ true, CHAR, ACCESS_ALL, 1, 9 },	     /* urandom */
	{ true, CHAR, ACCESS_ALL, 5, 0 },	     /* tty */
	{ true, CHAR, ACCESS_ALL, 5, 1 },	     /* console */
	{ true, CHAR, ACCESS_ALL, 5, 2 },	     /* ptmx */
	{ true, CHAR, ACCESS_ALL, 136, NUMBER_ANY }, /* pts/N */
	{ true, CHAR, ACCESS_ALL, 10, 200 },	     /* net/tun */
};

static bool number_covers(int64_t outer, int64_t inner)
{
	return outer == NUMBER_ANY || outer == inner;
}

/* True if every device of `inner` is one of `outer`. */
static bool covers(const struct device_rule *outer, const struct device_rule *inner)
{
	return (inner->types & ~outer->types) == 0 && number_covers(outer->major, inner->major) &&
	       number_covers(outer->minor, inner->minor);
}

static bool is_on_all(const struct device_rule *r)
{
	return r->major == NUMBER_ANY && r->minor == NUMBER_ANY && r->access == ACCESS_ALL;
}

static int check_number(int64_t number, size_t i, const char *what, struct error *e)
{
	if (number >= -1 && number <= UINT32_MAX)
		return 0;
	return refuse(e, EINVAL, "linux.resources.devices[%zu].%s: %" PRId64 " is not a device number", i,
		      what, number);
}

static int read_rule(const struct spec_device_rule *s, size_t i, struct device_rule *ret, struct error *e)
{
	*ret = (struct device_rule){
		.allow = s->allow,
		.types = s->type == 'c'	  ? CHAR
			 : s->type == 'b' ? BPF_DEVCG_DEV_BLOCK
					  : DEVICE_BOTH,
		.access = (s->read ? BPF_DEVCG_ACC_READ : 0) | (s->write ? BPF_DEVCG_ACC_WRITE : 0) |
			  (s->mknod ? MKNOD : 0),
		.major = s->major,
		.minor = s->minor,
	};
	int r = check_number(s->major, i, "major", e);
	return r < 0 ? r : check_number(s->minor, i, "minor", e);
}

/* Where the last run of rules of one verdict begins: within it the order does not matter. */
static size_t run_start(const struct device_rules *rules, bool allow)
{
	size_t start = rules->count;

	while (start > 0 && rules->list[start - 1].allow == allow)
		start--;
	return start;
}

/* Join a rule of the last run that differs from the new one in one thing only to it, and drop the old.
 * Returns false when there is none. */
static bool merge(struct device_rules *rules, size_t start, struct device_rule *rule)
{
	for (size_t i = start; i < rules->count; i++) {
		const struct device_rule *other = &rules->list[i];
		bool same_numbers = other->major == rule->major && other->minor == rule->minor;
		if (!same_numbers || (other->types != rule->types && other->access != rule->access))
			continue;
		rule->types |= other->types;
		rule->access |= other->access;
		rules->list[i] = rules->list[--rules->count];
		return true;
	}
	return false;
}

/* Drop what the new rule makes superfluous in its own run. */
static void drop_covered(struct device_rules *rules, size_t start, const struct device_rule *rule)
{
	size_t kept = start;

	for (size_t i = start; i < rules->count; i++) {
		const struct device_rule *other = &rules->list[i];
		if (!covers(rule, other) || other->access & ~rule->access)
			rules->list[kept++] = *other;
	}
	rules->count = kept;
}

/* The next rule, read from the end. Returns false when no rule after it can matter. */
static bool add(struct device_rules *rules, struct device_rule rule)
{
	for (size_t i = 0; i < rules->count && rule.access; i++)
		if (covers(&rules->list[i], &rule))
			rule.access &= (uint8_t)~rules->list[i].access;
	if (!rule.access)
		return true;
	size_t start = run_start(rules, rule.allow);
	while (merge(rules, start, &rule))
		continue;
	drop_covered(rules, start, &rule);
	if (rule.types == DEVICE_BOTH && is_on_all(&rule)) {
		rules->allow_rest = rule.allow;
		return false;
	}
	rules->list[rules->count++] = rule;
	return true;
}

static void add_all(struct device_rules *rules, const struct device_rule *config, size_t n)
{
	size_t after = n; /* the defaults come after config[after - 1] */

	while (after > 0 && !is_on_all(&config[after - 1]))
		after--;
	for (size_t i = n; i > after; i--)
		if (!add(rules, config[i - 1]))
			return;
	for (size_t i = COUNT_OF(defaults); i > 0; i--)
		if (!add(rules, defaults[i - 1]))
			return;
	for (size_t i = after; i > 0; i--)
		if (!add(rules, config[i - 1]))
			return;
}

int device_rules_make(const struct spec_resources *r, struct device_rules *ret, struct error *e)
{
	size_t n = r ? r->n_devices : 0;
	if (n > MAX_RULES)
		return refuse(e, E2BIG, "linux.resources.devices: %zu rules are more than %d", n, MAX_RULES);
	auto_free struct device_rule *config = calloc(n + 1, sizeof(*config));
	struct device_rules rules = { .list = calloc(n + COUNT_OF(defaults), sizeof(*rules.list)) };
	int err = config && rules.list ? 0 : fail(e, ENOMEM, "linux.resources.devices");

	for (size_t i = 0; err == 0 && i < n; i++)
		err = read_rule(&r->devices[i], i, &config[i], e);
	if (err < 0) {
		device_rules_done(&rules);
		return err;
	}
	add_all(&rules, config, n);
	/* What says the same as the rest need not be said. */
	rules.count = run_start(&rules, rules.allow_rest);
	*ret = rules;
	return 0;
}

void device_rules_done(struct device_rules *rules)
{
	free(rules->list);
	*rules = (struct device_rules){ 0 };
}
