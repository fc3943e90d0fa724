/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_cni.h - coracle-node as a CNI plugin: `type: coracle`, a switch's name in its configuration */
#ifndef CORACLE_CMD_CNI_H
#define CORACLE_CMD_CNI_H

#include <stdbool.h>

/* Was this program started as a plugin (CNI_COMMAND in the environment, and no words)? */
bool cni_is_meant(int argc);

/* Do what CNI_COMMAND says: configuration on stdin, result or error on stdout. Returns the exit status. */
int cni_main(void);

#endif
