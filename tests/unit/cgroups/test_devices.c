/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_devices.c - device rules become programs that decide as the rules say
 *
 * The programs run in an interpreter of the few instructions they are made of, and are compared with a plain
 * reading of the rules: for each access, the last rule that has it. Each is also looked over as the kernel's
 * verifier would: all of it reachable, no jump out of it or back. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/devprog.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

#define C BPF_DEVCG_DEV_CHAR
#define B BPF_DEVCG_DEV_BLOCK
#define R BPF_DEVCG_ACC_READ
#define W BPF_DEVCG_ACC_WRITE
#define M BPF_DEVCG_ACC_MKNOD

static struct error e;

/* ---- an interpreter ---- */

static bool compare(uint8_t op, uint64_t a, uint64_t b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JSET:
		return a & b;
	case BPF_JA:
		return true;
	}
	fail_msg("jump %#x is not among those we make", op);
	return false;
}

static uint32_t compute(uint8_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_MOV:
		return b;
	case BPF_AND:
		return a & b;
	case BPF_RSH:
		return a >> b;
	}
	fail_msg("arithmetic %#x is not among what we make", op);
	return 0;
}

static bool run(const struct bpf_insn *insns, size_t count, uint32_t type, uint32_t access, uint32_t major,
		uint32_t minor)
{
	const struct bpf_cgroup_dev_ctx context = { access << 16 | type, major, minor };
	uint64_t r[BPF_REG_10 + 1] = { 0 };
	uint32_t word;

	for (size_t i = 0; i < count; i++) {
		const struct bpf_insn *in = &insns[i];
		uint64_t operand = in->code & BPF_X ? r[in->src_reg] : (uint64_t)(int64_t)in->imm;
		switch (BPF_CLASS(in->code)) {
		case BPF_LDX:
			assert_int_equal(in->src_reg, BPF_REG_1);
			memcpy(&word, (const char *)&context + in->off, sizeof(word));
			r[in->dst_reg] = word;
			break;
		case BPF_ALU:
		case BPF_ALU64: /* only to set r0 to 0 or 1 */
			r[in->dst_reg] = compute(BPF_OP(in->code), (uint32_t)r[in->dst_reg],
						 (uint32_t)operand);
			break;
		case BPF_JMP:
			if (BPF_OP(in->code) == BPF_EXIT)
				return r[BPF_REG_0];
			if (compare(BPF_OP(in->code), r[in->dst_reg], operand))
				i += (size_t)in->off;
			break;
		case BPF_JMP32:
			if (compare(BPF_OP(in->code), (uint32_t)r[in->dst_reg], (uint32_t)operand))
				i += (size_t)in->off;
			break;
		default:
			fail_msg("instruction %#x is not among those we make", in->code);
		}
	}
	fail_msg("ran off the end");
	return false;
}

static void verify(const struct bpf_insn *insns, size_t count)
{
	auto_free bool *reached = calloc(count + 1, sizeof(bool));

	assert_non_null(reached);
	reached[0] = true;
	for (size_t i = 0; i < count; i++) {
		uint8_t class = BPF_CLASS(insns[i].code), op = BPF_OP(insns[i].code);
		bool jump = class == BPF_JMP || class == BPF_JMP32;
		if (!reached[i])
			fail_msg("instruction %zu of %zu cannot be reached", i, count);
		if (jump && op == BPF_EXIT)
			continue;
		if (jump) {
			assert_true(insns[i].off >= 0 && i + 1 + (size_t)insns[i].off < count);
			reached[i + 1 + (size_t)insns[i].off] = true;
		}
		if (!jump || op != BPF_JA)
			reached[i + 1] = true;
	}
	assert_false(reached[count]);
}

/* ---- rules as people write them ---- */

struct program {
	struct bpf_insn *insns;
	size_t count, n_rules;
};

static struct program compile(const struct spec_device_rule *rules, size_t n)
{
	struct spec_resources r = { .devices = (struct spec_device_rule *)rules, .n_devices = n };
	struct device_rules kept;
	struct program p;

	assert_int_equal(device_rules_make(&r, &kept, &e), 0);
	p.n_rules = kept.count;
	assert_int_equal(device_program(&kept, &p.insns, &p.count, &e), 0);
	device_rules_done(&kept);
	verify(p.insns, p.count);
	return p;
}

static bool decide(const struct spec_device_rule *rules, size_t n, uint32_t type, uint32_t access,
		   uint32_t major, uint32_t minor)
{
	struct program p = compile(rules, n);
	bool yes = run(p.insns, p.count, type, access, major, minor);

	free(p.insns);
	return yes;
}

/* "+c1:3rwm" */
static struct spec_device_rule rule(const char *text)
{
	struct spec_device_rule r = { .allow = text[0] == '+', .type = text[1], .major = -1, .minor = -1 };
	char *at = (char *)text + 2;

	if (*at == '*')
		at++;
	else
		r.major = strtol(at, &at, 10);
	assert_int_equal(*at++, ':');
	if (*at == '*')
		at++;
	else
		r.minor = strtol(at, &at, 10);
	r.read = strchr(at, 'r');
	r.write = strchr(at, 'w');
	r.mknod = strchr(at, 'm');
	return r;
}

static const uint32_t bits[] = { R, W, M };

static bool rule_has(const struct spec_device_rule *r, uint32_t type, uint32_t bit, uint32_t major,
		     uint32_t minor)
{
	bool type_fits = r->type == 'a' || (r->type == 'c') == (type == C);
	bool bit_fits = bit == R ? r->read : bit == W ? r->write : r->mknod;

	return type_fits && bit_fits && (r->major < 0 || r->major == major) &&
	       (r->minor < 0 || r->minor == minor);
}

static bool is_on_all(const struct spec_device_rule *r)
{
	return r->major < 0 && r->minor < 0 && r->read && r->write && r->mknod;
}

/* The rules in their order, the defaults after the last on all devices; the last that fits. */
static bool plain_bit(const struct spec_device_rule *rules, size_t n, uint32_t type, uint32_t bit,
		      uint32_t major, uint32_t minor)
{
	static const char *const defaults[] = { "+a*:*m",   "+c1:3rwm",	  "+c1:5rwm",	"+c1:7rwm",
						"+c1:8rwm", "+c1:9rwm",	  "+c5:0rwm",	"+c5:1rwm",
						"+c5:2rwm", "+c136:*rwm", "+c10:200rwm" };
	bool allow = false;
	size_t after = n;

	while (after > 0 && !is_on_all(&rules[after - 1]))
		after--;
	for (size_t i = 0; i < after; i++)
		if (rule_has(&rules[i], type, bit, major, minor))
			allow = rules[i].allow;
	for (size_t i = 0; i < COUNT_OF(defaults); i++) {
		struct spec_device_rule d = rule(defaults[i]);
		if (rule_has(&d, type, bit, major, minor))
			allow = true;
	}
	for (size_t i = after; i < n; i++)
		if (rule_has(&rules[i], type, bit, major, minor))
			allow = rules[i].allow;
	return allow;
}

static bool plainly(const struct spec_device_rule *rules, size_t n, uint32_t type, uint32_t access,
		    uint32_t major, uint32_t minor)
{
	for (size_t i = 0; i < COUNT_OF(bits); i++)
		if (access & bits[i] && !plain_bit(rules, n, type, bits[i], major, minor))
			return false;
	return true;
}

/* ---- tests ---- */

static void test_defaults_are_usable_and_nothing_else(void **state)
{
	static const uint32_t usable[][2] = { { 1, 3 },	  { 1, 5 },    { 1, 7 },   { 1, 8 },
					      { 1, 9 },	  { 5, 0 },    { 5, 1 },   { 5, 2 },
					      { 136, 0 }, { 136, 77 }, { 10, 200 } };
	static const uint32_t other[][2] = { { 1, 1 }, { 1, 2 }, { 1, 4 }, { 1, 11 }, { 10, 232 }, { 8, 0 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(usable); i++) {
		assert_true(decide(NULL, 0, C, R | W, usable[i][0], usable[i][1]));
		assert_true(decide(NULL, 0, C, M, usable[i][0], usable[i][1]));
		assert_false(decide(NULL, 0, B, R, usable[i][0], usable[i][1]));
	}
	for (size_t i = 0; i < COUNT_OF(other); i++) {
		assert_false(decide(NULL, 0, C, R, other[i][0], other[i][1]));
		assert_false(decide(NULL, 0, B, W, other[i][0], other[i][1]));
		assert_true(decide(NULL, 0, C, M, other[i][0], other[i][1]));
		assert_true(decide(NULL, 0, B, M, other[i][0], other[i][1]));
		assert_false(decide(NULL, 0, B, R | M, other[i][0], other[i][1]));
		assert_true(decide(NULL, 0, C, 0, other[i][0], other[i][1])); /* access(2) with F_OK */
	}
}

static void test_the_last_rule_decides(void **state)
{
	(void)state;
	const struct spec_device_rule narrowed[] = { rule("-a*:*rwm"), rule("+b8:*rwm"), rule("-b8:1w"),
						     rule("-c1:3rwm") };
	assert_true(decide(narrowed, 4, B, R | W, 8, 0));
	assert_true(decide(narrowed, 4, B, R, 8, 1));
	assert_false(decide(narrowed, 4, B, W, 8, 1));
	assert_false(decide(narrowed, 4, B, R | W, 8, 1));
	assert_false(decide(narrowed, 4, C, R, 1, 3)); /* a default, taken away */
	assert_true(decide(narrowed, 4, C, R, 1, 5));

	const struct spec_device_rule split[] = { rule("+c7:1r"), rule("+c7:1w") };
	assert_true(decide(split, 2, C, R | W, 7, 1));
	assert_true(decide(split, 2, C, M, 7, 1));

	const struct spec_device_rule reset[] = { rule("+b8:0rwm"), rule("-a*:*rwm") };
	assert_false(decide(reset, 2, B, R, 8, 0));
	assert_true(decide(reset, 2, C, R, 1, 3)); /* the defaults stand behind "deny all" */

	const struct spec_device_rule all[] = { rule("+a*:*rwm") };
	assert_true(decide(all, 1, B, R | W | M, 253, 4));
}

static void test_large_numbers_are_not_negative(void **state)
{
	(void)state;
	const struct spec_device_rule large[] = { rule("+c4294967295:4294967294rw") };
	assert_true(decide(large, 1, C, R | W, UINT32_MAX, UINT32_MAX - 1));
	assert_false(decide(large, 1, C, R, UINT32_MAX, 0));
	struct spec_resources r = { .devices = (struct spec_device_rule[]){ rule("+c4294967296:1r") },
				    .n_devices = 1 };
	struct device_rules kept;
	assert_int_equal(device_rules_make(&r, &kept, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "devices[0].major"));
}

static void test_programs_are_compact(void **state)
{
	const struct spec_device_rule engine[] = { rule("-a*:*rwm"), rule("+c1:5rwm"),	 rule("+c1:3rwm"),
						   rule("+c1:9rwm"), rule("+c1:8rwm"),	 rule("+c5:0rwm"),
						   rule("+c5:1rwm"), rule("-c10:229rwm") };
	const struct spec_device_rule all[] = { rule("-a*:*rwm"), rule("+c*:*rwm"), rule("+b*:*rwm") };

	(void)state;
	struct program p = compile(engine, COUNT_OF(engine));
	assert_true(p.count <= 40);
	free(p.insns);
	p = compile(all, COUNT_OF(all)); /* two halves make a whole */
	assert_int_equal(p.n_rules, 0);
	assert_int_equal(p.count, 2);
	free(p.insns);
	p = compile(engine, 1);
	assert_int_equal(p.n_rules, 11);
	free(p.insns);
}

static uint32_t next_random(void)
{
	static uint64_t x = 88172645463325252ULL;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32);
}

static struct spec_device_rule random_rule(void)
{
	uint32_t x = next_random();
	struct spec_device_rule r = { .allow = x & 1,
				      .type = "abccbc"[(x >> 1) % 6],
				      .read = x & 0x100,
				      .write = x & 0x200,
				      .mknod = x & 0x400 };
	r.major = x & 0x3000 ? (int64_t[]){ 1, 5, 8, 136 }[(x >> 16) % 4] : -1;
	r.minor = x & 0xc000 ? (int64_t[]){ 0, 1, 3, 5 }[(x >> 20) % 4] : -1;
	if ((x & 0xf000000) == 0) /* now and then one on all devices of its type */
		r.major = r.minor = -1, r.read = r.write = r.mknod = true;
	return r;
}

static void test_random_rules_decide_as_written(void **state)
{
	static const uint32_t majors[] = { 1, 5, 8, 136, 200 }, minors[] = { 0, 1, 3, 5, 9 };
	struct spec_device_rule rules[12];

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t n = next_random() % (COUNT_OF(rules) + 1);
		for (size_t i = 0; i < n; i++)
			rules[i] = random_rule();
		struct program p = compile(rules, n);
		for (size_t k = 0; k < COUNT_OF(majors) * COUNT_OF(minors) * 2 * 7; k++) {
			uint32_t major = majors[k % 5], minor = minors[k / 5 % 5];
			uint32_t type = k / 25 % 2 ? C : B, access = 1 + (uint32_t)(k / 50);
			if (run(p.insns, p.count, type, access, major, minor) !=
			    plainly(rules, n, type, access, major, minor))
				fail_msg("round %d: %s %u:%u access %u", round, type == C ? "c" : "b", major,
					 minor, access);
		}
		free(p.insns);
	}
}

static void test_too_many_rules_are_refused(void **state)
{
	size_t n = 10001;
	auto_free struct spec_device_rule *rules = calloc(n, sizeof(*rules));
	struct spec_resources r = { .devices = rules, .n_devices = n };
	struct device_rules kept;
	struct bpf_insn *insns;
	size_t count;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		rules[i] = rule("+c0:0r");
		rules[i].major = (int64_t)i;
	}
	assert_int_equal(device_rules_make(&r, &kept, &e), -E2BIG);
	r.n_devices = n - 1;
	assert_int_equal(device_rules_make(&r, &kept, &e), 0);
	assert_int_equal(device_program(&kept, &insns, &count, &e), -E2BIG);
	device_rules_done(&kept);
}

/* Kernels 6.17 to 7.1 write past a short attribute: a filter that says EXFULL to any bpf() whose attribute
 * is not the whole union shows that none is short. */
static void test_bpf_attributes_are_whole(void **state)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 64, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BPF_PROG_LOAD, 2, 3), /* "loaded": 0 is a descriptor */
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXFULL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BPF_PROG_QUERY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV), /* "asked, wholly" */
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT_OF(code), code };
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
			_exit(99);
		_exit(-cgroup_devices_apply(-1, NULL, false, &e));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXDEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_usable_and_nothing_else),
		cmocka_unit_test(test_the_last_rule_decides),
		cmocka_unit_test(test_large_numbers_are_not_negative),
		cmocka_unit_test(test_programs_are_compact),
		cmocka_unit_test(test_random_rules_decide_as_written),
		cmocka_unit_test(test_too_many_rules_are_refused),
		cmocka_unit_test(test_bpf_attributes_are_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
