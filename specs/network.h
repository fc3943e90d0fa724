/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.h - how a container is wired: what was asked for, and what it got
 *
 * One structure for three uses. As wishes it comes from the command line (--switch, --publish, --dns) or from
 * annotations of config.json and leaves open what is to be chosen. As the record <root>/ID/network.json it
 * says what the container has, written before the first link is made, so that whatever a killed command
 * leaves is found. As the text of an export it goes with a container to another node. */
#ifndef CORACLE_NETWORK_H
#define CORACLE_NETWORK_H

#include "runtime/base/arena.h"
#include "specs/ip.h"
#include "specs/spec.h"

#define NETWORK_FILE	"network.json"
#define NETWORK_RESOLV	"resolv.conf" /* beside it: what the container sees as /etc/resolv.conf */

#define NET_PORTS_MAX	32
#define NET_IPS_MAX	16 /* of a port */
#define NET_NAME_MAX	63 /* of a container among its neighbours */
#define NET_IFNAME_SIZE 16

/* The annotations; each holds what the option holds, several separated by ";". */
#define ANNOTATION_SWITCH  "org.coracle.switch"
#define ANNOTATION_PUBLISH "org.coracle.publish"
#define ANNOTATION_DNS	   "org.coracle.dns"

struct net_port {
	const char *switch_name;
	const char *ifname; /* the container's end; NULL: the first ethN that is free */
	const char *link;   /* the host's end; NULL in wishes */
	struct mac mac;	    /* all zero: made of the address */
	struct ip *ips;	    /* in wishes those asked for; in the record all, with the subnets' prefixes */
	size_t n_ips;
	uint64_t rate; /* bits per second, each way; 0: no limit */
};

struct net_publish {
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
	struct ip host;	  /* family 0: all the host's addresses */
	uint16_t host_port, port;
};

struct net_device {		     /* a link of the host that moves in (netDevices of config.json) */
	const char *name, *new_name; /* new_name NULL: the same */
};

struct network {
	struct arena *arena;
	const char *name, *alias; /* by which others find it; "" if there is none */
	struct net_port *ports;
	size_t n_ports;
	struct net_publish *published;
	size_t n_published;
	struct net_device *devices;
	size_t n_devices;
	const char **dns; /* servers, NULL-terminated or NULL: the host's */
	bool hosts;	  /* /etc/hosts is ours: the names of the switches' containers */
	bool resolv;	  /* /etc/resolv.conf is ours */
};

void network_free(struct network *n);
DEFINE_AUTO(network, struct network)

/* An empty one with room for `ports` ports. */
struct network *network_new(size_t ports);

/* What was asked for on the command line (lists NULL-terminated or NULL) and in the annotations of `s` (may
 * be NULL); *ret is NULL when that is nothing. -EINVAL names the option or annotation. `id` and the host
 * name become the names, where they can be. */
int network_wishes(char *const *switches, char *const *published, char *const *dns, const char *id,
		   const struct spec *s, struct network **ret, struct error *e);

/* Is anything of it asked for in the annotations? Costs no memory. */
bool network_is_annotated(const struct spec *s);

/* "NAME[:ip=ADDR,mac=MAC,ifname=NAME,rate=RATE]", one more port. */
int network_add_switch(struct network *n, const char *text, struct error *e);
/* "[ADDR:]HOSTPORT:PORT[/PROTOCOL]" */
int network_parse_publish(const char *text, struct net_publish *ret, struct error *e);
/* "10mbit", "1.5gbit", "800kbit", "9600": bits per second. */
int network_parse_rate(const char *text, uint64_t *ret, struct error *e);

/* May it be a name among neighbours: one label of letters, digits and "-"? ("_" and "." are let through.) */
bool network_name_is_valid(const char *name);

/* The record. -ENOENT: the container has no network of ours. */
int network_read(int dir, struct network **ret, struct error *e);
int network_write(int dir, const struct network *n, struct error *e);

/* As text, freed by the caller; NULL when memory is short. And back: a stranger's text is checked. */
char *network_to_json(const struct network *n, size_t *ret_size);
int network_from_json(const char *text, size_t size, struct network **ret, struct error *e);

const char *protocol_name(uint8_t protocol);

#endif
