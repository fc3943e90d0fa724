/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seal_entry.c - the entry point of the static binary: seal first, then memory, then the C library
 *
 * Runs before anything is set up: no libc, no relocation, no stack protector, no thread pointer; system calls
 * are made by hand. If the command line names a command that enters containers and we are not sealed yet,
 * execute a read-only clone of ourselves, marked in the environment. Whatever fails here is left to
 * seal_self(), which main calls and which checks. Setting up the C library twice would cost about a
 * millisecond here (cpuid traps under a hypervisor, page faults), a quarter of what a whole `run` takes. */
#include <link.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "runtime/seal.h"

#define MAX_ENVIRONMENT 4096
#define MAX_PATH	4096

static inline long call5(long nr, long a, long b, long c, long d, long f)
{
#if defined(__x86_64__)
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = f;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
#else
#error "no entry point for this machine: configure must not choose it"
#endif
}

static bool starts_with(const char *s, const char *start)
{
	while (*start)
		if (*s++ != *start++)
			return false;
	return true;
}

static bool is_word(const char *s, const char *word)
{
	return starts_with(s, word) && starts_with(word, s);
}

/* A value that happens to read so costs a second start, nothing else. */
static bool enters_container(char **argv)
{
	for (char **arg = argv + 1; argv[0] && *arg; arg++) {
		/* Its `create` makes no container; what we miss here, seal_self does. */
		if (is_word(*arg, "switch"))
			return false;
		if (is_word(*arg, "run") || is_word(*arg, "create") || is_word(*arg, "exec"))
			return true;
	}
	return false;
}

/* ---- memory ---- */

/* Where the linker put the ELF header of this program; its program headers tell the rest. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Of machines with larger pages too: not aligned there, the call fails, and nothing is lost. */
#define PAGE	    4096L
#define STACK_BYTES (10 * PAGE)

static void populate(long from, long to)
{
	from &= -PAGE;
	call5(SYS_madvise, from, ((to + PAGE - 1) & -PAGE) - from, MADV_POPULATE_WRITE, 0, 0);
}

/* Data and stack that are written anyway, mapped in one go: some 30 page faults less, of 9 microseconds each
 * under a hypervisor that shadows page tables (tests/bench/README.md). */
static void populate_all(const long *stack)
{
	const ElfW(Ehdr) *elf = (const void *)__ehdr_start;
	const ElfW(Phdr) *header = (const void *)(__ehdr_start + elf->e_phoff);

	for (int i = 0; i < elf->e_phnum; i++) {
		long from = (long)__ehdr_start + (long)header[i].p_vaddr;

		if (header[i].p_type == PT_LOAD && header[i].p_flags & PF_W)
			populate(from, from + (long)header[i].p_memsz);
	}
	populate((long)stack - STACK_BYTES, (long)stack);
}

/* ---- sealing ---- */

/* The marker's value is the path of our own file; one that is too long or unknown is left out. */
static void make_marker(char *marker)
{
	static const char start[] = SEAL_MARKER "=";
	char *path = marker + sizeof(start) - 1;

	for (size_t i = 0; start[i]; i++)
		marker[i] = start[i];
	long length = call5(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)path, MAX_PATH, 0);
	path[length > 0 && length < MAX_PATH ? length : 0] = 0;
}

static void seal(long *stack)
{
	char **argv = (char **)(stack + 1);
	char **env = argv + stack[0] + 1;
	char *marked[MAX_ENVIRONMENT + 2];
	size_t n = 0;

	if (!enters_container(argv))
		return;
	for (; env[n]; n++) {
		if (n == MAX_ENVIRONMENT || starts_with(env[n], SEAL_MARKER "="))
			return;
		marked[n] = env[n];
	}
	char marker[sizeof(SEAL_MARKER) + MAX_PATH];
	make_marker(marker);
	marked[n] = marker;
	marked[n + 1] = NULL;

	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	long tree = call5(SYS_open_tree, AT_FDCWD, (long)"/proc/self/exe",
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 0, 0);
	if (tree < 0)
		return;
	if (call5(SYS_mount_setattr, tree, (long)"", AT_EMPTY_PATH, (long)&attr, sizeof(attr)) == 0)
		call5(SYS_execveat, tree, (long)"", (long)argv, (long)marked, AT_EMPTY_PATH);
	call5(SYS_close, tree, 0, 0, 0, 0);
}

/* Called by the few instructions below. */
void coracle_seal_early(long *stack);

void coracle_seal_early(long *stack)
{
	seal(stack);
	populate_all(stack);
}

#if defined(__x86_64__)
__asm__(".text\n"
	".globl coracle_entry\n"
	".type coracle_entry, @function\n"
	"coracle_entry:\n"
	"	xorl %ebp, %ebp\n"
	"	movq %rsp, %rbx\n"
	"	movq %rdx, %r12\n"
	"	movq %rsp, %rdi\n"
	"	call coracle_seal_early\n"
	"	movq %rbx, %rsp\n"
	"	movq %r12, %rdx\n"
	"	jmp _start\n"
	".size coracle_entry, .-coracle_entry\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl coracle_entry\n"
	".type coracle_entry, %function\n"
	"coracle_entry:\n"
	"	mov x19, sp\n"
	"	mov x20, x0\n"
	"	mov x0, sp\n"
	"	bl coracle_seal_early\n"
	"	mov sp, x19\n"
	"	mov x0, x20\n"
	"	b _start\n"
	".size coracle_entry, .-coracle_entry\n");
#endif
