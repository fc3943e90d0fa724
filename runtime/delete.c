/* SPDX-License-Identifier: GPL-2.0-or-later */
/* delete.c - end a container and remove what create made
 *
 * Order: the processes first, then the group, then the poststop hooks, then the record: whatever goes wrong
 * before the last step leaves a container that `delete --force` finds again. Spec: runtime.md, "Delete". */
#include "runtime/life.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/systemd.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/network_helper.h"
#include "runtime/node.h"
#include "runtime/rootless.h"
#include "runtime/storage.h"
#include "runtime/stored_config.h"

int config_load(const struct container *c, struct spec **ret, struct error *e)
{
	auto_free char *text = NULL;
	size_t size;

	int r = io_read_file(c->dir, "config.json", CONFIG_LIMIT, &text, &size, e);
	if (r == 0)
		r = spec_parse(text, size, ret, e);
	if (r == 0 && c->state)
		r = rootless_complete(*ret, c->state->owner, e);
	return r < 0 ? prefix(e, "container %s", c->id) : 0;
}

static void kill_init(const struct container *c)
{
	struct error ignored;

	auto_close int pidfd = container_pidfd(c, &ignored);
	if (pidfd < 0)
		return;
	sys_pidfd_send_signal(pidfd, SIGKILL);
	/* A pidfd becomes readable when the process has ended. */
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	while (poll(&p, 1, 10000) < 0 && errno == EINTR)
		;
}

int life_kill_all(struct container *c, struct error *e)
{
	auto_close int group = container_cgroup(c, e);
	if (group >= 0 && !c->state->cgroup_joined) {
		int r = cgroup_kill(group, e);
		/* systemd takes a scope away under our hands, as soon as nobody is in it. */
		if (r < 0 && !(c->state->systemd_cgroup && (r == -ENOENT || r == -ENODEV)))
			return r;
	}
	kill_init(c);
	return 0;
}

static void run_poststop(const struct container *c, const struct spec *s)
{
	AUTO(spec) struct spec *loaded = NULL;
	struct error error;

	if (!(c->state->hooks & 1U << HOOK_POSTSTOP))
		return;
	if (!s && config_load(c, &loaded, &error) < 0) {
		log_warning("%s", error.msg);
		return;
	}
	hooks_run_poststop(s ? s : loaded, c->state);
}

/* systemd takes a scope away as soon as nobody is in it; only where it has not yet, it is told to. */
static int remove_scope(const struct container *c, struct error *e)
{
	struct systemd_unit unit = { .user = rootless() };
	struct error absent;

	auto_close int group = *c->state->cgroup ? container_cgroup(c, &absent) : -1;
	if (group < 0 && (*c->state->cgroup || !c->state->pid))
		return 0;
	if (!cgroup_systemd)
		return node_continue(e);
	if (group >= 0 && cgroup_kill(group, &absent) < 0 && absent.code != ENOENT && absent.code != ENODEV) {
		*e = absent;
		return -e->code;
	}
	str_format(unit.name, sizeof(unit.name), "%s", c->state->unit);
	return cgroup_systemd->stop(&unit, e);
}

/* Without a pid namespace of its own a container's other processes outlive its first: they are killed. */
static int remove_group(struct container *c, int cgroup_root, struct error *e)
{
	auto_close int opened = -1;

	if (c->state && c->state->systemd_cgroup)
		return remove_scope(c, e);
	if (!c->state || !*c->state->cgroup || c->state->cgroup_joined)
		return 0;
	if (cgroup_root < 0) {
		cgroup_root = opened = cgroup_open_root(e);
		if (opened < 0)
			return opened;
	}
	return cgroup_destroy(cgroup_root, c->state->cgroup, e);
}

static int remove_rdt(const struct container *c, struct error *e)
{
	if (!c->state || !*c->state->rdt || !(c->state->rdt_made || c->state->rdt_monitored))
		return 0;
	const struct rdt_group g = container_rdt(c);
	auto_close int root = rdt_open_root(e);
	if (root < 0)
		return root == -ENOENT ? 0 : root;
	return rdt_remove(root, &g, e);
}

int life_remove(struct container *c, int cgroup_root, const struct spec *s, struct error *e)
{
	if (!c->locked) {
		int r = container_lock(c, e);
		if (r == -ENOENT)
			return 0; /* deleted by someone else meanwhile */
		if (r < 0)
			return r;
	}
	int r = remove_group(c, cgroup_root, e);
	if (r == 0)
		r = remove_rdt(c, e);
	if (r == 0)
		r = network_helper_detach(c, e);
	if (r < 0)
		return r;
	if (c->state)
		run_poststop(c, s);
	if (c->state && !c->keep_storage && storage_is_clone(c->state->bundle, c->id)) {
		r = storage_release(c->state->bundle, c->id, e);
		if (r < 0)
			return r;
	}
	return container_remove(c, e);
}

int life_delete(const struct globals *g, const char *id, bool force, struct error *e)
{
	AUTO(container) struct container *c = NULL;

	int r = container_open(g, id, true, &c, e);
	if (r == -ENOENT && force)
		return 0;
	if (r < 0)
		return r;
	enum status status = container_status(c);
	if (!force && (status == STATUS_RUNNING || status == STATUS_PAUSED))
		return refuse(e, EBUSY, "cannot delete container `%s` that is not stopped: it is %s", id,
			      status_names[status]);
	/* Engines delete created containers without --force, against the letter of the spec; all runtimes
	 * let them. */
	if (c->state && (status != STATUS_STOPPED || force)) {
		r = life_kill_all(c, e);
		if (r < 0)
			return r;
	}
	return life_remove(c, -1, NULL, e);
}
