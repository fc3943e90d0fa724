/* SPDX-License-Identifier: GPL-2.0-or-later */
/* criu_rpc.c - one message to CRIU, one from it; what a request says; callbacks until the answer is there
 *
 * CRIU runs as root and with our rights, but what it tells comes from images, too: messages are bounded, and
 * text is made printable before it is shown. */
#include "checkpoint/criu_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

enum { MESSAGE_LIMIT = 1 << 20, LOG_LIMIT = 256 << 20, LOG_TAIL = 64 << 10, ALSO_MAX = 8 };

/* ---- messages ---- */

int criu_send(const struct criu *c, const Criu__Request *message, struct error *e)
{
	size_t size = criu__request__get_packed_size(message);

	auto_free uint8_t *data = malloc(size);
	if (!data)
		return fail(e, ENOMEM, "CRIU: request");
	criu__request__pack(message, data);
	int r = fd_send(c->sock, data, size, -1, e);
	return r < 0 ? prefix(e, "CRIU") : 0;
}

/* Until there is a message. The socket's end does not come when CRIU alone is killed: its children, the
 * tasks that it restores among them, have a copy. */
static int wait_for_message(const struct criu *c, struct error *e)
{
	struct pollfd p[] = { { .fd = c->sock, .events = POLLIN }, { .fd = c->pidfd, .events = POLLIN } };

	while (!p[0].revents) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return fail(e, errno, "CRIU: poll");
		if (!p[0].revents && p[1].revents &&
		    poll(p, 1, 0) <= 0) /* what it said between the two looks counts */
			return refuse(e, EPIPE, "CRIU ended unexpectedly");
	}
	return 0;
}

static ssize_t next_size(const struct criu *c, struct error *e)
{
	ssize_t n = wait_for_message(c, e);

	if (n < 0)
		return n;
	do
		n = recv(c->sock, NULL, 0, MSG_PEEK | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return fail(e, errno, "CRIU: receive");
	if (n <= 0)
		return refuse(e, EPIPE, "CRIU ended unexpectedly");
	if (n > MESSAGE_LIMIT)
		return refuse(e, EMSGSIZE, "CRIU: a message of %zd bytes", n);
	return n;
}

int criu_receive(const struct criu *c, bool interruptible, Criu__Response **ret, int *ret_fd, struct error *e)
{
	if (interruptible) {
		int r = interrupt_wait(c->sock, c->pidfd, -1, e);
		if (r < 0)
			return r;
	}
	ssize_t size = next_size(c, e);
	if (size < 0)
		return (int)size;
	auto_free uint8_t *data = malloc((size_t)size);
	if (!data)
		return fail(e, ENOMEM, "CRIU: answer");
	auto_close int fd = -1;
	ssize_t n = fd_receive(c->sock, data, (size_t)size, &fd, e);
	if (n < 0)
		return prefix(e, "CRIU");
	*ret = criu__response__unpack(NULL, (size_t)n, data);
	if (!*ret)
		return refuse(e, EPROTO, "CRIU: its answer is not understood");
	*ret_fd = take_fd(&fd);
	return 0;
}

/* ---- what a request says ---- */

#define SET(o, field, value) ((o)->has_##field = true, (o)->field = (value))
#define SET_IF(o, field, value)               \
	do {                                  \
		if (value)                    \
			SET(o, field, value); \
	} while (0)

struct lists {
	Criu__InheritFd *inherit;
	Criu__InheritFd **inherit_list;
	Criu__PageServer ps;
};

static size_t count(const char *const *list)
{
	return list ? strv_count((char *const *)list) : 0;
}

static void fill_flags(Criu__Options *o, const struct criu_request *q)
{
	SET_IF(o, leave_running, q->leave_running);
	SET_IF(o, leave_stopped, q->leave_stopped);
	SET_IF(o, tcp_established, q->tcp_established);
	SET_IF(o, tcp_close, q->tcp_close);
	SET_IF(o, tcp_skip_in_flight, q->tcp_skip_in_flight);
	SET_IF(o, ext_unix_sk, q->ext_unix_sk);
	SET_IF(o, shell_job, q->shell_job);
	SET_IF(o, file_locks, q->file_locks);
	SET_IF(o, link_remap, q->link_remap);
	SET_IF(o, force_irmap, q->force_irmap);
	SET_IF(o, auto_dedup, q->auto_dedup);
	SET_IF(o, track_mem, q->track_mem);
	SET_IF(o, lazy_pages, q->lazy_pages);
	SET_IF(o, ext_sharing, q->ext_sharing);
	SET_IF(o, ext_masters, q->ext_masters);
	SET_IF(o, rst_sibling, q->rst_sibling);
	SET_IF(o, orphan_pts_master, q->orphan_pts_master);
	SET_IF(o, evasive_devices, q->evasive_devices);
	SET_IF(o, weak_sysctls, q->weak_sysctls);
	SET_IF(o, mntns_compat_mode, q->mntns_compat);
	SET_IF(o, skip_file_rwx_check, q->skip_file_rwx_check);
}

static void fill_numbers(Criu__Options *o, const struct criu_request *q)
{
	o->images_dir_fd = q->images_dir;
	SET(o, work_dir_fd, q->work_dir >= 0 ? q->work_dir : q->images_dir);
	SET(o, log_level, q->log_level);
	SET(o, manage_cgroups_mode, (int)q->manage_cgroups);
	SET(o, notify_scripts, true);
	SET_IF(o, pid, q->pid);
	SET_IF(o, network_lock, (int)q->network_lock);
	SET_IF(o, empty_ns, q->empty_ns);
	SET_IF(o, ghost_limit, q->ghost_limit);
	SET_IF(o, timeout, q->timeout_s);
	if (q->status_fd > 0)
		SET(o, status_fd, q->status_fd);
}

static void fill_strings(Criu__Options *o, const struct criu_request *q)
{
	o->log_file = (char *)q->log_file;
	o->parent_img = (char *)q->parent_images;
	o->root = (char *)q->root;
	o->freeze_cgroup = (char *)q->freeze_cgroup;
	o->lsm_profile = (char *)q->lsm_profile;
	o->lsm_mount_context = (char *)q->lsm_mount_context;
	o->config_file = (char *)q->config_file;
	o->external = (char **)q->external;
	o->n_external = count(q->external);
	o->skip_mnt = (char **)q->skip_mounts;
	o->n_skip_mnt = count(q->skip_mounts);
	o->enable_fs = (char **)q->enable_fs;
	o->n_enable_fs = count(q->enable_fs);
}

static void fill_page_server(Criu__Options *o, const struct criu_request *q, struct lists *l)
{
	if (!q->page_server_port && !q->page_server_fd)
		return;
	criu__page_server__init(&l->ps);
	l->ps.address = (char *)q->page_server_address;
	SET_IF(&l->ps, port, q->page_server_port);
	SET_IF(&l->ps, fd, q->page_server_fd);
	o->ps = &l->ps;
}

static int fill_inherited(Criu__Options *o, const struct criu_request *q, struct lists *l, struct error *e)
{
	l->inherit = calloc(q->n_inherit + 1, sizeof(*l->inherit));
	l->inherit_list = calloc(q->n_inherit + 1, sizeof(*l->inherit_list));
	if (!l->inherit || !l->inherit_list)
		return fail(e, ENOMEM, "CRIU: request");
	for (size_t i = 0; i < q->n_inherit; i++) {
		criu__inherit_fd__init(&l->inherit[i]);
		l->inherit[i].key = (char *)q->inherit[i].key;
		l->inherit[i].fd = q->inherit[i].fd;
		l->inherit_list[i] = &l->inherit[i];
	}
	o->inherit_fd = l->inherit_list;
	o->n_inherit_fd = q->n_inherit;
	return 0;
}

static int send_request(const struct criu *c, const struct criu_request *q, struct error *e)
{
	Criu__Request message = CRIU__REQUEST__INIT;
	Criu__Options o = CRIU__OPTIONS__INIT;
	struct lists l = { .inherit = NULL };

	fill_numbers(&o, q);
	fill_flags(&o, q);
	fill_strings(&o, q);
	fill_page_server(&o, q, &l);
	message.type = q->action == CRIU_PRE_DUMP ? CRIU__TYPE__SINGLE_PRE_DUMP : (Criu__Type)q->action;
	message.opts = &o;
	int r = fill_inherited(&o, q, &l, e);
	if (r == 0)
		r = criu_send(c, &message, e);
	free(l.inherit);
	free(l.inherit_list);
	return r;
}

/* ---- callbacks ---- */

#define AT(field) offsetof(struct criu_callbacks, field)
static const struct {
	const char *name;
	size_t offset;
} callback_names[] = {
	{ "pre-dump", AT(pre_dump) },
	{ "network-lock", AT(network_lock) },
	{ "post-dump", AT(post_dump) },
	{ "network-unlock", AT(network_unlock) },
	{ "pre-restore", AT(pre_restore) },
	{ "setup-namespaces", AT(setup_namespaces) },
	{ "post-setup-namespaces", AT(post_setup_namespaces) },
	{ "post-restore", AT(post_restore) },
	{ "pre-resume", AT(pre_resume) },
	{ "post-resume", AT(post_resume) },
	{ "orphan-pts-master", AT(orphan_pts_master) },
	{ "status-ready", AT(status_ready) },
};

static criu_callback *find_callback(const struct criu_callbacks *callbacks, const char *name)
{
	for (size_t i = 0; callbacks && i < COUNT_OF(callback_names); i++)
		if (str_eq(name, callback_names[i].name))
			/* cppcheck-suppress CastIntegerToAddressAtReturn */
			return *(criu_callback *const *)((const char *)callbacks + callback_names[i].offset);
	return NULL;
}

/* A failure of ours is kept in `own`: it says more than what CRIU makes of it. */
static int serve_callback(const struct criu *c, const struct criu_callbacks *callbacks,
			  const Criu__Response *told, int fd, struct error *own, struct error *e)
{
	struct criu_event event = { .fd = fd };
	Criu__Request reply = CRIU__REQUEST__INIT;

	const char *name = told->notify && told->notify->script ? told->notify->script : "";
	criu_callback *f = find_callback(callbacks, name);
	if (told->notify && told->notify->has_pid)
		event.pid = told->notify->pid;
	int r = interrupt_pending(own);
	if (r == 0 && f)
		r = f(callbacks->arg, &event, own);
	cleanup_close(&event.fd);
	reply.type = CRIU__TYPE__NOTIFY;
	SET(&reply, notify_success, r == 0);
	return criu_send(c, &reply, e);
}

/* ---- the answer ---- */

static int tell_failure(const struct criu_request *q, const Criu__Response *answer, const char *log_path,
			struct error *e)
{
	struct error ignored;
	auto_free char *log = NULL;
	char reason[320];
	size_t size = 0;

	int dir = q->work_dir >= 0 ? q->work_dir : q->images_dir;
	if (q->log_file)
		io_read_file(dir, q->log_file, LOG_LIMIT, &log, &size, &ignored);
	const char *text = log ? log : "";
	size_t skip = size > LOG_TAIL ? size - LOG_TAIL : 0;
	criu_explain(text + skip, size - skip, answer ? answer->cr_errmsg : NULL,
		     answer ? answer->cr_errno : 0, reason, sizeof(reason));
	return refuse(e, answer && answer->cr_errno > 0 && answer->cr_errno < 4096 ? answer->cr_errno : EIO,
		      "%s (CRIU's log: %s)", reason, log_path ? log_path : "none");
}

static int judge(const struct criu_request *q, const Criu__Response *answer, const char *log_path,
		 pid_t *ret_pid, struct error *e)
{
	if (!answer->success)
		return tell_failure(q, answer, log_path, e);
	if (ret_pid && answer->restore)
		*ret_pid = answer->restore->pid;
	return 0;
}

/* Serve the others until CRIU has something to say. */
static int wait_with(const struct criu *c, const struct criu_callbacks *callbacks, struct error *own,
		     struct error *e)
{
	struct pollfd p[ALSO_MAX + 1] = { { c->sock, POLLIN, 0 } };
	size_t n = callbacks ? callbacks->n_also : 0;

	if (n > ALSO_MAX)
		return refuse(e, EINVAL, "CRIU: too much to do beside it");
	while (n) {
		int timeout = -1;

		for (size_t i = 0; i < n; i++) {
			p[i + 1] = (struct pollfd){ callbacks->also[i].fd, POLLIN, 0 };
			if (callbacks->also[i].fd >= 0 && callbacks->also[i].again)
				timeout = 0;
		}
		if (poll(p, n + 1, timeout) < 0 && errno != EINTR)
			return fail(e, errno, "CRIU: wait");
		for (size_t i = 0; i < n; i++) {
			struct criu_also *a = &callbacks->also[i];
			if (a->fd < 0 || !(p[i + 1].revents || a->again))
				continue;
			int r = a->step(a->arg, own);
			a->again = r > 0;
			if (r < 0)
				a->fd = -1;
		}
		if (p[0].revents)
			return 0;
	}
	return 0;
}

/* 1: a callback was served; 0: the answer has come and is a success. */
static int serve(const struct criu *c, const struct criu_request *q, const struct criu_callbacks *callbacks,
		 const char *log_path, pid_t *ret_pid, struct error *own, struct error *e)
{
	Criu__Response *told = NULL;
	int fd = -1, ret;

	int r = wait_with(c, callbacks, own, e);
	if (r == 0)
		r = criu_receive(c, false, &told, &fd, e);
	if (r == -EPIPE)
		return tell_failure(q, NULL, log_path, e);
	if (r < 0)
		return r;
	if (told->type == CRIU__TYPE__NOTIFY) {
		r = serve_callback(c, callbacks, told, fd, own, e);
		ret = r < 0 ? r : 1;
	} else {
		cleanup_close(&fd);
		ret = judge(q, told, log_path, ret_pid, e);
	}
	criu__response__free_unpacked(told, NULL);
	return ret;
}

int criu_ask(struct criu *c, const struct criu_request *q, const struct criu_callbacks *callbacks,
	     const char *log_path, pid_t *ret_pid, struct error *e)
{
	struct error own = { .code = 0 };

	int r = send_request(c, q, e);
	if (r < 0)
		return r;
	do
		r = serve(c, q, callbacks, log_path, ret_pid, &own, e);
	while (r == 1);
	if (r < 0 && own.code)
		*e = own;
	return r < 0 ? -e->code : 0;
}

/* ---- what it can ---- */

/* Asked with keep_open: the process goes on to take another request. */
static int ask_plain(const struct criu *c, Criu__Type type, Criu__Features *features, Criu__Response **ret,
		     struct error *e)
{
	Criu__Request message = CRIU__REQUEST__INIT;
	int fd = -1;

	message.type = type;
	message.features = features;
	SET(&message, keep_open, true);
	int r = criu_send(c, &message, e);
	if (r == 0)
		r = criu_receive(c, true, ret, &fd, e);
	cleanup_close(&fd);
	return r;
}

static int ask_version(const struct criu *c, int *ret, struct error *e)
{
	Criu__Response *told = NULL;

	int r = ask_plain(c, CRIU__TYPE__VERSION, NULL, &told, e);
	if (r < 0)
		return r;
	if (told->success && told->version)
		*ret = CRIU_VERSION(told->version->major_number, told->version->minor_number,
				    told->version->sublevel);
	else
		r = refuse(e, EPROTO, "CRIU does not tell its version");
	criu__response__free_unpacked(told, NULL);
	return r;
}

int criu_ask_features(struct criu *c, struct criu_features *ret, struct error *e)
{
	Criu__Features wanted = CRIU__FEATURES__INIT;
	Criu__Response *told = NULL;

	int r = ask_version(c, &ret->version, e);
	if (r < 0)
		return r;
	SET(&wanted, mem_track, true);
	SET(&wanted, lazy_pages, true);
	SET(&wanted, pidfd_store, true);
	r = ask_plain(c, CRIU__TYPE__FEATURE_CHECK, &wanted, &told, e);
	if (r < 0)
		return r;
	const Criu__Features *f = told->features;
	ret->mem_track = f && f->has_mem_track && f->mem_track;
	ret->lazy_pages = f && f->has_lazy_pages && f->lazy_pages;
	ret->pidfd_store = f && f->has_pidfd_store && f->pidfd_store;
	criu__response__free_unpacked(told, NULL);
	return 0;
}
