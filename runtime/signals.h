/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signals.h - signals by name and number */
#ifndef CORACLE_SIGNALS_H
#define CORACLE_SIGNALS_H

/* "TERM", "SIGTERM", "sigterm", "15", "RTMIN", "RTMIN+3", "SIGRTMAX-1"; 0…64. -EINVAL: no signal. */
int signal_parse(const char *text, int *ret);

#endif
