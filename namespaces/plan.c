/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.c - config to namespaces: what to join, what to make, in which process. Pure. */
#include "namespaces/plan.h"

#include <errno.h>
#include <sched.h>

#include "runtime/base/sys.h"

static bool joins_any(const struct ns_plan *p)
{
	for (int k = 0; k < NS_KIND_MAX; k++)
		if (p->join[k])
			return true;
	return false;
}

static bool needs_setup(const struct ns_plan *p)
{
	return p->join[NS_USER] || p->join[NS_PID] || p->set_time_offsets || (p->new_user && joins_any(p));
}

int ns_plan(const struct spec *s, struct ns_plan *ret, struct error *e)
{
	struct ns_plan p = { 0 };

	for (size_t i = 0; i < s->n_namespaces; i++) {
		const struct spec_namespace *n = &s->namespaces[i];
		const struct ns_type *type = &ns_types[n->kind];
		if (p.has[n->kind])
			return refuse(e, EINVAL, "linux.namespaces: %s is listed twice", type->oci);
		p.has[n->kind] = true;
		p.join[n->kind] = n->path;
		if (!n->path)
			p.make |= (uint64_t)type->flag;
	}
	p.new_user = p.make & CLONE_NEWUSER;
	p.enter_user = p.has[NS_USER];
	p.set_time_offsets = (p.make & CLONE_NEWTIME) && s->n_time_offsets;
	p.setup = needs_setup(&p);
	p.clone_flags = p.make & ~(uint64_t)CLONE_NEWCGROUP;
	if (p.setup)
		p.setup_unshare = p.make & CLONE_NEWUSER;
	if (p.set_time_offsets)
		p.setup_unshare |= CLONE_NEWTIME;
	p.clone_flags &= ~p.setup_unshare;
	*ret = p;
	return 0;
}
