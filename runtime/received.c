/* SPDX-License-Identifier: GPL-2.0-or-later */
/* received.c - bundles that `receive` makes, and their end */
#include "runtime/received.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/tree.h"
#include "runtime/base/log.h"

void remove_directory(const char *path)
{
	struct error e;

	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return;
	if (tree_remove_below(dir, path, &e) < 0)
		log_warning("%s", e.msg);
	else if (rmdir(path) < 0 && errno != ENOENT)
		log_warning("remove %s: %s", path, strerror(errno));
}

void received_bundle_remove(const char *bundle)
{
	struct stat st;

	auto_close int dir = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir >= 0 && fstatat(dir, RECEIVED_MARK, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == geteuid())
		remove_directory(bundle);
}
