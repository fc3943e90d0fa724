/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp.c - the filter for a profile: from the cache, or compiled and then cached. In RUNTIME. */
#include "namespaces/seccomp.h"

#include "namespaces/seccomp_stages.h"

int seccomp_prepare(const struct spec_seccomp *s, int cache_dir, struct seccomp_filter **ret, struct error *e)
{
	char key[HASH_HEX_SIZE];
	bool cached = cache_dir >= 0 && s->raw;

	if (cached) {
		seccomp_cache_key(s, key);
		if (seccomp_cache_read(cache_dir, key, ret) == 0)
			return 0;
	}
	int r = seccomp_compile(s, ret, e);
	if (r == 0 && cached)
		seccomp_cache_write(cache_dir, key, *ret, seccomp_compiler_path());
	return r;
}
