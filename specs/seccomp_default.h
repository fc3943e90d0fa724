/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp_default.h - the seccomp profile of a container whose user asked for none
 *
 * What `coracle spec` prints and `coracle run --rootfs` uses: the calls that Docker's and Podman's users can
 * make with their default profiles. One table, independent of the machine; what applies is resolved for a set
 * of capabilities and an architecture. Pure. */
#ifndef CORACLE_SPECS_SECCOMP_DEFAULT_H
#define CORACLE_SPECS_SECCOMP_DEFAULT_H

#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/error.h"
#include "specs/spec.h"

/* One row: these calls, if the container has one of `caps` (0: whatever it has) and none of `not_caps`, on
 * the architectures named. Masks are bits of CAP_*; `arches` are the kernel's machine names as uname(2) gives
 * them. */
struct seccomp_default_row {
	const char *names;  /* words between blanks: no pointer for the loader to relocate at every start */
	const char *arches; /* so too; NULL: all */
	uint64_t caps, not_caps;
	enum seccomp_action action;
	int errno_ret; /* with SECCOMP_ERRNO */
	struct spec_seccomp_arg arg;
	bool has_arg;
};
extern const struct seccomp_default_row seccomp_default_rows[];
extern const size_t seccomp_default_n_rows;

/* The profile for a container with the capabilities `caps` (its bounding set: bit CAP_CHOWN is 1 << 0) on
 * `machine` (uname's; "x86_64"): default action EPERM, the machine's architectures, the rows that apply.
 * Everything is in the arena or constant; `raw` names the profile for the filter cache. -ENOTSUP with a
 * sentence for a machine that the table does not know. */
int seccomp_default_profile(struct arena *a, uint64_t caps, const char *machine, struct spec_seccomp **ret,
			    struct error *e);

#endif
