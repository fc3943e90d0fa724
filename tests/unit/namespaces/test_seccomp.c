/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_seccomp.c - profiles are compiled for real and run through a small BPF interpreter; the cache is fed
 * with what it must not trust
 *
 * A planted cache file carries a program that allows everything: if a guard is missing, the filter allows
 * what the profile denies, and the test sees it. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "namespaces/seccomp_stages.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"

#define ALLOW	    SECCOMP_RET_ALLOW
#define ERRNO(n)    (SECCOMP_RET_ERRNO | (n))
#define NR_MAX_SEEN 800

/* ---- a profile from JSON, a filter from a profile ---- */

static struct spec *parse(const char *seccomp)
{
	struct spec *s = NULL;
	struct error e = { 0 };
	char *text;

	assert_true(asprintf(&text,
			     "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},"
			     "\"linux\":{\"seccomp\":%s}}",
			     seccomp) > 0);
	if (spec_parse(text, strlen(text), &s, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	free(text);
	return s;
}

static struct seccomp_filter *compile(const char *seccomp)
{
	AUTO(spec) struct spec *s = parse(seccomp);
	struct seccomp_filter *f = NULL;
	struct error e = { 0 };

	if (seccomp_compile(s->seccomp, &f, &e) < 0)
		fail_msg("%s: %s", seccomp, e.msg);
	return f;
}

/* ---- the interpreter: what libseccomp and our stub use of classic BPF ---- */

static uint32_t interpret(const struct sock_filter *program, size_t count, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < count; pc++) {
		const struct sock_filter *i = &program[pc];
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k % 4 == 0 && i->k < sizeof(*data));
			memcpy(&a, (const char *)data + i->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction %#x is unknown to this test", i->code);
		}
	}
	fail_msg("the program runs over its end");
	return 0;
}

static uint32_t run6(const struct seccomp_filter *f, uint32_t arch, int nr, const uint64_t args[6])
{
	struct seccomp_data data = { .nr = nr, .arch = arch };

	if (args)
		memcpy(data.args, args, sizeof(data.args));
	return interpret(f->program, f->size / sizeof(struct sock_filter), &data);
}

static uint32_t run(const struct seccomp_filter *f, int nr, uint64_t first, uint64_t second)
{
	const uint64_t args[6] = { first, second };

	return run6(f, AUDIT_ARCH_X86_64, nr, args);
}

/* The numbers below are those of x86_64; the compiler itself is the same everywhere. */
static void need_x86_64(void)
{
#ifndef __x86_64__
	print_message("skipped: needs x86_64\n");
	skip();
#endif
}

enum { NR_READ = 0, NR_WRITE = 1, NR_GETPID = 39, NR_SOCKET = 41, NR_CLONE = 56, NR_PERSONALITY = 135 };

/* ---- compiling ---- */

static void test_actions_are_what_they_say(void **state)
{
	static const struct {
		const char *action;
		uint32_t want;
	} rows[] = {
		{ "\"SCMP_ACT_KILL\"", SECCOMP_RET_KILL_THREAD },
		{ "\"SCMP_ACT_KILL_THREAD\"", SECCOMP_RET_KILL_THREAD },
		{ "\"SCMP_ACT_KILL_PROCESS\"", SECCOMP_RET_KILL_PROCESS },
		{ "\"SCMP_ACT_TRAP\"", SECCOMP_RET_TRAP },
		{ "\"SCMP_ACT_ERRNO\"", ERRNO(EPERM) },
		{ "\"SCMP_ACT_ERRNO\",\"errnoRet\":38", ERRNO(ENOSYS) },
		{ "\"SCMP_ACT_ERRNO\",\"errnoRet\":0", ERRNO(0) },
		{ "\"SCMP_ACT_TRACE\",\"errnoRet\":7", SECCOMP_RET_TRACE | 7 },
		{ "\"SCMP_ACT_LOG\"", SECCOMP_RET_LOG },
	};

	(void)state;
	need_x86_64();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char json[256];
		snprintf(json, sizeof(json),
			 "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getpid\"],"
			 "\"action\":%s}]}",
			 rows[i].action);
		AUTO(seccomp_filter) struct seccomp_filter *f = compile(json);
		assert_int_equal(run(f, NR_GETPID, 0, 0), rows[i].want);
		assert_int_equal(run(f, NR_READ, 0, 0), ALLOW);
	}
}

static void test_default_errno_is_used(void **state)
{
	(void)state;
	need_x86_64();
	AUTO(seccomp_filter)
	struct seccomp_filter *f = compile("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":13,"
					   "\"syscalls\":[{\"names\":[\"read\",\"getpid\"],"
					   "\"action\":\"SCMP_ACT_ALLOW\"}]}");
	assert_int_equal(run(f, NR_WRITE, 0, 0), ERRNO(13));
	assert_int_equal(run(f, NR_READ, 0, 0), ALLOW);
}

static void test_every_comparison_compares(void **state)
{
	static const struct {
		const char *op;
		bool below, equal, above; /* of 0x100000010; and of what differs in the upper half alone */
	} rows[] = {
		{ "NE", true, false, true },  { "LT", true, false, false }, { "LE", true, true, false },
		{ "EQ", false, true, false }, { "GE", false, true, true },  { "GT", false, false, true },
	};
	const uint64_t value = 0x100000010;

	(void)state;
	need_x86_64();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char json[320];
		snprintf(json, sizeof(json),
			 "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"personality\"],"
			 "\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":4294967312,"
			 "\"op\":\"SCMP_CMP_%s\"}]}]}",
			 rows[i].op);
		AUTO(seccomp_filter) struct seccomp_filter *f = compile(json);
		assert_int_equal(run(f, NR_PERSONALITY, value - 1, 0) == ALLOW, rows[i].below);
		assert_int_equal(run(f, NR_PERSONALITY, 0x10, 0) == ALLOW, rows[i].below);
		assert_int_equal(run(f, NR_PERSONALITY, value, 0) == ALLOW, rows[i].equal);
		assert_int_equal(run(f, NR_PERSONALITY, value + 1, 0) == ALLOW, rows[i].above);
		assert_int_equal(run(f, NR_PERSONALITY, 0x200000010, 0) == ALLOW, rows[i].above);
	}
}

static void test_masked_comparison_takes_mask_then_value(void **state)
{
	(void)state;
	need_x86_64();
	AUTO(seccomp_filter)
	struct seccomp_filter *f = compile(
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"clone\"],\"action\":"
		"\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":2114060288,\"valueTwo\":0,"
		"\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]}");
	assert_int_equal(run(f, NR_CLONE, 17, 0), ALLOW);
	assert_int_equal(run(f, NR_CLONE, 0x10000000, 0), ERRNO(EPERM)); /* CLONE_NEWUSER */
}

static void test_conditions_on_different_arguments_must_all_hold(void **state)
{
	(void)state;
	need_x86_64();
	AUTO(seccomp_filter)
	struct seccomp_filter *f = compile(
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"socket\"],\"action\":"
		"\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"value\":16,\"op\":\"SCMP_CMP_EQ\"},"
		"{\"index\":1,\"value\":3,\"op\":\"SCMP_CMP_EQ\"}]}]}");
	assert_int_equal(run(f, NR_SOCKET, 16, 3), ERRNO(EPERM));
	assert_int_equal(run(f, NR_SOCKET, 16, 2), ALLOW);
	assert_int_equal(run(f, NR_SOCKET, 2, 3), ALLOW);
}

static void test_conditions_on_one_argument_are_alternatives(void **state)
{
	(void)state;
	need_x86_64();
	AUTO(seccomp_filter)
	struct seccomp_filter *f = compile(
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"socket\"],\"action\":"
		"\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},"
		"{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]}]}");
	assert_int_equal(run(f, NR_SOCKET, 1, 0), ALLOW);
	assert_int_equal(run(f, NR_SOCKET, 2, 0), ALLOW);
	assert_int_equal(run(f, NR_SOCKET, 38, 0), ERRNO(EPERM));
}

static void test_unknown_names_and_the_default_action_are_passed_over(void **state)
{
	(void)state;
	need_x86_64();
	AUTO(seccomp_filter)
	struct seccomp_filter *f = compile(
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
		"{\"names\":[\"no_such_call\",\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ERRNO\"},"
		"{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}");
	assert_int_equal(run(f, NR_READ, 0, 0), ALLOW);
	assert_int_equal(run(f, NR_WRITE, 0, 0), ERRNO(EPERM));
	assert_int_equal(run(f, NR_GETPID, 0, 0), ERRNO(ENOSYS));
}

static void test_a_rule_that_comes_twice_is_no_error(void **state)
{
	(void)state;
	need_x86_64();
	AUTO(seccomp_filter)
	struct seccomp_filter *f = compile("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
					   "{\"names\":[\"read\",\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
					   "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"}]}");
	assert_int_equal(run(f, NR_READ, 0, 0), ALLOW);
}

/* ---- architectures ---- */

static void test_only_listed_architectures_are_let_in(void **state)
{
	const char *rules = "\"syscalls\":[{\"names\":[\"read\",\"getpid\"],\"action\":\"SCMP_ACT_ALLOW\"}]}";
	char json[320];

	(void)state;
	need_x86_64();
	snprintf(json, sizeof(json), "{\"defaultAction\":\"SCMP_ACT_ERRNO\",%s", rules);
	AUTO(seccomp_filter) struct seccomp_filter *native = compile(json);
	assert_int_equal(run6(native, AUDIT_ARCH_X86_64, NR_GETPID, NULL), ALLOW);
	assert_int_equal(run6(native, AUDIT_ARCH_I386, 20, NULL), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(run6(native, AUDIT_ARCH_X86_64, (int)SECCOMP_X32_BIT | NR_GETPID, NULL),
			 SECCOMP_RET_KILL_THREAD);

	snprintf(json, sizeof(json),
		 "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86_64\","
		 "\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"],%s",
		 rules);
	AUTO(seccomp_filter) struct seccomp_filter *all = compile(json);
	assert_int_equal(run6(all, AUDIT_ARCH_X86_64, NR_GETPID, NULL), ALLOW);
	assert_int_equal(run6(all, AUDIT_ARCH_I386, 20, NULL), ALLOW);	       /* getpid there */
	assert_int_equal(run6(all, AUDIT_ARCH_I386, 21, NULL), ERRNO(ENOSYS)); /* beyond the last */
	assert_int_equal(run6(all, AUDIT_ARCH_I386, 4, NULL), ERRNO(EPERM));
	assert_int_equal(run6(all, AUDIT_ARCH_X86_64, (int)SECCOMP_X32_BIT | NR_GETPID, NULL), ALLOW);
	assert_int_equal(run6(all, AUDIT_ARCH_X86_64, (int)SECCOMP_X32_BIT | NR_WRITE, NULL), ERRNO(EPERM));
	assert_int_equal(run6(all, AUDIT_ARCH_X86_64, (int)SECCOMP_X32_BIT | 500, NULL), ERRNO(ENOSYS));
}

static void test_an_unknown_architecture_is_an_error(void **state)
{
	static char name[] = "SCMP_ARCH_PDP11";
	char *names[] = { name, NULL };
	struct spec_seccomp s = { .default_action = SECCOMP_ALLOW,
				  .default_errno_ret = NUM_UNSET,
				  .architectures = names };
	struct seccomp_filter *f = NULL;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(seccomp_compile(&s, &f, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "SCMP_ARCH_PDP11"));
	assert_null(f);
}

/* ---- ENOSYS for what is newer than the profile ---- */

static void test_calls_newer_than_the_profile_get_enosys(void **state)
{
	(void)state;
	need_x86_64();
	AUTO(seccomp_filter)
	struct seccomp_filter *f = compile(
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\",\"close_range\"],"
		"\"action\":\"SCMP_ACT_ALLOW\"}]}");
	assert_int_equal(run(f, 436, 0, 0), ALLOW);	    /* close_range, the last it names */
	assert_int_equal(run(f, 435, 0, 0), ERRNO(EPERM));  /* clone3: older, not named */
	assert_int_equal(run(f, 437, 0, 0), ERRNO(ENOSYS)); /* openat2: newer */
	assert_int_equal(run(f, NR_MAX_SEEN, 0, 0), ERRNO(ENOSYS));

	AUTO(seccomp_filter)
	struct seccomp_filter *killing = compile(
		"{\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\",\"syscalls\":[{"
		"\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"}]}");
	assert_int_equal(run(killing, NR_WRITE, 0, 0), ERRNO(ENOSYS));
}

static void test_permissive_profiles_answer_for_themselves(void **state)
{
	static const char *const defaults[] = { "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE" };
	static const uint32_t want[] = { ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE | EPERM };

	(void)state;
	need_x86_64();
	for (size_t i = 0; i < COUNT_OF(defaults); i++) {
		char json[256];
		snprintf(json, sizeof(json),
			 "{\"defaultAction\":\"%s\",\"syscalls\":[{\"names\":[\"write\"],\"action\":"
			 "\"SCMP_ACT_KILL\"}]}",
			 defaults[i]);
		AUTO(seccomp_filter) struct seccomp_filter *f = compile(json);
		assert_int_equal(run(f, NR_MAX_SEEN, 0, 0), want[i]);
	}
}

static void test_stub_of_a_multiplexed_architecture(void **state)
{
	const struct seccomp_last last[] = {
		{ .arch = AUDIT_ARCH_S390X, .number = 100, .is_multiplex = true },
		{ .arch = AUDIT_ARCH_AARCH64, .number = 50 },
	};
	struct sock_filter program[COUNT_OF(last) * SECCOMP_STUB_PER_ARCH + 1];
	size_t n = seccomp_stub(last, COUNT_OF(last), program);

	(void)state;
	assert_true(n <= COUNT_OF(last) * SECCOMP_STUB_PER_ARCH);
	program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ALLOW);
	const struct seccomp_filter f = { .program = program, .size = n * sizeof(*program) };
	assert_int_equal(run6(&f, AUDIT_ARCH_S390X, 0, NULL), ERRNO(ENOSYS));
	assert_int_equal(run6(&f, AUDIT_ARCH_S390X, 1, NULL), ALLOW);
	assert_int_equal(run6(&f, AUDIT_ARCH_S390X, 101, NULL), ERRNO(ENOSYS));
	assert_int_equal(run6(&f, AUDIT_ARCH_AARCH64, 0, NULL), ALLOW);
	assert_int_equal(run6(&f, AUDIT_ARCH_AARCH64, 50, NULL), ALLOW);
	assert_int_equal(run6(&f, AUDIT_ARCH_AARCH64, 51, NULL), ERRNO(ENOSYS));
	assert_int_equal(run6(&f, AUDIT_ARCH_I386, 400, NULL), ALLOW);
}

/* ---- flags, refusals ---- */

static unsigned int flags_of(const char *json)
{
	AUTO(spec) struct spec *s = parse(json);
	struct error e = { 0 };
	unsigned int flags = ~0U;

	assert_int_equal(seccomp_flags(s->seccomp, &flags, &e), 0);
	return flags;
}

static void test_flags(void **state)
{
	static char word[] = "SECCOMP_FILTER_FLAG_NEW_LISTENER";
	char *words[] = { word, NULL };
	const struct spec_seccomp unsupported = { .flags = words };
	struct error e = { 0 };
	unsigned int flags;

	(void)state;
	assert_int_equal(flags_of("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"), SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	assert_int_equal(flags_of("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[]}"), 0);
	assert_int_equal(flags_of("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":["
				  "\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_TSYNC\"]}"),
			 SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC);
	assert_int_equal(flags_of("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/"
				  "a\",\"syscalls\":[{\"names\":["
				  "\"mkdir\"],\"action\":\"SCMP_ACT_NOTIFY\"}],\"flags\":[\"SECCOMP_FILTER_"
				  "FLAG_TSYNC\","
				  "\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}"),
			 SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	assert_int_equal(seccomp_flags(&unsupported, &flags, &e), -EINVAL);
	assert_non_null(strstr(e.msg, word));
}

/* ---- the kernel takes it ---- */

static int apply_in_child(const struct seccomp_filter *f)
{
	struct error e = { 0 };
	int status;

	pid_t pid = fork();
	if (pid == 0) {
		char buf[64];
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (seccomp_apply(f, &e) < 0)
			_exit(100);
		errno = 0;
		_exit(syscall(SYS_getcwd, buf, sizeof(buf)) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_the_kernel_enforces_it(void **state)
{
	(void)state;
	AUTO(seccomp_filter)
	struct seccomp_filter *f = compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":["
					   "\"getcwd\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":77}]}");
	assert_int_equal(apply_in_child(f), 77);
}

/* ---- the cache ---- */

#define DENYING                                                                                   \
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getcwd\"],\"action\":" \
	"\"SCMP_ACT_ERRNO\",\"errnoRet\":77}]}"

struct cache {
	char path[32];
	int dir;
	struct spec *spec;
	char key[HASH_HEX_SIZE];
};

static void cache_open(struct cache *c)
{
	strcpy(c->path, "/tmp/test_seccomp.XXXXXX");
	assert_non_null(mkdtemp(c->path));
	c->dir = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(c->dir >= 0);
	c->spec = parse(DENYING);
	seccomp_cache_key(c->spec->seccomp, c->key);
}

static size_t cache_count(const struct cache *c, bool remove)
{
	size_t n = 0;
	DIR *d = opendir(c->path);

	assert_non_null(d);
	for (struct dirent *de; (de = readdir(d));) {
		if (de->d_name[0] == '.')
			continue;
		n++;
		if (remove && unlinkat(c->dir, de->d_name, 0) < 0)
			unlinkat(c->dir, de->d_name, AT_REMOVEDIR);
	}
	closedir(d);
	return n;
}

static void cache_close(struct cache *c)
{
	cache_count(c, true);
	close(c->dir);
	rmdir(c->path);
	spec_free(c->spec);
}

/* Does the filter that seccomp_prepare gives deny what the profile denies? */
static bool is_denied(struct cache *c)
{
	AUTO(seccomp_filter) struct seccomp_filter *f = NULL;
	struct error e = { 0 };

	if (seccomp_prepare(c->spec->seccomp, c->dir, &f, &e) < 0)
		fail_msg("%s", e.msg);
	return apply_in_child(f) == 77;
}

/* A sound file under the key whose program allows everything. */
static void plant(struct cache *c)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, ALLOW);
	const struct seccomp_filter f = { .program = &all, .size = sizeof(all) };

	seccomp_cache_write(c->dir, c->key, &f, "");
	assert_int_equal(faccessat(c->dir, c->key, F_OK, 0), 0);
}

static void test_cache_is_used(void **state)
{
	struct cache c;

	(void)state;
	cache_open(&c);
	plant(&c);
	assert_false(is_denied(&c));
	cache_close(&c);
}

static bool has_libseccomp(void)
{
	auto_free char *maps = NULL;
	struct error e = { 0 };

	assert_int_equal(io_read_file(AT_FDCWD, "/proc/self/maps", 1 << 20, &maps, NULL, &e), 0);
	return strstr(maps, "libseccomp");
}

static void test_second_time_libseccomp_is_not_loaded(void **state)
{
	struct cache c;

	(void)state;
#ifdef STATIC_BUILD
	print_message("skipped: libseccomp is part of the program in this build\n");
	skip();
#endif
	assert_false(has_libseccomp());
	cache_open(&c);
	for (int round = 0; round < 2; round++) {
		struct seccomp_filter *f = NULL;
		struct error e = { 0 };
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			int r = seccomp_prepare(c.spec->seccomp, c.dir, &f, &e);
			_exit(r < 0 ? 2 : has_libseccomp());
		}
		waitpid(pid, &status, 0);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), round == 0);
	}
	assert_int_equal(cache_count(&c, false), 1);
	assert_true(is_denied(&c));
	cache_close(&c);
}

static void test_every_damaged_byte_is_seen(void **state)
{
	struct cache c;
	char file[4096];

	(void)state;
	cache_open(&c);
	plant(&c);
	int fd = openat(c.dir, c.key, O_RDWR | O_CLOEXEC);
	ssize_t size = read(fd, file, sizeof(file));
	assert_true(size > 0 && size < (ssize_t)sizeof(file));
	close(fd);
	for (ssize_t i = 0; i < size; i += 7) {
		struct seccomp_filter *f = NULL;
		struct error e = { 0 };
		file[i] ^= 0x10;
		assert_int_equal(io_replace_file(c.dir, c.key, file, (size_t)size, 0600, &e), 0);
		file[i] ^= 0x10;
		/* Bytes after the format's and the path's NUL mean nothing; checksums cover the latter. */
		if (i >= (ssize_t)sizeof("coracle seccomp filter 1") && i < 32)
			continue;
		if (seccomp_cache_read(c.dir, c.key, &f) != -ENOENT)
			fail_msg("byte %zd", i);
		assert_int_equal(faccessat(c.dir, c.key, F_OK, 0), -1);
	}
	cache_close(&c);
}

static void test_truncated_files_are_not_used(void **state)
{
	struct cache c;

	(void)state;
	cache_open(&c);
	for (int cut = 0; cut < 3; cut++) {
		plant(&c);
		int fd = openat(c.dir, c.key, O_RDWR | O_CLOEXEC);
		off_t size = lseek(fd, 0, SEEK_END);
		assert_int_equal(ftruncate(fd, cut == 0 ? 0 : cut == 1 ? size - 1 : 10), 0);
		close(fd);
		assert_true(is_denied(&c));
	}
	cache_close(&c);
}

static void test_files_that_others_can_write_are_not_used(void **state)
{
	static const mode_t modes[] = { 0620, 0602, 0666 };
	struct cache c;

	(void)state;
	cache_open(&c);
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		plant(&c);
		assert_int_equal(fchmodat(c.dir, c.key, modes[i], 0), 0);
		assert_true(is_denied(&c));
	}
	cache_close(&c);
}

static void test_files_of_others_are_not_used(void **state)
{
	struct cache c;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: needs root\n");
		skip();
	}
	cache_open(&c);
	plant(&c);
	assert_int_equal(fchownat(c.dir, c.key, 12345, 12345, 0), 0);
	assert_true(is_denied(&c));
	cache_close(&c);
}

static void test_links_are_not_followed(void **state)
{
	struct cache c;

	(void)state;
	cache_open(&c);
	plant(&c);
	assert_int_equal(renameat(c.dir, c.key, c.dir, "decoy"), 0);
	assert_int_equal(symlinkat("decoy", c.dir, c.key), 0);
	assert_true(is_denied(&c));
	assert_int_equal(faccessat(c.dir, "decoy", F_OK, 0), 0); /* the link went, not what it led to */
	unlinkat(c.dir, c.key, 0);
	assert_int_equal(linkat(c.dir, "decoy", c.dir, c.key, 0), 0);
	assert_true(is_denied(&c));
	cache_close(&c);
}

static void test_what_is_no_file_is_not_used(void **state)
{
	struct cache c;

	(void)state;
	cache_open(&c);
	assert_int_equal(mkfifoat(c.dir, c.key, 0600), 0);
	assert_true(is_denied(&c));
	unlinkat(c.dir, c.key, 0);
	assert_int_equal(mkdirat(c.dir, c.key, 0700), 0);
	assert_true(is_denied(&c));
	assert_true(is_denied(&c));
	cache_close(&c);
}

static void test_an_upgraded_library_makes_new_filters(void **state)
{
	struct cache c;
	char library[64];
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, ALLOW);
	const struct seccomp_filter f = { .program = &all, .size = sizeof(all) };
	struct error e = { 0 };

	(void)state;
	cache_open(&c);
	snprintf(library, sizeof(library), "%s/library", c.path);
	assert_int_equal(io_replace_file(AT_FDCWD, library, "old", 3, 0600, &e), 0);
	seccomp_cache_write(c.dir, c.key, &f, library);
	assert_false(is_denied(&c)); /* taken while the library is the same */
	assert_int_equal(io_replace_file(AT_FDCWD, library, "newer", 5, 0600, &e), 0);
	assert_true(is_denied(&c));
	cache_close(&c);
}

static void test_key_depends_on_the_profile(void **state)
{
	char a[HASH_HEX_SIZE], b[HASH_HEX_SIZE];
	const struct spec_seccomp one = { .raw = "{}", .raw_size = 2 },
				  other = { .raw = "{ }", .raw_size = 3 };

	(void)state;
	seccomp_cache_key(&one, a);
	seccomp_cache_key(&other, b);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), 2 * HASH_SIZE);
}

static void test_cache_is_bounded_and_loses_the_oldest(void **state)
{
	struct cache c;

	(void)state;
	cache_open(&c);
	for (int i = 0; i < SECCOMP_CACHE_ENTRIES + 3; i++) {
		char name[32];
		const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1000 + i } };
		snprintf(name, sizeof(name), "entry%d", i);
		int fd = openat(c.dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(futimens(fd, times), 0);
		close(fd);
	}
	plant(&c);
	assert_int_equal(cache_count(&c, false), SECCOMP_CACHE_ENTRIES);
	assert_int_equal(faccessat(c.dir, c.key, F_OK, 0), 0);
	assert_int_equal(faccessat(c.dir, "entry3", F_OK, 0), -1);
	assert_int_equal(faccessat(c.dir, "entry4", F_OK, 0), 0);
	cache_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: the others load libseccomp into this very process. */
		cmocka_unit_test(test_second_time_libseccomp_is_not_loaded),
		cmocka_unit_test(test_actions_are_what_they_say),
		cmocka_unit_test(test_default_errno_is_used),
		cmocka_unit_test(test_every_comparison_compares),
		cmocka_unit_test(test_masked_comparison_takes_mask_then_value),
		cmocka_unit_test(test_conditions_on_different_arguments_must_all_hold),
		cmocka_unit_test(test_conditions_on_one_argument_are_alternatives),
		cmocka_unit_test(test_unknown_names_and_the_default_action_are_passed_over),
		cmocka_unit_test(test_a_rule_that_comes_twice_is_no_error),
		cmocka_unit_test(test_only_listed_architectures_are_let_in),
		cmocka_unit_test(test_an_unknown_architecture_is_an_error),
		cmocka_unit_test(test_calls_newer_than_the_profile_get_enosys),
		cmocka_unit_test(test_permissive_profiles_answer_for_themselves),
		cmocka_unit_test(test_stub_of_a_multiplexed_architecture),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_the_kernel_enforces_it),
		cmocka_unit_test(test_cache_is_used),
		cmocka_unit_test(test_every_damaged_byte_is_seen),
		cmocka_unit_test(test_truncated_files_are_not_used),
		cmocka_unit_test(test_files_that_others_can_write_are_not_used),
		cmocka_unit_test(test_files_of_others_are_not_used),
		cmocka_unit_test(test_links_are_not_followed),
		cmocka_unit_test(test_what_is_no_file_is_not_used),
		cmocka_unit_test(test_an_upgraded_library_makes_new_filters),
		cmocka_unit_test(test_key_depends_on_the_profile),
		cmocka_unit_test(test_cache_is_bounded_and_loses_the_oldest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
