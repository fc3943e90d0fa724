/* SPDX-License-Identifier: GPL-2.0-or-later */
/* criu.h - CRIU, found and spoken to: `criu swrk`, one request and its answer, callbacks on the way
 *
 * Never libcriu, never `criu service`: a `criu swrk FD` is spawned for one request over a socketpair, and is
 * nobody else's. The protocol is CRIU's images/rpc.proto (criu.proto has the fields that are used here), one
 * protobuf message per packet.
 *
 * Descriptors. CRIU opens the directories that a request names through /proc/OUR-PID/fd: they need only be
 * open in this process until the answer has come. What it is to use itself (ps.fd, inherit_fd) it must have
 * inherited: give those to criu_start(), in there they are CRIU_FD(0), CRIU_FD(1), … For what is not known
 * so early, make a pair of sockets before and connect its other end later.
 *
 * Order of callbacks (CRIU 3.17 to 4.2):
 *	dump	pre-dump, [tasks are stopped] network-lock, query-ext-files, [memory, …] post-dump, then (kept
 *		running or failed) network-unlock. Neither of the network's two when CRIU and the first process
 *		share their network namespace
 *	restore	pre-restore, setup-namespaces, post-setup-namespaces, [memory, files, mounts] post-restore,
 *		network-unlock, [ids, capabilities, seccomp] pre-resume, [tasks run] post-resume
 * Post-dump and post-restore are where two nodes agree: a callback that fails there makes CRIU let the dumped
 * tasks run on, or kill the restored ones. A failing pre-resume is only logged by CRIU: kill them yourself.
 */
#ifndef CORACLE_CRIU_H
#define CORACLE_CRIU_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

/* ---- which CRIU ---- */

#define CRIU_VERSION(major, minor, sub) ((major)*10000 + (minor)*100 + (sub))
#define CRIU_VERSION_LEAST		CRIU_VERSION(3, 17, 0)

/* The path of the CRIU to use: `given` (--criu), else $CORACLE_CRIU, else the private prefix that quickstart
 * makes (CORACLE_CRIU_PREFIX/bin/criu) where there is one, else /usr/local/sbin, /usr/sbin, … Must be
 * absolute, a regular file that root alone may write. *ret is a new string. -ENOENT tells what to install. */
int criu_find(const char *given, char **ret, struct error *e);

struct criu_features {
	int version;	 /* CRIU_VERSION() */
	bool mem_track;	 /* pre-dumps need it: the kernel tells which pages were written (soft-dirty) */
	bool lazy_pages; /* userfaultfd */
	bool pidfd_store;
};

/* ---- a spawned CRIU ---- */

enum { CRIU_FD_FIRST = 20 };
#define CRIU_FD(i) (CRIU_FD_FIRST + (int)(i))

struct criu; /* a running `criu swrk`, ours alone */

struct criu_start {
	const char *path; /* from criu_find() */
	const int *fds;	  /* inherited as CRIU_FD(0), …; -1: a hole */
	size_t n_fds;
	int cgroup; /* it is born in this group (a directory handle); -1: ours */
	/* In the child, before it executes CRIU: enter or make namespaces, mount. It is a full copy of us
	 * (fork), may allocate, and its error is returned by criu_start. NULL: nothing to do. */
	int (*prepare)(void *arg, struct error *e);
	void *arg;
};

/* Spawn it: no environment but PATH and what CRIU reads (none of ours), "/" as working directory, 0, 1, 2 on
 * the null device, nothing else inherited; it dies with us. It is a child of ours that has been executed and
 * waits for a request when this returns: spawn it early. */
int criu_start(const struct criu_start *s, struct criu **ret, struct error *e);

/* Kill it if it still runs, reap it. */
void criu_free(struct criu *c);
DEFINE_AUTO(criu, struct criu)

pid_t criu_pid(const struct criu *c);

/* Ask version and features; it can be asked once more afterwards. Also warms it up. */
int criu_ask_features(struct criu *c, struct criu_features *ret, struct error *e);

/* ---- one request ---- */

enum criu_action { CRIU_DUMP = 1, CRIU_RESTORE = 2, CRIU_PRE_DUMP = 4 };

/* What a callback is told. */
struct criu_event {
	pid_t pid; /* setup-namespaces, post-restore: the restored first process, in our pid namespace; else 0
		    */
	int fd;	   /* orphan-pts-master: the terminal's master; take it with take_fd(), else it is closed */
};

/* NULL: let it pass. What fails is CRIU's failure too; the error is kept and told instead of CRIU's own. */
typedef int criu_callback(void *arg, struct criu_event *event, struct error *e);

/* `step` is called when `fd` is readable, and again at once after it returned above 0; it may set fd to -1: nothing
 * more of it. Its failure is not CRIU's by itself: it sees to that (by shutting CRIU's socket down); it is told
 * instead of CRIU's own, and is not called again. */
struct criu_also {
	int fd;
	int (*step)(void *arg, struct error *e);
	void *arg;
	bool again;
};

struct criu_callbacks {
	/* Served while CRIU is waited for: its pages (pages.h), its lazy pages (lazy.h), the peer. */
	struct criu_also *also;
	size_t n_also;
	criu_callback *pre_dump, *network_lock, *post_dump, *network_unlock;
	criu_callback *pre_restore, *setup_namespaces, *post_setup_namespaces, *post_restore, *pre_resume,
		*post_resume, *orphan_pts_master, *status_ready;
	void *arg;
};

enum criu_network_lock { CRIU_LOCK_DEFAULT, CRIU_LOCK_IPTABLES, CRIU_LOCK_NFTABLES, CRIU_LOCK_SKIP };
enum criu_cgroups { /* --manage-cgroups-mode; CRIU's numbers */
		    CRIU_CGROUPS_IGNORE,
		    CRIU_CGROUPS_NONE,
		    CRIU_CGROUPS_PROPS,
		    CRIU_CGROUPS_SOFT,
		    CRIU_CGROUPS_FULL,
		    CRIU_CGROUPS_STRICT,
		    CRIU_CGROUPS_DEFAULT
};

struct criu_inherit {
	const char *key; /* "pipe:[1234]", "file[MNT:INODE]", "extRootNetNS", … */
	int fd;		 /* CRIU_FD(i) */
};

/* Everything that a request may say; zero is CRIU's default. Strings and lists are the caller's. */
struct criu_request {
	enum criu_action action;
	int images_dir, work_dir;  /* directory handles; work_dir -1: the same */
	const char *log_file;	   /* "dump.log", in work_dir */
	int log_level;		   /* 0 to 4; 1: errors only, the default here since each line costs */
	pid_t pid;		   /* dump: the first process */
	const char *parent_images; /* relative to images_dir: "../1"; NULL: none */
	const char *root;	   /* restore: a mount point, as seen by CRIU (criu_start.prepare) */
	const char *freeze_cgroup; /* path, as seen by CRIU */
	const char *lsm_profile, *lsm_mount_context, *config_file;
	const char *page_server_address;
	int page_server_port;		/* 0: none */
	int page_server_fd;		/* CRIU_FD(i) of a connected socket; 0: none */
	const char *const *external;	/* NULL-terminated: "mnt[KEY]:VALUE", "net[INODE]:KEY", … */
	const char *const *skip_mounts; /* NULL-terminated mount points that a dump does not look at */
	const char *const
		*enable_fs; /* NULL-terminated: file systems without state that it may mount by name */
	const struct criu_inherit *inherit;
	size_t n_inherit;
	enum criu_network_lock network_lock;
	enum criu_cgroups manage_cgroups;
	unsigned int empty_ns;	  /* CLONE_NEW* flags */
	unsigned int ghost_limit; /* bytes; 0: CRIU's default */
	unsigned int timeout_s;	  /* 0: CRIU's default */
	int status_fd;		  /* ours; -1: none */
	bool leave_running, leave_stopped, tcp_established, tcp_close, tcp_skip_in_flight, ext_unix_sk,
		shell_job, file_locks, link_remap, force_irmap, auto_dedup, track_mem, lazy_pages,
		ext_sharing, ext_masters, rst_sibling, orphan_pts_master, evasive_devices, weak_sysctls,
		mntns_compat, skip_file_rwx_check;
};

/* Ask and serve callbacks until the answer is there. *ret_pid (may be NULL): the restored first process, a
 * child of ours if rst_sibling. A failure is told with CRIU's reason in one sentence, read from its answer
 * and its log, and with where the log lies (`log_path`: for the message only): never "-52". A signal that
 * asks us to end makes the next callback fail, or ends CRIU where none comes. */
int criu_ask(struct criu *c, const struct criu_request *q, const struct criu_callbacks *callbacks,
	     const char *log_path, pid_t *ret_pid, struct error *e);

/* ---- CRIU's reasons ---- */

/* Pure: the one sentence that a log of CRIU's is about: `text` is the log (its end is enough), `said` what
 * the answer says (cr_errmsg, may be NULL), `code` cr_errno. Written to buf, printable. Returns buf. */
const char *criu_explain(const char *text, size_t size, const char *said, int code, char *buf,
			 size_t buf_size);

#endif
