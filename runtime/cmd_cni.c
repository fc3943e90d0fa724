/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_cni.c - coracle-node as a CNI plugin (CNI specification 1.1.0): ADD, DEL, CHECK, GC, STATUS, VERSION
 *
 * An attachment is a directory /run/coracle-cni/NETWORK/CONTAINER:IFNAME that holds its record, as a
 * container's state directory does: the owner of its leases. What an engine forgot is found by GC, or after a
 * reboot by the sweep of leases, for /run is empty then. */
#include "runtime/cmd_cni.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netns/addr.h"
#include "netns/link.h"
#include "netns/open.h"
#include "netns/switch.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/network.h"
#include "specs/cni.h"

#define ATTACHMENTS  "/run/coracle-cni"
#define CONFIG_LIMIT (1U << 20)

struct plugin {
	struct cni_config *config;
	const char *container, *netns, *ifname;
	enum cni_code code;  /* of the failure at hand */
	char path[PATH_MAX]; /* of the attachment */
};

bool cni_is_meant(int argc)
{
	return argc == 1 && getenv("CNI_COMMAND");
}

/* ---- where attachments are ---- */

static const char *base_of(const struct plugin *p, char buf[static PATH_MAX])
{
	if (p->config->switch_dir)
		str_format(buf, PATH_MAX, "%s/.cni/%s", p->config->switch_dir, p->config->name);
	else
		str_format(buf, PATH_MAX, ATTACHMENTS "/%s", p->config->name);
	return buf;
}

static int make_directories(const char *path, struct error *e)
{
	char part[PATH_MAX];

	if (str_format(part, sizeof(part), "%s", path) < 0)
		return fail(e, ENAMETOOLONG, "directory %.100s", path);
	for (char *slash = part; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return fail(e, errno, "make directory %s", part);
		if (slash)
			*slash = '/';
	}
	return 0;
}

/* The attachment's directory, locked. */
static int open_attachment(const char *path, struct error *e)
{
	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return fail(e, errno, "open attachment %s", path);
	while (flock(dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return fail(e, errno, "lock attachment %s", path);
	return take_fd(&dir);
}

static int drop_attachment(const char *path, const char *switch_dir, struct error *e)
{
	auto_close int dir = open_attachment(path, e);
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	struct network_of of = { path, dir, switch_dir };
	int r = network_detach(&of, e);
	if (r == 0 && rmdir(path) < 0 && errno != ENOENT)
		r = fail(e, errno, "remove attachment %s", path);
	return r;
}

/* ---- the environment ---- */

static bool is_identifier(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = s ? strlen(s) : 0;
	return n > 0 && n < 200 && strspn(s, allowed) == n && s[0] != '.' && s[0] != '-' && s[0] != '_';
}

static int need_environment(struct plugin *p, bool need_netns, struct error *e)
{
	p->code = CNI_BAD_ENVIRONMENT;
	p->container = getenv("CNI_CONTAINERID");
	p->netns = getenv("CNI_NETNS");
	p->ifname = getenv("CNI_IFNAME");
	if (!is_identifier(p->container))
		return refuse(e, EINVAL, "CNI_CONTAINERID is missing or no identifier");
	if (!p->ifname || !link_name_is_valid(p->ifname) || strchr(p->ifname, ':'))
		return refuse(e, EINVAL, "CNI_IFNAME is missing or not the name of a link");
	if (need_netns && (!p->netns || !*p->netns))
		return refuse(e, EINVAL, "CNI_NETNS is missing");
	char base[PATH_MAX];
	if (str_format(p->path, sizeof(p->path), "%s/%s:%s", base_of(p, base), p->container, p->ifname) < 0)
		return refuse(e, ENAMETOOLONG, "CNI_CONTAINERID is too long");
	p->code = CNI_FAILED;
	return 0;
}

static int need_config(struct plugin *p, struct error *e)
{
	const struct cni_config *c = p->config;
	struct error why;

	p->code = CNI_BAD_CONFIG;
	if (!is_identifier(c->name))
		return refuse(e, EINVAL, "name: missing or no identifier");
	if (switch_check_name(c->switch_name ? c->switch_name : c->name, &why) < 0)
		return refuse(e, EINVAL, "switch: %s", why.msg);
	p->code = CNI_FAILED;
	return 0;
}

/* ---- ADD ---- */

static int print_result(struct plugin *p, const struct network *n, struct error *e)
{
	struct switch_place place = SWITCH_PLACE_INIT;
	AUTO(switch) struct sw *s = NULL;

	int r = switch_place_open(p->config->switch_dir, false, &place, e);
	if (r == 0)
		r = switch_open(&place, n->ports[0].switch_name, SWITCH_SHARED, &s, e);
	switch_place_done(&place);
	if (r < 0)
		return r;
	auto_free char *text = cni_result(p->config, n, s->conf, p->netns);
	if (!text)
		return fail(e, ENOMEM, "result");
	fputs(text, stdout);
	return fflush(stdout) ? fail(e, errno, "write the result") : 0;
}

static int add_to(struct plugin *p, int dir, struct error *e)
{
	AUTO(network) struct network *n = NULL;
	struct network_of of = { p->path, dir, p->config->switch_dir };

	p->code = CNI_BAD_CONFIG;
	int r = cni_wishes(p->config, p->container, p->ifname, &n, e);
	if (r < 0)
		return r;
	p->code = CNI_BAD_ENVIRONMENT;
	auto_close int netns = netns_open_path(p->netns, e);
	if (netns < 0)
		return netns;
	p->code = CNI_FAILED;
	r = network_attach(&of, n, 0, netns, -1, 0, e);
	if (r == 0)
		r = print_result(p, n, e);
	return r;
}

static int cni_add(struct plugin *p, struct error *e)
{
	struct error ignored;
	char base[PATH_MAX];

	int r = need_environment(p, true, e);
	if (r == 0)
		r = make_directories(base_of(p, base), e);
	if (r < 0)
		return r;
	if (mkdir(p->path, 0700) < 0)
		return errno == EEXIST
			       ? refuse(e, EEXIST, "container %s has link %s already: DEL comes first",
					p->container, p->ifname)
			       : fail(e, errno, "make attachment %s", p->path);
	auto_close int dir = open_attachment(p->path, e);
	r = dir < 0 ? dir : add_to(p, dir, e);
	replace_fd(&dir, -1);
	if (r < 0)
		drop_attachment(p->path, p->config->switch_dir, &ignored);
	return r;
}

/* ---- DEL, GC ---- */

static int cni_del(struct plugin *p, struct error *e)
{
	int r = need_environment(p, false, e);
	return r == 0 ? drop_attachment(p->path, p->config->switch_dir, e) : r;
}

static bool is_valid(const struct cni_config *c, const char *name)
{
	char own[NAME_MAX + 1];

	for (size_t i = 0; i < c->n_valid; i++)
		if (str_format(own, sizeof(own), "%s:%s", c->valid[i].container, c->valid[i].ifname) >= 0 &&
		    str_eq(own, name))
			return true;
	return false;
}

static int cni_gc(struct plugin *p, struct error *e)
{
	char base[PATH_MAX], path[PATH_MAX];
	struct error why;
	int r = 0;

	DIR *dir = opendir(base_of(p, base));
	if (!dir)
		return errno == ENOENT ? 0 : fail(e, errno, "list attachments %s", base);
	for (struct dirent *d; (d = readdir(dir));) {
		if (d->d_name[0] == '.' || is_valid(p->config, d->d_name) ||
		    str_format(path, sizeof(path), "%s/%s", base, d->d_name) < 0)
			continue;
		int one = drop_attachment(path, p->config->switch_dir, &why);
		if (one < 0 && r == 0) {
			r = one;
			*e = why;
		}
	}
	closedir(dir);
	return r;
}

/* ---- CHECK ---- */

static int check_inside(const struct net_port *port, int netns, struct error *e)
{
	AUTO(nl) struct nl *inside = NULL;
	auto_free struct addr *there = NULL;
	char text[IP_TEXT_SIZE];
	struct link link;
	size_t n = 0;

	int r = nl_open(NETLINK_ROUTE, netns, &inside, e);
	if (r == 0)
		r = link_get(inside, port->ifname, &link, e);
	if (r == 0)
		r = addr_list(inside, link.index, &there, &n, e);
	if (r < 0)
		return r;
	if (memcmp(&link.mac, &port->mac, sizeof(port->mac)) != 0)
		return refuse(e, EINVAL, "link %s has another hardware address", port->ifname);
	for (size_t i = 0; i < port->n_ips; i++) {
		bool found = false;
		for (size_t k = 0; k < n; k++)
			found |= ip_equal(&there[k].ip, &port->ips[i]);
		if (!found)
			return refuse(e, ENOENT, "link %s has lost address %s", port->ifname,
				      ip_text(&port->ips[i], text));
	}
	return 0;
}

static int check_outside(const struct plugin *p, const struct net_port *port, struct error *e)
{
	struct switch_place place = SWITCH_PLACE_INIT;
	AUTO(switch) struct sw *s = NULL;
	struct link link;

	int r = switch_place_open(p->config->switch_dir, false, &place, e);
	if (r == 0)
		r = switch_open(&place, port->switch_name, SWITCH_SHARED, &s, e);
	switch_place_done(&place);
	if (r == 0)
		r = switch_is_up(s, e);
	if (r == 0)
		return refuse(e, ENETDOWN, "switch %s is not up", port->switch_name);
	if (r > 0)
		r = link_get(s->route, port->link, &link, e);
	if (r == 0 && link.master != s->bridge)
		r = refuse(e, EINVAL, "link %s is not a port of switch %s", port->link, port->switch_name);
	return r;
}

static int cni_check(struct plugin *p, struct error *e)
{
	AUTO(network) struct network *n = NULL;

	int r = need_environment(p, true, e);
	if (r < 0)
		return r;
	p->code = CNI_NO_CONTAINER;
	auto_close int dir = open_attachment(p->path, e);
	if (dir < 0)
		return dir;
	r = network_read(dir, &n, e);
	if (r < 0)
		return r;
	if (n->n_ports != 1)
		return refuse(e, EINVAL, "attachment %s is half made", p->path);
	p->code = CNI_CHECK_FAILED;
	if (!p->config->previous)
		return refuse(e, EINVAL, "prevResult: missing");
	if (!cni_result_has(p->config->previous, &n->ports[0]))
		return refuse(e, EINVAL, "prevResult: an address of the container is missing");
	auto_close int netns = netns_open_path(p->netns, e);
	if (netns < 0)
		return netns;
	r = check_outside(p, &n->ports[0], e);
	return r == 0 ? check_inside(&n->ports[0], netns, e) : r;
}

/* ---- STATUS ---- */

static int cni_status(struct plugin *p, struct error *e)
{
	struct switch_place place = SWITCH_PLACE_INIT;
	AUTO(switch) struct sw *s = NULL;
	const struct cni_config *c = p->config;

	p->code = CNI_NOT_AVAILABLE;
	int r = switch_place_open(c->switch_dir, false, &place, e);
	if (r == 0)
		r = switch_open(&place, c->switch_name ? c->switch_name : c->name, SWITCH_SHARED, &s, e);
	switch_place_done(&place);
	if (r == 0)
		r = switch_is_up(s, e);
	return r < 0 ? r : 0; /* one that is down comes up with its first container */
}

/* ---- the program ---- */

static const struct verb {
	const char *name, *from; /* version of the specification */
	int (*run)(struct plugin *p, struct error *e);
} verbs[] = {
	{ "ADD", "0.3.0", cni_add },	   { "DEL", "0.3.0", cni_del }, { "CHECK", "0.4.0", cni_check },
	{ "STATUS", "1.1.0", cni_status }, { "GC", "1.1.0", cni_gc },
};

static int run_verb(struct plugin *p, const char *name, struct error *e)
{
	p->code = CNI_BAD_ENVIRONMENT;
	if (geteuid() != 0)
		return refuse(e, EPERM, "run as root, or as root of a user namespace");
	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		if (!str_eq(verbs[i].name, name))
			continue;
		if (!cni_version_is_from(p->config->version, verbs[i].from)) {
			p->code = CNI_BAD_VERSION;
			return refuse(e, EINVAL, "version %s of CNI has no %s", p->config->version, name);
		}
		int r = need_config(p, e);
		return r < 0 ? r : verbs[i].run(p, e);
	}
	return refuse(e, EINVAL, "CNI_COMMAND `%.20s` is not known", name);
}

static int print_failure(const struct plugin *p, const struct error *e)
{
	const char *version = p->config ? p->config->version : CNI_LATEST;

	auto_free char *text = cni_error(version, p->code, e->msg);
	if (text)
		fputs(text, stdout);
	return 1;
}

static int print_versions(const struct cni_config *c)
{
	auto_free char *text = cni_versions(c && c->version ? c->version : CNI_LATEST);

	if (text)
		fputs(text, stdout);
	return text ? 0 : 1;
}

int cni_main(void)
{
	const char *command = getenv("CNI_COMMAND");
	AUTO(cni_config) struct cni_config *config = NULL;
	struct plugin p = { .code = CNI_IO };
	auto_free char *text = NULL;
	struct error e = { .code = 0 };
	size_t size = 0;

	int r = io_read_fd(STDIN_FILENO, CONFIG_LIMIT, &text, &size, &e);
	if (r == 0)
		r = cni_parse(text, size, &config, &p.code, &e);
	p.config = config;
	if (str_eq(command, "VERSION"))
		return print_versions(config);
	if (r == 0)
		r = run_verb(&p, command, &e);
	if (r < 0)
		r = print_failure(&p, &e);
	return fflush(stdout) ? 1 : r;
}
