/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switchconf.c - the file of a switch: read by a table, written from the struct */
#include "specs/switchconf.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "runtime/base/io.h"
#include "specs/dispatch.h"
#include "specs/ipread.h"
#include "specs/jsonout.h"

#define SWITCH_FILE    "switch.json"
#define SWITCH_VERSION 1
#define VERSION_KEY    "coracle_version_switch"

void switchconf_free(struct switchconf *c)
{
	if (c)
		arena_free(c->arena);
}

int switch_check_name(const char *name, struct error *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t n = strlen(name);

	if (n == 0 || n > SWITCH_NAME_MAX || strspn(name, allowed) != n || name[0] == '-' || name[0] == '_')
		return refuse(e, EINVAL,
			      "invalid switch name \"%.64s\": letters, digits, _ and - are allowed, at most "
			      "%d, a letter or digit first",
			      name, SWITCH_NAME_MAX);
	return 0;
}

/* ---- reading ---- */

static READER(read_version)
{
	int64_t version = 0;

	(void)in;
	(void)f;
	(void)object;
	int r = read_integer(v, 0, INT64_MAX, &version, e);
	if (r == 0 && version != SWITCH_VERSION)
		return json_fail(v, e, "format %" PRId64 " is not the one this coracle writes (%d)", version,
				 SWITCH_VERSION);
	return r;
}

static int check_net(const struct json *v, const void *object, struct error *e)
{
	const struct switch_net *n = object;

	if (!ip_within(&n->net, &n->first) || !ip_within(&n->net, &n->last) ||
	    ip_compare(&n->first, &n->last) > 0)
		return json_fail(v, e, "the range is not within the subnet");
	if (n->gateway.family && !ip_within(&n->net, &n->gateway))
		return json_fail(v, e, "the gateway is not within the subnet");
	return 0;
}

#define NET(member) offsetof(struct switch_net, member)
static const struct field net_fields[] = {
	{ "subnet", JSON_STRING, read_ip_net, NET(net), FIELD_REQUIRED },
	{ "gateway", JSON_STRING, read_ip_net, NET(gateway) },
	{ "first", JSON_STRING, read_ip, NET(first), FIELD_REQUIRED },
	{ "last", JSON_STRING, read_ip, NET(last), FIELD_REQUIRED },
};
static const struct object net_object = OBJECT(net_fields, struct switch_net, .check = check_net,
					       .strict = true);

#define VXLAN(member) offsetof(struct switch_vxlan, member)
static const struct field vxlan_fields[] = {
	{ "vni", JSON_NUMBER, read_u32, VXLAN(vni), FIELD_REQUIRED },
	{ "port", JSON_NUMBER, read_u16, VXLAN(port), FIELD_REQUIRED },
	{ "local", JSON_STRING, read_ip, VXLAN(local), FIELD_REQUIRED },
	{ "remotes", JSON_ARRAY, read_ips, VXLAN(remotes), FIELD_REQUIRED, .count = VXLAN(n_remotes) },
};
static const struct object vxlan_object = OBJECT(vxlan_fields, struct switch_vxlan, .strict = true);

#define AT(member) offsetof(struct switchconf, member)
static const struct field switch_fields[] = {
	{ VERSION_KEY, JSON_NUMBER, read_version, 0, FIELD_REQUIRED },
	{ "name", JSON_STRING, read_string, AT(name), FIELD_REQUIRED },
	{ "subnets", JSON_ARRAY, read_objects, AT(nets), FIELD_REQUIRED | FIELD_NOT_EMPTY,
	  .count = AT(n_nets), .object = &net_object },
	{ "nat", JSON_BOOL, read_bool, AT(nat), FIELD_REQUIRED },
	{ "isolated", JSON_BOOL, read_bool, AT(isolated), FIELD_REQUIRED },
	{ "private", JSON_BOOL, read_bool, AT(private), FIELD_REQUIRED },
	{ "mtu", JSON_NUMBER, read_u32, AT(mtu), FIELD_REQUIRED },
	{ "mac", JSON_STRING, read_mac, AT(mac), FIELD_REQUIRED },
	{ "uplink", JSON_STRING, read_text, AT(uplink) },
	{ "vxlan", JSON_OBJECT, read_new_object, AT(vxlan), .object = &vxlan_object },
};
static const struct object switch_object = OBJECT(switch_fields, struct switchconf, .strict = true);

static int parse(struct switchconf *c, const char *text, size_t size, struct error *e)
{
	const struct reading in = { c->arena, text };
	struct json *root = NULL;

	int r = json_parse(c->arena, text, size, &root, e);
	if (r == 0)
		r = dispatch(&in, root, &switch_object, c, e);
	if (r == 0)
		r = switch_check_name(c->name, e);
	return r;
}

int switchconf_read(int dir, struct switchconf **ret, struct error *e)
{
	AUTO(arena) struct arena *a = arena_new();
	struct switchconf *c = a ? arena_alloc(a, sizeof(*c)) : NULL;
	auto_free char *text = NULL;
	size_t size;

	if (!c)
		return fail(e, ENOMEM, "read " SWITCH_FILE);
	c->arena = a;
	int r = io_read_file(dir, SWITCH_FILE, JSON_MAX_SIZE, &text, &size, e);
	if (r < 0)
		return r;
	r = parse(c, text, size, e);
	if (r < 0)
		return prefix(e, SWITCH_FILE);
	take_ptr(a);
	*ret = c;
	return 0;
}

/* ---- writing ---- */

static void put_nets(struct jsonout *o, const struct switchconf *c)
{
	jsonout_array(o, "subnets");
	for (size_t i = 0; i < c->n_nets; i++) {
		const struct switch_net *n = &c->nets[i];
		jsonout_object(o, NULL);
		put_ip_net(o, "subnet", &n->net);
		if (n->gateway.family)
			put_ip_net(o, "gateway", &n->gateway);
		put_ip(o, "first", &n->first);
		put_ip(o, "last", &n->last);
		jsonout_end(o);
	}
	jsonout_end(o);
}

static void put_vxlan(struct jsonout *o, const struct switch_vxlan *x)
{
	jsonout_object(o, "vxlan");
	jsonout_u64(o, "vni", x->vni);
	jsonout_u64(o, "port", x->port);
	put_ip(o, "local", &x->local);
	jsonout_array(o, "remotes");
	for (size_t i = 0; i < x->n_remotes; i++)
		put_ip(o, NULL, &x->remotes[i]);
	jsonout_end(o);
	jsonout_end(o);
}

void switchconf_put(struct jsonout *o, const struct switchconf *c)
{
	jsonout_string(o, "name", c->name);
	put_nets(o, c);
	jsonout_bool(o, "nat", c->nat);
	jsonout_bool(o, "isolated", c->isolated);
	jsonout_bool(o, "private", c->private);
	jsonout_u64(o, "mtu", c->mtu);
	put_mac(o, "mac", &c->mac);
	if (c->uplink)
		jsonout_string(o, "uplink", c->uplink);
	if (c->vxlan)
		put_vxlan(o, c->vxlan);
}

int switchconf_write(int dir, const struct switchconf *c, struct error *e)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);
	size_t size;

	jsonout_object(o, NULL);
	jsonout_i64(o, VERSION_KEY, SWITCH_VERSION);
	switchconf_put(o, c);
	jsonout_end(o);
	jsonout_newline(o);
	auto_free char *text = jsonout_take(o, &size);
	if (!text)
		return fail(e, ENOMEM, "write " SWITCH_FILE);
	return io_replace_durable(dir, SWITCH_FILE, text, size, 0600, e);
}
