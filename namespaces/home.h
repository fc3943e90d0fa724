/* SPDX-License-Identifier: GPL-2.0-or-later */
/* home.h - the halves of confine_home, for its tests */
#ifndef CORACLE_HOME_H
#define CORACLE_HOME_H

#include <stddef.h>
#include <stdint.h>

/* The home directory of `uid` in the /etc/passwd below `root`, or "/". */
void home_find(int root, uint32_t uid, char *home, size_t size);

/* The same from an open file. */
void home_from_passwd(int fd, uint32_t uid, char *home, size_t size);

#endif
