/* SPDX-License-Identifier: GPL-2.0-or-later */
/* criu_internal.h - what the files about CRIU share: a spawned one, and one message to it and from it */
#ifndef CORACLE_CRIU_INTERNAL_H
#define CORACLE_CRIU_INTERNAL_H

#include <sys/types.h>

#include "checkpoint/criu.h"
#include "checkpoint/criu.pb-c.h"

struct criu {
	pid_t pid; /* 0: reaped */
	int pidfd;
	int sock;
};

/* Pack and send. -EPIPE: CRIU is gone. */
int criu_send(const struct criu *c, const Criu__Request *message, struct error *e);

/* The next message; freed with criu__response__free_unpacked(). *ret_fd: what came along, or -1. Interrupts
 * are told (-EINTR) if `interruptible`. -EPIPE: CRIU is gone. */
int criu_receive(const struct criu *c, bool interruptible, Criu__Response **ret, int *ret_fd,
		 struct error *e);

#endif
