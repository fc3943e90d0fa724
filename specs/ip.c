/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip.c - addresses of both families as one value, subnets, hardware addresses */
#include "specs/ip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/base/str.h"

size_t ip_size(const struct ip *ip)
{
	return ip->family == AF_INET ? 4 : 16;
}

static int parse(const char *text, bool need_prefix, struct ip *ret)
{
	char buf[IP_TEXT_SIZE];
	struct ip ip = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	uint32_t bits = (uint32_t)ip_size(&ip) * 8, prefix = bits;

	if (strlen(text) >= sizeof(buf))
		return -EINVAL;
	strcpy(buf, text);
	char *slash = strchr(buf, '/');
	if (slash) {
		*slash = '\0';
		if (str_to_u32(slash + 1, &prefix) < 0 || prefix > bits)
			return -EINVAL;
	} else if (need_prefix) {
		return -EINVAL;
	}
	if (inet_pton(ip.family, buf, ip.bytes) != 1)
		return -EINVAL;
	ip.prefix = (uint8_t)prefix;
	*ret = ip;
	return 0;
}

int ip_parse(const char *text, struct ip *ret)
{
	return parse(text, false, ret);
}

int ip_parse_net(const char *text, struct ip *ret)
{
	return parse(text, true, ret);
}

const char *ip_text(const struct ip *ip, char buf[static IP_TEXT_SIZE])
{
	if (!ip->family || !inet_ntop(ip->family, ip->bytes, buf, IP_TEXT_SIZE))
		buf[0] = '\0';
	return buf;
}

const char *ip_net_text(const struct ip *ip, char buf[static IP_TEXT_SIZE])
{
	ip_text(ip, buf);
	size_t n = strlen(buf);
	snprintf(buf + n, IP_TEXT_SIZE - n, "/%u", ip->prefix);
	return buf;
}

bool ip_is_any(const struct ip *ip)
{
	static const uint8_t zero[16];
	return memcmp(ip->bytes, zero, ip_size(ip)) == 0;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, ip_size(a)) == 0;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, ip_size(a));
}

/* The mask of byte i of a prefix. */
static uint8_t mask(const struct ip *net, size_t i)
{
	unsigned int start = (unsigned int)i * 8;

	if (net->prefix >= start + 8)
		return 0xff;
	return net->prefix <= start ? 0 : (uint8_t)(0xff00U >> (net->prefix - start));
}

bool ip_within(const struct ip *net, const struct ip *ip)
{
	if (net->family != ip->family)
		return false;
	for (size_t i = 0; i < ip_size(net); i++)
		if ((net->bytes[i] ^ ip->bytes[i]) & mask(net, i))
			return false;
	return true;
}

bool ip_overlap(const struct ip *a, const struct ip *b)
{
	return ip_within(a->prefix < b->prefix ? a : b, a->prefix < b->prefix ? b : a);
}

struct ip ip_first(const struct ip *net)
{
	struct ip r = *net;

	for (size_t i = 0; i < ip_size(net); i++)
		r.bytes[i] &= mask(net, i);
	return r;
}

struct ip ip_last(const struct ip *net)
{
	struct ip r = *net;

	for (size_t i = 0; i < ip_size(net); i++)
		r.bytes[i] |= (uint8_t)~mask(net, i);
	return r;
}

struct ip ip_add(const struct ip *ip, uint64_t n)
{
	struct ip r = *ip;
	unsigned int carry = 0;

	for (size_t i = ip_size(ip); i-- > 0;) {
		unsigned int sum = r.bytes[i] + (unsigned int)(n & 0xff) + carry;
		r.bytes[i] = (uint8_t)sum;
		carry = sum >> 8;
		n >>= 8;
	}
	return r;
}

uint64_t ip_distance(const struct ip *a, const struct ip *b)
{
	size_t size = ip_size(a);
	uint64_t value = 0;
	int borrow = 0;
	uint8_t difference[16];

	for (size_t i = size; i-- > 0;) {
		int d = b->bytes[i] - a->bytes[i] - borrow;
		borrow = d < 0;
		difference[i] = (uint8_t)d;
	}
	for (size_t i = 0; i < size; i++) {
		/* cppcheck-suppress uninitvar */
		if (size - i > 8 && difference[i])
			return UINT64_MAX;
		value = value << 8 | difference[i];
	}
	return value;
}

struct ip ip_link_local(const struct mac *mac)
{
	const uint8_t *m = mac->bytes;

	return (struct ip){ .family = AF_INET6,
			    .prefix = 64,
			    .bytes = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3],
				       m[4], m[5] } };
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
	return p ? (int)(p - digits) : -1;
}

int mac_parse(const char *text, struct mac *ret)
{
	struct mac mac;

	if (strlen(text) != MAC_TEXT_SIZE - 1)
		return -EINVAL;
	for (size_t i = 0; i < MAC_SIZE; i++) {
		const char *p = text + 3 * i;
		if (hex(p[0]) < 0 || hex(p[1]) < 0 || (p[2] != ':' && p[2] != '\0'))
			return -EINVAL;
		mac.bytes[i] = (uint8_t)(hex(p[0]) << 4 | hex(p[1]));
	}
	if (mac.bytes[0] & 1 || !mac_is_set(&mac))
		return -EINVAL;
	*ret = mac;
	return 0;
}

const char *mac_text(const struct mac *mac, char buf[static MAC_TEXT_SIZE])
{
	const uint8_t *m = mac->bytes;
	snprintf(buf, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	return buf;
}

bool mac_is_set(const struct mac *mac)
{
	static const struct mac none;
	return memcmp(mac, &none, sizeof(none)) != 0;
}

struct mac mac_derive(const char *text)
{
	struct hash h;
	uint8_t digest[HASH_SIZE];
	struct mac mac;

	hash_init(&h);
	hash_add(&h, text, strlen(text));
	hash_end(&h, digest);
	memcpy(mac.bytes, digest, MAC_SIZE);
	mac.bytes[0] = (uint8_t)((mac.bytes[0] & 0xfc) | 2);
	return mac;
}

/* ---- with sentences ---- */

int ip_expect(const char *text, struct ip *ret, struct error *e)
{
	return ip_parse(text, ret) < 0 ? refuse(e, EINVAL, "`%.60s` is not an IP address", text) : 0;
}

int ip_expect_net(const char *text, struct ip *ret, struct error *e)
{
	return ip_parse_net(text, ret) < 0
		       ? refuse(e, EINVAL, "`%.60s` is not a subnet such as 10.1.0.0/24 or fd00:1::/64", text)
		       : 0;
}

int mac_expect(const char *text, struct mac *ret, struct error *e)
{
	return mac_parse(text, ret) < 0
		       ? refuse(e, EINVAL, "`%.40s` is not a hardware address such as 02:00:5e:10:00:01",
				text)
		       : 0;
}
