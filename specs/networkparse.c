/* SPDX-License-Identifier: GPL-2.0-or-later */
/* networkparse.c - wishes as people and annotations write them */
#include "specs/network.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"
#include "specs/switchconf.h"

#define RATE_MAX UINT64_C(400000000000) /* bits per second */

bool network_name_is_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = strlen(name);
	return n > 0 && n <= NET_NAME_MAX && strspn(name, allowed) == n && name[0] != '-' && name[0] != '.' &&
	       !str_eq(name, "localhost");
}

/* ---- rates ---- */

static const struct {
	const char *unit;
	uint64_t bits;
} rate_units[] = { { "", 1 }, { "bit", 1 }, { "kbit", 1000 }, { "mbit", 1000000 }, { "gbit", 1000000000 } };

/* Digits, and at most three behind a point: in thousandths. */
static int parse_thousandths(const char *text, const char **ret_end, uint64_t *ret)
{
	uint64_t value = 0;
	int behind = -1; /* digits behind the point */

	for (; (*text >= '0' && *text <= '9') || (*text == '.' && behind < 0); text++) {
		if (*text == '.') {
			behind = 0;
			continue;
		}
		if (behind == 3 || value > RATE_MAX)
			return -EINVAL;
		value = value * 10 + (uint64_t)(*text - '0');
		behind += behind >= 0;
	}
	for (int i = behind < 0 ? 0 : behind; i < 3; i++)
		value *= 10;
	*ret_end = text;
	*ret = value;
	return 0;
}

int network_parse_rate(const char *text, uint64_t *ret, struct error *e)
{
	const char *unit = text;
	uint64_t value = 0;

	if (parse_thousandths(text, &unit, &value) == 0 && unit != text)
		for (size_t i = 0; i < COUNT_OF(rate_units); i++) {
			if (strcasecmp(unit, rate_units[i].unit) != 0 ||
			    value > RATE_MAX * 1000 / rate_units[i].bits)
				continue;
			*ret = value * rate_units[i].bits / 1000;
			if (*ret >= 8000)
				return 0;
		}
	return refuse(e, EINVAL, "`%.40s` is no rate such as 10mbit (8kbit to 400gbit)", text);
}

/* ---- --switch ---- */

static int set_ip(struct network *n, struct net_port *p, const char *value, struct error *e)
{
	struct ip ip;

	int r = ip_expect(value, &ip, e);
	if (r < 0)
		return r;
	if (p->n_ips == NET_IPS_MAX)
		return refuse(e, EINVAL, "more than %d addresses", NET_IPS_MAX);
	if (!p->ips)
		p->ips = arena_calloc(n->arena, NET_IPS_MAX, sizeof(*p->ips));
	if (!p->ips)
		return fail(e, ENOMEM, "address");
	p->ips[p->n_ips++] = ip;
	return 0;
}

static int set_mac(struct network *n, struct net_port *p, const char *value, struct error *e)
{
	(void)n;
	return mac_expect(value, &p->mac, e);
}

static int set_ifname(struct network *n, struct net_port *p, const char *value, struct error *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
	size_t len = strlen(value);

	if (len == 0 || len >= NET_IFNAME_SIZE || strspn(value, allowed) != len || value[0] == '.' ||
	    str_eq(value, "lo"))
		return refuse(e, EINVAL, "`%.40s` is no name for a link (letters, digits, _ - ., at most %d)",
			      value, NET_IFNAME_SIZE - 1);
	p->ifname = arena_strdup(n->arena, value);
	return p->ifname ? 0 : fail(e, ENOMEM, "link");
}

static int set_rate(struct network *n, struct net_port *p, const char *value, struct error *e)
{
	(void)n;
	return network_parse_rate(value, &p->rate, e);
}

static const struct {
	const char *key;
	int (*set)(struct network *n, struct net_port *p, const char *value, struct error *e);
} port_keys[] = { { "ip", set_ip }, { "mac", set_mac }, { "ifname", set_ifname }, { "rate", set_rate } };

static int set_key(struct network *n, struct net_port *p, char *word, struct error *e)
{
	char *equals = strchr(word, '=');

	if (equals)
		*equals = '\0';
	for (size_t i = 0; equals && i < COUNT_OF(port_keys); i++)
		if (str_eq(port_keys[i].key, word)) {
			int r = port_keys[i].set(n, p, equals + 1, e);
			return r < 0 ? prefix(e, "%s", word) : 0;
		}
	return refuse(e, EINVAL, "`%.60s` is none of ip=, mac=, ifname=, rate=", word);
}

int network_add_switch(struct network *n, const char *text, struct error *e)
{
	if (n->n_ports == NET_PORTS_MAX)
		return refuse(e, EINVAL, "more than %d switches", NET_PORTS_MAX);
	struct net_port *p = &n->ports[n->n_ports];
	char *words = arena_strdup(n->arena, text);
	if (!words)
		return fail(e, ENOMEM, "switch");
	p->switch_name = strsep(&words, ":");
	int r = switch_check_name(p->switch_name, e);
	for (char *word; r == 0 && words && (word = strsep(&words, ","));)
		r = set_key(n, p, word, e);
	for (size_t i = 0; r == 0 && p->ifname && i < n->n_ports; i++)
		if (n->ports[i].ifname && str_eq(n->ports[i].ifname, p->ifname))
			r = refuse(e, EINVAL, "two links named %s", p->ifname);
	n->n_ports += r == 0;
	return r;
}

/* ---- --publish ---- */

static int parse_port(const char *text, uint16_t *ret)
{
	uint32_t value;

	if (str_to_u32(text, &value) < 0 || value == 0 || value > 65535)
		return -EINVAL;
	*ret = (uint16_t)value;
	return 0;
}

static int parse_protocol(const char *text, uint8_t *ret)
{
	static const struct {
		const char *name;
		uint8_t number;
	} known[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP } };

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (str_eq(known[i].name, text)) {
			*ret = known[i].number;
			return 0;
		}
	return -EINVAL;
}

int network_parse_publish(const char *text, struct net_publish *ret, struct error *e)
{
	struct net_publish p = { .protocol = IPPROTO_TCP };
	char buf[96], *words = buf, *port, *slash;

	if (str_format(buf, sizeof(buf), "%s", text) < 0)
		goto bad;
	slash = strchr(buf, '/');
	if (slash)
		*slash = '\0';
	if (slash && parse_protocol(slash + 1, &p.protocol) < 0)
		goto bad;
	port = strrchr(buf, ':');
	if (!port || parse_port(port + 1, &p.port) < 0)
		goto bad;
	*port = '\0';
	port = strrchr(buf, ':');
	if (parse_port(port ? port + 1 : buf, &p.host_port) < 0)
		goto bad;
	if (port) {
		*port = '\0';
		size_t n = strlen(words);
		if (n > 2 && words[0] == '[' && words[n - 1] == ']') {
			words[n - 1] = '\0';
			words++;
		} else if (strchr(words, ':')) {
			goto bad;
		}
		if (ip_expect(words, &p.host, e) < 0)
			return -e->code;
		if (ip_is_any(&p.host)) /* of this family only */
			p.host.prefix = 0;
	}
	*ret = p;
	return 0;
bad:
	return refuse(e, EINVAL, "`%.80s` is not [ADDRESS:]HOSTPORT:PORT[/tcp or /udp]", text);
}

/* ---- all of it ---- */

static int add_publish(struct network *n, const char *text, struct error *e)
{
	int r = network_parse_publish(text, &n->published[n->n_published], e);
	n->n_published += r == 0;
	return r;
}

static int add_dns(struct network *n, const char *text, struct error *e)
{
	struct ip ip;
	size_t i = 0;

	int r = ip_expect(text, &ip, e);
	while (n->dns[i])
		i++;
	if (r == 0)
		n->dns[i] = arena_strdup(n->arena, text);
	return r;
}

static const struct wish {
	const char *option, *annotation;
	int (*add)(struct network *n, const char *text, struct error *e);
} wish_kinds[] = {
	{ "--switch", ANNOTATION_SWITCH, network_add_switch },
	{ "--publish", ANNOTATION_PUBLISH, add_publish },
	{ "--dns", ANNOTATION_DNS, add_dns },
};
#define KINDS COUNT_OF(wish_kinds)

bool network_is_annotated(const struct spec *s)
{
	return spec_annotation(s, ANNOTATION_SWITCH) != NULL;
}

static size_t count_wishes(char *const *options, const char *annotation)
{
	size_t n = options ? strv_count(options) : 0;

	for (const char *p = annotation; p; p = strchr(p, ';') ? strchr(p, ';') + 1 : NULL)
		n++;
	return n;
}

static int add_wishes(struct network *n, const struct wish *kind, char *const *options,
		      const char *annotation, struct error *e)
{
	for (; options && *options; options++)
		if (kind->add(n, *options, e) < 0)
			return prefix(e, "option %s", kind->option);
	char *words = annotation ? arena_strdup(n->arena, annotation) : NULL;
	for (char *word; words && (word = strsep(&words, ";"));) {
		word += strspn(word, " ");
		if (*word && kind->add(n, word, e) < 0)
			return prefix(e, "annotation %s", kind->annotation);
	}
	return 0;
}

static void choose_names(struct network *n, const char *id, const struct spec *s)
{
	const char *hostname = s ? s->hostname : NULL;

	if (network_name_is_valid(id))
		n->name = arena_strdup(n->arena, id);
	if (hostname && network_name_is_valid(hostname) && !str_eq(hostname, id)) {
		if (*n->name)
			n->alias = arena_strdup(n->arena, hostname);
		else
			n->name = arena_strdup(n->arena, hostname);
	}
	if (!n->name)
		n->name = "";
	if (!n->alias)
		n->alias = "";
}

int network_wishes(char *const *switches, char *const *published, char *const *dns, const char *id,
		   const struct spec *s, struct network **ret, struct error *e)
{
	char *const *const lists[KINDS] = { switches, published, dns };
	const char *notes[KINDS];
	size_t counts[KINDS];

	*ret = NULL;
	for (size_t i = 0; i < KINDS; i++) {
		notes[i] = s ? spec_annotation(s, wish_kinds[i].annotation) : NULL;
		counts[i] = count_wishes(lists[i], notes[i]);
	}
	size_t devices = s ? s->n_net_devices : 0;
	if (!counts[0] && (published || dns))
		return refuse(e, EINVAL, "option %s goes with --switch", published ? "--publish" : "--dns");
	if (!counts[0] && !devices)
		return 0;
	AUTO(network) struct network *n = network_new(NET_PORTS_MAX);
	if (!n)
		return fail(e, ENOMEM, "network");
	n->published = arena_calloc(n->arena, counts[1] + 1, sizeof(*n->published));
	n->dns = arena_calloc(n->arena, counts[2] + 1, sizeof(*n->dns));
	n->devices = arena_calloc(n->arena, devices + 1, sizeof(*n->devices));
	if (!n->published || !n->dns || !n->devices)
		return fail(e, ENOMEM, "network");
	for (; n->n_devices < devices; n->n_devices++)
		n->devices[n->n_devices] = (struct net_device){ s->net_devices[n->n_devices].name,
								s->net_devices[n->n_devices].new_name };
	for (size_t i = 0; i < KINDS; i++) {
		int r = add_wishes(n, &wish_kinds[i], lists[i], notes[i], e);
		if (r < 0)
			return r;
	}
	if (!n->dns[0])
		n->dns = NULL;
	choose_names(n, id, s);
	*ret = take_ptr(n);
	return 0;
}
