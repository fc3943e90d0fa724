/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hold.h - hold a container's traffic while it moves, and let it go
 *
 * Between the last instruction here and the first one there nobody answers for the container: a segment that
 * came in now would be answered by a reset, and the connection would be lost. So its ports are held: frames
 * are dropped both ways at once, and TCP sends again. No reset ever goes out, and none comes in.
 *
 * What is sent is prepared beforehand: hold_on is two system calls, whatever the number of ports. */
#ifndef CORACLE_NETNS_HOLD_H
#define CORACLE_NETNS_HOLD_H

#include "netns/nl.h"

struct hold;

/* Prepare to hold these ports (names of our ends) of the namespace's switches. Nothing is held yet. */
int hold_open(int netns, const char *const *ports, size_t count, struct hold **ret, struct error *e);
/* In the frozen window. Holding what is held and releasing what is not are no failures. */
int hold_on(struct hold *h, struct error *e);
int hold_off(struct hold *h, struct error *e);
/* Frees it; what is held stays held. */
void hold_free(struct hold *h);
DEFINE_AUTO(hold, struct hold)

#endif
