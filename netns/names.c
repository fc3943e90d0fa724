/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - hosts files, kept right in place */
#include "netns/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "runtime/base/io.h"
#include "runtime/base/str.h"

#define FILE_LIMIT    (16U << 20)
#define LINE_MAX_SIZE ((size_t)4 * NAMES_UNIT)

static const char *const header[] = { "127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback",
				      "ff02::1 ip6-allnodes", "ff02::2 ip6-allrouters" };

/* ---- on data alone ---- */

/* A line padded to whole units; returns its size. */
static size_t make_line(const char *text, char line[static LINE_MAX_SIZE])
{
	size_t n = strlen(text), size = (n + 1 + NAMES_UNIT - 1) / NAMES_UNIT * NAMES_UNIT;

	memset(line, ' ', size);
	memcpy(line, text, n); /* NOLINT(bugprone-not-null-terminated-result): a line, padded */
	line[size - 1] = '\n';
	return size;
}

/* Size of the line that begins at a unit's start: whole units, to its newline. */
static size_t line_size(const char *text, size_t left)
{
	const char *end = memchr(text, '\n', left);
	return end ? (size_t)(end - text) + 1 : left;
}

size_t names_find(const char *text, size_t size, const struct ip *ip, size_t *ret_at)
{
	char address[IP_TEXT_SIZE];
	size_t n = strlen(ip_text(ip, address));

	for (size_t at = 0, line; at < size; at += line) {
		line = line_size(text + at, size - at);
		if (line > n && memcmp(text + at, address, n) == 0 && text[at + n] == ' ') {
			*ret_at = at;
			return line;
		}
	}
	return 0;
}

/* Blank lines are units of their own. */
static size_t find_blank(const char *text, size_t size, size_t need)
{
	size_t run = 0;

	for (size_t at = 0, line; at < size; at += line) {
		line = line_size(text + at, size - at);
		run = line == NAMES_UNIT && text[at] == ' ' ? run + line : 0;
		if (run == need)
			return at + line - need;
	}
	return size;
}

bool names_place(const char *text, size_t size, const struct lease *l, size_t *ret_at, char *line,
		 size_t *ret_size)
{
	char address[IP_TEXT_SIZE], entry[LINE_MAX_SIZE];

	snprintf(entry, sizeof(entry), "%s %s%s%s", ip_text(&l->ip, address), l->name, *l->alias ? " " : "",
		 l->alias);
	*ret_size = make_line(entry, line);
	size_t old = names_find(text, size, &l->ip, ret_at);
	if (old == *ret_size) /* the same address under another name: in its place */
		return memcmp(text + *ret_at, line, old) != 0;
	*ret_at = find_blank(text, size, *ret_size);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int names_file(const char *const *switches, size_t count, char *buf, size_t size)
{
	const char *sorted[NET_PORTS_MAX];
	size_t used = 0;

	if (count > NET_PORTS_MAX)
		return -EINVAL;
	if (count == 0) /* connected to none: no switch has such a name */
		return str_format(buf, size, "+");
	memcpy(sorted, switches, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_name);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && str_eq(sorted[i], sorted[i - 1]))
			continue;
		int r = str_format(buf + used, size - used, "%s%s", used ? "+" : "", sorted[i]);
		if (r < 0)
			return r;
		used += strlen(buf + used);
	}
	return 0;
}

static bool file_has(const char *file, const char *switch_name)
{
	size_t n = strlen(switch_name);

	for (const char *p = file; p; p = strchr(p, '+') ? strchr(p, '+') + 1 : NULL)
		if (strncmp(p, switch_name, n) == 0 && (p[n] == '+' || p[n] == '\0'))
			return true;
	return false;
}

/* ---- files ---- */

/* Open and lock; the text as it is now. */
static int open_file(int hosts, const char *file, char **ret_text, size_t *ret_size, struct error *e)
{
	auto_close int fd = openat(hosts, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open hosts file %s", file);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return fail(e, errno, "lock hosts file %s", file);
	int r = io_read_fd(fd, FILE_LIMIT, ret_text, ret_size, e);
	return r < 0 ? prefix(e, "hosts file %s", file) : take_fd(&fd);
}

static int put(int fd, const char *file, const char *data, size_t size, size_t at, struct error *e)
{
	ssize_t n = pwrite(fd, data, size, (off_t)at);
	if (n < 0)
		return fail(e, errno, "write hosts file %s", file);
	return (size_t)n == size ? 0 : refuse(e, ENOSPC, "write hosts file %s: cut short", file);
}

static int blank(int fd, const char *file, size_t at, size_t size, struct error *e)
{
	char blanks[LINE_MAX_SIZE];

	if (size > sizeof(blanks))
		return refuse(e, EINVAL, "hosts file %s: an entry is too long", file);
	memset(blanks, ' ', size);
	for (size_t i = NAMES_UNIT; i <= size; i += NAMES_UNIT)
		blanks[i - 1] = '\n';
	return put(fd, file, blanks, size, at, e);
}

static int add_to_file(int hosts, const char *file, const struct lease *l, struct error *e)
{
	auto_free char *text = NULL;
	char line[LINE_MAX_SIZE];
	size_t size = 0, at = 0, n = 0, old_at = 0;

	auto_close int fd = open_file(hosts, file, &text, &size, e);
	if (fd < 0)
		return fd;
	size_t old = names_find(text, size, &l->ip, &old_at);
	if (!names_place(text, size, l, &at, line, &n))
		return 0;
	int r = put(fd, file, line, n, at, e);
	return r == 0 && old && old_at != at ? blank(fd, file, old_at, old, e) : r;
}

static int remove_from_file(int hosts, const char *file, const struct ip *ip, struct error *e)
{
	auto_free char *text = NULL;
	size_t size = 0, at = 0;

	auto_close int fd = open_file(hosts, file, &text, &size, e);
	if (fd < 0)
		return fd;
	size_t n = names_find(text, size, ip, &at);
	return n ? blank(fd, file, at, n, e) : 0;
}

/* Every file whose switches include this one. */
static int each_file(int hosts, const char *switch_name,
		     int (*act)(int hosts, const char *file, void *data, struct error *e), void *data,
		     struct error *e)
{
	auto_close int own = openat(hosts, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : fail(e, errno, "list hosts files");
	take_fd(&own);
	for (struct dirent *d; r == 0 && (d = readdir(dir));)
		if (d->d_name[0] != '.' && file_has(d->d_name, switch_name))
			r = act(hosts, d->d_name, data, e);
	closedir(dir);
	return r;
}

static int act_add(int hosts, const char *file, void *data, struct error *e)
{
	int r = add_to_file(hosts, file, data, e);
	return r == -ENOENT ? 0 : r; /* dropped meanwhile */
}

static int act_remove(int hosts, const char *file, void *data, struct error *e)
{
	int r = remove_from_file(hosts, file, data, e);
	return r == -ENOENT ? 0 : r;
}

static int act_drop(int hosts, const char *file, void *data, struct error *e)
{
	(void)data;
	if (unlinkat(hosts, file, 0) < 0 && errno != ENOENT)
		return fail(e, errno, "remove hosts file %s", file);
	return 0;
}

int names_add(int hosts, const char *switch_name, const struct lease *l, struct error *e)
{
	struct lease copy = *l;
	return *l->name ? each_file(hosts, switch_name, act_add, &copy, e) : 0;
}

int names_remove(int hosts, const char *switch_name, const struct ip *ip, struct error *e)
{
	struct ip copy = *ip;
	return each_file(hosts, switch_name, act_remove, &copy, e);
}

int names_drop(int hosts, const char *switch_name, struct error *e)
{
	return each_file(hosts, switch_name, act_drop, NULL, e);
}

/* ---- a new file ---- */

struct filling {
	int hosts;
	const char *file;
};

static int fill_one(const struct lease *l, void *data, struct error *e)
{
	const struct filling *f = data;
	return *l->name ? add_to_file(f->hosts, f->file, l, e) : 0;
}

/* The leases that were taken before the file was there: those that come later find it. */
static int fill(int switches, int hosts, const char *file, const char *into, struct error *e)
{
	struct filling f = { hosts, into };
	char names[NAME_MAX + 1], path[NAME_MAX + 16], *rest = names, *name;
	int r = 0;

	if (str_format(names, sizeof(names), "%s", file) < 0)
		return fail(e, ENAMETOOLONG, "hosts file %s", file);
	while (r == 0 && (name = strsep(&rest, "+"))) {
		if (!*name)
			continue;
		str_format(path, sizeof(path), "%s/leases", name);
		auto_close int leases = openat(switches, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (leases >= 0)
			r = lease_list(leases, fill_one, &f, e);
	}
	return r;
}

int names_ensure(int switches, int hosts, const char *file, struct error *e)
{
	char text[COUNT_OF(header) * LINE_MAX_SIZE], temporary[NAME_MAX + 16];
	size_t size = 0;

	if (faccessat(hosts, file, F_OK, 0) == 0)
		return 0;
	for (size_t i = 0; i < COUNT_OF(header); i++)
		size += make_line(header[i], text + size);
	/* Whole before it has its name; of two at once the first wins. */
	if (str_format(temporary, sizeof(temporary), ".%d~%s", (int)getpid(), file) < 0)
		return fail(e, ENAMETOOLONG, "hosts file %s", file);
	auto_close int fd = openat(hosts, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
				   0644);
	if (fd < 0)
		return fail(e, errno, "make hosts file %s", file);
	fchmod(fd, 0644);
	int r = io_write_all(fd, text, size, e);
	if (r == 0)
		r = fill(switches, hosts, file, temporary, e);
	if (r == 0 && linkat(hosts, temporary, hosts, file, 0) < 0)
		r = errno == EEXIST ? 1 : fail(e, errno, "make hosts file %s", file);
	unlinkat(hosts, temporary, 0);
	/* Again, for those that came before it had its name. */
	if (r == 0)
		r = fill(switches, hosts, file, file, e);
	return r < 0 ? r : r == 0;
}
