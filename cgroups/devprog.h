/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devprog.h - device rules as a BPF program; pure, so that it can be tested without a kernel */
#ifndef CORACLE_CGROUPS_DEVPROG_H
#define CORACLE_CGROUPS_DEVPROG_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"
#include "specs/spec.h"

/* The kinds of device and of access as the kernel numbers them. */
#define DEVICE_BOTH (BPF_DEVCG_DEV_BLOCK | BPF_DEVCG_DEV_CHAR)
#define ACCESS_ALL  (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)

#define NUMBER_ANY  -1

struct device_rule {
	bool allow;
	uint8_t types;	      /* bits of BPF_DEVCG_DEV_* */
	uint8_t access;	      /* bits of BPF_DEVCG_ACC_* */
	int64_t major, minor; /* 0…UINT32_MAX or NUMBER_ANY */
};

/* What remains of all rules, the one that counts most first; then `allow_rest` decides. */
struct device_rules {
	struct device_rule *list;
	size_t count;
	bool allow_rest;
};

/* The default rules and those of `r` (may be NULL) in their order of weight, without those that can never
 * decide. Each single access (read, write, mknod) is decided by the first rule that has it. */
int device_rules_make(const struct spec_resources *r, struct device_rules *ret, struct error *e);
void device_rules_done(struct device_rules *rules);

/* The program: returns 1 (allow) if every access asked for is allowed. *ret is a new array. -E2BIG: too long
 * for the jumps of BPF (some ten thousand rules). Sorts the rules. */
int device_program(struct device_rules *rules, struct bpf_insn **ret, size_t *ret_count, struct error *e);

#endif
