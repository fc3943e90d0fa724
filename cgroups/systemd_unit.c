/* SPDX-License-Identifier: GPL-2.0-or-later */
/* systemd_unit.c - names and properties of a scope (pure)
 *
 * Limits come as the lines that would be written into the group's files, so that both ways say the same. */
#include "cgroups/systemd.h"

#include <errno.h>
#include <string.h>

#include "cgroups/internal.h"
#include "runtime/base/str.h"

/* ---- names ---- */

/* What systemd allows in the name of a unit; anything else could mean another unit or a path. */
static bool is_unit_name(const char *s)
{
	return *s &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.@+") == strlen(s);
}

static int check_slice(const char *slice, struct error *e)
{
	if (!is_unit_name(slice) || !str_ends(slice, ".slice") || *slice == '-' || strstr(slice, "--"))
		return refuse(e, EINVAL, "cgroupsPath: \"%.100s\" is not the name of a slice", slice);
	return 0;
}

int systemd_unit_parse(const char *cgroups_path, const char *id, bool user, struct systemd_unit *ret,
		       struct error *e)
{
	struct systemd_unit u = { .user = user };
	char copy[2 * UNIT_NAME_MAX];
	const char *parts[3] = { "", "", "" };

	if (str_format(copy, sizeof(copy), "%s", cgroups_path ? cgroups_path : "") < 0)
		return refuse(e, ENAMETOOLONG, "cgroupsPath: too long");
	if (*copy) {
		char *rest = copy;
		for (size_t i = 0; i < COUNT_OF(parts); i++)
			if (!(parts[i] = strsep(&rest, ":")))
				return refuse(e, EINVAL,
					      "cgroupsPath: \"%.100s\" is not slice:prefix:name, as systemd "
					      "cgroups want it",
					      cgroups_path);
		if (rest)
			return refuse(e, EINVAL, "cgroupsPath: \"%.100s\" has more than three parts",
				      cgroups_path);
	}
	const char *slice = *parts[0] ? parts[0] : user ? "user.slice" : "system.slice";
	const char *prefix = *parts[1] ? parts[1] : "coracle", *name = *parts[2] ? parts[2] : id;
	int r = check_slice(slice, e);
	if (r < 0)
		return r;
	if (str_format(u.slice, sizeof(u.slice), "%s", slice) < 0 ||
	    str_format(u.name, sizeof(u.name), "%s-%s.scope", prefix, name) < 0)
		return refuse(e, ENAMETOOLONG, "cgroupsPath: too long for the name of a unit");
	if (!is_unit_name(u.name))
		return refuse(e, EINVAL, "cgroupsPath: \"%.100s\" is not the name of a scope", u.name);
	*ret = u;
	return 0;
}

/* ---- properties ---- */

static int put(struct systemd_properties *p, struct systemd_property one, struct error *e)
{
	/* The last of a name counts, as with the files. */
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->list[i].name, one.name)) {
			p->list[i] = one;
			return 0;
		}
	if (p->n == SYSTEMD_MAX_PROPERTIES)
		return refuse(e, E2BIG, "more than %d properties", SYSTEMD_MAX_PROPERTIES);
	p->list[p->n++] = one;
	return 0;
}

static int put_number(struct systemd_properties *p, const char *name, uint64_t number, struct error *e)
{
	return put(p, (struct systemd_property){ .name = name, .type = 't', .number = number }, e);
}

/* "max" is systemd's infinity. Texts that are no number stay with the file. */
static int as_number(const char *name, const char *text, struct systemd_properties *p, struct error *e)
{
	uint64_t value = UINT64_MAX;
	char word[32];

	if (str_starts(text, "default "))
		text += strlen("default ");
	if (str_format(word, sizeof(word), "%s", text) < 0)
		return 0;
	word[strcspn(word, "\n")] = '\0';
	if (!str_eq(word, "max") && str_to_u64(word, &value) < 0)
		return 0;
	return put_number(p, name, value, e);
}

/* "QUOTA PERIOD" in microseconds; systemd has the quota of a second, in steps of 10 ms. */
static int as_quota(const char *name, const char *text, struct systemd_properties *p, struct error *e)
{
	enum { STEP = 10000 };
	char copy[64], *rest = copy;
	uint64_t quota = 0, period = 100000, per_second = UINT64_MAX;

	if (str_format(copy, sizeof(copy), "%s", text) < 0)
		return 0;
	copy[strcspn(copy, "\n")] = '\0';
	const char *word = strsep(&rest, " ");
	if (rest && (str_to_u64(rest, &period) < 0 || period == 0))
		return 0;
	if (!str_eq(word, "max")) {
		if (str_to_u64(word, &quota) < 0 || quota > UINT64_MAX / 1000000)
			return 0;
		per_second = (quota * 1000000 / period + STEP - 1) / STEP * STEP;
	}
	int r = put_number(p, name, per_second, e);
	return r < 0 ? r : put_number(p, "CPUQuotaPeriodUSec", period, e);
}

/* "0-3,7" as bits, lowest first. */
static int as_set(const char *name, const char *text, struct systemd_properties *p, struct error *e)
{
	unsigned char *bytes = p->bytes[p->n_bytes];
	size_t size = 0;

	if (p->n_bytes == COUNT_OF(p->bytes) || !*text)
		return 0;
	memset(bytes, 0, SYSTEMD_MAX_BYTES);
	for (const char *c = text; *c && *c != '\n';) {
		unsigned int from = 0, to;
		if (*c < '0' || *c > '9')
			return 0;
		for (; *c >= '0' && *c <= '9' && from < 8 * SYSTEMD_MAX_BYTES; c++)
			from = from * 10 + (unsigned int)(*c - '0');
		to = from;
		if (*c == '-')
			for (to = 0, c++; *c >= '0' && *c <= '9' && to < 8 * SYSTEMD_MAX_BYTES; c++)
				to = to * 10 + (unsigned int)(*c - '0');
		if (to >= 8 * SYSTEMD_MAX_BYTES || (*c && *c != ',' && *c != '\n'))
			return 0;
		for (unsigned int i = from; i <= to; i++)
			bytes[i / 8] |= (unsigned char)(1U << i % 8);
		if (to / 8 + 1 > size)
			size = to / 8 + 1;
		c += *c == ',';
	}
	p->n_bytes++;
	return put(p,
		   (struct systemd_property){
			   .name = name, .type = 'y', .number = size, .text = (const char *)bytes },
		   e);
}

static const struct {
	const char *file, *property;
	int (*format)(const char *name, const char *text, struct systemd_properties *p, struct error *e);
} by_file[] = {
	{ "cpu.max", "CPUQuotaPerSecUSec", as_quota },	   { "cpu.weight", "CPUWeight", as_number },
	{ "cpuset.cpus", "AllowedCPUs", as_set },	   { "cpuset.mems", "AllowedMemoryNodes", as_set },
	{ "io.bfq.weight", "IOWeight", as_number },	   { "io.weight", "IOWeight", as_number },
	{ "memory.high", "MemoryHigh", as_number },	   { "memory.low", "MemoryLow", as_number },
	{ "memory.max", "MemoryMax", as_number },	   { "memory.min", "MemoryMin", as_number },
	{ "memory.swap.max", "MemorySwapMax", as_number }, { "pids.max", "TasksMax", as_number },
};

struct collect {
	struct systemd_properties *p;
	bool late;
};

static int take_line(void *context, const struct knob_line *line, struct error *e)
{
	struct collect *c = context;
	uint64_t tasks;

	if (str_eq(line->file, "pids.max") && !c->late && str_to_u64(line->text, &tasks) == 0 &&
	    tasks < SYSTEMD_FEW_TASKS)
		return 0;
	for (size_t i = 0; i < COUNT_OF(by_file); i++)
		if (str_eq(line->file, by_file[i].file))
			return by_file[i].format(by_file[i].property, line->text, c->p, e);
	return 0;
}

int systemd_limits(const struct spec_resources *r, bool late, struct systemd_properties *p, struct error *e)
{
	const struct knobs_now now = { .memory_limit = -1, .cpu_quota = "max" };
	struct collect c = { p, late };

	return knobs_format(r, &now, take_line, &c, e);
}

/* ---- annotations ---- */

#define ANNOTATION "org.systemd.property."

static const struct {
	const char *name;
	char type;
} allowed[] = {
	{ "KillSignal", 'i' },	{ "CollectMode", 's' },	   { "DefaultDependencies", 'b' },
	{ "Description", 's' }, { "RuntimeMaxUSec", 't' }, { "TimeoutStopUSec", 't' },
};

const char *systemd_allowed_annotation(size_t i)
{
	static const char *const names[] = {
		ANNOTATION "KillSignal",  ANNOTATION "CollectMode",    ANNOTATION "DefaultDependencies",
		ANNOTATION "Description", ANNOTATION "RuntimeMaxUSec", ANNOTATION "TimeoutStopUSec",
	};
	_Static_assert(COUNT_OF(names) == COUNT_OF(allowed), "one name each");

	return i < COUNT_OF(names) ? names[i] : NULL;
}

/* "'text'" or "\"text\"", without escapes. */
static bool unquote(const char *value, char *buf, size_t size)
{
	size_t n = strlen(value);

	if (n < 2 || (value[0] != '\'' && value[0] != '"') || value[n - 1] != value[0] || strchr(value, '\\'))
		return false;
	return str_format(buf, size, "%.*s", (int)n - 2, value + 1) >= 0 && str_is_printable(buf);
}

static int put_annotation(const char *name, char type, const char *value, struct systemd_properties *p,
			  struct error *e)
{
	struct systemd_property one = { .name = name, .type = type };
	char *text = p->texts[p->n_texts];
	bool good = false;

	if (type == 't')
		good = str_starts(value, "uint64 ") &&
		       str_to_u64(value + strlen("uint64 "), &one.number) == 0;
	if (type == 'i') { /* Podman writes the number alone */
		const char *number = str_starts(value, "int32 ") ? value + strlen("int32 ") : value;
		good = str_to_u64(number, &one.number) == 0 && one.number > 0 && one.number <= 64;
	}
	if (type == 'b') {
		one.number = str_eq(value, "true");
		good = one.number || str_eq(value, "false");
	}
	if (type == 's' && p->n_texts < COUNT_OF(p->texts) && unquote(value, text, sizeof(p->texts[0]))) {
		one.text = text;
		p->n_texts++;
		good = true;
	}
	if (!good)
		return refuse(e, EINVAL, "annotations: " ANNOTATION "%s: \"%.60s\" is no %s", name, value,
			      type == 't'   ? "\"uint64 NUMBER\""
			      : type == 'i' ? "\"int32 NUMBER\" of a signal"
			      : type == 'b' ? "true or false"
					    : "text in quotes");
	return put(p, one, e);
}

int systemd_annotations(const struct spec *s, struct systemd_properties *p, struct error *e)
{
	for (size_t i = 0; i < s->n_annotations; i++) {
		const char *key = s->annotations[i].key;
		size_t k = 0;
		if (!str_starts(key, ANNOTATION))
			continue;
		while (k < COUNT_OF(allowed) && !str_eq(key + strlen(ANNOTATION), allowed[k].name))
			k++;
		if (k == COUNT_OF(allowed))
			return refuse(
				e, EPERM,
				"annotations: %.100s: only harmless properties can be set by annotation",
				key);
		int r = put_annotation(allowed[k].name, allowed[k].type, s->annotations[i].value, p, e);
		if (r < 0)
			return r;
	}
	return 0;
}
