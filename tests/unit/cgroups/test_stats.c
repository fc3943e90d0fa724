/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_stats.c - the figures of a group (plain files here) in runc's JSON shape */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/cleanup.h"

static char top[] = "/tmp/coracle-stats-XXXXXX";
static int group = -1;
static struct error e;

static void put(const char *name, const char *text)
{
	int fd = openat(group, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
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

static void check_has(const char *want)
{
	auto_free char *text = NULL;

	assert_int_equal(cgroup_stats_json(group, "c\"1", &text, &e), 0);
	if (!strstr(text, want))
		fail_msg("%s\nhas no %s", text, want);
}

#define EMPTY_CPUSET                                                                                        \
	"\"cpuset\":{\"cpu_exclusive\":0,\"mem_hardwall\":0,\"mem_exclusive\":0,\"memory_migrate\":0,"      \
	"\"memory_spread_page\":0,\"memory_spread_slab\":0,\"memory_pressure\":0,\"sched_load_balance\":0," \
	"\"sched_relax_domain_level\":0}"

static void test_an_empty_group_has_the_whole_shape(void **state)
{
	auto_free char *text = NULL;

	(void)state;
	put("cgroup.procs", "");
	assert_int_equal(cgroup_stats_json(group, "c1", &text, &e), 0);
	assert_string_equal(
		text,
		"{\"type\":\"stats\",\"id\":\"c1\",\"data\":{\"cpu\":{\"usage\":{\"kernel\":0,\"user\":0},"
		"\"throttling\":{}}," EMPTY_CPUSET ",\"memory\":{\"usage\":{\"limit\":0,\"failcnt\":0},"
		"\"swap\":{\"limit\":0,\"failcnt\":0},\"kernel\":{\"limit\":0,\"failcnt\":0},"
		"\"kernelTCP\":{\"limit\":0,\"failcnt\":0}},\"pids\":{},\"blkio\":{},\"hugetlb\":{},"
		"\"intel_rdt\":{},\"network_interfaces\":null}}");
}

static void test_cpu(void **state)
{
	(void)state;
	put("cpu.stat", "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnice_usec 0\nnr_periods 5\n"
			"nr_throttled 2\nthrottled_usec 7\n");
	put("cpu.pressure", "some avg10=1.50 avg60=0.20 avg300=0.00 total=42\n"
			    "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	check_has("\"cpu\":{\"usage\":{\"total\":30000,\"kernel\":10000,\"user\":20000},\"throttling\":"
		  "{\"periods\":5,\"throttledPeriods\":2,\"throttledTime\":7000},\"psi\":{\"some\":{"
		  "\"avg10\":1.50,"
		  "\"avg60\":0.20,\"avg300\":0.00,\"total\":42},\"full\":{\"avg10\":0.00,\"avg60\":0.00,"
		  "\"avg300\":0.00,\"total\":0}}}");
	put("cpuset.cpus.effective", "0-2,5\n");
	put("cpuset.mems.effective", "0\n");
	check_has("\"cpuset\":{\"cpus\":[0,1,2,5],\"mems\":[0],\"cpu_exclusive\":0,");
	put("cpuset.cpus.effective", "\n");
	check_has("\"cpuset\":{\"mems\":[0],");
}

static void test_memory(void **state)
{
	(void)state;
	put("memory.max", "1000\n");
	put("memory.current", "600\n");
	put("memory.peak", "900\n");
	put("memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n");
	put("memory.swap.max", "500\n");
	put("memory.swap.current", "50\n");
	put("memory.stat", "anon 400\nfile 100\nkernel 20\n");
	check_has("\"memory\":{\"cache\":100,\"usage\":{\"limit\":1000,\"usage\":600,\"max\":900,\"failcnt\":"
		  "3},"
		  "\"swap\":{\"limit\":1500,\"usage\":650,\"failcnt\":0},");
	check_has("\"raw\":{\"anon\":400,\"file\":100,\"kernel\":20}}");
	put("memory.max", "max\n");
	check_has("\"usage\":{\"limit\":18446744073709551615,\"usage\":600,");
	check_has("\"swap\":{\"limit\":18446744073709551615,\"usage\":650,"); /* no overflow */
}

static void test_pids(void **state)
{
	(void)state;
	put("cgroup.procs", "12\n15\n0\n12\n");
	check_has("\"pids\":{\"current\":2}"); /* counted */
	put("pids.current", "7\n");
	put("pids.max", "max\n");
	check_has("\"pids\":{\"current\":7}");
	put("pids.max", "100\n");
	check_has("\"pids\":{\"current\":7,\"limit\":100}");
}

static void test_block_io(void **state)
{
	(void)state;
	put("io.stat",
	    "8:0 rbytes=1024 wbytes=0 rios=3 wios=0 dbytes=5 dios=1\n253:1 \n7:2 rios=9 rbytes=4\n");
	check_has("\"blkio\":{\"ioServiceBytesRecursive\":[{\"major\":8,\"op\":\"Read\",\"value\":1024},"
		  "{\"major\":8,\"op\":\"Write\"},{\"major\":7,\"minor\":2,\"op\":\"Read\",\"value\":4}],"
		  "\"ioServicedRecursive\":[{\"major\":8,\"op\":\"Read\",\"value\":3},{\"major\":8,\"op\":"
		  "\"Write\"},"
		  "{\"major\":7,\"minor\":2,\"op\":\"Read\",\"value\":9}]}");
}

static void test_hugetlb(void **state)
{
	(void)state;
	put("hugetlb.2MB.current", "1\n");
	put("hugetlb.2MB.rsvd.current", "4096\n");
	put("hugetlb.2MB.events", "max 6\n");
	check_has("\"hugetlb\":{\"2MB\":{\"usage\":4096,\"failcnt\":6}}");
	assert_int_equal(unlinkat(group, "hugetlb.2MB.rsvd.current", 0), 0);
	check_has("\"hugetlb\":{\"2MB\":{\"usage\":1,\"failcnt\":6}}");
}

static void test_broken_files_do_not_break_the_json(void **state)
{
	(void)state;
	put("cpu.pressure", "some avg10=1.5x avg60 avg300= total=\"\nother\nfull\n");
	put("cpu.stat", "usage_usec\nuser_usec -1\nsystem_usec 1e9\n\n \n");
	put("io.stat", "x\n8:\n8:0\n8:0 rbytes\n");
	put("cpuset.cpus.effective", "3-");
	check_has("\"cpu\":{\"usage\":{\"kernel\":0,\"user\":0},\"throttling\":{},\"psi\":{\"some\":{}}}");
	check_has("\"id\":\"c\\\"1\"");
	check_has("\"blkio\":{}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_empty_group_has_the_whole_shape),
		TEST(test_cpu),
		TEST(test_memory),
		TEST(test_pids),
		TEST(test_block_io),
		TEST(test_hugetlb),
		TEST(test_broken_files_do_not_break_the_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
