/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp.h - linux.seccomp to a loaded filter
 *
 * Compiling (libseccomp, loaded only then) is done once: the BPF is cached below the state root under a key
 * made of the profile's text, the machine, libseccomp's version and our own format. In RUNTIME; INIT and
 * exec's process only load the finished program. The cache is written atomically, mode 0600, and a file that
 * does not carry its own checksum, is not ours or is not regular is thrown away. */
#ifndef CORACLE_SECCOMP_H
#define CORACLE_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "specs/spec.h"
#include "specs/state.h"

struct seccomp_filter {
	void *program;	    /* array of struct sock_filter */
	size_t size;	    /* in bytes */
	unsigned int flags; /* SECCOMP_FILTER_FLAG_* for seccomp(2) */
};

void seccomp_filter_free(struct seccomp_filter *f);
DEFINE_AUTO(seccomp_filter, struct seccomp_filter)

/* The filter for a profile, from the cache or compiled. `cache_dir`: directory fd of the cache, or -1 for
 * none. What would be ignored silently (NOTIFY without a listener …) is refused with the key's name. */
int seccomp_prepare(const struct spec_seccomp *s, int cache_dir, struct seccomp_filter **ret,
		    struct error *e);

/* seccomp(SECCOMP_SET_MODE_FILTER). (The name seccomp_load is libseccomp's.) The caller has no_new_privs or
 * CAP_SYS_ADMIN. Returns the listener's descriptor, close-on-exec, of a filter that notifies, else 0. */
int seccomp_apply(const struct seccomp_filter *f, struct error *e);

/* Who answers for SCMP_ACT_NOTIFY: an agent of the host, behind listenerPath. */
struct seccomp_listener {
	int sock; /* connected in RUNTIME; -1: none, or used */
	bool used;
	pid_t pid;		   /* of the process, as RUNTIME sees it */
	const struct state *state; /* of the container, */
	enum status status;	   /* and what it is at that moment */
	const char *metadata;	   /* or NULL */
};

/* Connect to listenerPath if the profile notifies; in RUNTIME. l->sock stays -1 if it does not. */
int seccomp_listener_connect(const struct spec_seccomp *s, struct seccomp_listener *l, struct error *e);

/* seccomp_apply(), and the descriptor is with the agent when this returns. The connection is
 * closed then, as the spec wants it. The filter is in force for the caller by then: a helper that was made before shares the caller's descriptors and does the talking; it is
 * not seen by wait(2) and gone at once. SIGCHLD has SA_NOCLDWAIT afterwards, which ends with execve. */
int seccomp_apply_listened(const struct seccomp_filter *f, struct seccomp_listener *l, struct error *e);

/* For `features`; only in builds with libseccomp, which they load: can it make filters for "SCMP_ARCH_…"?
 * What is its version ("2.5.4")? */
bool seccomp_has_arch(const char *name);
int seccomp_library_version(char *buf, size_t size);

#endif
