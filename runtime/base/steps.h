/* SPDX-License-Identifier: GPL-2.0-or-later */
/* steps.h - one list, walked by up to three processes
 *
 * What `create` and `exec` do is one array of rows, top to bottom, each with the process that runs it and how
 * to undo it. All processes walk the same array: an own row is run once every active row above it is known
 * to be finished; the others' rows are skipped. A row that makes a process (clone) returns twice: in the
 * child it has set walk->me to the child's part, and the child goes on from there.
 *
 * A process tells the others how far it is only where somebody waits: after the last own row before a row of
 * another process. A report carries the row, the sender, an error, and at most one descriptor. The highest
 * finished row of each sender counts, for the reports of two senders can overtake each other. Rows marked
 * STEP_OVERLAP do not wait for what other processes do above them: RUNTIME works there while INIT mounts.
 *
 * RUNTIME reads reports as it would a stranger's: fixed size, numbers in range, text made printable. It
 * undoes its own finished rows in reverse when anything failed. When a child is gone without a word, the
 * socket's end tells. Processes are single-threaded from main to exec, so allocating after clone is safe. */
#ifndef CORACLE_STEPS_H
#define CORACLE_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/error.h"

enum who {
	WHO_RUNTIME, /* the command, on the host */
	WHO_SETUP,   /* short-lived: joins and makes namespaces, clones INIT as its sibling */
	WHO_INIT,    /* becomes the container's program */
	WHO_MAX
};

struct walk;

struct step {
	const char *name; /* a few words; errors begin with it */
	enum who who;
	int (*run)(struct walk *w, struct error *e);
	void (*undo)(struct walk *w);	      /* RUNTIME's rows only; NULL: nothing to undo */
	bool (*active)(const struct walk *w); /* NULL: always */
	bool overlap;			      /* does not wait for the rows of others above it */
};

struct walk {
	const struct step *steps;
	size_t count;
	void *story;	  /* the create's or exec's own data */
	enum who me;	  /* set by clone rows in the child */
	int sock;	  /* the own end of the reports' socket pair; -1 before there is another process */
	int peer_sock;	  /* RUNTIME until the clone: the end its children get */
	int child;	  /* RUNTIME: pidfd of the process whose reports it waits for, or -1 */
	int passed_fd;	  /* in: to send with the next report; out: received with one. -1: none */
	pid_t passed_pid; /* likewise: a process that SETUP made */
	size_t at;	  /* the row being run */
	int highest[WHO_MAX]; /* highest row known to be finished; -1: none */
};

void steps_init(struct walk *w, const struct step *steps, size_t count, void *story);

/* Walk. Returns 0 in RUNTIME when all rows are done. A child leaves its last row by execve or _exit; if it
 * fails it has reported, and steps_walk returns the error there, too: the caller leaves with _exit. In
 * RUNTIME a failure has been undone when this returns. */
int steps_walk(struct walk *w, struct error *e);

/* Undo all of RUNTIME's rows: for a failure that shows after the walk. */
void steps_undo(struct walk *w);

/* Make the pair of sockets; done by the first clone row. */
int steps_connect(struct walk *w, struct error *e);

/* After clone: keep the own end only. */
void steps_become_child(struct walk *w, enum who who);
void steps_close_peer(struct walk *w);

/* Wait until `who` has reported a failure (returned as such) or closed its end (0): a program that has
 * been executed closes it. */
int steps_wait_end(struct walk *w, struct error *e);

/* Report a failure of the row at hand without leaving the walk (INIT after the list's end: execve failed). */
void steps_report_failure(struct walk *w, const struct error *e);

#endif
