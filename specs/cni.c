/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cni.c - what CNI plugins read and write */
#include "specs/cni.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/str.h"
#include "specs/dispatch.h"
#include "specs/ipread.h"
#include "specs/jsonout.h"

static const char *const versions[] = { "0.3.0", "0.3.1", "0.4.0", "1.0.0", CNI_LATEST, NULL };

void cni_config_free(struct cni_config *c)
{
	if (c)
		arena_free(c->arena);
}

bool cni_knows_version(const char *version)
{
	return strv_has((char *const *)versions, version);
}

static size_t place_of(const char *version)
{
	size_t i = 0;
	while (versions[i] && !str_eq(versions[i], version))
		i++;
	return i;
}

bool cni_version_is_from(const char *a, const char *b)
{
	return place_of(a) >= place_of(b);
}

/* ---- the configuration ---- */

#define MAPPING(member) offsetof(struct cni_mapping, member)
static const struct field mapping_fields[] = {
	{ "hostPort", JSON_NUMBER, read_u32, MAPPING(host_port), FIELD_REQUIRED },
	{ "containerPort", JSON_NUMBER, read_u32, MAPPING(container_port), FIELD_REQUIRED },
	{ "protocol", JSON_STRING, read_text, MAPPING(protocol) },
	{ "hostIP", JSON_STRING, read_text, MAPPING(host_ip) },
};
static const struct object mapping_object = OBJECT(mapping_fields, struct cni_mapping);

#define RATES(member) offsetof(struct cni_rates, member)
static const struct field rates_fields[] = {
	{ "ingressRate", JSON_NUMBER, read_u64, RATES(ingress) },
	{ "egressRate", JSON_NUMBER, read_u64, RATES(egress) },
};
static const struct object rates_object = OBJECT(rates_fields, struct cni_rates);

#define RUNTIME(member) offsetof(struct cni_runtime, member)
static const struct field runtime_fields[] = {
	{ "portMappings", JSON_ARRAY, read_objects, RUNTIME(mappings), .count = RUNTIME(n_mappings),
	  .object = &mapping_object },
	{ "ips", JSON_ARRAY, read_strings, RUNTIME(ips) },
	{ "mac", JSON_STRING, read_text, RUNTIME(mac) },
	{ "bandwidth", JSON_OBJECT, read_object, RUNTIME(rates), .object = &rates_object },
};
static const struct object runtime_object = OBJECT(runtime_fields, struct cni_runtime);

#define VALID(member) offsetof(struct cni_attachment, member)
static const struct field valid_fields[] = {
	{ "containerID", JSON_STRING, read_string, VALID(container), FIELD_REQUIRED },
	{ "ifname", JSON_STRING, read_string, VALID(ifname), FIELD_REQUIRED },
};
static const struct object valid_object = OBJECT(valid_fields, struct cni_attachment);

static READER(read_json)
{
	(void)in;
	(void)e;
	*(const struct json **)field_at(object, f) = v;
	return 0;
}

#define AT(member) offsetof(struct cni_config, member)
static const struct field config_fields[] = {
	{ "cniVersion", JSON_STRING, read_text, AT(version) },
	{ "name", JSON_STRING, read_text, AT(name) },
	{ "switch", JSON_STRING, read_text, AT(switch_name) },
	{ "switchDir", JSON_STRING, read_absolute_path, AT(switch_dir) },
	{ "runtimeConfig", JSON_OBJECT, read_object, AT(runtime), .object = &runtime_object },
	{ "cni.dev/valid-attachments", JSON_ARRAY, read_objects, AT(valid), .count = AT(n_valid),
	  .object = &valid_object },
	{ "prevResult", JSON_OBJECT, read_json, AT(previous) },
};
static const struct object config_object = OBJECT(config_fields, struct cni_config);

int cni_parse(const char *text, size_t size, struct cni_config **ret, enum cni_code *ret_code,
	      struct error *e)
{
	AUTO(arena) struct arena *a = arena_new();
	struct cni_config *c = a ? arena_alloc(a, sizeof(*c)) : NULL;
	struct json *root = NULL;

	*ret_code = CNI_BAD_JSON;
	if (!c)
		return fail(e, ENOMEM, "configuration");
	c->arena = a;
	const struct reading in = { a, text };
	int r = json_parse(a, text, size, &root, e);
	if (r < 0)
		return r;
	*ret_code = CNI_BAD_CONFIG;
	r = dispatch(&in, root, &config_object, c, e);
	if (r < 0)
		return r;
	if (!c->version)
		c->version = "0.3.0"; /* as the specification's libraries take it: the oldest */
	if (!cni_knows_version(c->version)) {
		*ret_code = CNI_BAD_VERSION;
		return refuse(e, EINVAL, "version %.20s of CNI is not supported", c->version);
	}
	take_ptr(a);
	*ret = c;
	return 0;
}

/* ---- to wishes ---- */

static int add_mapping(struct network *n, const struct cni_mapping *m, struct error *e)
{
	char text[128];

	if (m->host_port == 0 || m->host_port > 65535 || m->container_port == 0 || m->container_port > 65535)
		return refuse(e, EINVAL, "runtimeConfig.portMappings: a port is a number from 1 to 65535");
	bool six = m->host_ip && strchr(m->host_ip, ':');
	if (str_format(text, sizeof(text), "%s%s%s%s%u:%u/%s", six ? "[" : "", m->host_ip ? m->host_ip : "",
		       six ? "]" : "", m->host_ip ? ":" : "", m->host_port, m->container_port,
		       m->protocol ? m->protocol : "tcp") < 0)
		return refuse(e, EINVAL, "runtimeConfig.portMappings: a value is too long");
	int r = network_parse_publish(text, &n->published[n->n_published], e);
	n->n_published += r == 0;
	return r < 0 ? prefix(e, "runtimeConfig.portMappings") : 0;
}

static int add_ips(struct network *n, struct net_port *p, char *const *ips, struct error *e)
{
	if (!ips || !*ips)
		return 0;
	p->ips = arena_calloc(n->arena, NET_IPS_MAX, sizeof(*p->ips));
	if (!p->ips)
		return fail(e, ENOMEM, "addresses");
	for (; *ips; ips++) {
		if (p->n_ips == NET_IPS_MAX)
			return refuse(e, EINVAL, "runtimeConfig.ips: more than %d", NET_IPS_MAX);
		if (ip_expect(*ips, &p->ips[p->n_ips++], e) < 0)
			return prefix(e, "runtimeConfig.ips");
	}
	return 0;
}

int cni_wishes(const struct cni_config *c, const char *container, const char *ifname, struct network **ret,
	       struct error *e)
{
	AUTO(network) struct network *n = network_new(1);

	if (!n)
		return fail(e, ENOMEM, "network");
	n->published = arena_calloc(n->arena, c->runtime.n_mappings + 1, sizeof(*n->published));
	if (!n->published)
		return fail(e, ENOMEM, "network");
	struct net_port *p = &n->ports[n->n_ports++];
	p->switch_name = c->switch_name ? c->switch_name : c->name;
	p->ifname = ifname;
	p->rate = c->runtime.rates.ingress;
	if (!p->rate || (c->runtime.rates.egress && c->runtime.rates.egress < p->rate))
		p->rate = c->runtime.rates.egress;
	if (c->runtime.mac && mac_expect(c->runtime.mac, &p->mac, e) < 0)
		return prefix(e, "runtimeConfig.mac");
	int r = add_ips(n, p, c->runtime.ips, e);
	for (size_t i = 0; r == 0 && i < c->runtime.n_mappings; i++)
		r = add_mapping(n, &c->runtime.mappings[i], e);
	if (r < 0)
		return r;
	/* 64 digits are no name that anybody would use. */
	n->name = arena_printf(n->arena, "%.12s", container);
	if (!n->name)
		return fail(e, ENOMEM, "network");
	if (!network_name_is_valid(n->name))
		n->name = "";
	*ret = take_ptr(n);
	return 0;
}

/* ---- results ---- */

static void put_interface(struct jsonout *o, const char *name, const struct mac *mac, uint32_t mtu,
			  const char *netns)
{
	jsonout_object(o, NULL);
	jsonout_string(o, "name", name);
	if (mac)
		put_mac(o, "mac", mac);
	if (mtu)
		jsonout_u64(o, "mtu", mtu);
	if (netns)
		jsonout_string(o, "sandbox", netns);
	jsonout_end(o);
}

static const struct ip *gateway_of(const struct switchconf *s, const struct ip *ip)
{
	for (size_t i = 0; i < s->n_nets; i++)
		if (s->nets[i].gateway.family && ip_within(&s->nets[i].net, ip))
			return &s->nets[i].gateway;
	return NULL;
}

static void put_ips(struct jsonout *o, const struct cni_config *c, const struct net_port *p,
		    const struct switchconf *s)
{
	jsonout_array(o, "ips");
	for (size_t i = 0; i < p->n_ips; i++) {
		const struct ip *gateway = gateway_of(s, &p->ips[i]);
		jsonout_object(o, NULL);
		if (!cni_version_is_from(c->version, "1.0.0"))
			jsonout_string(o, "version", p->ips[i].family == AF_INET ? "4" : "6");
		put_ip_net(o, "address", &p->ips[i]);
		if (gateway)
			put_ip(o, "gateway", gateway);
		jsonout_u64(o, "interface", 2);
		jsonout_end(o);
	}
	jsonout_end(o);
}

static void put_routes(struct jsonout *o, const struct net_port *p, const struct switchconf *s)
{
	bool done[2] = { false, false };

	jsonout_array(o, "routes");
	for (size_t i = 0; i < p->n_ips; i++) {
		const struct ip *gateway = gateway_of(s, &p->ips[i]);
		bool six = p->ips[i].family == AF_INET6;
		if (!gateway || done[six])
			continue;
		done[six] = true;
		jsonout_object(o, NULL);
		jsonout_string(o, "dst", six ? "::/0" : "0.0.0.0/0");
		put_ip(o, "gw", gateway);
		jsonout_end(o);
	}
	jsonout_end(o);
}

char *cni_result(const struct cni_config *c, const struct network *n, const struct switchconf *s,
		 const char *netns)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);
	const struct net_port *p = &n->ports[0];
	uint32_t mtu = cni_version_is_from(c->version, "1.1.0") ? s->mtu : 0;
	struct mac ours = mac_derive(p->link);
	char bridge[SWITCH_NAME_MAX + 4];

	snprintf(bridge, sizeof(bridge), "sw-%s", s->name);
	jsonout_object(o, NULL);
	jsonout_string(o, "cniVersion", c->version);
	jsonout_array(o, "interfaces");
	put_interface(o, bridge, &s->mac, mtu, NULL);
	put_interface(o, p->link, &ours, mtu, NULL);
	put_interface(o, p->ifname, &p->mac, mtu, netns);
	jsonout_end(o);
	put_ips(o, c, p, s);
	put_routes(o, p, s);
	jsonout_object(o, "dns");
	jsonout_end(o);
	jsonout_end(o);
	jsonout_newline(o);
	return jsonout_take(o, NULL);
}

char *cni_error(const char *version, enum cni_code code, const char *msg)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);

	jsonout_object(o, NULL);
	jsonout_string(o, "cniVersion", version);
	jsonout_u64(o, "code", code);
	jsonout_string(o, "msg", msg);
	jsonout_end(o);
	jsonout_newline(o);
	return jsonout_take(o, NULL);
}

char *cni_versions(const char *version)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(true);

	jsonout_object(o, NULL);
	jsonout_string(o, "cniVersion", version);
	jsonout_strings(o, "supportedVersions", versions);
	jsonout_end(o);
	jsonout_newline(o);
	return jsonout_take(o, NULL);
}

bool cni_result_has(const struct json *result, const struct net_port *port)
{
	const struct json *ips = json_get(result, "ips");

	for (size_t i = 0; i < port->n_ips; i++) {
		bool found = false;
		for (const struct json *child = ips && ips->type == JSON_ARRAY ? ips->first : NULL; child;
		     child = child->next) {
			const struct json *text = child->type == JSON_OBJECT ? json_get(child, "address")
									     : NULL;
			struct ip ip;
			found |= text && text->type == JSON_STRING && ip_parse(text->text, &ip) == 0 &&
				 ip_equal(&ip, &port->ips[i]);
		}
		if (!found)
			return false;
	}
	return true;
}
