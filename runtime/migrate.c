/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate.c - the stages of a migration, and how both sides walk them
 *
 * RUNTIME on either node, one process each (and its carrier). The source leads: MESSAGE_STAGE names the row
 * that begins, the target does its part and answers. A failure on either side travels as an abort, and each
 * undoes its rows in reverse. Rows between "dump" and "grant" are walked inside CRIU's callbacks. */
#include "runtime/migrate.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/migrate_target.h"

bool migrate_is_real(const struct migration *m)
{
	return !m->claim.dry_run;
}

#define ALWAYS	NULL
#define REALLY	migrate_is_real /* not in a dry run */
#define NOTHING NULL

/* name, source, target, undo of either, when, whose function goes on with the rows below, no return */
const struct migrate_stage migrate_stages[] = {
	{ "hello", source_hello, target_hello, NOTHING, NOTHING, ALWAYS, INSIDE_NOBODY, false },
	{ "claim", source_claim, target_claim, source_unclaim, target_unclaim, ALWAYS, INSIDE_NOBODY, false },
	{ "clocks", source_clocks, NOTHING, NOTHING, NOTHING, REALLY, INSIDE_NOBODY, false },
	{ "files", source_files, target_files, source_unfiles, target_unfiles, REALLY, INSIDE_NOBODY, false },
	{ "prepare", NOTHING, target_prepare, NOTHING, target_unprepare, REALLY, INSIDE_NOBODY, false },
	{ "memory", source_memory, target_memory, source_unmemory, NOTHING, REALLY, INSIDE_NOBODY, false },
	{ "dump", source_dump, target_dump, NOTHING, NOTHING, REALLY, INSIDE_SOURCE, false },
	{ "restore", NOTHING, target_restore, NOTHING, NOTHING, REALLY, INSIDE_TARGET, false },
	{ "grant", source_grant, target_grant, NOTHING, NOTHING, REALLY, INSIDE_NOBODY, true },
	{ "release", source_release, target_release, NOTHING, NOTHING, REALLY, INSIDE_NOBODY, true },
};
const size_t migrate_stage_count = COUNT_OF(migrate_stages);

/* ---- faults ---- */

#ifdef FAULT_INJECTION
static bool fault_is(const char *variable, const char *row, const char *where)
{
	const char *wanted = getenv(variable);
	size_t n = strlen(row);

	if (!wanted || strncmp(wanted, row, n) != 0)
		return false;
	return wanted[n] == '\0' ? str_eq(where, "begin") : wanted[n] == ':' && str_eq(wanted + n + 1, where);
}

int migrate_fault(struct migration *m, const char *where, struct error *e)
{
	const char *row = migrate_stages[m->at].name;

	if (fault_is("CORACLE_KILL_AT", row, where))
		kill(getpid(), SIGKILL);
	if (fault_is("CORACLE_CUT_AT", row, where))
		channel_cut(m->channel);
	if (fault_is("CORACLE_FAIL_AT", row, where))
		return refuse(e, EIO, "failed on purpose");
	return 0;
}
#else
int migrate_fault(struct migration *m, const char *where, struct error *e)
{
	(void)m, (void)where, (void)e;
	return 0;
}
#endif

/* ---- words ---- */

static bool is_active(const struct migration *m, size_t at)
{
	const struct migrate_stage *s = &migrate_stages[at];
	return !s->active || s->active(m);
}

static int tell_stage(struct migration *m, struct error *e)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"stage\":\"%s\"}", migrate_stages[m->at].name);
	return message_send(m->channel, MESSAGE_STAGE, text, e);
}

int migrate_answer(struct migration *m, const struct obstacles *o, struct error *e)
{
	auto_free char *text = obstacles_write(migrate_stages[m->at].name, o);

	if (!text)
		return fail(e, ENOMEM, "answer");
	int r = migrate_fault(m, "end", e);
	return r < 0 ? r : message_send(m->channel, MESSAGE_ANSWER, text, e);
}

static void tell_obstacles(const struct obstacles *o, struct error *e)
{
	size_t used = 0;

	e->code = EBUSY;
	for (size_t i = 0; i < o->n && used < sizeof(e->msg); i++) {
		int n = snprintf(e->msg + used, sizeof(e->msg) - used, "%s%s (%s)", i ? "; " : "",
				 o->v[i].what, o->v[i].todo);
		used += n > 0 ? (size_t)n : 0;
	}
}

int migrate_await_answer(struct migration *m, struct error *e)
{
	struct obstacles *o = arena_calloc(m->arena, 1, sizeof(*o));
	struct message answer;

	if (!o)
		return fail(e, ENOMEM, "answer");
	int r = message_expect(m->channel, MESSAGE_ANSWER, m->timeout_ms, &answer, e);
	if (r < 0)
		return r;
	r = obstacles_read(answer.body, answer.size, migrate_stages[m->at].name, o, e);
	message_done(&answer);
	if (r == 0 && o->n) {
		for (size_t i = 0; i < o->n; i++)
			log_info("obstacle: %s: %s", o->v[i].what, o->v[i].todo);
		tell_obstacles(o, e);
		r = -EBUSY;
	}
	return r;
}

/* ---- the source's column ---- */

static int walk_source_row(struct migration *m, struct error *e)
{
	const struct migrate_stage *s = &migrate_stages[m->at];

	int r = tell_stage(m, e);
	if (r == 0)
		r = migrate_fault(m, "begin", e);
	if (r == 0 && s->source)
		r = s->source(m, e);
	/* A row that goes on inside awaits its answer itself, and so does the grant. */
	if (r == 0 && s->inside != INSIDE_SOURCE && !s->no_return) {
		r = migrate_fault(m, "end", e);
		if (r == 0)
			r = migrate_await_answer(m, e);
	}
	return r;
}

int migrate_walk_source(struct migration *m, bool inside, struct error *e)
{
	for (; m->at < migrate_stage_count; m->at++) {
		size_t at = m->at;
		if (!is_active(m, at))
			continue;
		int r = walk_source_row(m, e);
		if (r < 0)
			return m->at == at ? prefix(e, "%s", migrate_stages[at].name) : r;
		if (inside && migrate_stages[m->at].no_return)
			return 0; /* the rest comes after CRIU */
	}
	return 0;
}

/* ---- the target's column ---- */

static int expect_stage(struct migration *m, struct error *e)
{
	const char *name = migrate_stages[m->at].name;
	struct message stage;
	char text[64];

	int r = arrive_until_message(m, e);
	if (r == 0)
		r = message_expect(m->channel, MESSAGE_STAGE, m->timeout_ms, &stage, e);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "{\"stage\":\"%s\"}", name);
	if (!str_eq(stage.body, text))
		r = refuse(e, EPROTO, "the source begins another stage than %s", name);
	message_done(&stage);
	return r;
}

static int walk_target_row(struct migration *m, struct error *e)
{
	const struct migrate_stage *s = &migrate_stages[m->at];

	int r = expect_stage(m, e);
	if (r == 0)
		r = migrate_fault(m, "begin", e);
	if (r == 0 && s->target)
		r = s->target(m, e);
	else if (r == 0)
		r = migrate_answer(m, NULL, e);
	return r;
}

int migrate_walk_target(struct migration *m, bool inside, struct error *e)
{
	for (; m->at < migrate_stage_count; m->at++) {
		size_t at = m->at;
		if (!is_active(m, at))
			continue;
		int r = walk_target_row(m, e);
		if (r < 0)
			return m->at == at ? prefix(e, "%s", migrate_stages[at].name) : r;
		if (inside && migrate_stages[m->at].no_return)
			return 0;
	}
	return 0;
}

/* ---- undo ---- */

void migrate_undo(struct migration *m, bool source)
{
	size_t n = m->at < migrate_stage_count ? m->at + 1 : migrate_stage_count;

	while (n--) {
		const struct migrate_stage *s = &migrate_stages[n];
		void (*undo)(struct migration *) = source ? s->undo_source : s->undo_target;
		if (undo && is_active(m, n))
			undo(m);
	}
}
