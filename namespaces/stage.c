/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stage.c - the config's mounts laid out for CRIU, each under a key instead of at its destination */
#include "namespaces/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "namespaces/mount.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

const char *stage_key(size_t i, char buf[static STAGE_KEY_SIZE])
{
	snprintf(buf, STAGE_KEY_SIZE, "m%04u", (unsigned int)(i + 1) % 10000U);
	return buf;
}

bool stage_is_criu_s(const struct spec_mount *m, bool own_ipc)
{
	if (!m->type || mount_is_bind(m))
		return false;
	return str_eq(m->type, "proc") || str_eq(m->type, "devpts") ||
	       (str_eq(m->type, "mqueue") && !own_ipc);
}

/* ---- destinations ---- */

/* True if `path` is below `dir`; *ret_rest is what follows. Both are clean. */
static bool is_below(const char *path, const char *dir, const char **ret_rest)
{
	size_t n = strlen(dir);

	if (strncmp(path, dir, n) != 0 || path[n] != '/')
		return false;
	*ret_rest = path + n + 1;
	return true;
}

/* Where the destination of mount i is looked for: in the last mount before it that holds it, or the root. */
static int open_base(const struct rootfs *r, int stage, const char *clean, size_t i, bool own_ipc,
		     const char **ret_rest, struct error *e)
{
	char key[STAGE_KEY_SIZE];

	for (size_t j = i; j-- > 0;) {
		auto_free char *other = path_clean(r->spec->mounts[j].destination);
		if (!other)
			return fail(e, ENOMEM, "mount");
		if (!is_below(clean, other, ret_rest))
			continue;
		if (stage_is_criu_s(&r->spec->mounts[j], own_ipc))
			return -ENOENT; /* in a procfs: there or not, it is the kernel's */
		int fd = openat(stage, stage_key(j, key), O_PATH | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? fail(e, errno, "open %s", key) : fd;
	}
	*ret_rest = clean + 1;
	int fd = openat(r->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail(e, errno, "open the root directory") : fd;
}

/* CRIU finds destinations by path, from outside of the root: no link may be on the way (CVE-2026-119101). */
static int prepare_destination(const struct rootfs *r, int stage, size_t i, bool own_ipc, bool is_dir,
			       struct error *e)
{
	const char *rest = NULL;
	struct error absent;

	auto_free char *clean = path_clean(r->spec->mounts[i].destination);
	if (!clean)
		return fail(e, ENOMEM, "mount");
	auto_close int base = open_base(r, stage, clean, i, own_ipc, &rest, e);
	if (base == -ENOENT)
		return 0;
	if (base < 0)
		return base;
	bool base_is_root = rest == clean + 1;
	auto_close int there = path_beneath(base, rest, O_PATH, false, &absent);
	if (there == -ENOENT) {
		auto_close int made = path_target(base, rest, is_dir, e);
		if (made < 0)
			return made;
		replace_fd(&there, path_beneath(base, rest, O_PATH, false, &absent));
	}
	/* Links of the root, followed inside of it ("/var/run"): CRIU is told where they led at the checkpoint, and
	 * restore_check.c that it is the same place now. */
	if (there == -ELOOP && base_is_root) {
		auto_close int resolved = path_target(base, rest, is_dir, e);
		return resolved < 0 ? resolved : 0;
	}
	if (there < 0)
		return refuse(e, -there, "%s is not the plain path it has to be for a restore: %s", clean,
			      absent.msg);
	return 0;
}

/* ---- layout ---- */

static int make_key(int stage, const char *key, bool is_dir, struct error *e)
{
	int r = is_dir ? mkdirat(stage, key, 0755) : mknodat(stage, key, S_IFREG | 0644, 0);
	return r < 0 ? fail(e, errno, "make %s", key) : 0;
}

static int lay_out(struct rootfs *r, int stage, size_t i, bool own_ipc, struct error *e)
{
	const struct spec_mount *m = &r->spec->mounts[i];
	char key[STAGE_KEY_SIZE];
	bool is_dir = true;

	if (stage_is_criu_s(m, own_ipc))
		return prepare_destination(r, stage, i, own_ipc, true, e);
	auto_close int mount = mount_make(r, m, &is_dir, e);
	if (mount < 0)
		return mount;
	int ret = prepare_destination(r, stage, i, own_ipc, is_dir, e);
	if (ret == 0)
		ret = make_key(stage, stage_key(i, key), is_dir, e);
	if (ret == 0)
		ret = mount_attach(mount, stage, key, e);
	if (ret == 0 && mount_path_is(m->destination, "dev")) {
		r->dev_is_bind = mount_is_bind(m);
		replace_fd(&r->dev, take_fd(&mount));
	}
	return ret;
}

static int open_stage(const char *path, struct error *e)
{
	char mode[] = "mode=0700";
	char *data[] = { mode, NULL };
	struct mountopts o = { .data = data, .n_data = 1 };

	auto_close int mount = mount_new("tmpfs", "coracle", &o, e);
	if (mount < 0)
		return mount;
	auto_close int dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return fail(e, errno, "open %s", path);
	int r = mount_attach(mount, dir, "", e);
	return r < 0 ? r : take_fd(&mount);
}

int rootfs_stage(struct rootfs *r, const char *stage, bool own_ipc, struct error *e)
{
	mode_t umask_before = umask(0);
	int ret = 0;

	auto_close int dir = open_stage(stage, e);
	if (dir < 0)
		return dir;
	for (size_t i = 0; ret == 0 && i < r->spec->n_mounts; i++) {
		ret = lay_out(r, dir, i, own_ipc, e);
		if (ret < 0)
			ret = prefix(e, "mounts[%zu]: mount at %s", i, r->spec->mounts[i].destination);
	}
	umask(umask_before);
	return ret == 0 ? rootfs_devices(r, e) : ret;
}
