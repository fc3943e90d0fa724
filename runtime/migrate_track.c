/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_track.c - until checkpoint/track.c is there: no rounds, everything goes in one stop-and-copy */
#include <errno.h>

#include "checkpoint/track.h"

#define WEAK __attribute__((weak))
WEAK const char *const track_names[TRACK_MAX] = { "auto", "criu", "wp", "none" };

WEAK void track_probe(struct track_support *ret)
{
	*ret = (struct track_support){ { NULL, "not built in", "not built in", NULL } };
}

WEAK int track_choose(enum track_mode wanted, const struct track_support *have, enum track_mode *ret,
		      struct error *e)
{
	if (have->why_not[wanted])
		return refuse(e, EOPNOTSUPP, "--track %s: %s", track_names[wanted], have->why_not[wanted]);
	*ret = TRACK_NONE;
	return 0;
}

WEAK int tracker_new(enum track_mode mode, const struct track_source *source, struct tracker **ret,
		     struct error *e)
{
	(void)mode, (void)source, (void)ret;
	return refuse(e, EOPNOTSUPP, "tracking: not built in");
}

WEAK void tracker_free(struct tracker *t)
{
	(void)t;
}

WEAK int tracker_round(struct tracker *t, struct page_sender *s, int stop, struct track_round_stats *ret,
		       struct error *e)
{
	(void)t, (void)s, (void)stop, (void)ret;
	return refuse(e, EOPNOTSUPP, "tracking: not built in");
}

WEAK int tracker_count(struct tracker *t, uint64_t *ret_pages, struct error *e)
{
	(void)t, (void)ret_pages;
	return refuse(e, EOPNOTSUPP, "tracking: not built in");
}
