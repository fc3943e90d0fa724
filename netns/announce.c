/* SPDX-License-Identifier: GPL-2.0-or-later */
/* announce.c - tell the wire where an address is: frames as data, and sending them
 *
 * ARP announcements: RFC 5227, section 3 (requests) and RFC 826 (replies: some devices only take those).
 * Unsolicited neighbour advertisements: RFC 4861, section 7.2.6. RARP, as hypervisors do it, makes bridges
 * learn without any address. */
#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

#include "netns/neigh.h"
#include "netns/open.h"
#include "runtime/base/str.h"

#define ETH_SIZE 14
#define ARP_SIZE (ETH_SIZE + 28)
#define NA_SIZE	 (ETH_SIZE + 40 + 32)

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put_ethernet(uint8_t *f, const uint8_t *to, const struct mac *from, unsigned int protocol)
{
	memcpy(f, to, MAC_SIZE);
	memcpy(f + 6, from->bytes, MAC_SIZE);
	put16(f + 12, protocol);
}

static const uint8_t broadcast[MAC_SIZE] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* Sender and target are the same; ip NULL: RARP without addresses. */
static size_t arp_frame(const struct mac *mac, const struct ip *ip, bool reply, uint8_t *f)
{
	uint8_t *arp = f + ETH_SIZE;

	put_ethernet(f, broadcast, mac, ip ? ETH_P_ARP : ETH_P_RARP);
	put16(arp, ARPHRD_ETHER);
	put16(arp + 2, ETH_P_IP);
	arp[4] = MAC_SIZE;
	arp[5] = 4;
	put16(arp + 6, !ip ? 3 /* reverse request */ : reply ? ARPOP_REPLY : ARPOP_REQUEST);
	memcpy(arp + 8, mac->bytes, MAC_SIZE);
	if (ip)
		memcpy(arp + 14, ip->bytes, 4);
	if (reply || !ip)
		memcpy(arp + 18, mac->bytes, MAC_SIZE);
	if (ip)
		memcpy(arp + 24, ip->bytes, 4);
	return ARP_SIZE;
}

static uint32_t sum16(const uint8_t *data, size_t size, uint32_t sum)
{
	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	return sum;
}

static size_t advertisement_frame(const struct mac *mac, const struct ip *ip, uint8_t *f)
{
	static const uint8_t all_nodes_mac[MAC_SIZE] = { 0x33, 0x33, 0, 0, 0, 1 };
	static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };
	uint8_t *ip6 = f + ETH_SIZE, *na = ip6 + 40;

	put_ethernet(f, all_nodes_mac, mac, ETH_P_IPV6);
	ip6[0] = 0x60;
	put16(ip6 + 4, 32);
	ip6[6] = IPPROTO_ICMPV6;
	ip6[7] = 255;
	memcpy(ip6 + 8, ip->bytes, 16);
	memcpy(ip6 + 24, all_nodes, 16);
	na[0] = 136;
	na[4] = 0x20; /* override; neither router nor solicited */
	memcpy(na + 8, ip->bytes, 16);
	na[24] = 2; /* target link-layer address */
	na[25] = 1; /* of 8 bytes, with these two */
	memcpy(na + 26, mac->bytes, MAC_SIZE);
	uint32_t sum = sum16(ip6 + 8, 32, 32 + IPPROTO_ICMPV6);
	sum = sum16(na, 32, sum);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(na + 2, ~sum & 0xffff);
	return NA_SIZE;
}

size_t announce_frame(const struct announce *a, const struct ip *ip, bool reply, uint8_t *frame, size_t size)
{
	if (size < NA_SIZE)
		return 0;
	memset(frame, 0, NA_SIZE);
	if (ip && ip->family == AF_INET6)
		return advertisement_frame(&a->mac, ip, frame);
	return arp_frame(&a->mac, ip, reply, frame);
}

int announce_pause_ms(unsigned int round)
{
	static const int pauses[ANNOUNCE_ROUNDS] = { 0, 50, 150, 250, 350 };

	return round < COUNT_OF(pauses) ? pauses[round] : -1;
}

int announce_open(struct announce *a, int netns, int index, const struct mac *mac, const struct ip *addresses,
		  size_t count, struct error *e)
{
	int home = -1;

	if (count > COUNT_OF(a->addresses))
		return refuse(e, E2BIG, "announce: more than %zu addresses", COUNT_OF(a->addresses));
	int r = netns_visit(netns, &home, e);
	if (r < 0)
		return r;
	/* Protocol 0: it only sends. */
	int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int errnum = errno;
	r = netns_leave(home, e);
	if (r < 0) {
		cleanup_close(&sock);
		return r;
	}
	if (sock < 0)
		return fail(e, errnum, "announce: packet socket");
	*a = (struct announce){ .sock = sock, .index = index, .mac = *mac, .count = count };
	if (count)
		memcpy(a->addresses, addresses, count * sizeof(*addresses));
	return 0;
}

static int send_frame(const struct announce *a, const struct ip *ip, bool reply, struct error *e)
{
	uint8_t frame[NA_SIZE];
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = a->index };
	size_t size = announce_frame(a, ip, reply, frame, sizeof(frame));

	while (sendto(a->sock, frame, size, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		if (errno != EINTR)
			return fail(e, errno, "announce on link %d", a->index);
	return 0;
}

int announce_send(struct announce *a, struct error *e)
{
	int r = a->count ? 0 : send_frame(a, NULL, false, e);

	for (size_t i = 0; i < a->count && r == 0; i++) {
		r = send_frame(a, &a->addresses[i], false, e);
		if (r == 0 && a->addresses[i].family == AF_INET)
			r = send_frame(a, &a->addresses[i], true, e);
	}
	return r;
}

void announce_close(struct announce *a)
{
	replace_fd(&a->sock, -1);
}
