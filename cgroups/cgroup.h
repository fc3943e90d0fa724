/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup.h - the container's control group (v2), by handles
 *
 * In RUNTIME. The unified hierarchy is found by its magic: /sys/fs/cgroup, or /sys/fs/cgroup/unified on a
 * host whose controllers are still bound to v1; a limit whose controller is not there is an error that names
 * both. A v1-only host is refused. All files are opened from the group's handle, those whose name comes from
 * the config by path_beneath().
 *
 *	path.c where a group is	  tree.c make, open, remove	  controllers.c which it has, enabling
 *	knobs.c limits as lines for files (pure, the table), weights.c (pure), apply.c writes them
 *	devrules.c, devprog.c device rules as a BPF program (pure), devices.c attaches it
 *	rdt.c cache classes (rdt.h)
 *	procs.c list, signal, kill	  events.c, freeze.c wait for the kernel	  stats.c figures */
#ifndef CORACLE_CGROUP_H
#define CORACLE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

/* Handle (O_RDONLY) of the cgroup2 mount's root. */
int cgroup_open_root(struct error *e);

/* Where a container's group is, below the root: "/…", clean. cgroupsPath absolute: from the root; relative:
 * below the parent of our own group, as runc has it; absent or "": "coracle-ID" likewise. ".." and the
 * root itself are refused. *ret is a new string. Reads /proc/self/cgroup unless the path is absolute. */
int cgroup_path(const char *cgroups_path, const char *id, char **ret, struct error *e);

/* Make the group and its parents, and enable in the parents the controllers that `r` (NULL: none) needs, no
 * others. Returns a directory handle fit for clone3. *ret_existed: it was there before; one that is frozen
 * or holds processes is refused (-EBUSY) as runc does. On failure, what was made is removed. */
int cgroup_create(int root, const char *path, const struct spec_resources *r, bool *ret_existed,
		  struct error *e);
int cgroup_open(int root, const char *path, struct error *e);

/* May the calling user, who is not root, move processes from our own group into one at `path`? He has to be
 * able to write to the cgroup.procs of the lowest group above both. -EACCES, naming that group. */
int cgroup_may_enter(int root, const char *path, struct error *e);

/* Does `r` ask for any limit (device rules do not count)? *ret_key is the first. Pure. */
bool cgroup_asks(const struct spec_resources *r, const char **ret_key);

/* A group strictly below another, by its path from there ("a/b", "/a/b"; "/" is the group itself); never
 * outside, whatever the text. For `exec --cgroup`. */
int cgroup_open_below(int group, const char *path, struct error *e);

/* Enable in the parents of an existing group what `r` needs and the group does not have yet: before the
 * cgroup_apply() of an update. A controller that is not there is an error naming the key and it. */
int cgroup_enable(int group, const struct spec_resources *r, struct error *e);

/* Write every knob that `r` sets: one table, key to file to format. A missing controller is an error naming
 * the key and the controller. For create (`fresh`: the group is new, so what asks for the default is not
 * written) and update (only what is set is changed). Device rules: cgroup_devices_apply. */
int cgroup_apply(int group, const struct spec_resources *r, bool fresh, struct error *e);

/* What a fresh group gets only when the container's first process is in it: pids.limit, which may be 0 or 1,
 * less than it takes to get there. */
int cgroup_apply_late(int group, const struct spec_resources *r, struct error *e);

/* The device allow-list as a BPF program: for each kind of access the last rule that matches decides, and
 * none means no. The default rules (what every container may use) stand after the last of the config's that
 * covers every device ("deny all" of the engines), so that what follows can still narrow them. `r` NULL: the
 * defaults alone. Replaces an earlier program of ours atomically (BPF_F_REPLACE); `fresh`: there is none, do
 * not look. Rules that allow everything need no program in a fresh group. For update: call it only if the
 * update has rules. -EPERM where BPF is not permitted (a user namespace). */
int cgroup_devices_apply(int group, const struct spec_resources *r, bool fresh, struct error *e);

/* Give the group to the root of a container's user namespace: the directory, and those of its files that the
 * kernel lists as safe to hand over (/sys/kernel/cgroup/delegate). Not what limits it. */
int cgroup_delegate(int group, uid_t uid, struct error *e);

/* Attach a process; -ESRCH if it is gone. */
int cgroup_attach(int group, pid_t pid, struct error *e);

/* Freeze or thaw, and wait for the event in cgroup.events (poll). Timeout in ms, -1: none; what did not
 * freeze in time is thawed again and -ETIMEDOUT. */
int cgroup_freeze(int group, bool frozen, int timeout_ms, struct error *e);
/* 1 frozen, 0 not. */
int cgroup_is_frozen(int group, struct error *e);

/* cgroup.kill (Linux 5.14), or freeze, signal all below, thaw; waits until the group is empty. */
int cgroup_kill(int group, struct error *e);
/* Send a signal to all processes of the group and of those below, frozen meanwhile so that none is born
 * without it (a paused group stays so). */
int cgroup_signal(int group, int sig, struct error *e);
/* 1 if any process lives in it or below, 0 if not (cgroup.events: populated). */
int cgroup_populated(int group, struct error *e);

/* Remove the group with all below it, and the parents that were made for it unless others use them; retries
 * while processes leave (waits on events, bounded). Absent: 0. */
int cgroup_remove(int root, const char *path, struct error *e);
/* The same, and processes that still live in it are killed. */
int cgroup_destroy(int root, const char *path, struct error *e);

/* All pids of the group and below, ascending; those outside of our pid namespace are left out. *ret is a new
 * array. Returns the count. */
ssize_t cgroup_pids(int group, pid_t **ret, struct error *e);

/* The group of a process (0: ours): field "0::" of /proc/PID/cgroup; *ret is a new string. */
int cgroup_of_pid(pid_t pid, char **ret, struct error *e);

/* ---- stats ---- */

/* What `coracle events --stats` prints in runc's JSON shape: {"type":"stats","id":…,"data":{…}}, one line.
 * Missing files are zeros or absent keys. *ret is a new string. */
int cgroup_stats_json(int group, const char *id, char **ret, struct error *e);

/* Controllers available at the root of the hierarchy, as in cgroup.controllers. */
int cgroup_controllers(int root, char *buf, size_t size, struct error *e);

#endif
