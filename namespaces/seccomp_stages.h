/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp_stages.h - what lies between seccomp_prepare's two ends: compiler, stub, cache
 *
 * For namespaces/seccomp*.c and their tests. */
#ifndef CORACLE_SECCOMP_STAGES_H
#define CORACLE_SECCOMP_STAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "namespaces/seccomp.h"
#include "runtime/base/error.h"
#include "runtime/base/hash.h"
#include "specs/spec.h"

/* ---- seccomp_compile.c ---- */

/* Profile to filter, by libseccomp. */
int seccomp_compile(const struct spec_seccomp *s, struct seccomp_filter **ret, struct error *e);

/* The shared library that did it, "" where it is part of our binary; valid after seccomp_compile. */
const char *seccomp_compiler_path(void);

/* SECCOMP_FILTER_FLAG_* of the profile; absent flags stand for SPEC_ALLOW, as in runc. Pure. */
int seccomp_flags(const struct spec_seccomp *s, unsigned int *ret, struct error *e);

/* ---- seccomp_stub.c ---- */

struct sock_filter;

#define SECCOMP_X32_BIT UINT32_C(0x40000000)

/* The largest system call number that the profile names on one architecture. */
struct seccomp_last {
	uint32_t arch;	   /* AUDIT_ARCH_* */
	uint32_t number;   /* x32: in a row of its own, with SECCOMP_X32_BIT */
	bool x32;	   /* of x86_64's other mode */
	bool has_x32_bit;  /* the architecture has another mode (x86_64): numbers with the bit are not its own
			    */
	bool is_multiplex; /* s390: unknown numbers show as 0 */
};

#define SECCOMP_STUB_PER_ARCH 8

/* Instructions to put before a filter: system calls beyond the profile's last one are answered with ENOSYS,
 * so that a libc newer than the profile takes its fallbacks. `ret` has room for count *
 * SECCOMP_STUB_PER_ARCH. Returns the number of instructions. Pure. */
size_t seccomp_stub(const struct seccomp_last *last, size_t count, struct sock_filter *ret);

/* ---- seccomp_shrink.c ---- */

/* Make a filter shorter without changing any of its answers. Returns the number of instructions saved, or why
 * the filter was left as it is: -EINVAL, there is something in it that is not understood; -EILSEQ, the new
 * one would have answered otherwise, which is a bug. Pure. */
int seccomp_shrink(struct seccomp_filter *f);

/* ---- seccomp_cache.c ---- */

/* Name of the file for a profile; pure. */
void seccomp_cache_key(const struct spec_seccomp *s, char ret[static HASH_HEX_SIZE]);

/* -ENOENT if there is none that can be trusted; one that cannot is removed. */
int seccomp_cache_read(int dir, const char *key, struct seccomp_filter **ret);

/* Store it. A cache that is full loses its oldest entries. Failing costs time only: no error. */
void seccomp_cache_write(int dir, const char *key, const struct seccomp_filter *f, const char *compiler);

#define SECCOMP_CACHE_ENTRIES 64

#endif
