/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_tree.c - any bytes as a frame of a copied tree: a tree is made below one directory or the frame is refused; what is
 * beside the directory is as before, and when the receiver is gone so is all that it made
 *
 * In a mount namespace with a small tmpfs of its own, for which a user namespace gives the right where root does not run
 * it. */
#include <assert.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/tree.h"
#include "tests/fuzz/fuzz.h"

static int root = -1;
static off_t empty; /* what the size of an empty directory is */

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

/* The place where it runs; false where none can be had. */
static bool prepare(void)
{
	char uid_map[64], gid_map[64];

	snprintf(uid_map, sizeof(uid_map), "0 %u 1", geteuid());
	snprintf(gid_map, sizeof(gid_map), "0 %u 1", getegid());
	bool plain = geteuid() == 0;
	if (unshare(plain ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	if (!plain) {
		write_text("/proc/self/setgroups", "deny");
		write_text("/proc/self/uid_map", uid_map);
		write_text("/proc/self/gid_map", gid_map);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    /* not over /tmp: the checkout with the corpus may lie there */
	    mount("fuzz", "/media", "tmpfs", 0, "size=8m,nr_inodes=4000") < 0)
		return false;
	if (mkdir("/media/tree", 0700) < 0 || mkdir("/media/decoy", 0700) < 0)
		return false;
	close(open("/media/decoy/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	root = open("/media/tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	if (root < 0 || fstat(root, &st) < 0)
		return false;
	empty = st.st_size;
	return true;
}

static void check_decoy(void)
{
	struct stat st;

	assert(stat("/media/decoy/file", &st) == 0);
	assert(st.st_size == 0 && st.st_nlink == 1 && st.st_mode == (S_IFREG | 0600));
	assert(stat("/media/decoy", &st) == 0 && st.st_nlink == 2 && st.st_mode == (S_IFDIR | 0700));
	assert(stat("/media", &st) == 0 && st.st_nlink == 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct tree_limits limits = { .bytes = 1 << 20, .entries = 500 };
	static int prepared; /* 1 yes, -1 it cannot be */
	struct tree_receiver *r = NULL;
	struct error e = { 0 };
	struct stat st;

	if (!prepared) {
		prepared = prepare() ? 1 : -1;
		if (prepared < 0)
			fprintf(stderr, "fuzz_tree: skipped: no mount namespace can be had\n");
	}
	if (prepared < 0)
		return 0;
	int n = tree_receiver_new(root, "tree", &limits, &r, &e);
	if (n < 0) {
		fprintf(stderr, "fuzz_tree: %s\n", e.msg);
		abort();
	}
	n = tree_receive(r, data, size, &e);
	assert((n < 0) == (e.msg[0] != '\0'));
	assert(n == 0 || !tree_receive_ended(r));
	assert(n == 0 || tree_receive(r, data, size, &e) < 0);
	check_decoy();
	tree_receiver_free(r);
	check_decoy();
	assert(fstat(root, &st) == 0 && st.st_nlink == 2 && st.st_size == empty);
	return 0;
}
