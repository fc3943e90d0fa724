/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter.c - a seccomp profile to the BPF program that bare.c loads; and what compiling it costs
 * The driver gives the profile as lines on stdin, for then nothing here reads JSON:
 *   default ERRNO | arch NAME | rule NAME ALLOW-OR-ERRNO [INDEX OP VALUE VALUE2]      (0 is "allow")
 * Usage: filter OPTIMIZE OUTFILE     OPTIMIZE: libseccomp's level, 1 or 2 (a binary tree)
 * Prints the microseconds of building and of exporting, and the number of instructions. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static enum scmp_compare operator_of(const char *name)
{
	static const char *const names[] = { "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ" };

	for (int i = 0; i < 7; i++)
		if (strcmp(names[i], name) == 0)
			return SCMP_CMP_NE + i;
	return _SCMP_CMP_MAX;
}

static int add_rule(scmp_filter_ctx ctx, const char *line)
{
	char name[64], op[16];
	unsigned int action, index;
	unsigned long long value, two;
	int n = sscanf(line, "rule %63s %u %u %15s %llu %llu", name, &action, &index, op, &value, &two);
	int nr = n < 2 ? __NR_SCMP_ERROR : seccomp_syscall_resolve_name(name);
	struct scmp_arg_cmp cmp;

	if (n < 2)
		return -EINVAL;
	if (nr == __NR_SCMP_ERROR)
		return 0; /* newer than this libseccomp, as the runtimes have it */
	if (n == 6)
		cmp = (struct scmp_arg_cmp){ index, operator_of(op), value, two };
	return seccomp_rule_add_array(ctx, action == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(action), nr, n == 6,
				      &cmp);
}

int main(int argc, char **argv)
{
	scmp_filter_ctx ctx = NULL;
	char line[256], word[64];
	double begun = now_us(), built;
	struct stat st;
	unsigned int code;
	int fd, r = 0;

	if (argc != 3)
		return 2;
	while (r == 0 && fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "default %u", &code) == 1) {
			ctx = seccomp_init(SCMP_ACT_ERRNO(code));
			r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, atoi(argv[1]));
		} else if (sscanf(line, "arch %63s", word) == 1) {
			r = seccomp_arch_add(ctx, seccomp_arch_resolve_name(word));
			r = r == -EEXIST ? 0 : r;
		} else {
			r = add_rule(ctx, line);
		}
	}
	built = now_us();
	fd = open(argv[2], O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	if (r == 0)
		r = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
	if (r < 0 || fstat(fd, &st) < 0) {
		fprintf(stderr, "filter: %s: %s\n", line, strerror(-r));
		return 1;
	}
	printf("%.0f %.0f %lld\n", built - begun, now_us() - built, (long long)st.st_size / 8);
	return 0;
}
