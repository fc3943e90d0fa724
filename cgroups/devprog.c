/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devprog.c - from device rules to the instructions of a BPF_PROG_TYPE_CGROUP_DEVICE program; pure
 *
 * r2 is the type, r4 and r5 the numbers, r3 the accesses that nobody has allowed yet. A rule that allows
 *takes its accesses out of r3, and nothing left means yes; a rule that denies says no to any of its accesses
 *still in r3. Rules of one verdict in a row are sorted, so that type and major are compared once for all of
 *theirs:
 *
 *	if type != c goto END_OF_TYPE
 *	if major != 1 goto END_OF_MAJOR
 *	if minor == 3 goto ALLOW
 *	if minor == 5 goto ALLOW
 *	END_OF_MAJOR: …
 *
 * The verifier refuses what cannot be reached; devrules.c has dropped rules that stand behind one on all. */
#include "cgroups/devprog.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"

enum { TYPE = BPF_REG_2, ACCESS = BPF_REG_3, MAJOR = BPF_REG_4, MINOR = BPF_REG_5 };

#define MAX_INSNS   30000
#define TO_REST	    SHRT_MAX	   /* jump to the verdict on the rest */
#define TO_OPPOSITE (SHRT_MAX - 1) /* jump to the other verdict */

struct program {
	struct bpf_insn *insns;
	size_t count, room;
	bool allow_rest;
	int error; /* sticky */
};

static size_t put(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	if (p->count == p->room) {
		size_t room = p->room ? 2 * p->room : 128;
		struct bpf_insn *grown = room > 2 * MAX_INSNS ? NULL
							      : realloc(p->insns, room * sizeof(*grown));
		if (!grown) {
			p->error = room > 2 * MAX_INSNS ? -E2BIG : -ENOMEM;
			return 0;
		}
		p->insns = grown;
		p->room = room;
	}
	p->insns[p->count] = (struct bpf_insn){
		.code = code, .dst_reg = dst & 15, .src_reg = src & 15, .off = off, .imm = imm
	};
	return p->count++;
}

/* if (reg OP value) goto off; 32 bits are compared, so that no number is taken for a negative one */
static size_t jump_if(struct program *p, uint8_t op, uint8_t reg, int64_t value, int16_t off)
{
	return put(p, BPF_JMP32 | op | BPF_K, reg, 0, off, (int32_t)(uint32_t)value);
}

/* Let a jump lead to the next instruction. */
static void land(struct program *p, size_t jump)
{
	if (!p->error)
		p->insns[jump].off = (int16_t)(p->count - jump - 1);
}

static int16_t to_verdict(const struct program *p, bool allow)
{
	return allow == p->allow_rest ? TO_REST : TO_OPPOSITE;
}

static void load(struct program *p)
{
	put(p, BPF_LDX | BPF_MEM | BPF_W, TYPE, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type),
	    0);
	put(p, BPF_ALU | BPF_MOV | BPF_X, ACCESS, TYPE, 0, 0);
	put(p, BPF_ALU | BPF_RSH | BPF_K, ACCESS, 0, 0, 16);
	put(p, BPF_ALU | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
	put(p, BPF_LDX | BPF_MEM | BPF_W, MAJOR, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	put(p, BPF_LDX | BPF_MEM | BPF_W, MINOR, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
}

/* Type and major match here. */
static void put_rule(struct program *p, const struct device_rule *r)
{
	int16_t verdict = to_verdict(p, r->allow);
	bool any = r->minor == NUMBER_ANY;
	size_t skip = 0;

	if (r->access == ACCESS_ALL) {
		if (any)
			put(p, BPF_JMP | BPF_JA, 0, 0, verdict, 0);
		else
			jump_if(p, BPF_JEQ, MINOR, r->minor, verdict);
		return;
	}
	if (!any)
		skip = jump_if(p, BPF_JNE, MINOR, r->minor, 0);
	if (r->allow) {
		put(p, BPF_ALU | BPF_AND | BPF_K, ACCESS, 0, 0, ACCESS_ALL & ~r->access);
		jump_if(p, BPF_JEQ, ACCESS, 0, verdict);
	} else {
		jump_if(p, BPF_JSET, ACCESS, r->access, verdict);
	}
	if (!any)
		land(p, skip);
}

/* Rules of one verdict, type and major. */
static void put_major(struct program *p, const struct device_rule *r, size_t n)
{
	bool any = r->major == NUMBER_ANY;
	size_t skip = any ? 0 : jump_if(p, BPF_JNE, MAJOR, r->major, 0);

	for (size_t i = 0; i < n; i++)
		put_rule(p, &r[i]);
	if (!any)
		land(p, skip);
}

static void put_type(struct program *p, const struct device_rule *r, size_t n)
{
	bool any = r->types == DEVICE_BOTH;
	size_t skip = any ? 0 : jump_if(p, BPF_JNE, TYPE, r->types, 0);

	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && r[end].major == r[i].major;)
			end++;
		put_major(p, r + i, end - i);
	}
	if (!any)
		land(p, skip);
}

/* Most general first, but for what matches all minors, which comes last in its major. */
static int by_place(const void *a, const void *b)
{
	const struct device_rule *x = a, *y = b;

	if (x->types != y->types)
		return (int)y->types - (int)x->types;
	if (x->major != y->major)
		return x->major < y->major ? -1 : 1;
	if (x->minor != y->minor)
		return (uint64_t)x->minor < (uint64_t)y->minor ? -1 : 1;
	return 0;
}

static void put_run(struct program *p, struct device_rule *r, size_t n)
{
	qsort(r, n, sizeof(*r), by_place);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && r[end].types == r[i].types;)
			end++;
		put_type(p, r + i, end - i);
	}
}

static void put_verdicts(struct program *p, bool has_rules)
{
	size_t rest = p->count, opposite = rest + 2;

	put(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, p->allow_rest);
	put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	if (!has_rules)
		return;
	put(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, !p->allow_rest);
	put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (size_t i = 0; i < rest && !p->error; i++) {
		int16_t off = p->insns[i].off;
		if (BPF_CLASS(p->insns[i].code) != BPF_JMP && BPF_CLASS(p->insns[i].code) != BPF_JMP32)
			continue;
		if (off == TO_REST || off == TO_OPPOSITE)
			p->insns[i].off = (int16_t)((off == TO_REST ? rest : opposite) - i - 1);
	}
}

int device_program(struct device_rules *rules, struct bpf_insn **ret, size_t *ret_count, struct error *e)
{
	struct program p = { .allow_rest = rules->allow_rest };

	if (rules->count)
		load(&p);
	for (size_t i = 0, end; i < rules->count; i = end) {
		for (end = i + 1; end < rules->count && rules->list[end].allow == rules->list[i].allow;)
			end++;
		put_run(&p, rules->list + i, end - i);
	}
	put_verdicts(&p, rules->count > 0);
	if (!p.error && p.count > MAX_INSNS)
		p.error = -E2BIG;
	if (p.error) {
		free(p.insns);
		return fail(e, -p.error, "linux.resources.devices: %zu rules", rules->count);
	}
	*ret = p.insns;
	*ret_count = p.count;
	return 0;
}
