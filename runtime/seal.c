/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seal.c - run from a read-only detached clone of our own binary, or from a sealed copy in memory */
#include "runtime/seal.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/sys.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef ST_RDONLY
#define ST_RDONLY 1
#endif

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static char own_path[PATH_MAX];

/* The first start tells the second one. */
static void learn_own_path(const char *told)
{
	if (*told == '/' && strlen(told) < sizeof(own_path))
		memcpy(own_path, told, strlen(told) + 1);
}

static bool is_sealed(int exe)
{
	struct statfs fs;
	int seals = fcntl(exe, F_GET_SEALS);

	if (seals >= 0 && (seals & ALL_SEALS) == ALL_SEALS)
		return true;
	return fstatfs(exe, &fs) == 0 && (fs.f_flags & ST_RDONLY);
}

const char *seal_own_path(void)
{
	const char *told = *own_path ? NULL : getenv(SEAL_MARKER);

	if (told) { /* sealed before main, for a command that needs none */
		auto_close int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		if (exe >= 0 && is_sealed(exe))
			learn_own_path(told);
	}
	if (!*own_path && readlink("/proc/self/exe", own_path, sizeof(own_path) - 1) < 0)
		*own_path = 0;
	return own_path;
}

static int clone_read_only(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	auto_close int tree = sys_open_tree(AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -1;
	return take_fd(&tree);
}

/* Without the right to clone mounts, or before Linux 5.12. */
static int copy_to_memory(int exe)
{
	struct stat st;

	auto_close int copy = memfd_create("coracle", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (copy < 0 && errno == EINVAL) /* before Linux 6.3 */
		copy = memfd_create("coracle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (copy < 0 || fstat(exe, &st) < 0)
		return -1;
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(copy, exe, NULL, (size_t)left);
		if (n <= 0)
			return -1;
		left -= n;
	}
	if (fcntl(copy, F_ADD_SEALS, ALL_SEALS) < 0)
		return -1;
	return take_fd(&copy);
}

int seal_self(char *const argv[], struct error *e)
{
	auto_close int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (exe < 0)
		return fail(e, errno, "open /proc/self/exe");
	const char *told = getenv(SEAL_MARKER);
	if (told) {
		bool sealed = is_sealed(exe);
		if (sealed)
			learn_own_path(told);
		unsetenv(SEAL_MARKER);
		if (sealed)
			return 0;
	}
	auto_close int sealed = clone_read_only();
	if (sealed < 0)
		sealed = copy_to_memory(exe);
	if (sealed < 0)
		return fail(e, errno, "make a read-only clone of our own binary");
	if (setenv(SEAL_MARKER, seal_own_path(), 1) < 0)
		return fail(e, errno, "setenv");
	sys_execveat(sealed, "", argv, environ, AT_EMPTY_PATH);
	return fail(e, errno, "execute the read-only clone of our own binary");
}
