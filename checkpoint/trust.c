/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trust.c - the rule: what a restored task may have, by the destination's config (pure)
 *
 * Which capabilities a process can come by without executing anything that raises it: those that the config
 * permits; and, where it is root or may become root (CAP_SETUID) and is not held by no_new_privs, those of
 * its bounding set, for execve(2) gives them to root (capabilities(7), "Capabilities and execution of
 * programs by root"). */
#include "checkpoint/trust.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"
#include "specs/capability.h"

#define CAP_BIT(n) (UINT64_C(1) << (n))

void task_creds_done(struct task_creds *c)
{
	free(c->groups);
	c->groups = NULL;
	c->n_groups = 0;
}

/* ---- the policy ---- */

static uint64_t bits_of(char *const *names)
{
	uint64_t bits = 0;

	for (; names && *names; names++) {
		int n = capability_number(*names);
		if (n >= 0)
			bits |= CAP_BIT(n);
	}
	return bits;
}

/* Container's id to host's. Without maps they are the same. */
static bool to_host(const struct spec_id_map *maps, size_t n, uint32_t id, uint32_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (id >= maps[i].container && id - maps[i].container < maps[i].size) {
			*ret = maps[i].host + (id - maps[i].container);
			return true;
		}
	*ret = id;
	return n == 0;
}

static bool is_mapped(const struct spec_id_map *maps, size_t n, uint32_t host)
{
	for (size_t i = 0; i < n; i++)
		if (host >= maps[i].host && host - maps[i].host < maps[i].size)
			return true;
	return n == 0;
}

static void policy_capabilities(const struct spec_process *process, bool raised, struct trust_policy *p)
{
	const struct spec_capabilities *c = process->capabilities;

	if (c) {
		p->bounding = bits_of(c->bounding);
		p->permitted = bits_of(c->permitted) | bits_of(c->inheritable) | bits_of(c->ambient);
	}
	bool root = process->user.uid == 0 || (p->permitted & CAP_BIT(CAP_SETUID));
	if ((root || raised) && !p->no_new_privs)
		p->permitted |= p->bounding;
	p->any_uid = p->permitted & CAP_BIT(CAP_SETUID);
	p->any_gid = p->permitted & CAP_BIT(CAP_SETGID);
	if (raised && !p->no_new_privs)
		p->any_uid = p->any_gid = true;
}

int trust_policy(const struct spec *s, bool raised, struct trust_policy *ret, struct error *e)
{
	const struct spec_process *process = s->process;
	struct trust_policy p = { .uid_maps = s->uid_mappings,
				  .n_uid_maps = s->n_uid_mappings,
				  .gid_maps = s->gid_mappings,
				  .n_gid_maps = s->n_gid_mappings };

	if (!process)
		return refuse(e, EINVAL, "the config has no process: it says nothing of what a task may do");
	p.no_new_privs = process->no_new_privileges;
	policy_capabilities(process, raised, &p);
	if (!to_host(p.uid_maps, p.n_uid_maps, process->user.uid, &p.uid) ||
	    !to_host(p.gid_maps, p.n_gid_maps, process->user.gid, &p.gid))
		return refuse(e, EINVAL, "process.user: not inside of the id maps");
	p.groups = process->user.additional_gids;
	p.n_groups = process->user.n_additional_gids;
	/* A profile that allows everything loads no filter worth the name. */
	if (s->seccomp && (s->seccomp->n_rules || s->seccomp->default_action != SECCOMP_ALLOW))
		p.seccomp_filters = 1;
	p.label = process->apparmor_profile ? process->apparmor_profile : process->selinux_label;
	if (p.label && str_eq(p.label, "unconfined"))
		p.label = NULL;
	*ret = p;
	return 0;
}

/* ---- the check ---- */

static int weaker(const struct task_creds *c, struct error *e, const char *what, uint64_t bits)
{
	for (int n = 0; n < 64; n++)
		if (bits & CAP_BIT(n))
			return refuse(e, EPERM,
				      "process %d (%s): %s in its %s set, which the config does not grant",
				      (int)c->pid, c->name,
				      n < CAPABILITY_COUNT ? capability_names[n] : "a capability", what);
	return 0;
}

static int check_capabilities(const struct trust_policy *p, const struct task_creds *c, struct error *e)
{
	const struct {
		const char *name;
		uint64_t has, may;
	} sets[] = {
		{ "bounding", c->bounding, p->bounding },    { "permitted", c->permitted, p->permitted },
		{ "effective", c->effective, p->permitted }, { "inheritable", c->inheritable, p->permitted },
		{ "ambient", c->ambient, p->permitted },
	};
	for (size_t i = 0; i < COUNT_OF(sets); i++) {
		int r = weaker(c, e, sets[i].name, sets[i].has & ~sets[i].may);
		if (r < 0)
			return r;
	}
	return 0;
}

static const char *const id_kinds[ID_KINDS] = { "real", "effective", "saved", "file system's" };

static int check_ids(const struct task_creds *c, const char *noun, const uint32_t ids[ID_KINDS], bool any,
		     uint32_t may, const struct spec_id_map *maps, size_t n_maps, struct error *e)
{
	for (int i = 0; i < ID_KINDS; i++) {
		if (!is_mapped(maps, n_maps, ids[i]))
			return refuse(e, EPERM,
				      "process %d (%s): its %s %s is %" PRIu32 ", outside of the id maps",
				      (int)c->pid, c->name, id_kinds[i], noun, ids[i]);
		if (!any && ids[i] != may)
			return refuse(e, EPERM,
				      "process %d (%s): its %s %s is %" PRIu32
				      ", the config's process.user is "
				      "%" PRIu32 " and cannot change it",
				      (int)c->pid, c->name, id_kinds[i], noun, ids[i], may);
	}
	return 0;
}

static bool is_granted_group(const struct trust_policy *p, uint32_t group)
{
	uint32_t host;

	if (group == p->gid)
		return true;
	for (size_t i = 0; i < p->n_groups; i++)
		if (to_host(p->gid_maps, p->n_gid_maps, p->groups[i], &host) && host == group)
			return true;
	return false;
}

static int check_groups(const struct trust_policy *p, const struct task_creds *c, struct error *e)
{
	for (size_t i = 0; i < c->n_groups; i++) {
		if (!is_mapped(p->gid_maps, p->n_gid_maps, c->groups[i]))
			return refuse(e, EPERM,
				      "process %d (%s): group %" PRIu32 " is outside of the id maps",
				      (int)c->pid, c->name, c->groups[i]);
		if (!p->any_gid && !is_granted_group(p, c->groups[i]))
			return refuse(e, EPERM,
				      "process %d (%s): is in group %" PRIu32
				      ", which the config does not grant",
				      (int)c->pid, c->name, c->groups[i]);
	}
	return 0;
}

static int check_seccomp(const struct trust_policy *p, const struct task_creds *c, struct error *e)
{
	if (!p->seccomp_filters || c->seccomp == 1)
		return 0;
	if (c->seccomp != 2)
		return refuse(e, EPERM, "process %d (%s): no seccomp filter, and the config has one",
			      (int)c->pid, c->name);
	if (c->seccomp_filters >= 0 && c->seccomp_filters < p->seccomp_filters)
		return refuse(e, EPERM, "process %d (%s): %" PRId64 " seccomp filters, the config has %d",
			      (int)c->pid, c->name, c->seccomp_filters, p->seccomp_filters);
	return 0;
}

/* AppArmor shows "profile (enforce)". */
static bool label_is(const char *has, const char *want)
{
	size_t n = strlen(want);

	return strncmp(has, want, n) == 0 && (has[n] == '\0' || str_eq(has + n, " (enforce)"));
}

int trust_check(const struct trust_policy *p, const struct task_creds *c, struct error *e)
{
	int r = check_capabilities(p, c, e);

	if (r == 0)
		r = check_ids(c, "uid", c->uid, p->any_uid, p->uid, p->uid_maps, p->n_uid_maps, e);
	if (r == 0)
		r = check_ids(c, "gid", c->gid, p->any_gid, p->gid, p->gid_maps, p->n_gid_maps, e);
	if (r == 0)
		r = check_groups(p, c, e);
	if (r == 0 && p->no_new_privs && !c->no_new_privs)
		r = refuse(e, EPERM, "process %d (%s): no_new_privs is not set, and the config sets it",
			   (int)c->pid, c->name);
	if (r == 0)
		r = check_seccomp(p, c, e);
	if (r == 0 && p->label && !label_is(c->label, p->label))
		r = refuse(e, EPERM, "process %d (%s): its label is \"%.64s\", the config's is \"%.64s\"",
			   (int)c->pid, c->name, c->label, p->label);
	return r;
}
