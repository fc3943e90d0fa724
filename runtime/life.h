/* SPDX-License-Identifier: GPL-2.0-or-later */
/* life.h - the stories of a container's life, one file each, called by the commands of the same name
 *
 * create.c: create and run; exec.c: exec; start.c: start; delete.c: delete and the kill that comes before
 * a forced delete. Commands fill the options from the command line; nothing here prints. */
#ifndef CORACLE_LIFE_H
#define CORACLE_LIFE_H

#include <stdbool.h>

#include "runtime/base/error.h"
#include "runtime/container.h"
#include "runtime/options.h"
#include "specs/spec.h"

struct create_options {
	const struct globals *globals;
	const char *id;
	const char *bundle;	    /* directory; NULL: the working directory */
	const char *config;	    /* path of config.json; NULL: <bundle>/config.json */
	const char *config_text;    /* made by `run --rootfs`: used instead of a file */
	const char *console_socket; /* NULL: none */
	const char *pid_file;
	const char *pidfd_socket;
	int preserve_fds;
	bool no_pivot, no_new_keyring;
	struct opt_list switches, published, dns; /* specs/network.h */
	/* run only */
	bool run, detach, keep, no_subreaper;
};

/* Returns 0; for a foreground run *ret_exit is the exit code to leave with. */
int life_create(const struct create_options *o, int *ret_exit, struct error *e);

int life_start(const struct globals *g, const char *id, struct error *e);

struct exec_options {
	const struct globals *globals;
	const char *id;
	const char *process_file; /* a process object; else the flags below change the container's own */
	char **args;		  /* NULL-terminated; with process_file: none */
	const char *cwd;	  /* NULL: the container's */
	char **env;		  /* NULL-terminated additions; NULL: none */
	const char *user;	  /* "UID[:GID]" */
	uint32_t *additional_gids;
	size_t n_additional_gids;
	char **caps; /* "CAP_…" additions to bounding, effective, permitted (never inheritable) */
	bool tty, detach, no_new_privs, ignore_paused;
	const char *apparmor, *process_label, *cgroup;
	const char *console_socket, *pid_file, *pidfd_socket;
	int preserve_fds;
};

int life_exec(const struct exec_options *o, int *ret_exit, struct error *e);

/* `force`: kill what runs, and an absent container is a success. */
int life_delete(const struct globals *g, const char *id, bool force, struct error *e);

/* SIGKILL to every process of the container and wait until they are gone. */
int life_kill_all(struct container *c, struct error *e);

/* Remove what is left of a container whose processes are gone: group, poststop hooks, record. `cgroup_root`
 * and `s` spare opening and parsing again where the caller has them (-1, NULL else). */
int life_remove(struct container *c, int cgroup_root, const struct spec *s, struct error *e);

/* The poststop hooks, when the container is gone: all of them; one that fails is told as a warning. */
void hooks_run_poststop(const struct spec *s, const struct state *state);

/* Run the hooks of another kind with the OCI state on stdin (runtime/hooks.c), until one fails; what follows
 * is the caller's. */
int hooks_run(const struct spec *s, enum hook_kind kind, const struct state *state, enum status status,
	      struct error *e);

#endif
