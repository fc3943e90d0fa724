/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checkpoint.h - the two stories: a running container into images, and images into a running container
 *
 * Both are lists of steps (runtime/base/steps.h), dump_steps[] in checkpoint.c and restore_steps[] in
 * restore.c; the commands walk a list from top to bottom, live migration walks the same lists with its own
 * decisions plugged in, and in two parts:
 *
 *	dump	 dump_prepare()  record, checks, images' directory, CRIU spawned into the container's
 *namespaces [pre-copy goes on; the container runs] dump_finish()   freeze the group, hold the network, dump;
 *in CRIU's post-dump, with everything still frozen, `decide` is asked: 0 kills the container here, -errno
 *lets it run on restore	 restore_prepare()  id reserved, cgroup, namespaces, mounts staged, CRIU
 *spawned and warm: everything that does not need the images, but the list of mounts (pinned.h) and the kinds
 *of descriptors 0, 1, 2 in `brief` [images arrive] restore_finish() CRIU restores up to post-restore, where
 *nothing runs yet: mounts are verified, `decide` is asked (0 commits, -errno kills); then ids, seccomp; in
 *pre-resume `verify` looks at every task, and whoever is weaker than the config allows is killed before its
 *first instruction; then tasks run, the record is written What was prepared is undone by
 *dump_free()/restore_free() at any point; after a successful finish they only free memory. A failed finish
 *has undone everything: the container runs on (or stays paused), or nothing of the restored one is left. */
#ifndef CORACLE_CHECKPOINT_H
#define CORACLE_CHECKPOINT_H

#include "checkpoint/criu.h"
#include "runtime/life.h"
#include "runtime/options.h"

/* Shared by both commands; names and meanings are runc's and crun's. */
struct image_options {
	const char *image_path;		 /* NULL: "checkpoint" below the working directory, as runc has it */
	const char *work_path;		 /* NULL: the same */
	const char *criu;		 /* --criu; NULL: found (criu_find) */
	const char *manage_cgroups_mode; /* ignore (default here: the group is made from the config), soft,
					    full, strict */
	const char *network_lock;	 /* iptables, nftables, skip (default: our own hold) */
	const char *empty_ns;		 /* "network" or NULL */
	const char *config_file;	 /* not taken from annotations: see restore.c */
	bool tcp_established, tcp_close, ext_unix_sk, shell_job, file_locks, auto_dedup, lazy_pages;
	int log_level;	   /* CRIU's; 0: errors only */
	const char *key;   /* --key; NULL: this node's, if it has one (checkpoint/manifest.h) */
	const char *trust; /* restore: any, manifest (default) or signed */
	bool raised;	   /* restore: rights that set-user-ID programs give are taken (checkpoint/trust.h) */
};

/* ---- checkpoint ---- */

/* What is asked on the way; NULL: nothing to do. `arg` is the options' decide_arg. All run in RUNTIME. */
struct dump_decisions {
	int (*frozen)(void *arg, struct error *e); /* the group is frozen, CRIU has not begun */
	int (*hold)(void *arg, struct error *e);   /* tasks are stopped: let no packet through from here on */
	int (*release)(void *arg, struct error *e); /* the container runs on: let them through again */
	int (*decide)(void *arg, struct error *e);  /* images are complete; 0: kill, -errno: run on */
	void *arg;
};

struct checkpoint_options {
	const struct globals *globals;
	const char *id;
	struct image_options image;
	const char *parent_path; /* of the earlier images, relative to image_path */
	const char *page_server; /* "ADDRESS:PORT" */
	int status_fd; /* lazy pages: a zero byte is written when the page server listens; 0: none */
	int page_fd;   /* pages go to this connected socket (ps.fd) instead; 0: none */
	bool leave_running, pre_dump, tcp_skip_in_flight, link_remap;
	bool check;	  /* only say what could not be dumped (checkpoint --check) */
	bool exported;	  /* the file has all of it: what was imported for the container may go */
	bool keep_record; /* migration: the stopped container's record is its own business */
	const struct dump_decisions *decisions; /* NULL: none */
};

struct dump;
int dump_prepare(const struct checkpoint_options *o, struct dump **ret, struct error *e);
int dump_finish(struct dump *d, struct error *e);
void dump_free(struct dump *d);
DEFINE_AUTO(dump, struct dump)

/* For a migration's eyes: valid after dump_prepare. The lock is held by the dump. */
struct container *dump_container(struct dump *d);
int dump_images(const struct dump *d); /* directory handle */
/* Inside `decide`: from here on our death does not let the container run on: it stays frozen, and who moves it
 * knows why. A `decide` that fails afterwards still lets it. */
int dump_stay_frozen(struct dump *d, struct error *e);
int dump_criu_version(const struct dump *d); /* CRIU_VERSION() */

int life_checkpoint(const struct checkpoint_options *o, struct error *e);

/* ---- restore ---- */

struct restore_decisions {
	/* The network namespace is there (a handle), before anything is mounted: wire it. */
	int (*wire)(void *arg, int netns, struct error *e);
	int (*decide)(void *arg, pid_t init, struct error *e);	/* restored, nothing runs; 0: commit */
	int (*verify)(void *arg, pid_t init, struct error *e);	/* ids and seccomp are set, nothing runs */
	int (*resumed)(void *arg, pid_t init, struct error *e); /* tasks run */
	void *arg;
};

struct restore_options {
	const struct globals *globals;
	const char *id;
	const char *bundle;	 /* NULL: the working directory */
	const char *config_text; /* NULL: config.json of the bundle */
	struct image_options image;
	const char *console_socket, *pid_file;
	const char *lsm_profile, *lsm_mount_context;
	bool detach, no_pivot, no_subreaper, keep;
	struct opt_list switches, published, dns; /* instead of what the images say of its wires */
	/* migration: network_export() of the source; NULL: read from the images. Wired before anything is mounted,
	 * held until tasks may run, announced then. */
	const char *network_text;
	/* migration: the images' directory as a handle (else image.image_path is opened), which may be empty
	 * until restore_finish */
	int images_dir;				   /* 0: open image.image_path */
	const struct restore_decisions *decisions; /* NULL: none */
};

struct restore;
int restore_prepare(const struct restore_options *o, struct restore **ret, struct error *e);
int restore_finish(struct restore *r, struct error *e);
void restore_free(struct restore *r);
DEFINE_AUTO(restore, struct restore)

struct container *restore_container(struct restore *r);
int restore_netns(const struct restore *r);  /* handle of the new network namespace; -1: none of its own */
int restore_cgroup(const struct restore *r); /* handle */
pid_t restore_init(const struct restore *r); /* after restore_finish */

/* Returns 0; without --detach *ret_exit is the exit code to leave with. */
int life_restore(const struct restore_options *o, int *ret_exit, struct error *e);

#endif
