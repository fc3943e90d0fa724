/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_seccomp_shrink.c - a shorter filter answers as the long one did
 * By an interpreter of the test's own, over numbers, architectures and arguments at and beside every
 * constant: for programs as libseccomp writes them, and for thousands of random ones. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "namespaces/seccomp_stages.h"
#include "runtime/base/str.h"

#define LOAD(offset)                                     \
	{                                                \
		BPF_LD | BPF_W | BPF_ABS, 0, 0, (offset) \
	}
#define TEST(op, k, t, f)                             \
	{                                             \
		BPF_JMP | BPF_K | (op), (t), (f), (k) \
	}
#define RETURN(k)                          \
	{                                  \
		BPF_RET | BPF_K, 0, 0, (k) \
	}
#define NR	    offsetof(struct seccomp_data, nr)
#define ARCH	    offsetof(struct seccomp_data, arch)
#define ARG_LOW(n)  (offsetof(struct seccomp_data, args) + 8 * (n))
#define ARG_HIGH(n) (ARG_LOW(n) + 4)
#define ALLOW	    SECCOMP_RET_ALLOW
#define DENY	    (SECCOMP_RET_ERRNO | EPERM)
#define KILL	    SECCOMP_RET_KILL_PROCESS

/* ---- the interpreter ---- */

static uint32_t ask(const struct sock_filter *program, size_t n, const struct seccomp_data *data)
{
	const uint32_t *words = (const uint32_t *)data;
	uint32_t a = 0;

	for (size_t pc = 0;; pc++) {
		assert_true(pc < n);
		const struct sock_filter *i = &program[pc];
		bool yes;

		switch (i->code) {
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_LD | BPF_W | BPF_ABS:
			a = words[i->k / 4];
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = (a & i->k) != 0;
			break;
		default:
			fail_msg("instruction %#x", i->code);
			return 0;
		}
		pc += yes ? i->jt : i->jf;
	}
}

/* ---- pseudo-random numbers, the same in every run ---- */

static uint32_t seed = 1;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static uint32_t constant_of(const struct sock_filter *program, size_t n)
{
	return program[below((uint32_t)n)].k + below(3) - 1;
}

static void compare_at_random(const struct sock_filter *before, size_t n_before,
			      const struct seccomp_filter *after, unsigned int times)
{
	size_t n_after = after->size / sizeof(struct sock_filter);

	for (unsigned int i = 0; i < times; i++) {
		struct seccomp_data data = { .nr = (int)constant_of(before, n_before),
					     .arch = constant_of(before, n_before) };
		for (size_t k = 0; k < COUNT_OF(data.args); k++) {
			data.args[k] = constant_of(before, n_before);
			if (below(4) == 0)
				data.args[k] |= (uint64_t)constant_of(before, n_before) << 32;
		}
		assert_int_equal(ask(after->program, n_after, &data), ask(before, n_before, &data));
	}
}

/* -> what seccomp_shrink said; the filter may be looked at and is freed by the caller. */
static int shrink(const struct sock_filter *program, size_t n, struct seccomp_filter *f)
{
	f->size = n * sizeof(*program);
	f->program = malloc(f->size);
	assert_non_null(f->program);
	memcpy(f->program, program, f->size);
	return seccomp_shrink(f);
}

/* ---- tests ---- */

/* 300 comparisons in a row, as libseccomp writes without optimization: 0 to 299 are allowed but 100 and 200
 */
static void test_a_list_of_numbers_becomes_a_search(void **state)
{
	struct sock_filter program[1024] = { LOAD(ARCH), TEST(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0), RETURN(KILL),
					     LOAD(NR) };
	size_t n = 4;
	struct seccomp_filter f = { 0 };

	(void)state;
	for (uint32_t nr = 0; nr < 300; nr++)
		if (nr % 100 != 0 || nr == 0) {
			program[n++] = (struct sock_filter)TEST(BPF_JEQ, nr, 0, 1);
			program[n++] = (struct sock_filter)RETURN(ALLOW);
		}
	program[n++] = (struct sock_filter)RETURN(DENY);
	assert_true(shrink(program, n, &f) > 0);
	assert_true(f.size / sizeof(*program) < 16);
	for (uint32_t nr = 0; nr < 400; nr++)
		for (uint32_t arch = 0; arch < 2; arch++) {
			struct seccomp_data data = { .nr = (int)nr, .arch = AUDIT_ARCH_X86_64 + arch };
			uint32_t want = arch ? KILL : nr < 300 && (nr == 0 || nr % 100 != 0) ? ALLOW : DENY;
			assert_int_equal(ask(f.program, f.size / sizeof(*program), &data), want);
		}
	compare_at_random(program, n, &f, 10000);
	free(f.program);
}

/* Every second number: nothing can be joined, and the code grows past what one jump can reach. */
static void test_far_jumps_arrive(void **state)
{
	struct sock_filter program[4096] = { LOAD(NR) };
	struct seccomp_filter f = { 0 };
	size_t n = 1;

	(void)state;
	for (uint32_t nr = 0; nr < 1500; nr++) {
		program[n++] = (struct sock_filter)TEST(BPF_JEQ, nr * 3, 0, 1);
		program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | (nr % 700 + 1));
	}
	program[n++] = (struct sock_filter)RETURN(ALLOW);
	int r = shrink(program, n, &f);
	assert_true(r >= 0);
	compare_at_random(program, n, &f, 50000);
	free(f.program);
}

static void test_arguments_are_still_asked(void **state)
{
	static const struct sock_filter program[] = {
		LOAD(NR),
		TEST(BPF_JEQ, 41, 0, 6), /* socket: family 1 or 2 in 64 bits */
		LOAD(ARG_HIGH(0)),
		TEST(BPF_JEQ, 0, 0, 3),
		LOAD(ARG_LOW(0)),
		TEST(BPF_JEQ, 1, 4, 0),
		TEST(BPF_JEQ, 2, 3, 0),
		RETURN(DENY),
		TEST(BPF_JEQ, 56, 2, 0), /* clone: masked */
		RETURN(DENY),
		RETURN(ALLOW),
		LOAD(ARG_LOW(0)),
		{ BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x7e020000 },
		TEST(BPF_JEQ, 0, 0, 1),
		RETURN(ALLOW),
		RETURN(DENY),
		RETURN(KILL), /* never reached, like the padding below: there is something to save */
		RETURN(KILL),
		RETURN(KILL),
		RETURN(KILL),
		RETURN(KILL),
	};
	static const struct {
		int nr;
		uint64_t arg;
		uint32_t want;
	} rows[] = {
		{ 41, 1, ALLOW },  { 41, 2, ALLOW },
		{ 41, 38, DENY },  { 41, UINT64_C(0x100000001), DENY },
		{ 56, 17, ALLOW }, { 56, 0x10000011, DENY },
		{ 57, 1, DENY },   { 40, 1, DENY },
	};
	struct seccomp_filter f = { 0 };

	(void)state;
	assert_true(shrink(program, COUNT_OF(program), &f) > 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct seccomp_data data = { .nr = rows[i].nr, .args = { rows[i].arg } };
		assert_int_equal(ask(program, COUNT_OF(program), &data), rows[i].want);
		assert_int_equal(ask(f.program, f.size / sizeof(program[0]), &data), rows[i].want);
	}
	compare_at_random(program, COUNT_OF(program), &f, 10000);
	free(f.program);
}

static void random_program(struct sock_filter *program, size_t n)
{
	static const uint32_t words[] = { NR, NR, NR, ARCH, ARG_LOW(0), ARG_HIGH(0), ARG_LOW(1) };
	static const uint16_t tests[] = { BPF_JEQ, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET };
	static const uint32_t constants[] = {
		0, 1, 2, 5, 6, 7, 100, 101, 0x40000000, 0x40000005, UINT32_MAX
	};

	program[0] = (struct sock_filter)LOAD(words[below(4)]);
	for (size_t i = 1; i < n; i++) {
		uint32_t left = (uint32_t)(n - i - 1), kind = below(10),
			 k = constants[below(COUNT_OF(constants))];

		if (left == 0 || kind == 0) {
			program[i] = (struct sock_filter)RETURN(below(3) == 0 ? ALLOW
									      : SECCOMP_RET_ERRNO | below(4));
		} else if (kind < 4) {
			program[i] = (struct sock_filter)LOAD(words[below(COUNT_OF(words))]);
		} else if (kind == 4) {
			program[i] = (struct sock_filter){ BPF_JMP | BPF_JA, 0, 0, below(left) };
		} else {
			uint16_t op = tests[below(COUNT_OF(tests))];
			program[i] = (struct sock_filter)TEST(op, op == BPF_JSET ? 0x40000000 : k,
							      (uint8_t)below(left > 200 ? 200 : left),
							      (uint8_t)below(left > 200 ? 200 : left));
		}
	}
}

static void test_random_programs_keep_their_answers(void **state)
{
	unsigned int shorter = 0;

	(void)state;
	for (unsigned int round = 0; round < 3000; round++) {
		struct sock_filter program[160];
		size_t n = 3 + below(150);
		struct seccomp_filter f = { 0 };

		random_program(program, n);
		int r = shrink(program, n, &f);
		assert_true(r >= 0);
		shorter += r > 0;
		compare_at_random(program, n, &f, 300);
		free(f.program);
	}
	assert_true(shorter > 1500);
}

/* Left as they are: what we cannot follow exactly must not be rewritten. */
static void test_what_is_not_understood_is_left(void **state)
{
	static const struct sock_filter masked_number[] = {
		LOAD(NR),
		{ BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xff },
		TEST(BPF_JEQ, 1, 0, 1),
		RETURN(ALLOW),
		RETURN(DENY),
	};
	static const struct sock_filter low_bit[] = {
		LOAD(NR),
		TEST(BPF_JSET, 1, 0, 1),
		RETURN(ALLOW),
		RETURN(DENY),
	};
	static const struct sock_filter scratch[] = {
		LOAD(NR),
		{ BPF_ST, 0, 0, 1 },
		{ BPF_LD | BPF_MEM, 0, 0, 1 },
		RETURN(ALLOW),
	};
	static const struct sock_filter no_end[] = { LOAD(NR), TEST(BPF_JEQ, 1, 0, 0) };
	static const struct {
		const struct sock_filter *program;
		size_t n;
	} rows[] = {
		{ masked_number, COUNT_OF(masked_number) },
		{ low_bit, COUNT_OF(low_bit) },
		{ scratch, COUNT_OF(scratch) },
		{ no_end, COUNT_OF(no_end) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct seccomp_filter f = { 0 };
		assert_int_equal(shrink(rows[i].program, rows[i].n, &f), -EINVAL);
		assert_int_equal(f.size, rows[i].n * sizeof(struct sock_filter));
		assert_memory_equal(f.program, rows[i].program, f.size);
		free(f.program);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_list_of_numbers_becomes_a_search),
		cmocka_unit_test(test_far_jumps_arrive),
		cmocka_unit_test(test_arguments_are_still_asked),
		cmocka_unit_test(test_random_programs_keep_their_answers),
		cmocka_unit_test(test_what_is_not_understood_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
