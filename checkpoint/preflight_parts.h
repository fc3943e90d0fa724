/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preflight_parts.h - what preflight.c and preflight_fds.c share */
#ifndef CORACLE_PREFLIGHT_PARTS_H
#define CORACLE_PREFLIGHT_PARTS_H

#include "checkpoint/preflight.h"

/* The process at hand. */
struct subject {
	pid_t pid;
	bool is_init;
	int dir; /* /proc/PID */
	char name[32];
	char status[8192];
};

/* The socket tables of the container's network namespace. */
struct sockets {
	char *tables[16];
	bool has_inet;
};
struct sockets *sockets_new(pid_t init);
void sockets_free(struct sockets *s);
DEFINE_AUTO(sockets, struct sockets)

void preflight_look_fds(struct preflight *p, const struct subject *s, struct sockets *sockets);

#endif
