/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipread.c - addresses in our own JSON files */
#include "specs/ipread.h"

static int read_one(const struct json *v, bool net, struct ip *ret, struct error *e)
{
	struct error why;

	if (v->type != JSON_STRING)
		return json_fail(v, e, "expected a string");
	int r = net ? ip_expect_net(v->text, ret, &why) : ip_expect(v->text, ret, &why);
	return r < 0 ? json_fail(v, e, "%s", why.msg) : 0;
}

static int read_list(const struct reading *in, const struct json *v, const struct field *f, void *object,
		     bool net, struct error *e)
{
	struct ip *list = arena_calloc(in->arena, v->size + 1, sizeof(*list));
	size_t i = 0;

	if (!list)
		return out_of_memory(e);
	for (const struct json *child = v->first; child; child = child->next) {
		int r = read_one(child, net, &list[i++], e);
		if (r < 0)
			return r;
	}
	*(struct ip **)field_at(object, f) = list;
	*(size_t *)(void *)((char *)object + f->count) = v->size;
	return 0;
}

READER(read_ip)
{
	(void)in;
	return read_one(v, false, field_at(object, f), e);
}

READER(read_ip_net)
{
	(void)in;
	return read_one(v, true, field_at(object, f), e);
}

READER(read_ips)
{
	return read_list(in, v, f, object, false, e);
}

READER(read_ip_nets)
{
	return read_list(in, v, f, object, true, e);
}

READER(read_mac)
{
	struct error why;

	(void)in;
	return mac_expect(v->text, field_at(object, f), &why) < 0 ? json_fail(v, e, "%s", why.msg) : 0;
}

void put_ip(struct jsonout *o, const char *key, const struct ip *ip)
{
	char buf[IP_TEXT_SIZE];
	jsonout_string(o, key, ip_text(ip, buf));
}

void put_ip_net(struct jsonout *o, const char *key, const struct ip *ip)
{
	char buf[IP_TEXT_SIZE];
	jsonout_string(o, key, ip_net_text(ip, buf));
}

void put_mac(struct jsonout *o, const char *key, const struct mac *mac)
{
	char buf[MAC_TEXT_SIZE];
	jsonout_string(o, key, mac_text(mac, buf));
}
