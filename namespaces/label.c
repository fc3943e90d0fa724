/* SPDX-License-Identifier: GPL-2.0-or-later */
/* label.c - labels of the security modules */
#include "namespaces/label.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

#define LABEL_MAX 4096 /* the kernel takes less than a page */

/* ---- what the host has ---- */

static bool has_apparmor(void)
{
	struct error ignored;
	char text[8];

	return io_read_small(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", text, sizeof(text),
			     &ignored) > 0 &&
	       *text == 'Y';
}

/* As libselinux: the file system is known, and mounted where all look for it. */
static bool has_selinux(void)
{
	return access("/sys/fs/selinux/enforce", F_OK) == 0;
}

static bool is_unconfined(const struct spec_process *p)
{
	return str_eq(p->apparmor_profile, "unconfined");
}

bool label_is_needed(const struct spec_process *p)
{
	if (p->selinux_label)
		return true;
	return p->apparmor_profile && (!is_unconfined(p) || has_apparmor());
}

int label_check(const struct spec *s, const struct spec_process *p, struct error *e)
{
	if (p && p->apparmor_profile && !is_unconfined(p) && !has_apparmor())
		return refuse(e, ENOTSUP, "process.apparmorProfile: %s: AppArmor is not enabled on this host",
			      p->apparmor_profile);
	bool process = p && p->selinux_label, mounts = s && s->mount_label;
	if ((process || mounts) && !has_selinux())
		return refuse(e, ENOTSUP, "%s: %s: SELinux is not enabled on this host",
			      process ? "process.selinuxLabel" : "linux.mountLabel",
			      process ? p->selinux_label : s->mount_label);
	return 0;
}

/* ---- the process ---- */

int label_open(struct error *e)
{
	auto_close int fd = open("/proc/self/attr", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open /proc/self/attr");
	if (!path_is_on(fd, PROC_SUPER_MAGIC))
		return refuse(e, EINVAL, "/proc/self/attr is not a procfs");
	return take_fd(&fd);
}

static int write_attr(int attr, const char *file, const char *text, struct error *e)
{
	auto_close int fd = path_beneath(attr, file, O_WRONLY, false, e);
	if (fd < 0)
		return fd;
	ssize_t n = write(fd, text, strlen(text));
	return n == (ssize_t)strlen(text) ? 0 : fail(e, n < 0 ? errno : EIO, "write \"%s\"", text);
}

/* Where several modules share "exec", AppArmor has a directory of its own (Linux 5.8). */
static int write_apparmor(int attr, const char *profile, struct error *e)
{
	struct error own;
	char text[LABEL_MAX];

	if (str_format(text, sizeof(text), "exec %s", profile) < 0)
		return refuse(e, ENAMETOOLONG, "too long");
	int r = write_attr(attr, "apparmor/exec", text, &own);
	if (r == -ENOENT && strstr(own.msg, "write") == NULL)
		return write_attr(attr, "exec", text, e);
	if (r < 0)
		*e = own;
	return r;
}

int label_write(int attr, const struct spec_process *p, struct error *e)
{
	int r = 0;

	if (p->apparmor_profile) {
		r = write_apparmor(attr, p->apparmor_profile, e);
		if (r < 0)
			return prefix(e, "process.apparmorProfile");
	}
	if (p->selinux_label)
		r = write_attr(attr, "exec", p->selinux_label, e);
	return r < 0 ? prefix(e, "process.selinuxLabel") : 0;
}

/* ---- mounts ---- */

bool label_goes_with(const char *type)
{
	static const char *const without[] = { "proc", "sysfs", "cgroup", "cgroup2", "mqueue" };

	for (size_t i = 0; i < COUNT_OF(without); i++)
		if (str_eq(type, without[i]))
			return false;
	return true;
}

int label_add(const struct mountopts *o, const char *label, char *text, size_t size, struct mountopts *ret,
	      struct error *e)
{
	*ret = *o;
	ret->data = calloc(o->n_data + 2, sizeof(*ret->data));
	if (!ret->data)
		return fail(e, ENOMEM, "mount options");
	if (o->n_data)
		memcpy(ret->data, o->data, o->n_data * sizeof(*o->data));
	if (mountopts_data(o, "context"))
		return 0;
	if (str_format(text, size, "context=%s", label) < 0) {
		free(take_ptr(ret->data));
		return refuse(e, ENAMETOOLONG, "linux.mountLabel: too long");
	}
	ret->data[ret->n_data++] = text;
	return 0;
}
