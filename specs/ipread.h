/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipread.h - addresses in our own JSON files: readers for tables, and the writers beside them */
#ifndef CORACLE_IPREAD_H
#define CORACLE_IPREAD_H

#include "specs/dispatch.h"
#include "specs/ip.h"
#include "specs/jsonout.h"

READER(read_ip);      /* struct ip; a prefix length may be there */
READER(read_ip_net);  /* struct ip; a prefix length must be */
READER(read_ips);     /* struct ip * and count */
READER(read_ip_nets); /* the same with prefix lengths */
READER(read_mac);     /* struct mac */

void put_ip(struct jsonout *o, const char *key, const struct ip *ip);
void put_ip_net(struct jsonout *o, const char *key, const struct ip *ip);
void put_mac(struct jsonout *o, const char *key, const struct mac *mac);

#endif
