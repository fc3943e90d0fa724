/* SPDX-License-Identifier: GPL-2.0-or-later */
/* caps.c - the five capability sets (capabilities(7))
 *
 * Names come from libcap; the sets are handled as bits with one capset(2), for libcap would make an object
 * and more system calls of it. Inheritable is what the config says and nothing else: copying the bounding set
 * into it was a hole in four runtimes (CVE-2022-29162, CVE-2022-27650, CVE-2025-27612, CVE-2022-24769). */
#include "namespaces/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/log.h"
#include "runtime/base/str.h"

#define CAP_BIT(n)	 (UINT64_C(1) << (n))
#define CAP_NUMBER_LIMIT 64

static bool name_to_bit(const char *name, uint64_t *ret)
{
	cap_value_t value;

	/* libcap would take numbers, too. */
	if (!str_starts(name, "CAP_") || cap_from_name(name, &value) < 0 || value >= CAP_NUMBER_LIMIT)
		return false;
	*ret = CAP_BIT(value);
	return true;
}

static uint64_t list_to_bits(char *const *names)
{
	uint64_t all = 0, bit;

	for (; names && *names; names++)
		if (name_to_bit(*names, &bit))
			all |= bit;
	return all;
}

/* One warning for each name that is unknown or not held, however many of the lists have it. */
static void warn_left_out(char *const *const lists[], size_t count, uint64_t held)
{
	for (size_t i = 0; i < count; i++)
		for (char *const *name = lists[i]; name && *name; name++) {
			bool told = false;
			uint64_t bit;
			if (name_to_bit(*name, &bit) && (bit & held))
				continue;
			for (size_t k = 0; k < i && !told; k++)
				told = lists[k] && strv_has((char *const *)lists[k], *name);
			if (!told)
				log_warning("process.capabilities: %s cannot be granted here: left out",
					    *name);
		}
}

static void warn_ambient(uint64_t lost)
{
	for (int n = 0; n < CAP_NUMBER_LIMIT; n++)
		if (lost & CAP_BIT(n)) {
			char *name = cap_to_name(n);
			log_warning(
				"process.capabilities.ambient: %s is not permitted and inheritable: left out",
				name ? name : "?");
			cap_free(name);
		}
}

void caps_from_names(const struct spec_capabilities *c, uint64_t held, struct caps *ret)
{
	struct caps caps = { 0 };

	*ret = caps;
	if (!c)
		return;
	char *const *const lists[] = { c->bounding, c->permitted, c->effective, c->inheritable, c->ambient };
	warn_left_out(lists, COUNT_OF(lists), held);
	caps.bounding = list_to_bits(c->bounding) & held;
	caps.permitted = list_to_bits(c->permitted) & held;
	/* The kernel refuses what is effective but not permitted, inheritable but not in the bounding set. */
	caps.effective = list_to_bits(c->effective) & caps.permitted;
	caps.inheritable = list_to_bits(c->inheritable) & caps.bounding;
	uint64_t ambient = list_to_bits(c->ambient) & held;
	caps.ambient = ambient & caps.permitted & caps.inheritable;
	warn_ambient(ambient & ~caps.ambient);
	*ret = caps;
}

/* The kernel's two halves of 32 bits. */
static int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable, struct error *e)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (int half = 0; half < 2; half++) {
		data[half].effective = (uint32_t)(effective >> (32 * half));
		data[half].permitted = (uint32_t)(permitted >> (32 * half));
		data[half].inheritable = (uint32_t)(inheritable >> (32 * half));
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return fail(e, errno, "set capabilities");
	return 0;
}

static int get_capabilities(uint64_t *ret_permitted, uint64_t *ret_inheritable, struct error *e)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return fail(e, errno, "get capabilities");
	*ret_permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	*ret_inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

int caps_resolve(const struct spec_capabilities *c, struct caps *ret, struct error *e)
{
	uint64_t permitted, inheritable;

	int r = get_capabilities(&permitted, &inheritable, e);
	if (r < 0)
		return r;
	caps_from_names(c, permitted, ret);
	return 0;
}

/* What must go is dropped without asking whether it is there: asking costs as much as dropping. The kernel
 * says EINVAL behind its last capability. */
int caps_drop_bounding(const struct caps *caps, struct error *e)
{
	for (int n = 0; n < CAP_NUMBER_LIMIT; n++) {
		if (caps->bounding & CAP_BIT(n))
			continue;
		if (prctl(PR_CAPBSET_DROP, n, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL)
			return 0;
		return fail(e, errno, "drop capability %d from the bounding set", n);
	}
	return 0;
}

int caps_regain(struct error *e)
{
	uint64_t permitted, inheritable;

	int r = get_capabilities(&permitted, &inheritable, e);
	if (r < 0)
		return r;
	return set_capabilities(permitted, permitted, inheritable, e);
}

int caps_apply(const struct caps *caps, struct error *e)
{
	/* The ambient set is cut by this to what stays inheritable; with nothing inheritable it is empty. */
	int r = set_capabilities(caps->effective, caps->permitted, caps->inheritable, e);
	if (r < 0 || !caps->inheritable)
		return r;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return fail(e, errno, "clear ambient capabilities");
	for (int n = 0; n < CAP_NUMBER_LIMIT; n++)
		if ((caps->ambient & CAP_BIT(n)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0) < 0)
			return fail(e, errno, "raise ambient capability %d", n);
	return 0;
}
