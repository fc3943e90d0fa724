/* SPDX-License-Identifier: GPL-2.0-or-later */
/* restore_stage.c - in the child that becomes CRIU: the namespaces that it is to restore into, and the mounts
 *
 * Runs in a copy of RUNTIME, born in the container's group, with the host's rights. The cgroup namespace is
 * made here because CRIU, told to leave cgroups alone, makes none; so are network, uts and ipc (if the config
 * has them, and no user namespace, to which they would have to belong). The mount namespace is CRIU's working
 * place: in it the root is a mount of its own and every mount of the config lies below the stage. */
#include "runtime/restoring.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "namespaces/mount.h"
#include "namespaces/stage.h"
#include "netns/loopback.h"

static int make_namespaces(struct restore *r, struct error *e)
{
	struct create *c = &r->create;
	uint64_t make = c->plan.make & (CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP);

	if (c->plan.has[NS_USER])
		make &= CLONE_NEWCGROUP;
	int ret = ns_join(c->joined, NS_BIT(NS_NETWORK) | NS_BIT(NS_UTS) | NS_BIT(NS_IPC) | NS_BIT(NS_CGROUP),
			  e);
	if (ret == 0)
		ret = ns_unshare(make | CLONE_NEWNS, e);
	if (ret == 0 && make & CLONE_NEWNET)
		ret = loopback_up(e);
	return ret;
}

static int set_names(const struct spec *s, struct error *e)
{
	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return fail(e, errno, "set hostname %s", s->hostname);
	if (s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return fail(e, errno, "set domainname %s", s->domainname);
	return 0;
}

int restore_stage(void *arg, struct error *e)
{
	struct restore *r = arg;
	struct create *c = &r->create;

	int ret = make_namespaces(r, e);
	if (ret == 0 && !c->plan.has[NS_USER] && c->plan.has[NS_UTS])
		ret = set_names(c->spec, e);
	if (ret == 0 && !c->plan.has[NS_USER])
		ret = sysctl_write(c->spec, e);
	if (ret == 0)
		ret = rootfs_open(&c->rootfs, e);
	if (ret == 0)
		ret = rootfs_stage(&c->rootfs, r->stage, r->own_ipc, e);
	return ret;
}
