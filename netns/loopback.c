/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loopback.c - bring "lo" up
 *
 * Runs in INIT of every container with a new network namespace, so it is the one place where an ioctl
 * stands for a netlink exchange: three system calls, and no library to load. */
#include "netns/loopback.h"

#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "runtime/base/cleanup.h"

int loopback_up(struct error *e)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	auto_close int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return fail(e, errno, "socket");
	if (ioctl(sock, SIOCSIFFLAGS, &request) < 0)
		return fail(e, errno, "bring link lo up");
	return 0;
}
