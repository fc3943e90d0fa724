/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysctl.c - write linux.sysctl
 *
 * In INIT, through a procfs instance of our own that is mounted nowhere: nothing that a container's files or
 * volumes put over /proc can catch or redirect a write (CVE-2025-52881). Which keys are a container's own is
 * checked before, in specs/validate.c.
 * Spec: config-linux.md, "Sysctl". */
#include <errno.h>
#include <string.h>

#include "namespaces/mount.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

/* "net.ipv4.ip_forward" is sys/net/ipv4/ip_forward. A name with slashes, as sysctl(8) takes it for links
 * with a dot in theirs, is a path already. */
static int key_to_path(const char *key, char *buf, size_t size, struct error *e)
{
	bool slashes = strchr(key, '/');

	if (str_format(buf, size, "sys/%s", key) < 0)
		return refuse(e, ENAMETOOLONG, "too long");
	for (char *p = buf; !slashes && *p; p++)
		if (*p == '.')
			*p = '/';
	return 0;
}

static int write_one(int proc, const struct spec_key_value *kv, struct error *e)
{
	char path[256];

	int r = key_to_path(kv->key, path, sizeof(path), e);
	if (r < 0)
		return r;
	auto_close int fd = path_beneath(proc, path, O_WRONLY, false, e);
	if (fd < 0)
		return fd;
	size_t size = strlen(kv->value);
	ssize_t n = write(fd, kv->value, size);
	if (n != (ssize_t)size)
		return fail(e, n < 0 ? errno : EIO, "write \"%s\"", kv->value);
	return 0;
}

int sysctl_write(const struct spec *s, struct error *e)
{
	const struct mountopts plain = { .set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

	if (!s->n_sysctl)
		return 0;
	auto_close int proc = mount_new("proc", NULL, &plain, e);
	if (proc < 0)
		return prefix(e, "linux.sysctl");
	for (size_t i = 0; i < s->n_sysctl; i++)
		if (write_one(proc, &s->sysctl[i], e) < 0)
			return prefix(e, "linux.sysctl.%s", s->sysctl[i].key);
	return 0;
}
