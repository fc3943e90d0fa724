/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_options.c - what checkpoint and restore have in common: where images lie, what CRIU is told */
#include "runtime/image_options.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/imagedir.h"
#include "checkpoint/manifest.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"

#define DEFAULT_IMAGES "checkpoint" /* below the working directory, as runc has it */

#define AT(field)      offsetof(struct image_options, field)
const struct opt image_rows[] = {
	{ "image-path", 0, OPT_STRING, AT(image_path), "DIR", "the images (default: ./checkpoint)" },
	{ "work-path", 0, OPT_STRING, AT(work_path), "DIR",
	  "CRIU's log and statistics (default: the images')" },
	{ "criu", 0, OPT_STRING, AT(criu), "PATH",
	  "the CRIU to use (default: $CORACLE_CRIU, else it is looked for)" },
	{ "tcp-established", 0, OPT_FLAG, AT(tcp_established), NULL,
	  "take established TCP connections along" },
	{ "tcp-close", 0, OPT_FLAG, AT(tcp_close), NULL, "restore established TCP connections closed" },
	{ "ext-unix-sk", 0, OPT_FLAG, AT(ext_unix_sk), NULL, "allow unix sockets connected to outside" },
	{ "shell-job", 0, OPT_FLAG, AT(shell_job), NULL, "allow a session or terminal from outside" },
	{ "file-locks", 0, OPT_FLAG, AT(file_locks), NULL, "take file locks along" },
	{ "manage-cgroups-mode", 0, OPT_STRING, AT(manage_cgroups_mode), "MODE",
	  "what CRIU does about cgroups: ignore (default: the config's group is made), none, props, soft, "
	  "full, strict" },
	{ "network-lock", 0, OPT_STRING, AT(network_lock), "METHOD",
	  "how CRIU holds the network: iptables, nftables or skip (default)" },
	{ "empty-ns", 0, OPT_STRING, AT(empty_ns), "KIND", "leave the content of a namespace out: network" },
	{ "auto-dedup", 0, OPT_FLAG, AT(auto_dedup), NULL,
	  "free pages of earlier images as they are replaced" },
	{ "lazy-pages", 0, OPT_FLAG, AT(lazy_pages), NULL, "memory on demand, by a page server" },
	{ "key", 0, OPT_STRING, AT(key), "FILE",
	  "the key of the images' MAC (default: " MANIFEST_KEY ", if it is there)" },
	{ "criu-log-level", 0, OPT_INT, AT(log_level), "N", "of CRIU's log, 0 to 4 (default: 1, errors)" },
	{ .kind = OPT_END },
};

/* Logs alone are written there, and the path is the caller's: containerd's is a link. */
static int open_work(const char *path, struct error *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return imagedir_open(path, true, e);
	return fd < 0 ? fail(e, errno, "%s", path) : fd;
}

int image_open(const struct image_options *o, bool make, int *ret_images, int *ret_work, struct error *e)
{
	auto_close int images = imagedir_open(o->image_path ? o->image_path : DEFAULT_IMAGES, make, e);
	if (images < 0)
		return prefix(e, "image path");
	auto_close int work = o->work_path ? open_work(o->work_path, e) : fcntl(images, F_DUPFD_CLOEXEC, 3);
	if (work < 0)
		return o->work_path ? prefix(e, "work path") : fail(e, errno, "dup");
	*ret_images = take_fd(&images);
	*ret_work = take_fd(&work);
	return 0;
}

char *image_log_path(const struct image_options *o, const char *name)
{
	const char *dir = o->work_path ? o->work_path : o->image_path ? o->image_path : DEFAULT_IMAGES;
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static int find_word(const char *word, const char *const *words, const char *option, int *ret,
		     struct error *e)
{
	for (int i = 0; words[i]; i++)
		if (str_eq(word, words[i])) {
			*ret = i;
			return 0;
		}
	return refuse(e, EINVAL, "option --%s: `%s` is none of its words", option, word);
}

static int fill_words(const struct image_options *o, struct criu_request *q, struct error *e)
{
	static const char *const modes[] = { "ignore", "none", "props", "soft", "full", "strict", NULL };
	static const char *const locks[] = { "default", "iptables", "nftables", "skip", NULL };
	static const char *const namespaces[] = { "network", NULL };
	int n = 0, r = 0;

	q->manage_cgroups = CRIU_CGROUPS_IGNORE;
	q->network_lock = CRIU_LOCK_SKIP;
	if (o->manage_cgroups_mode &&
	    (r = find_word(o->manage_cgroups_mode, modes, "manage-cgroups-mode", &n, e)) == 0)
		q->manage_cgroups = (enum criu_cgroups)n;
	if (r == 0 && o->network_lock && (r = find_word(o->network_lock, locks, "network-lock", &n, e)) == 0)
		q->network_lock = n ? (enum criu_network_lock)n : CRIU_LOCK_SKIP;
	if (r == 0 && o->empty_ns && (r = find_word(o->empty_ns, namespaces, "empty-ns", &n, e)) == 0)
		q->empty_ns = CLONE_NEWNET;
	return r;
}

/* What system containers mount by themselves, and nothing of the host's is in. */
static const char *const without_state[] = { "hugetlbfs", NULL };

int image_fill_request(const struct image_options *o, struct criu_request *q, struct error *e)
{
	q->tcp_established = o->tcp_established;
	q->tcp_close = o->tcp_close;
	q->ext_unix_sk = o->ext_unix_sk;
	q->shell_job = o->shell_job;
	q->file_locks = o->file_locks;
	q->auto_dedup = o->auto_dedup;
	q->lazy_pages = o->lazy_pages;
	q->config_file = o->config_file;
	q->enable_fs = without_state;
	if (o->log_level > 4)
		return refuse(e, EINVAL, "option --criu-log-level: 0 to 4");
	return fill_words(o, q, e);
}

int image_page_server(const char *text, char *buf, size_t size, struct criu_request *q, struct error *e)
{
	if (!text)
		return 0;
	const char *colon = strrchr(text, ':');
	uint32_t port;
	size_t n = colon ? (size_t)(colon - text) : 0;
	bool bracketed = n > 2 && *text == '[' && text[n - 1] == ']';
	if (!colon || str_to_u32(colon + 1, &port) < 0 || !port || port > 65535 || n >= size)
		return refuse(e, EINVAL, "option --page-server: `%s` is not ADDRESS:PORT", text);
	snprintf(buf, size, "%.*s", (int)(bracketed ? n - 2 : n), text + bracketed);
	q->page_server_address = buf;
	q->page_server_port = (int)port;
	return 0;
}
