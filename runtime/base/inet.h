/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inet.h - IP addresses and MACs as values: parsed strictly, printed, compared; nothing is ever resolved */
#ifndef CORACLE_INET_H
#define CORACLE_INET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

#define MAC_SIZE      6
#define MAC_TEXT_SIZE 18
#define IP_TEXT_SIZE  52 /* an address, "/" and a prefix length */

struct ip {
	uint8_t family;	   /* AF_INET or AF_INET6; 0: none */
	uint8_t prefix;	   /* length in bits; 32 or 128 for a single address */
	uint8_t bytes[16]; /* network order; the first 4 of IPv4 */
};

/* Bytes and bits of the family's addresses. */
static inline size_t ip_size(const struct ip *ip)
{
	return ip->family == 2 /* AF_INET */ ? 4 : 16;
}

static inline unsigned int ip_bits(const struct ip *ip)
{
	return 8 * (unsigned int)ip_size(ip);
}

/* "10.1.2.3", "fd00::1"; with `prefix` also "10.1.2.3/24" (host bits are kept). No zone, no blanks, no
 * leading zeros. -EINVAL names the text. */
int ip_parse(const char *text, bool prefix, struct ip *ret, struct error *e);

/* With "/N" when `prefix`. Returns buf. */
const char *ip_format(const struct ip *ip, bool prefix, char buf[static IP_TEXT_SIZE]);

/* Same family and address (prefix ignored). */
bool ip_equal(const struct ip *a, const struct ip *b);
bool ip_is_any(const struct ip *ip);
bool ip_is_loopback(const struct ip *ip);
bool ip_is_multicast(const struct ip *ip);

/* Is `ip` inside net's prefix? */
bool ip_within(const struct ip *ip, const struct ip *net);

/* The network's first address (host bits zero), its last (host bits one), the address `n` above the first;
 * the prefix stays. ip_nth: false when `n` does not fit the host bits. */
struct ip ip_first(const struct ip *net);
struct ip ip_last(const struct ip *net);
bool ip_nth(const struct ip *net, uint64_t n, struct ip *ret);

/* "02:00:5e:10:00:01"; unicast and not zero, or -EINVAL. */
int mac_parse(const char *text, uint8_t ret[static MAC_SIZE], struct error *e);
const char *mac_format(const uint8_t mac[static MAC_SIZE], char buf[static MAC_TEXT_SIZE]);

/* fe80::/64 with the interface identifier that the kernel makes of a MAC (RFC 4291, appendix A). */
struct ip ip_link_local(const uint8_t mac[static MAC_SIZE]);

#endif
