/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp_stub.c - ENOSYS for what is newer than the profile
 *
 * A profile lists what it allows and answers the rest with, say, EPERM: also system calls that its author
 * could not know. A libc that tries a new one and falls back on ENOSYS then fails on EPERM. So numbers larger
 * than any the profile names are answered with ENOSYS before the filter is asked. (The idea is runc's.) */
#include "namespaces/seccomp_stages.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#define RETURN_ENOSYS (SECCOMP_RET_ERRNO | ENOSYS)

struct code {
	struct sock_filter *ret;
	size_t n;
};

static void emit(struct code *c, uint16_t code, uint32_t k, uint8_t jump_true, uint8_t jump_false)
{
	c->ret[c->n++] = (struct sock_filter){ code, jump_true, jump_false, k };
}

static void load(struct code *c, size_t offset)
{
	emit(c, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void enosys_above(struct code *c, uint32_t number)
{
	emit(c, BPF_JMP | BPF_JGT | BPF_K, number, 0, 1);
	emit(c, BPF_RET | BPF_K, RETURN_ENOSYS, 0, 0);
}

/*	ld arch
 *	jeq ARCH, on, past this row
 *	ld nr
 *	(s390)	jeq 0 -> ENOSYS
 *	(x86_64) jset x32 bit -> past the check		(x32: clear bit -> past the check)
 *	jgt LAST -> ENOSYS
 * A row that does not decide falls through to the next; in the end the filter follows. */
static void emit_row(struct code *c, const struct seccomp_last *l)
{
	load(c, offsetof(struct seccomp_data, arch));
	size_t branch = c->n;
	emit(c, BPF_JMP | BPF_JEQ | BPF_K, l->arch, 0, 0);
	load(c, offsetof(struct seccomp_data, nr));
	if (l->is_multiplex) {
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
		emit(c, BPF_RET | BPF_K, RETURN_ENOSYS, 0, 0);
	}
	if (l->has_x32_bit)
		emit(c, BPF_JMP | BPF_JSET | BPF_K, SECCOMP_X32_BIT, l->x32 ? 0 : 2, l->x32 ? 2 : 0);
	enosys_above(c, l->number);
	c->ret[branch].jf = (uint8_t)(c->n - branch - 1);
}

size_t seccomp_stub(const struct seccomp_last *last, size_t count, struct sock_filter *ret)
{
	struct code c = { .ret = ret };

	for (size_t i = 0; i < count; i++)
		emit_row(&c, &last[i]);
	return c.n;
}
