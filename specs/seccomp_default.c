/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp_default.c - table: what a container may call when its user said nothing
 *
 * Kept by hand. A call is here if Docker's profile of 2026 allows it with the same capabilities; Podman's
 * allows more (mount, unshare, clone into new namespaces, keyctl), which a container without CAP_SYS_ADMIN
 * has no use for. All else gives EPERM, but a call newer than any named here gives ENOSYS, which the compiler
 * of filters adds (namespaces/seccomp.c), so that a libc's fallback works. Names that a libseccomp does not
 * know are left out there.
 *
 * Two traps for whoever edits:
 * - the kernel cuts an int argument to 32 bits, the filter compares 64: only EQ, LT and MASKED_EQ are safe in
 * a rule that allows. "More than 40" would let socket(0x100000026) through, which is AF_ALG.
 * - on x86 and s390 socket(2) is reached through socketcall(2) too, whose arguments no filter sees, and
 * libseccomp allows it by itself where socket is allowed: it is refused with ENOSYS (CVE-2026-31431). A libc
 * that asks for it falls back to the direct calls, which Linux has had there since 4.3. */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>

#include "runtime/base/str.h"
#include "specs/seccomp_default.h"

/* Raise it with every change of the tables: cached filters are found by it. */
#define SECCOMP_DEFAULT_VERSION 1

#define CAP_BIT(cap)		(UINT64_C(1) << (cap))
#define ALLOW(words)		.names = (words), .action = SECCOMP_ALLOW
#define ALLOW_IF(name, operation, number)                          \
	.names = (name), .action = SECCOMP_ALLOW, .has_arg = true, \
	.arg = { .op = (operation), .value = (number) }
#define S390 "s390 s390x"

/* Every namespace that clone(2) can make; the time namespace's bit means something else there. */
#define CLONE_NAMESPACES                                                                              \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
	 CLONE_NEWNET)

static const char always[] =
	"accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown "
	"chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
	"clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect "
	"copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old "
	"epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit "
	"exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod "
	"fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock "
	"fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate "
	"ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat "
	"get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid "
	"geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid "
	"getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage "
	"getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat "
	"inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy "
	"io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set "
	"ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 "
	"lgetxattr link linkat listen listmount listxattr listxattrat llistxattr _llseek lremovexattr "
	"lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret "
	"mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr "
	"mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 "
	"mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap "
	"name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open "
	"pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl "
	"pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 "
	"pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv "
	"recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename "
	"renameat renameat2 restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending "
	"rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
	"rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min "
	"sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
	"sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
	"sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile "
	"sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid "
	"setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid "
	"setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
	"setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt "
	"shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketpair splice stat "
	"stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo "
	"tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
	"timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
	"timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat "
	"uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write "
	"writev";

/* Address families, by number (linux/socket.h). Not here: 12, 19, 20, 23, 25, 34, 37, which Linux no longer
 * has; 38 AF_ALG, whose bugs have given root; 40 AF_VSOCK, which knows no network namespace. */
#define FIRST_FAMILY_GAP 12
static const uint8_t families_after_gap[] = { 13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29,
					      30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45 };

const struct seccomp_default_row seccomp_default_rows[] = {
	{ .names = always, .action = SECCOMP_ALLOW },

	/* personality: PER_LINUX, PER_LINUX32, UNAME26 with either, and "tell me" */
	{ ALLOW_IF("personality", SECCOMP_EQ, 0) },
	{ ALLOW_IF("personality", SECCOMP_EQ, 0x8) },
	{ ALLOW_IF("personality", SECCOMP_EQ, 0x20000) },
	{ ALLOW_IF("personality", SECCOMP_EQ, 0x20008) },
	{ ALLOW_IF("personality", SECCOMP_EQ, 0xffffffff) },

	/* what only some machines have */
	{ ALLOW("sync_file_range2 swapcontext"), .arches = "ppc64le" },
	{ ALLOW("arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2"),
	  .arches = "armv7l armv8l aarch64" },
	{ ALLOW("arch_prctl"), .arches = "x86_64" },
	{ ALLOW("modify_ldt"), .arches = "x86_64 i686" },
	{ ALLOW("s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"), .arches = S390 },
	{ ALLOW("riscv_flush_icache"), .arches = "riscv64" },

	/* processes: no namespaces without CAP_SYS_ADMIN; clone3's flags are in memory, so libc is sent back
	   to clone */
	{ ALLOW_IF("clone", SECCOMP_MASKED_EQ, CLONE_NAMESPACES), .not_caps = CAP_BIT(CAP_SYS_ADMIN),
	  .arches = "x86_64 i686 aarch64 armv7l armv8l ppc64le riscv64 loongarch64 mips64" },
	{ .names = "clone",
	  .action = SECCOMP_ALLOW,
	  .has_arg = true, /* the flags come second there */
	  .arg = { .index = 1, .op = SECCOMP_MASKED_EQ, .value = CLONE_NAMESPACES },
	  .not_caps = CAP_BIT(CAP_SYS_ADMIN),
	  .arches = S390 },
	{ .names = "clone3",
	  .action = SECCOMP_ERRNO,
	  .errno_ret = ENOSYS,
	  .not_caps = CAP_BIT(CAP_SYS_ADMIN) },
	{ .names = "socketcall", .action = SECCOMP_ERRNO, .errno_ret = ENOSYS },

	/* what a capability opens */
	{ ALLOW("open_by_handle_at"), .caps = CAP_BIT(CAP_DAC_READ_SEARCH) },
	{ ALLOW("bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
		"lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount "
		"open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog "
		"umount umount2 unshare"),
	  .caps = CAP_BIT(CAP_SYS_ADMIN) },
	{ ALLOW("reboot"), .caps = CAP_BIT(CAP_SYS_BOOT) },
	{ ALLOW("chroot"), .caps = CAP_BIT(CAP_SYS_CHROOT) },
	{ ALLOW("delete_module finit_module init_module"), .caps = CAP_BIT(CAP_SYS_MODULE) },
	{ ALLOW("acct"), .caps = CAP_BIT(CAP_SYS_PACCT) },
	{ ALLOW("kcmp pidfd_getfd process_madvise"), .caps = CAP_BIT(CAP_SYS_PTRACE) },
	{ ALLOW("ioperm iopl"), .caps = CAP_BIT(CAP_SYS_RAWIO) },
	{ ALLOW("clock_settime clock_settime64 settimeofday stime"), .caps = CAP_BIT(CAP_SYS_TIME) },
	{ ALLOW("vhangup"), .caps = CAP_BIT(CAP_SYS_TTY_CONFIG) },
	{ ALLOW("get_mempolicy mbind set_mempolicy set_mempolicy_home_node"), .caps = CAP_BIT(CAP_SYS_NICE) },
	{ ALLOW("syslog"), .caps = CAP_BIT(CAP_SYSLOG), .not_caps = CAP_BIT(CAP_SYS_ADMIN) },
	{ ALLOW("bpf"), .caps = CAP_BIT(CAP_BPF), .not_caps = CAP_BIT(CAP_SYS_ADMIN) },
	{ ALLOW("perf_event_open"), .caps = CAP_BIT(CAP_PERFMON), .not_caps = CAP_BIT(CAP_SYS_ADMIN) },
};
const size_t seccomp_default_n_rows = sizeof(seccomp_default_rows) / sizeof(seccomp_default_rows[0]);

/* The kernel's name of a machine -> what the profile must list, for a program of a smaller ABI runs there too
 */
static const struct {
	const char *machine, *architectures;
} machines[] = {
	{ "x86_64", "SCMP_ARCH_X86_64 SCMP_ARCH_X86 SCMP_ARCH_X32" },
	{ "aarch64", "SCMP_ARCH_AARCH64 SCMP_ARCH_ARM" },
	{ "i686", "SCMP_ARCH_X86" },
	{ "armv7l", "SCMP_ARCH_ARM" },
	{ "armv8l", "SCMP_ARCH_ARM" },
	{ "ppc64le", "SCMP_ARCH_PPC64LE" },
	{ "riscv64", "SCMP_ARCH_RISCV64" },
	{ "loongarch64", "SCMP_ARCH_LOONGARCH64" },
	{ "s390x", "SCMP_ARCH_S390X SCMP_ARCH_S390" },
	{ "mips64", "SCMP_ARCH_MIPSEL64 SCMP_ARCH_MIPSEL SCMP_ARCH_MIPSEL64N32" },
};

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

static bool row_applies(const struct seccomp_default_row *row, uint64_t caps, const char *machine)
{
	return (row->caps == 0 || (row->caps & caps) != 0) && (row->not_caps & caps) == 0 &&
	       (row->arches == NULL || has_word(row->arches, machine));
}

/* "a b c" -> { "a", "b", "c", NULL } */
static char **split_words(struct arena *a, const char *words)
{
	size_t n = 1;
	char *copy = arena_strdup(a, words), *save = NULL;

	for (const char *at = words; *at != '\0'; at++)
		n += *at == ' ';
	char **list = arena_calloc(a, n + 1, sizeof(*list));
	if (copy == NULL || list == NULL)
		return NULL;
	n = 0;
	for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
		list[n++] = word;
	return list;
}

static int add_rule(struct arena *a, struct spec_seccomp *s, const struct seccomp_default_row *row,
		    struct error *e)
{
	struct spec_seccomp_rule *rule = &s->rules[s->n_rules];

	*rule = (struct spec_seccomp_rule){ .names = split_words(a, row->names), .action = row->action };
	rule->errno_ret = row->action == SECCOMP_ERRNO ? row->errno_ret : NUM_UNSET;
	if (row->has_arg) {
		rule->args = arena_alloc(a, sizeof(*rule->args));
		rule->n_args = 1;
	}
	if (rule->names == NULL || (row->has_arg && rule->args == NULL))
		return fail(e, ENOMEM, "seccomp: default profile");
	if (row->has_arg)
		rule->args[0] = row->arg;
	s->n_rules++;
	return 0;
}

static int add_families(struct arena *a, struct spec_seccomp *s, struct error *e)
{
	struct seccomp_default_row row = { ALLOW_IF("socket", SECCOMP_LT, FIRST_FAMILY_GAP) };
	int r = add_rule(a, s, &row, e);

	row.arg.op = SECCOMP_EQ;
	for (size_t i = 0; i < COUNT_OF(families_after_gap) && r == 0; i++) {
		row.arg.value = families_after_gap[i];
		r = add_rule(a, s, &row, e);
	}
	return r;
}

int seccomp_default_profile(struct arena *a, uint64_t caps, const char *machine, struct spec_seccomp **ret,
			    struct error *e)
{
	const char *architectures = NULL;

	for (size_t i = 0; i < COUNT_OF(machines); i++)
		if (str_eq(machines[i].machine, machine))
			architectures = machines[i].architectures;
	if (architectures == NULL)
		return refuse(e, ENOTSUP, "seccomp: there is no default profile for the machine \"%.60s\"",
			      machine);

	struct spec_seccomp *s = arena_alloc(a, sizeof(*s));
	if (s == NULL)
		return fail(e, ENOMEM, "seccomp: default profile");
	*s = (struct spec_seccomp){ .default_action = SECCOMP_ERRNO, .default_errno_ret = EPERM };
	s->architectures = split_words(a, architectures);
	s->rules = arena_calloc(a, seccomp_default_n_rows + 1 + COUNT_OF(families_after_gap),
				sizeof(*s->rules));
	s->raw = arena_printf(a, "coracle's default profile %d, %s, capabilities %" PRIx64,
			      SECCOMP_DEFAULT_VERSION, machine, caps);
	if (s->architectures == NULL || s->rules == NULL || s->raw == NULL)
		return fail(e, ENOMEM, "seccomp: default profile");
	s->raw_size = strlen(s->raw);

	int r = add_families(a, s, e);
	for (size_t i = 0; i < seccomp_default_n_rows && r == 0; i++)
		if (row_applies(&seccomp_default_rows[i], caps, machine))
			r = add_rule(a, s, &seccomp_default_rows[i], e);
	if (r == 0)
		*ret = s;
	return r;
}
