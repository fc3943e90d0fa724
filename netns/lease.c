/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease.c - who has which address: one symbolic link each
 *
 * The text: "here" or "away", the container's MAC, the names of both ends, name and alias ("-" for none), and
 * the owner's path, which comes last since it may hold blanks. */
#include "netns/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "runtime/base/hash.h"
#include "runtime/base/str.h"

#define TEXT_SIZE (PATH_MAX + 256)
#define TRIES_MAX (1U << 16) /* of a part with more addresses than anybody can use */

/* ---- text ---- */

static const char *or_dash(const char *s)
{
	return *s ? s : "-";
}

int lease_format(const struct lease *l, char *buf, size_t size)
{
	char mac[MAC_TEXT_SIZE];

	return str_format(buf, size, "%s %s %s %s %s %s %s", l->away ? "away" : "here",
			  mac_text(&l->mac, mac), l->ifname, or_dash(l->link), or_dash(l->name),
			  or_dash(l->alias), l->owner);
}

static int take_word(const char **text, char *ret, size_t size)
{
	size_t n = strcspn(*text, " ");

	if ((*text)[n] != ' ' || n == 0 || n >= size)
		return -EINVAL;
	memcpy(ret, *text, n);
	ret[n] = '\0';
	if (str_eq(ret, "-"))
		*ret = '\0';
	*text += n + 1;
	return 0;
}

int lease_parse(const char *text, struct lease *ret)
{
	struct lease l = { .away = str_starts(text, "away ") };
	char mac[MAC_TEXT_SIZE];

	if (!l.away && !str_starts(text, "here "))
		return -EINVAL;
	text += 5;
	if (take_word(&text, mac, sizeof(mac)) < 0 || mac_parse(mac, &l.mac) < 0 ||
	    take_word(&text, l.ifname, sizeof(l.ifname)) < 0 ||
	    take_word(&text, l.link, sizeof(l.link)) < 0 || take_word(&text, l.name, sizeof(l.name)) < 0 ||
	    take_word(&text, l.alias, sizeof(l.alias)) < 0 || text[0] != '/' ||
	    str_format(l.owner, sizeof(l.owner), "%s", text) < 0)
		return -EINVAL;
	*ret = l;
	return 0;
}

static int read_one(int leases, const char *name, struct lease *ret)
{
	char text[TEXT_SIZE];
	struct ip ip;

	if (ip_parse(name, &ip) < 0)
		return -EINVAL;
	ssize_t n = readlinkat(leases, name, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	int r = lease_parse(text, ret);
	ret->ip = ip;
	return r;
}

int lease_read(int leases, const struct ip *ip, struct lease *ret, struct error *e)
{
	char name[IP_TEXT_SIZE];

	int r = read_one(leases, ip_text(ip, name), ret);
	return r < 0 ? fail(e, -r, "lease of %s", name) : 0;
}

/* Held shared by who takes, exclusively by who sweeps: an address that is being swept is not taken between
 * the look and the end of it. Nothing else is locked meanwhile. */
static int lock(int leases, int how, struct error *e)
{
	while (flock(leases, how) < 0)
		if (errno != EINTR)
			return fail(e, errno, "lock leases");
	return 0;
}

/* ---- take ---- */

static bool is_same(const struct lease *a, const char *owner, const char *ifname)
{
	return str_eq(a->owner, owner) && str_eq(a->ifname, ifname);
}

/* Replace the text of a lease that is ours. */
static int rewrite(int leases, const char *name, const struct lease *l, struct error *e)
{
	char text[TEXT_SIZE], temporary[64];

	if (lease_format(l, text, sizeof(text)) < 0)
		return fail(e, ENAMETOOLONG, "lease %s", name);
	snprintf(temporary, sizeof(temporary), ".%d~", (int)getpid());
	unlinkat(leases, temporary, 0);
	if (symlinkat(text, leases, temporary) < 0 || renameat(leases, temporary, leases, name) < 0)
		return fail(e, errno, "lease %s", name);
	return 0;
}

/* 0: it is ours now. -EEXIST: somebody has it; e is not set. */
static int try_address(int leases, const struct ip *ip, struct lease *l, struct error *e)
{
	char text[TEXT_SIZE], name[IP_TEXT_SIZE];
	struct lease other;

	ip_text(ip, name);
	if (lease_format(l, text, sizeof(text)) < 0)
		return fail(e, ENAMETOOLONG, "lease %s", name);
	if (symlinkat(text, leases, name) < 0) {
		if (errno != EEXIST)
			return fail(e, errno, "lease %s", name);
		if (read_one(leases, name, &other) < 0 || !is_same(&other, l->owner, l->ifname))
			return -EEXIST;
		int r = rewrite(leases, name, l, e);
		if (r < 0)
			return r;
	}
	l->ip = *ip;
	l->ip.prefix = (uint8_t)(8 * ip_size(ip));
	return 0;
}

static int check_asked(const struct switch_net *n, const struct ip *ip, unsigned int flags, struct error *e)
{
	char text[IP_TEXT_SIZE], net[IP_TEXT_SIZE];
	struct ip first = ip_first(&n->net), last = ip_last(&n->net);

	ip_text(ip, text);
	ip_net_text(&n->net, net);
	if (!ip_within(&n->net, ip))
		return refuse(e, EINVAL, "address %s is not of subnet %s", text, net);
	if (ip_equal(ip, &first) || (ip->family == AF_INET && ip_equal(ip, &last)))
		return refuse(e, EINVAL, "address %s is no host's in subnet %s", text, net);
	if (n->gateway.family && ip_equal(ip, &n->gateway))
		return refuse(e, EADDRINUSE, "address %s is the switch's own", text);
	if (!(flags & LEASE_ANYWHERE) && (ip_compare(ip, &n->first) < 0 || ip_compare(ip, &n->last) > 0))
		return refuse(e, EINVAL, "address %s is not of this node's part of subnet %s", text, net);
	return 0;
}

static int take_asked(int leases, const struct ip *ip, struct lease *l, struct error *e)
{
	char text[IP_TEXT_SIZE];
	struct lease other;

	int r = try_address(leases, ip, l, e);
	if (r != -EEXIST)
		return r;
	ip_text(ip, text);
	if (read_one(leases, text, &other) < 0)
		return refuse(e, EADDRINUSE, "address %s has another lease", text);
	return refuse(e, EADDRINUSE, "address %s is leased to %s%s", text, other.owner,
		      other.away ? ", which is on another node" : "");
}

/* Where the search begins: spread evenly, and the same for the same owner and link. */
static uint64_t start_of(const struct lease *l)
{
	uint8_t digest[HASH_SIZE];
	uint64_t value = 0;
	struct hash h;

	hash_init(&h);
	hash_add(&h, l->owner, strlen(l->owner) + 1);
	hash_add(&h, l->ifname, strlen(l->ifname));
	hash_end(&h, digest);
	memcpy(&value, digest, sizeof(value));
	return value;
}

static int take_any(int leases, const struct switch_net *n, struct lease *l, struct error *e)
{
	char net[IP_TEXT_SIZE];

	uint64_t room = ip_distance(&n->first, &n->last);
	room = room >= UINT32_MAX ? UINT32_MAX : room + 1;
	uint64_t at = start_of(l) % room, tries = room < TRIES_MAX ? room : TRIES_MAX;
	for (uint64_t i = 0; i < tries; i++) {
		struct ip ip = ip_add(&n->first, (at + i) % room);
		int r = try_address(leases, &ip, l, e);
		if (r != -EEXIST)
			return r;
	}
	return refuse(e, ENOSPC, "no address is free in subnet %s", ip_net_text(&n->net, net));
}

int lease_take(int leases, const struct switch_net *n, const struct ip *asked, unsigned int flags,
	       struct lease *l, struct error *e)
{
	int r = asked ? check_asked(n, asked, flags, e) : 0;
	if (r == 0)
		r = lock(leases, LOCK_SH, e);
	if (r < 0)
		return r;
	r = asked ? take_asked(leases, asked, l, e) : take_any(leases, n, l, e);
	flock(leases, LOCK_UN);
	return r;
}

/* ---- give back ---- */

/* 1: it is this owner's and link's; *ret is filled. 0: it is not. */
static int find_own(int leases, const char *name, const char *owner, const char *ifname, struct lease *ret)
{
	return read_one(leases, name, ret) == 0 && is_same(ret, owner, ifname);
}

int lease_free(int leases, const struct ip *ip, const char *owner, const char *ifname, struct error *e)
{
	char name[IP_TEXT_SIZE];
	struct lease l;

	ip_text(ip, name);
	if (!find_own(leases, name, owner, ifname, &l))
		return 0;
	if (unlinkat(leases, name, 0) < 0 && errno != ENOENT)
		return fail(e, errno, "free address %s", name);
	return 0;
}

int lease_send_away(int leases, const struct ip *ip, const char *owner, const char *ifname, struct error *e)
{
	char name[IP_TEXT_SIZE];
	struct lease l;

	ip_text(ip, name);
	if (!find_own(leases, name, owner, ifname, &l))
		return 0;
	l.away = true;
	return rewrite(leases, name, &l, e);
}

int lease_forget(int leases, const struct ip *ip, struct error *e)
{
	char name[IP_TEXT_SIZE];

	if (unlinkat(leases, ip_text(ip, name), 0) < 0)
		return fail(e, errno, "lease of %s", name);
	return 0;
}

/* ---- all of them ---- */

int lease_list(int leases, lease_each *each, void *data, struct error *e)
{
	auto_close int own = openat(leases, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	struct lease l;
	int r = 0;

	if (!dir)
		return fail(e, errno, "list leases");
	take_fd(&own);
	for (struct dirent *d; r == 0 && (d = readdir(dir));)
		if (d->d_name[0] != '.' && read_one(leases, d->d_name, &l) == 0)
			r = each(&l, data, e);
	closedir(dir);
	return r;
}

bool lease_is_live(const struct lease *l)
{
	struct stat st;
	return l->away || lstat(l->owner, &st) == 0 || errno != ENOENT;
}

struct sweep {
	int leases;
	lease_each *gone;
	void *data;
};

static int sweep_one(const struct lease *l, void *data, struct error *e)
{
	const struct sweep *s = data;
	char name[IP_TEXT_SIZE];

	if (lease_is_live(l))
		return 0;
	int r = s->gone ? s->gone(l, s->data, e) : 0;
	if (r == 0 && unlinkat(s->leases, ip_text(&l->ip, name), 0) < 0 && errno != ENOENT)
		r = fail(e, errno, "free address %s", name);
	return r;
}

int lease_sweep(int leases, lease_each *gone, void *data, struct error *e)
{
	struct sweep s = { leases, gone, data };

	int r = lock(leases, LOCK_EX, e);
	if (r < 0)
		return r;
	r = lease_list(leases, sweep_one, &s, e);
	flock(leases, LOCK_UN);
	return r;
}
