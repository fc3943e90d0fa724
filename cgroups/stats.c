/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.c - what `coracle events` prints: the figures of a group in runc's JSON shape
 *
 * In RUNTIME; only reads. The shape is cgroup v1's, filled as runc fills it from cgroup v2: times in
 * nanoseconds, swap counted together with memory, "max" as the largest number. A file that is missing, its
 * controller not being there, leaves zeros or no key. The pressure figures (PSI) are v2's own. */
#include "cgroups/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "specs/jsonout.h"

#define FILE_LIMIT (1 << 20)

/* ---- reading ---- */

/* The text of a file, "" where there is none to read. A new string, or NULL when memory is short. */
static char *read_text(int group, const char *file)
{
	char *text = NULL;
	struct error ignored;

	if (io_read_file(group, file, FILE_LIMIT, &text, NULL, &ignored) < 0)
		return strdup("");
	return text;
}

/* A file of one number; "max" is the largest. Missing: 0. */
static uint64_t read_number(int group, const char *file)
{
	char text[32];
	struct error ignored;
	uint64_t value = 0;

	if (io_read_small(group, file, text, sizeof(text), &ignored) < 0)
		return 0;
	if (str_eq(text, "max"))
		return UINT64_MAX;
	return str_to_u64(text, &value) < 0 ? 0 : value;
}

/* Cut the next "key value" line out of *at, in place. Returns false at the end. */
static bool next_pair(char **at, const char **key, uint64_t *value)
{
	while (**at) {
		char *line = *at, *end = line + strcspn(line, "\n");
		*at = *end ? end + 1 : end;
		*end = '\0';
		char *blank = strchr(line, ' ');
		if (!blank)
			continue;
		*blank = '\0';
		*key = line;
		if (str_to_u64(blank + 1, value) == 0)
			return true;
	}
	return false;
}

/* The value of one key in a file of "key value" lines. */
static uint64_t read_field(int group, const char *file, const char *field)
{
	auto_free char *text = read_text(group, file);
	char *at = text;
	const char *key;
	uint64_t value;

	while (at && next_pair(&at, &key, &value))
		if (str_eq(key, field))
			return value;
	return 0;
}

/* ---- writing ---- */

static void put_nonzero(struct jsonout *o, const char *key, uint64_t value)
{
	if (value)
		jsonout_u64(o, key, value);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0": the numbers are valid JSON as they are. */
static void put_pressure_line(struct jsonout *o, char *line)
{
	char *save = NULL, *word = strtok_r(line, " ", &save);

	jsonout_object(o, word);
	while ((word = strtok_r(NULL, " ", &save))) {
		char *equals = strchr(word, '=');
		if (!equals || !equals[1] || equals[1 + strspn(equals + 1, "0123456789.")])
			continue;
		*equals = '\0';
		jsonout_raw(o, word, equals + 1);
	}
	jsonout_end(o);
}

static void put_pressure(struct jsonout *o, int group, const char *file)
{
	auto_free char *text = read_text(group, file);
	char *save = NULL;

	if (!text || !*text)
		return;
	jsonout_object(o, "psi");
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (str_starts(line, "some ") || str_starts(line, "full "))
			put_pressure_line(o, line);
	jsonout_end(o);
}

/* ---- cpu ---- */

static const struct {
	const char *field, *key;
	bool throttling, always;
	uint64_t factor;
} cpu_rows[] = {
	{ "usage_usec", "total", false, false, 1000 },
	{ "system_usec", "kernel", false, true, 1000 },
	{ "user_usec", "user", false, true, 1000 },
	{ "nr_periods", "periods", true, false, 1 },
	{ "nr_throttled", "throttledPeriods", true, false, 1 },
	{ "throttled_usec", "throttledTime", true, false, 1000 },
};

static void put_cpu(struct jsonout *o, int group)
{
	auto_free char *text = read_text(group, "cpu.stat");
	uint64_t values[COUNT_OF(cpu_rows)] = { 0 }, value;
	char *at = text;
	const char *key;

	while (at && next_pair(&at, &key, &value))
		for (size_t i = 0; i < COUNT_OF(cpu_rows); i++)
			if (str_eq(key, cpu_rows[i].field))
				values[i] = value * cpu_rows[i].factor;
	jsonout_object(o, "cpu");
	for (int throttling = 0; throttling < 2; throttling++) {
		jsonout_object(o, throttling ? "throttling" : "usage");
		for (size_t i = 0; i < COUNT_OF(cpu_rows); i++)
			if (cpu_rows[i].throttling == (throttling == 1) && (cpu_rows[i].always || values[i]))
				jsonout_u64(o, cpu_rows[i].key, values[i]);
		jsonout_end(o);
	}
	put_pressure(o, group, "cpu.pressure");
	jsonout_end(o);
}

/* "0-3,7" as an array; runc's numbers have 16 bits. */
static void put_list(struct jsonout *o, const char *key, int group, const char *file)
{
	auto_free char *text = read_text(group, file);
	char *at = text;

	if (!text || strspn(text, "0123456789") == 0)
		return;
	jsonout_array(o, key);
	while (*at >= '0' && *at <= '9') {
		unsigned long first = strtoul(at, &at, 10), last = first;
		if (*at == '-')
			last = strtoul(at + 1, &at, 10);
		for (; first <= last && first <= UINT16_MAX; first++)
			jsonout_u64(o, NULL, first);
		at += *at == ',';
	}
	jsonout_end(o);
}

static void put_cpuset(struct jsonout *o, int group)
{
	/* What v1 has and v2 has not is always there in runc's output, as 0. */
	static const char *const zeros[] = { "cpu_exclusive",		"mem_hardwall",
					     "mem_exclusive",		"memory_migrate",
					     "memory_spread_page",	"memory_spread_slab",
					     "memory_pressure",		"sched_load_balance",
					     "sched_relax_domain_level" };

	jsonout_object(o, "cpuset");
	put_list(o, "cpus", group, "cpuset.cpus.effective");
	put_list(o, "mems", group, "cpuset.mems.effective");
	for (size_t i = 0; i < COUNT_OF(zeros); i++)
		jsonout_u64(o, zeros[i], 0);
	jsonout_end(o);
}

/* ---- memory ---- */

struct memory {
	uint64_t limit, usage, peak, failures;
};

static void put_memory_entry(struct jsonout *o, const char *key, const struct memory *m)
{
	jsonout_object(o, key);
	jsonout_u64(o, "limit", m->limit);
	put_nonzero(o, "usage", m->usage);
	put_nonzero(o, "max", m->peak);
	jsonout_u64(o, "failcnt", m->failures);
	jsonout_end(o);
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void put_memory(struct jsonout *o, int group)
{
	const struct memory none = { 0 },
			    memory = { .limit = read_number(group, "memory.max"),
				       .usage = read_number(group, "memory.current"),
				       .peak = read_number(group, "memory.peak"),
				       .failures = read_field(group, "memory.events", "max") },
			    swap = { .limit = add_saturated(read_number(group, "memory.swap.max"),
							    memory.limit),
				     .usage = read_number(group, "memory.swap.current") + memory.usage,
				     .failures = read_field(group, "memory.swap.events", "max") };
	auto_free char *text = read_text(group, "memory.stat");
	char *at = text;
	const char *key;
	uint64_t value;

	jsonout_object(o, "memory");
	put_nonzero(o, "cache", read_field(group, "memory.stat", "file"));
	put_memory_entry(o, "usage", &memory);
	put_memory_entry(o, "swap", &swap);
	put_memory_entry(o, "kernel", &none);
	put_memory_entry(o, "kernelTCP", &none);
	if (text && *text) {
		jsonout_object(o, "raw");
		while (next_pair(&at, &key, &value))
			jsonout_u64(o, key, value);
		jsonout_end(o);
	}
	put_pressure(o, group, "memory.pressure");
	jsonout_end(o);
}

/* ---- pids ---- */

static void put_pids(struct jsonout *o, int group)
{
	uint64_t current = read_number(group, "pids.current"), limit = read_number(group, "pids.max");

	if (!current) { /* without the controller: processes are counted, threads are not */
		auto_free pid_t *pids = NULL;
		struct error ignored;
		ssize_t n = cgroup_pids(group, &pids, &ignored);
		current = n > 0 ? (uint64_t)n : 0;
	}
	jsonout_object(o, "pids");
	put_nonzero(o, "current", current);
	put_nonzero(o, "limit", limit == UINT64_MAX ? 0 : limit);
	jsonout_end(o);
}

/* ---- block I/O ---- */

static void put_block_entry(struct jsonout *o, unsigned int major, unsigned int minor, const char *op,
			    uint64_t value)
{
	jsonout_object(o, NULL);
	put_nonzero(o, "major", major);
	put_nonzero(o, "minor", minor);
	jsonout_string(o, "op", op);
	put_nonzero(o, "value", value);
	jsonout_end(o);
}

/* One array out of io.stat, "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" */
static void put_block_array(struct jsonout *o, const char *key, const char *stat, const char *read_field_name,
			    const char *write_field_name)
{
	bool open = false;

	for (const char *line = stat; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		unsigned int major, minor;
		int used = 0;
		if (sscanf(line, "%u:%u%n", &major, &minor, &used) != 2)
			continue;
		for (const char *at = line + used; *at == ' '; at += strcspn(at, " \n")) {
			at++;
			bool is_read = str_starts(at, read_field_name);
			if (!is_read && !str_starts(at, write_field_name))
				continue;
			if (!open)
				jsonout_array(o, key);
			open = true;
			put_block_entry(o, major, minor, is_read ? "Read" : "Write",
					strtoull(at + strcspn(at, "=") + 1, NULL, 10));
		}
	}
	if (open)
		jsonout_end(o);
}

static void put_block(struct jsonout *o, int group)
{
	auto_free char *stat = read_text(group, "io.stat");

	jsonout_object(o, "blkio");
	if (stat) {
		put_block_array(o, "ioServiceBytesRecursive", stat, "rbytes=", "wbytes=");
		put_block_array(o, "ioServicedRecursive", stat, "rios=", "wios=");
	}
	put_pressure(o, group, "io.pressure");
	jsonout_end(o);
}

/* ---- huge pages ---- */

static uint64_t read_hugetlb(int group, const char *size, const char *file)
{
	char name[NAME_MAX + 1];

	if (str_format(name, sizeof(name), "hugetlb.%s.rsvd.%s", size, file) < 0)
		return 0;
	if (faccessat(group, name, F_OK, 0) < 0)
		str_format(name, sizeof(name), "hugetlb.%s.%s", size, file);
	return read_number(group, name);
}

static void put_hugetlb_size(struct jsonout *o, int group, const char *size)
{
	char events[NAME_MAX + 1];

	if (str_format(events, sizeof(events), "hugetlb.%s.events", size) < 0)
		return;
	jsonout_object(o, size);
	put_nonzero(o, "usage", read_hugetlb(group, size, "current"));
	jsonout_u64(o, "failcnt", read_field(group, events, "max"));
	jsonout_end(o);
}

/* The sizes are those for which the group has files: hugetlb.SIZE.current */
static void put_hugetlb(struct jsonout *o, int group)
{
	int fd = openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	jsonout_object(o, "hugetlb");
	while (dir && (d = readdir(dir))) {
		char *size = d->d_name + strlen("hugetlb."), *end = strchr(d->d_name, '\0');
		if (!str_starts(d->d_name, "hugetlb.") || !str_ends(size, ".current") ||
		    str_ends(size, ".rsvd.current"))
			continue;
		end[-(ptrdiff_t)strlen(".current")] = '\0';
		put_hugetlb_size(o, group, size);
	}
	if (dir)
		closedir(dir);
	else
		cleanup_close(&fd);
	jsonout_end(o);
}

int cgroup_stats_json(int group, const char *id, char **ret, struct error *e)
{
	AUTO(jsonout) struct jsonout *o = jsonout_new(false);

	jsonout_object(o, NULL);
	jsonout_string(o, "type", "stats");
	jsonout_string(o, "id", id);
	jsonout_object(o, "data");
	put_cpu(o, group);
	put_cpuset(o, group);
	put_memory(o, group);
	put_pids(o, group);
	put_block(o, group);
	put_hugetlb(o, group);
	jsonout_object(o, "intel_rdt");
	jsonout_end(o);
	jsonout_null(o, "network_interfaces");
	jsonout_end(o);
	jsonout_end(o);
	char *text = jsonout_take(o, NULL);
	if (!text)
		return fail(e, ENOMEM, "statistics of container %s", id);
	*ret = text;
	return 0;
}
