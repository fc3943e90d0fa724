/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_plan.c - every shape of namespaces to the plan for it */
#include "tests/unit/unit.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "namespaces/plan.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define BASE (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET)

struct shape {
	const char *what;
	struct spec_namespace list[NS_KIND_MAX];
	size_t count, offsets;
	struct ns_plan want; /* without has[], join[]: those are checked against the list */
};

/* clang-format off */
static const struct shape shapes[] = {
	{ "nothing at all", { { 0 } }, 0, 0, { .make = 0 } },
	{ "an engine's usual container",
	  { { NS_PID, NULL }, { NS_NETWORK, NULL }, { NS_IPC, NULL }, { NS_UTS, NULL }, { NS_MOUNT, NULL },
	    { NS_CGROUP, NULL } }, 6, 0,
	  { .make = BASE | CLONE_NEWCGROUP, .clone_flags = BASE } },
	{ "a network namespace by path: INIT joins it",
	  { { NS_PID, NULL }, { NS_NETWORK, "/n" }, { NS_MOUNT, NULL } }, 3, 0,
	  { .make = CLONE_NEWPID | CLONE_NEWNS, .clone_flags = CLONE_NEWPID | CLONE_NEWNS } },
	{ "a user namespace made with all others: one clone does it",
	  { { NS_USER, NULL }, { NS_PID, NULL }, { NS_MOUNT, NULL }, { NS_CGROUP, NULL } }, 4, 0,
	  { .make = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWCGROUP,
	    .clone_flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS, .new_user = true, .enter_user = true } },
	{ "a user namespace made, the network joined",
	  { { NS_USER, NULL }, { NS_NETWORK, "/n" }, { NS_MOUNT, NULL } }, 3, 0,
	  { .make = CLONE_NEWUSER | CLONE_NEWNS, .clone_flags = CLONE_NEWNS, .setup = true,
	    .setup_unshare = CLONE_NEWUSER, .new_user = true, .enter_user = true } },
	{ "a user namespace joined",
	  { { NS_USER, "/u" }, { NS_PID, NULL } }, 2, 0,
	  { .make = CLONE_NEWPID, .clone_flags = CLONE_NEWPID, .setup = true, .enter_user = true } },
	{ "a pid namespace joined: only children enter it",
	  { { NS_PID, "/p" }, { NS_MOUNT, NULL } }, 2, 0,
	  { .make = CLONE_NEWNS, .clone_flags = CLONE_NEWNS, .setup = true } },
	{ "a time namespace without offsets: clone3 does it",
	  { { NS_TIME, NULL }, { NS_PID, NULL } }, 2, 0,
	  { .make = CLONE_NEWTIME | CLONE_NEWPID, .clone_flags = CLONE_NEWTIME | CLONE_NEWPID } },
	{ "time offsets freeze with the first process: SETUP writes them",
	  { { NS_TIME, NULL }, { NS_PID, NULL } }, 2, 1,
	  { .make = CLONE_NEWTIME | CLONE_NEWPID, .clone_flags = CLONE_NEWPID, .setup = true,
	    .setup_unshare = CLONE_NEWTIME, .set_time_offsets = true } },
	{ "time offsets in a new user namespace",
	  { { NS_TIME, NULL }, { NS_USER, NULL }, { NS_PID, NULL } }, 3, 2,
	  { .make = CLONE_NEWTIME | CLONE_NEWUSER | CLONE_NEWPID, .clone_flags = CLONE_NEWPID, .setup = true,
	    .setup_unshare = CLONE_NEWUSER | CLONE_NEWTIME, .new_user = true, .enter_user = true,
	    .set_time_offsets = true } },
	{ "a time namespace joined: its offsets are what they are",
	  { { NS_TIME, "/t" } }, 1, 1, { .make = 0 } },
	{ "everything joined",
	  { { NS_USER, "/u" }, { NS_PID, "/p" }, { NS_NETWORK, "/n" }, { NS_MOUNT, "/m" }, { NS_IPC, "/i" },
	    { NS_UTS, "/h" }, { NS_CGROUP, "/c" }, { NS_TIME, "/t" } }, 8, 0,
	  { .make = 0, .setup = true, .enter_user = true } },
};
/* clang-format on */

static void check_shape(const struct shape *shape)
{
	struct spec_namespace list[NS_KIND_MAX];
	const struct spec s = { .namespaces = list,
				.n_namespaces = shape->count,
				.n_time_offsets = shape->offsets };
	const struct ns_plan *want = &shape->want;
	struct ns_plan got;
	struct error e = { 0 };
	bool listed[NS_KIND_MAX] = { false };

	memcpy(list, shape->list, sizeof(list));
	if (ns_plan(&s, &got, &e) < 0)
		fail_msg("%s: %s", shape->what, e.msg);
	for (size_t i = 0; i < shape->count; i++) {
		listed[list[i].kind] = true;
		assert_ptr_equal(got.join[list[i].kind], list[i].path);
	}
	for (int k = 0; k < NS_KIND_MAX; k++) {
		assert_int_equal(got.has[k], listed[k]);
		assert_true(listed[k] || !got.join[k]);
	}
	if (got.make != want->make || got.setup != want->setup || got.clone_flags != want->clone_flags ||
	    got.setup_unshare != want->setup_unshare || got.new_user != want->new_user ||
	    got.enter_user != want->enter_user || got.set_time_offsets != want->set_time_offsets)
		fail_msg("%s: make %#llx, setup %d, clone %#llx, unshare %#llx, user %d %d, offsets %d",
			 shape->what, (unsigned long long)got.make, got.setup,
			 (unsigned long long)got.clone_flags, (unsigned long long)got.setup_unshare,
			 got.new_user, got.enter_user, got.set_time_offsets);
}

static void test_plan_of_every_shape(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(shapes); i++)
		check_shape(&shapes[i]);
}

/* Over all 3^8 configs (absent, made, joined) each with and without offsets: nothing is lost, nothing made
 * twice, and what no single clone can do has a SETUP. */
static void test_plan_holds_for_all_configs(void **state)
{
	(void)state;
	for (int code = 0; code < 2 * 6561; code++) {
		struct spec_namespace list[NS_KIND_MAX];
		struct spec s = { .namespaces = list, .n_time_offsets = code >= 6561 };
		struct ns_plan p;
		struct error e = { 0 };
		uint64_t made = 0;
		bool any_joined = false;
		for (int k = 0, rest = code % 6561; k < NS_KIND_MAX; k++, rest /= 3) {
			if (rest % 3 == 0)
				continue;
			list[s.n_namespaces++] = (struct spec_namespace){ (enum ns_kind)k,
									  rest % 3 == 2 ? "/x" : NULL };
			if (rest % 3 == 1)
				made |= (uint64_t)ns_types[k].flag;
			any_joined |= rest % 3 == 2;
		}
		assert_int_equal(ns_plan(&s, &p, &e), 0);
		assert_true(p.make == made);
		assert_true((p.clone_flags & p.setup_unshare) == 0);
		assert_true((p.clone_flags | p.setup_unshare) == (made & ~(uint64_t)CLONE_NEWCGROUP));
		assert_true(p.setup || !p.setup_unshare);
		assert_true(p.setup || !(p.join[NS_USER] || p.join[NS_PID] || p.set_time_offsets));
		assert_true(p.setup || !(p.new_user && any_joined));
		assert_true(!p.setup || !(p.clone_flags & CLONE_NEWUSER));
	}
}

static void test_a_kind_listed_twice_is_refused(void **state)
{
	struct spec_namespace list[] = { { NS_PID, NULL }, { NS_PID, "/p" } };
	const struct spec s = { .namespaces = list, .n_namespaces = 2 };
	struct ns_plan p;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(ns_plan(&s, &p, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "pid is listed twice"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan_of_every_shape),
		cmocka_unit_test(test_plan_holds_for_all_configs),
		cmocka_unit_test(test_a_kind_listed_twice_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
