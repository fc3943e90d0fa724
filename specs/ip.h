/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip.h - addresses of both families as one value, subnets, hardware addresses; arithmetic on data alone
 *
 * An address carries its prefix length, so that one value says "10.88.0.5/16". Text is what inet_ntop(3)
 * writes; what is parsed is strict: no leading zeros (10.010.0.1), no scope, no blanks. */
#ifndef CORACLE_IP_H
#define CORACLE_IP_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

#define IP_TEXT_SIZE  (INET6_ADDRSTRLEN + 4) /* with "/128" */
#define MAC_SIZE      6
#define MAC_TEXT_SIZE 18

struct ip {
	uint8_t family; /* AF_INET or AF_INET6; 0: no address */
	uint8_t prefix; /* bits of the network part */
	uint8_t bytes[16];
};

struct mac {
	uint8_t bytes[MAC_SIZE];
};

/* 4 or 16. */
size_t ip_size(const struct ip *ip);

/* "10.0.0.1" or "10.0.0.1/24"; without a prefix length it is all bits. -EINVAL. */
int ip_parse(const char *text, struct ip *ret);
/* The same, where a prefix length must be there. */
int ip_parse_net(const char *text, struct ip *ret);

/* The three parsers with a sentence for whoever typed it. */
int ip_expect(const char *text, struct ip *ret, struct error *e);
int ip_expect_net(const char *text, struct ip *ret, struct error *e);
int mac_expect(const char *text, struct mac *ret, struct error *e);

/* Without and with the prefix length; both return buf. */
const char *ip_text(const struct ip *ip, char buf[static IP_TEXT_SIZE]);
const char *ip_net_text(const struct ip *ip, char buf[static IP_TEXT_SIZE]);

/* All bytes zero: "any address of this family". */
bool ip_is_any(const struct ip *ip);

/* Same family and bytes (prefix lengths may differ). */
bool ip_equal(const struct ip *a, const struct ip *b);
int ip_compare(const struct ip *a, const struct ip *b);

/* Is `ip` within the subnet? Do two subnets share an address? */
bool ip_within(const struct ip *net, const struct ip *ip);
bool ip_overlap(const struct ip *a, const struct ip *b);

/* The subnet's first address (host bits zero) and its last (host bits one). */
struct ip ip_first(const struct ip *net);
struct ip ip_last(const struct ip *net);

/* ip + n, with ip's prefix length; and how far b is above a (UINT64_MAX: further than that). */
struct ip ip_add(const struct ip *ip, uint64_t n);
uint64_t ip_distance(const struct ip *a, const struct ip *b);

/* The link-local address that the kernel derives from a hardware address (RFC 4291, appendix A), /64. */
struct ip ip_link_local(const struct mac *mac);

/* Six pairs of hexadecimal digits between colons; not a group address, not zero. -EINVAL. */
int mac_parse(const char *text, struct mac *ret);
const char *mac_text(const struct mac *mac, char buf[static MAC_TEXT_SIZE]);
bool mac_is_set(const struct mac *mac);

/* A locally administered address made out of a text, the same for the same text. */
struct mac mac_derive(const char *text);

#endif
