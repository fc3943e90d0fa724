/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup.h - the container's control group (v2), by handles
 *
 * In RUNTIME. The unified hierarchy is found by its magic: /sys/fs/cgroup, or /sys/fs/cgroup/unified on a
 * host whose controllers are still bound to v1; a limit whose controller is not there is an error that names
 * both. A v1-only host is refused. All files are opened by path_beneath() from the group's handle. */
#ifndef CORACLE_CGROUP_H
#define CORACLE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

/* Handle (O_PATH|O_DIRECTORY works for openat; O_RDONLY needed for clone3) of the cgroup2 mount. */
int cgroup_open_root(struct error *e);

/* Where a container's group is, below the root ("/…", clean, no ".."): cgroupsPath absolute or relative as
 * given; absent: "/coracle/ID"-like default below our own group's parent as crun and runc do. *ret is a new
 * string. (pure but for reading /proc/self/cgroup for the default) */
int cgroup_path(const char *cgroups_path, const char *id, char **ret, struct error *e);

/* Make the group (and its parents, enabling in each the controllers that `r` needs, no others; those
 * already enabled are left alone). Returns a directory handle fit for clone3. *ret_existed: it was there
 * before. A group that is frozen or holds processes is refused (-EBUSY) as runc does. On failure, what was
 * made is removed. */
int cgroup_create(int root, const char *path, const struct spec_resources *r, bool *ret_existed,
		  struct error *e);
int cgroup_open(int root, const char *path, struct error *e);

/* Write every knob that `r` sets: one table, key to file to format. A missing controller is an error naming
 * the key and the controller. For create and update. Device rules: cgroup_devices_apply. */
int cgroup_apply(int group, const struct spec_resources *r, struct error *e);

/* The device allow-list as a BPF program: default rules (what every container may use), then the config's,
 * the last that matches decides. Replaces an earlier program of ours atomically (BPF_F_REPLACE). No rules
 * and `r` NULL: the defaults alone. On a kernel or in a user namespace where BPF is not permitted: an
 * error unless the rules allow everything. */
int cgroup_devices_apply(int group, const struct spec_resources *r, struct error *e);

/* Attach a process; -ESRCH if it is gone. */
int cgroup_attach(int group, pid_t pid, struct error *e);

/* Freeze or thaw, and wait for the event in cgroup.events (poll). Timeout in ms, -1: none. */
int cgroup_freeze(int group, bool frozen, int timeout_ms, struct error *e);
/* 1 frozen, 0 not. */
int cgroup_is_frozen(int group, struct error *e);

/* cgroup.kill (Linux 5.14), or freeze, signal all below, thaw; waits until the group is empty. */
int cgroup_kill(int group, struct error *e);
/* Send a signal to all processes of the group and of those below. */
int cgroup_signal(int group, int sig, struct error *e);
/* 1 if any process lives in it or below, 0 if not (cgroup.events: populated). */
int cgroup_populated(int group, struct error *e);

/* Remove the group with all below it; retries while processes leave (waits on events, bounded). Absent: 0. */
int cgroup_remove(int root, const char *path, struct error *e);

/* All pids of the group and below, ascending as read; *ret is a new array. Returns the count. */
ssize_t cgroup_pids(int group, pid_t **ret, struct error *e);

/* The group of a process: field "0::" of /proc/PID/cgroup; *ret is a new string. */
int cgroup_of_pid(pid_t pid, char **ret, struct error *e);

/* ---- stats ---- */

/* What `coracle events --stats` prints in runc's JSON shape: {"type":"stats","id":…,"data":{…}}, one line.
 * Missing files are zeros or absent keys. *ret is a new string. */
int cgroup_stats_json(int group, const char *id, char **ret, struct error *e);

/* Controllers available at the root of the hierarchy, as in cgroup.controllers. */
int cgroup_controllers(int root, char *buf, size_t size, struct error *e);

#endif
