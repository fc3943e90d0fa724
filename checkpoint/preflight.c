/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preflight.c - what of a container cannot be dumped: the list, and processes as a whole
 *
 * Descriptors are preflight_fds.c's. In RUNTIME; only reads. */
#include "checkpoint/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/preflight_parts.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

const char *const finding_kinds[FINDING_KINDS] = { "obstacle", "option", "loss" };

struct preflight *preflight_new(void)
{
	return calloc(1, sizeof(struct preflight));
}

void preflight_free(struct preflight *p)
{
	if (!p)
		return;
	free(p->list);
	free(p);
}

static bool is_known(const struct preflight *p, const struct finding *f)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->list[i].kind == f->kind && p->list[i].pid == f->pid &&
		    str_eq(p->list[i].what, f->what))
			return true;
	return false;
}

void preflight_add(struct preflight *p, enum finding_kind kind, pid_t pid, const char *name, const char *cure,
		   const char *fmt, ...)
{
	struct finding f = { .kind = kind, .pid = pid };
	va_list ap;

	str_format(f.name, sizeof(f.name), "%s", name ? name : "");
	str_format(f.cure, sizeof(f.cure), "%s", cure);
	va_start(ap, fmt);
	vsnprintf(f.what, sizeof(f.what), fmt, ap);
	va_end(ap);
	str_make_printable(f.name);
	str_make_printable(f.what);
	if (is_known(p, &f))
		return;
	if (p->n == p->room && p->room < PREFLIGHT_MAX) {
		size_t room = p->room ? 2 * p->room : 16;
		struct finding *grown = realloc(p->list, room * sizeof(*grown));
		if (grown) {
			p->list = grown;
			p->room = room;
		}
	}
	if (p->n < p->room)
		p->list[p->n++] = f;
	else
		p->dropped++;
}

size_t preflight_count(const struct preflight *p, enum finding_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->list[i].kind == kind;
	return n;
}

/* ---- a process's state ---- */

static const char *line_of(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at ? at + strlen(key) + strspn(at + strlen(key), " \t") : "";
}

static bool has_capability(int number)
{
	char text[8192];
	struct error ignored;

	if (io_read_small(AT_FDCWD, "/proc/self/status", text, sizeof(text), &ignored) < 0)
		return true;
	return strtoull(line_of(text, "\nCapEff:"), NULL, 16) >> number & 1;
}

/* Without CAP_SYS_RESOURCE prlimit(2) reads the limits of our own user's processes only, and CRIU needs them. */
static void look_at_user(struct preflight *p, const struct subject *s)
{
	const char *uids = line_of(s->status, "\nUid:");

	if (strtoul(uids, NULL, 10) != geteuid() && !has_capability(CAP_SYS_RESOURCE))
		preflight_add(p, FINDING_OBSTACLE, s->pid, s->name, "run coracle with CAP_SYS_RESOURCE",
			      "it runs as uid %lu, and CRIU may not read its limits without CAP_SYS_RESOURCE",
			      strtoul(uids, NULL, 10));
}

static void look_at_status(struct preflight *p, const struct subject *s)
{
	long tracer = strtol(line_of(s->status, "\nTracerPid:"), NULL, 10);

	if (tracer)
		preflight_add(p, FINDING_OBSTACLE, s->pid, s->name, "end the debugger or strace",
			      "it is traced by process %ld", tracer);
	if (*line_of(s->status, "\nState:") == 'D')
		preflight_add(p, FINDING_OBSTACLE, s->pid, s->name,
			      "try again when the system call has ended",
			      "it waits in a system call that cannot be interrupted");
	look_at_user(p, s);
}

/* CRIU dumps the tree below the first process; who came by exec stands beside it. */
static void look_at_parent(struct preflight *p, const struct subject *s, const pid_t *pids, size_t n)
{
	pid_t parent = (pid_t)strtol(line_of(s->status, "\nPPid:"), NULL, 10);

	if (s->is_init)
		return;
	for (size_t i = 0; i < n; i++)
		if (pids[i] == parent)
			return;
	preflight_add(p, FINDING_LOSS, s->pid, s->name, "let what exec started end first",
		      "it came by exec and is not part of the first process's tree: it ends");
}

static ino_t namespace_of(pid_t pid, const char *kind)
{
	char path[48];
	struct stat st;

	str_format(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static void look_at_namespaces(struct preflight *p, const struct subject *s, pid_t init)
{
	static const char *const kinds[] = { "user", "pid", "uts", "ipc", "cgroup" };

	if (s->is_init)
		return;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		ino_t own = namespace_of(s->pid, kinds[i]), first = namespace_of(init, kinds[i]);
		if (own && first && own != first)
			preflight_add(p, FINDING_OBSTACLE, s->pid, s->name,
				      "end what made it (a container in the container)",
				      "it is in a %s namespace of its own inside the container's", kinds[i]);
	}
}

/* ---- memory ---- */

static void look_at_mapping(struct preflight *p, const struct subject *s, char *line)
{
	unsigned int major, minor;
	int at = 0;

	if (sscanf(line, "%*s %*s %*s %x:%x %*s %n", &major, &minor, &at) != 2 || !at)
		return;
	const char *what = line + at;
	if (str_starts(what, "[uprobes]"))
		preflight_add(p, FINDING_OBSTACLE, s->pid, s->name, "end the probing",
			      "it is being probed (uprobes)");
	else if (str_starts(what, "anon_inode:[io_uring]"))
		preflight_add(p, FINDING_OBSTACLE, s->pid, s->name, "it must run without",
			      "it uses io_uring");
	else if (str_starts(what, "/dev/") && !str_starts(what, "/dev/zero") &&
		 !str_starts(what, "/dev/shm/") && !str_starts(what, "/dev/null"))
		preflight_add(p, FINDING_OBSTACLE, s->pid, s->name, "it must let go of the device",
			      "it has a device's memory mapped: %.200s", what);
}

static void look_at_memory(struct preflight *p, const struct subject *s)
{
	char line[4352];

	auto_close int fd = openat(s->dir, "maps", O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f)
		return;
	take_fd(&fd);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		look_at_mapping(p, s, line);
	}
	fclose(f);
}

/* ---- mounts ---- */

/* Of a file system whose content neither we nor CRIU can bring back. */
static bool is_foreign(const char *type)
{
	static const char *const types[] = { "fuse", "fuse.", "nfs",	  "9p",	   "ceph",
					     "cifs", "smb3",  "virtiofs", "autofs" };

	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (str_eq(type, types[i]) || (str_ends(types[i], ".") && str_starts(type, types[i])))
			return true;
	return false;
}

static void look_at_mounts(struct preflight *p, const struct subject *s)
{
	auto_free char *text = NULL;
	struct error ignored;
	char *state = NULL;

	if (!s->is_init || io_read_file(s->dir, "mountinfo", 16 << 20, &text, NULL, &ignored) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
		char at[512], type[64];
		const char *dash = strstr(line, " - ");
		if (dash && sscanf(line, "%*s %*s %*s %*s %511s", at) == 1 &&
		    sscanf(dash + 3, "%63s", type) == 1 && is_foreign(type))
			preflight_add(p, FINDING_OBSTACLE, 0, "", "unmount it, or mount it by the config",
				      "a %s file system is mounted at %.200s", type, at);
	}
}

/* ---- all ---- */

static int open_subject(pid_t pid, pid_t init, struct subject *s)
{
	char path[32];
	struct error ignored;

	*s = (struct subject){ .pid = pid, .is_init = pid == init };
	str_format(path, sizeof(path), "/proc/%d", (int)pid);
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0 || io_read_small(s->dir, "status", s->status, sizeof(s->status), &ignored) < 0)
		return -ESRCH;
	io_read_small(s->dir, "comm", s->name, sizeof(s->name), &ignored);
	return 0;
}

int preflight_look(struct preflight *p, pid_t init, const pid_t *pids, size_t n, struct error *e)
{
	AUTO(sockets) struct sockets *sockets = sockets_new(init);

	if (!sockets)
		return fail(e, ENOMEM, "look at the container");
	for (size_t i = 0; i < n; i++) {
		struct subject s;
		if (open_subject(pids[i], init, &s) == 0 && *line_of(s.status, "\nState:") != 'Z') {
			look_at_status(p, &s);
			look_at_parent(p, &s, pids, n);
			look_at_namespaces(p, &s, init);
			look_at_memory(p, &s);
			look_at_mounts(p, &s);
			preflight_look_fds(p, &s, sockets);
		}
		cleanup_close(&s.dir);
	}
	p->has_inet = sockets->has_inet;
	return 0;
}
