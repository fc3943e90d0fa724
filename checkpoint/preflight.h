/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preflight.h - what of a container cannot be dumped, said beforehand
 *
 * CRIU finds out when everything stands still, one obstacle at a time. Here the same is looked for in /proc
 * while the container runs on, all of it, each with what to do. What changes meanwhile may be missed, and what
 * is not known here may still be refused there: a list that is empty is no promise, one that is not is true. */
#ifndef CORACLE_PREFLIGHT_H
#define CORACLE_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

enum finding_kind {
	FINDING_OBSTACLE, /* it cannot be dumped so */
	FINDING_OPTION,	  /* it can, with an option */
	FINDING_LOSS,	  /* it can, and this will not be there afterwards */
	FINDING_KINDS
};
extern const char *const finding_kinds[FINDING_KINDS]; /* "obstacle", "option", "loss" */

struct finding {
	enum finding_kind kind;
	pid_t pid; /* as the host numbers it; 0: the container or the node as a whole */
	char name[32];
	char what[320]; /* "descriptor 7 is an io_uring" */
	char cure[160]; /* "it must be closed"; an option's own text: "--file-locks" */
};

#define PREFLIGHT_MAX 512 /* more findings are counted and not kept */

struct preflight {
	struct finding *list;
	size_t n, room, dropped;
	bool has_inet; /* internet sockets are open: can this CRIU dump this kernel's? */
};

void preflight_free(struct preflight *p);
DEFINE_AUTO(preflight, struct preflight)
struct preflight *preflight_new(void);

void preflight_add(struct preflight *p, enum finding_kind kind, pid_t pid, const char *name, const char *cure,
		   const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Look at all of a container's processes (`init` the first of them). One that ends meanwhile is passed over. */
int preflight_look(struct preflight *p, pid_t init, const pid_t *pids, size_t n, struct error *e);

/* How many findings of that kind. */
size_t preflight_count(const struct preflight *p, enum finding_kind kind);

/* ---- pure ---- */

/* The target of a link in /proc/PID/fd that can never be dumped: what it is ("an io_uring"), else NULL. */
const char *preflight_undumpable(const char *target);

/* A character or block device that CRIU takes: null, zero, full, random, urandom, tty, console, ptmx, pts, tun. */
bool preflight_device_is_fine(bool block, unsigned int major, unsigned int minor);

/* Does the text of a /proc/PID/net table have the socket? *ret_state is the state
 * of a TCP line (0: none), *ret_waiting its bytes to be read, of a listening one the connections to be
 * accepted. */
bool preflight_find_socket(const char *table, uint64_t inode, unsigned int *ret_state,
			   unsigned int *ret_waiting);

#endif
