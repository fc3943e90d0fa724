/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loopback.h - the one link that every network namespace has */
#ifndef CORACLE_LOOPBACK_H
#define CORACLE_LOOPBACK_H

#include "runtime/base/error.h"

/* Bring "lo" up in the calling process's network namespace; its addresses come with it. */
int loopback_up(struct error *e);

#endif
