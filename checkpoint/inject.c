/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inject.c - ptrace, step by step
 *
 * The stop that PTRACE_INTERRUPT makes is inside the kernel's signal handling, before an interrupted system call is made
 * ready to be restarted (x86) or after that (aarch64). The registers have to be put back at such a stop, too,
 * or the restart is lost: hence the second PTRACE_INTERRUPT in inject_end(). The number of the interrupted call is hidden
 * (orig_rax = -1) while ours is made. With all signals blocked nothing else can stop it in between but a
 * group stop, which is passed over; when we detach, the kernel puts it back into that. */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/inject.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

#ifndef PTRACE_GETSIGMASK
#define PTRACE_GETSIGMASK 0x420a
#define PTRACE_SETSIGMASK 0x420b
#endif
#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif
#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

#define VDSO_MAX     (64U << 10)
#define SYSCALL_STOP (SIGTRAP | 0x80)

/* ---- what differs by processor ---- */

#if defined(__x86_64__)
static const uint8_t call_code[] = { 0x0f, 0x05 }; /* syscall */
#define CALL_ALIGN 1

static void set_call(struct user_regs_struct *r, uint64_t at, long number, const uint64_t a[static 3])
{
	r->rip = at;
	r->rax = (unsigned long)number;
	r->orig_rax = (unsigned long)-1;
	r->rdi = a[0];
	r->rsi = a[1];
	r->rdx = a[2];
}

static int64_t get_result(const struct user_regs_struct *r)
{
	return (int64_t)r->rax;
}
#elif defined(__aarch64__)
static const uint8_t call_code[] = { 0x01, 0x00, 0x00, 0xd4 }; /* svc #0 */
#define CALL_ALIGN 4

static void set_call(struct user_regs_struct *r, uint64_t at, long number, const uint64_t a[static 3])
{
	r->pc = at;
	r->regs[8] = (unsigned long)number;
	memcpy(r->regs, a, 3 * sizeof(a[0]));
}

static int64_t get_result(const struct user_regs_struct *r)
{
	return (int64_t)r->regs[0];
}
#else
#define CALL_ALIGN     1
static const uint8_t call_code[1];
#define INJECT_UNKNOWN 1

static void set_call(struct user_regs_struct *r, uint64_t at, long number, const uint64_t a[static 3])
{
	(void)r, (void)at, (void)number, (void)a;
}

static int64_t get_result(const struct user_regs_struct *r)
{
	(void)r;
	return -ENOSYS;
}
#endif

static int find_vdso(pid_t pid, uint64_t *ret_start, size_t *ret_size)
{
	char path[64], line[256];
	FILE *f;
	int r = -ENOENT;

	str_format(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long start, end;
		if (!strstr(line, " [vdso]") || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		*ret_start = start;
		*ret_size = end - start < VDSO_MAX ? end - start : VDSO_MAX;
		r = 0;
		break;
	}
	if (f)
		fclose(f);
	return r;
}

int inject_find_call(pid_t pid, int mem, uint64_t *ret, struct error *e)
{
	auto_free uint8_t *code = malloc(VDSO_MAX);
	uint64_t start;
	size_t size;
	ssize_t n;

	if (!code)
		return fail(e, ENOMEM, "read a vdso");
	if (find_vdso(pid, &start, &size) < 0)
		return refuse(e, ENOENT, "process %d has no vdso", pid);
	n = pread(mem, code, size, (off_t)start);
	for (size_t i = 0; n > 0 && i + sizeof(call_code) <= (size_t)n; i += CALL_ALIGN) {
		if (memcmp(code + i, call_code, sizeof(call_code)) == 0) {
			*ret = start + i;
			return 0;
		}
	}
	return refuse(e, ENOENT, "process %d: no system call instruction in its vdso", pid);
}

/* ---- stops ---- */

static int gone(const struct inject *in, struct error *e)
{
	return refuse(e, ESRCH, "process %d ended meanwhile", in->tid);
}

/* The next stop's status. SIGCHLD is blocked in the caller: it is what ends the wait for another look. */
static int wait_stop(const struct inject *in, int timeout_ms, int *ret, struct error *e)
{
	struct timespec now, end;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += timeout_ms / 1000;
	end.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	for (;;) {
		pid_t pid = waitpid(in->tid, ret, WNOHANG | __WALL);
		struct timespec left;

		if (pid == in->tid)
			return WIFSTOPPED(*ret) ? 0 : gone(in, e);
		if (pid < 0 && errno != EINTR)
			return fail(e, errno, "wait for process %d to stop", in->tid);
		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = end.tv_sec - now.tv_sec;
		left.tv_nsec = end.tv_nsec - now.tv_nsec;
		if (left.tv_nsec < 0) {
			left.tv_sec--;
			left.tv_nsec += 1000000000;
		}
		if (left.tv_sec < 0)
			return refuse(e, ETIMEDOUT, "process %d does not stop", in->tid);
		sigtimedwait(&child, NULL, &left);
	}
}

static int ask(int request, const struct inject *in, void *addr, void *data, const char *what,
	       struct error *e)
{
	if (ptrace(request, in->tid, addr, data) < 0)
		return errno == ESRCH ? gone(in, e) : fail(e, errno, "%s of process %d", what, in->tid);
	return 0;
}

static int set_regs(const struct inject *in, const struct user_regs_struct *regs, struct error *e)
{
	struct iovec v = { (void *)(uintptr_t)regs, sizeof(*regs) };

	return ask(PTRACE_SETREGSET, in, (void *)(uintptr_t)NT_PRSTATUS, &v, "set the registers", e);
}

static int set_mask(const struct inject *in, uint64_t mask, struct error *e)
{
	return ask(PTRACE_SETSIGMASK, in, (void *)sizeof(mask), &mask, "set the signal mask", e);
}

static int seize(struct inject *in, struct error *e)
{
	const uintptr_t plain = PTRACE_O_TRACESYSGOOD;

	/* not allowed where we are filtered ourselves; most processes can do without */
	if (ptrace(PTRACE_SEIZE, in->tid, NULL, (void *)(plain | PTRACE_O_SUSPEND_SECCOMP)) == 0)
		return 0;
	return ask(PTRACE_SEIZE, in, NULL, (void *)plain, "take hold", e);
}

static int keep_state(struct inject *in, struct error *e)
{
	struct iovec v = { &in->regs, sizeof(in->regs) };
	int r = ask(PTRACE_GETREGSET, in, (void *)(uintptr_t)NT_PRSTATUS, &v, "read the registers", e);

	if (r == 0 && v.iov_len != sizeof(in->regs))
		return refuse(e, EOPNOTSUPP, "process %d has not 64 bits", in->tid);
	if (r == 0)
		r = ask(PTRACE_GETSIGMASK, in, (void *)sizeof(in->mask), &in->mask, "read the signal mask",
			e);
	if (r == 0)
		r = set_mask(in, UINT64_MAX, e);
	in->masked = r == 0;
	return r;
}

int inject_stop(pid_t tid, uint64_t call_at, int timeout_ms, struct inject *ret, struct error *e)
{
	struct inject in = { .tid = tid, .call_at = call_at };
	struct error ignored;
	int status, r;

#ifdef INJECT_UNKNOWN
	return refuse(e, EOPNOTSUPP, "no system calls are injected on this processor");
#endif
	r = seize(&in, e);
	if (r < 0)
		return r;
	r = ask(PTRACE_INTERRUPT, &in, NULL, NULL, "interrupt", e);
	if (r == 0)
		r = wait_stop(&in, timeout_ms, &status, e);
	/* a signal came first: it is let through, the stop follows */
	while (r == 0 && status >> 16 != PTRACE_EVENT_STOP) {
		r = ask(PTRACE_CONT, &in, NULL, (void *)(uintptr_t)WSTOPSIG(status), "let a signal through",
			e);
		if (r == 0)
			r = wait_stop(&in, timeout_ms, &status, e);
	}
	if (r == 0)
		r = keep_state(&in, e);
	if (r < 0) {
		if (r != -ESRCH && r != -ETIMEDOUT)
			inject_end(&in, &ignored);
		return r;
	}
	*ret = in;
	return 0;
}

/* To the next stop at the border of a system call. */
static int to_border(const struct inject *in, struct error *e)
{
	for (int i = 0; i < 16; i++) {
		int status, r = ask(PTRACE_SYSCALL, in, NULL, NULL, "run", e);

		if (r == 0)
			r = wait_stop(in, 2000, &status, e);
		if (r < 0)
			return r;
		if (WSTOPSIG(status) == SYSCALL_STOP)
			return 0;
	}
	return refuse(e, EIO, "process %d makes no system call", in->tid);
}

int inject_call(struct inject *in, long number, const uint64_t args[static 3], int64_t *ret, struct error *e)
{
	struct user_regs_struct regs = in->regs;
	struct iovec v = { &regs, sizeof(regs) };
	int r;

	set_call(&regs, in->call_at, number, args);
	in->moved = true;
	r = set_regs(in, &regs, e);
	if (r == 0)
		r = to_border(in, e);
	if (r == 0)
		r = to_border(in, e);
	if (r == 0)
		r = ask(PTRACE_GETREGSET, in, (void *)(uintptr_t)NT_PRSTATUS, &v, "read the result", e);
	if (r == 0)
		*ret = get_result(&regs);
	return r;
}

int inject_end(struct inject *in, struct error *e)
{
	int status, r = 0;

	if (in->moved) {
		r = set_regs(in, &in->regs, e);
		if (r == 0)
			r = ask(PTRACE_INTERRUPT, in, NULL, NULL, "interrupt", e);
		if (r == 0)
			r = ask(PTRACE_CONT, in, NULL, NULL, "run", e);
		if (r == 0)
			r = wait_stop(in, 2000, &status, e);
		in->moved = false;
	}
	if (r == 0 && in->masked)
		r = set_mask(in, in->mask, e);
	in->masked = false;
	if (r == 0)
		r = ask(PTRACE_DETACH, in, NULL, NULL, "let go", e);
	return r;
}
