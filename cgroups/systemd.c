/* SPDX-License-Identifier: GPL-2.0-or-later */
/* systemd.c - scopes, over the bus
 *
 * In RUNTIME, in coracle-node. What systemd does is a job: the call that asks for it answers at once, and the
 * signal JobRemoved tells when it is done and how. We listen before we ask. */
#include "cgroups/systemd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/cgroup.h"
#include "cgroups/internal.h"
#include "cgroups/sdbus.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

#define SERVICE	  "org.freedesktop.systemd1"
#define MANAGER	  "org.freedesktop.systemd1.Manager"
#define ROOT_PATH "/org/freedesktop/systemd1"

enum { CALL_TIMEOUT_MS = 10000, JOB_TIMEOUT_MS = 20000 };

struct talk {
	void *bus, *slot;
	char job[256];	 /* the job we wait for */
	char result[32]; /* what it came to; "" until then */
};

static void talk_done(struct talk *t)
{
	if (t->slot)
		sdbus.sd_bus_slot_unref(t->slot);
	if (t->bus)
		sdbus.sd_bus_close_unref(t->bus);
}

static int fail_bus(int r, struct sdbus_error *error, const char *what, struct error *e)
{
	if (error && error->message)
		r = refuse(e, -r, "%s: %.300s", what, error->message);
	else
		r = fail(e, -r, "%s", what);
	if (error)
		sdbus.sd_bus_error_free(error);
	return r;
}

/* ---- jobs ---- */

static int on_job_removed(void *message, void *data, struct sdbus_error *error)
{
	struct talk *t = data;
	const char *path, *unit, *result;
	uint32_t id;

	(void)error;
	if (sdbus.sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	/* Ours may be over before we have read its name: its path is known by then, signals are handled only
	 * in wait_job. */
	if (str_eq(path, t->job))
		str_format(t->result, sizeof(t->result), "%.30s", result);
	return 0;
}

static int wait_job(struct talk *t, const char *what, struct error *e)
{
	int64_t end = now_ms() + JOB_TIMEOUT_MS;

	while (!*t->result) {
		int r = sdbus.sd_bus_process(t->bus, NULL);
		if (r < 0)
			return fail(e, -r, "%s: wait for systemd", what);
		if (r > 0)
			continue;
		int64_t left = end - now_ms();
		if (left <= 0)
			return refuse(e, ETIMEDOUT, "%s: systemd has not done it within %d s", what,
				      JOB_TIMEOUT_MS / 1000);
		r = sdbus.sd_bus_wait(t->bus, (uint64_t)left * 1000);
		if (r < 0 && r != -EINTR)
			return fail(e, -r, "%s: wait for systemd", what);
	}
	if (!str_eq(t->result, "done"))
		return refuse(e, EIO, "%s: systemd says: %s", what, t->result);
	return 0;
}

/* ---- calls ---- */

static int new_call(struct talk *t, const char *method, void **ret, struct error *e)
{
	int r = sdbus.sd_bus_message_new_method_call(t->bus, ret, SERVICE, ROOT_PATH, MANAGER, method);
	return r < 0 ? fail(e, -r, "%s", method) : 0;
}

/* Ends the message. With `ret_reply` the caller ends that. *ret_name (may be NULL) is the error's name. */
static int call(struct talk *t, void *message, const char *what, void **ret_reply, char *ret_name,
		size_t size, struct error *e)
{
	struct sdbus_error error = { 0 };

	int r = sdbus.sd_bus_call(t->bus, message, (uint64_t)CALL_TIMEOUT_MS * 1000, &error, ret_reply);
	sdbus.sd_bus_message_unref(message);
	if (ret_name)
		str_format(ret_name, size, "%.100s", r < 0 && error.name ? error.name : "");
	return r < 0 ? fail_bus(r, &error, what, e) : 0;
}

static int subscribe(struct talk *t, struct error *e)
{
	void *message = NULL;

	int r = sdbus.sd_bus_match_signal(t->bus, &t->slot, SERVICE, ROOT_PATH, MANAGER, "JobRemoved",
					  on_job_removed, t);
	if (r < 0)
		return fail(e, -r, "listen to systemd");
	r = new_call(t, "Subscribe", &message, e);
	return r < 0 ? r : call(t, message, "subscribe to systemd", NULL, NULL, 0, e);
}

/* Until the bus has let us in: the library itself would give it a minute and a half. */
static int wait_ready(struct talk *t, struct error *e)
{
	int64_t end = now_ms() + CALL_TIMEOUT_MS;
	int r;

	while ((r = sdbus.sd_bus_is_ready(t->bus)) == 0) {
		r = sdbus.sd_bus_process(t->bus, NULL);
		int64_t left = end - now_ms();
		if (r == 0 && left <= 0)
			r = -ETIMEDOUT;
		if (r == 0)
			r = sdbus.sd_bus_wait(t->bus, (uint64_t)left * 1000);
		if (r < 0 && r != -EINTR)
			break;
	}
	return r < 0 ? fail(e, -r, "the bus does not answer") : 0;
}

static int open_bus(struct talk *t, bool user, struct error *e)
{
	int r = sdbus_load(e);
	if (r < 0)
		return r;
	r = user ? sdbus.sd_bus_open_user(&t->bus) : sdbus.sd_bus_open_system(&t->bus);
	if (r < 0)
		return fail(e, -r, "connect to the %s bus, for a systemd cgroup", user ? "user's" : "system");
	sdbus.sd_bus_set_method_call_timeout(t->bus, (uint64_t)CALL_TIMEOUT_MS * 1000);
	return wait_ready(t, e);
}

/* A call that answers with a job, and its end. */
static int run_job(struct talk *t, void *message, const char *what, char *ret_name, size_t size,
		   struct error *e)
{
	const char *job;
	void *reply = NULL;

	int r = call(t, message, what, &reply, ret_name, size, e);
	if (r < 0)
		return r;
	r = sdbus.sd_bus_message_read(reply, "o", &job);
	t->result[0] = '\0';
	if (r < 0 || str_format(t->job, sizeof(t->job), "%s", job) < 0)
		r = refuse(e, EPROTO, "%s: the answer is not understood", what);
	sdbus.sd_bus_message_unref(reply);
	return r < 0 ? r : wait_job(t, what, e);
}

static int simple_call(struct talk *t, const char *method, const char *unit, const char *what,
		       struct error *e)
{
	void *message = NULL;

	int r = new_call(t, method, &message, e);
	if (r < 0)
		return r;
	r = sdbus.sd_bus_message_append(message, "s", unit);
	if (r < 0) {
		sdbus.sd_bus_message_unref(message);
		return fail(e, -r, "%s", what);
	}
	return call(t, message, what, NULL, NULL, 0, e);
}

/* ---- properties ---- */

static int append_one(void *message, const struct systemd_property *p)
{
	int r;

	switch (p->type) {
	case 't':
		return sdbus.sd_bus_message_append(message, "(sv)", p->name, "t", p->number);
	case 'i':
		return sdbus.sd_bus_message_append(message, "(sv)", p->name, "i", (int)p->number);
	case 'b':
		return sdbus.sd_bus_message_append(message, "(sv)", p->name, "b", (int)p->number);
	case 's':
		return sdbus.sd_bus_message_append(message, "(sv)", p->name, "s", p->text);
	default:
		break;
	}
	if ((r = sdbus.sd_bus_message_open_container(message, 'r', "sv")) < 0 ||
	    (r = sdbus.sd_bus_message_append(message, "s", p->name)) < 0 ||
	    (r = sdbus.sd_bus_message_open_container(message, 'v', "ay")) < 0 ||
	    (r = sdbus.sd_bus_message_append_array(message, 'y', p->text, p->number)) < 0 ||
	    (r = sdbus.sd_bus_message_close_container(message)) < 0)
		return r;
	return sdbus.sd_bus_message_close_container(message);
}

static int append_all(void *message, const struct systemd_properties *p)
{
	for (size_t i = 0; i < p->n; i++) {
		int r = append_one(message, &p->list[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What every scope of ours has. It stops when its last process does; one that failed (an OOM kill) goes, too. */
static int append_usual(void *message, const struct systemd_unit *u, pid_t pid)
{
	static const char *const on[] = { "Delegate", "MemoryAccounting", "CPUAccounting", "TasksAccounting",
					  "IOAccounting" };
	int r = sdbus.sd_bus_message_append(message, "(sv)(sv)(sv)(sv)(sv)", "Description", "s",
					    "a container of coracle", "Slice", "s", u->slice,
					    "DefaultDependencies", "b", 0, "CollectMode", "s",
					    "inactive-or-failed", "PIDs", "au", 1, (uint32_t)pid);

	for (size_t i = 0; r >= 0 && i < COUNT_OF(on); i++)
		r = sdbus.sd_bus_message_append(message, "(sv)", on[i], "b", 1);
	return r;
}

static int fill_start(void *message, const struct systemd_unit *u, pid_t pid,
		      const struct systemd_properties *p)
{
	int r;

	if ((r = sdbus.sd_bus_message_append(message, "ss", u->name, "fail")) < 0 ||
	    (r = sdbus.sd_bus_message_open_container(message, 'a', "(sv)")) < 0 ||
	    (r = append_usual(message, u, pid)) < 0 || (r = append_all(message, p)) < 0 ||
	    (r = sdbus.sd_bus_message_close_container(message)) < 0)
		return r;
	return sdbus.sd_bus_message_append(message, "a(sa(sv))", 0);
}

/* ---- the driver ---- */

static int start_once(struct talk *t, const struct systemd_unit *u, pid_t pid,
		      const struct systemd_properties *p, char *ret_name, size_t size, struct error *e)
{
	void *message = NULL;

	int r = new_call(t, "StartTransientUnit", &message, e);
	if (r < 0)
		return r;
	r = fill_start(message, u, pid, p);
	if (r < 0) {
		sdbus.sd_bus_message_unref(message);
		return fail(e, -r, "start scope %s", u->name);
	}
	return run_job(t, message, "StartTransientUnit", ret_name, size, e);
}

/* Where systemd has put the process: as the kernel tells it. */
static int find_group(struct talk *t, const struct systemd_unit *u, pid_t pid, char **ret, struct error *e)
{
	(void)t;
	int r = cgroup_of_pid(pid, ret, e);
	if (r < 0)
		return r;
	if (str_ends(*ret, u->name))
		return 0;
	r = refuse(e, EIO, "scope %s was started, but process %d is in %s", u->name, (int)pid, *ret);
	free(take_ptr(*ret));
	return r;
}

static int start(const struct systemd_unit *u, pid_t pid, const struct spec *s, char **ret_group,
		 struct error *e)
{
	struct systemd_properties p = { .n = 0 };
	struct talk t = { .bus = NULL };
	struct error ignored;
	char name[128];

	int r = s->resources ? systemd_limits(s->resources, false, &p, e) : 0;
	if (r == 0)
		r = systemd_annotations(s, &p, e);
	if (r == 0)
		r = open_bus(&t, u->user, e);
	if (r == 0)
		r = subscribe(&t, e);
	if (r == 0) {
		r = start_once(&t, u, pid, &p, name, sizeof(name), e);
		/* A leftover that failed, by a systemd or a runtime that did not collect it. */
		if (r < 0 && str_eq(name, SERVICE ".UnitExists") &&
		    simple_call(&t, "ResetFailedUnit", u->name, "reset", &ignored) == 0)
			r = start_once(&t, u, pid, &p, name, sizeof(name), e);
	}
	if (r == 0)
		r = find_group(&t, u, pid, ret_group, e);
	talk_done(&t);
	return r < 0 ? prefix(e, "systemd scope %s", u->name) : 0;
}

static int update(const struct systemd_unit *u, const struct spec_resources *res, bool late, struct error *e)
{
	struct systemd_properties p = { .n = 0 };
	struct talk t = { .bus = NULL };
	void *message = NULL;

	int r = systemd_limits(res, late, &p, e);
	if (r < 0 || p.n == 0)
		return r;
	r = open_bus(&t, u->user, e);
	if (r == 0)
		r = new_call(&t, "SetUnitProperties", &message, e);
	if (r == 0) {
		if ((r = sdbus.sd_bus_message_append(message, "sb", u->name, 1)) < 0 ||
		    (r = sdbus.sd_bus_message_open_container(message, 'a', "(sv)")) < 0 ||
		    (r = append_all(message, &p)) < 0 ||
		    (r = sdbus.sd_bus_message_close_container(message)) < 0) {
			sdbus.sd_bus_message_unref(message);
			r = fail(e, -r, "SetUnitProperties");
		} else {
			r = call(&t, message, "SetUnitProperties", NULL, NULL, 0, e);
		}
	}
	talk_done(&t);
	return r < 0 ? prefix(e, "systemd scope %s", u->name) : 0;
}

static int stop(const struct systemd_unit *u, struct error *e)
{
	struct talk t = { .bus = NULL };
	struct error ignored;
	void *message = NULL;
	char name[128] = "";

	int r = open_bus(&t, u->user, e);
	if (r == 0)
		r = subscribe(&t, e);
	if (r == 0)
		r = new_call(&t, "StopUnit", &message, e);
	if (r == 0) {
		r = sdbus.sd_bus_message_append(message, "ss", u->name, "replace");
		if (r < 0)
			sdbus.sd_bus_message_unref(message);
		r = r < 0 ? fail(e, -r, "StopUnit") : run_job(&t, message, "StopUnit", name, sizeof(name), e);
		if (r < 0 && str_eq(name, SERVICE ".NoSuchUnit"))
			r = 0;
		else if (r == 0)
			simple_call(&t, "ResetFailedUnit", u->name, "reset", &ignored);
	}
	talk_done(&t);
	return r < 0 ? prefix(e, "systemd scope %s", u->name) : 0;
}

static int attach(const struct systemd_unit *u, pid_t pid, struct error *e)
{
	struct talk t = { .bus = NULL };
	void *message = NULL;

	int r = open_bus(&t, u->user, e);
	if (r == 0)
		r = new_call(&t, "AttachProcessesToUnit", &message, e);
	if (r == 0) {
		r = sdbus.sd_bus_message_append(message, "ssau", u->name, "", 1, (uint32_t)pid);
		if (r < 0)
			sdbus.sd_bus_message_unref(message);
		r = r < 0 ? fail(e, -r, "AttachProcessesToUnit")
			  : call(&t, message, "AttachProcessesToUnit", NULL, NULL, 0, e);
	}
	talk_done(&t);
	return r < 0 ? prefix(e, "systemd scope %s", u->name) : 0;
}

const struct cgroup_driver systemd_driver = {
	.start = start, .update = update, .stop = stop, .attach = attach
};
