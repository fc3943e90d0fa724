/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rdt.c - cache and memory bandwidth classes: groups of the resctrl file system */
#include "cgroups/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

enum { MOUNTINFO_LIMIT = 16 << 20, SCHEMATA_LIMIT = 1 << 20 };

/* ---- the mount ---- */

/* Where one line of mountinfo has a resctrl: "… 30 25 0:28 / /sys/fs/resctrl rw … - resctrl resctrl rw". */
static bool mount_point(char *line, char **ret)
{
	char *end = strstr(line, " - resctrl ");

	if (!end)
		return false;
	for (int word = 0; word < 4; word++) {
		line = strchr(line, ' ');
		if (!line)
			return false;
		line++;
	}
	line[strcspn(line, " ")] = '\0';
	*ret = line;
	return true;
}

int rdt_open_root(struct error *e)
{
	auto_free char *text = NULL;
	char *at = NULL, *rest;

	int r = io_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_LIMIT, &text, NULL, e);
	if (r < 0)
		return r;
	rest = text;
	for (char *line; !at && (line = strsep(&rest, "\n"));)
		mount_point(line, &at);
	if (!at)
		return refuse(e, ENOENT, "linux.intelRdt: no resctrl file system is mounted");
	int fd = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail(e, errno, "open %s", at) : fd;
}

/* ---- schemata ---- */

struct rdt_group rdt_plan(const struct spec_intel_rdt *r, const char *id)
{
	return (struct rdt_group){ .clos = r->clos_id ? r->clos_id : id,
				   .id = id,
				   .monitored = r->enable_monitoring };
}

static void put_line(FILE *out, const char *line, size_t size)
{
	fprintf(out, "%.*s\n", (int)size, line);
}

char *rdt_schemata(const struct spec_intel_rdt *r)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (const char *line = r->l3_cache_schema; line && *line;) {
		size_t n = strcspn(line, "\n");
		if (n && !(r->mem_bw_schema && str_starts(line, "MB:")))
			put_line(out, line, n);
		line += n + (line[n] == '\n');
	}
	if (r->mem_bw_schema)
		put_line(out, r->mem_bw_schema, strlen(r->mem_bw_schema));
	for (char **line = r->schemata; line && *line; line++)
		put_line(out, *line, strlen(*line));
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* "0=00ff" names the domain before "=", and a number, of which leading zeros and case do not count. */
static bool same_domain(const char *a, size_t a_size, const char *b, size_t b_size)
{
	const char *a_value = memchr(a, '=', a_size), *b_value = memchr(b, '=', b_size);

	if (!a_value || !b_value || a_value - a != b_value - b || memcmp(a, b, (size_t)(a_value - a)) != 0)
		return false;
	for (a_size -= (size_t)(++a_value - a), b_size -= (size_t)(++b_value - b);
	     a_size > 1 && *a_value == '0'; a_size--)
		a_value++;
	for (; b_size > 1 && *b_value == '0'; b_size--)
		b_value++;
	return a_size == b_size && strncasecmp(a_value, b_value, a_size) == 0;
}

/* Each domain of a line's list among those of the file's. */
static bool domains_fit(const char *asked, size_t size, const char *file, size_t file_size)
{
	for (const char *a = asked; a < asked + size;) {
		size_t n = strcspn(a, ";\n");
		bool found = false;
		for (const char *b = file; !found && b < file + file_size;) {
			size_t k = strcspn(b, ";\n");
			found = same_domain(a, n, b, k);
			b += k + 1;
		}
		if (!found)
			return false;
		a += n + 1;
	}
	return true;
}

static bool line_fits(const char *asked, size_t size, const char *file)
{
	const char *colon = memchr(asked, ':', size);
	size_t name = colon ? (size_t)(colon - asked) + 1 : 0;

	if (!colon)
		return false;
	while (*file) {
		file += strspn(file, " ");
		size_t n = strcspn(file, "\n");
		if (n > name && strncmp(file, asked, name) == 0)
			return domains_fit(asked + name, size - name, file + name, n - name);
		file += n + (file[n] == '\n');
	}
	return false;
}

bool rdt_schemata_fit(const char *asked, const char *file)
{
	while (*asked) {
		size_t n = strcspn(asked, "\n");
		if (n && !line_fits(asked, n, file))
			return false;
		asked += n + (asked[n] == '\n');
	}
	return true;
}

/* ---- groups ---- */

static int open_class(int root, const char *clos, struct error *e)
{
	int fd = path_beneath(root, clos, O_RDONLY | O_DIRECTORY, false, e);
	return fd < 0 ? prefix(e, "linux.intelRdt: class %s", clos) : fd;
}

bool rdt_has_class(int root, const char *clos)
{
	struct stat st;
	return fstatat(root, clos, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int check_schemata(int class, const char *clos, const char *asked, struct error *e)
{
	auto_free char *text = NULL;

	int r = io_read_file(class, "schemata", SCHEMATA_LIMIT, &text, NULL, e);
	if (r < 0)
		return prefix(e, "linux.intelRdt: class %s", clos);
	if (!rdt_schemata_fit(asked, text))
		return refuse(e, EEXIST, "linux.intelRdt: class %s is there, with other schemata", clos);
	return 0;
}

static int write_schemata(int class, const char *clos, const char *text, struct error *e)
{
	int r = io_write_file(class, "schemata", text, e);
	return r < 0 ? prefix(e, "linux.intelRdt: class %s", clos) : 0;
}

static int make_class(int root, const struct rdt_group *g, bool has_schemata, bool named, struct error *e)
{
	/* Without schemata a named class is one that somebody else looks after. */
	if (named && !has_schemata)
		return refuse(e, ENOENT, "linux.intelRdt.closID: there is no class %s", g->clos);
	if (mkdirat(root, g->clos, 0755) < 0)
		return fail(e, errno, "linux.intelRdt: make class %s", g->clos);
	return 0;
}

static int make_monitor(int class, const struct rdt_group *g, struct error *e)
{
	auto_close int groups = path_beneath(class, "mon_groups", O_RDONLY | O_DIRECTORY, false, e);
	if (groups < 0)
		return prefix(e, "linux.intelRdt.enableMonitoring");
	if (mkdirat(groups, g->id, 0755) < 0)
		return fail(e, errno, "linux.intelRdt.enableMonitoring: make %s/mon_groups/%s", g->clos,
			    g->id);
	return 0;
}

/* Directories of the file system's own beside the classes. */
static int check_name(const char *clos, struct error *e)
{
	static const char *const taken[] = { "info", "mon_data", "mon_groups" };

	for (size_t i = 0; i < COUNT_OF(taken); i++)
		if (str_eq(clos, taken[i]))
			return refuse(e, EINVAL, "linux.intelRdt: %s is not the name of a class", clos);
	return 0;
}

int rdt_create(int root, const struct spec_intel_rdt *r, struct rdt_group *g, struct error *e)
{
	auto_free char *asked = rdt_schemata(r);
	struct error ignored;

	if (!asked)
		return fail(e, ENOMEM, "linux.intelRdt");
	int err = check_name(g->clos, e);
	if (err < 0)
		return err;
	if (!rdt_has_class(root, g->clos)) {
		g->made = true;
		err = make_class(root, g, *asked, r->clos_id, e);
		if (err < 0)
			return err;
	}
	auto_close int class = open_class(root, g->clos, e);
	err = class < 0 ? class : 0;
	if (err == 0 && *asked)
		err = g->made ? write_schemata(class, g->clos, asked, e)
			      : check_schemata(class, g->clos, asked, e);
	if (err == 0 && g->monitored)
		err = make_monitor(class, g, e);
	if (err < 0 && g->made)
		rdt_remove(root, g, &ignored);
	return err;
}

int rdt_attach(int root, const struct rdt_group *g, pid_t pid, struct error *e)
{
	char text[16], path[PATH_MAX];

	snprintf(text, sizeof(text), "%d", (int)pid);
	auto_close int class = open_class(root, g->clos, e);
	int r = class < 0 ? class : io_write_file(class, "tasks", text, e);
	if (r == 0 && g->monitored) {
		snprintf(path, sizeof(path), "mon_groups/%s/tasks", g->id);
		r = io_write_file(class, path, text, e);
	}
	return r < 0 ? prefix(e, "linux.intelRdt: class %s", g->clos) : 0;
}

int rdt_remove(int root, const struct rdt_group *g, struct error *e)
{
	char path[PATH_MAX];

	if (g->monitored) {
		snprintf(path, sizeof(path), "%s/mon_groups/%s", g->clos, g->id);
		if (unlinkat(root, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return fail(e, errno, "linux.intelRdt: remove %s", path);
	}
	if (g->made && unlinkat(root, g->clos, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail(e, errno, "linux.intelRdt: remove class %s", g->clos);
	return 0;
}
