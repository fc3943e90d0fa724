/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network_files.c - what a wired container sees as /etc/hosts and /etc/resolv.conf
 *
 * Both are files of ours, mounted read-only; nothing is written into the container's root. A config that
 * mounts one of them itself (engines do) keeps its own. */
#include "runtime/network_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netns/names.h"
#include "netns/switch.h"
#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

/* What the host asks. A name server on its own loopback is nobody's in the container: then the one behind it.
 */
static const char *const host_resolvers[] = { "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf" };

#define RESOLV_LIMIT (64 * 1024)

/* ---- resolv.conf ---- */

static bool is_loopback(const struct ip *ip)
{
	struct ip one = { .family = AF_INET6, .bytes = { [15] = 1 } };
	return ip->family == AF_INET ? ip->bytes[0] == 127 : ip_equal(ip, &one);
}

static bool is_server(const char *line, bool *ret_loopback)
{
	char address[IP_TEXT_SIZE];
	struct ip ip;

	if (sscanf(line, "nameserver %49s", address) != 1)
		return false;
	*ret_loopback = ip_parse(address, &ip) == 0 && is_loopback(&ip);
	return true;
}

/* The host's text without servers on its loopback; *ret_servers: how many are left. */
static void filter(char *text, FILE *out, size_t *ret_servers)
{
	char *rest = text;

	*ret_servers = 0;
	for (char *line; (line = strsep(&rest, "\n"));) {
		bool loopback = false;
		if (is_server(line, &loopback)) {
			if (loopback)
				continue;
			(*ret_servers)++;
		}
		if (*line && *line != '#' && *line != ';')
			fprintf(out, "%s\n", line);
	}
}

static int text_of_host(char **ret, size_t *ret_size, struct error *e)
{
	struct error ignored;

	for (size_t i = 0, servers = 0; i < COUNT_OF(host_resolvers); i++) {
		auto_free char *text = NULL;
		if (io_read_file(AT_FDCWD, host_resolvers[i], RESOLV_LIMIT, &text, NULL, &ignored) < 0)
			continue;
		free(*ret);
		*ret = NULL;
		FILE *out = open_memstream(ret, ret_size);
		if (!out)
			return fail(e, errno, "resolv.conf");
		filter(text, out, &servers);
		fclose(out);
		if (servers)
			return 0;
	}
	return 0;
}

static int text_of_wishes(const struct network *n, char **ret, size_t *ret_size, struct error *e)
{
	FILE *out = open_memstream(ret, ret_size);

	if (!out)
		return fail(e, errno, "resolv.conf");
	for (const char **server = n->dns; *server; server++)
		fprintf(out, "nameserver %s\n", *server);
	fclose(out);
	return 0;
}

static int write_resolv(const struct container *c, const struct network *n, struct error *e)
{
	auto_free char *text = NULL;
	size_t size = 0;

	int r = n->dns ? text_of_wishes(n, &text, &size, e) : text_of_host(&text, &size, e);
	if (r < 0)
		return r;
	return io_replace_file(c->dir, NETWORK_RESOLV, text ? text : "", size, 0644, e);
}

/* ---- mounts ---- */

static bool mounts_at(const struct spec *s, const char *path)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		auto_free char *clean = path_clean(s->mounts[i].destination);
		if (clean && str_eq(clean, path))
			return true;
	}
	return false;
}

static int add_mount(struct spec *s, const char *source, const char *destination, struct error *e)
{
	static const char *const options[] = { "bind", "ro", "nosuid", "nodev", "noexec", NULL };
	struct spec_mount *mounts = arena_calloc(s->arena, s->n_mounts + 2, sizeof(*mounts));
	char **copy = arena_alloc(s->arena, sizeof(options));
	const char *kept = arena_strdup(s->arena, source);

	if (!mounts || !copy || !kept)
		return fail(e, ENOMEM, "mount %s", destination);
	memcpy(copy, options, sizeof(options));
	if (s->n_mounts)
		memcpy(mounts, s->mounts, s->n_mounts * sizeof(*mounts));
	mounts[s->n_mounts] = (struct spec_mount){
		.destination = destination, .source = kept, .type = "bind", .options = copy
	};
	s->mounts = mounts;
	s->n_mounts++;
	return 0;
}

static int add_resolv(const struct container *c, struct spec *s, struct error *e)
{
	auto_free char *owner = NULL;
	char path[PATH_MAX];

	int r = network_owner_path(c, &owner, e);
	if (r < 0)
		return r;
	if (str_format(path, sizeof(path), "%s/" NETWORK_RESOLV, owner) < 0)
		return fail(e, ENAMETOOLONG, "resolv.conf");
	return add_mount(s, path, "/etc/resolv.conf", e);
}

static int add_hosts(const struct container *c, const struct network *n, struct spec *s, struct error *e)
{
	struct switch_place place = SWITCH_PLACE_INIT;
	const char *names[NET_PORTS_MAX];
	char file[NAME_MAX + 1], path[PATH_MAX];

	for (size_t i = 0; i < n->n_ports; i++)
		names[i] = n->ports[i].switch_name;
	if (names_file(names, n->n_ports, file, sizeof(file)) < 0)
		return refuse(e, ENAMETOOLONG, "too many switches for one hosts file");
	int r = switch_place_open(c->globals->switch_dir, true, &place, e);
	if (r < 0)
		return r;
	r = names_ensure(place.switches, place.hosts, file, e);
	if (r >= 0 && str_format(path, sizeof(path), "%s/%s", place.hosts_path, file) < 0)
		r = fail(e, ENAMETOOLONG, "hosts file");
	switch_place_done(&place);
	return r < 0 ? r : add_mount(s, path, "/etc/hosts", e);
}

int network_files_mounts(const struct container *c, const struct network *n, struct spec *s, struct error *e)
{
	int r = 0;

	if (n->hosts)
		r = add_hosts(c, n, s, e);
	if (r == 0 && n->resolv)
		r = add_resolv(c, s, e);
	return r;
}

int network_files_restore(const struct container *c, struct network *n, struct spec *s, struct error *e)
{
	int r = n->resolv ? write_resolv(c, n, e) : 0;

	return r == 0 ? network_files_mounts(c, n, s, e) : r;
}

int network_files_make(const struct container *c, struct network *n, struct spec *s, struct error *e)
{
	bool mounts = n->n_ports && spec_find_namespace(s, NS_MOUNT);

	n->hosts = mounts && !mounts_at(s, "/etc/hosts");
	n->resolv = mounts && !mounts_at(s, "/etc/resolv.conf");
	return network_files_restore(c, n, s, e);
}
