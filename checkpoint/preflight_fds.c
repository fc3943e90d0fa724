/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preflight_fds.c - what processes hold open, and which of it cannot be dumped */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "checkpoint/preflight_parts.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

#define GHOST_LIMIT (1 << 20) /* CRIU's --ghost-limit */

/* ---- kinds ---- */

const char *preflight_undumpable(const char *target)
{
	static const struct {
		const char *begins, *is;
	} kinds[] = {
		{ "anon_inode:[io_uring]", "an io_uring" },
		{ "anon_inode:[userfaultfd]", "a userfaultfd" },
		{ "anon_inode:[perf_event]", "a perf event" },
		{ "anon_inode:bpf-prog", "a BPF program" },
		{ "anon_inode:bpf-link", "a BPF link" },
		{ "anon_inode:bpf_link", "a BPF link" },
		{ "anon_inode:kvm", "a virtual machine (KVM)" },
		{ "anon_inode:[landlock-ruleset]", "a landlock ruleset" },
		{ "anon_inode:seccomp notify", "a seccomp listener" },
		{ "anon_inode:[fscontext]", "a mount being made" },
		{ "anon_inode:dmabuf", "a DMA buffer" },
		{ "/dmabuf:", "a DMA buffer" },
		{ "anon_inode:[vfio", "a VFIO device" },
		{ "anon_inode:iommufd", "an IOMMU" },
		{ "/secretmem", "secret memory" },
	};
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (str_starts(target, kinds[i].begins))
			return kinds[i].is;
	return NULL;
}

bool preflight_device_is_fine(bool block, unsigned int major_, unsigned int minor_)
{
	static const struct {
		unsigned int major, first, last;
	} fine[] = {
		{ 1, 3, 3 },
		{ 1, 5, 5 },
		{ 1, 7, 9 },  /* null, zero, full, random, urandom */
		{ 5, 0, 2 },  /* tty, console, ptmx */
		{ 4, 0, 63 }, /* virtual consoles */
		{ 136, 0, UINT32_MAX },
		{ 137, 0, UINT32_MAX },
		{ 138, 0, UINT32_MAX },
		{ 139, 0, UINT32_MAX }, /* pts */
		{ 10, 200, 200 },	/* tun */
	};
	for (size_t i = 0; !block && i < COUNT_OF(fine); i++)
		if (major_ == fine[i].major && minor_ >= fine[i].first && minor_ <= fine[i].last)
			return true;
	return false;
}

/* ---- sockets ---- */

enum table { TABLE_TCP, TABLE_TCP6, TABLE_INET, TABLE_OTHER };
static const struct {
	const char *file;
	enum table kind;
} table_files[] = {
	{ "tcp", TABLE_TCP },	   { "tcp6", TABLE_TCP6 },    { "udp", TABLE_INET },
	{ "udp6", TABLE_INET },	   { "udplite", TABLE_INET }, { "udplite6", TABLE_INET },
	{ "raw", TABLE_INET },	   { "raw6", TABLE_INET },    { "icmp", TABLE_INET },
	{ "icmp6", TABLE_INET },   { "unix", TABLE_OTHER },   { "netlink", TABLE_OTHER },
	{ "packet", TABLE_OTHER },
};
_Static_assert(COUNT_OF(table_files) <= 16, "struct sockets");

struct sockets *sockets_new(pid_t init)
{
	struct sockets *s = calloc(1, sizeof(*s));
	struct error ignored;
	char path[64];

	for (size_t i = 0; s && i < COUNT_OF(table_files); i++) {
		str_format(path, sizeof(path), "/proc/%d/net/%s", (int)init, table_files[i].file);
		io_read_file(AT_FDCWD, path, 64 << 20, &s->tables[i], NULL, &ignored);
	}
	return s;
}

void sockets_free(struct sockets *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < COUNT_OF(table_files); i++)
		free(s->tables[i]);
	free(s);
}

/* The inode is a field of its own somewhere on the line; the state of a TCP line is its fourth. */
bool preflight_find_socket(const char *table, uint64_t inode, unsigned int *ret_state,
			   unsigned int *ret_waiting)
{
	char word[24];

	str_format(word, sizeof(word), "%" PRIu64, inode);
	size_t n = strlen(word);
	for (const char *at = table; (at = strstr(at, word)); at += n) {
		bool whole = at > table && (at[-1] == ' ' || at[-1] == '\t') &&
			     (at[n] == ' ' || at[n] == '\n' || at[n] == '\t' || at[n] == '\0');
		if (!whole)
			continue;
		const char *line = at;
		while (line > table && line[-1] != '\n')
			line--;
		*ret_state = *ret_waiting = 0;
		sscanf(line, "%*s %*s %*s %x %*x:%x ", ret_state, ret_waiting);
		return true;
	}
	return false;
}

enum { STATE_SYN_SENT = 2, STATE_SYN_RECEIVED = 3, STATE_CLOSED = 7, STATE_LISTEN = 10 };

static void look_at_tcp(struct preflight *p, const struct subject *s, int fd, unsigned int state,
			unsigned int waiting)
{
	if (state == STATE_SYN_SENT || state == STATE_SYN_RECEIVED)
		preflight_add(p, FINDING_OPTION, s->pid, s->name, "--tcp-skip-in-flight",
			      "descriptor %d is a TCP connection that is being made", fd);
	else if (state == STATE_LISTEN && waiting)
		preflight_add(p, FINDING_OPTION, s->pid, s->name, "--tcp-skip-in-flight",
			      "descriptor %d listens, and %u connections wait there to be accepted", fd,
			      waiting);
	else if (state != STATE_LISTEN && state != STATE_CLOSED)
		preflight_add(p, FINDING_OPTION, s->pid, s->name, "--tcp-established",
			      "descriptor %d is an established TCP connection", fd);
}

/* As the kernel's struct proto names them. */
static bool is_known_protocol(const char *name, bool *inet)
{
	static const char *const internet[] = { "TCP",	   "TCPv6", "UDP",   "UDPv6", "UDP-Lite", "UDPLITEv6",
						"UDPLITE", "RAW",   "RAWv6", "PING",  "PINGv6" };
	static const char *const others[] = { "UNIX", "UNIX-STREAM", "NETLINK", "PACKET" };

	for (size_t i = 0; i < COUNT_OF(internet); i++)
		if (str_eq(name, internet[i]))
			return *inet = true;
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (str_eq(name, others[i]))
			return true;
	return false;
}

static void look_at_socket(struct preflight *p, const struct subject *s, int fd, uint64_t inode,
			   struct sockets *k)
{
	unsigned int state, waiting;

	for (size_t i = 0; i < COUNT_OF(table_files); i++) {
		if (!k->tables[i] || !preflight_find_socket(k->tables[i], inode, &state, &waiting))
			continue;
		k->has_inet |= table_files[i].kind != TABLE_OTHER;
		if (table_files[i].kind == TABLE_TCP || table_files[i].kind == TABLE_TCP6)
			look_at_tcp(p, s, fd, state, waiting);
		return;
	}
	/* Neither bound nor connected it may be in no table, so the kernel is asked for its protocol's name. */
	char path[64], protocol[64] = "";
	str_format(path, sizeof(path), "/proc/%d/fd/%d", (int)s->pid, fd);
	ssize_t n = getxattr(path, "system.sockprotoname", protocol, sizeof(protocol) - 1);
	if (n <= 0 || is_known_protocol(protocol, &k->has_inet))
		return;
	preflight_add(p, FINDING_OBSTACLE, s->pid, s->name, "it must be closed",
		      "descriptor %d is a socket of a kind that cannot be dumped (%.32s)", fd, protocol);
}

/* ---- files ---- */

/* mnt_id of fdinfo among the mounts that the process sees? */
static bool is_outside(const struct subject *s, int fd)
{
	char path[32], text[4096];
	auto_free char *mounts = NULL;
	struct error ignored;

	str_format(path, sizeof(path), "fdinfo/%d", fd);
	if (io_read_small(s->dir, path, text, sizeof(text), &ignored) < 0 ||
	    io_read_file(s->dir, "mountinfo", 16 << 20, &mounts, NULL, &ignored) < 0)
		return false;
	const char *id = strstr(text, "mnt_id:");
	if (!id)
		return false;
	long want = strtol(id + 7, NULL, 10);
	for (const char *line = mounts; line && *line;
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (strtol(line, NULL, 10) == want)
			return false;
	return true;
}

static void look_at_deleted(struct preflight *p, const struct subject *s, int fd, const struct stat *st,
			    const char *target)
{
	if (st->st_nlink > 0)
		preflight_add(p, FINDING_OPTION, s->pid, s->name, "--link-remap",
			      "descriptor %d is a file that was deleted and has another name: %.160s", fd,
			      target);
	else if (st->st_blocks > GHOST_LIMIT / 512)
		preflight_add(p, FINDING_OBSTACLE, s->pid, s->name, "it must be closed or made shorter",
			      "descriptor %d is a deleted file with %lld bytes of data, more than a dump "
			      "takes along: %.160s",
			      fd, (long long)st->st_blocks * 512, target);
}

/* What descriptors 0, 1, 2 of the first process are outside is handed over by coracle. */
static void look_at_file(struct preflight *p, const struct subject *s, int fd, const struct stat *st,
			 const char *target)
{
	bool handed_over = s->is_init && fd < 3;

	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		if (!preflight_device_is_fine(S_ISBLK(st->st_mode), major(st->st_rdev), minor(st->st_rdev)))
			preflight_add(p, FINDING_OBSTACLE, s->pid, s->name, "it must let go of the device",
				      "descriptor %d is a device: %.160s", fd, target);
		else if (major(st->st_rdev) >= 136 && major(st->st_rdev) <= 139 && is_outside(s, fd) &&
			 !handed_over)
			preflight_add(p, FINDING_OPTION, s->pid, s->name, "--shell-job",
				      "descriptor %d is a terminal from outside: %.160s", fd, target);
		return;
	}
	if (str_ends(target, " (deleted)"))
		look_at_deleted(p, s, fd, st, target);
	else if (!handed_over && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) && is_outside(s, fd))
		preflight_add(p, FINDING_OBSTACLE, s->pid, s->name,
			      "it must be closed, or lie in a mount of the config",
			      "descriptor %d lies outside of the container's mounts: %.160s", fd, target);
}

static void look_at_lock(struct preflight *p, const struct subject *s, int fd)
{
	char path[32], text[4096];
	struct error ignored;

	str_format(path, sizeof(path), "fdinfo/%d", fd);
	if (io_read_small(s->dir, path, text, sizeof(text), &ignored) > 0 && strstr(text, "\nlock:"))
		preflight_add(p, FINDING_OPTION, s->pid, s->name, "--file-locks",
			      "descriptor %d has a lock on its file", fd);
}

static void look_at_fd(struct preflight *p, const struct subject *s, const char *name,
		       struct sockets *sockets)
{
	char path[32], target[PATH_MAX];
	int fd = (int)strtol(name, NULL, 10);
	uint64_t inode;
	struct stat st;

	str_format(path, sizeof(path), "fd/%s", name);
	ssize_t n = readlinkat(s->dir, path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	const char *is = preflight_undumpable(target);
	if (is)
		preflight_add(p, FINDING_OBSTACLE, s->pid, s->name, "it must be closed",
			      "descriptor %d is %s", fd, is);
	else if (sscanf(target, "socket:[%" SCNu64 "]", &inode) == 1)
		look_at_socket(p, s, fd, inode, sockets);
	else if (target[0] == '/' && fstatat(s->dir, path, &st, 0) == 0) {
		look_at_file(p, s, fd, &st, target);
		look_at_lock(p, s, fd);
	}
}

void preflight_look_fds(struct preflight *p, const struct subject *s, struct sockets *sockets)
{
	auto_close int own = openat(s->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = own < 0 ? NULL : fdopendir(own);

	if (!list)
		return;
	take_fd(&own);
	for (struct dirent *d; (d = readdir(list));)
		if (d->d_name[0] != '.')
			look_at_fd(p, s, d->d_name, sockets);
	closedir(list);
}
