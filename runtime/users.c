/* SPDX-License-Identifier: GPL-2.0-or-later */
/* users.c - users and groups by the names that a container's own files know */
#include "runtime/users.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/io.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/options.h"
#include "specs/spec.h"

enum { ID_FILE_MAX = 4 << 20 };

/* A line of /etc/passwd or /etc/group begins NAME:x:ID, of passwd NAME:x:UID:GID. */
struct id_line {
	const char *name;
	uint32_t id, gid;
	bool has_gid;
};

static bool split_id_line(char *line, struct id_line *ret)
{
	const char *fields[4] = { NULL };

	for (size_t i = 0; i < COUNT_OF(fields) && line; i++)
		fields[i] = strsep(&line, ":");
	if (!fields[2] || str_to_u32(fields[2], &ret->id) < 0)
		return false;
	ret->name = fields[0];
	ret->has_gid = fields[3] && str_to_u32(fields[3], &ret->gid) == 0;
	return true;
}

/* A regular file and nothing else: what a root tree holds is not ours to trust. */
static int read_id_file(const char *rootfs, const char *path, char **ret, struct error *e)
{
	char name[FD_PATH_SIZE];
	struct stat st;

	auto_close int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail(e, errno, "open %s", rootfs);
	auto_close int handle = path_open(root, path, O_PATH, e);
	if (handle < 0)
		return handle;
	if (fstat(handle, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse(e, EINVAL, "%s in the container is not a file", path);
	auto_close int fd = open(fd_path(handle, name), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "open %s in the container", path);
	int r = io_read_fd(fd, ID_FILE_MAX, ret, NULL, e);
	return r < 0 ? prefix(e, "%s in the container", path) : r;
}

/* Find a name or (name NULL) an id in a file below rootfs. -ENOENT: not there, or no such file. */
static int find_id(const char *rootfs, const char *path, const char *name, struct id_line *found,
		   struct error *e)
{
	auto_free char *text = NULL;
	struct id_line line;

	int r = read_id_file(rootfs, path, &text, e);
	if (r < 0)
		return r;
	for (char *rest = text, *one; (one = strsep(&rest, "\n"));) {
		if (!split_id_line(one, &line) || (name ? !str_eq(line.name, name) : line.id != found->id))
			continue;
		line.name = NULL;
		*found = line;
		return 0;
	}
	return -ENOENT;
}

static int parse_id(const char *rootfs, const char *path, const char *word, struct id_line *ret,
		    struct error *e)
{
	if (str_to_u32(word, &ret->id) == 0 && ret->id != ID_UNSET)
		return 0;
	int r = find_id(rootfs, path, word, ret, e);
	if (r == -ENOENT)
		return refuse(e, EINVAL, "option --user: `%s` is neither a number nor in the container's %s",
			      word, path);
	return r;
}

int user_parse(const char *rootfs, const char *text, uint32_t *ret_uid, uint32_t *ret_gid, struct error *e)
{
	struct id_line user = { .has_gid = false }, group = { .id = 0 };
	char copy[256];

	if (str_format(copy, sizeof(copy), "%s", text) < 0 || !*text)
		return usage(e, "option --user: `%.64s` is not USER[:GROUP]", text);
	char *rest = copy, *name = strsep(&rest, ":");
	int r = parse_id(rootfs, "/etc/passwd", name, &user, e);
	if (r == 0 && rest)
		r = parse_id(rootfs, "/etc/group", rest, &group, e);
	if (r < 0)
		return r;
	if (!rest && !user.has_gid) {
		r = find_id(rootfs, "/etc/passwd", NULL, &user, e);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	*ret_uid = user.id;
	*ret_gid = rest ? group.id : user.has_gid ? user.gid : 0;
	return 0;
}
