/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dump_look.c - look at a frozen container: what CRIU is told to leave to us, and what a restore must know
 *
 * In RUNTIME, while nothing in the container runs. What the kernel tells counts (mountinfo, mount ids), not what
 * the config once said: a mount is recognized by its id, whatever links its destination led through. */
#include "runtime/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "checkpoint/memfs.h"
#include "namespaces/mount.h"
#include "namespaces/mountinfo.h"
#include "namespaces/stage.h"
#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/notify.h"

/* ---- inside for a moment ---- */

static int visit(const struct dump *d, enum ns_kind kind, int (*look)(void *arg, struct error *e), void *arg,
		 struct error *e)
{
	char path[32];

	if (d->ns[kind] < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_types[kind].proc);
	auto_close int home = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return fail(e, errno, "open %s", path);
	if (setns(d->ns[kind], ns_types[kind].flag) < 0)
		return fail(e, errno, "enter the container's %s namespace", ns_types[kind].oci);
	int r = look(arg, e);
	if (setns(home, ns_types[kind].flag) < 0)
		return fail(e, errno, "leave the container's %s namespace", ns_types[kind].oci);
	return r;
}

static int look_uts(void *arg, struct error *e)
{
	struct brief *b = arg;
	struct utsname u;

	if (uname(&u) < 0)
		return fail(e, errno, "uname");
	b->hostname = arena_strdup(b->arena, u.nodename);
	b->domainname = arena_strdup(b->arena, u.domainname);
	return b->hostname && b->domainname ? 0 : fail(e, ENOMEM, "names");
}

int dump_look_names(struct dump *d, struct error *e)
{
	return visit(d, NS_UTS, look_uts, d->brief, e);
}

/* POSIX message queues need no mount to be there: one of our own shows them. */
static int has_queues(bool *ret, struct error *e)
{
	struct mountopts none = { .set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };
	char buf[1024];

	auto_close int mount = mount_new("mqueue", NULL, &none, e);
	if (mount < 0)
		return mount;
	auto_close int dir = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(e, errno, "open the message queues");
	long n = syscall(SYS_getdents64, dir, buf, sizeof(buf));
	if (n < 0)
		return fail(e, errno, "list the message queues");
	*ret = n > 48; /* more than "." and ".." */
	return 0;
}

static int look_ipc(void *arg, struct error *e)
{
	struct shm_info shm;
	struct seminfo sem;
	struct msginfo msg;
	bool queues = false, *empty = arg;

	if (shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&shm) < 0)
		return fail(e, errno, "shmctl");
	if (semctl(0, 0, SEM_INFO, &sem) < 0)
		return fail(e, errno, "semctl");
	if (msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&msg) < 0)
		return fail(e, errno, "msgctl");
	int r = has_queues(&queues, e);
	*empty = !shm.used_ids && !sem.semusz && !msg.msgpool && !queues;
	return r;
}

int dump_look_ipc(const struct dump *d, bool *ret_empty, struct error *e)
{
	*ret_empty = true;
	return visit(d, NS_IPC, look_ipc, ret_empty, e);
}

/* ---- mounts ---- */

struct look {
	struct dump *d;
	int *ids;	   /* by index of the config's mounts: the mount's id, or -1 */
	unsigned int more; /* keys of mounts below bind mounts */
	const char *bind;  /* the last row that is a bind mount of the config */
};

static int mount_id(int root, const char *path)
{
	struct error ignored;
	struct statx st;

	auto_close int fd = path_open(root, path, O_PATH, &ignored);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0 ||
	    !(st.stx_mask & STATX_MNT_ID))
		return -1;
	return (int)st.stx_mnt_id;
}

static const struct spec_mount *find_configured(const struct look *l, const struct mountinfo *m,
						size_t *ret_i)
{
	for (size_t i = 0; i < l->d->spec->n_mounts; i++)
		if (l->ids[i] == m->id) {
			*ret_i = i;
			return &l->d->spec->mounts[i];
		}
	return NULL;
}

static bool is_listed(char *const *paths, const char *at)
{
	for (size_t i = 0; paths && paths[i]; i++) {
		auto_free char *clean = path_clean(paths[i]);
		if (clean && str_eq(clean, at))
			return true;
	}
	return false;
}

/* Put over the kernel's files by us, and put there again by the config of whoever restores. */
static bool is_cover(const struct spec *s, const char *at)
{
	return is_listed(s->masked_paths, at) || is_listed(s->readonly_paths, at) ||
	       str_eq(at, NOTIFY_CONTAINER_DIR);
}

static int add_external(struct dump *d, const char *at, const char *key, bool content, struct error *e)
{
	struct brief *b = d->brief;

	/* CRIU would take the rest of the name for the key (CVE-2026-115520). */
	if (strchr(at, ']'))
		return refuse(e, EINVAL, "mount at %s: a destination with \"]\" in it cannot be checkpointed",
			      at);
	struct brief_mount *m = &b->mounts[b->n_mounts++];
	*m = (struct brief_mount){ arena_strdup(b->arena, key), arena_strdup(b->arena, at), content };
	const char *text = arena_printf(b->arena, "mnt[%s]:%s", at, key);
	d->external[d->n_external++] = text;
	return m->key && m->destination && text ? 0 : fail(e, ENOMEM, "mounts");
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static int look_at_mount(const struct mountinfo *m, void *data, struct error *e)
{
	struct look *l = data;
	struct dump *d = l->d;
	char key[STAGE_KEY_SIZE];
	size_t i;

	if (str_eq(m->at, "/"))
		return 0;
	const struct spec_mount *s = find_configured(l, m, &i);
	if (s && stage_is_criu_s(s, d->brief->own_ipc))
		return 0;
	/* In a user namespace what is made from outside would belong to the wrong one: CRIU makes it. */
	if (s && spec_find_namespace(d->spec, NS_USER) && !mount_is_bind(s))
		return 0;
	if (s) {
		bool bind = mount_is_bind(s);
		if (bind)
			l->bind = arena_strdup(d->brief->arena, m->at);
		return add_external(d, m->at, stage_key(i, key), !bind && str_eq(m->type, "tmpfs"), e);
	}
	if (is_cover(d->spec, m->at)) {
		const char *at = arena_strdup(d->brief->arena, m->at);
		d->skip[d->n_skip++] = at;
		return at ? 0 : fail(e, ENOMEM, "mounts");
	}
	if (l->bind && is_below(m->at, l->bind)) {
		snprintf(key, sizeof(key), "s%04u", l->more++ % 10000);
		return add_external(d, m->at, key, false, e);
	}
	return 0; /* made by the container itself: CRIU's */
}

static int count_mount(const struct mountinfo *m, void *data, struct error *e)
{
	(void)m;
	(void)e;
	++*(size_t *)data;
	return 0;
}

int dump_look_mounts(struct dump *d, struct error *e)
{
	struct look l = { .d = d };
	char path[48];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)d->init);
	int r = mountinfo_each_in(path, count_mount, &n, e);
	if (r < 0)
		return r;
	d->brief->mounts = arena_calloc(d->brief->arena, n + 1, sizeof(*d->brief->mounts));
	d->external = arena_calloc(d->brief->arena, n + 8, sizeof(*d->external));
	d->skip = arena_calloc(d->brief->arena, n + 1, sizeof(*d->skip));
	l.ids = arena_calloc(d->brief->arena, d->spec->n_mounts + 1, sizeof(*l.ids));
	if (!d->brief->mounts || !d->external || !d->skip || !l.ids)
		return fail(e, ENOMEM, "mounts");
	d->brief->n_mounts = d->n_external = d->n_skip = 0;
	for (size_t i = 0; i < d->spec->n_mounts; i++)
		l.ids[i] = mount_id(d->root, d->spec->mounts[i].destination);
	return mountinfo_each_in(path, look_at_mount, &l, e);
}

/* ---- descriptors 0, 1, 2 ---- */

static int fd_mount_id(const struct dump *d, int fd)
{
	char path[48], text[512];
	struct error ignored;
	int id;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)d->init, fd);
	if (io_read_small(AT_FDCWD, path, text, sizeof(text), &ignored) < 0)
		return -1;
	const char *at = strstr(text, "mnt_id:");
	return at && sscanf(at + strlen("mnt_id:"), "%d", &id) == 1 ? id : -1;
}

struct search {
	int id;
	bool found;
};

static int match_mount(const struct mountinfo *m, void *data, struct error *e)
{
	struct search *s = data;

	(void)e;
	s->found |= m->id == s->id;
	return 0;
}

static bool is_inside(const struct dump *d, int id)
{
	struct search s = { .id = id };
	struct error ignored;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)d->init);
	return mountinfo_each_in(path, match_mount, &s, &ignored) == 0 && s.found;
}

static int note_external(struct dump *d, const char *key, struct error *e)
{
	for (size_t i = 0; i < d->n_external; i++)
		if (str_eq(d->external[i], key))
			return 0;
	d->external[d->n_external++] = key;
	d->external[d->n_external] = NULL;
	(void)e;
	return 0;
}

static int look_at_file(struct dump *d, const char *path, int fd, struct error *e)
{
	const char **ret = &d->brief->stdio[fd];
	struct stat st;

	int id = fd_mount_id(d, fd);
	if (id < 0 || is_inside(d, id))
		return 0;
	if (stat(path, &st) < 0)
		return fail(e, errno, "descriptor %d", fd);
	d->brief->stdio_type[fd] = st.st_mode & S_IFMT;
	bool tty = S_ISCHR(st.st_mode) && major(st.st_rdev) >= 4 && major(st.st_rdev) != 10;
	*ret = tty ? arena_printf(d->brief->arena, "tty[%llx:%llx]", (unsigned long long)st.st_rdev,
				  (unsigned long long)st.st_dev)
		   : arena_printf(d->brief->arena, "file[%x:%llx]", (unsigned int)id,
				  (unsigned long long)st.st_ino);
	return *ret ? note_external(d, *ret, e) : fail(e, ENOMEM, "descriptor");
}

int dump_look_stdio(struct dump *d, struct error *e)
{
	char path[48], target[PATH_MAX];
	int r = 0;

	for (int fd = 0; r == 0 && fd < 3; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)d->init, fd);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue; /* closed */
		target[n] = '\0';
		if (str_starts(target, "pipe:[") || str_starts(target, "socket:[")) {
			d->brief->stdio[fd] = arena_strdup(d->brief->arena, target);
			r = d->brief->stdio[fd] ? 0 : fail(e, ENOMEM, "descriptor");
		} else
			r = look_at_file(d, path, fd, e);
	}
	return r;
}

/* ---- groups below ---- */

/* The pid in the container: the last of NSpid. */
static int pid_inside(pid_t pid)
{
	char path[48], text[8192];
	struct error ignored;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (io_read_small(AT_FDCWD, path, text, sizeof(text), &ignored) < 0)
		return 0;
	char *at = strstr(text, "\nNSpid:");
	if (!at)
		return 0;
	at += strlen("\nNSpid:");
	at[strcspn(at, "\n")] = '\0';
	char *last = strrchr(at, '\t');
	return last ? atoi(last + 1) : 0;
}

static int look_at_group(struct dump *d, pid_t pid, struct error *e)
{
	struct brief *b = d->brief;
	auto_free char *path = NULL;
	struct error gone;

	if (cgroup_of_pid(pid, &path, &gone) < 0)
		return 0;
	/* As our view of the hierarchy has it, and the record: below the container's own. */
	const char *own = strstr(path, d->container->state->cgroup);
	const char *rest = own ? own + strlen(d->container->state->cgroup) : "";
	if (*rest != '/' || !rest[1])
		return 0;
	int inside = pid_inside(pid);
	if (inside <= 0)
		return 0;
	b->groups[b->n_groups].pid = (uint32_t)inside;
	b->groups[b->n_groups].path = arena_strdup(b->arena, rest);
	return b->groups[b->n_groups++].path ? 0 : fail(e, ENOMEM, "groups");
}

int dump_look_groups(struct dump *d, struct error *e)
{
	auto_free pid_t *pids = NULL;

	ssize_t n = cgroup_pids(d->cgroup, &pids, e);
	if (n < 0)
		return (int)n;
	d->brief->groups = arena_calloc(d->brief->arena, (size_t)n + 1, sizeof(*d->brief->groups));
	if (!d->brief->groups)
		return fail(e, ENOMEM, "groups");
	int r = 0;
	for (ssize_t i = 0; r == 0 && i < n; i++)
		r = look_at_group(d, pids[i], e);
	return r;
}

/* ---- content ---- */

static int save_one(const struct dump *d, const struct brief_mount *m, struct error *e)
{
	char name[32];

	auto_close int dir = path_open(d->root, m->destination, O_PATH | O_DIRECTORY, e);
	if (dir < 0)
		return dir;
	if (!path_is_on(dir, TMPFS_MAGIC))
		return refuse(e, EIO, "is no memory file system any more");
	snprintf(name, sizeof(name), "%s.tree", m->key);
	auto_close int out = openat(d->images, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
				    0600);
	if (out < 0)
		return fail(e, errno, "make %s", name);
	return memfs_save(dir, out, e);
}

int dump_save_content(const struct dump *d, struct error *e)
{
	const struct brief *b = d->brief;

	for (size_t i = 0; i < b->n_mounts; i++)
		if (b->mounts[i].content && save_one(d, &b->mounts[i], e) < 0)
			return prefix(e, "save the files of %s", b->mounts[i].destination);
	return 0;
}
