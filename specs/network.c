/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.c - the record of a container's wires: read by a table, written from the struct */
#include "specs/network.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>

#include "runtime/base/io.h"
#include "specs/dispatch.h"
#include "specs/ipread.h"
#include "specs/jsonout.h"
#include "specs/switchconf.h"

#define NETWORK_VERSION 1
#define VERSION_KEY	"coracle_version_network"

void network_free(struct network *n)
{
	if (n)
		arena_free(n->arena);
}

struct network *network_new(size_t ports)
{
	AUTO(arena) struct arena *a = arena_new();
	struct network *n = a ? arena_alloc(a, sizeof(*n)) : NULL;

	if (!n)
		return NULL;
	n->ports = arena_calloc(a, ports + 1, sizeof(*n->ports));
	if (!n->ports)
		return NULL;
	n->name = n->alias = "";
	n->arena = take_ptr(a);
	return n;
}

/* ---- protocols ---- */

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP } };

const char *protocol_name(uint8_t protocol)
{
	for (size_t i = 0; i < COUNT_OF(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	return "?";
}

static READER(read_protocol)
{
	(void)in;
	for (size_t i = 0; i < COUNT_OF(protocols); i++)
		if (str_eq(protocols[i].name, v->text)) {
			*(uint8_t *)field_at(object, f) = protocols[i].number;
			return 0;
		}
	return json_fail(v, e, "unknown protocol \"%.20s\"", v->text);
}

/* ---- reading ---- */

static READER(read_version)
{
	int64_t version = 0;

	(void)in;
	(void)f;
	(void)object;
	int r = read_integer(v, 0, INT64_MAX, &version, e);
	if (r == 0 && version != NETWORK_VERSION)
		return json_fail(v, e, "format %" PRId64 " is not the one this coracle writes (%d)", version,
				 NETWORK_VERSION);
	return r;
}

static READER(read_switch_name)
{
	struct error why;
	return switch_check_name(v->text, &why) < 0 ? json_fail(v, e, "%s", why.msg)
						    : read_string(in, v, f, object, e);
}

/* A link's name: what the kernel takes, and nothing that a shell or a path would read otherwise. */
static bool is_link_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
	size_t n = strlen(name);
	return n > 0 && n < NET_IFNAME_SIZE && strspn(name, allowed) == n && name[0] != '.';
}

static READER(read_link_name)
{
	if (!is_link_name(v->text))
		return json_fail(v, e, "\"%.40s\" is not the name of a link", v->text);
	return read_string(in, v, f, object, e);
}

static READER(read_name)
{
	if (*v->text && !network_name_is_valid(v->text))
		return json_fail(v, e, "\"%.80s\" is not a name for a container", v->text);
	return read_string(in, v, f, object, e);
}

static READER(read_dns)
{
	for (const struct json *child = v->first; child; child = child->next) {
		struct ip ip;
		if (child->type != JSON_STRING || ip_parse(child->text, &ip) < 0)
			return json_fail(child, e, "expected an address");
	}
	return read_strings(in, v, f, object, e);
}

#define PORT(member) offsetof(struct net_port, member)
static const struct field port_fields[] = {
	{ "switch", JSON_STRING, read_switch_name, PORT(switch_name), FIELD_REQUIRED },
	{ "ifname", JSON_STRING, read_link_name, PORT(ifname) },
	{ "link", JSON_STRING, read_link_name, PORT(link) },
	{ "mac", JSON_STRING, read_mac, PORT(mac) },
	{ "addresses", JSON_ARRAY, read_ip_nets, PORT(ips), FIELD_REQUIRED, .count = PORT(n_ips) },
	{ "rate", JSON_NUMBER, read_u64, PORT(rate) },
};

static int check_port(const struct json *v, const void *object, struct error *e)
{
	const struct net_port *p = object;
	return p->n_ips > NET_IPS_MAX ? json_fail(v, e, "more than %d addresses", NET_IPS_MAX) : 0;
}
static const struct object port_object = OBJECT(port_fields, struct net_port, .check = check_port,
						.strict = true);

#define PUBLISH(member) offsetof(struct net_publish, member)
static const struct field publish_fields[] = {
	{ "protocol", JSON_STRING, read_protocol, PUBLISH(protocol), FIELD_REQUIRED },
	{ "host", JSON_STRING, read_ip, PUBLISH(host) },
	{ "hostPort", JSON_NUMBER, read_u16, PUBLISH(host_port), FIELD_REQUIRED },
	{ "port", JSON_NUMBER, read_u16, PUBLISH(port), FIELD_REQUIRED },
};
static const struct object publish_object = OBJECT(publish_fields, struct net_publish, .strict = true);

#define DEVICE(member) offsetof(struct net_device, member)
static const struct field device_fields[] = {
	{ "name", JSON_STRING, read_string, DEVICE(name), FIELD_REQUIRED },
	{ "newName", JSON_STRING, read_text, DEVICE(new_name) },
};
static const struct object device_object = OBJECT(device_fields, struct net_device, .strict = true);

#define AT(member) offsetof(struct network, member)
static const struct field network_fields[] = {
	{ VERSION_KEY, JSON_NUMBER, read_version, 0, FIELD_REQUIRED },
	{ "name", JSON_STRING, read_name, AT(name), FIELD_REQUIRED },
	{ "alias", JSON_STRING, read_name, AT(alias), FIELD_REQUIRED },
	{ "ports", JSON_ARRAY, read_objects, AT(ports), FIELD_REQUIRED, .count = AT(n_ports),
	  .object = &port_object },
	{ "published", JSON_ARRAY, read_objects, AT(published), FIELD_REQUIRED, .count = AT(n_published),
	  .object = &publish_object },
	{ "devices", JSON_ARRAY, read_objects, AT(devices), .count = AT(n_devices),
	  .object = &device_object },
	{ "dns", JSON_ARRAY, read_dns, AT(dns) },
	{ "hosts", JSON_BOOL, read_bool, AT(hosts), FIELD_REQUIRED },
	{ "resolv", JSON_BOOL, read_bool, AT(resolv), FIELD_REQUIRED },
};

static int check_network(const struct json *v, const void *object, struct error *e)
{
	const struct network *n = object;

	if (n->n_ports > NET_PORTS_MAX)
		return json_fail(v, e, "more than %d ports", NET_PORTS_MAX);
	return 0;
}
static const struct object network_object = OBJECT(network_fields, struct network, .check = check_network,
						   .strict = true);

/* For ports that are added. */
static int make_room(struct network *n, struct error *e)
{
	struct net_port *ports = arena_calloc(n->arena, NET_PORTS_MAX + 1, sizeof(*ports));

	if (!ports)
		return out_of_memory(e);
	if (n->n_ports)
		memcpy(ports, n->ports, n->n_ports * sizeof(*ports));
	n->ports = ports;
	return 0;
}

int network_from_json(const char *text, size_t size, struct network **ret, struct error *e)
{
	AUTO(network) struct network *n = network_new(0);
	struct json *root = NULL;

	if (!n)
		return fail(e, ENOMEM, "network");
	const struct reading in = { n->arena, text };
	int r = json_parse(n->arena, text, size, &root, e);
	if (r == 0)
		r = dispatch(&in, root, &network_object, n, e);
	if (r == 0)
		r = make_room(n, e);
	if (r < 0) {
		str_make_printable(e->msg);
		return r;
	}
	*ret = take_ptr(n);
	return 0;
}

int network_read(int dir, struct network **ret, struct error *e)
{
	auto_free char *text = NULL;
	size_t size;

	int r = io_read_file(dir, NETWORK_FILE, JSON_MAX_SIZE, &text, &size, e);
	if (r < 0)
		return r;
	r = network_from_json(text, size, ret, e);
	return r < 0 ? prefix(e, NETWORK_FILE) : 0;
}

/* ---- writing ---- */

static void put_port(struct jsonout *o, const struct net_port *p)
{
	jsonout_object(o, NULL);
	jsonout_string(o, "switch", p->switch_name);
	if (p->ifname)
		jsonout_string(o, "ifname", p->ifname);
	if (p->link)
		jsonout_string(o, "link", p->link);
	if (mac_is_set(&p->mac))
		put_mac(o, "mac", &p->mac);
	jsonout_array(o, "addresses");
	for (size_t i = 0; i < p->n_ips; i++)
		put_ip_net(o, NULL, &p->ips[i]);
	jsonout_end(o);
	if (p->rate)
		jsonout_u64(o, "rate", p->rate);
	jsonout_end(o);
}

static void put_publish(struct jsonout *o, const struct net_publish *p)
{
	jsonout_object(o, NULL);
	jsonout_string(o, "protocol", protocol_name(p->protocol));
	if (p->host.family)
		put_ip(o, "host", &p->host);
	jsonout_u64(o, "hostPort", p->host_port);
	jsonout_u64(o, "port", p->port);
	jsonout_end(o);
}

static void put_devices(struct jsonout *o, const struct network *n)
{
	jsonout_array(o, "devices");
	for (size_t i = 0; i < n->n_devices; i++) {
		jsonout_object(o, NULL);
		jsonout_string(o, "name", n->devices[i].name);
		if (n->devices[i].new_name)
			jsonout_string(o, "newName", n->devices[i].new_name);
		jsonout_end(o);
	}
	jsonout_end(o);
}

char *network_to_json(const struct network *n, size_t *ret_size)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);

	jsonout_object(o, NULL);
	jsonout_i64(o, VERSION_KEY, NETWORK_VERSION);
	jsonout_string(o, "name", n->name);
	jsonout_string(o, "alias", n->alias);
	jsonout_array(o, "ports");
	for (size_t i = 0; i < n->n_ports; i++)
		put_port(o, &n->ports[i]);
	jsonout_end(o);
	jsonout_array(o, "published");
	for (size_t i = 0; i < n->n_published; i++)
		put_publish(o, &n->published[i]);
	jsonout_end(o);
	if (n->n_devices)
		put_devices(o, n);
	if (n->dns)
		jsonout_strings(o, "dns", n->dns);
	jsonout_bool(o, "hosts", n->hosts);
	jsonout_bool(o, "resolv", n->resolv);
	jsonout_end(o);
	return jsonout_take(o, ret_size);
}

int network_write(int dir, const struct network *n, struct error *e)
{
	size_t size;

	auto_free char *text = network_to_json(n, &size);
	if (!text)
		return fail(e, ENOMEM, "write " NETWORK_FILE);
	return io_replace_file(dir, NETWORK_FILE, text, size, 0600, e);
}
