/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease.h - who has which address of a switch
 *
 * <switches>/NAME/leases/ADDRESS is a symbolic link whose text says who has the address. symlink(2) makes
 * name and text at once and only where the name is free: so an address is never given twice, no lease is ever
 * half written, and two hundred at once do not wait for one another.
 *
 * The owner is named by a path that exists as long as it does: a container's state directory, or a network
 * namespace's file (CNI). A lease whose owner is gone is taken back by a sweep. Where a search begins follows
 * from the owner's name: a container that comes again finds its old address, and the five hundredth lease
 * costs what the first did.
 *
 * A lease that is away belongs to a container that has moved to another node with its address: it is not
 * given to anybody else, until the container comes back or somebody says that it will not. */
#ifndef CORACLE_NETNS_LEASE_H
#define CORACLE_NETNS_LEASE_H

#include <limits.h>

#include "specs/network.h"
#include "specs/switchconf.h"

struct lease {
	struct ip ip; /* prefix of a single address */
	struct mac mac;
	bool away;
	char ifname[NET_IFNAME_SIZE];			      /* the container's end */
	char link[NET_IFNAME_SIZE];			      /* the host's end */
	char name[NET_NAME_MAX + 1], alias[NET_NAME_MAX + 1]; /* "": none */
	char owner[PATH_MAX];
};

enum lease_flag {
	LEASE_ANYWHERE = 1 << 0, /* an asked address may be of another node's part: it came along */
};

/* Take an address of the subnet for `l` (everything but ip is filled): `asked`, or any of the node's part.
 * Sets l->ip. An address that the same owner and link has, or had before it went away, is taken over.
 * -EADDRINUSE names who has it, -ENOSPC: none is free (sweep, then try again), -EINVAL: not of the subnet. */
int lease_take(int leases, const struct switch_net *n, const struct ip *asked, unsigned int flags,
	       struct lease *l, struct error *e);

/* Free the address if it is this owner's and link's (others' are left alone; a missing one is no failure). */
int lease_free(int leases, const struct ip *ip, const char *owner, const char *ifname, struct error *e);

/* Mark it as away, or free it whoever's it is (`switch leases --forget`). */
int lease_send_away(int leases, const struct ip *ip, const char *owner, const char *ifname, struct error *e);
int lease_forget(int leases, const struct ip *ip, struct error *e);

/* -ENOENT */
int lease_read(int leases, const struct ip *ip, struct lease *ret, struct error *e);

/* Call `each` for every lease, in no order; stops at the first that does not return 0, and returns that. */
typedef int lease_each(const struct lease *l, void *data, struct error *e);
int lease_list(int leases, lease_each *each, void *data, struct error *e);

/* Is the owner there still? */
bool lease_is_live(const struct lease *l);

/* Free what belongs to nobody any more. `gone` (may be NULL) is called
 * for each before it is freed. */
int lease_sweep(int leases, lease_each *gone, void *data, struct error *e);

/* As text and back; for tests. */
int lease_format(const struct lease *l, char *buf, size_t size);
int lease_parse(const char *text, struct lease *ret);

#endif
