/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_knobs.c - linux.resources become the right lines for the right files, in the right order */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

static struct error e;

/* ---- what would be written, as text: "file=text;" and "?" for MAY, "~" for DEFAULT ---- */

struct recorder {
	char text[2048];
	const char *without; /* a file that is not there */
};

static int record(void *context, const struct knob_line *line, struct error *unused)
{
	struct recorder *rec = context;
	size_t used = strlen(rec->text);

	(void)unused;
	if (rec->without && str_eq(rec->without, line->file)) {
		assert_true(line->tried);
		return -ENOENT;
	}
	snprintf(rec->text + used, sizeof(rec->text) - used, "%s%s=%s;",
		 line->rank == KNOB_MUST  ? ""
		 : line->rank == KNOB_MAY ? "?"
					  : "~",
		 line->file, line->text);
	return 0;
}

static const struct knobs_now fresh_now = { -1, "max" };

#define RESOURCES(...)                           \
	struct spec_resources r;                 \
	spec_resources_init(&r);                 \
	do {                                     \
		struct spec_resources *set = &r; \
		(void)set;                       \
		__VA_ARGS__;                     \
	} while (0)

static void check_now(const struct spec_resources *r, const struct knobs_now *now, const char *without,
		      const char *want)
{
	struct recorder rec = { .without = without };

	if (knobs_format(r, now, record, &rec, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(rec.text, want);
}

static void check(const struct spec_resources *r, const char *want)
{
	check_now(r, &fresh_now, NULL, want);
}

static void check_refused(const struct spec_resources *r, int code, const char *text)
{
	struct recorder rec = { 0 };

	assert_int_equal(knobs_format(r, &fresh_now, record, &rec, &e), -code);
	if (!strstr(e.msg, text))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, text);
}

/* ---- the table ---- */

static void test_nothing_set_writes_nothing(void **state)
{
	const char *keys[CONTROLLER_MAX];
	unsigned int need = 77;

	(void)state;
	RESOURCES();
	check(&r, "");
	assert_int_equal(knobs_need(&r, &need, keys, &e), 0);
	assert_int_equal(need, 0);
	/* what engines send to say nothing */
	r.memory_limit = r.memory_swap = r.memory_reservation = 0;
	r.cpu_shares = r.cpu_quota = r.cpu_period = r.block_weight = 0;
	check(&r, "");
}

static void test_memory(void **state)
{
	(void)state;
	RESOURCES(set->memory_limit = 512 << 20, set->memory_swap = 768 << 20,
		  set->memory_reservation = 256 << 20);
	check(&r, "memory.swap.max=268435456;memory.max=536870912;memory.low=268435456;");
	r.memory_swap = 512 << 20; /* none beside the memory */
	check(&r, "?memory.swap.max=0;memory.max=536870912;memory.low=268435456;");
	r.memory_swap = -1;
	check(&r, "~memory.swap.max=max;memory.max=536870912;memory.low=268435456;");
	r.memory_swap = NUM_UNSET;
	check(&r, "memory.max=536870912;memory.low=268435456;");
	r.memory_limit = r.memory_reservation = -1;
	check(&r, "~memory.swap.max=max;~memory.max=max;~memory.low=0;");
	r.memory_swap = 1 << 20;
	check_refused(&r, EINVAL, "memory.swap: cannot be limited while memory.limit is not");
	r.memory_limit = 2 << 20;
	check_refused(&r, EINVAL, "memory.swap: 1048576 is below memory.limit, 2097152");
	r.memory_limit = NUM_UNSET;
	check_refused(&r, EINVAL, "memory.swap: cannot be limited while memory.limit is not");
}

static void test_memory_is_raised_before_it_is_lowered(void **state)
{
	struct knobs_now now = { 512 << 20, "max" };

	(void)state;
	RESOURCES(set->memory_limit = 1 << 30, set->memory_swap = 1 << 30);
	check_now(&r, &now, NULL, "memory.max=1073741824;?memory.swap.max=0;");
	r.memory_limit = 256 << 20;
	check_now(&r, &now, NULL, "memory.swap.max=805306368;memory.max=268435456;");
	r.memory_limit = -1, r.memory_swap = -1;
	check_now(&r, &now, NULL, "~memory.max=max;~memory.swap.max=max;");
	/* an update of swap alone counts from the limit that is there */
	r.memory_limit = NUM_UNSET, r.memory_swap = 600 << 20;
	check_now(&r, &now, NULL, "memory.swap.max=92274688;");
}

static void test_cpu(void **state)
{
	(void)state;
	RESOURCES(set->cpu_shares = 1024, set->cpu_quota = 50000, set->cpu_period = 100000);
	check(&r, "cpu.weight=100;cpu.max=50000 100000;");
	r.cpu_period = NUM_UNSET; /* left alone */
	check(&r, "cpu.weight=100;cpu.max=50000;");
	r.cpu_quota = -1;
	check(&r, "cpu.weight=100;~cpu.max=max;");
	r.cpu_period = 20000;
	check(&r, "cpu.weight=100;?cpu.max=max 20000;");
	r.cpu_quota = NUM_UNSET;
	struct knobs_now now = { -1, "30000" }; /* an update of the period alone keeps the quota */
	check_now(&r, &now, NULL, "cpu.weight=100;cpu.max=30000 20000;");
	r.cpu_period = NUM_UNSET;
	r.cpu_idle = 1; /* an idle group has no weight */
	check(&r, "cpu.idle=1;");
	r.cpu_idle = 0;
	check(&r, "~cpu.idle=0;cpu.weight=100;");
}

static int refuse_burst_once(void *context, const struct knob_line *line, struct error *unused)
{
	struct recorder *rec = context;

	if (str_eq(line->file, "cpu.max.burst") && line->tried) {
		strcat(rec->text, "(refused)");
		return -EINVAL;
	}
	return record(context, line, unused);
}

static void test_cpu_burst_waits_for_its_quota(void **state)
{
	struct recorder rec = { 0 };

	(void)state;
	RESOURCES(set->cpu_quota = 50000, set->cpu_burst = 20000);
	check(&r, "cpu.max.burst=20000;cpu.max=50000;");
	assert_int_equal(knobs_format(&r, &fresh_now, refuse_burst_once, &rec, &e), 0);
	assert_string_equal(rec.text, "(refused)cpu.max=50000;cpu.max.burst=20000;");
	r.cpu_quota = NUM_UNSET;
	r.cpu_burst = 0;
	check(&r, "~cpu.max.burst=0;");
}

static void test_cpuset_and_pids(void **state)
{
	(void)state;
	RESOURCES(set->cpuset_cpus = "0-1,3", set->cpuset_mems = "0", set->pids_limit = 0);
	check(&r, "cpuset.cpus=0-1,3;cpuset.mems=0;pids.max=0;"); /* 0 is a limit */
	r.cpuset_cpus = r.cpuset_mems = "";
	r.pids_limit = -1;
	check(&r, "~pids.max=max;");
	r.pids_limit = 2048;
	check(&r, "pids.max=2048;");
}

static void test_block_io(void **state)
{
	struct spec_block_weight weights[] = { { 8, 0, 10, NUM_UNSET }, { 8, 16, NUM_UNSET, NUM_UNSET } };
	struct spec_block_rate rates[] = { { 8, 0, 1048576 }, { 253, 1, 0 } };

	(void)state;
	RESOURCES(set->block_weight = 1000, set->block_weight_devices = weights,
		  set->n_block_weight_devices = 2);
	check(&r, "io.bfq.weight=1000;io.bfq.weight=8:0 10;");
	check_now(&r, &fresh_now, "io.bfq.weight", "io.weight=10000;io.weight=8:0 1;");
	spec_resources_init(&r);
	r.block_read_bps = r.block_write_bps = r.block_read_iops = r.block_write_iops = rates;
	r.n_block_read_bps = 2;
	r.n_block_write_bps = r.n_block_read_iops = r.n_block_write_iops = 1;
	check(&r, "io.max=8:0 rbps=1048576;~io.max=253:1 rbps=max;io.max=8:0 wbps=1048576;"
		  "io.max=8:0 riops=1048576;io.max=8:0 wiops=1048576;");
	r.block_weight = 9;
	check_refused(&r, EINVAL, "blockIO.weight: 9 is not between 10 and 1000");
}

static void test_huge_pages_prefer_reservations(void **state)
{
	struct spec_hugepage_limit limits[] = { { "2MB", 4194304 }, { "1GB", UINT64_MAX } };
	static const char *const bad[] = { "", "2M", "2mb", "../x", "2MB/..", "02MB", "2TB", "MB", "2MBB" };

	(void)state;
	RESOURCES(set->hugepage_limits = limits, set->n_hugepage_limits = 2);
	check(&r, "?hugetlb.2MB.rsvd.max=4194304;hugetlb.2MB.max=4194304;"
		  "?hugetlb.1GB.rsvd.max=18446744073709551615;hugetlb.1GB.max=18446744073709551615;");
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		limits[1].page_size = bad[i];
		check_refused(&r, EINVAL, "is not a page size");
	}
}

static void test_rdma(void **state)
{
	struct spec_rdma_limit limits[] = { { "mlx5_0", 3, 10000 },
					    { "mlx4_0", NUM_UNSET, 5 },
					    { "mlx4_1", NUM_UNSET, NUM_UNSET } };

	(void)state;
	RESOURCES(set->rdma = limits, set->n_rdma = 3);
	check(&r, "rdma.max=mlx5_0 hca_handle=3 hca_object=10000;rdma.max=mlx4_0 hca_object=5;");
	limits[0].device = "mlx5_0 hca_handle=max\nmlx4_0";
	check_refused(&r, EINVAL, "is not the name of a device");
}

static void test_unified_is_written_line_by_line_and_last(void **state)
{
	struct spec_unified keys[] = { { "memory.high", "1048576" },
				       { "io.max", "8:0 rbps=1\n8:16 wbps=2\n" },
				       { "cgroup.max.depth", "3" },
				       { "cpuset.cpus", "" },
				       { "irq.pressure", "x" } };

	(void)state;
	RESOURCES(set->unified = keys, set->n_unified = COUNT_OF(keys), set->memory_limit = 4096);
	check(&r, "memory.max=4096;memory.high=1048576;io.max=8:0 rbps=1;io.max=8:16 wbps=2;"
		  "cgroup.max.depth=3;cpuset.cpus=\n;irq.pressure=x;");
}

static void test_unified_keys_are_files_of_the_group(void **state)
{
	static const struct {
		const char *key;
		int code;
	} bad[] = { { "../x", EINVAL },	       { "..", EINVAL },
		    { ".", EINVAL },	       { "", EINVAL },
		    { "memory", EINVAL },      { "memory.", EINVAL },
		    { "/memory.max", EINVAL }, { "sub/memory.max", EINVAL },
		    { "memory.../x", EINVAL }, { "bogus.max", ENOTSUP },
		    { "cgroup.procs", EPERM }, { "cgroup.threads", EPERM },
		    { "cgroup.kill", EPERM },  { "cgroup.freeze", EPERM },
		    { "cgroup.type", EPERM },  { "cgroup.subtree_control", EPERM } };
	struct spec_unified key = { NULL, "1" };

	(void)state;
	RESOURCES(set->unified = &key, set->n_unified = 1);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		key.key = bad[i].key;
		check_refused(&r, bad[i].code, "linux.resources.unified");
	}
}

static void test_needs_name_the_first_key_of_each_controller(void **state)
{
	struct spec_unified keys[] = { { "memory.high", "1" },
				       { "misc.max", "x 1" },
				       { "cgroup.pressure", "0" } };
	const char *names[CONTROLLER_MAX] = { 0 };
	unsigned int need;

	(void)state;
	RESOURCES(set->unified = keys, set->n_unified = COUNT_OF(keys), set->memory_swap = 1 << 20,
		  set->pids_limit = -1, set->cpu_quota = 1000, set->cpuset_cpus = "0");
	assert_int_equal(knobs_need(&r, &need, names, &e), 0);
	assert_int_equal(need, 1 << CONTROLLER_MEMORY | 1 << CONTROLLER_CPU | 1 << CONTROLLER_CPUSET |
				       1 << CONTROLLER_MISC);
	assert_string_equal(names[CONTROLLER_MEMORY], "memory.swap");
	assert_string_equal(names[CONTROLLER_CPU], "cpu.quota");
	assert_string_equal(names[CONTROLLER_MISC], "unified");
	assert_null(names[CONTROLLER_PIDS]);
}

/* ---- applying, to a directory of plain files ---- */

static char top[] = "/tmp/coracle-knobs-XXXXXX";
static int group = -1;

static void put(const char *name, const char *text)
{
	int fd = openat(group, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void assert_file(const char *name, const char *want)
{
	char text[128];

	assert_true(io_read_small(group, name, text, sizeof(text), &e) >= 0);
	assert_string_equal(text, want);
}

static int setup(void **state)
{
	(void)state;
	memcpy(top + sizeof(top) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(top));
	group = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return group < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	char command[sizeof(top) + 16];

	(void)state;
	close(group);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command) == 0 ? 0 : -1;
}

static void test_apply_writes_files(void **state)
{
	(void)state;
	put("pids.max", "");
	put("memory.max", "");
	put("cpu.max", "");
	RESOURCES(set->pids_limit = 7, set->memory_limit = 1 << 20, set->cpu_quota = -1);
	assert_int_equal(cgroup_apply(group, &r, true, &e), 0);
	assert_file("pids.max", ""); /* not before the first process */
	assert_file("memory.max", "1048576");
	put("memory.max", "");
	assert_int_equal(cgroup_apply_late(group, &r, &e), 0);
	assert_file("pids.max", "7");
	assert_file("memory.max", "");
	assert_file("cpu.max", ""); /* new: nothing to say */
	assert_int_equal(cgroup_apply(group, &r, false, &e), 0);
	assert_file("cpu.max", "max");
}

static void test_apply_names_a_missing_controller(void **state)
{
	(void)state;
	put("cgroup.controllers", "cpu memory\n");
	RESOURCES(set->pids_limit = 7);
	assert_int_equal(cgroup_apply_late(group, &r, &e), -ENOTSUP);
	assert_string_equal(
		e.msg, "linux.resources.pids.limit: cannot be set, the pids controller is not available in "
		       "the cgroup (no pids.max)");
	r.pids_limit = -1; /* no limit is what there is */
	assert_int_equal(cgroup_apply(group, &r, true, &e), 0);
	assert_int_equal(cgroup_apply(group, &r, false, &e), 0);
	r.block_weight = 100;
	put("cgroup.controllers", "io\n");
	assert_int_equal(cgroup_apply(group, &r, true, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "this kernel's cgroups have no io.weight"));
}

static void test_apply_reads_what_an_update_needs(void **state)
{
	(void)state;
	put("memory.max", "1048576\n");
	put("memory.swap.max", "");
	put("cpu.max", "25000 90000\n");
	RESOURCES(set->memory_swap = 3 << 20, set->cpu_period = 50000);
	assert_int_equal(cgroup_apply(group, &r, false, &e), 0);
	assert_file("memory.swap.max", "2097152");
	assert_file("cpu.max", "25000 50000");
}

static void test_apply_checks_usage_before_an_update(void **state)
{
	(void)state;
	put("memory.max", "");
	put("memory.current", "2097152\n");
	RESOURCES(set->memory_limit = 1 << 20, set->memory_check_before_update = true);
	assert_int_equal(cgroup_apply(group, &r, false, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "memory.limit: 1048576 is not above the 2097152 bytes in use"));
	assert_file("memory.max", "");
	r.memory_limit = 4 << 20;
	assert_int_equal(cgroup_apply(group, &r, false, &e), 0);
	assert_file("memory.max", "4194304");
}

static void test_apply_follows_no_link(void **state)
{
	(void)state;
	put("target", "untouched");
	assert_int_equal(symlinkat("target", group, "pids.max"), 0);
	RESOURCES(set->pids_limit = 7);
	assert_int_equal(cgroup_apply_late(group, &r, &e), -ELOOP);
	assert_file("target", "untouched");
}

/* ---- weights, controllers, events ---- */

static void test_cpu_weights(void **state)
{
	/* from ceil(10^((l² + 125 l)/612 - 7/34)), computed with 60 digits */
	static const uint64_t known[][2] = { { 0, 0 },		{ 1, 1 },	   { 2, 1 },
					     { 3, 2 },		{ 10, 4 },	   { 100, 17 },
					     { 512, 59 },	{ 1023, 100 },	   { 1024, 100 },
					     { 1025, 101 },	{ 2048, 174 },	   { 4096, 303 },
					     { 65536, 3023 },	{ 262143, 10000 }, { 262144, 10000 },
					     { 1 << 30, 10000 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++)
		assert_int_equal(cpu_weight_of_shares(known[i][0]), known[i][1]);
	for (uint64_t s = 2; s < 262144; s += 17)
		assert_true(cpu_weight_of_shares(s) <= cpu_weight_of_shares(s + 17));
}

static void test_io_weights(void **state)
{
	(void)state;
	assert_int_equal(io_weight_of_blkio(10), 1);
	assert_int_equal(io_weight_of_blkio(500), 4950);
	assert_int_equal(io_weight_of_blkio(1000), 10000);
	assert_int_equal(io_weight_of_blkio(0), 0);
}

static void test_controller_lists(void **state)
{
	(void)state;
	assert_int_equal(controllers_parse("cpuset cpu io\n"),
			 1 << CONTROLLER_CPUSET | 1 << CONTROLLER_CPU | 1 << CONTROLLER_IO);
	assert_int_equal(controllers_parse(""), 0);
	assert_int_equal(controllers_parse("\n"), 0);
	assert_int_equal(controllers_parse("cp cpusets cgroup perf_event"), 0);
	for (int c = 0; c < CONTROLLER_MAX; c++)
		assert_int_equal(controller_find(controller_names[c], strlen(controller_names[c])), c);
}

static void test_events(void **state)
{
	(void)state;
	struct cgroup_events ev = events_parse("populated 1\nfrozen 0\n");
	assert_true(ev.populated && !ev.frozen);
	ev = events_parse("frozen 1\npopulated 0\n");
	assert_true(!ev.populated && ev.frozen);
	ev = events_parse("");
	assert_true(!ev.populated && !ev.frozen);
}

static void test_what_asks_for_a_limit(void **state)
{
	struct spec_resources r;
	const char *key;

	(void)state;
	spec_resources_init(&r);
	assert_false(cgroup_asks(&r, &key));
	r.n_devices = 1;
	assert_false(cgroup_asks(&r, &key));
	r.pids_limit = 0;
	assert_true(cgroup_asks(&r, &key));
	assert_string_equal(key, "pids.limit");
	r.memory_limit = 1 << 20;
	assert_true(cgroup_asks(&r, &key));
	assert_string_equal(key, "memory.limit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_set_writes_nothing),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_is_raised_before_it_is_lowered),
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_cpu_burst_waits_for_its_quota),
		cmocka_unit_test(test_cpuset_and_pids),
		cmocka_unit_test(test_block_io),
		cmocka_unit_test(test_huge_pages_prefer_reservations),
		cmocka_unit_test(test_rdma),
		cmocka_unit_test(test_unified_is_written_line_by_line_and_last),
		cmocka_unit_test(test_unified_keys_are_files_of_the_group),
		cmocka_unit_test(test_needs_name_the_first_key_of_each_controller),
		cmocka_unit_test_setup_teardown(test_apply_writes_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_apply_names_a_missing_controller, setup, teardown),
		cmocka_unit_test_setup_teardown(test_apply_reads_what_an_update_needs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_apply_checks_usage_before_an_update, setup, teardown),
		cmocka_unit_test_setup_teardown(test_apply_follows_no_link, setup, teardown),
		cmocka_unit_test(test_cpu_weights),
		cmocka_unit_test(test_io_weights),
		cmocka_unit_test(test_controller_lists),
		cmocka_unit_test(test_what_asks_for_a_limit),
		cmocka_unit_test(test_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
