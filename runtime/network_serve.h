/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network_serve.h - coracle-node as the helper that wires containers (network_helper.h) */
#ifndef CORACLE_NETWORK_SERVE_H
#define CORACLE_NETWORK_SERVE_H

#include <stdbool.h>

/* Was this program started as the helper? */
bool network_serve_is_meant(char *const argv[]);

/* Do it; returns the exit status. Its result goes over the socket, nothing is printed. */
int network_serve(char *const argv[]);

#endif
