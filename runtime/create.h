/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create.h - what the files of `create` share: the story's data and the rows of each process
 *
 * create.c has the list, create_runtime.c RUNTIME's rows, create_setup.c SETUP's, create_init.c INIT's. */
#ifndef CORACLE_CREATE_H
#define CORACLE_CREATE_H

#include <signal.h>

#include "cgroups/systemd.h"
#include "namespaces/confine.h"
#include "namespaces/plan.h"
#include "namespaces/rootfs.h"
#include "namespaces/seccomp.h"
#include "runtime/base/steps.h"
#include "runtime/life.h"
#include "runtime/network_helper.h"
#include "runtime/notify.h"

struct create {
	const struct create_options *options;
	struct container *container;
	struct spec *spec;
	char *config_text; /* as read; written into the state directory */
	size_t config_size;
	char *bundle; /* absolute */
	struct ns_plan plan;
	int joined[NS_KIND_MAX]; /* namespaces to be joined; -1 */
	struct rootfs rootfs;
	struct confine confine;
	struct seccomp_filter *filter;
	struct seccomp_listener listener;
	struct notify notify;
	struct network *network; /* what it is to be connected to; NULL */
	struct network_helper helper;
	int cgroup_root, cgroup;
	int rdt_root; /* the resctrl mount; -1 */
	char *cgroup_path;
	struct systemd_unit unit; /* with --systemd-cgroup; cgroup_path is "" until it was started */
	bool cgroup_existed;
	bool attach_late;	      /* no CLONE_INTO_CGROUP on this kernel */
	bool had_init;		      /* INIT was made: a failure is an end, with poststop hooks */
	int console_socket;	      /* connected; -1 */
	int tty_master;		      /* the terminal's end that RUNTIME keeps; -1 */
	int start_fifo, started_fifo; /* both O_RDWR, in INIT until it executes; -1 with `run` */
	pid_t setup_pid, init_pid;
	char *program; /* absolute or relative to cwd, found in the container */
	char **env;
};

/* An empty story, and its end: memory and descriptors (restore has one, too). */
void create_init(struct create *c, const struct create_options *o);
void create_done(struct create *c);

/* What of the config and the plan the root file system must know. */
void create_describe_rootfs(struct create *c);

/* Rows, by process. */
int create_runtime_load_config(struct walk *w, struct error *e);
void create_runtime_undo_reserve(struct walk *w);
int create_runtime_reserve_id(struct walk *w, struct error *e);
int create_runtime_prepare(struct walk *w, struct error *e);
void create_runtime_undo_cgroup(struct walk *w);
int create_runtime_make_cgroup(struct walk *w, struct error *e);
void create_runtime_undo_init(struct walk *w);
void create_runtime_undo_setup(struct walk *w);
int create_runtime_clone_setup(struct walk *w, struct error *e);
int create_runtime_clone_init(struct walk *w, struct error *e);
int create_runtime_adopt_init(struct walk *w, struct error *e);
int create_runtime_attach(struct walk *w, struct error *e);
int create_runtime_write_maps(struct walk *w, struct error *e);
int create_runtime_limit_group(struct walk *w, struct error *e);
void create_runtime_undo_rdt(struct walk *w);
int create_runtime_join_rdt(struct walk *w, struct error *e);
int create_runtime_set_oom_score(struct walk *w, struct error *e);
int create_runtime_set_limits(struct walk *w, struct error *e);
int create_runtime_run_runtime_hooks(struct walk *w, struct error *e);
int create_runtime_send_terminal(struct walk *w, struct error *e);
void create_runtime_undo_record(struct walk *w);
int create_runtime_record(struct walk *w, struct error *e);

/* create_network.c */
int create_network_plan(struct create *c, struct error *e);
void create_runtime_undo_network(struct walk *w);
int create_runtime_start_network(struct walk *w, struct error *e);
int create_runtime_give_network(struct walk *w, struct error *e);
int create_runtime_wait_network(struct walk *w, struct error *e);
int create_runtime_keep_network(struct walk *w, struct error *e);

int create_setup_join(struct walk *w, struct error *e);
int create_setup_new_user(struct walk *w, struct error *e);
int create_setup_make(struct walk *w, struct error *e);
int create_setup_clone(struct walk *w, struct error *e);

int create_init_enter(struct walk *w, struct error *e);
int create_init_rootfs(struct walk *w, struct error *e);
int create_init_mounts(struct walk *w, struct error *e);
int create_init_devices(struct walk *w, struct error *e);
int create_init_hooks(struct walk *w, struct error *e);
int create_init_pivot(struct walk *w, struct error *e);
int create_init_terminal(struct walk *w, struct error *e);
int create_init_seal(struct walk *w, struct error *e);
int create_init_confine(struct walk *w, struct error *e);
int create_init_wait(struct walk *w, struct error *e);
int create_init_start_hooks(struct walk *w, struct error *e);
int create_init_execute(struct walk *w, struct error *e);

/* clone3 into the container's group where the kernel can; the fallback sets attach_late. Returns the pid, 0
 * in the child. */
pid_t create_clone(struct create *c, uint64_t flags, struct error *e);

#endif
