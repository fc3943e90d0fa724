/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bare.c - the floor of the benchmark: only the system calls that such a container cannot do without
 * Makes what the benchmark's config.json (tests/bench/run) asks for and nothing else: a fresh cgroup with its
 * device program, one clone3 with all the namespaces straight into it, the mounts, /dev, pivot_root, masked
 * and read-only paths, capabilities, no_new_privs, the seccomp filter if given, exec; then waits and removes
 * the group. No config is read, nothing is checked that a real runtime must check, no state is kept: a
 * runtime cannot be faster than this. The order of calls is the cheapest that was measured (README.md here).
 * Usage: bare [-s FILTER] run ROOTFS CGROUPDIR COMMAND ARG...     FILTER: struct sock_filter[], as compiled
 *        bare [-s FILTER] exec PID CGROUPDIR COMMAND ARG...       joins the namespaces and the group of PID
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRY(call)                                                                    \
	do {                                                                         \
		if ((call) < 0) {                                                    \
			fprintf(stderr, "bare: line %d: %s: %m\n", __LINE__, #call); \
			_exit(125);                                                  \
		}                                                                    \
	} while (0)

#define NS_FLAGS (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
/* Docker's fourteen capabilities, the bundle's sets */
#define CAPS 0xa80425fbULL

static struct sock_filter filter[8192];
static struct sock_fprog program = { 0, filter };

static void confine_and_exec(char **argv)
{
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", NULL };
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2] = { { CAPS, CAPS, 0 }, { 0, 0, 0 } };

	TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(CAPS >> cap & 1))
			TRY(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
	TRY(syscall(SYS_capset, &header, caps));
	if (program.len > 0)
		TRY(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
	execve(argv[0], argv, (char *const *)env);
	TRY(-1);
}

/* The device list of the bundle: everything may be made, these may be used (major, minor; -1 for any) */
static int device_program(int cgroup)
{
	static const int devices[][2] = { { 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 },
					  { 1, 9 }, { 5, 0 }, { 5, 2 }, { 136, -1 } };
	struct bpf_insn prog[64];
	int n = 0;

#define INSN(c, d, s, o, i) \
	(prog[n++] = (struct bpf_insn){ .code = c, .dst_reg = d, .src_reg = s, .off = o, .imm = i })
	INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0); /* r2 = type and access */
	INSN(BPF_LDX | BPF_MEM | BPF_W, 3, 1, 4, 0); /* r3 = major */
	INSN(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 8, 0); /* r4 = minor */
	INSN(BPF_ALU64 | BPF_MOV | BPF_X, 5, 2, 0, 0);
	INSN(BPF_ALU64 | BPF_RSH | BPF_K, 5, 0, 0, 16); /* r5 = access */
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
	INSN(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 1, BPF_DEVCG_ACC_MKNOD);
	INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (unsigned int i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		INSN(BPF_JMP | BPF_JNE | BPF_K, 3, 0, devices[i][1] < 0 ? 1 : 2, devices[i][0]);
		if (devices[i][1] >= 0)
			INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, 1, devices[i][1]);
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);

	union bpf_attr load = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
				.insn_cnt = n,
				.insns = (uintptr_t)prog,
				.license = (uintptr_t) "GPL",
				.expected_attach_type = BPF_CGROUP_DEVICE };
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	union bpf_attr attach = { .target_fd = cgroup,
				  .attach_bpf_fd = fd,
				  .attach_type = BPF_CGROUP_DEVICE,
				  .attach_flags = BPF_F_ALLOW_MULTI };
	TRY(fd);
	return syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach));
}

static void make_dev(void)
{
	static const struct {
		const char *path;
		int major, minor;
	} nodes[] = {
		{ "dev/null", 1, 3 },	{ "dev/zero", 1, 5 },	 { "dev/full", 1, 7 },
		{ "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
	};
	static const char *const links[][2] = { { "/proc/self/fd", "dev/fd" },
						{ "/proc/self/fd/0", "dev/stdin" },
						{ "/proc/self/fd/1", "dev/stdout" },
						{ "/proc/self/fd/2", "dev/stderr" },
						{ "pts/ptmx", "dev/ptmx" } };

	for (unsigned int i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		TRY(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
	for (unsigned int i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		TRY(symlink(links[i][0], links[i][1]));
}

static void mask_paths(void)
{
	static const char *const masked[] = { "/proc/acpi",
					      "/proc/asound",
					      "/proc/interrupts",
					      "/proc/kcore",
					      "/proc/keys",
					      "/proc/latency_stats",
					      "/proc/sched_debug",
					      "/proc/scsi",
					      "/proc/timer_list",
					      "/proc/timer_stats",
					      "/sys/devices/virtual/powercap",
					      "/sys/firmware" };
	static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						"/proc/sysrq-trigger" };
	unsigned long ro = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	const char *empty = NULL;

	for (unsigned int i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
		if (mount("/dev/null", masked[i], NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
			continue;
		if (empty == NULL)
			TRY(mount("tmpfs", empty = masked[i], "tmpfs", MS_RDONLY, NULL));
		else
			TRY(mount(empty, masked[i], NULL, MS_BIND, NULL));
	}
	for (unsigned int i = 0; i < sizeof(readonly) / sizeof(readonly[0]); i++) {
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) < 0 && errno == ENOENT)
			continue;
		TRY(mount(NULL, readonly[i], NULL, MS_BIND | MS_REMOUNT | ro, NULL));
	}
}

static void container(char *root, char **argv)
{
	struct rlimit nofile = { 1024, 1024 };

	TRY(setsid());
	TRY(unshare(CLONE_NEWCGROUP)); /* not by clone3: that would take the parent's group as its root */
	TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	TRY(mount(root, root, NULL, MS_BIND | MS_REC, NULL));
	TRY(chdir(root));
	umask(0);
	TRY(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
	TRY(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"));
	TRY(mkdir("dev/pts", 0755) | mkdir("dev/shm", 0755) | mkdir("dev/mqueue", 0755));
	TRY(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=0620,gid=5"));
	TRY(mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k"));
	TRY(mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
	TRY(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL));
	TRY(mount("cgroup", "sys/fs/cgroup", "cgroup2",
		  MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY | MS_RELATIME, NULL));
	make_dev();
	TRY(syscall(SYS_pivot_root, ".", "."));
	TRY(umount2(".", MNT_DETACH));
	mask_paths();
	TRY(sethostname("bench", 5));
	TRY(setrlimit(RLIMIT_NOFILE, &nofile));
	umask(022);
	confine_and_exec(argv);
}

static int wait_for(pid_t pid)
{
	int status = 0;

	TRY(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	int fd, group, status;
	pid_t pid;

	if (argc > 2 && strcmp(argv[1], "-s") == 0) {
		TRY(fd = open(argv[2], O_RDONLY | O_CLOEXEC));
		program.len = read(fd, filter, sizeof(filter)) / sizeof(filter[0]);
		close(fd);
		argv += 2;
		argc -= 2;
	}
	if (argc < 5)
		return 125;
	if (strcmp(argv[1], "exec") == 0) {
		TRY(group = open(argv[3], O_PATH | O_DIRECTORY | O_CLOEXEC));
		TRY(fd = syscall(SYS_pidfd_open, atoi(argv[2]), 0));
		TRY(setns(fd, NS_FLAGS | CLONE_NEWCGROUP));
	} else {
		TRY(mkdir(argv[3], 0755));
		TRY(device_program(group = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
		args.flags |= NS_FLAGS;
	}
	args.cgroup = group;
	TRY(pid = syscall(SYS_clone3, &args, sizeof(args)));
	if (pid == 0 && (args.flags & CLONE_NEWNS))
		container(argv[2], argv + 4);
	if (pid == 0)
		confine_and_exec(argv + 4);
	status = wait_for(pid);
	if (args.flags & CLONE_NEWNS)
		TRY(rmdir(argv[3]));
	return status;
}
