/* SPDX-License-Identifier: GPL-2.0-or-later */
/* restore_check.c - images are a stranger's: what they say of mounts is held against the config, twice
 *
 * Before CRIU sees them: every mount that the brief names is the config's, at the place where the config has
 * it, and no link of the root leads elsewhere. After CRIU has put the tree together and before anything runs:
 * the kernel is asked what is mounted where, and a mount that is neither a staged one nor of a file system
 * that only holds what is in it is the end of the restore (CVE-2024-8676, CVE-2026-119101). */
#include "runtime/restoring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "checkpoint/memfs.h"
#include "namespaces/mount.h"
#include "namespaces/mountinfo.h"
#include "namespaces/stage.h"
#include "runtime/base/fd.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

/* ---- before ---- */

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* Is the destination below another mount of the config? Then it was checked when it was staged. */
static bool is_nested(const struct spec *s, const char *destination)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		auto_free char *clean = path_clean(s->mounts[i].destination);
		if (clean && is_below(destination, clean))
			return true;
	}
	return false;
}

/* CRIU goes there by path, from outside of the root. */
static int check_destination(const struct restore *r, int root, const char *destination, struct error *e)
{
	if (is_nested(r->create.spec, destination))
		return 0;
	auto_close int fd = path_beneath(root, destination + 1, O_PATH, true, e);
	return fd < 0 ? prefix(e, "the destination %s of a mount must be a plain path", destination) : 0;
}

/* Where a destination leads inside the root, if there are links on the way: "/run/x" for "/var/run/x". */
static bool leads_to(const struct restore *r, const char *clean, const char *wanted)
{
	char fd_name[FD_PATH_SIZE], at[PATH_MAX];
	struct error ignored;

	auto_close int root = open(r->create.rootfs.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = root < 0 ? -1 : path_open(root, clean, O_PATH, &ignored);
	ssize_t n = fd < 0 ? -1 : readlink(fd_path(root, fd_name), at, sizeof(at) - 1);
	if (n < 0)
		return false;
	size_t below = (size_t)n;
	n = readlink(fd_path(fd, fd_name), at, sizeof(at) - 1);
	if (n < (ssize_t)below)
		return false;
	at[n] = '\0';
	return str_eq(at + (below == 1 ? 0 : below), wanted);
}

/* The config's mount that the images mean: by its destination, for engines write mounts in any order. The last
 * wins: it lies on top. */
static int find_configured(const struct restore *r, const struct brief_mount *m, size_t *ret, struct error *e)
{
	const struct spec *s = r->create.spec;

	for (size_t i = s->n_mounts; i-- > 0;) {
		auto_free char *clean = path_clean(s->mounts[i].destination);
		if (!clean || (!str_eq(clean, m->destination) && !leads_to(r, clean, m->destination)))
			continue;
		*ret = i;
		return 0;
	}
	return refuse(e, EINVAL, "the images have a mount at %s that the config does not have",
		      m->destination);
}

/* Below a bind mount of the config: the last that holds it. */
static const struct brief_mount *find_parent(const struct brief *b, const char *destination)
{
	const struct brief_mount *found = NULL;

	for (size_t i = 0; i < b->n_mounts; i++)
		if (*b->mounts[i].key == 'm' && is_below(destination, b->mounts[i].destination) &&
		    (!found || strlen(b->mounts[i].destination) >= strlen(found->destination)))
			found = &b->mounts[i];
	return found;
}

const char *restore_staged(const struct restore *r, const struct brief_mount *m, struct error *e)
{
	const struct brief_mount *holder = *m->key == 's' ? find_parent(r->brief, m->destination) : m;
	char key[STAGE_KEY_SIZE];
	size_t i = 0;

	if (!holder) {
		refuse(e, EINVAL, "the images have a mount at %s that the config does not have",
		       m->destination);
		return NULL;
	}
	if (find_configured(r, holder, &i, e) < 0)
		return NULL;
	const char *path = arena_printf(r->brief->arena, "%s/%s%s", r->stage, stage_key(i, key),
					m->destination + strlen(holder->destination));
	if (!path)
		fail(e, ENOMEM, "mounts");
	return path;
}

/* In CRIU's mount namespace. */
static int open_staged(const struct restore *r, const struct brief_mount *m, struct error *e)
{
	char path[PATH_MAX];

	const char *staged = restore_staged(r, m, e);
	if (!staged)
		return -e->code;
	if (str_format(path, sizeof(path), "/proc/%d/root%s", (int)criu_pid(r->criu), staged) < 0)
		return fail(e, ENAMETOOLONG, "path of a staged mount");
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail(e, errno, "open the staged mount of %s", m->destination) : fd;
}

/* The same mount must be below the staged one, and no link on the way to it. */
static int check_below(const struct restore *r, const struct brief_mount *m, struct error *e)
{
	const struct brief_mount *parent = find_parent(r->brief, m->destination);

	if (!parent)
		return refuse(e, EINVAL, "the images have a mount at %s that the config does not have",
			      m->destination);
	auto_close int dir = open_staged(r, parent, e);
	if (dir < 0)
		return dir;
	auto_close int fd = path_beneath(dir, m->destination + strlen(parent->destination) + 1, O_PATH, true,
					 e);
	return fd < 0 ? prefix(e, "mount at %s", m->destination) : 0;
}

int restore_check_brief(const struct restore *r, struct error *e)
{
	size_t i = 0;

	auto_close int root = open(r->create.rootfs.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail(e, errno, "open root directory %s", r->create.rootfs.path);
	for (size_t n = 0; n < r->brief->n_mounts; n++) {
		const struct brief_mount *m = &r->brief->mounts[n];
		int ret = *m->key == 's' ? check_below(r, m, e) : find_configured(r, m, &i, e);
		if (ret == 0 && *m->key == 'm')
			ret = check_destination(r, root, m->destination, e);
		if (ret < 0)
			return ret;
	}
	if (r->brief->own_ipc != r->own_ipc && r->brief->own_ipc)
		return refuse(e, EINVAL, "the images have an ipc namespace that the config does not make");
	return 0;
}

/* ---- content ---- */

static int load_one(const struct restore *r, const struct brief_mount *m, struct error *e)
{
	char name[32];

	snprintf(name, sizeof(name), "%s.tree", m->key);
	auto_close int in = path_beneath(r->images, name, O_RDONLY | O_NONBLOCK, false, e);
	if (in < 0)
		return in;
	auto_close int dir = open_staged(r, m, e);
	if (dir < 0)
		return dir;
	int ret = memfs_load(in, dir, e);
	return ret < 0 ? prefix(e, "%s", name) : 0;
}

/* Only into what the config mounts as a memory file system: a bind mount is the host's. */
int restore_load_content(const struct restore *r, struct error *e)
{
	const struct spec *s = r->create.spec;
	size_t i = 0;

	for (size_t n = 0; n < r->brief->n_mounts; n++) {
		const struct brief_mount *m = &r->brief->mounts[n];
		if (!m->content)
			continue;
		int ret = find_configured(r, m, &i, e);
		if (ret == 0 && (!s->mounts[i].type || !str_eq(s->mounts[i].type, "tmpfs") ||
				 mount_is_bind(&s->mounts[i])))
			ret = refuse(e, EINVAL, "the config has no memory file system there");
		if (ret == 0)
			ret = load_one(r, m, e);
		if (ret < 0)
			return prefix(e, "files of %s", m->destination);
	}
	return 0;
}

/* ---- after ---- */

struct expected {
	const struct restore *restore;
	const struct mountinfo *actual;
	bool found;
	char staged[PATH_MAX];
};

static bool has_option(const char *options, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = options; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, word, n) == 0 && (at[n] == ',' || !at[n]))
			return true;
	return false;
}

/* What the staged mount forbids the restored one must forbid, too. */
static bool is_as_strict(const char *actual, const char *staged)
{
	static const char *const words[] = { "ro", "nosuid", "nodev", "noexec", "nosymfollow" };

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (has_option(staged, words[i]) && !has_option(actual, words[i]))
			return false;
	return true;
}

static int match_staged(const struct mountinfo *m, void *data, struct error *e)
{
	struct expected *x = data;

	if (!str_eq(m->at, x->staged))
		return 0;
	if (!str_eq(m->device, x->actual->device) || !str_eq(m->root, x->actual->root))
		return refuse(e, EPERM, "is something else than the config's");
	if (!is_as_strict(x->actual->options, m->options))
		return refuse(e, EPERM, "is \"%s\", the config's is \"%s\"", x->actual->options, m->options);
	x->found = true;
	return 0;
}

/* File systems that hold nothing of the host's disks; CRIU makes them new. */
static bool is_harmless(const char *type)
{
	static const char *const types[] = { "proc", "tmpfs", "devpts", "mqueue", "ramfs", "hugetlbfs" };

	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (str_eq(type, types[i]))
			return true;
	return false;
}

static const struct brief_mount *find_at(const struct brief *b, const char *at)
{
	for (size_t i = 0; i < b->n_mounts; i++)
		if (str_eq(b->mounts[i].destination, at))
			return &b->mounts[i];
	return NULL;
}

static int check_mount(const struct mountinfo *m, void *data, struct error *e)
{
	struct expected *x = data;
	char path[48];

	if (str_eq(m->at, "/")) /* the root: staged at its own place */
		snprintf(x->staged, sizeof(x->staged), "%s", x->restore->create.rootfs.path);
	else {
		const struct brief_mount *b = find_at(x->restore->brief, m->at);
		if (!b)
			return is_harmless(m->type)
				       ? 0
				       : refuse(e, EPERM, "mount at %s (%s) is none of the config's", m->at,
						m->type);
		const char *staged = restore_staged(x->restore, b, e);
		if (!staged)
			return -e->code;
		snprintf(x->staged, sizeof(x->staged), "%s", staged);
	}
	x->actual = m;
	x->found = false;
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)criu_pid(x->restore->criu));
	int ret = mountinfo_each_in(path, match_staged, x, e);
	if (ret == 0 && !x->found)
		ret = refuse(e, EPERM, "is not one that was made for it");
	return ret < 0 ? prefix(e, "mount at %s", m->at) : 0;
}

int restore_check_mounts(const struct restore *r, pid_t init, struct error *e)
{
	struct expected x = { .restore = r };
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)init);
	return mountinfo_each_in(path, check_mount, &x, e);
}

/* ---- covers ---- */

static int enter_mounts(void *arg, struct error *e)
{
	const int *fd = arg;

	return setns(*fd, CLONE_NEWNS) < 0 ? fail(e, errno, "enter the restored mount namespace") : 0;
}

/* In a process of its own, for entering a mount namespace takes the host's paths away. */
int restore_cover(struct restore *r, pid_t init, struct error *e)
{
	char path[48];
	int report[2], status;

	if (!(r->create.spec->masked_paths && *r->create.spec->masked_paths) &&
	    !(r->create.spec->readonly_paths && *r->create.spec->readonly_paths))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)init);
	auto_close int ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return fail(e, errno, "open %s", path);
	if (pipe2(report, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe");
	auto_close int from = report[0], to = report[1];
	pid_t pid = fork();
	if (pid < 0)
		return fail(e, errno, "fork");
	if (pid == 0) {
		struct error mine = { .code = 0 };
		struct rootfs rootfs = ROOTFS_INIT;
		rootfs.spec = r->create.spec;
		rootfs.new_ns = true;
		interrupt_forget();
		int ret = rootfs_cover(&rootfs, enter_mounts, &ns, &mine);
		_exit(ret < 0 && write(to, &mine, sizeof(mine)) > 0);
	}
	replace_fd(&to, -1);
	struct error told = { .code = 0 };
	ssize_t n = read(from, &told, sizeof(told));
	int ret = proc_wait(pid, &status, e);
	if (ret < 0)
		return ret;
	if (n == (ssize_t)sizeof(told) && told.code > 0) {
		told.msg[sizeof(told.msg) - 1] = '\0';
		*e = told;
		return -told.code;
	}
	return status ? refuse(e, ECHILD, "masked paths: the process that covers them ended") : 0;
}

/* ---- groups ---- */

static pid_t pid_of(pid_t host, uint32_t wanted)
{
	char path[48], text[8192];
	struct error ignored;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)host);
	if (io_read_small(AT_FDCWD, path, text, sizeof(text), &ignored) < 0)
		return 0;
	char *at = strstr(text, "\nNSpid:");
	if (!at)
		return 0;
	at++;
	at[strcspn(at, "\n")] = '\0';
	char *last = strrchr(at, '\t');
	return last && (uint32_t)atoi(last + 1) == wanted ? host : 0;
}

static int make_group(int group, const char *path, struct error *e)
{
	auto_close int at = openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[256];

	for (const char *p = path; at >= 0 && *p;) {
		p += strspn(p, "/");
		size_t n = strcspn(p, "/");
		if (!n)
			break;
		if (n >= sizeof(name))
			return refuse(e, ENAMETOOLONG, "group %s", path);
		memcpy(name, p, n);
		name[n] = '\0';
		p += n;
		if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
			return fail(e, errno, "make group %s", path);
		replace_fd(&at, openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	}
	return at < 0 ? fail(e, errno, "open group %s", path) : take_fd(&at);
}

int restore_groups(const struct restore *r, struct error *e)
{
	auto_free pid_t *pids = NULL;

	if (!r->brief->n_groups)
		return 0;
	ssize_t n = cgroup_pids(r->create.cgroup, &pids, e);
	if (n < 0)
		return (int)n;
	for (size_t g = 0; g < r->brief->n_groups; g++) {
		auto_close int group = make_group(r->create.cgroup, r->brief->groups[g].path, e);
		if (group < 0)
			return group;
		for (ssize_t i = 0; i < n; i++) {
			int ret = pid_of(pids[i], r->brief->groups[g].pid) ? cgroup_attach(group, pids[i], e)
									   : 0;
			if (ret < 0 && ret != -ESRCH)
				return ret;
		}
	}
	return 0;
}
