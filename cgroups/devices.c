/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devices.c - attach the device program to a group, or put it in the place of the one before
 *
 * In RUNTIME, with the right to load BPF in the initial user namespace. Programs of groups above count as
 * well as ours (BPF_F_ALLOW_MULTI), and those that others attached to our group are left alone: ours is known
 * by its name. Every call passes a whole zeroed union: kernels 6.17 to 7.1 write to offset 56 of the one for
 * BPF_PROG_QUERY, however short it was said to be. */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroups/devprog.h"
#include "runtime/base/cleanup.h"

#define NAME	     "coracle_device"
#define MAX_PROGRAMS 64 /* the kernel's limit per group */

_Static_assert(sizeof(NAME) <= BPF_OBJ_NAME_LEN, "the kernel cuts longer names");
_Static_assert(sizeof(union bpf_attr) >= 64, "the union has room for what BPF_PROG_QUERY writes back");

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int call(enum bpf_cmd cmd, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
	return r < 0 ? -errno : r;
}

static int load_once(const struct bpf_insn *insns, size_t count)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.expected_attach_type = BPF_CGROUP_DEVICE;
	attr.insns = address(insns);
	attr.insn_cnt = (uint32_t)count;
	attr.license = address("GPL");
	memcpy(attr.prog_name, NAME, sizeof(NAME));
	return call(BPF_PROG_LOAD, &attr);
}

/* Before Linux 5.11 programs count as locked memory: -EPERM may mean that there is too little of that. */
static int load(const struct bpf_insn *insns, size_t count, struct error *e)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit before;

	int fd = load_once(insns, count);
	if (fd == -EPERM && getrlimit(RLIMIT_MEMLOCK, &before) == 0 &&
	    setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0) {
		fd = load_once(insns, count);
		setrlimit(RLIMIT_MEMLOCK, &before);
	}
	if (fd < 0)
		return fail(e, -fd, "load the device program (%zu instructions)", count);
	return fd;
}

static int attach(int group, int program, int replace, struct error *e)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)group;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (replace >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)replace;
	}
	int r = call(BPF_PROG_ATTACH, &attr);
	if (r < 0)
		return fail(e, -r, "attach the device program to the cgroup");
	return 0;
}

static int detach(int group, int program, struct error *e)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)group;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	int r = call(BPF_PROG_DETACH, &attr);
	if (r < 0)
		return fail(e, -r, "detach an earlier device program from the cgroup");
	return 0;
}

/* The ids of the device programs of the group itself. Returns their number. */
static int query(int group, uint32_t ids[static MAX_PROGRAMS], struct error *e)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)group;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = address(ids);
	attr.query.prog_cnt = MAX_PROGRAMS;
	int r = call(BPF_PROG_QUERY, &attr);
	if (r < 0)
		return fail(e, -r, "list the device programs of the cgroup");
	return (int)attr.query.prog_cnt;
}

static int open_program(uint32_t id)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	return call(BPF_PROG_GET_FD_BY_ID, &attr);
}

static bool is_ours(int program)
{
	struct bpf_prog_info info;
	union bpf_attr attr;

	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)program;
	attr.info.info_len = sizeof(info);
	attr.info.info = address(&info);
	return call(BPF_OBJ_GET_INFO_BY_FD, &attr) >= 0 && strncmp(info.name, NAME, sizeof(info.name)) == 0;
}

/* Attach the new program in the place of ours; should there be more of ours, they go. */
static int replace_ours(int group, int program, struct error *e)
{
	uint32_t ids[MAX_PROGRAMS];
	bool attached = false;
	int r = 0;

	int n = query(group, ids, e);
	if (n < 0)
		return n;
	for (int i = 0; r == 0 && i < n; i++) {
		auto_close int old = open_program(ids[i]);
		if (old == -ENOENT)
			continue;
		if (old < 0)
			return fail(e, -old, "open a device program of the cgroup");
		if (!is_ours(old))
			continue;
		r = attached ? detach(group, old, e) : attach(group, program, old, e);
		attached = true;
	}
	return attached || r < 0 ? r : attach(group, program, -1, e);
}

int cgroup_devices_apply(int group, const struct spec_resources *r, bool fresh, struct error *e)
{
	struct device_rules rules;
	auto_free struct bpf_insn *insns = NULL;
	size_t count;

	int err = device_rules_make(r, &rules, e);
	if (err < 0)
		return err;
	bool needless = fresh && rules.count == 0 && rules.allow_rest;
	if (!needless)
		err = device_program(&rules, &insns, &count, e);
	device_rules_done(&rules);
	if (needless || err < 0)
		return err;
	auto_close int program = load(insns, count, e);
	if (program < 0)
		return program;
	return fresh ? attach(group, program, -1, e) : replace_ours(group, program, e);
}
