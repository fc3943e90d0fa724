/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine.c - cwd, ids, capabilities, filter: the order in which privileges go
 *
 * Runs in INIT and in exec's process, inside the container's root, last before execve. The order matters:
 *	cwd		with our rights first; a directory that only the user may enter is tried again after
 *	bounding set	while CAP_SETPCAP is there
 *	groups, gid	while CAP_SETGID is there; setgroups always, also for none (CVE-2022-36109)
 *	uid		permitted capabilities are kept over it (PR_SET_KEEPCAPS; execve ends that)
 *	filter		here, if privileges may still be gained: loading it needs CAP_SYS_ADMIN
 *	capabilities	down to what the config grants
 * Spec: config.md, "Process", "Linux Process", "User". */
#include "namespaces/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "namespaces/caps.h"
#include "namespaces/label.h"
#include "namespaces/plan.h"
#include "namespaces/seccomp.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

#define UMASK_DEFAULT 0022

/* All for its possessor; view, read, link and search for its owner: exec's process finds it by its name. */
#define KEYRING_PERMISSIONS 0x3f1b0000

/* A name is nobody's property: another user can have made a keyring of that name and let everybody in. */
static bool is_own_keyring(long key)
{
	char text[256]; /* "keyring;UID;GID;PERMISSIONS;NAME" */
	unsigned int uid;

	long n = syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, text, sizeof(text) - 1);
	if (n < 0)
		return false;
	text[n < (long)sizeof(text) ? n : (long)sizeof(text) - 1] = '\0';
	return sscanf(text, "keyring;%u;", &uid) == 1 && uid == geteuid();
}

/* A kernel without keyrings, a filter around us, or a full quota leaves the caller's session keyring. */
static int join_keyring(const char *name, struct error *e)
{
	long key = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
	if (key >= 0 && is_own_keyring(key)) {
		syscall(SYS_keyctl, KEYCTL_SETPERM, key, KEYRING_PERMISSIONS);
		return 0;
	}
	if (key >= 0) {
		log_warning("session keyring %s is another user's: the container gets one without a name",
			    name);
		key = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	}
	if (key >= 0 || errno == ENOSYS)
		return 0;
	if (errno != EPERM && errno != EDQUOT)
		return fail(e, errno, "join session keyring %s", name);
	log_warning("no session keyring of its own for the container: %s", strerror(errno));
	return 0;
}

/* Our pid as the host's procfs has it: getpid(2) would tell the container's. */
static int find_own_pid(pid_t *ret, struct error *e)
{
	char text[16];

	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);
	if (n < 0)
		return fail(e, errno, "readlink /proc/self");
	text[n] = '\0';
	int value = 0;
	if (str_to_int(text, &value) < 0)
		return refuse(e, EINVAL, "/proc/self is \"%s\"", text);
	*ret = value;
	return 0;
}

int confine_reach(struct confine *c, struct error *e)
{
	int r = 0;

	if (c->process && label_is_needed(c->process)) {
		c->attr = label_open(e);
		r = c->attr < 0 ? c->attr : 0;
	}
	if (r == 0 && c->listener && c->listener->sock >= 0)
		r = find_own_pid(&c->listener->pid, e);
	return r;
}

int confine_early(const struct confine *c, struct error *e)
{
	int r = c->limits_done ? 0 : rlimits_apply(0, c->process, e);
	if (r == 0 && !c->limits_done)
		r = sched_apply(0, c->process, e);
	if (r == 0 && c->spec)
		r = sched_apply_own(c->spec, e);
	if (r == 0 && c->attr >= 0)
		r = label_write(c->attr, c->process, e);
	if (r == 0 && c->keyring)
		r = join_keyring(c->keyring, e);
	return r;
}

/* ---- working directory ---- */

/* The directory, made with what is missing above it. */
static int open_cwd(const char *cwd, struct error *e)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail(e, errno, "open /");
	mode_t old = umask(UMASK_DEFAULT);
	int dir = path_mkdir(root, cwd, 0755, e);
	umask(old);
	return dir < 0 ? prefix(e, "make working directory %s", cwd) : dir;
}

int confine_make_cwd(const char *cwd, struct error *e)
{
	if (!cwd || cwd[0] != '/' || access(cwd, F_OK) == 0 || errno != ENOENT)
		return 0; /* confine_chdir() has the word */
	auto_close int dir = open_cwd(cwd, e);
	return dir < 0 ? dir : 0;
}

static int make_and_enter(const char *cwd, struct error *e)
{
	auto_close int dir = open_cwd(cwd, e);
	if (dir < 0)
		return dir;
	if (fchdir(dir) < 0)
		return fail(e, errno, "change to working directory %s", cwd);
	return 0;
}

/* The system call, not getcwd(3): that one goes looking for a path when the kernel says there is none. */
static int check_inside(const char *cwd, struct error *e)
{
	char path[PATH_MAX];
	long n = syscall(SYS_getcwd, path, sizeof(path));

	if (n < 0)
		return fail(e, errno, "working directory %s", cwd);
	if (path[0] != '/')
		return refuse(e, EXDEV, "working directory %s is outside of the container's root", cwd);
	return 0;
}

int confine_chdir(const char *cwd, struct error *e)
{
	if (!cwd || cwd[0] != '/')
		return refuse(e, EINVAL, "process.cwd: \"%s\" is not an absolute path", cwd ? cwd : "");
	if (chdir(cwd) < 0) {
		if (errno != ENOENT)
			return fail(e, errno, "change to working directory %s", cwd);
		int r = make_and_enter(cwd, e);
		if (r < 0)
			return r;
	}
	return check_inside(cwd, e);
}

/* ---- ids ---- */

static int check_ids(const struct spec_user *u, struct error *e)
{
	if (u->uid == ID_UNSET || u->gid == ID_UNSET)
		return refuse(e, EINVAL, "process.user: %u is not an id", ID_UNSET);
	for (size_t i = 0; i < u->n_additional_gids; i++)
		if (u->additional_gids[i] == ID_UNSET)
			return refuse(e, EINVAL, "process.user.additionalGids: %u is not an id", ID_UNSET);
	return 0;
}

static int set_groups(const struct confine *c, struct error *e)
{
	const struct spec_user *u = &c->process->user;

	if (c->keep_groups)
		return 0;
	if (c->user_ns_denies_setgroups) {
		if (u->n_additional_gids)
			return refuse(e, EPERM,
				      "process.user.additionalGids: a user namespace that maps only "
				      "one's own id has no other groups");
		return 0;
	}
	if (setgroups(u->n_additional_gids, u->additional_gids) < 0)
		return fail(e, errno, "set %zu additional groups", u->n_additional_gids);
	return 0;
}

static int set_ids(const struct confine *c, struct error *e)
{
	const struct spec_user *u = &c->process->user;

	if (u->uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return fail(e, errno, "prctl PR_SET_KEEPCAPS");
	int r = set_groups(c, e);
	if (r < 0)
		return r;
	if (setresgid(u->gid, u->gid, u->gid) < 0)
		return fail(e, errno, "set gid %u", u->gid);
	if (setresuid(u->uid, u->uid, u->uid) < 0)
		return fail(e, errno, "set uid %u", u->uid);
	/* A change of uid sets "dumpable" to what fs.suid_dumpable says. */
	return ns_hide_self(e);
}

static bool is_listened(const struct confine *c)
{
	return c->listener && (c->listener->sock >= 0 || c->listener->used);
}

static int load_filter(const struct confine *c, struct error *e)
{
	return is_listened(c) ? seccomp_apply_listened(c->filter, c->listener, e)
			      : seccomp_apply(c->filter, e);
}

/* Without no_new_privs only CAP_SYS_ADMIN may load a filter. */
static int load_filter_privileged(const struct confine *c, struct error *e)
{
	if (!c->filter || c->process->no_new_privileges)
		return 0;
	if (c->process->user.uid != 0) {
		int r = caps_regain(e);
		if (r < 0)
			return r;
	}
	return load_filter(c, e);
}

int confine_ids(const struct confine *c, struct error *e)
{
	const struct spec_process *p = c->process;
	struct caps caps;

	int r = check_ids(&p->user, e);
	if (r < 0)
		return r;
	int entered = confine_chdir(p->cwd, e);
	if (entered < 0 && entered != -EACCES)
		return entered;
	umask(p->user.umask == ID_UNSET ? UMASK_DEFAULT : p->user.umask & 07777);
	r = caps_resolve(p->capabilities, &caps, e);
	if (r < 0)
		return r;
	r = caps_drop_bounding(&caps, e);
	if (r < 0)
		return r;
	r = set_ids(c, e);
	if (r < 0)
		return r;
	/* Root of a user namespace, or one squashed by a network file system, may not be let in; the user
	 * may. */
	if (entered < 0) {
		r = confine_chdir(p->cwd, e);
		if (r < 0)
			return r;
	}
	if (p->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(e, errno, "prctl PR_SET_NO_NEW_PRIVS");
	r = load_filter_privileged(c, e);
	if (r < 0)
		return r;
	r = caps_apply(&caps, e);
	if (r == 0 && p->no_new_privileges && is_listened(c))
		r = load_filter(c, e);
	return r;
}

int confine_last(const struct confine *c, struct error *e)
{
	if (!c->filter || !c->process->no_new_privileges || is_listened(c))
		return 0;
	return load_filter(c, e);
}

/* ---- by RUNTIME ---- */

int confine_oom_score(pid_t pid, int64_t value, struct error *e)
{
	char path[64], text[32];

	if (value == NUM_UNSET)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	snprintf(text, sizeof(text), "%lld", (long long)value);
	int r = io_write_file(AT_FDCWD, path, text, e);
	if (r == -EACCES && geteuid() != 0) {
		log_warning("process.oomScoreAdj: %lld is lower than an ordinary user may set: left alone",
			    (long long)value);
		return 0;
	}
	return r < 0 ? prefix(e, "process.oomScoreAdj") : 0;
}
