/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switch_make.c - switches are made and removed
 *
 * A switch is there when its switch.json is: that is written last but one, before the links, and removed
 * first. A maker or remover that is killed between leaves a directory that the next `create` of that name, or
 * `rm`, finishes. */
#include "netns/switch_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "netns/addr.h"
#include "netns/names.h"
#include "netns/nft.h"
#include "runtime/base/str.h"

#define TAKEN_MAX 1024

struct taken {
	struct ip nets[TAKEN_MAX];
	size_t n;
};

static void add_taken(struct taken *t, const struct ip *net)
{
	if (t->n < TAKEN_MAX)
		t->nets[t->n++] = *net;
}

/* The subnets of the host's links. What a switch spans others have, too, but on other hosts. */
static int taken_by_links(struct sw *s, struct taken *t, struct error *e)
{
	auto_free struct addr *there = NULL;
	size_t n = 0;

	int r = switch_route(s, e);
	if (r == 0)
		r = addr_list(s->route, 0, &there, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (there[i].scope == 0)
			add_taken(t, &there[i].ip);
	return r;
}

static int taken_by_switches(struct sw *s, struct taken *t, struct error *e)
{
	char **names = NULL;
	struct error ignored;

	int r = switch_names(s->place, &names, e);
	for (char **name = names; r == 0 && *name; name++) {
		AUTO(switchconf) struct switchconf *other = NULL;
		auto_close int dir = openat(s->place->switches, *name,
					    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0 || switchconf_read(dir, &other, &ignored) < 0)
			continue;
		for (size_t i = 0; i < other->n_nets; i++)
			add_taken(t, &other->nets[i].net);
	}
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
	return r;
}

static int plan(struct sw *s, const struct switch_wishes *w, struct error *e)
{
	auto_free struct taken *taken = calloc(1, sizeof(*taken));

	if (!taken)
		return fail(e, ENOMEM, "switch %s", w->name);
	int r = taken_by_links(s, taken, e);
	if (r == 0)
		r = taken_by_switches(s, taken, e);
	if (r == 0)
		r = switchconf_plan(w, taken->nets, taken->n, &s->conf, e);
	if (r < 0)
		return r;
	if (getrandom(s->conf->mac.bytes, MAC_SIZE, 0) != MAC_SIZE)
		return fail(e, errno, "getrandom");
	s->conf->mac.bytes[0] = (uint8_t)((s->conf->mac.bytes[0] & 0xfc) | 2);
	return 0;
}

/* The directory, held exclusively, with no switch in it. */
static int make_directory(struct sw *s, const char *name, struct error *e)
{
	struct stat st;

	if (mkdirat(s->place->switches, name, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make directory of switch %s", name);
	s->dir = openat(s->place->switches, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dir < 0)
		return fail(e, errno, "open switch %s", name);
	int r = switch_lock_dir(s, SWITCH_EXCLUSIVE, name, e);
	if (r < 0)
		return r;
	if (fstatat(s->dir, "switch.json", &st, 0) == 0)
		return refuse(e, EEXIST, "switch `%s` exists already", name);
	if (mkdirat(s->dir, "leases", 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make leases of switch %s", name);
	s->leases = openat(s->dir, "leases", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return s->leases < 0 ? fail(e, errno, "leases of switch %s", name) : 0;
}

/* Two makers at once must see each other's subnets. */
static int lock_all(const struct switch_place *p, struct error *e)
{
	auto_close int fd = openat(p->switches, ".lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fd < 0)
		return fail(e, errno, "lock all switches");
	while (fcntl(fd, F_OFD_SETLKW, &lock) < 0)
		if (errno != EINTR)
			return fail(e, errno, "lock all switches");
	return take_fd(&fd);
}

int switch_forget(struct sw *s, const struct lease *l, struct error *e)
{
	int r = switch_clear_port(s, l, e);
	return r == 0 ? lease_forget(s->leases, &l->ip, e) : r;
}

static int forget_one(const struct lease *l, void *data, struct error *e)
{
	return switch_forget(data, l, e);
}

static int remove_directory(struct sw *s, struct error *e)
{
	const char *name = s->conf->name;

	if (unlinkat(s->dir, "switch.json", 0) < 0 && errno != ENOENT)
		return fail(e, errno, "remove switch %s", name);
	/* Half-written files of makers that died. */
	if (unlinkat(s->dir, "leases", AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail(e, errno, "remove leases of switch %s", name);
	auto_close int own = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	if (dir)
		take_fd(&own);
	for (struct dirent *d; dir && (d = readdir(dir));)
		if (d->d_name[0] != '.')
			unlinkat(s->dir, d->d_name, 0);
	if (dir)
		closedir(dir);
	if (unlinkat(s->place->switches, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail(e, errno, "remove switch %s", name);
	return 0;
}

/* With the last switch our tables go. */
static int drop_tables(struct sw *s, struct error *e)
{
	char **names = NULL;

	int r = switch_names(s->place, &names, e);
	if (r == 0 && !*names && switch_nft(s, e) == 0)
		r = nft_is_there(s->nft, e) == 1 ? nft_remove(s->nft, e) : 0;
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
	return r;
}

int switch_make(const struct switch_place *p, const struct switch_wishes *w, struct switch_told *told,
		struct sw **ret, struct error *e)
{
	AUTO(switch) struct sw *s = switch_new(p);

	if (!s)
		return fail(e, ENOMEM, "switch %s", w->name);
	int r = switch_check_name(w->name, e);
	if (r < 0)
		return r;
	auto_close int lock = lock_all(p, e);
	if (lock < 0)
		return lock;
	r = make_directory(s, w->name, e);
	if (r < 0)
		return r;
	r = plan(s, w, e);
	if (r == 0)
		r = switchconf_write(s->dir, s->conf, e);
	if (r == 0)
		r = switch_up(s, told, e);
	if (r == 0) {
		*ret = take_ptr(s);
		return 0;
	}
	struct error ignored;
	if (s->conf) {
		switch_down(s, &ignored);
		lease_list(s->leases, forget_one, s, &ignored);
		remove_directory(s, &ignored);
		drop_tables(s, &ignored);
	} else {
		unlinkat(s->dir, "leases", AT_REMOVEDIR);
		unlinkat(p->switches, w->name, AT_REMOVEDIR);
	}
	return r;
}

static int refuse_live(const struct lease *l, void *data, struct error *e)
{
	const struct sw *s = data;
	char text[IP_TEXT_SIZE];

	if (l->away || !lease_is_live(l))
		return 0;
	return refuse(e, EBUSY, "switch `%s` is in use: %s has address %s (--force removes it all the same)",
		      s->conf->name, *l->name ? l->name : l->owner, ip_text(&l->ip, text));
}

int switch_remove(struct sw *s, bool force, struct error *e)
{
	auto_close int lock = lock_all(s->place, e);
	if (lock < 0)
		return lock;
	int r = force ? 0 : lease_list(s->leases, refuse_live, s, e);
	if (r == 0)
		r = lease_list(s->leases, forget_one, s, e);
	if (r == 0)
		r = switch_down(s, e);
	if (r == 0)
		r = names_drop(s->place->hosts, s->conf->name, e);
	if (r == 0)
		r = remove_directory(s, e);
	return r == 0 ? drop_tables(s, e) : r;
}
