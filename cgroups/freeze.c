/* SPDX-License-Identifier: GPL-2.0-or-later */
/* freeze.c - freeze and thaw a group, and wait until it is so
 *
 * In RUNTIME. Writing cgroup.freeze only asks; the group is frozen when cgroup.events says so. */
#include "cgroups/cgroup.h"

#include <errno.h>

#include "cgroups/internal.h"
#include "runtime/base/io.h"

static int write_freeze(int group, bool frozen, struct error *e)
{
	return io_write_file(group, "cgroup.freeze", frozen ? "1" : "0", e);
}

int cgroup_freeze(int group, bool frozen, int timeout_ms, struct error *e)
{
	struct error ignored;

	int r = write_freeze(group, frozen, e);
	if (r < 0)
		return r;
	r = events_wait(group, EVENT(frozen), frozen, timeout_ms, e);
	if (r > 0)
		return 0;
	if (r == 0)
		r = refuse(e, ETIMEDOUT,
			   frozen ? "not all processes of the cgroup could be frozen in %d ms"
				  : "the cgroup is still frozen after %d ms: is a group above it?",
			   timeout_ms);
	if (frozen)
		write_freeze(group, false, &ignored);
	return r;
}

int cgroup_is_frozen(int group, struct error *e)
{
	struct cgroup_events ev;
	int r = events_read(group, &ev, e);
	return r < 0 ? r : ev.frozen;
}
