/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h - the containers of a switch find each other by name: hosts files, kept right in place
 *
 * A hosts file rather than a name server: nothing has to run, no port of the host is opened, every program
 * reads it, and a name is there before a container's first instruction. One file serves all containers that
 * are wired to the same switches, so that the five hundredth costs what the first did: it is named after them
 * ("back+front"), shown to the containers as /etc/hosts, read-only, and changed in place, for a mount holds
 * on to the file and not to its name.
 *
 * What makes changes safe under readers' eyes: the file is a row of units of 64 bytes. An entry is one line,
 * padded with blanks to whole units, and is written by one write(2); what is removed becomes blank lines, to
 * be used again. Nothing ever moves, so whoever reads meanwhile sees an entry or blanks, and all the others.
 *
 * Files only, no netlink: used by both programs. The leases (lease.h) are where the truth is. */
#ifndef CORACLE_NETNS_NAMES_H
#define CORACLE_NETNS_NAMES_H

#include "netns/lease.h"

#define NAMES_UNIT 64

/* The file's name for a set of switches, in any order: sorted, each once, joined by "+"; "+" alone for none. */
int names_file(const char *const *switches, size_t count, char *buf, size_t size);

/* Make the file if it is not there, from the leases of its switches; `switches` is the directory of all
 * switches. Returns 1 if it was made. */
int names_ensure(int switches, int hosts, const char *file, struct error *e);

/* The lease's entry comes or goes, in each file whose switches include this one. */
int names_add(int hosts, const char *switch_name, const struct lease *l, struct error *e);
int names_remove(int hosts, const char *switch_name, const struct ip *ip, struct error *e);

/* Remove the files of a switch that is no more. */
int names_drop(int hosts, const char *switch_name, struct error *e);

/* ---- on data alone, for tests ---- */

/* Put an entry into the text of a file: where (*ret_at) what (line, of *ret_size bytes) must be written.
 * Returns false if it stands there already. */
bool names_place(const char *text, size_t size, const struct lease *l, size_t *ret_at, char *line,
		 size_t *ret_size);
/* Where the entry of an address stands: returns its size, 0 if it has none. */
size_t names_find(const char *text, size_t size, const struct ip *ip, size_t *ret_at);

#endif
