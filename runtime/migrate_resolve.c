/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_resolve.c - a lost answer: ask the target what became of the container, and finish either way
 *
 * Run by `migrate --resolve`, at once or after a reboot, and by `receive` for the other side. Idempotent: what
 * is done already is not done again, and each step can be cut off anywhere. The target decides: when it has
 * not "running", it makes sure that nothing of the container runs or will run there, writes "refused", and only
 * then says so. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/migrate.h"
#include "runtime/migrate_sweep.h"
#include "runtime/network.h"
#include "runtime/network_helper.h"
#include "runtime/received.h"
#include "specs/json.h"

enum { THAW_MS = 10000 };

/* ---- the one who asks ---- */

static int ask(struct channel *c, const struct journal *j, int timeout_ms, enum journal_state *ret,
	       struct error *e)
{
	struct message verdict;
	char text[80];

	snprintf(text, sizeof(text), "{\"migration\":\"%s\"}", j->migration);
	int r = message_send(c, MESSAGE_RESOLVE, text, e);
	if (r == 0)
		r = message_expect(c, MESSAGE_VERDICT, timeout_ms, &verdict, e);
	if (r < 0)
		return r;
	if (str_eq(verdict.body, "{\"verdict\":\"running\"}"))
		*ret = JOURNAL_RUNNING;
	else if (str_eq(verdict.body, "{\"verdict\":\"refused\"}"))
		*ret = JOURNAL_REFUSED;
	else
		r = refuse(e, EPROTO, "the destination's verdict is not understood");
	message_done(&verdict);
	return r;
}

int resolve_ask(const struct journal *j, int timeout_ms, enum journal_state *ret, struct error *e)
{
	const struct transport_options t = { .receiver = *j->receiver ? j->receiver : NULL,
					     .tls_dir = *j->tls_dir ? j->tls_dir : NULL,
					     .timeout_ms = timeout_ms };
	const struct channel_options o = { .codec = WIRE_PLAIN };
	AUTO(channel) struct channel *c = NULL;
	struct transport *transport;

	int r = transport_connect(j->peer, &t, &transport, e);
	if (r == 0)
		r = channel_start(transport, &o, &c, e);
	return r == 0 ? ask(c, j, timeout_ms, ret, e) : r;
}

/* The container's addresses are the other node's: links go, leases with them. What cannot be done is told. */
static void send_wires_away(const struct container *c)
{
	auto_free char *owner = NULL;
	struct error e;

	if (network_owner_path(c, &owner, &e) < 0)
		return;
	const struct network_of of = { .owner = owner, .dir = c->dir, .switch_dir = c->globals->switch_dir };
	if (network_send_away(&of, &e) < 0)
		log_warning("%s", e.msg);
}

/* It runs there: what is frozen here ends. */
static int release(const struct globals *g, const struct journal *j, bool keep, struct error *e)
{
	AUTO(container) struct container *c = NULL;

	int r = container_open(g, j->container, false, &c, e);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (c->state) {
		r = life_kill_all(c, e);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	send_wires_away(c);
	if (keep)
		return 0;
	return life_remove(c, -1, NULL, e);
}

static void let_wires_go(const struct container *c)
{
	auto_free char *owner = NULL;
	struct error e;

	if (network_owner_path(c, &owner, &e) < 0)
		return;
	const struct network_of of = { .owner = owner, .dir = c->dir, .switch_dir = c->globals->switch_dir };
	if (network_release(&of, &e) < 0 && e.code != ENOENT)
		log_warning("%s", e.msg);
}

/* Nothing runs there: what is frozen here goes on, its packets too. */
static int run_on(const struct globals *g, const struct journal *j, struct error *e)
{
	AUTO(container) struct container *c = NULL;
	struct error none;

	int r = container_open(g, j->container, false, &c, e);
	if (r < 0)
		return r == -ENOENT ? refuse(e, ENOENT,
					     "the container `%s` is neither there nor here: this node was "
					     "restarted",
					     j->container)
				    : r;
	let_wires_go(c);
	auto_close int group = container_cgroup(c, &none);
	return group >= 0 ? cgroup_freeze(group, false, THAW_MS, e) : 0;
}

int resolve_finish(const struct globals *g, struct journal *j, int journal_dir, enum journal_state verdict,
		   bool keep, struct error *e)
{
	enum journal_state end = verdict == JOURNAL_RUNNING ? JOURNAL_RELEASED : JOURNAL_KEPT;

	int r = j->state == end ? 0 : journal_move(j, journal_dir, end, e);
	if (r == 0)
		r = verdict == JOURNAL_RUNNING ? release(g, j, keep, e) : run_on(g, j, e);
	if (r < 0)
		return r;
	char images[PATH_MAX];
	if (str_format(images, sizeof(images), "%s/.migrate/%s", g->root, j->migration) >= 0)
		remove_directory(images);
	return journal_remove(journal_dir, j->migration, e);
}

int life_resolve(const struct migrate_options *o, struct error *e)
{
	AUTO(journal) struct journal *j = NULL;
	enum journal_state verdict;

	auto_close int dir = journal_open_dir(o->journal, e);
	if (dir < 0)
		return dir;
	int r = interrupt_prepare(e);
	if (r == 0)
		r = journal_find(dir, o->id, o->globals->root, true, &j, e);
	if (r < 0)
		return r;
	switch (j->state) {
	case JOURNAL_PREPARING: /* never granted: it is ours */
	case JOURNAL_KEPT:
		verdict = JOURNAL_REFUSED;
		break;
	case JOURNAL_RELEASED:
		verdict = JOURNAL_RUNNING;
		break;
	default:
		r = resolve_ask(j, o->timeout_ms, &verdict, e);
	}
	if (r < 0)
		return prefix(e, "the container stays frozen");
	r = resolve_finish(o->globals, j, dir, verdict, o->keep, e);
	if (r == 0)
		sweep_source(o->globals, dir);
	if (r == 0)
		log_warning("container `%s` %s", o->id,
			    verdict == JOURNAL_RUNNING ? "runs at the destination; the copy here has ended"
						       : "runs on here");
	return r;
}

/* ---- the one who is asked ---- */

static int read_question(struct arena *a, const struct message *question, const char **ret, struct error *e)
{
	struct json *tree;

	int r = json_parse(a, question->body, question->size, &tree, e);
	if (r < 0)
		return r;
	const struct json *v = tree->type == JSON_OBJECT ? json_get(tree, "migration") : NULL;
	if (!v || v->type != JSON_STRING || !journal_check_name(v->text))
		return refuse(e, EPROTO, "resolve: not the name of a migration");
	*ret = v->text;
	return 0;
}

/* Nothing of it may run here, now or later: the receiver that took it is dead or waits for the container's lock
 * no longer, and whatever there is ends. */
static int make_sure_it_is_not_here(const struct globals *g, const struct journal *j, struct error *e)
{
	AUTO(container) struct container *c = NULL;

	int r = container_open(g, j->container, true, &c, e);
	if (r == -ENOENT)
		r = 0;
	else if (r == 0 && c->state)
		r = life_kill_all(c, e);
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && c)
		r = life_remove(c, -1, NULL, e);
	if (r == 0 && *j->extra) {
		received_bundle_remove(j->extra);
		(void)rmdir(j->extra); /* it may have been made and not marked yet: then it is empty */
	}
	return r;
}

int resolve_abandoned(const struct globals *g, int journal_dir, const char *migration, struct error *e)
{
	AUTO(journal) struct journal *j = NULL;

	int r = journal_read(journal_dir, migration, &j, e);
	if (r < 0 || j->state != JOURNAL_CLAIMED)
		return r;
	r = make_sure_it_is_not_here(g, j, e);
	return r == 0 ? journal_move(j, journal_dir, JOURNAL_REFUSED, e) : r;
}

static bool runs_here(const struct globals *g, const struct journal *j)
{
	AUTO(container) struct container *c = NULL;
	struct error none;
	char boot[BOOT_SIZE];

	if (journal_boot(boot, &none) < 0 || !str_eq(boot, j->boot))
		return false; /* "granted" before a restart: whatever was in memory is gone */
	/* The lock: a receiver that is between grant and resume holds it. Its end is waited for. */
	if (container_open(g, j->container, true, &c, &none) < 0 || !c->state)
		return false;
	enum status s = container_status(c);
	return s == STATUS_RUNNING || s == STATUS_PAUSED;
}

static int decide(const struct receive_options *o, int journal_dir, const char *name, enum journal_state *ret,
		  struct error *e)
{
	AUTO(journal) struct journal *j = NULL;

	int r = journal_read(journal_dir, name, &j, e);
	if (r == -ENOENT) { /* never heard of it, and from now on it is refused */
		j = journal_new("", o->globals->root);
		if (!j)
			return fail(e, ENOMEM, "journal");
		snprintf(j->migration, sizeof(j->migration), "%s", name);
		*ret = JOURNAL_REFUSED;
		return journal_move(j, journal_dir, JOURNAL_REFUSED, e);
	}
	if (r < 0)
		return r;
	if (j->state == JOURNAL_GRANTED && runs_here(o->globals, j)) {
		r = journal_move(j, journal_dir, JOURNAL_RUNNING, e);
	} else if (j->state == JOURNAL_GRANTED || j->state == JOURNAL_CLAIMED) {
		r = make_sure_it_is_not_here(o->globals, j, e);
		if (r == 0)
			r = journal_move(j, journal_dir, JOURNAL_REFUSED, e);
	}
	*ret = j->state;
	return r;
}

int resolve_answer(const struct receive_options *o, struct channel *c, int journal_dir,
		   const struct message *question, struct error *e)
{
	AUTO(arena) struct arena *a = arena_new();
	enum journal_state state = JOURNAL_NONE;
	const char *name = "";

	if (!a)
		return fail(e, ENOMEM, "resolve");
	int r = read_question(a, question, &name, e);
	if (r == 0)
		r = decide(o, journal_dir, name, &state, e);
	if (r < 0) {
		message_abort(c, e);
		return r;
	}
	return message_send(c, MESSAGE_VERDICT,
			    state == JOURNAL_RUNNING ? "{\"verdict\":\"running\"}"
						     : "{\"verdict\":\"refused\"}",
			    e);
}
