/* SPDX-License-Identifier: GPL-2.0-or-later */
/* precheck.c - what stands in the way of a dump, all of it */
#include "runtime/precheck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "checkpoint/preflight.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/storage.h"
#include "runtime/stored_config.h"
#include "specs/jsonout.h"

#define PROBE_DIR "check"

struct precheck {
	const struct checkpoint_options *options;
	struct container *container;
	struct spec *spec;
	struct preflight *found;
	char *criu_path; /* NULL: none */
	struct criu_features features;
};

/* ---- CRIU ---- */

static void look_at_criu(struct precheck *c)
{
	AUTO(criu) struct criu *criu = NULL;
	struct error e;

	if (criu_find(c->options->image.criu, &c->criu_path, &e) < 0) {
		preflight_add(c->found, FINDING_OBSTACLE, 0, "", "install CRIU", "%.300s", e.msg);
		return;
	}
	const struct criu_start start = { .path = c->criu_path, .cgroup = -1 };
	if (criu_start(&start, &criu, &e) < 0 || criu_ask_features(criu, &c->features, &e) < 0)
		preflight_add(c->found, FINDING_OBSTACLE, 0, "", "another CRIU, by --criu", "%.300s", e.msg);
	else if (c->features.version < CRIU_VERSION_LEAST)
		preflight_add(c->found, FINDING_OBSTACLE, 0, "", "CRIU 3.17 or later", "%s is CRIU %d.%d",
			      c->criu_path, c->features.version / 10000, c->features.version / 100 % 100);
}

/* A process with one internet socket that does nothing, of its own session, and nothing else open. */
static void be_probed(int ready)
{
	interrupt_forget();
	setsid();
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* To where nothing else is (0 to 3), then all the rest is closed. */
	if (fd < 0 || null < 0 || (ready = fcntl(ready, F_DUPFD_CLOEXEC, 8)) < 0 ||
	    (fd = fcntl(fd, F_DUPFD_CLOEXEC, 8)) < 0)
		_exit(1);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	dup2(fd, 3);
	if (write(ready, "", 1) != 1)
		_exit(1);
	sys_close_range(4, ~0U, 0);
	for (;;)
		pause();
}

static pid_t start_probed(struct error *e)
{
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe");
	pid_t pid = fork();
	if (pid == 0)
		be_probed(ready[1]);
	int error = errno;
	close(ready[1]);
	ssize_t n = pid < 0 ? 0 : read(ready[0], &byte, 1);
	close(ready[0]);
	if (pid > 0 && n == 1)
		return pid;
	proc_end(&pid);
	return fail(e, pid < 0 ? error : EIO, "start a process to be dumped");
}

static int dump_probed(struct precheck *c, int images, pid_t pid, struct error *e)
{
	const struct criu_start start = { .path = c->criu_path, .cgroup = -1 };
	const struct criu_request q = { .action = CRIU_DUMP,
					.images_dir = images,
					.work_dir = -1,
					.log_file = "dump.log",
					.log_level = 1,
					.pid = pid,
					.network_lock = CRIU_LOCK_SKIP,
					.manage_cgroups = CRIU_CGROUPS_IGNORE,
					.status_fd = -1,
					.leave_running = true };
	const struct criu_callbacks callbacks = { 0 };
	AUTO(criu) struct criu *criu = NULL;

	int r = criu_start(&start, &criu, e);
	return r == 0 ? criu_ask(criu, &q, &callbacks, "(of the probe)", NULL, e) : r;
}

/* Can this CRIU dump this kernel's sockets? (4.1 cannot where the kernel refuses SO_PASSCRED to them, Linux 6.16.) */
static int probe_sockets(struct precheck *c, struct error *e)
{
	struct error said;

	if (!c->found->has_inet || !c->criu_path || !c->features.version)
		return 0;
	if (mkdirat(c->container->dir, PROBE_DIR, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make directory " PROBE_DIR);
	auto_close int images = openat(c->container->dir, PROBE_DIR,
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (images < 0)
		return fail(e, errno, "open directory " PROBE_DIR);
	pid_t pid = start_probed(e);
	if (pid < 0)
		return pid;
	if (dump_probed(c, images, pid, &said) < 0)
		preflight_add(c->found, FINDING_OBSTACLE, 0, "", "a newer CRIU: 4.2 serves Linux 6.18",
			      "CRIU %d.%d.%d cannot dump an internet socket of this kernel: %.200s",
			      c->features.version / 10000, c->features.version / 100 % 100,
			      c->features.version % 100, said.msg);
	proc_end(&pid);
	storage_empty(images, &said);
	unlinkat(c->container->dir, PROBE_DIR, AT_REMOVEDIR);
	return 0;
}

/* ---- the container ---- */

static void look_at_config(struct precheck *c)
{
	static const enum ns_kind needed[] = { NS_PID, NS_MOUNT };

	for (size_t i = 0; i < COUNT_OF(needed); i++) {
		const struct spec_namespace *ns = spec_find_namespace(c->spec, needed[i]);
		if (!ns || ns->path)
			preflight_add(c->found, FINDING_OBSTACLE, 0, "", "create it with one of its own",
				      "it has no %s namespace of its own, which a restore needs",
				      ns_types[needed[i]].oci);
	}
}

static int open_container(struct precheck *c, struct error *e)
{
	int r = container_open(c->options->globals, c->options->id, true, &c->container, e);
	if (r < 0)
		return r;
	enum status status = container_status(c->container);
	if (status != STATUS_RUNNING && status != STATUS_PAUSED)
		return refuse(e, EINVAL, "container `%s` is %s: container not running", c->options->id,
			      status_names[status]);
	return config_load(c->container, &c->spec, e);
}

static int look(struct precheck *c, struct error *e)
{
	auto_free pid_t *pids = NULL;

	auto_close int group = container_cgroup(c->container, e);
	if (group < 0)
		return group;
	ssize_t n = cgroup_pids(group, &pids, e);
	if (n < 0)
		return (int)n;
	look_at_criu(c);
	look_at_config(c);
	int r = preflight_look(c->found, c->container->state->pid, pids, (size_t)n, e);
	return r == 0 ? probe_sockets(c, e) : r;
}

/* Options that were given already need not be asked for. */
static void forget_given(struct precheck *c)
{
	const struct checkpoint_options *o = c->options;
	const struct {
		const char *option;
		bool given;
	} options[] = {
		{ "--tcp-established", o->image.tcp_established || o->image.tcp_close },
		{ "--tcp-skip-in-flight", o->tcp_skip_in_flight },
		{ "--file-locks", o->image.file_locks },
		{ "--shell-job", o->image.shell_job },
		{ "--ext-unix-sk", o->image.ext_unix_sk },
		{ "--link-remap", o->link_remap },
	};
	size_t left = 0;

	for (size_t i = 0; i < c->found->n; i++) {
		const struct finding *f = &c->found->list[i];
		bool given = false;
		for (size_t k = 0; k < COUNT_OF(options) && f->kind == FINDING_OPTION; k++)
			given |= options[k].given && str_eq(options[k].option, f->cure);
		if (!given)
			c->found->list[left++] = *f;
	}
	c->found->n = left;
}

/* ---- the answer ---- */

/* The cures of the findings that an option helps, each once. */
static void put_options(const struct preflight *p, FILE *out)
{
	for (size_t i = 0; i < p->n; i++) {
		bool told = p->list[i].kind != FINDING_OPTION;
		for (size_t k = 0; k < i && !told; k++)
			told = p->list[k].kind == FINDING_OPTION && str_eq(p->list[k].cure, p->list[i].cure);
		if (!told)
			fprintf(out, " %s", p->list[i].cure);
	}
}

static void put_text(const struct precheck *c, bool dumpable, FILE *out)
{
	const struct preflight *p = c->found;

	for (size_t i = 0; i < p->n; i++) {
		const struct finding *f = &p->list[i];
		fprintf(out, "%-9s ", finding_kinds[f->kind]);
		if (f->pid)
			fprintf(out, "process %d (%s): ", (int)f->pid, f->name);
		fprintf(out, "%s: %s\n", f->what, f->cure);
	}
	if (p->dropped)
		fprintf(out, "and %zu more\n", p->dropped);
	if (c->features.version)
		fprintf(out, "CRIU %d.%d.%d at %s; pre-dump: %s; lazy pages: %s\n",
			c->features.version / 10000, c->features.version / 100 % 100,
			c->features.version % 100, c->criu_path,
			c->features.mem_track ? "yes"
					      : "no, this kernel does not tell which pages were written",
			c->features.lazy_pages ? "yes" : "no");
	fprintf(out, "%s %s be dumped", c->options->id, dumpable ? "can" : "cannot");
	if (dumpable && preflight_count(p, FINDING_OPTION)) {
		fputs(", with", out);
		put_options(p, out);
	}
	fputs("\n", out);
}

static char *to_text(const struct precheck *c, bool dumpable)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_text(c, dumpable, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void put_criu(struct jsonout *o, const struct precheck *c)
{
	char version[32];

	jsonout_object(o, "criu");
	jsonout_string(o, "path", c->criu_path);
	str_format(version, sizeof(version), "%d.%d.%d", c->features.version / 10000,
		   c->features.version / 100 % 100, c->features.version % 100);
	jsonout_string(o, "version", c->features.version ? version : NULL);
	jsonout_bool(o, "preDump", c->features.mem_track);
	jsonout_bool(o, "lazyPages", c->features.lazy_pages);
	jsonout_end(o);
}

static char *to_json(const struct precheck *c, bool dumpable)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);

	jsonout_object(o, NULL);
	jsonout_string(o, "id", c->options->id);
	jsonout_bool(o, "dumpable", dumpable);
	put_criu(o, c);
	jsonout_array(o, "findings");
	for (size_t i = 0; i < c->found->n; i++) {
		const struct finding *f = &c->found->list[i];
		jsonout_object(o, NULL);
		jsonout_string(o, "kind", finding_kinds[f->kind]);
		jsonout_i64(o, "pid", f->pid);
		jsonout_string(o, "process", f->name);
		jsonout_string(o, "what", f->what);
		jsonout_string(o, "cure", f->cure);
		jsonout_end(o);
	}
	jsonout_end(o);
	jsonout_u64(o, "more", c->found->dropped);
	jsonout_end(o);
	jsonout_newline(o);
	return jsonout_take(o, NULL);
}

static int answer(struct precheck *c, const char *format, char **ret_text, bool *ret_dumpable,
		  struct error *e)
{
	bool json = format && str_eq(format, "json");

	if (format && !json && !str_eq(format, "text"))
		return refuse(e, EINVAL, "option --format: `%.40s` is neither text nor json", format);
	int r = open_container(c, e);
	if (r == 0)
		r = look(c, e);
	if (r < 0)
		return r;
	forget_given(c);
	*ret_dumpable = !preflight_count(c->found, FINDING_OBSTACLE);
	*ret_text = json ? to_json(c, *ret_dumpable) : to_text(c, *ret_dumpable);
	return *ret_text ? 0 : fail(e, ENOMEM, "check");
}

int life_check(const struct checkpoint_options *o, const char *format, char **ret_text, bool *ret_dumpable,
	       struct error *e)
{
	struct precheck c = { .options = o, .found = preflight_new() };

	if (!c.found)
		return fail(e, ENOMEM, "check");
	int r = interrupt_prepare(e);
	if (r == 0)
		r = answer(&c, format, ret_text, ret_dumpable, e);
	preflight_free(c.found);
	spec_free(c.spec);
	container_free(c.container);
	free(c.criu_path);
	return r;
}
