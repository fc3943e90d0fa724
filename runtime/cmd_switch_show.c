/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_switch_show.c - coracle switch ls, inspect, leases */
#include "runtime/cmd_switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netns/switch.h"
#include "runtime/base/str.h"
#include "runtime/columns.h"
#include "specs/ipread.h"
#include "specs/jsonout.h"

/* ---- what is counted and collected ---- */

struct lease_rows {
	struct lease *rows;
	size_t n, room;
};

static int collect(const struct lease *l, void *data, struct error *e)
{
	struct lease_rows *all = data;

	if (!lease_is_live(l))
		return 0;
	if (all->n == all->room) {
		size_t room = all->room ? 2 * all->room : 64;
		struct lease *rows = realloc(all->rows, room * sizeof(*rows));
		if (!rows)
			return fail(e, ENOMEM, "list leases");
		all->rows = rows;
		all->room = room;
	}
	all->rows[all->n++] = *l;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	return ip_compare(&((const struct lease *)a)->ip, &((const struct lease *)b)->ip);
}

static int read_leases(const struct sw *s, struct lease_rows *ret, struct error *e)
{
	int r = lease_list(s->leases, collect, ret, e);
	if (r == 0 && ret->n)
		qsort(ret->rows, ret->n, sizeof(*ret->rows), by_address);
	return r;
}

static bool is_same_port(const struct lease *a, const struct lease *b)
{
	return str_eq(a->owner, b->owner) && str_eq(a->ifname, b->ifname);
}

static size_t count_ports(const struct lease_rows *all)
{
	size_t ports = 0;

	for (size_t i = 0; i < all->n; i++) {
		size_t first = 0;
		while (!is_same_port(&all->rows[first], &all->rows[i]))
			first++;
		ports += first == i && !all->rows[i].away;
	}
	return ports;
}

/* ---- ls ---- */

struct show_options {
	const char *format;
	bool quiet;
	struct opt_list forget;
};

#define AT(field) offsetof(struct show_options, field)

static const struct opt ls_table[] = {
	{ "format", 'f', OPT_STRING, AT(format), "FORMAT", "table (default) or json" },
	{ "quiet", 'q', OPT_FLAG, AT(quiet), NULL, "print names only" },
	{ .kind = OPT_END },
};

static const char *kind_of(const struct switchconf *c)
{
	return c->vxlan ? "vxlan" : c->uplink ? "uplink" : "local";
}

static void add_subnets(struct columns *t, const struct switchconf *c)
{
	char text[SWITCH_NETS_MAX * IP_TEXT_SIZE], one[IP_TEXT_SIZE];
	size_t used = 0;

	for (size_t i = 0; i < c->n_nets; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? "," : "",
					 ip_net_text(&c->nets[i].net, one));
	columns_add(t, text);
}

static void add_flags(struct columns *t, const struct switchconf *c)
{
	char text[64] = "";
	const struct {
		bool on;
		const char *word;
	} flags[] = { { c->nets[0].gateway.family, "gateway" },
		      { c->nat, "nat" },
		      { c->isolated, "isolated" },
		      { c->private, "private" } };

	for (size_t i = 0; i < COUNT_OF(flags); i++)
		if (flags[i].on)
			strcat(strcat(text, *text ? "," : ""), flags[i].word);
	columns_add(t, text);
}

static int put_switch(struct jsonout *o, struct sw *s, struct error *e)
{
	struct lease_rows leases = { NULL };

	int r = read_leases(s, &leases, e);
	if (r == 0)
		r = switch_is_up(s, e);
	if (r >= 0) {
		jsonout_object(o, NULL);
		switchconf_put(o, s->conf);
		jsonout_bool(o, "up", r);
		jsonout_u64(o, "ports", count_ports(&leases));
		jsonout_end(o);
	}
	free(leases.rows);
	return r < 0 ? r : 0;
}

static int add_switch(struct columns *t, struct sw *s, struct error *e)
{
	struct lease_rows leases = { NULL };

	int r = read_leases(s, &leases, e);
	if (r == 0)
		r = switch_is_up(s, e);
	if (r >= 0) {
		columns_add(t, s->conf->name);
		columns_add(t, r ? "up" : "down");
		columns_add(t, kind_of(s->conf));
		add_subnets(t, s->conf);
		add_flags(t, s->conf);
		columns_addf(t, "%u", s->conf->mtu);
		columns_addf(t, "%zu", count_ports(&leases));
	}
	free(leases.rows);
	return r < 0 ? r : 0;
}

static int print_json(struct jsonout *o, struct error *e)
{
	jsonout_newline(o);
	auto_free char *text = jsonout_take(o, NULL);
	if (!text)
		return fail(e, ENOMEM, "output");
	fputs(text, stdout);
	return 0;
}

/* Each switch that is there, in turn; one that is being removed is passed over. */
static int each_switch(const struct switch_place *p, char *const *names, bool must,
		       int (*act)(void *data, struct sw *s, struct error *e), void *data, struct error *e)
{
	int r = 0;

	for (; r == 0 && *names; names++) {
		AUTO(switch) struct sw *s = NULL;
		r = switch_open(p, *names, SWITCH_SHARED, &s, e);
		if (r == 0)
			r = act(data, s, e);
		else if (r == -ENOENT && !must)
			r = 0;
	}
	return r;
}

static int act_json(void *data, struct sw *s, struct error *e)
{
	return put_switch(data, s, e);
}

static int act_row(void *data, struct sw *s, struct error *e)
{
	return add_switch(data, s, e);
}

static int act_name(void *data, struct sw *s, struct error *e)
{
	(void)data;
	(void)e;
	puts(s->conf->name);
	return 0;
}

static int print_list(const struct switch_place *p, char *const *names, const struct show_options *o,
		      bool json, struct error *e)
{
	static const char *const titles[] = { "NAME",  "STATE", "KIND",	 "SUBNETS",
					      "FLAGS", "MTU",	"PORTS", NULL };

	if (o->quiet)
		return each_switch(p, names, false, act_name, NULL, e);
	if (json) {
		AUTO(jsonout) struct jsonout *out = jsonout_new(true);
		jsonout_array(out, NULL);
		int r = each_switch(p, names, false, act_json, out, e);
		jsonout_end(out);
		return r == 0 ? print_json(out, e) : r;
	}
	AUTO(columns) struct columns *t = columns_new(titles);
	int r = each_switch(p, names, false, act_row, t, e);
	if (r == 0 && columns_write(t, stdout) < 0)
		r = fail(e, ENOMEM, "output");
	return r;
}

static int run_ls(struct call *call, struct error *e)
{
	const struct show_options *o = call->options;
	struct switch_place place = SWITCH_PLACE_INIT;
	char **names = NULL;
	bool json;

	int r = switch_format(o->format, &json, e);
	if (r == 0)
		r = switch_place_open(call->globals->switch_dir, true, &place, e);
	if (r == 0)
		r = switch_names(&place, &names, e);
	if (r == 0)
		r = print_list(&place, names, o, json, e);
	container_ids_free(names);
	switch_place_done(&place);
	return r;
}

const struct command switch_ls = {
	.name = "ls",
	.arguments = "",
	.summary = "list switches",
	.options = ls_table,
	.options_size = sizeof(struct show_options),
	.run = run_ls,
};

/* ---- leases ---- */

static const struct opt leases_table[] = {
	{ "format", 'f', OPT_STRING, AT(format), "FORMAT", "table (default) or json" },
	{ "forget", 0, OPT_LIST, AT(forget), "ADDRESS",
	  "free the address of a container that went to another node and does not come back" },
	{ .kind = OPT_END },
};

static void put_lease(struct jsonout *o, const char *switch_name, const struct lease *l)
{
	jsonout_object(o, NULL);
	if (switch_name)
		jsonout_string(o, "switch", switch_name);
	put_ip(o, "address", &l->ip);
	jsonout_string(o, "name", l->name);
	if (*l->alias)
		jsonout_string(o, "alias", l->alias);
	put_mac(o, "mac", &l->mac);
	jsonout_string(o, "ifname", l->ifname);
	jsonout_string(o, "link", l->link);
	jsonout_bool(o, "away", l->away);
	jsonout_string(o, "owner", l->owner);
	jsonout_end(o);
}

static int leases_json(void *data, struct sw *s, struct error *e)
{
	struct lease_rows all = { NULL };

	int r = read_leases(s, &all, e);
	for (size_t i = 0; i < all.n; i++)
		put_lease(data, s->conf->name, &all.rows[i]);
	free(all.rows);
	return r;
}

static int leases_rows(void *data, struct sw *s, struct error *e)
{
	struct lease_rows all = { NULL };
	char text[IP_TEXT_SIZE], mac[MAC_TEXT_SIZE];

	int r = read_leases(s, &all, e);
	for (size_t i = 0; i < all.n; i++) {
		const struct lease *l = &all.rows[i];
		columns_add(data, s->conf->name);
		columns_add(data, ip_text(&l->ip, text));
		columns_add(data, l->name);
		columns_add(data, mac_text(&l->mac, mac));
		columns_add(data, l->ifname);
		columns_add(data, l->away ? "away" : "here");
		columns_add(data, l->owner);
	}
	free(all.rows);
	return r;
}

static int print_leases(const struct switch_place *p, char *const *names, bool must, bool json,
			struct error *e)
{
	static const char *const titles[] = { "SWITCH", "ADDRESS", "NAME",  "MAC",
					      "LINK",	"STATE",   "OWNER", NULL };

	if (json) {
		AUTO(jsonout) struct jsonout *out = jsonout_new(true);
		jsonout_array(out, NULL);
		int r = each_switch(p, names, must, leases_json, out, e);
		jsonout_end(out);
		return r == 0 ? print_json(out, e) : r;
	}
	AUTO(columns) struct columns *t = columns_new(titles);
	int r = each_switch(p, names, must, leases_rows, t, e);
	if (r == 0 && columns_write(t, stdout) < 0)
		r = fail(e, ENOMEM, "output");
	return r;
}

static int forget_lease(void *data, struct sw *s, struct error *e)
{
	struct lease l;

	int r = lease_read(s->leases, data, &l, e);
	if (r < 0)
		return r;
	if (!l.away)
		return refuse(e, EBUSY, "the address is %s's, which is here", *l.name ? l.name : l.owner);
	return switch_forget(s, &l, e);
}

static int forget(const struct switch_place *p, char *const *names, char *const *addresses, struct error *e)
{
	int r = 0;

	if (!names[0] || names[1])
		return usage(e, "switch leases: option --forget goes with the name of one switch");
	for (; r == 0 && *addresses; addresses++) {
		struct ip ip;
		r = ip_expect(*addresses, &ip, e);
		if (r == 0)
			r = each_switch(p, names, true, forget_lease, &ip, e);
	}
	return r;
}

static int run_leases(struct call *call, struct error *e)
{
	const struct show_options *o = call->options;
	struct switch_place place = SWITCH_PLACE_INIT;
	char **all = NULL;
	bool json;

	int r = switch_format(o->format, &json, e);
	if (r == 0)
		r = switch_place_open(call->globals->switch_dir, true, &place, e);
	if (r == 0 && !call->n_args && !o->forget.n)
		r = switch_names(&place, &all, e);
	if (r == 0 && o->forget.n)
		r = forget(&place, call->args, o->forget.v, e);
	else if (r == 0)
		r = print_leases(&place, all ? all : call->args, !all, json, e);
	container_ids_free(all);
	switch_place_done(&place);
	return r;
}

const struct command switch_leases = {
	.name = "leases",
	.arguments = "[NAME...]",
	.summary = "list who has which address",
	.options = leases_table,
	.options_size = sizeof(struct show_options),
	.max_args = ANY_ARGS,
	.run = run_leases,
};

/* ---- inspect ---- */

static const struct opt inspect_table[] = {
	{ "format", 'f', OPT_STRING, AT(format), "FORMAT", "table (default) or json" },
	{ .kind = OPT_END },
};

static int inspect_json(struct sw *s, struct error *e)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);
	struct lease_rows all = { NULL };

	int r = read_leases(s, &all, e);
	int up = r == 0 ? switch_is_up(s, e) : r;
	if (up >= 0) {
		jsonout_object(o, NULL);
		switchconf_put(o, s->conf);
		jsonout_bool(o, "up", up);
		jsonout_u64(o, "ports", count_ports(&all));
		jsonout_array(o, "leases");
		for (size_t i = 0; i < all.n; i++)
			put_lease(o, NULL, &all.rows[i]);
		jsonout_end(o);
		jsonout_end(o);
		r = print_json(o, e);
	}
	free(all.rows);
	return up < 0 ? up : r;
}

static void inspect_nets(struct columns *t, const struct switchconf *c)
{
	char net[IP_TEXT_SIZE], first[IP_TEXT_SIZE], last[IP_TEXT_SIZE];

	for (size_t i = 0; i < c->n_nets; i++) {
		const struct switch_net *n = &c->nets[i];
		columns_add(t, "subnet");
		columns_addf(t, "%s, given out: %s to %s", ip_net_text(&n->net, net),
			     ip_text(&n->first, first), ip_text(&n->last, last));
		if (!n->gateway.family)
			continue;
		columns_add(t, "gateway");
		columns_add(t, ip_text(&n->gateway, first));
	}
}

static void inspect_span(struct columns *t, const struct switchconf *c)
{
	char text[IP_TEXT_SIZE];

	if (c->uplink) {
		columns_add(t, "uplink");
		columns_add(t, c->uplink);
	}
	if (!c->vxlan)
		return;
	columns_add(t, "vxlan");
	columns_addf(t, "%u, local %s", c->vxlan->vni, ip_text(&c->vxlan->local, text));
	for (size_t i = 0; i < c->vxlan->n_remotes; i++) {
		columns_add(t, "remote");
		columns_add(t, ip_text(&c->vxlan->remotes[i], text));
	}
}

static int inspect_rows(struct sw *s, struct error *e)
{
	static const char *const titles[] = { "switch", "", NULL };
	AUTO(columns)
	struct columns *t = columns_new((const char *const[]){ titles[0], s->conf->name, NULL });
	char *const name[] = { (char *)s->conf->name, NULL };
	char mac[MAC_TEXT_SIZE];

	int up = switch_is_up(s, e);
	if (up < 0)
		return up;
	columns_add(t, "state");
	columns_add(t, up ? "up" : "down");
	inspect_nets(t, s->conf);
	inspect_span(t, s->conf);
	columns_add(t, "flags");
	add_flags(t, s->conf);
	columns_add(t, "mtu");
	columns_addf(t, "%u", s->conf->mtu);
	columns_add(t, "mac");
	columns_add(t, mac_text(&s->conf->mac, mac));
	if (columns_write(t, stdout) < 0)
		return fail(e, ENOMEM, "output");
	putchar('\n');
	return print_leases(s->place, name, true, false, e);
}

static int run_inspect(struct call *call, struct error *e)
{
	const struct show_options *o = call->options;
	struct switch_place place = SWITCH_PLACE_INIT;
	AUTO(switch) struct sw *s = NULL;
	bool json;

	int r = switch_format(o->format, &json, e);
	if (r == 0)
		r = switch_place_open(call->globals->switch_dir, true, &place, e);
	if (r == 0)
		r = switch_open(&place, call->args[0], SWITCH_SHARED, &s, e);
	if (r == 0)
		r = json ? inspect_json(s, e) : inspect_rows(s, e);
	switch_free(take_ptr(s));
	switch_place_done(&place);
	return r;
}

const struct command switch_inspect = {
	.name = "inspect",
	.arguments = "NAME",
	.summary = "show all of one switch",
	.options = inspect_table,
	.options_size = sizeof(struct show_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_inspect,
};
