/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp_compile.c - a profile to BPF, by libseccomp
 *
 * In RUNTIME, and only when the cache has no answer: libseccomp is loaded here (dlopen) and nowhere else, so
 * that no other command pays for it. Meaning as in runc and crun:
 *	names that libseccomp does not know are passed over (profiles name calls of all kernels),
 *	a rule whose action is the default's is passed over (libseccomp refuses it),
 *	conditions on one and the same argument are alternatives, on different ones they must all hold,
 *	system calls newer than the profile get ENOSYS (seccomp_stub.c), unless the default lets them pass.
 * The result is made shorter (seccomp_shrink.c): it is loaded as often as a container starts.
 * Spec: config-linux.md, "Seccomp". */
#include "namespaces/seccomp_stages.h"

#include "config.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "specs/seccomp.h"

static const struct {
	const char *name;
	unsigned int flag;
} flags_by_name[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};

int seccomp_flags(const struct spec_seccomp *s, unsigned int *ret, struct error *e)
{
	unsigned int flags = s->flags ? 0 : SECCOMP_FILTER_FLAG_SPEC_ALLOW;

	for (char **name = s->flags; name && *name; name++) {
		size_t i = 0;
		while (i < COUNT_OF(flags_by_name) && !str_eq(*name, flags_by_name[i].name))
			i++;
		if (i == COUNT_OF(flags_by_name))
			return refuse(e, EINVAL, "linux.seccomp.flags: %s is not supported", *name);
		flags |= flags_by_name[i].flag;
	}
	/* The kernel takes no TSYNC beside it; for our one thread it means nothing. */
	if (seccomp_notifies(s))
		flags = (flags & ~(unsigned int)SECCOMP_FILTER_FLAG_TSYNC) | SECCOMP_FILTER_FLAG_NEW_LISTENER;
	*ret = flags;
	return 0;
}

#ifdef HAVE_SECCOMP

#include <dlfcn.h>
#include <seccomp.h>

/* ---- the library ---- */

#ifdef STATIC_BUILD
#define LIB(function) (function)

static int library_open(struct error *e)
{
	(void)e;
	return 0;
}

const char *seccomp_compiler_path(void)
{
	return "";
}
#else
#define LIBRARY	      "libseccomp.so.2"
#define LIB(function) (library.function)

/* One row per function that is used. */
#define FUNCTIONS(row)                                                                              \
	row(seccomp_init) row(seccomp_release) row(seccomp_attr_set) row(seccomp_arch_add)          \
		row(seccomp_arch_native) row(seccomp_arch_resolve_name) row(seccomp_rule_add_array) \
			row(seccomp_export_bpf) row(seccomp_syscall_resolve_name)                   \
				row(seccomp_syscall_resolve_name_arch) row(seccomp_version)

#define ROW_POINTER(function) __typeof__(&function) function;
static struct {
	void *handle;
	FUNCTIONS(ROW_POINTER)
} library;

static int library_open(struct error *e)
{
	if (library.handle)
		return 0;
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return refuse(e, ENOENT, "linux.seccomp: %s", dlerror());
#define ROW_LOAD(function)                                      \
	*(void **)&library.function = dlsym(handle, #function); \
	if (!library.function)                                  \
		return refuse(e, ENOSYS, "linux.seccomp: %s has no %s", LIBRARY, #function);
	FUNCTIONS(ROW_LOAD)
	library.handle = handle;
	return 0;
}

const char *seccomp_compiler_path(void)
{
	Dl_info info;

	if (!library.handle || !dladdr(*(void **)&library.seccomp_init, &info) || !info.dli_fname)
		return "";
	return info.dli_fname;
}
#endif

static void context_free(scmp_filter_ctx *ctx)
{
	if (*ctx)
		LIB(seccomp_release)(*ctx);
}
#define auto_context __attribute__((cleanup(context_free)))

/* ---- words to numbers ---- */

static int action_number(enum seccomp_action action, int64_t errno_ret, uint32_t *ret, struct error *e)
{
	uint32_t value = errno_ret == NUM_UNSET ? EPERM : (uint32_t)errno_ret & 0xffff;

	switch (action) {
	case SECCOMP_KILL:
	case SECCOMP_KILL_THREAD:
		*ret = SCMP_ACT_KILL_THREAD;
		return 0;
	case SECCOMP_KILL_PROCESS:
		*ret = SCMP_ACT_KILL_PROCESS;
		return 0;
	case SECCOMP_TRAP:
		*ret = SCMP_ACT_TRAP;
		return 0;
	case SECCOMP_ERRNO:
		*ret = SCMP_ACT_ERRNO(value);
		return 0;
	case SECCOMP_TRACE:
		*ret = SCMP_ACT_TRACE(value);
		return 0;
	case SECCOMP_ALLOW:
		*ret = SCMP_ACT_ALLOW;
		return 0;
	case SECCOMP_LOG:
		*ret = SCMP_ACT_LOG;
		return 0;
	case SECCOMP_NOTIFY:
		*ret = SCMP_ACT_NOTIFY;
		return 0;
	case SECCOMP_ACTION_COUNT:
		break;
	}
	return refuse(e, EINVAL, "linux.seccomp: action %d", action);
}

static const enum scmp_compare compare_by_op[SECCOMP_OP_COUNT] = {
	[SECCOMP_NE] = SCMP_CMP_NE,
	[SECCOMP_LT] = SCMP_CMP_LT,
	[SECCOMP_LE] = SCMP_CMP_LE,
	[SECCOMP_EQ] = SCMP_CMP_EQ,
	[SECCOMP_GE] = SCMP_CMP_GE,
	[SECCOMP_GT] = SCMP_CMP_GT,
	[SECCOMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
};

/* "SCMP_ARCH_X86_64" is libseccomp's "x86_64". */
static int arch_number(const char *name, uint32_t *ret, struct error *e)
{
	char word[32];

	if (!str_starts(name, "SCMP_ARCH_") ||
	    str_format(word, sizeof(word), "%s", name + strlen("SCMP_ARCH_")) < 0)
		return refuse(e, EINVAL, "linux.seccomp.architectures: %s is unknown", name);
	for (char *p = word; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	*ret = LIB(seccomp_arch_resolve_name)(word);
	if (!*ret)
		return refuse(e, EINVAL, "linux.seccomp.architectures: %s is unknown to libseccomp", name);
	return 0;
}

bool seccomp_has_arch(const char *name)
{
	struct error ignored;
	uint32_t number;

	return library_open(&ignored) == 0 && arch_number(name, &number, &ignored) == 0;
}

int seccomp_library_version(char *buf, size_t size)
{
	struct error ignored;

	int r = library_open(&ignored);
	if (r < 0)
		return r;
	const struct scmp_version *v = LIB(seccomp_version)();
	return v ? str_format(buf, size, "%u.%u.%u", v->major, v->minor, v->micro) : -ENOSYS;
}

/* ---- rules ---- */

static int add_rule(scmp_filter_ctx ctx, uint32_t action, int number, const char *name,
		    const struct scmp_arg_cmp *args, size_t count, struct error *e)
{
	int r = LIB(seccomp_rule_add_array)(ctx, action, number, (unsigned int)count, args);
	if (r < 0)
		return fail(e, r, "linux.seccomp.syscalls: rule for %s", name);
	return 0;
}

static bool has_argument_twice(const struct spec_seccomp_rule *rule)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < rule->n_args; i++) {
		unsigned int bit = 1U << rule->args[i].index;
		if (seen & bit)
			return true;
		seen |= bit;
	}
	return false;
}

static int add_rules_of(scmp_filter_ctx ctx, const struct spec_seccomp_rule *rule, uint32_t action,
			const char *name, const struct scmp_arg_cmp *args, struct error *e)
{
	int number = LIB(seccomp_syscall_resolve_name)(name);

	if (number == __NR_SCMP_ERROR) {
		log_debug("linux.seccomp.syscalls: %s is unknown to libseccomp: passed over", name);
		return 0;
	}
	if (!has_argument_twice(rule))
		return add_rule(ctx, action, number, name, args, rule->n_args, e);
	for (size_t i = 0; i < rule->n_args; i++) {
		int r = add_rule(ctx, action, number, name, &args[i], 1, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_rules(scmp_filter_ctx ctx, const struct spec_seccomp *s, uint32_t default_action,
		     struct error *e)
{
	for (size_t i = 0; i < s->n_rules; i++) {
		const struct spec_seccomp_rule *rule = &s->rules[i];
		uint32_t action;
		int r = action_number(rule->action, rule->errno_ret, &action, e);
		if (r < 0)
			return r;
		if (action == default_action)
			continue;
		auto_free struct scmp_arg_cmp *args = calloc(rule->n_args + 1, sizeof(*args));
		if (!args)
			return fail(e, ENOMEM, "linux.seccomp");
		for (size_t k = 0; k < rule->n_args; k++) {
			const struct spec_seccomp_arg *a = &rule->args[k];
			args[k] = (struct scmp_arg_cmp){ a->index, compare_by_op[a->op], a->value,
							 a->value_two };
		}
		for (char **name = rule->names; name && *name; name++) {
			r = add_rules_of(ctx, rule, action, *name, args, e);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* ---- architectures ---- */

#define ARCHES_MAX 32

struct arches {
	uint32_t number[ARCHES_MAX]; /* libseccomp's tokens; the native one first */
	size_t count;
};

static int add_arches(scmp_filter_ctx ctx, const struct spec_seccomp *s, struct arches *ret, struct error *e)
{
	ret->number[0] = LIB(seccomp_arch_native)();
	ret->count = 1;
	for (char **name = s->architectures; name && *name; name++) {
		uint32_t number;
		int r = arch_number(*name, &number, e);
		if (r < 0)
			return r;
		r = LIB(seccomp_arch_add)(ctx, number);
		if (r == -EEXIST)
			continue;
		if (r < 0)
			return fail(e, r, "linux.seccomp.architectures: %s", *name);
		if (ret->count == ARCHES_MAX)
			return refuse(e, E2BIG, "linux.seccomp.architectures: too many");
		ret->number[ret->count++] = number;
	}
	return 0;
}

/* ---- the stub ---- */

static bool lets_pass(enum seccomp_action action)
{
	return action == SECCOMP_ALLOW || action == SECCOMP_LOG || action == SECCOMP_TRACE;
}

static bool largest_number(const struct spec_seccomp *s, uint32_t arch, uint32_t *ret)
{
	int largest = -1;

	for (size_t i = 0; i < s->n_rules; i++)
		for (char **name = s->rules[i].names; name && *name; name++) {
			int number = LIB(seccomp_syscall_resolve_name_arch)(arch, *name);
			if (number > largest)
				largest = number;
		}
	*ret = (uint32_t)largest;
	return largest >= 0;
}

static size_t find_last(const struct spec_seccomp *s, const struct arches *arches, struct seccomp_last *ret)
{
	size_t n = 0;

	if (lets_pass(s->default_action))
		return 0;
	for (size_t i = 0; i < arches->count; i++) {
		uint32_t arch = arches->number[i];
		struct seccomp_last *l = &ret[n];
		*l = (struct seccomp_last){ .arch = arch };
		if (!largest_number(s, arch, &l->number))
			continue;
		l->x32 = arch == SCMP_ARCH_X32;
		if (l->x32)
			l->arch = SCMP_ARCH_X86_64; /* libseccomp's token is its own invention */
		l->has_x32_bit = l->arch == SCMP_ARCH_X86_64;
		l->is_multiplex = arch == SCMP_ARCH_S390 || arch == SCMP_ARCH_S390X;
		n++;
	}
	return n;
}

/* ---- the program ---- */

static int export_program(scmp_filter_ctx ctx, char **ret, size_t *ret_size, struct error *e)
{
	auto_close int fd = memfd_create("seccomp", MFD_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "memfd_create");
	int r = LIB(seccomp_export_bpf)(ctx, fd);
	if (r < 0)
		return fail(e, r, "linux.seccomp: make the filter");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail(e, errno, "lseek");
	return io_read_fd(fd, BPF_MAXINSNS * sizeof(struct sock_filter), ret, ret_size, e);
}

/* Jumps are relative: a program stays right wherever it is put. */
static int join_program(const struct spec_seccomp *s, const struct arches *arches, const char *text,
			size_t size, struct seccomp_filter **ret, struct error *e)
{
	struct seccomp_last last[ARCHES_MAX];
	size_t n_last = find_last(s, arches, last);
	size_t room = size + n_last * SECCOMP_STUB_PER_ARCH * sizeof(struct sock_filter);

	AUTO(seccomp_filter) struct seccomp_filter *f = calloc(1, sizeof(*f));
	if (!f || !(f->program = malloc(room)))
		return fail(e, ENOMEM, "linux.seccomp");
	struct sock_filter *program = f->program;
	size_t n = seccomp_stub(last, n_last, program);
	memcpy(program + n, text, size);
	f->size = n * sizeof(*program) + size;
	if (f->size / sizeof(*program) > BPF_MAXINSNS)
		return refuse(e, E2BIG, "linux.seccomp: %zu instructions, the kernel takes %d",
			      f->size / sizeof(*program), BPF_MAXINSNS);
	int r = seccomp_flags(s, &f->flags, e);
	if (r < 0)
		return r;
	r = seccomp_shrink(f);
	log_debug("linux.seccomp: %zu instructions, made shorter: %d", n + size / sizeof(*program), r);
	*ret = take_ptr(f);
	return 0;
}

int seccomp_compile(const struct spec_seccomp *s, struct seccomp_filter **ret, struct error *e)
{
	auto_context scmp_filter_ctx ctx = NULL;
	auto_free char *text = NULL;
	struct arches arches;
	uint32_t default_action;
	size_t size;

	int r = library_open(e);
	if (r == 0)
		r = action_number(s->default_action, s->default_errno_ret, &default_action, e);
	if (r < 0)
		return r;
	ctx = LIB(seccomp_init)(default_action);
	if (!ctx)
		return fail(e, ENOMEM, "linux.seccomp: make a filter");
	/* A tree instead of a list of comparisons (libseccomp 2.5); older ones say no, and no harm is done.
	 */
	LIB(seccomp_attr_set)(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = add_arches(ctx, s, &arches, e);
	if (r == 0)
		r = add_rules(ctx, s, default_action, e);
	if (r == 0)
		r = export_program(ctx, &text, &size, e);
	if (r < 0)
		return r;
	return join_program(s, &arches, text, size, ret, e);
}

#else

int seccomp_compile(const struct spec_seccomp *s, struct seccomp_filter **ret, struct error *e)
{
	(void)s;
	(void)ret;
	return refuse(e, ENOTSUP, "linux.seccomp: this coracle was built without libseccomp");
}

const char *seccomp_compiler_path(void)
{
	return "";
}

#endif
