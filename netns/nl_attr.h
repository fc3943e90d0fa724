/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nl_attr.h - attributes of what the kernel answers, read with care: of a wrong size is as good as absent */
#ifndef CORACLE_NETNS_NL_ATTR_H
#define CORACLE_NETNS_NL_ATTR_H

#include <libmnl/libmnl.h>
#include <stdint.h>
#include <string.h>

#include "specs/ip.h"

/* A whole message lies here, of these bytes that are left; and the next one. (libmnl's own walk takes a length above
 * 2^31 for a negative one, and goes round and round.) */
static inline bool nl_message_ok(const struct nlmsghdr *m, size_t left)
{
	return left >= sizeof(*m) && m->nlmsg_len >= sizeof(*m) && m->nlmsg_len <= left;
}

static inline const struct nlmsghdr *nl_message_next(const struct nlmsghdr *m, size_t *left)
{
	size_t step = MNL_ALIGN((size_t)m->nlmsg_len);

	*left -= step < *left ? step : *left;
	return (const struct nlmsghdr *)(const void *)((const char *)m + step);
}

/* Attributes behind a message's family header of `header_size` bytes into table[0..max]; false if the message
 * is too short for the header. Unknown types are left out. */
bool nl_attrs(const struct nlmsghdr *m, size_t header_size, const struct nlattr **table, uint16_t max);
void nl_nested(const struct nlattr *nest, const struct nlattr **table, uint16_t max);

static inline uint32_t attr_u32(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= 4 ? mnl_attr_get_u32(a) : 0;
}

static inline uint8_t attr_u8(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= 1 ? mnl_attr_get_u8(a) : 0;
}

/* A string, cut to the buffer; "" if absent. */
void attr_text(const struct nlattr *a, char *buf, size_t size);
/* An address of this family with this prefix length; false if absent or of another size. */
bool attr_ip(const struct nlattr *a, uint8_t family, uint8_t prefix, struct ip *ret);
bool attr_mac(const struct nlattr *a, struct mac *ret);

/* Put an address's 4 or 16 bytes. */
static inline void attr_put_ip(struct nlmsghdr *m, uint16_t type, const struct ip *ip)
{
	mnl_attr_put(m, type, ip_size(ip), ip->bytes);
}

/* What an attribute is called, for an error: the outermost one of the request that `offset` (from the
 * message's start) lies in; NULL when it is none that we know. */
const char *nl_attr_name(const struct nlmsghdr *m, uint32_t offset);
/* The name of a type that was missing at the outermost level; NULL. */
const char *nl_type_name(const struct nlmsghdr *m, uint32_t type);

#endif
