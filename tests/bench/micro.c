/* SPDX-License-Identifier: GPL-2.0-or-later */
/* micro.c - what each step of making a container costs on this kernel, alone
 * A study beside the benchmark: its figures are the reason for the order and the choice of system calls in
 * bare.c and in the runtime (README.md here has them). Every item runs in a child of its own, in namespaces
 * of its own, N times; the least and the median are printed in microseconds. Usage: micro CGROUP2DIR [N
 * [NAME-PREFIX]], as root. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRY(call)                                                                     \
	do {                                                                          \
		if ((call) == -1) {                                                   \
			fprintf(stderr, "micro: line %d: %s: %m\n", __LINE__, #call); \
			_exit(1);                                                     \
		}                                                                     \
	} while (0)

enum { N_MAX = 2000 };

static int n_times = 100;
static const char *cgroup_dir; /* a directory of a cgroup2 hierarchy */
static int cgroup_fd = -1;     /* a group made below it */

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* ---- processes and namespaces: from clone to the end of wait, the child exits at once ---- */

static double clone_wait(uint64_t flags, double *in_clone)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD, .cgroup = cgroup_fd };
	double begun = now_us();
	pid_t pid = syscall(SYS_clone3, &args, sizeof(args));

	TRY(pid);
	if (pid == 0)
		_exit(0);
	if (in_clone != NULL)
		*in_clone = now_us() - begun;
	TRY(waitpid(pid, NULL, 0));
	return now_us() - begun;
}

#define ALL_NS (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define CLONE_ITEM(name, flags)                   \
	static double name(void)                  \
	{                                         \
		return clone_wait((flags), NULL); \
	}
CLONE_ITEM(clone_plain, 0)
CLONE_ITEM(clone_vfork, CLONE_VFORK)
CLONE_ITEM(clone_cgroup, CLONE_INTO_CGROUP)
CLONE_ITEM(clone_mnt, CLONE_NEWNS)
CLONE_ITEM(clone_pid, CLONE_NEWPID)
CLONE_ITEM(clone_net, CLONE_NEWNET)
CLONE_ITEM(clone_ipc, CLONE_NEWIPC)
CLONE_ITEM(clone_uts, CLONE_NEWUTS)
CLONE_ITEM(clone_cgroupns, CLONE_NEWCGROUP)
CLONE_ITEM(clone_user, CLONE_NEWUSER)
CLONE_ITEM(clone_time, CLONE_NEWTIME)
CLONE_ITEM(clone_all, ALL_NS)
CLONE_ITEM(clone_all_cgroup, ALL_NS | CLONE_INTO_CGROUP)

static double clone_all_call_only(void)
{
	double t;

	clone_wait(ALL_NS | CLONE_INTO_CGROUP, &t);
	return t;
}

static double clone_net_call_only(void)
{
	double t;

	clone_wait(CLONE_NEWNET, &t);
	return t;
}

/* What a second process in between costs: a child that makes the real one as its sibling and leaves */
static double clone_setup_process(void)
{
	struct clone_args setup = { .exit_signal = SIGCHLD };
	struct clone_args init = { .flags = ALL_NS | CLONE_PARENT };
	double begun = now_us();
	pid_t pid = syscall(SYS_clone3, &setup, sizeof(setup));

	TRY(pid);
	if (pid == 0) {
		TRY(pid = syscall(SYS_clone3, &init, sizeof(init)));
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	return now_us() - begun;
}

static double unshare_cgroupns(void)
{
	double begun = now_us();

	TRY(unshare(CLONE_NEWCGROUP));
	return now_us() - begun;
}

/* ---- mounts: every item mounts on MICRO/a (a directory) or MICRO/f (a file) and cleans up outside its time
 * ---- */

static char target[64], file[64], source[64];

static double old_mount(const char *type, unsigned long flags, const char *data)
{
	double begun = now_us();

	TRY(mount(type, target, type, flags, data));
	begun = now_us() - begun;
	TRY(umount2(target, MNT_DETACH));
	return begun;
}

static double new_mount(const char *type, unsigned int attr, const char *key, const char *value)
{
	double begun = now_us();
	int fs, mnt;

	TRY(fs = syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
	if (key != NULL)
		TRY(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0));
	TRY(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	TRY(mnt = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr));
	TRY(syscall(SYS_move_mount, mnt, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
	close(mnt);
	close(fs);
	begun = now_us() - begun;
	TRY(umount2(target, MNT_DETACH));
	return begun;
}

#define MOUNT_ITEM(name, type, data, key, value)                       \
	static double old_##name(void)                                 \
	{                                                              \
		return old_mount(type, MS_NOSUID, data);               \
	}                                                              \
	static double new_##name(void)                                 \
	{                                                              \
		return new_mount(type, MOUNT_ATTR_NOSUID, key, value); \
	}
MOUNT_ITEM(proc, "proc", NULL, NULL, NULL)
MOUNT_ITEM(tmpfs, "tmpfs", "mode=755", "mode", "755")
MOUNT_ITEM(devpts, "devpts", "newinstance,ptmxmode=0666", "ptmxmode", "0666")
MOUNT_ITEM(mqueue, "mqueue", NULL, NULL, NULL)
MOUNT_ITEM(sysfs, "sysfs", NULL, NULL, NULL)
MOUNT_ITEM(cgroup2, "cgroup2", NULL, NULL, NULL)

static double umount_tmpfs(void)
{
	double begun;

	TRY(mount("tmpfs", target, "tmpfs", 0, NULL));
	begun = now_us();
	TRY(umount2(target, MNT_DETACH));
	return now_us() - begun;
}

static double umount_bind(void)
{
	double begun;

	TRY(mount(source, target, NULL, MS_BIND, NULL));
	begun = now_us();
	TRY(umount2(target, MNT_DETACH));
	return now_us() - begun;
}

static double bind_file_old(void)
{
	double begun = now_us();

	TRY(mount("/dev/null", file, NULL, MS_BIND, NULL));
	begun = now_us() - begun;
	TRY(umount2(file, MNT_DETACH));
	return begun;
}

static int null_fd = -1;

static double bind_file_procfd(void)
{
	char path[32];
	double begun;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", null_fd);
	begun = now_us();
	TRY(mount(path, file, NULL, MS_BIND, NULL));
	begun = now_us() - begun;
	TRY(umount2(file, MNT_DETACH));
	return begun;
}

static double bind_clone(int from, const char *to, int set_readonly)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };
	double begun = now_us();
	int tree;

	TRY(tree = syscall(SYS_open_tree, from, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
	if (set_readonly)
		TRY(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
	TRY(syscall(SYS_move_mount, tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH));
	close(tree);
	begun = now_us() - begun;
	TRY(umount2(to, MNT_DETACH));
	return begun;
}

static double bind_file_new(void)
{
	return bind_clone(null_fd, file, 0);
}

static double bind_file_new_ro(void)
{
	return bind_clone(null_fd, file, 1);
}

static double openat2_path(void)
{
	double begun = now_us();
	int fd = open(file, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	TRY(fd);
	close(fd);
	return now_us() - begun;
}

static double readonly_old(void)
{
	double begun = now_us();

	TRY(mount(source, source, NULL, MS_BIND | MS_REC, NULL));
	TRY(mount(NULL, source, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	begun = now_us() - begun;
	TRY(umount2(source, MNT_DETACH));
	return begun;
}

static double readonly_new(void)
{
	int fd = open(source, O_PATH | O_CLOEXEC);
	double t = bind_clone(fd, source, 1);

	close(fd);
	return t;
}

static double setattr_ro_only(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	double begun;

	TRY(mount(source, source, NULL, MS_BIND | MS_REC, NULL));
	begun = now_us();
	TRY(syscall(SYS_mount_setattr, AT_FDCWD, source, 0, &attr, sizeof(attr)));
	begun = now_us() - begun;
	TRY(umount2(source, MNT_DETACH));
	return begun;
}

static double private_rec(void)
{
	double begun = now_us();

	TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	return now_us() - begun;
}

static double bind_dir(void)
{
	double begun = now_us();

	TRY(mount(source, target, NULL, MS_BIND | MS_REC, NULL));
	begun = now_us() - begun;
	TRY(umount2(target, MNT_DETACH));
	return begun;
}

/* In a child with a mount namespace of its own, over a pipe: how long pivot_root or the detaching of the old
 * root took */
static double in_mntns(double (*fn)(void))
{
	int p[2];
	double t = 0;
	pid_t pid;

	TRY(pipe2(p, O_CLOEXEC));
	TRY(pid = fork());
	if (pid == 0) {
		TRY(unshare(CLONE_NEWNS));
		TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		t = fn();
		TRY(write(p[1], &t, sizeof(t)));
		_exit(0);
	}
	TRY(waitpid(pid, NULL, 0));
	TRY(read(p[0], &t, sizeof(t)));
	close(p[0]);
	close(p[1]);
	return t;
}

static double pivot_only_inner(void)
{
	double begun;

	TRY(mount("/", source, NULL, MS_BIND, NULL));
	TRY(chdir(source));
	begun = now_us();
	TRY(syscall(SYS_pivot_root, ".", "."));
	return now_us() - begun;
}

static double detach_old_inner(void)
{
	double begun;

	TRY(mount("/", source, NULL, MS_BIND, NULL));
	TRY(chdir(source));
	TRY(syscall(SYS_pivot_root, ".", "."));
	begun = now_us();
	TRY(umount2(".", MNT_DETACH));
	return now_us() - begun;
}

static double move_root_inner(void)
{
	double begun;

	TRY(mount("/", source, NULL, MS_BIND, NULL));
	TRY(chdir(source));
	begun = now_us();
	TRY(mount(".", "/", NULL, MS_MOVE, NULL));
	TRY(chroot("."));
	return now_us() - begun;
}

static double pivot_only(void)
{
	return in_mntns(pivot_only_inner);
}

static double detach_old(void)
{
	return in_mntns(detach_old_inner);
}

static double move_root(void)
{
	return in_mntns(move_root_inner);
}

/* ---- device nodes ---- */

static double mknod_one(void)
{
	char path[80];
	double begun;

	snprintf(path, sizeof(path), "%s/node", target);
	TRY(mount("tmpfs", target, "tmpfs", 0, NULL));
	begun = now_us();
	TRY(mknod(path, S_IFCHR | 0666, makedev(1, 3)));
	begun = now_us() - begun;
	TRY(umount2(target, MNT_DETACH));
	return begun;
}

static double symlink_one(void)
{
	char path[80];
	double begun;

	snprintf(path, sizeof(path), "%s/link", target);
	TRY(mount("tmpfs", target, "tmpfs", 0, NULL));
	begun = now_us();
	TRY(symlink("/proc/self/fd", path));
	begun = now_us() - begun;
	TRY(umount2(target, MNT_DETACH));
	return begun;
}

static double bind_one(void)
{
	char path[80];
	double begun;
	int fd;

	snprintf(path, sizeof(path), "%s/node", target);
	TRY(mount("tmpfs", target, "tmpfs", 0, NULL));
	begun = now_us();
	TRY(fd = open(path, O_CREAT | O_EXCL | O_CLOEXEC, 0666));
	close(fd);
	TRY(mount("/dev/null", path, NULL, MS_BIND, NULL));
	begun = now_us() - begun;
	TRY(umount2(target, MNT_DETACH));
	return begun;
}

/* ---- cgroups ---- */

static char group[256];

static double cgroup_mkdir(void)
{
	double begun = now_us();

	TRY(mkdir(group, 0755));
	begun = now_us() - begun;
	TRY(rmdir(group));
	return begun;
}

static double cgroup_rmdir(void)
{
	double begun;

	TRY(mkdir(group, 0755));
	begun = now_us();
	TRY(rmdir(group));
	return now_us() - begun;
}

/* The older way in: fork, then write the pid to cgroup.procs */
static double cgroup_move(void)
{
	int fd, p[2];
	double begun;
	char text[32];
	pid_t pid;

	TRY(pipe2(p, O_CLOEXEC));
	TRY(pid = fork());
	if (pid == 0) {
		close(p[1]);
		_exit(read(p[0], text, 1));
	}
	begun = now_us();
	TRY(fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC));
	TRY(write(fd, text, snprintf(text, sizeof(text), "%d", (int)pid)));
	close(fd);
	begun = now_us() - begun;
	close(p[0]);
	close(p[1]);
	TRY(waitpid(pid, NULL, 0));
	return begun;
}

static double cgroup_kill_write(void)
{
	double begun = now_us();
	int fd;

	TRY(fd = openat(cgroup_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC));
	TRY(write(fd, "1", 1));
	close(fd);
	return now_us() - begun;
}

static double cgroup_events_read(void)
{
	double begun = now_us();
	char text[64];
	int fd;

	TRY(fd = openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC));
	TRY(read(fd, text, sizeof(text)));
	close(fd);
	return now_us() - begun;
}

/* ---- the device program: as many instructions as the default list needs ---- */

static double bpf_cgroup(int attach_too, int query_too)
{
	struct bpf_insn prog[40];
	union bpf_attr attr = { 0 };
	double begun;
	int fd, n = 0;

	prog[n++] = (struct bpf_insn){
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 3, .src_reg = 1, .off = 4
	};
	prog[n++] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1 };
	for (; n < 38; n++) /* each to the last but one */
		prog[n] = (struct bpf_insn){
			.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 3, .off = 37 - n, .imm = n
		};
	prog[n++] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1 };
	prog[n++] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };

	begun = now_us();
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)prog;
	attr.insn_cnt = n;
	attr.license = (uintptr_t) "GPL";
	TRY(fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
	if (query_too) {
		memset(&attr, 0, sizeof(attr));
		attr.query.target_fd = cgroup_fd;
		attr.query.attach_type = BPF_CGROUP_DEVICE;
		TRY(syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)));
	}
	if (attach_too) {
		memset(&attr, 0, sizeof(attr));
		attr.target_fd = cgroup_fd;
		attr.attach_bpf_fd = fd;
		attr.attach_type = BPF_CGROUP_DEVICE;
		attr.attach_flags = BPF_F_ALLOW_MULTI;
		TRY(syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)));
	}
	begun = now_us() - begun;
	attr.attach_flags = 0;
	if (attach_too)
		TRY(syscall(SYS_bpf, BPF_PROG_DETACH, &attr, sizeof(attr)));
	close(fd);
	return begun;
}

static double bpf_load(void)
{
	return bpf_cgroup(0, 0);
}

static double bpf_load_attach(void)
{
	return bpf_cgroup(1, 0);
}

static double bpf_load_query_attach(void)
{
	return bpf_cgroup(1, 1);
}

/* ---- exec: vfork, exec, wait of the programs named by MICRO_EXEC_1 to _5 ---- */

static double spawn(const char *path, int through_clone)
{
	char *const argv[] = { (char *)path, NULL }, *const env[] = { NULL };
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	volatile int fd = -1;
	int status;
	double begun;
	pid_t pid;

	if (path == NULL)
		return 0;
	begun = now_us();
	if (through_clone) {
		TRY(fd = syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
		TRY(syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
	}
	TRY(pid = vfork());
	if (pid == 0) {
		if (through_clone)
			syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
		else
			execve(path, argv, env);
		_exit(127);
	}
	TRY(waitpid(pid, &status, 0));
	begun = now_us() - begun;
	if (fd >= 0)
		close(fd);
	if (status != 0)
		return -1;
	return begun;
}

static double exec_1(void)
{
	return spawn(getenv("MICRO_EXEC_1"), 0);
}

static double exec_2(void)
{
	return spawn(getenv("MICRO_EXEC_2"), 0);
}

static double exec_3(void)
{
	return spawn(getenv("MICRO_EXEC_3"), 0);
}

static double exec_4(void)
{
	return spawn(getenv("MICRO_EXEC_4"), 0);
}

static double exec_5(void)
{
	return spawn(getenv("MICRO_EXEC_5"), 0);
}

static double exec_clone(void)
{
	return spawn(getenv("MICRO_EXEC_1"), 1);
}

static double clone_tree_only(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	double begun = now_us();
	int fd;

	TRY(fd = syscall(SYS_open_tree, AT_FDCWD, getenv("MICRO_EXEC_1"),
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	TRY(syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
	begun = now_us() - begun;
	close(fd);
	return begun;
}

static double clone_tree_close(void)
{
	double begun;
	int fd;

	TRY(fd = syscall(SYS_open_tree, AT_FDCWD, getenv("MICRO_EXEC_1"),
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	begun = now_us();
	close(fd);
	return now_us() - begun;
}

/* ---- memory: what a page costs, and a fork of a process that has touched some ---- */

enum { PAGES = 512 };

static char *touched;

static double touch_anonymous(void)
{
	char *at = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double begun = now_us();

	madvise(at, PAGES * 4096, MADV_NOHUGEPAGE);
	for (int i = 0; i < PAGES; i++)
		at[i * 4096] = 1;
	begun = now_us() - begun;
	munmap(at, PAGES * 4096);
	return begun / PAGES;
}

static double touch_populated(void)
{
	double begun = now_us();
	char *at = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	begun = now_us() - begun;
	munmap(at, PAGES * 4096);
	return begun / PAGES;
}

static double clone_2mb(void)
{
	if (touched == NULL) {
		touched = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);
		madvise(touched, PAGES * 4096, MADV_NOHUGEPAGE);
	}
	for (int i = 0; i < PAGES; i++)
		touched[i * 4096]++;
	return clone_wait(0, NULL);
}

/* CLONE_VM: the child runs in our memory, on a stack of its own; with CLONE_VFORK we wait until it has left
 */
static char child_stack[65536] __attribute__((aligned(64)));

static int child_exit(void *unused)
{
	(void)unused;
	_exit(0);
}

static int child_exec(void *path)
{
	char *const argv[] = { path, NULL }, *const env[] = { NULL };

	execve(path, argv, env);
	_exit(127);
}

static double clone_vm(int flags, int (*fn)(void *), void *arg)
{
	double begun = now_us();
	pid_t pid = clone(fn, child_stack + sizeof(child_stack), flags | CLONE_VM | SIGCHLD, arg);

	TRY(pid);
	TRY(waitpid(pid, NULL, 0));
	return now_us() - begun;
}

static double clone_vm_exit(void)
{
	return clone_vm(0, child_exit, NULL);
}

static double clone_vm_vfork_exit(void)
{
	return clone_vm(CLONE_VFORK, child_exit, NULL);
}

static double clone_vm_all_exit(void)
{
	return clone_vm(ALL_NS, child_exit, NULL);
}

static double clone_vm_exec(void)
{
	return clone_vm(0, child_exec, getenv("MICRO_EXEC_1"));
}

static double fork_exec(void)
{
	double begun = now_us();
	pid_t pid = fork();

	TRY(pid);
	if (pid == 0)
		child_exec(getenv("MICRO_EXEC_1"));
	TRY(waitpid(pid, NULL, 0));
	return now_us() - begun;
}

/* ---- seccomp: loading the program in MICRO_FILTER; each in a child, for a filter stays ---- */

static struct sock_filter filter[8192];
static struct sock_fprog program = { 0, filter };

static double load_filter_inner(void)
{
	double begun;

	TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	begun = now_us();
	TRY(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
	return now_us() - begun;
}

static void read_filter(void)
{
	const char *path = getenv("MICRO_FILTER");
	int fd;

	if (path == NULL)
		return;
	TRY(fd = open(path, O_RDONLY | O_CLOEXEC));
	program.len = read(fd, filter, sizeof(filter)) / sizeof(filter[0]);
	close(fd);
}

static double load_filter(void)
{
	return program.len == 0 ? 0 : in_mntns(load_filter_inner);
}

/* ---- the state record ---- */

static double write_file(void)
{
	static const char text[4096] = "x";
	char path[80];
	double begun;
	int fd;

	snprintf(path, sizeof(path), "%s.new", file);
	begun = now_us();
	TRY(fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
	TRY(write(fd, text, sizeof(text)));
	close(fd);
	TRY(rename(path, file));
	return now_us() - begun;
}

static const struct item {
	const char *name;
	double (*fn)(void);
} items[] = {
	{ "clone, exit, wait", clone_plain },
	{ "clone with CLONE_VFORK", clone_vfork },
	{ "clone into a cgroup", clone_cgroup },
	{ "clone + mount namespace", clone_mnt },
	{ "clone + pid namespace", clone_pid },
	{ "clone + network namespace", clone_net },
	{ "clone + network namespace, the call alone", clone_net_call_only },
	{ "clone + ipc namespace", clone_ipc },
	{ "clone + uts namespace", clone_uts },
	{ "clone + cgroup namespace", clone_cgroupns },
	{ "clone + user namespace", clone_user },
	{ "clone + time namespace", clone_time },
	{ "clone + mount pid net ipc uts", clone_all },
	{ "clone + mount pid net ipc uts into a cgroup", clone_all_cgroup },
	{ "clone + mount pid net ipc uts into a cgroup, the call alone", clone_all_call_only },
	{ "clone of a setup process that clones init as its sibling", clone_setup_process },
	{ "unshare(CLONE_NEWCGROUP)", unshare_cgroupns },
	{ "mount(2) proc", old_proc },
	{ "fsopen.. proc", new_proc },
	{ "mount(2) tmpfs", old_tmpfs },
	{ "fsopen.. tmpfs", new_tmpfs },
	{ "mount(2) devpts", old_devpts },
	{ "fsopen.. devpts", new_devpts },
	{ "mount(2) mqueue", old_mqueue },
	{ "fsopen.. mqueue", new_mqueue },
	{ "mount(2) sysfs", old_sysfs },
	{ "fsopen.. sysfs", new_sysfs },
	{ "mount(2) cgroup2", old_cgroup2 },
	{ "fsopen.. cgroup2", new_cgroup2 },
	{ "umount2(MNT_DETACH) tmpfs", umount_tmpfs },
	{ "umount2(MNT_DETACH) bind", umount_bind },
	{ "bind of a directory", bind_dir },
	{ "mask a file: mount(2) bind of /dev/null", bind_file_old },
	{ "mask a file: mount(2) bind of /proc/self/fd/N", bind_file_procfd },
	{ "mask a file: open_tree(fd) + move_mount", bind_file_new },
	{ "mask a file: open_tree(fd) + mount_setattr + move_mount", bind_file_new_ro },
	{ "open(O_PATH) + close", openat2_path },
	{ "read-only path: bind + remount", readonly_old },
	{ "read-only path: open_tree + mount_setattr + move_mount", readonly_new },
	{ "read-only: mount_setattr on an existing mount, alone", setattr_ro_only },
	{ "mount(MS_REC|MS_PRIVATE) of /", private_rec },
	{ "pivot_root(., .)", pivot_only },
	{ "umount2(., MNT_DETACH) of the old root", detach_old },
	{ "MS_MOVE to / + chroot", move_root },
	{ "device node: mknod", mknod_one },
	{ "device node: create + bind", bind_one },
	{ "symlink in a tmpfs", symlink_one },
	{ "cgroup: mkdir", cgroup_mkdir },
	{ "cgroup: rmdir", cgroup_rmdir },
	{ "cgroup: move a process by cgroup.procs", cgroup_move },
	{ "cgroup: cgroup.kill (empty group)", cgroup_kill_write },
	{ "cgroup: read cgroup.events", cgroup_events_read },
	{ "device program: load", bpf_load },
	{ "device program: load + attach", bpf_load_attach },
	{ "device program: load + query + attach", bpf_load_query_attach },
	{ "exec MICRO_EXEC_1 (vfork, exec, wait)", exec_1 },
	{ "exec MICRO_EXEC_2", exec_2 },
	{ "exec MICRO_EXEC_3", exec_3 },
	{ "exec MICRO_EXEC_4", exec_4 },
	{ "exec MICRO_EXEC_5", exec_5 },
	{ "exec MICRO_EXEC_1 through a read-only detached clone", exec_clone },
	{ "read-only detached clone of a program, the calls alone", clone_tree_only },
	{ "close of such a clone", clone_tree_close },
	{ "memory: first touch of a page", touch_anonymous },
	{ "memory: a page by MAP_POPULATE", touch_populated },
	{ "memory: clone, exit, wait of a process with 2 MB touched", clone_2mb },
	{ "clone with CLONE_VM", clone_vm_exit },
	{ "clone with CLONE_VM|CLONE_VFORK", clone_vm_vfork_exit },
	{ "clone with CLONE_VM + mount pid net ipc uts", clone_vm_all_exit },
	{ "exec: clone with CLONE_VM, then MICRO_EXEC_1", clone_vm_exec },
	{ "exec: fork, then MICRO_EXEC_1", fork_exec },
	{ "seccomp: load MICRO_FILTER", load_filter },
	{ "write 4 kB and rename over (tmpfs)", write_file },
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct item *item)
{
	double *took = calloc(n_times, sizeof(*took));

	for (int i = -2; i < n_times; i++) {
		double t = item->fn();

		if (i >= 0)
			took[i] = t;
	}
	qsort(took, n_times, sizeof(*took), compare);
	printf("%-62s %9.1f %9.1f\n", item->name, took[0], took[n_times / 2]);
	fflush(stdout);
	free(took);
}

int main(int argc, char **argv)
{
	int fd;

	if (argc < 2)
		return 2;
	read_filter();
	cgroup_dir = argv[1];
	n_times = argc > 2 ? atoi(argv[2]) : n_times;
	snprintf(group, sizeof(group), "%s/micro-%d", cgroup_dir, getpid());
	TRY(mkdir(group, 0755));
	TRY(cgroup_fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	snprintf(group, sizeof(group), "%s/micro-%d-b", cgroup_dir, getpid());

	TRY(unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET));
	TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	TRY(mount("tmpfs", "/tmp", "tmpfs", 0, NULL));
	snprintf(target, sizeof(target), "/tmp/a");
	snprintf(source, sizeof(source), "/tmp/s");
	snprintf(file, sizeof(file), "/tmp/f");
	TRY(mkdir(target, 0755) | mkdir(source, 0755));
	TRY(fd = open(file, O_CREAT | O_CLOEXEC, 0644));
	close(fd);
	TRY(null_fd = open("/dev/null", O_PATH | O_CLOEXEC));

	printf("%-62s %9s %9s\n", "microseconds", "least", "median");
	for (unsigned int i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		if (argc < 4 || strncmp(items[i].name, argv[3], strlen(argv[3])) == 0)
			measure(&items[i]);
	snprintf(group, sizeof(group), "%s/micro-%d", cgroup_dir, getpid());
	TRY(rmdir(group));
	return 0;
}
