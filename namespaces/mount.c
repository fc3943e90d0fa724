/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mount.c - one mount, start to end: options, a detached mount with its flags, its target, attached
 *
 * In INIT. The target is resolved once, in the root, and the mount moved onto that handle; what was mounted
 * is not looked up again. procfs, sysfs and /dev go onto real directories only, no link on the way: what
 * follows (masked paths, devices) counts on where they are.
 * Spec: config.md, "Mounts"; config-linux.md, "Control Group namespace". */
#include "namespaces/mount.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "namespaces/bind.h"
#include "namespaces/copyup.h"
#include "namespaces/label.h"
#include "namespaces/mountold.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/log.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define HARMLESS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* ---- detached mounts ---- */

/* As fail(), with what the kernel said about it: "tmpfs gid=x: tmpfs: Bad value for 'gid': Invalid
 * argument". */
static int fail_fs(int fs, int errnum, const char *type, const char *what, struct error *e)
{
	char text[200], last[200] = "";
	ssize_t n;

	while ((n = read(fs, text, sizeof(text) - 1)) > 2) {
		text[n] = '\0';
		if (*text == 'e')
			snprintf(last, sizeof(last), ": %.190s", text + 2);
	}
	last[strcspn(last, "\n")] = '\0';
	str_make_printable(last);
	return fail(e, errnum, "%s%s%s%s", type, *what ? " " : "", what, last);
}

/* Some file systems look at their options only now, and do not say which one they mean. */
static int fail_create(int fs, int errnum, const char *type, const struct mountopts *o, struct error *e)
{
	char all[200] = "";

	for (size_t i = 0, used = 0; i < o->n_data && used < sizeof(all); i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i ? "," : "", o->data[i]);
	return fail_fs(fs, errnum, type, all, e);
}

static int set_data(int fs, const char *type, char *option, struct error *e)
{
	char *equals = strchr(option, '=');

	if (equals)
		*equals = '\0';
	int r = sys_fsconfig(fs, equals ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option,
			     equals ? equals + 1 : NULL, 0);
	int errnum = errno;
	if (equals)
		*equals = '=';
	return r < 0 ? fail_fs(fs, errnum, type, option, e) : 0;
}

/* Where "ro" is a matter of the mount alone: one superblock serves all mounts of these, or (tmpfs) ends with
 * its only mount. */
static bool has_no_readonly(const char *type)
{
	static const char *const types[] = { "proc", "sysfs", "cgroup2", "mqueue", "devpts", "tmpfs" };

	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (str_eq(type, types[i]))
			return true;
	return false;
}

static const struct {
	unsigned int flag;
	char name[12];
} super_flags[] = {
	{ MS_SYNCHRONOUS, "sync" },
	{ MS_DIRSYNC, "dirsync" },
	{ MS_MANDLOCK, "mand" },
	{ 1U << 25, "lazytime" },
};

/* The kernel has words for these flags; "silent" has none and no use here: it keeps mount(2) from writing
 * into the kernel's log, where this interface answers its caller. */
static int set_flags(int fs, const char *type, const struct mountopts *o, struct error *e)
{
	if ((o->set | o->set_all) & MOUNT_ATTR_RDONLY && !has_no_readonly(type) &&
	    sys_fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return fail_fs(fs, errno, type, "ro", e);
	for (size_t i = 0; i < COUNT_OF(super_flags); i++)
		if (o->sb_set & super_flags[i].flag &&
		    sys_fsconfig(fs, FSCONFIG_SET_FLAG, super_flags[i].name, NULL, 0) < 0)
			return fail_fs(fs, errno, type, super_flags[i].name, e);
	return 0;
}

static int configure(int fs, const char *type, const char *source, const struct mountopts *o, struct error *e)
{
	if (source && sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return fail_fs(fs, errno, type, source, e);
	int r = set_flags(fs, type, o, e);
	for (size_t i = 0; r == 0 && i < o->n_data; i++)
		r = set_data(fs, type, o->data[i], e);
	return r;
}

int mount_new(const char *type, const char *source, const struct mountopts *o, struct error *e)
{
	if (mountold_is_needed(o))
		return mountold_new(type, source, o, e);
	auto_close int fs = sys_fsopen(type, FSOPEN_CLOEXEC);
	if (fs < 0 && errno == ENOSYS)
		return mountold_new(type, source, o, e);
	if (fs < 0)
		return fail(e, errno, "file system type %s", type);
	int r = configure(fs, type, source, o, e);
	if (r < 0)
		return r;
	if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail_create(fs, errno, type, o, e);
	uint64_t attr = (o->set & ~o->clear_all) | o->set_all;
	int mount = sys_fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)attr);
	if (mount < 0)
		return fail_fs(fs, errno, type, "fsmount", e);
	return mount;
}

int mount_clone(int dir, const char *path, bool recursive, struct error *e)
{
	if (mountold_is_all())
		return mountold_clone(dir, path, recursive, e);
	int mount = sys_open_tree(dir, path,
				  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH) |
					  (recursive ? AT_RECURSIVE : 0));
	if (mount < 0 && errno == ENOSYS)
		return mountold_clone(dir, path, recursive, e);
	if (mount < 0)
		return fail(e, errno, "open_tree%s%s", *path ? " " : "", path);
	return mount;
}

int mount_change(int mount, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive,
		 struct error *e)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	if (!set && !clear && !propagation)
		return 0;
	if (sys_mount_setattr(mount, mount == AT_FDCWD ? "/" : "",
			      AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)) == 0)
		return 0;
	if (errno == ENOSYS)
		return mountold_change(mount, set, clear, propagation, recursive, e);
	return fail(e, errno, "mount_setattr");
}

int mount_attach(int mount, int dir, const char *name, struct error *e)
{
	unsigned int flags = MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH);

	if (sys_move_mount(mount, "", dir, name, flags) == 0)
		return 0;
	if (errno == ENOSYS)
		return mountold_attach(mount, dir, name, e);
	return fail(e, errno, "move_mount");
}

/* ---- the kinds of mounts ---- */

/* Without a right to a sysfs of our own (the network namespace is another user namespace's) the host's is
 * lent: all of it read-only, the cgroups mounted below it too (CVE-2023-25809). */
static int borrow_sysfs(struct error *e)
{
	auto_close int mount = mount_clone(AT_FDCWD, "/sys", true, e);
	if (mount < 0)
		return mount;
	int r = mount_change(mount, HARMLESS | MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, true, e);
	return r < 0 ? r : take_fd(&mount);
}

static int make_sysfs(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
		      struct error *e)
{
	struct error refused;

	int mount = mount_new("sysfs", m->source, o, &refused);
	if (mount == -EPERM && r->user_ns)
		return borrow_sysfs(e);
	if (mount < 0)
		*e = refused;
	return mount;
}

static int open_cgroup_root(struct error *e)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < COUNT_OF(places); i++) {
		auto_close int fd = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && path_is_on(fd, CGROUP2_SUPER_MAGIC))
			return take_fd(&fd);
	}
	return refuse(e, ENOENT, "no cgroup2 is mounted at /sys/fs/cgroup");
}

/* The container's own group, and nothing above or beside it. */
static int borrow_cgroup(const struct rootfs *r, const struct mountopts *o, struct error *e)
{
	if (!r->cgroup)
		return refuse(e, ENOENT, "a cgroup mount without a cgroup namespace needs a cgroup");
	auto_close int root = open_cgroup_root(e);
	if (root < 0)
		return root;
	const char *below = r->cgroup + strspn(r->cgroup, "/");
	auto_close int group = *below ? path_beneath(root, below, O_PATH | O_DIRECTORY, false, e)
				      : take_fd(&root);
	if (group < 0)
		return prefix(e, "cgroup");
	auto_close int mount = mount_clone(group, "", false, e);
	if (mount < 0)
		return mount;
	int ret = bind_dress(r, mount, o, e);
	return ret < 0 ? ret : take_fd(&mount);
}

/* Types "cgroup" and "cgroup2" are one: what "cgroup" was given as data belongs to version 1. */
static int make_cgroup(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
		       struct error *e)
{
	struct mountopts plain = *o;
	struct error refused;

	if (str_eq(m->type, "cgroup"))
		plain.n_data = 0;
	if (!r->new_cgroup_ns)
		return borrow_cgroup(r, &plain, e);
	int mount = mount_new("cgroup2", m->source, &plain, &refused);
	if (mount == -EPERM || mount == -EBUSY)
		return borrow_cgroup(r, &plain, e);
	if (mount < 0)
		*e = refused;
	return mount;
}

/* A tmpfs that is not told its mode takes that of the directory it covers. */
static int make_plain_tmpfs(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
			    struct error *e)
{
	struct mountopts with_mode = *o;
	struct error ignored;
	struct stat st;
	char mode[16];

	if (mountopts_data(o, "mode"))
		return mount_new("tmpfs", m->source, o, e);
	auto_close int there = path_open(r->root, m->destination, O_PATH | O_DIRECTORY, &ignored);
	if (there < 0 || fstat(there, &st) < 0)
		return mount_new("tmpfs", m->source, o, e);
	snprintf(mode, sizeof(mode), "mode=%04o", (unsigned int)st.st_mode & 07777);
	auto_free char **data = calloc(o->n_data + 1, sizeof(*data));
	if (!data)
		return fail(e, ENOMEM, "mount options");
	data[0] = mode;
	if (o->n_data)
		memcpy(data + 1, o->data, o->n_data * sizeof(*data));
	with_mode.data = data;
	with_mode.n_data = o->n_data + 1;
	return mount_new("tmpfs", m->source, &with_mode, e);
}

/* With tmpcopyup: filled while it is detached, and read-only, if it is to be, from then on. */
static int make_tmpfs(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
		      struct error *e)
{
	struct mountopts writable = *o;

	if (!(o->special & MOUNT_COPY_UP))
		return make_plain_tmpfs(r, m, o, e);
	writable.set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	writable.set_all &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	auto_close int mount = make_plain_tmpfs(r, m, &writable, e);
	if (mount < 0)
		return mount;
	bool own = !mountopts_data(o, "uid") && !mountopts_data(o, "gid");
	int ret = copyup(r->root, m->destination, mount, own, e);
	if (ret < 0)
		return prefix(e, "tmpcopyup");
	ret = mount_change(mount, (o->set | o->set_all) & MOUNT_ATTR_RDONLY, 0, 0, false, e);
	return ret < 0 ? ret : take_fd(&mount);
}

static int make_other(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
		      struct error *e)
{
	(void)r;
	return mount_new(m->type, m->source, o, e);
}

static const struct {
	const char *type;
	int (*make)(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
		    struct error *e);
} makers[] = {
	{ "tmpfs", make_tmpfs },
	{ "sysfs", make_sysfs },
	{ "cgroup", make_cgroup },
	{ "cgroup2", make_cgroup },
};

static int make_plain(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
		      struct error *e)
{
	for (size_t i = 0; i < COUNT_OF(makers); i++)
		if (str_eq(m->type, makers[i].type))
			return makers[i].make(r, m, o, e);
	return make_other(r, m, o, e);
}

static int make_filesystem(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
			   struct error *e)
{
	struct mountopts labelled;
	char text[4096];

	if (!r->spec->mount_label || !label_goes_with(m->type))
		return make_plain(r, m, o, e);
	int ret = label_add(o, r->spec->mount_label, text, sizeof(text), &labelled, e);
	if (ret < 0)
		return ret;
	ret = make_plain(r, m, &labelled, e);
	free(labelled.data);
	return ret;
}

/* ---- where to ---- */

bool mount_path_is(const char *path, const char *name)
{
	size_t size = strlen(name);

	if (*path == '/' && path_is_normal(path))
		return strncmp(path + 1, name, size) == 0 &&
		       (path[1 + size] == '\0' || str_eq(path + 1 + size, "/"));
	auto_free char *clean = path_clean(path);
	return clean && str_eq(clean + (*clean == '/'), name);
}

bool place_find(const struct rootfs *r, const char *path, struct place *ret)
{
	const struct {
		const char *prefix;
		int dir;
	} held[] = {
		{ "/dev/", r->dev_is_bind ? -1 : r->dev },
		{ "/proc/", r->proc },
		{ "/sys/", r->sys },
		{ "/", r->root },
	};

	for (size_t i = 0; i < COUNT_OF(held); i++) {
		const char *name = path + strlen(held[i].prefix);
		if (held[i].dir < 0 || !str_starts(path, held[i].prefix))
			continue;
		if (!*name || strchr(name, '/') || str_eq(name, ".") || str_eq(name, ".."))
			continue;
		*ret = (struct place){ .dir = held[i].dir, .name = name, .opened = -1 };
		return true;
	}
	return false;
}

static bool needs_real_directory(const struct spec_mount *m)
{
	static const char *const places[] = { "proc", "sys", "dev" };

	if (m->type && (str_eq(m->type, "proc") || str_eq(m->type, "sysfs")))
		return true;
	for (size_t i = 0; i < COUNT_OF(places); i++)
		if (mount_path_is(m->destination, places[i]))
			return true;
	return false;
}

/* CVE-2019-19921 and its heirs: masked and read-only paths would cover something else than what a link at
 * /proc, /sys or /dev made us mount elsewhere. */
static int open_real_directory(const struct rootfs *r, const char *path, struct error *e)
{
	const char *below = path + strspn(path, "/");
	struct error absent;

	int fd = path_beneath(r->root, below, O_PATH | O_DIRECTORY, true, &absent);
	if (fd >= 0)
		return fd;
	if (fd == -ELOOP || fd == -ENOTDIR)
		return refuse(e, -fd, "must be a directory, not a symbolic link or a file");
	auto_close int made = path_mkdir(r->root, path, 0755, e);
	if (made < 0)
		return made;
	return path_beneath(r->root, below, O_PATH | O_DIRECTORY, true, e);
}

/* Where a link leads may be what we hold a handle of: then that is no longer what its name shows. */
static int open_target(struct rootfs *r, const struct spec_mount *m, bool is_dir, struct error *e)
{
	struct error ignored;

	if (mount_path_is(m->destination, ""))
		return refuse(e, EINVAL, "the root itself is no place for a mount");
	if (needs_real_directory(m))
		return open_real_directory(r, m->destination, e);
	int fd = path_beneath(r->root, m->destination + strspn(m->destination, "/"), O_PATH, true, &ignored);
	if (fd >= 0)
		return fd;
	if (fd != -ENOENT) {
		replace_fd(&r->proc, -1);
		replace_fd(&r->sys, -1);
	}
	return path_target(r->root, m->destination, is_dir, e);
}

/* ---- one mount ---- */

/* Change the file system itself. */
static int reconfigure(int there, const char *type, const struct mountopts *o, struct error *e)
{
	auto_close int fs = sys_fspick(there, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
	if (mountold_is_needed(o) || (fs < 0 && errno == ENOSYS))
		return mountold_reconfigure(there, type, o, e);
	if (fs < 0)
		return fail(e, errno, "fspick");
	int ret = configure(fs, type, NULL, o, e);
	if (ret == 0 && sys_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		ret = fail_fs(fs, errno, type, "reconfigure", e);
	return ret;
}

/* Change what an earlier entry has mounted there; `bind` leaves the file system itself as it is. */
static int remount(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
		   struct error *e)
{
	auto_close int there = path_open(r->root, m->destination, O_PATH, e);
	if (there < 0)
		return there;
	int ret = o->bind ? 0 : reconfigure(there, m->type ? m->type : "file system", o, e);
	if (ret == 0)
		ret = mount_change(there, o->set, o->clear, o->propagation_recursive ? 0 : o->propagation,
				   false, e);
	if (ret == 0)
		ret = mount_change(there, o->set_all, o->clear_all,
				   o->propagation_recursive ? o->propagation : 0, true, e);
	return ret;
}

static int make_detached(const struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
			 bool bind, struct error *e)
{
	if (o->special & MOUNT_COPY_UP && (bind || !m->type || !str_eq(m->type, "tmpfs")))
		return refuse(e, EINVAL, "option tmpcopyup: goes with a tmpfs");
	if (bind)
		return bind_make(r, m, o, e);
	if (!m->type)
		return refuse(e, EINVAL, "a mount that is not a bind mount needs a type");
	auto_close int mount = make_filesystem(r, m, o, e);
	if (mount < 0)
		return mount;
	if (o->propagation && o->propagation != MS_PRIVATE) {
		int ret = mount_change(mount, 0, 0, o->propagation, true, e);
		if (ret < 0)
			return ret;
	}
	return take_fd(&mount);
}

int mount_make(const struct rootfs *r, const struct spec_mount *m, bool *ret_is_dir, struct error *e)
{
	struct stat st = { .st_mode = S_IFDIR };
	struct mountopts o;

	int ret = mountopts_parse(m->options, &o, e);
	if (ret < 0)
		return ret;
	auto_close int mount = o.remount ? refuse(e, ENOTSUP, "option remount is not supported here")
					 : make_detached(r, m, &o, bind_is(m, &o), e);
	mountopts_done(&o);
	if (mount < 0)
		return mount;
	if (fstat(mount, &st) < 0)
		return fail(e, errno, "stat");
	*ret_is_dir = S_ISDIR(st.st_mode);
	return take_fd(&mount);
}

bool mount_is_bind(const struct spec_mount *m)
{
	struct mountopts o;
	struct error ignored;

	if (mountopts_parse(m->options, &o, &ignored) < 0)
		return false;
	bool bind = bind_is(m, &o);
	mountopts_done(&o);
	return bind;
}

/* A directory right below one that we hold is the usual target and needs no resolving: one name, no link
 * followed. Whatever is not as simple gets the careful way, and the errors are its. */
static bool attach_directly(const struct rootfs *r, const struct spec_mount *m, int mount)
{
	struct error ignored;
	struct place p;

	if (!place_find(r, m->destination, &p))
		return false;
	if (p.dir == r->dev) /* a new tmpfs: there is nothing in it yet */
		mkdirat(p.dir, p.name, 0755);
	return mount_attach(mount, p.dir, p.name, &ignored) == 0;
}

/* dest-nofollow: a link at the end is covered, not followed; what is not there is made. */
static int open_target_nofollow(struct rootfs *r, const struct spec_mount *m, bool is_dir, struct error *e)
{
	struct error ignored;

	if (needs_real_directory(m))
		return open_real_directory(r, m->destination, e);
	int fd = path_open_nofollow(r->root, m->destination, O_PATH, &ignored);
	return fd == -ENOENT ? open_target(r, m, is_dir, e) : fd < 0 ? (*e = ignored, fd) : fd;
}

static int attach(struct rootfs *r, const struct spec_mount *m, const struct mountopts *o, int mount,
		  bool is_dir, struct error *e)
{
	if (is_dir && attach_directly(r, m, mount))
		return 0;
	auto_close int target = o->special & MOUNT_DEST_NOFOLLOW ? open_target_nofollow(r, m, is_dir, e)
								 : open_target(r, m, is_dir, e);
	return target < 0 ? target : mount_attach(mount, target, "", e);
}

/* Keep the handles of what devices, masked and read-only paths will be looked for in; they go with whatever
 * is mounted on top. */
static void keep_handle(struct rootfs *r, const struct spec_mount *m, bool bind, int *mount)
{
	if (mount_path_is(m->destination, "dev")) {
		r->dev_is_bind = bind;
		replace_fd(&r->dev, take_fd(mount));
	} else if (mount_path_is(m->destination, "proc")) {
		replace_fd(&r->proc, bind ? -1 : take_fd(mount));
	} else if (mount_path_is(m->destination, "sys")) {
		replace_fd(&r->sys, bind ? -1 : take_fd(mount));
	}
}

static int mount_with(struct rootfs *r, const struct spec_mount *m, const struct mountopts *o,
		      struct error *e)
{
	bool bind = bind_is(m, o);
	struct stat st = { .st_mode = S_IFDIR };

	if (o->remount)
		return remount(r, m, o, e);
	if (bind && m->source && o->special & MOUNT_COPY_SYMLINK) {
		int copied = bind_copy_symlink(r, m, e);
		if (copied)
			return copied < 0 ? copied : 0;
	}
	auto_close int mount = make_detached(r, m, o, bind, e);
	if (mount < 0)
		return mount;
	if (bind && fstat(mount, &st) < 0)
		return fail(e, errno, "stat %s", m->source);
	int ret = attach(r, m, o, mount, S_ISDIR(st.st_mode), e);
	if (ret == 0)
		keep_handle(r, m, bind, &mount);
	return ret;
}

static int mount_one(struct rootfs *r, const struct spec_mount *m, struct error *e)
{
	struct mountopts o;

	int ret = mountopts_parse(m->options, &o, e);
	if (ret == 0) {
		ret = mount_with(r, m, &o, e);
		mountopts_done(&o);
	}
	return ret;
}

int rootfs_mounts(struct rootfs *r, struct error *e)
{
	mode_t umask_before = umask(0);
	int ret = 0;

	if (!r->new_ns && r->spec->n_mounts)
		ret = refuse(e, EINVAL,
			     "mounts: the config lists no mount namespace: they would be the host's");
	for (size_t i = 0; ret == 0 && i < r->spec->n_mounts; i++) {
		const struct spec_mount *m = &r->spec->mounts[i];
		ret = mount_one(r, m, e);
		if (ret < 0)
			ret = prefix(e, "mounts[%zu]: mount %s at %s", i,
				     m->source ? m->source
				     : m->type ? m->type
					       : "nothing",
				     m->destination);
	}
	umask(umask_before);
	return ret;
}
